"""The record in a job's folder: it restores the job if the database is lost."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from vt.domain import Edits, Job, JobSpec, JobState, Kept
from vt.jobs.job_folder import JobFolder
from vt.system import folders
from vt.translatable import Message, restored


def _spec_fields(kept: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the fields of a kept `JobSpec`, whose types are still to be checked."""
    try:
        return asdict(JobSpec.from_json(kept))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _edits(kept: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the fields of kept edits, whose types are still to be checked."""
    try:
        return asdict(Edits.from_json(kept))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _message(kept: object) -> Message | None:
    """Return the message that was kept, or None where it is damaged: the rest of the record is still used."""
    return restored(kept, None)


_Count = Annotated[int, Field(ge=0, lt=2**53)]


@dataclass(frozen=True, slots=True)
class Record:
    """The content of the file. It holds no progress: a restored job runs again, from its artifacts."""

    created_at: datetime
    updated_at: datetime
    state: JobState
    """At the last change that was recorded; a running job is recorded as queued."""
    error: str | None
    request: Annotated[JobSpec, BeforeValidator(_spec_fields)]
    version: int
    edits: Annotated[Edits, BeforeValidator(_edits)]
    mended: Annotated[Edits, BeforeValidator(_edits)]
    visitor: str = ""
    failure: Annotated[Message | None, BeforeValidator(_message)] = None
    """The message that `error` is the English sentence of; None where there is none, or it cannot be read."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    deaths: _Count = 0
    finished_pieces: _Count = 0
    submission: str = ""
    digest: str = ""
    link: str = ""
    touched_ms: _Count | None = None
    ran_ms: _Count = 0
    person: str = ""
    """The last six are those of `Kept`. Records of older versions lack all from `seconds` on."""
    format: Literal[1] = 1
    """The version of the file's format."""


_RECORD = TypeAdapter(Record)
_KEPT = [field.name for field in fields(Kept)]


def of(job: Job) -> Record:
    """Return the record of a job."""
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
        seconds=job.seconds,
        deaths=job.deaths,
        finished_pieces=job.finished_pieces,
        **{name: getattr(job.kept, name) for name in _KEPT},
    )


def write(folder: Path, record: Record, lasting: bool = True) -> None:
    """Write a job's record into its folder; it replaces the old one in one step.

    Args:
        folder: the job's.
        record: the new record.
        lasting: whether it is synced to the disk, to survive a power cut; False where the caller syncs the disk.

    Raises:
        OSError: it cannot be written, or there is no such folder; the old record is kept.
    """
    values = asdict(record) | {
        "request": record.request.as_json(),
        "edits": record.edits.as_json(),
        "mended": record.mended.as_json(),
        "failure": record.failure.as_json() if record.failure else None,
    }
    text = json.dumps(values, default=str)  # ASCII: names that are not valid Unicode are escaped
    here = JobFolder(folder)
    here.new_record.write_text(text, encoding="ascii")
    if lasting:
        folders.flush(here.new_record)
    here.new_record.replace(here.record)
    if lasting:
        folders.flush(folder)


def read(folder: Path) -> Record | None:
    """Return the record in a job's folder; None where there is none, or it cannot be understood.

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
    """Mark a job as removed, before its row is deleted: a folder with this mark is never restored.

    The mark is the record under another name, since a file can be renamed on a full disk too.

    Raises:
        OSError: the record cannot be renamed.
    """
    try:
        JobFolder(folder).record.replace(JobFolder(folder).removed_record)
    except FileNotFoundError:  # there was no record, or it is marked already
        return
    folders.flush(folder)


def announce_removal(folder: Path) -> None:
    """Note that a job is to be removed in a moment: if the server dies before, the next start removes it.

    Raises:
        OSError: the note cannot be written.
    """
    JobFolder(folder).removal.touch()


def withdraw_removal(folder: Path) -> None:
    """Forget that a job was to be removed.

    Raises:
        OSError: the note cannot be removed.
    """
    JobFolder(folder).removal.unlink(missing_ok=True)


def is_to_be_removed(folder: Path) -> bool:
    """Whether a job was to be removed in a moment when the server died."""
    return JobFolder(folder).removal.exists()


def is_written(folder: Path) -> bool:
    """Whether a folder has a record."""
    return JobFolder(folder).record.exists()


def is_removed(folder: Path) -> bool:
    """Whether a job was marked as removed, and the server died before it had removed the folder."""
    return JobFolder(folder).removed_record.exists()
