"""What a job's folder says of its job: enough to make its row again, should the database be lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from vt import folders
from vt.domain import Job, JobState, Order

NAME, NEW = "job.json", "job.json.new"
"""Of the file, and of a new one until it is whole. A folder that has none, and of which the database knows nothing
either, is no job's: a submit left it half-made."""

_REMOVED = "removed"
"""What the file is called from the moment on at which its job is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in the file. How far a job is does not: that is found out by doing it again, from its pieces."""

    created_at: datetime
    updated_at: datetime
    state: JobState
    """As it was at the last step that mattered; queued stands for running too."""
    error: str | None
    request: Order
    version: int
    edits: dict[str, Any]
    mended: dict[str, Any]
    visitor: str = ""
    failure: dict[str, Any] | None = None
    """The message whose sentence `error` is, as its `as_json` has it."""
    format: Literal[1] = 1
    """Of the file, should it ever have to change."""


_RECORD = TypeAdapter(Record)


def of(job: Job) -> Record:
    """Return what is kept of a job."""
    return Record(
        created_at=job.created_at,
        updated_at=job.updated_at,
        state=JobState.QUEUED if job.state is JobState.RUNNING else job.state,
        error=None if job.error is None else str(job.error),
        request=job.request,
        version=job.version,
        edits=job.edits,
        mended=job.mended,
        visitor=job.visitor,
        failure=None if job.error is None else job.error.as_json(),
    )


def write(folder: Path, record: Record, lasting: bool = True) -> None:
    """Put a record into a job's folder, in place of the one before, in one step.

    Args:
        folder: the job's.
        record: what is to be kept.
        lasting: False where the caller syncs the whole disk afterwards; else not even a power cut takes it back.

    Raises:
        OSError: it cannot be written, or there is no such folder; the one before stays.
    """
    text = json.dumps(asdict(record), default=str)  # ASCII: a name that is no Unicode can be written too
    (folder / NEW).write_text(text, encoding="ascii")
    if lasting:
        folders.flush(folder / NEW)
    (folder / NEW).replace(folder / NAME)
    if lasting:
        folders.flush(folder)


def read(folder: Path) -> Record | None:
    """Return what a folder says of its job; None where it says nothing, or nothing that can be understood.

    Raises:
        OSError: it cannot be read.
    """
    try:
        text = (folder / NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _RECORD.validate_python(json.loads(text))
    except (ValidationError, ValueError, RecursionError):
        return None


def mark_removed(folder: Path) -> None:
    """Note that a job is to be forgotten, before its row is: from then on its folder belongs to nobody.

    It is a renaming, which finds room on a full disk too.

    Raises:
        OSError: it cannot be noted.
    """
    try:
        (folder / NAME).replace(folder / _REMOVED)
    except FileNotFoundError:  # no record could be written, or it is marked already
        return
    folders.flush(folder)


def is_written(folder: Path) -> bool:
    """Whether a folder says of its job."""
    return (folder / NAME).exists()


def is_removed(folder: Path) -> bool:
    """Whether the job of a folder that does not say of it any more was to be forgotten when its server died."""
    return (folder / _REMOVED).exists()
