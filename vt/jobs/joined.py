"""The dubs of one film in one file: which of them can share one, and how it is made and called."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from vt import media
from vt.domain import Cancel, Fit, Job
from vt.errors import InputError
from vt.jobs.job_folder import JobFolder

MOST = 8
"""Dubs in one file."""


@dataclass(frozen=True, slots=True)
class Dub:
    """A finished dub."""

    job: Job
    folder: JobFolder
    film: Path


def has_own_picture(job: Job) -> bool:
    """Tell whether a dub's picture is another than that of other dubs of the film."""
    return bool(job.request.finish.burn) or job.request.finish.fit is Fit.PICTURE


def check(dubs: Sequence[Dub]) -> None:
    """Raise where dubs cannot share one file.

    Raises:
        InputError: they are of several films, or two are in one language, or their pictures differ.
        OSError: a file is no longer there.
    """
    first, *others = dubs
    if len({dub.job.request.target_language for dub in dubs}) < len(dubs):
        raise InputError("Each language can be in the file once.")
    if any(has_own_picture(dub.job) for dub in dubs):
        raise InputError("Dubs whose picture was slowed or has subtitles in it cannot share one file.")
    for dub in others:
        if dub.job.request.preview != first.job.request.preview or not _is_same(first.folder.film, dub.folder.film):
            raise InputError("Only dubs of the same film can share one file.")


def _is_same(one: Path, other: Path) -> bool:
    """Tell whether two files hold the same film: one that was used again is linked, one that came again is not."""
    if one.samefile(other):
        return True
    return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def place(dubs: Sequence[Dub]) -> Path:
    """Return where the file of these versions of these dubs is kept: in the folder of the first one."""
    first, *others = dubs
    mark = hashlib.sha256(repr([(dub.job.id, dub.job.version) for dub in others]).encode()).hexdigest()[:16]
    return first.folder.joined(first.job.version, mark, first.film.suffix)


def name(dubs: Sequence[Dub]) -> str:
    """Return what a browser calls the file, such as talk.es+fr.mp4."""
    codes = "+".join(dub.job.request.target_language for dub in dubs)
    return f"{dubs[0].job.request.stem}.{codes}{dubs[0].film.suffix}"


def make(dubs: Sequence[Dub], target: Path, cancel: Cancel) -> None:
    """Put the dubs into one file, which appears whole; what the folder kept of other dubs goes.

    Raises:
        MediaError: one of them is damaged.
        ToolError: ffmpeg is missing or was stopped.
        Cancelled: `cancel` was set.
        OSError: the file cannot be written.
    """
    first = dubs[0].folder
    with TemporaryDirectory(prefix="joining-", dir=first.path) as folder:
        made = Path(folder) / target.name
        media.join([dub.film for dub in dubs], made, cancel)
        for old in first.all_joined():
            old.unlink(missing_ok=True)
        made.replace(target)
