"""Model files from the hub: which are in its cache on this machine, and the download of the others.

The cache is the one that all programs of the hub share (HF_HOME), in its published layout: blobs named by their
checksums, snapshots of links to them, and refs, which say what the newest snapshot is. The transfer is done here
because huggingface_hub 2.4's own throws a file's beginning away when it is interrupted, waits without end for a hub
that falls silent, and cannot be cancelled.

Source of the layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from filelock import lock_descriptor

from vt.domain import Cancel
from vt.errors import ModelUnavailable, StorageError
from vt.model_files import hub
from vt.system import disk
from vt.translatable import Message, joined

if TYPE_CHECKING:
    import httpx

    from vt.settings import Settings

Tell = Callable[[Message], object]
"""Is called with sentences for the user."""
T = TypeVar("T")

_TELL_SECONDS = 3.0
_LISTING_TRIES = 2
_LONGEST_PAUSE_SECONDS = 8.0
_LOCK_SECONDS = 0.5
_WORTHWHILE_BYTES = 2**20
"""After a connection that brought so much, the tries are counted from the beginning."""
_BLOCK_BYTES = 2**20
_MB = 2**20
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_SAFE, _PICKLED, _ONNX = ".safetensors", ".bin", ".onnx"
_FOREIGN = ["*.onnx*", "*.msgpack", "*.h5", "*.ot", "*.tflite", "*.mlmodel", "*.mlpackage/*", "*.gguf", "*.ckpt.*"]
"""Weights for other libraries (ONNX, Flax, TensorFlow, Rust, Core ML, llama.cpp): fetched only if named exactly."""
_ID = re.compile(r"\A(?!.*(--|\.\.))[\w-][\w.-]{0,95}(/[\w-][\w.-]{0,95})?", re.ASCII)
_TOKEN = re.compile(r"[\x21-\x7e]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LISTING_FORMAT = 1
_PREFIX = "models--"
"""Of the folder of each model in the cache."""
_DEEPEST = 2
"""Folders below the data folder: HF_HOME in it, and the `hub` in that."""

_log = logging.getLogger(__name__)


def free_bytes(folder: Path) -> int:
    """Return how much room there is on the disk of `folder`, which need not exist yet."""
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return disk.free_bytes(existing)


@dataclass(frozen=True, slots=True)
class Source:
    """Where model files come from, where they are kept, and how long to wait for the hub."""

    endpoint: str = "https://huggingface.co"
    token: str | None = field(default=None, repr=False)
    folder: Path | None = None
    """The cache; None: the one that HF_HOME (or HF_HUB_CACHE) names."""
    data: Path | None = None
    """vt's own data folder."""
    forbidden: str | None = None
    """Why nothing is to be downloaded, as half a sentence."""
    connect_seconds: float = 5.0
    stall_seconds: float = 30.0
    """How long the hub may be silent."""
    tries: int = 5
    """How often one file is tried; a try that brought a megabyte does not count."""
    free_bytes: Callable[[Path], int] = free_bytes
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = time.sleep

    @property
    def cache(self) -> Path:
        """The cache's folder, resolved."""
        if self.folder is not None:
            return self.folder.expanduser()
        from huggingface_hub import constants

        return Path(constants.HF_HUB_CACHE)

    @property
    def is_all_ours(self) -> bool:
        """Whether nobody but vt has put anything into the cache, as it lies in vt's data folder.

        One that lies deeper there may be every program's: that of a home folder that was named as data folder.
        """
        if self.data is None:
            return False
        data, cache = self.data.resolve(), self.cache.resolve()
        return cache.is_relative_to(data) and 0 < len(cache.relative_to(data).parts) <= _DEEPEST


def of(settings: Settings) -> Source:
    """Return the source that the settings name."""
    token = settings.token.get_secret_value() if settings.token else None
    return Source(settings.hub_endpoint, token, forbidden=hub.forbidden(settings), data=settings.data_folder)


def present(repo_id: str, patterns: Sequence[str], source: Source | None = None) -> Path | None:
    """Return the folder with all files of `repo_id` that fit `patterns`, or None where not all are in the cache.

    The network is not asked. Where the cache holds the list of the model's files, every file has to be there in its
    full size; where it does not (an older program made it), there have to be weights, all of their parts, and no link
    that leads nowhere.

    Raises:
        ModelUnavailable: `repo_id` cannot be a model's id.
    """
    return _complete(_place(repo_id, (source or Source()).cache), patterns)


def download(
    repo_id: str,
    patterns: Sequence[str],
    source: Source | None = None,
    *,
    tell: Tell | None = None,
    cancel: Cancel | None = None,
) -> Path:
    """Return the folder with all files of `repo_id` that fit `patterns` (as in fnmatch), getting what is missing.

    What is complete already is found without a request. Of weights in two formats only the safetensors are fetched,
    and none for other libraries. `tell` gets a sentence at the beginning, every few seconds, and at the end. Files are
    checked against the hub's checksums; what has come stays, and the next call goes on from there. Two calls, also of
    two processes, fetch each file once.

    Raises:
        ModelUnavailable: it cannot be had: no such model, no access, no hub, or a connection that keeps breaking.
        StorageError: it does not fit the disk, or the cache cannot be written.
        Cancelled: on request, within `stall_seconds` while the hub keeps silent, else at once.
    """
    source = source or Source()
    place = _place(repo_id, source.cache)
    found = _complete(place, patterns)
    if found is not None:
        return found
    if source.forbidden:
        raise ModelUnavailable(
            "The model {model} cannot be downloaded: {reason}.", model=repo_id, reason=source.forbidden
        )
    if source.token and not _TOKEN.fullmatch(source.token):
        # Unchained and before any request: an HTTP library's complaint about it would quote the token.
        raise ModelUnavailable("The hub's token (HF_TOKEN) holds characters that no token has: set it again.")
    task = _Download(repo_id, place, source, tell, cancel or Cancel())
    with task.in_plain_words(), _client(source) as task.client:
        return task.run(patterns)


def begun(source: Source | None = None) -> frozenset[str]:
    """Return the ids of the models of which the cache holds anything."""
    names = (folder.name for folder in (source or Source()).cache.glob(f"{_PREFIX}*"))
    return frozenset(name.removeprefix(_PREFIX).replace("--", "/") for name in names)


def own_bytes(repo_id: str, source: Source | None = None) -> int:
    """Return how much of the disk is taken by what was downloaded here of `repo_id`, unfinished files included.

    What other programs have put into the cache does not count; in one that is all vt's, everything is its own.

    Raises:
        ModelUnavailable: `repo_id` cannot be a model's id.
    """
    source = source or Source()
    place = _place(repo_id, source.cache)
    return sum(disk.size(file) for file in (*_own_blobs(place, source), *_unfinished(place)))


def remove(repo_id: str, source: Source | None = None) -> None:
    """Remove from the disk what was downloaded here of `repo_id`; what other programs have put there stays.

    The links of its snapshots go first: from then on nobody takes the model for whole.

    Raises:
        ModelUnavailable: `repo_id` cannot be a model's id.
        StorageError: the cache cannot be written.
    """
    source = source or Source()
    place = _place(repo_id, source.cache)
    try:
        own = _own_blobs(place, source)
        names = {blob.name for blob in own}
        links = [path for path in place.snapshots.rglob("*") if path.is_symlink() and path.readlink().name in names]
        for file in (*links, *own, place.own):
            file.unlink(missing_ok=True)
        _sweep(place)
        if not any(path.is_file() for part in (place.blobs, place.snapshots) for path in part.rglob("*")):
            shutil.rmtree(place.root, ignore_errors=True)  # only lists and empty folders are left
    except OSError as error:
        raise StorageError(
            "The files of the model {model} cannot be removed ({reason}).", model=repo_id, reason=str(error.strerror)
        ) from error


@dataclass(frozen=True, slots=True)
class _File:
    """One file as the hub lists it."""

    name: str
    size: int
    blob_id: str
    """Git's SHA-1 of it, or of the note that git has in its place."""
    sha256: str | None
    """Of what is stored outside git: all weights."""

    @property
    def digest(self) -> str:
        """The checksum of the contents, which names the blob."""
        return self.sha256 or self.blob_id

    def checksum(self) -> hashlib._Hash:
        """Begin the checksum of its contents."""
        if self.sha256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """A model's folder in the cache."""

    root: Path

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    @property
    def own(self) -> Path:
        """Lists the digests of the blobs that were downloaded here and not by another program."""
        return self.root / ".vt-own"

    def blob(self, digest: str) -> Path:
        return self.blobs / digest

    def partial(self, digest: str) -> Path:
        return self.blobs / f"{digest}.vt.incomplete"

    def snapshot(self, commit: str) -> Path:
        return self.snapshots / commit

    @property
    def ref(self) -> Path:
        return self.root / "refs" / "main"

    def listing(self, commit: str) -> Path:
        return self.root / "trees" / f"{commit}.json"


def _place(repo_id: str, cache: Path) -> _Place:
    if not _ID.fullmatch(repo_id):
        raise ModelUnavailable("The hub can have no model {model!r}: an id looks like owner/name.", model=repo_id[:100])
    return _Place(cache / f"{_PREFIX}{repo_id.replace('/', '--')}")


# What is here.


def _complete(place: _Place, patterns: Sequence[str]) -> Path | None:
    try:
        commit = place.ref.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    if not _COMMIT.fullmatch(commit):
        return None
    sizes = _listed_sizes(place.listing(commit))
    folder = place.snapshot(commit)
    names = _select(_names(folder) if sizes is None else sizes, patterns)
    whole = all(_is_whole(folder / name, (sizes or {}).get(name)) for name in names)
    if not names or not whole or (sizes is None and not _has_weights(folder, names)):
        return None
    return folder


def _listed_sizes(listing: Path) -> dict[str, int] | None:
    """Return what a snapshot consists of, by name; None where that was never noted, or in a form of the future."""
    try:
        noted = json.loads(listing.read_bytes())
        return {name: int(file["size"]) for name, file in noted["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]


def _is_whole(file: Path, size: int | None) -> bool:
    try:
        found = file.stat().st_size
    except OSError:  # not here, or a link that leads nowhere
        return False
    return size is None or found == size


def _has_weights(folder: Path, names: Sequence[str]) -> bool:
    """Tell whether there are weights and, of weights in parts, all parts."""
    indexes = [folder / name for name in names if name.endswith(".index.json")]
    try:
        parts = {part for index in indexes for part in json.loads(index.read_bytes())["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return parts <= set(names) and any(name.endswith((_SAFE, _PICKLED, _ONNX)) for name in names)


def _select(names: Iterable[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that fit: no other library's weights, and none that are pickled where there are safer ones."""
    chosen = [name for name in names if name in patterns or (_fits(name, patterns) and not _fits(name, _FOREIGN))]
    if any(name.endswith(_SAFE) for name in chosen):
        return [name for name in chosen if not name.endswith((_PICKLED, f"{_PICKLED}.index.json"))]
    return chosen


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _own_blobs(place: _Place, source: Source) -> list[Path]:
    """Return the finished blobs that were downloaded here and not by another program."""
    if source.is_all_ours:  # also what came before it was noted whose each blob is
        return [blob for blob in place.blobs.glob("*") if _DIGEST.fullmatch(blob.name) and blob.is_file()]
    try:
        digests = place.own.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []
    blobs = {place.blob(digest) for digest in digests if _DIGEST.fullmatch(digest)}
    return [blob for blob in blobs if blob.is_file()]


def _unfinished(place: _Place) -> list[Path]:
    """Return what was begun and is not whole; no other program gives its files such names."""
    return list(place.blobs.glob(place.partial("*").name))


# How the rest gets here.


class _Broken(Exception):
    """What arrived is not what the hub announced; the text of this error is the end of a sentence."""


class _Download:
    """One download of one model."""

    client: httpx.Client

    def __init__(self, repo_id: str, place: _Place, source: Source, tell: Tell | None, cancel: Cancel) -> None:
        self._repo_id = repo_id
        self._place = place
        self._source = source
        self._tell = tell or (lambda _sentence: None)
        self._cancel = cancel
        self._finished = 0
        """Bytes of the files that are whole."""
        self._begun = 0
        """Bytes of the file that is on its way."""
        self._total = 0
        self._told_at = source.clock()

    def run(self, patterns: Sequence[str]) -> Path:
        commit, files = self._persist(self._list, _LISTING_TRIES)
        wanted = [files[name] for name in _select(files, patterns)]
        if not wanted:
            raise ModelUnavailable(
                "The hub's model {model} has none of the files {patterns}.",
                model=self._repo_id,
                patterns=", ".join(patterns),
            )
        self._total = sum(file.size for file in wanted)
        self._announce(wanted)
        began = self._source.clock()
        for file in sorted(wanted, key=lambda file: file.size):
            self._fetch(file, commit)
            self._finished, self._begun = self._finished + file.size, 0
        _publish(self._place, commit, wanted, files.values())
        _sweep(self._place)
        seconds = self._source.clock() - began
        self._say(
            Message(
                "The model {model} is here: {size} after {seconds:.0f} s.",
                model=self._repo_id,
                size=_mb(self._total),
                seconds=seconds,
            )
        )
        return self._place.snapshot(commit)

    def _announce(self, wanted: Sequence[_File]) -> None:
        """Say what is going to come, or raise where there is no room for it."""
        here = sum(_size_here(self._place, file) for file in wanted)
        needed, cache = self._total - here, self._source.cache
        room = self._source.free_bytes(cache)
        if needed > room:
            raise StorageError(
                "The model {model} needs {needed}, and the disk of HF_HOME has {room} left: free some space, "
                "or let HF_HOME name a folder on another disk.",
                where=cache,
                model=self._repo_id,
                needed=_mb(needed),
                room=_mb(room),
            )
        # No gigabytes come without a line about them, even where the log is to hold warnings only.
        self._say(
            joined(
                self._announcement(here),
                "To avoid it, set VT_ENGINES=embedded, or run `vt fetch` ahead of time.",
            ),
            logging.WARNING,
        )

    def _announcement(self, here: int) -> Message:
        """Say what comes from where; `here`: bytes that an earlier try has left."""
        model, endpoint, folder, size = self._repo_id, self._source.endpoint, self._source.cache, _mb(self._total)
        if not here:
            return Message(
                "Downloading the model {model} from {endpoint}: {size}, into {folder}.",
                model=model,
                endpoint=endpoint,
                size=size,
                folder=folder,
            )
        return Message(
            "Downloading the model {model} from {endpoint}: {size}, of which {here} are here already, into {folder}.",
            model=model,
            endpoint=endpoint,
            size=size,
            here=_mb(here),
            folder=folder,
        )

    def _say(self, sentence: Message, level: int = logging.INFO) -> None:
        """Tell what the log is to hold as well."""
        _log.log(level, "%s", sentence)
        self._tell(sentence)

    def _list(self) -> tuple[str, dict[str, _File]]:
        """Ask the hub for what is on the main branch: its commit, and its files by name."""
        path = f"/api/models/{self._repo_id}/revision/main"
        with self._answer(f"{self._source.endpoint}{path}?blobs=true") as response:
            response.read()
            return _parsed(response)

    def _fetch(self, file: _File, commit: str) -> None:
        """Have the blob of `file`, going on with what an earlier try has left."""
        blob, partial = self._place.blob(file.digest), self._place.partial(file.digest)
        if _is_whole(blob, file.size):
            return
        with self._locked(partial) as stream:
            if _is_whole(blob, file.size):  # somebody else was fetching it, and has just finished
                partial.unlink(missing_ok=True)
                return
            self._persist(lambda: self._receive(file, commit, stream), self._source.tries)
            stream.flush()
            partial.replace(blob)
            with self._place.own.open("a", encoding="ascii") as own:
                own.write(f"{file.digest}\n")

    @contextmanager
    def _locked(self, path: Path) -> Iterator[IO[bytes]]:
        """Open the file at `path` once nobody else writes it, and lock it.

        The one who had the lock before may have renamed the file: then another one is opened.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with path.open("a+b") as stream:
                self._lock(stream)
                if _is_at(path, stream):
                    yield stream
                    return

    def _lock(self, stream: IO[bytes]) -> None:
        """Lock the file itself: the system releases the lock when the process ends, however it ends."""
        waiting = False
        while not lock_descriptor(stream.fileno(), blocking=False):
            if not waiting:
                self._say(
                    Message(
                        "The model {model} is being downloaded by somebody else: waiting for that.", model=self._repo_id
                    )
                )
            waiting = True
            self._cancel.check()
            self._source.wait(_LOCK_SECONDS)

    def _receive(self, file: _File, commit: str, stream: IO[bytes]) -> None:
        """Append to `stream` what it lacks of `file`.

        Raises:
            _Broken: the whole is not what was announced; then nothing of it is kept.
        """
        checksum = file.checksum()
        self._begun = _absorb(stream, checksum)
        if self._begun < file.size:
            checksum = self._append(file, commit, stream, checksum)
        stream.flush()
        if checksum.hexdigest() != file.digest:
            stream.truncate(0)
            self._begun = 0
            raise _Broken(f"the file {file.name} does not arrive undamaged")

    def _append(self, file: _File, commit: str, stream: IO[bytes], checksum: hashlib._Hash) -> hashlib._Hash:
        url = f"{self._source.endpoint}/{self._repo_id}/resolve/{commit}/{quote(file.name)}"
        headers = {"Range": f"bytes={self._begun}-"} if self._begun else {}
        with self._answer(url, headers) as response:
            if self._begun and response.status_code != 206:  # it sends the whole file, whatever was asked for
                stream.truncate(0)
                self._begun, checksum = 0, file.checksum()
            for chunk in response.iter_bytes():
                self._cancel.check()
                stream.write(chunk)
                checksum.update(chunk)
                self._begun += len(chunk)
                self._tell_how_far()
                if self._begun > file.size:  # an answer without end must not fill the disk
                    break
        if self._begun < file.size:
            import httpx

            raise httpx.RemoteProtocolError("the answer ended too early")
        return checksum

    def _tell_how_far(self) -> None:
        now = self._source.clock()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            percent = int(100 * self._here / self._total)
            self._tell(
                Message(
                    "{model}: {here} of {size} ({percent} %).",
                    model=self._repo_id,
                    here=_mb(self._here),
                    size=_mb(self._total),
                    percent=percent,
                )
            )

    @property
    def _here(self) -> int:
        return self._finished + self._begun

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[httpx.Response]:
        """Ask for `url`; a cancel cuts the line."""
        self._cancel.check()
        with self.client.stream("GET", url, headers=headers) as response:
            response.raise_for_status()
            line = response.extensions["network_stream"].get_extra_info("socket")

            def cut() -> None:
                with suppress(OSError):
                    # A TLS socket's own shutdown would pull its state away under the thread that is reading.
                    socket.socket.shutdown(line, socket.SHUT_RDWR)

            self._cancel.add(cut)
            try:
                yield response
            finally:
                self._cancel.remove(cut)

    def _persist(self, step: Callable[[], T], tries: int) -> T:
        """Do `step` again, with pauses, where it fails from something that passes."""
        import httpx

        failures = 0
        while True:
            before = self._here
            try:
                return step()
            except (httpx.HTTPError, _Broken) as error:
                self._cancel.check()
                failures = 1 if self._here - before >= _WORTHWHILE_BYTES else failures + 1
                if failures >= tries or not _passes(error):
                    raise
            if self._total:
                self._tell(
                    Message(
                        "{model}: the connection broke at {here}; trying again.",
                        model=self._repo_id,
                        here=_mb(self._here),
                    )
                )
            self._source.wait(min(2.0 ** (failures - 1), _LONGEST_PAUSE_SECONDS))

    @contextmanager
    def in_plain_words(self) -> Iterator[None]:
        """Translate what libraries and the system raise."""
        import httpx

        try:
            yield
        except httpx.HTTPStatusError as error:
            code = error.response.headers.get("X-Error-Code", "")
            raise ModelUnavailable(self._refusal(error.response.status_code, code)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelUnavailable(self._stopped("the hub does not answer", error)) from error
        except _Broken as error:
            raise ModelUnavailable(self._stopped(str(error))) from error
        except OSError as error:
            raise StorageError(self._unwritable(error), where=self._source.cache) from error

    def _stopped(self, why: str, error: Exception | None = None) -> str:
        """Say how far it got."""
        import httpx

        if isinstance(error, httpx.TimeoutException):
            why = "the hub answers too slowly, or not at all"
        at = self._source.endpoint
        if not self._here:
            return f"The model {self._repo_id} cannot be downloaded: {why} ({at})."
        far = f"{_mb(self._here)} of {_mb(self._total)}"
        return (
            f"The download of the model {self._repo_id} stopped at {far}: {why} ({at}). "
            "The next try goes on from there."
        )

    def _unwritable(self, error: OSError) -> str:
        if disk.is_full(error):
            return (
                f"The disk of HF_HOME is full, with {_mb(self._here)} of {_mb(self._total)} of the model "
                f"{self._repo_id} there: free some space and try again; it goes on from there."
            )
        return f"The folder HF_HOME cannot take the model {self._repo_id} ({error.strerror}): name another one in it."

    def _refusal(self, status: int, code: str) -> str:
        """Say what the hub's answer means. To strangers it says 401 of what is missing, private and gated alike."""
        repo, at, has_token = self._repo_id, self._source.endpoint, bool(self._source.token)
        if status == 401 and has_token:
            why = f"the hub does not know the token in HF_TOKEN: make a new one at {at}/settings/tokens"
        elif code == "GatedRepo" and has_token:
            why = (
                f"it is gated, and the token in HF_TOKEN has no access: let its owner accept the licence at {at}/{repo}"
            )
        elif code == "GatedRepo":
            why = f"it is gated: accept its licence at {at}/{repo} and set HF_TOKEN"
        elif status == 403:
            why = f"the hub does not allow it: see {at}/{repo}, and whether HF_TOKEN may read it"
        elif status in (401, 404):
            private = "if it is private, the token may not read it" if has_token else "if it is private, set HF_TOKEN"
            why = f"the hub at {at} has none of that name ({private})"
        else:
            why = "the hub allows no more requests for now" if status == 429 else f"the hub has an error ({status})"
            return self._stopped(why)
        return f"The model {repo} cannot be downloaded: {why}."


def _client(source: Source) -> httpx.Client:
    """Make the connections' keeper.

    No library's headers: they would tell what is installed here. A redirect to another host does not get the token.
    """
    import httpx

    headers = {"User-Agent": "vt", "Accept-Encoding": "identity"}  # compressed, a file has no parts to go on with
    if source.token:
        headers["Authorization"] = f"Bearer {source.token}"
    patience = httpx.Timeout(source.stall_seconds, connect=source.connect_seconds)
    try:
        return httpx.Client(headers=headers, timeout=patience, follow_redirects=True)
    except (OSError, ValueError, ImportError) as error:
        raise ModelUnavailable(
            "No connection can be made: check SSL_CERT_FILE and the proxies that are set."
        ) from error


def _passes(error: Exception) -> bool:
    """Tell whether trying again may help."""
    response = getattr(error, "response", None)
    return response is None or response.status_code in _TRANSIENT


def _parsed(response: httpx.Response) -> tuple[str, dict[str, _File]]:
    try:
        answer = response.json()
        files = {str(sibling["rfilename"]): _file(sibling) for sibling in answer["siblings"]}
        return _hexadecimal(answer["sha"], _COMMIT), files
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Broken("what answers there is not a model hub") from error


def _hexadecimal(text: object, pattern: re.Pattern[str]) -> str:
    """Return what may become the name of a file."""
    if isinstance(text, str) and pattern.fullmatch(text):
        return text
    raise ValueError("no checksum")


def _file(sibling: Mapping[str, Any]) -> _File:
    """Read one file of the list; its name and checksum become paths, and must lead nowhere else."""
    name, large = str(sibling["rfilename"]), sibling.get("lfs")
    steps = PurePosixPath(name)
    if steps.is_absolute() or ".." in steps.parts or "\0" in name:
        raise ValueError("no name of a file")
    sha256 = _hexadecimal(large["sha256"], _DIGEST) if large else None
    return _File(name, int(sibling["size"]), _hexadecimal(sibling["blobId"], _DIGEST), sha256)


def _absorb(stream: IO[bytes], checksum: hashlib._Hash) -> int:
    """Read all of a file into its checksum and return its size."""
    stream.seek(0)
    while block := stream.read(_BLOCK_BYTES):
        checksum.update(block)
    return stream.tell()


def _is_at(path: Path, stream: IO[bytes]) -> bool:
    """Tell whether the open file still bears its name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _size_here(place: _Place, file: _File) -> int:
    """Return how many bytes of `file` need not come again."""
    if _is_whole(place.blob(file.digest), file.size):
        return file.size
    with suppress(OSError):
        return min(place.partial(file.digest).stat().st_size, file.size)
    return 0


def _publish(place: _Place, commit: str, fetched: Iterable[_File], listed: Iterable[_File]) -> None:
    """Make a snapshot of blobs that are all there; the ref comes last, so that it never leads to a part of one."""
    for file in fetched:
        link = place.snapshot(commit) / file.name
        if not _is_whole(link, file.size):
            up = Path(*[".."] * (len(PurePosixPath(file.name).parts) + 1))
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            with suppress(FileExistsError):  # another process has just made the same link
                link.symlink_to(up / "blobs" / file.digest)
    _write(place.listing(commit), json.dumps(_noted(listed), indent=1))
    _write(place.ref, commit)


def _sweep(place: _Place) -> None:
    """Remove what was begun and nobody writes any more."""
    for partial in _unfinished(place):
        with suppress(OSError), partial.open("rb") as stream:
            if lock_descriptor(stream.fileno(), blocking=False) and _is_at(partial, stream):
                partial.unlink()


def _noted(files: Iterable[_File]) -> dict[str, Any]:
    """Return the list of files as huggingface_hub keeps it, so that its users, too, know what belongs to a snapshot."""
    noted: dict[str, dict[str, Any]] = {}
    for file in files:
        noted[file.name] = {"size": file.size, "blob_id": file.blob_id}
        if file.sha256:
            noted[file.name] |= {"lfs_sha256": file.sha256, "lfs_size": file.size}
    return {"format_version": _LISTING_FORMAT, "files": noted}


def _write(file: Path, text: str) -> None:
    """Write a file that appears whole, whoever else writes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{uuid.uuid4().hex}.incomplete")
    new.write_text(text, encoding="utf-8")
    new.replace(file)


def _mb(size: int) -> Message:
    return Message("{mb:.0f} MB" if size >= 10 * _MB else "{mb:.1f} MB", mb=size / _MB)
