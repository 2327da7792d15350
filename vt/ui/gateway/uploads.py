"""Uploads of browsers and clients: who owns them, how they get into a job, and when they are removed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gradio.utils import get_upload_folder
from starlette.requests import HTTPConnection

from vt.domain import JobSpec, file_of_subtitles, subtitle_track
from vt.errors import TooManyWaiting, UploadGone
from vt.jobs.job_service import Draft, Jobs, plain_name
from vt.system import disk
from vt.ui.gateway import sign_in
from vt.web import visitors

COOKIE = "vt-visitor"
"""The cookie that tells browsers behind one address apart, and recognises one whose address has changed."""
COOKIE_FORM = re.compile(r"[0-9a-f]{32}")

KEPT_SECONDS = 6 * 3600.0
"""How long an upload is kept that no job has taken."""
TAKEN_SECONDS = 600.0
"""How long an upload is kept that a job has taken (by a link of its own), in case its owner uses it again."""
_BROKEN_OFF_SECONDS = 300.0
"""An upload that has received no byte for so long is given up: its connection would have been closed before."""
Kind = Literal["coming", "upload", "result"]
"""What a file is: being received, waiting for a job, or a result for its owner to fetch."""
_GONE = "0" * 32
"""A name that no upload's folder has."""
_FOLDER_FORM = re.compile(r"[0-9a-f]{32}")
_RECORD = ".owner"
"""A file beside each upload that says who owns it, also after a restart. No upload has such a name."""
_MOST_WAITING = 4
"""How many films of the largest size one visitor may have waiting for jobs."""
_MOST_FILES = 100
"""Files for each of these: small ones do not fill the disk, but each one is looked at."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns uploads: a browser, known by its cookie, or an address where an upload came without a cookie."""

    address: str
    """The `key` of the visitor."""
    browser: str = ""
    """The value of the cookie; empty: none was sent."""
    person: str = ""
    """The key of whoever has signed in, to whom new jobs belong; uploads belong to the browser all the same."""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Owner:
        """Return the owner of an ASGI scope."""
        cookie = HTTPConnection(dict(scope)).cookies.get(COOKIE, "")
        person = sign_in.person_of(scope)
        browser = cookie if COOKIE_FORM.fullmatch(cookie) else ""
        return cls(visitors.of(scope).key, browser, person.key if person else "")

    @property
    def marks(self) -> dict[str, str]:
        """What is written to the disk in place of cookie and address: their hashes."""
        known = {"browser": self.browser, "address": self.address}
        return {kind: _hashed(f"{kind} {value}") if value else "" for kind, value in known.items()}

    def has(self, record: Mapping[str, str]) -> bool:
        """Tell whether a record names this owner."""
        kind = "browser" if record["browser"] else "address"
        return secrets.compare_digest(self.marks[kind], record[kind])


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def folder() -> Path:
    """Return the folder of all uploads."""
    return Path(get_upload_folder()).absolute()


def place(name: str, owner: Owner, kind: Kind = "upload") -> Path:
    """Make a folder for a new file, with a name that nobody can guess, and return the file's path.

    Args:
        name: the file's name, as its sender calls it.
        owner: who alone may use it.
        kind: what it is to be; one that is being received is complete only after a call of `arrived`.
    """
    made = folder() / secrets.token_hex(16)
    made.mkdir(parents=True)
    _note(made, {**owner.marks, "kind": kind})
    return made / plain_name(name)


def arrived(files: Iterable[Path]) -> None:
    """Note that uploads have been received completely."""
    for file in files:
        _note(file.parent, {**_record(file.parent), "kind": "upload"})


def _note(made: Path, record: Mapping[str, str]) -> None:
    new = made / f"{_RECORD}.new"
    new.write_text(json.dumps(record), encoding="ascii")
    new.replace(made / _RECORD)


def own(file: object, owner: Owner) -> Path:
    """Return an upload by the path that its owner was told.

    Args:
        file: the path, or what Gradio makes of a file; from outside, it may be anything.
        owner: who must own it.

    Raises:
        UploadGone: the owner has no such upload. No other file is opened, whatever the path says.
    """
    with suppress(OSError, ValueError):  # it has gone, or is not the name of a file
        given = Path(str(file.get("path") if isinstance(file, Mapping) else file))
        expected = given.parent.parent == folder() and _FOLDER_FORM.fullmatch(given.parent.name)
        # Neither may be a link. Only the server writes there, but this check does not rely on that.
        if expected and not given.name.startswith(".") and _is_plain(given) and owner.has(_record(given.parent)):
            return given
    raise UploadGone


def nowhere(name: str) -> Path:
    """Return a path where no upload is, and where Gradio lets one be."""
    return folder() / _GONE / name


def _track(file: object) -> str | None:
    """Return which subtitle track of the film is named in place of a file; None where none is."""
    given = Path(str(file.get("path") if isinstance(file, Mapping) else file))
    return given.name if given == nowhere(given.name) and subtitle_track(given.name) is not None else None


def _is_plain(path: Path) -> bool:
    return stat.S_ISDIR(path.parent.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode)


def _record(made: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads((made / _RECORD).read_bytes())
    return known


def check(jobs: Jobs, owner: Owner, more_bytes: int) -> None:
    """Raise before a file is received where it does not fit, or where its owner has too many uploads already.

    Raises:
        StorageError: the disk has no room for it.
        TooManyWaiting: the owner's uploads have to be taken by jobs first, or be removed.
    """
    folder().mkdir(parents=True, exist_ok=True)
    jobs.check_reserve(folder(), more_bytes)
    waiting = _waiting_bytes(owner.marks["address"], jobs.upload_limit // _MOST_FILES)
    if waiting + more_bytes > _MOST_WAITING * max(jobs.upload_limit, more_bytes):
        raise TooManyWaiting


def _waiting_bytes(address: str, least: int) -> int:
    """Return the bytes of the uploads of an address that no job has taken; each one counts for at least `least`."""
    waiting = 0
    for record in folder().glob(f"*/{_RECORD}"):
        with suppress(OSError, ValueError):  # removed at this moment
            known = json.loads(record.read_bytes())
            if known["address"] == address:
                least_here = 0 if known.get("kind") == "result" else least
                sizes = (path.lstat() for path in record.parent.iterdir() if path != record)
                waiting += sum(max(size.st_size, least_here) for size in sizes if size.st_nlink == 1)
    return waiting


def discard(files: Iterable[Path]) -> None:
    """Remove uploads that were not received completely, with their folders."""
    for file in files:
        shutil.rmtree(file.parent, ignore_errors=True)


def take(upload: str | Path, place: Path) -> None:
    """Put an uploaded file into a job's folder: by a link where both are on one disk, else by a copy.

    Raises:
        UploadGone: it is no longer there.
    """
    try:
        disk.link_or_copy(Path(upload), place)
    except FileNotFoundError:
        raise UploadGone from None


def fill(draft: Draft, spec: JobSpec, film: object, subtitles: object, owner: Owner) -> JobSpec:
    """Put an owner's uploads into a job's folder, and return what is asked for with their names.

    `subtitles` may also be `nowhere("track:2")`, which stands for one of the film's own subtitle tracks.

    Raises:
        UploadGone: one of them is not there.
    """
    given = own(film, owner)
    take(given, draft.film)
    if not subtitles:
        return replace(spec, file=given.name)
    if track := _track(subtitles):
        return replace(spec, file=given.name, subtitles=track)
    words = own(subtitles, owner)
    take(words, draft.subtitles)
    return replace(spec, file=given.name, subtitles=file_of_subtitles(words.name))


def add_glossary(draft: Draft, spec: JobSpec, glossary: object, owner: Owner) -> JobSpec:
    """Put an owner's glossary into a job's folder, and return what is asked for with its name; there need be none.

    Raises:
        UploadGone: it is not there.
    """
    if not glossary:
        return spec
    terms = own(glossary, owner)
    take(terms, draft.glossary)
    return replace(spec, glossary=terms.name)


def remove(jobs: Jobs, job_id: str) -> None:
    """Remove a job with all its files, and the uploads that it was made from.

    Raises:
        JobNotFound: there is no such job.
    """
    drop(folder(), jobs.original(job_id).path)
    jobs.remove(job_id)


def drop(uploads: Path, film: Path) -> None:
    """Remove from the uploads' folder the links to a job's film, which is about to be removed."""
    for parent, _, names in os.walk(uploads):
        for path in (Path(parent, name) for name in names):
            with suppress(OSError):  # removed at this moment
                if path.samefile(film):
                    path.unlink()


def sweep(uploads: Path, now: float, kept_seconds: float = KEPT_SECONDS) -> None:
    """Remove uploads that are older than allowed, and the folders that are empty then."""
    for record in uploads.glob(f"*/{_RECORD}"):
        with suppress(OSError, ValueError):  # removed at this moment
            latest = max(path.lstat().st_mtime for path in record.parent.iterdir())
            if _record(record.parent).get("kind") == "coming" and latest < now - _BROKEN_OFF_SECONDS:
                shutil.rmtree(record.parent, ignore_errors=True)  # the server was killed while it received this
    for parent, _, names in os.walk(uploads, topdown=False):
        for name in names:
            may = min(TAKEN_SECONDS, kept_seconds) if names == [_RECORD] else kept_seconds
            with suppress(OSError):  # removed at this moment
                _remove_old(Path(parent, name), now, may)
        if Path(parent) != uploads:
            with suppress(OSError):  # it is not empty, or is about to be used
                Path(parent).rmdir()


def _remove_old(path: Path, now: float, kept_seconds: float) -> None:
    known = path.lstat()
    may = min(TAKEN_SECONDS, kept_seconds) if known.st_nlink > 1 else kept_seconds
    # The time of the last change of its directory entry: its own modification time may be of long ago.
    if known.st_ctime < now - may:
        path.unlink()
