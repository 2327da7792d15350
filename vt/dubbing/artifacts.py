"""Artifacts: results of single steps, kept in a folder by the fingerprint of their inputs, so no step is done twice."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from vt.domain import Clip
from vt.errors import StorageError
from vt.system import disk, folders

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_TEMPORARY = ".new-"
_KIND = re.compile(r"[a-z][a-z0-9]*")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"\.[a-z0-9]+")
_NAME = re.compile(rf"\A({_KIND.pattern}-{_FINGERPRINT.pattern})({_SUFFIX.pattern})?")
_DIGITS = 64
_BLOCK = 4096
"""Bytes that the smallest file takes on the disk."""
_RATE = struct.Struct("<I")
_UNSETTLED_NS = 2 * 10**9
"""A file that was written so lately may be written again with the same time: the clocks of file systems are coarse."""


def fingerprint(*parts: Json) -> str:
    """Return the SHA-256, in hex, of the parts written as canonical JSON; the same everywhere and always.

    The order of an object's keys does not matter; 1, 1.0, True and "1" are four different things.

    Raises:
        ValueError: a number is infinite or NaN.
    """
    # ASCII: text that is not valid Unicode, as in some files' names, is escaped instead of being an error.
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def count(folder: Path) -> int:
    """Return how many artifacts a folder holds; 0 where it does not exist. Another thread may write there meanwhile.

    Raises:
        StorageError: the folder cannot be read.
    """
    with _translated():
        return sum(1 for path in _files_of(folder) if not path.suffix)


class ArtifactReader:
    """The artifacts in one folder, for somebody who only reads; whoever writes may do so meanwhile.

    An artifact has a kind (a word that its maker chooses) and a fingerprint. It appears whole or not at all, and has a
    checksum: a damaged one counts as missing. Every method may raise `StorageError`.
    """

    def __init__(self, folder: Path) -> None:
        """`folder` need not exist."""
        self._folder = folder
        self._used: set[str] = set()

    def has(self, kind: str, fingerprint: str) -> bool:
        """Return whether there is such an artifact, without reading it."""
        with _translated():
            return self._place(kind, fingerprint).exists()

    def get_json(self, kind: str, fingerprint: str) -> Any:  # noqa: ANN401 (whatever was put there)
        """Return a value, or None where there is no such artifact."""
        payload = self._get(kind, fingerprint)
        return None if payload is None else json.loads(payload)

    def get_clip(self, kind: str, fingerprint: str) -> Clip | None:
        """Return a clip, or None where there is no such artifact."""
        payload = self._get(kind, fingerprint)
        if payload is None:
            return None
        (rate,) = _RATE.unpack_from(payload)
        return Clip(np.frombuffer(payload, "<i2", offset=_RATE.size).astype(np.int16), rate)

    def _place(self, kind: str, fingerprint: str) -> Path:
        if not (_KIND.fullmatch(kind) and _FINGERPRINT.fullmatch(fingerprint)):
            raise ValueError(f"not a name of an artifact: {kind}-{fingerprint}")
        name = f"{kind}-{fingerprint}"
        self._used.add(name)
        return self._folder / name

    def _get(self, kind: str, fingerprint: str) -> bytes | None:
        place = self._place(kind, fingerprint)
        with _translated():
            try:
                content = place.read_bytes()
            except FileNotFoundError:
                return None
        digest, payload = content[:_DIGITS], content[_DIGITS:]
        return payload if hashlib.sha256(payload).hexdigest().encode("ascii") == digest else None


class Artifacts(ArtifactReader):
    """The artifacts in one folder. It has one writer at a time, which this is; existing artifacts are kept."""

    def __init__(self, folder: Path, lasting: bool = True, beside: Path | None = None) -> None:
        """Open a folder, which is made if it is missing, and remove the temporary files of a writer that was killed.

        Args:
            folder: holds nothing but artifacts.
            lasting: False for a run that is never resumed: then nothing is synced to the disk, and a film is identified
                by its place and time instead of its content.
            beside: another folder, whose artifacts are found too; none is added to it.
        """
        super().__init__(folder)
        self._lasting, self._beside = lasting, beside
        with _translated():
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(f"{_TEMPORARY}*"):
                folders.remove(left)

    # Values

    def put_json(self, kind: str, fingerprint: str, value: Json) -> None:
        """Keep a value other than None."""
        if value is None:
            raise ValueError("None stands for a missing artifact")
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
        self._put(kind, fingerprint, text.encode("ascii"))

    def json(self, kind: str, fingerprint: str, make: Callable[[], Json]) -> Any:  # noqa: ANN401
        """Return a value; where it is missing, make and keep it first. Tuples come back as lists, as JSON has it."""
        value = self.get_json(kind, fingerprint)
        if value is None:
            self.put_json(kind, fingerprint, make())
            value = self.get_json(kind, fingerprint)
        return value

    # Sound

    def put_clip(self, kind: str, fingerprint: str, clip: Clip) -> None:
        """Keep a clip."""
        self._put(kind, fingerprint, _RATE.pack(clip.sample_rate) + clip.samples.astype("<i2").tobytes())

    # Files

    def file(self, kind: str, fingerprint: str, suffix: str, make: Callable[[Path], object]) -> Path:
        """Return the path of a file; where it is missing or damaged, make it first.

        The whole file is read for its checksum (about a second for each 900 MB), once in this process.

        Args:
            kind: what it is.
            fingerprint: of what makes it.
            suffix: how its name ends, such as `.pcm`.
            make: writes the file to the path that it gets. The folder of that path is temporary and its own.
        """
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError(f"not a suffix: {suffix}")
        path = self._place(kind, fingerprint).with_suffix(suffix)
        recorded = self.get_json(kind, fingerprint)
        if recorded is None or recorded != _digest_of(path):
            with self.temporary_folder() as folder:
                made = folder / f"artifact{suffix}"
                with disk.translated():
                    make(made)
                digest = self._deliver(made, path)
            self.put_json(kind, fingerprint, digest)
        return path

    def identity(self, path: Path) -> str:
        """Return what identifies a file: the SHA-256 of its content, which is computed only once.

        Where artifacts are not lasting, it is made of the file's path, time and size instead.
        """
        with _translated():
            facts = path.stat()
        seen = fingerprint(facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if not self._lasting:
            return fingerprint(os.fspath(path.absolute()), seen)
        digest: str = self.json("identity", seen, lambda: _digest_of(path))
        return digest

    # All of them

    def adopt(self, other: Path) -> None:
        """Link all artifacts of another folder into this one; that folder may be in use, or have been removed."""
        with _translated():
            for path in _files_of(other):
                mine = self._folder / path.name
                if not mine.exists():
                    with suppress(FileNotFoundError):  # its owner has just removed it
                        disk.link_or_copy(path, mine)

    def take_over(self) -> None:
        """Move those artifacts of the folder beside this one into it that were asked for since it was opened."""
        with _translated():
            for path in _files_of(self._beside) if self._beside else ():
                mine = self._folder / path.name
                if path.stem in self._used and not mine.exists():
                    path.replace(mine)

    def prune(self, spared: Collection[str] = (), most_bytes: int = 0) -> None:
        """Remove the artifacts that nobody has asked for since the folder was opened.

        Args:
            spared: kinds of which those stay, nevertheless, that were asked for last, here or in earlier runs.
            most_bytes: how much all of these may take on the disk.
        """
        with _translated():
            unused = []
            for path in _files_of(self._folder):
                is_spared = path.name.partition("-")[0] in spared
                if path.stem not in self._used:
                    facts = path.stat()
                    unused.append((is_spared, facts.st_mtime_ns, max(facts.st_size, _BLOCK), path))
                elif is_spared:
                    os.utime(path)  # the time of the last use
            for is_spared, _, size, path in sorted(unused, reverse=True):
                most_bytes -= size
                if not is_spared or most_bytes < 0:
                    folders.remove(path)

    # Inside

    def _place(self, kind: str, fingerprint: str) -> Path:
        place = super()._place(kind, fingerprint)
        if self._beside and not place.exists() and (other := self._beside / place.name).exists():
            return other
        return place

    def _put(self, kind: str, fingerprint: str, payload: bytes) -> None:
        place = self._place(kind, fingerprint)
        with self.temporary_folder() as folder, _translated():
            made = folder / "artifact"
            made.write_bytes(hashlib.sha256(payload).hexdigest().encode("ascii") + payload)
            self._sync(made)
            made.replace(place)

    def _deliver(self, made: Path, place: Path) -> str | None:
        with _translated():
            self._sync(made)
            digest = _digest_of(made)
            made.replace(place)
        return digest

    def _sync(self, file: Path) -> None:
        # The folder is not synced: if a power cut undoes the renaming, this one artifact is made again.
        if self._lasting:
            folders.flush(file)

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Lend a temporary folder on the same disk; it is removed with all that was not moved out of it."""
        with _translated():
            folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self._folder))
        try:
            yield folder
        finally:
            folders.remove(folder)


def _digest_of(path: Path) -> str | None:
    """Return the SHA-256 of a file's content, or None where there is no such file.

    A file that has not changed since this process read it is not read again: a long film's sound is a gigabyte.
    """
    with _translated():
        try:
            facts = path.stat()
            if time.time_ns() - facts.st_mtime_ns < _UNSETTLED_NS:
                return _content_digest(path)
            return _known_digest(path, (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns))
        except FileNotFoundError:
            return None


def _content_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _known_digest(path: Path, facts: tuple[int, ...]) -> str:
    del facts  # they tell one content of the path from another
    return _content_digest(path)


def _files_of(folder: Path) -> list[Path]:
    """Return the files of all artifacts. One made by `file` has two: without a suffix, its checksum."""
    try:
        return [folder / name for name in os.listdir(folder) if _NAME.fullmatch(name)]  # noqa: PTH208 (twice as fast)
    except FileNotFoundError:
        return []


def _translated() -> AbstractContextManager[None]:
    """Turn the system's errors into a `StorageError` while the block runs. It names no path: paths hold a job's id."""
    return disk.translated(_not_kept)


def _not_kept(error: OSError) -> StorageError:
    return StorageError(
        "Work that is done cannot be kept ({reason}): check the data folder and its disk.",
        reason=error.strerror or type(error).__name__,
    )
