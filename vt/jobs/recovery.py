"""Restores jobs that are missing in the database from the records in their folders; no film is thrown away."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from vt.domain import NO_EDITS, Job, JobState
from vt.errors import DatabaseDamaged, InputError, StorageError, WrongState
from vt.jobs import records
from vt.jobs.job_folder import JobFolder
from vt.jobs.records import Record
from vt.jobs.store import ASIDE, ID, DataFolder, Store
from vt.system import folders

_log = logging.getLogger(__name__)

_NO_FILM = "The film of this job was no longer there when the jobs were put back into the database: send it again."


@dataclass(frozen=True, slots=True)
class Repair:
    """The result of a repair of a data folder."""

    restored: tuple[Job, ...]
    """The jobs that were missing in the database."""
    known: int
    """How many jobs were in the database already."""
    unclear: int
    """How many folders are kept aside, because they have no record."""
    damaged: Path | None
    """Where the old database is now, if it could not be read."""

    @property
    def told(self) -> list[str]:
        """The result in sentences."""
        lines = [f"The damaged database is kept as {self.damaged}."] if self.damaged else []
        if self.restored:
            states = Counter(job.state.value for job in self.restored)
            listed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            lines.append(f"Jobs that are in the database again: {len(self.restored)} ({listed}).")
        else:
            lines.append("No job was missing in the database.")
        lines.append(f"Jobs that it knew already: {self.known}.")
        return lines + ([_kept_aside_sentence(self.unclear)] if self.unclear else [])


def kept_aside(data_folder: Path) -> str | None:
    """Return a sentence on the folders that are kept aside in a data folder; None where there are none."""
    try:
        count = sum(1 for _ in (data_folder / ASIDE).iterdir())
    except OSError:
        return None
    return _kept_aside_sentence(count) if count else None


def _kept_aside_sentence(count: int) -> str:
    return (
        f"Folders in {ASIDE}, in the data folder: {count}. They lay among the jobs' when the database was lost, "
        "and do not say what was asked for: look for films in them, then remove them by hand."
    )


def open_store(data: DataFolder, make: Callable[[Path], Store] = Store) -> Store:
    """Open the jobs' database; one that the jobs went on without is put aside, and a new one takes its place.

    A database apart from the data folder may be older than that: another machine has used the folder since, and this
    one still has its own database from before. So the folder notes the word of the database that is used, and only
    that one is believed. A database in the folder goes where the folder goes, and is believed without a word, unless
    one apart from it has been used since.

    A death on the way does no harm: until the word is noted the next start does the same again, and from then on
    `take_stock` brings the jobs that are still missing.

    Raises:
        StorageError: it cannot be opened, or the data folder cannot be written.
    """
    store = make(data.database)
    try:
        if _is_outdated(data, store):
            store.close()
            _put_outdated_aside(data.database)
            store = make(data.database)
        _go_on(data, store)
    except OSError as error:
        store.close()
        raise data.unusable(error) from error
    except StorageError:
        store.close()
        raise
    return store


def _is_outdated(data: DataFolder, store: Store) -> bool:
    if not store.is_settled() and not store.versions():  # it is new: there is nothing to believe
        return False
    owner = data.notes.owner
    return store.word() != owner if data.is_apart or owner is not None else False


def _put_outdated_aside(database: Path) -> None:
    """Rename a database that is closed; only the last one that was put aside is kept."""
    _log.warning("the jobs' database is older than the data folder: it is put aside, and made anew from the folders")
    kept = database.with_name(f"{database.name}.outdated")
    for ending in ("-wal", "-shm", ""):  # the database last: if this is killed, the next start does it again
        beside = database.with_name(database.name + ending)
        if beside.exists():
            beside.replace(kept.with_name(kept.name + ending))
        else:
            kept.with_name(kept.name + ending).unlink(missing_ok=True)


def _go_on(data: DataFolder, store: Store) -> None:
    """Have the database and the data folder know what is to be known of each other."""
    owner, word, notes = data.notes.owner, store.word(), data.notes
    if owner != word and (data.is_apart or owner is not None):
        notes.name_owner(word)
    store.go_on(notes.secret, notes.served_ms)
    if not notes.secret:
        try:
            notes.keep_secret(store.secret())
        except OSError as error:  # a full disk; only with the database would anything be lost
            _log.warning("the data folder has no copy of the key of the database: %s", error.strerror)


def take_stock(data: DataFolder, store: Store) -> list[Job]:
    """Compare the jobs' folders with the database at a start, and return the jobs that were restored.

    - The job is in the database: the folder stays. It gets a record where it has none (older versions wrote none).
      If the job was marked as removed when the server died, folder and job are removed.
    - The job is not in the database, but the folder has a record: the job is restored. The database is new, or is an
      old copy.
    - The job is not in the database, and the folder has no record: it belongs to a job that was never submitted, and is
      removed. If the database is newer than the folders, this is not certain, and the folder is kept aside.
    """
    known, settled = store.versions(), store.is_settled()
    found, unrecorded = [], 0
    for folder in data.jobs.iterdir():
        try:
            if folder.name in known:
                unrecorded += _finish_removal_or_record(folder, store)
            elif job := _restored(folder, store):
                found.append(job)
            elif settled or records.is_removed(folder) or not _holds_anything(folder):
                folders.remove(folder)
            else:
                _put_aside(folder, data.aside)
        except OSError as error:  # of this folder only: the others are still looked at
            _log.error("a folder among the jobs cannot be looked through: %s", error.strerror)
    if unrecorded:
        os.sync()  # once for all records, of which there may be thousands
    if not settled:
        store.settle()
    return found


def repair(
    path: Path, say_when: Callable[[], datetime] = lambda: datetime.now(UTC), database: Path | None = None
) -> Repair:
    """Restore all jobs from their folders, into a new database where the old one cannot be read.

    A second call changes nothing more.

    Args:
        path: the data folder.
        say_when: tells the time, for the name of a damaged database.
        database: where it is not in that.

    Raises:
        FolderTaken: a server uses the data folder.
        InputError: there is no data folder.
        StorageError: it cannot be written.
    """
    if not path.is_dir():
        raise InputError("There is no data folder {file} to repair: name yours in VT_DATA_DIR.", file=path)
    with DataFolder(path, database) as data:
        damaged = _moved_away(data.database, say_when())
        with closing(open_store(data)) as store:
            known = len(store.versions())
            _bring_back(data)
            restored = tuple(take_stock(data, store))
        aside = sum(1 for _ in data.aside.iterdir()) if data.aside.is_dir() else 0
        return Repair(restored, known, aside, damaged)


def _moved_away(database: Path, now: datetime) -> Path | None:
    """Rename a database that cannot be read, and return its new path; None where it can be read."""
    try:
        Store(database).close()
    except DatabaseDamaged:
        kept = database.with_name(f"{database.name}.damaged-{now:%Y%m%dT%H%M%S%fZ}")
        for ending in ("-wal", "-shm", ""):  # the database last: if this is killed, the next repair starts over
            beside = database.with_name(database.name + ending)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + ending))
        return kept
    return None


def _bring_back(data: DataFolder) -> None:
    """Move the folders that are kept aside and have a record back to the jobs' folders."""
    for folder in data.aside.iterdir() if data.aside.is_dir() else ():
        if ID.fullmatch(folder.name) and records.read(folder) and not data.job(folder.name).exists():
            folder.rename(data.job(folder.name))
    if data.aside.is_dir() and not any(data.aside.iterdir()):
        data.aside.rmdir()


def _restored(folder: Path, store: Store) -> Job | None:
    """Restore the job of a folder; None where it has no record."""
    if folder.is_symlink() or not ID.fullmatch(folder.name):
        return None
    record = records.read(folder)
    if record is None:
        return None
    job = store.restore(folder.name, _corrected(folder, record))
    records.write(folder, records.of(job))
    _log.warning("job %s was not in the database, and is put back: %s", job.id[:6], job.state)
    return job


def _corrected(folder: Path, record: Record) -> Record:
    """Return the record, corrected by what is in the folder: a job without its results is queued again."""
    there = JobFolder(folder).versions()
    if record.version and record.version not in there:
        # There are newer results than the record says, or none.
        record = replace(record, version=max(there, default=0))
    if record.state is JobState.DONE and not record.version:
        record = replace(record, state=JobState.QUEUED, mended=NO_EDITS)
    if record.state is JobState.QUEUED and not JobFolder(folder).film.is_file():
        record = replace(record, state=JobState.FAILED, error=_NO_FILM, failure=None)
    return record


def _finish_removal_or_record(folder: Path, store: Store) -> bool:
    """Finish a removal that was interrupted, or write a missing record; return whether a record was written."""
    if records.is_written(folder):
        return False
    if records.is_removed(folder):
        with suppress(WrongState):  # it was queued again, and there was no space for its new record
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
