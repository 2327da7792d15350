"""What browsers and clients upload: whose it is, how it gets into a job, and how it goes where no job came of it."""

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

from vt import visitors
from vt.domain import Order
from vt.errors import TooManyWaiting, UploadGone
from vt.jobs import Draft, Jobs, plain_name

COOKIE = "vt-visitor"
"""Tells browsers apart that share an address, and knows one again whose address has changed."""
COOKIE_FORM = re.compile(r"[0-9a-f]{32}")

KEPT_SECONDS = 6 * 3600.0
"""How long an upload waits to become a job."""
TAKEN_SECONDS = 600.0
"""How long one stays that has become a job, which has the film by a link of its own. Its owner may
be about to take it once more."""
_BROKEN_OFF_SECONDS = 300.0
"""After so long without a byte an upload that is coming comes no more: its line would have been cut before."""
Kind = Literal["coming", "upload", "result"]
"""Of a file: it is on its way in, waits to become a job, or is handed out and waits for nothing."""
_FOLDER_FORM = re.compile(r"[0-9a-f]{32}")
_RECORD = ".owner"
"""Lies beside each upload and says whose it is, for a server that starts again. No upload has such a name."""
_MOST_WAITING = 4
"""Times the largest film: so much of one visitor's may wait to become jobs."""
_MOST_FILES = 100
"""For each time: small ones fill no disk, but all of them are gone through."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose uploads a request may use: those of its browser, or of its address where they came without a cookie."""

    address: str
    """The `key` of the visitor."""
    browser: str = ""
    """What the cookie says; empty: there is none."""

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Owner:
        """Return the owner that an ASGI scope stands for."""
        cookie = HTTPConnection(dict(scope)).cookies.get(COOKIE, "")
        return cls(visitors.of(scope).key, cookie if COOKIE_FORM.fullmatch(cookie) else "")

    @property
    def marks(self) -> dict[str, str]:
        """What stands for the owner on the disk, where neither cookies nor addresses are to lie."""
        known = {"browser": self.browser, "address": self.address}
        return {kind: _hashed(f"{kind} {value}") if value else "" for kind, value in known.items()}

    def has(self, record: Mapping[str, str]) -> bool:
        """Tell whether what this record belongs to is the owner's."""
        kind = "browser" if record["browser"] else "address"
        return secrets.compare_digest(self.marks[kind], record[kind])


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def folder() -> Path:
    """Return the folder of all uploads."""
    return Path(get_upload_folder()).absolute()


def place(name: str, owner: Owner, kind: Kind = "upload") -> Path:
    """Make room for a new file, in a folder whose name nobody can guess, and return where it is to be written.

    Args:
        name: what its sender calls it.
        owner: who alone may use it.
        kind: what it is to be; one that is coming has arrived only when `arrived` is told.
    """
    made = folder() / secrets.token_hex(16)
    made.mkdir(parents=True)
    _note(made, {**owner.marks, "kind": kind})
    return made / plain_name(name)


def arrived(files: Iterable[Path]) -> None:
    """Note of uploads that were coming that they are whole."""
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
        owner: must be the one that it was uploaded by, or made for.

    Raises:
        UploadGone: the owner has no such upload: whatever else the path leads to is not looked at.
    """
    with suppress(OSError, ValueError):  # it has gone, or is no name of a file
        given = Path(str(file.get("path") if isinstance(file, Mapping) else file))
        expected = given.parent.parent == folder() and _FOLDER_FORM.fullmatch(given.parent.name)
        # Neither may be a link: nobody but the server writes there, but what it hands out is not to hang on that.
        if expected and not given.name.startswith(".") and _is_plain(given) and owner.has(_record(given.parent)):
            return given
    raise UploadGone


def _is_plain(path: Path) -> bool:
    return stat.S_ISDIR(path.parent.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode)


def _record(made: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads((made / _RECORD).read_bytes())
    return known


def check(jobs: Jobs, owner: Owner, more_bytes: int) -> None:
    """Raise, before a file comes, where there is no room for it or too much of its owner's waits already.

    Raises:
        StorageError: the disk has no room for it.
        TooManyWaiting: its owner's uploads have to become jobs first, or be swept.
    """
    folder().mkdir(parents=True, exist_ok=True)
    jobs.check_reserve(folder(), more_bytes)
    waiting = _waiting_bytes(owner.marks["address"], jobs.upload_limit // _MOST_FILES)
    if waiting + more_bytes > _MOST_WAITING * max(jobs.upload_limit, more_bytes):
        raise TooManyWaiting


def _waiting_bytes(address: str, least: int) -> int:
    """Return the size of what came from an address and has not become a job; each upload for at least `least`."""
    waiting = 0
    for record in folder().glob(f"*/{_RECORD}"):
        with suppress(OSError, ValueError):  # gone by itself
            known = json.loads(record.read_bytes())
            if known["address"] == address:
                least_here = 0 if known.get("kind") == "result" else least
                sizes = (path.lstat() for path in record.parent.iterdir() if path != record)
                waiting += sum(max(size.st_size, least_here) for size in sizes if size.st_nlink == 1)
    return waiting


def discard(files: Iterable[Path]) -> None:
    """Remove uploads that have not come in whole, with their folders."""
    for file in files:
        shutil.rmtree(file.parent, ignore_errors=True)


def take(upload: str | Path, place: Path) -> None:
    """Put an uploaded file into its place in a job's folder, for no more space where both are on one disk.

    Raises:
        UploadGone: it is no longer there.
    """
    try:
        try:
            os.link(upload, place)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(upload, place)
    except FileNotFoundError:
        raise UploadGone from None


def fill(draft: Draft, order: Order, film: object, subtitles: object, owner: Owner) -> Order:
    """Put an owner's uploads into a job's folder, and return the order for them.

    Raises:
        UploadGone: one of them is not there.
    """
    given = own(film, owner)
    take(given, draft.film)
    if not subtitles:
        return replace(order, file=given.name)
    words = own(subtitles, owner)
    take(words, draft.subtitles)
    return replace(order, file=given.name, subtitles=words.name)


def remove(jobs: Jobs, job_id: str) -> None:
    """Remove a job with all that is kept of it, and what was uploaded for it.

    Raises:
        JobNotFound: there is no such job.
    """
    drop(folder(), jobs.original(job_id).path)
    jobs.remove(job_id)


def drop(uploads: Path, film: Path) -> None:
    """Remove from the uploads' folder what is the same file as a job's film, which is about to go."""
    for parent, _, names in os.walk(uploads):
        for path in (Path(parent, name) for name in names):
            with suppress(OSError):  # gone by itself
                if path.samefile(film):
                    path.unlink()


def sweep(uploads: Path, now: float, kept_seconds: float = KEPT_SECONDS) -> None:
    """Remove what lies in the uploads' folder for longer than it may, and the folders that it leaves empty."""
    for record in uploads.glob(f"*/{_RECORD}"):
        with suppress(OSError, ValueError):  # gone by itself
            latest = max(path.lstat().st_mtime for path in record.parent.iterdir())
            if _record(record.parent).get("kind") == "coming" and latest < now - _BROKEN_OFF_SECONDS:
                shutil.rmtree(record.parent, ignore_errors=True)  # whoever took it in was killed meanwhile
    for parent, _, names in os.walk(uploads, topdown=False):
        for name in names:
            may = min(TAKEN_SECONDS, kept_seconds) if names == [_RECORD] else kept_seconds
            with suppress(OSError):  # gone by itself
                _remove_old(Path(parent, name), now, may)
        if Path(parent) != uploads:
            with suppress(OSError):  # something is in it, or will be
                Path(parent).rmdir()


def _remove_old(path: Path, now: float, kept_seconds: float) -> None:
    known = path.lstat()
    may = min(TAKEN_SECONDS, kept_seconds) if known.st_nlink > 1 else kept_seconds
    # When its entry changed, by coming here or by a link: a file's own time may be of long ago.
    if known.st_ctime < now - may:
        path.unlink()
