"""What a job's folder says of its job: enough to make its row again, should the database be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from vt.domain import Edit, Job, JobSpec, JobState
from vt.jobs.job_folder import JobFolder
from vt.system import folders
from vt.translatable import Message, restored


def _spec_fields(kept: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the fields of a kept `JobSpec`, whose types are still to be checked."""
    try:
        return asdict(JobSpec.from_json(kept))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _message(kept: object) -> Message | None:
    """Return the message that was kept; a damaged one costs its values, but not the job."""
    return restored(kept, None)


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in the file. How far a job is does not: that is found out by doing it again, from its artifacts."""

    created_at: datetime
    updated_at: datetime
    state: JobState
    """As it was at the last change of state that was recorded; queued stands for running, too."""
    error: str | None
    request: Annotated[JobSpec, BeforeValidator(_spec_fields)]
    version: int
    edits: Mapping[int, Edit]
    mended: Mapping[int, Edit]
    visitor: str = ""
    failure: Annotated[Message | None, BeforeValidator(_message)] = None
    """The message whose sentence `error` is; None where there is none, or none that can be read."""
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
        failure=job.error,
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
    values = asdict(record) | {
        "request": record.request.as_json(),
        "failure": record.failure.as_json() if record.failure else None,
    }
    text = json.dumps(values, default=str)  # ASCII: a name that is no Unicode can be written too
    here = JobFolder(folder)
    here.new_record.write_text(text, encoding="ascii")
    if lasting:
        folders.flush(here.new_record)
    here.new_record.replace(here.record)
    if lasting:
        folders.flush(folder)


def read(folder: Path) -> Record | None:
    """Return what a folder says of its job; None where it says nothing, or nothing that can be understood.

    Raises:
        OSError: it cannot be read.
    """
    try:
        text = JobFolder(folder).record.read_bytes()
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
        JobFolder(folder).record.replace(JobFolder(folder).removed_record)
    except FileNotFoundError:  # no record could be written, or it is marked already
        return
    folders.flush(folder)


def is_written(folder: Path) -> bool:
    """Whether a folder says of its job."""
    return JobFolder(folder).record.exists()


def is_removed(folder: Path) -> bool:
    """Whether the job of a folder that does not say of it any more was to be forgotten when its server died."""
    return JobFolder(folder).removed_record.exists()
