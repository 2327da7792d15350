"""Folders of jobs that the database does not know: what is lost is put back into it, and nothing is thrown away."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vt.domain import Job, JobState
from vt.errors import DatabaseDamaged, InputError, WrongState
from vt.jobs import records
from vt.jobs.job_folder import JobFolder
from vt.jobs.records import Record
from vt.jobs.store import ASIDE, ID, DataFolder, Store
from vt.system import folders

_log = logging.getLogger(__name__)

_NO_FILM = "The film of this job was no longer there when the jobs were put back into the database: send it again."


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of the jobs in a data folder that was repaired."""

    restored: tuple[Job, ...]
    """Those that the database did not know."""
    known: int
    """How many it knew already."""
    unclear: int
    """How many folders are kept aside, for want of a record of their jobs."""
    damaged: Path | None
    """Where the database lies now that could not be read, if it could not."""

    @property
    def told(self) -> list[str]:
        """In sentences."""
        lines = [f"The damaged database is kept as {self.damaged}."] if self.damaged else []
        if self.restored:
            states = Counter(job.state.value for job in self.restored)
            listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            lines.append(f"Jobs that are in the database again: {len(self.restored)} ({listed}).")
        else:
            lines.append("No job was missing in the database.")
        lines.append(f"Jobs that it knew already: {self.known}.")
        return lines + ([_unclear(self.unclear)] if self.unclear else [])


def kept_aside(data_folder: Path) -> str | None:
    """Say in a sentence that a data folder holds folders that are kept aside, where it does."""
    try:
        count = sum(1 for _ in (data_folder / ASIDE).iterdir())
    except OSError:
        return None
    return _unclear(count) if count else None


def _unclear(count: int) -> str:
    return (
        f"Folders in {ASIDE}, in the data folder: {count}. They lay among the jobs' when the database was lost, "
        "and do not say what was asked for: look for films in them, then remove them by hand."
    )


def take_stock(data: DataFolder, store: Store) -> list[Job]:
    """Go through the jobs' folders at a start, and return the jobs that are put back into the database.

    - A folder whose job is known stays, and gets a record where it has none, as those of earlier versions; where the
      job was to be forgotten when the server died, both go.
    - One of a job that the database does not know is put back into it: the database is new, or an old copy.
    - One that says of no job is half-made, and swept; but where the database is newer than the folders, so that it
      cannot know, it is kept aside.
    """
    known, settled = store.versions(), store.is_settled()
    found, unrecorded = [], 0
    for folder in data.jobs.iterdir():
        try:
            if folder.name in known:
                unrecorded += _completed(folder, store)
            elif job := _restored(folder, store):
                found.append(job)
            elif settled or records.is_removed(folder) or not _holds_anything(folder):
                folders.remove(folder)
            else:
                _put_aside(folder, data.aside)
        except OSError as error:  # of this folder alone: the others' jobs are not to wait for it
            _log.error("a folder among the jobs cannot be looked through: %s", error.strerror)
    if unrecorded:
        os.sync()  # once for all of them, of which there may be thousands
    if not settled:
        store.settle()
    return found


def repair(path: Path, say_when: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Repair:
    """Put all jobs whose folders are there into the database, a new one where the old one cannot be read.

    Doing it twice does no more than doing it once.

    Raises:
        FolderTaken: a server is at work there.
        InputError: there is no data folder.
        StorageError: it cannot be written.
    """
    if not path.is_dir():
        raise InputError("There is no data folder {file} to repair: name yours in VT_DATA_DIR.", file=path)
    with DataFolder(path) as data:
        damaged = _moved_away(data.database, say_when())
        with closing(Store(data.database)) as store:
            known = len(store.versions())
            _bring_back(data)
            restored = tuple(take_stock(data, store))
        aside = sum(1 for _ in data.aside.iterdir()) if data.aside.is_dir() else 0
        return Repair(restored, known, aside, damaged)


def _moved_away(database: Path, now: datetime) -> Path | None:
    """Give a database that cannot be read another name, and return it; None where it can be."""
    try:
        Store(database).close()
    except DatabaseDamaged:
        kept = database.with_name(f"{database.name}.damaged-{now:%Y%m%dT%H%M%S%fZ}")
        for ending in ("-wal", "-shm", ""):  # the file itself last: who is killed in between begins again
            beside = database.with_name(database.name + ending)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + ending))
        return kept
    return None


def _bring_back(data: DataFolder) -> None:
    """Move the folders that were kept aside, and say of their jobs, back among the others."""
    for folder in data.aside.iterdir() if data.aside.is_dir() else ():
        if ID.fullmatch(folder.name) and records.read(folder) and not data.job(folder.name).exists():
            folder.rename(data.job(folder.name))
    if data.aside.is_dir() and not any(data.aside.iterdir()):
        data.aside.rmdir()


def _restored(folder: Path, store: Store) -> Job | None:
    """Put a folder's job back into the database; None where the folder says of none."""
    if folder.is_symlink() or not ID.fullmatch(folder.name):
        return None
    record = records.read(folder)
    if record is None:
        return None
    job = store.restore(folder.name, _as_it_stands(folder, record))
    records.write(folder, records.of(job))
    _log.warning("job %s was not in the database, and is put back: %s", job.id[:6], job.state)
    return job


def _as_it_stands(folder: Path, record: Record) -> Record:
    """Return a record that is true of its folder: done where the results are there, else to be done again."""
    there = JobFolder(folder).versions()
    if record.version and record.version not in there:
        # Newer results, of which the record could not tell any more, or none at all.
        record = replace(record, version=max(there, default=0))
    if record.state is JobState.DONE and not record.version:
        record = replace(record, state=JobState.QUEUED, mended={})
    if record.state is JobState.QUEUED and not JobFolder(folder).film.is_file():
        record = replace(record, state=JobState.FAILED, error=_NO_FILM, failure=None)
    return record


def _completed(folder: Path, store: Store) -> bool:
    """Finish a removal that a death cut short, or tell whether a record was written that a known job lacked."""
    if records.is_written(folder):
        return False
    if records.is_removed(folder):
        with suppress(WrongState):  # it was taken up again, and its new record found no room
            store.remove(folder.name)
            folders.remove(folder)
            return False
    records.write(folder, records.of(store.get(folder.name)), lasting=False)
    return True


def _holds_anything(folder: Path) -> bool:
    return not folder.is_symlink() and folder.is_dir() and any(folder.iterdir())


def _put_aside(folder: Path, aside: Path) -> None:
    aside.mkdir(exist_ok=True)
    target, number = aside / folder.name, 1
    while target.exists():
        target, number = aside / f"{folder.name}-{number}", number + 1
    folder.rename(target)
    _log.warning("a folder without a record of its job is kept aside in %s", aside)
