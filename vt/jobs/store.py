"""The jobs in SQLite, none of which is lost when the server is killed, and the data folder that one server owns."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import lock_descriptor
from sqlalchemy import (
    JSON,
    URL,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    case,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from vt.domain import NO_EDITS, Edits, Job, JobSpec, JobState, Kept, Stage
from vt.errors import (
    DatabaseDamaged,
    FolderTaken,
    InputError,
    JobNotFound,
    Outdated,
    QueueFull,
    StorageError,
    TooManyJobs,
    WrongState,
)
from vt.jobs.folder_notes import FolderNotes
from vt.jobs.job_folder import JobFolder
from vt.jobs.records import Record
from vt.translatable import Message, restored

DATABASE, ASIDE = "vt.db", "kept-aside"
"""In the data folder: the database, and the folder for job folders whose job is not known."""
DEATHS = 3
"""After the server died so many times in a row during a job, without a new artifact, the job fails."""
ID = re.compile(r"[a-z2-7]{26}")
"""The form of an id: 26 letters and digits of base 32 (RFC 4648, section 6, in lower case), 130 bits."""

_RESERVE_BYTES = 4 * 2**20
"""The size of the reserve on the disk: enough for SQLite's log (WAL) of some hundred changes of jobs."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_QUEUED, _RUNNING = {JobState.QUEUED}, {JobState.RUNNING}
_OVER = [state for state in JobState if state.is_over]
_CLOSE_SECONDS = 10.0
_CONNECTIONS = 3
_DIED = Message(
    "The server died {count} times in a row while working on this, without finishing one more piece "
    "of it, so it was given up. Perhaps it needs more memory than there is: try a smaller model or "
    "a shorter film.",
    count=DEATHS,
)

# SQLite has one writer at a time. A transaction that will write takes the write lock at its start (IMMEDIATE), so that
# it cannot fail half-way. In WAL mode a commit survives the death of the process in any case. FULL also syncs it to the
# disk, so that a power cut loses no accepted, finished or cancelled job. Progress and heartbeats use NORMAL, which does
# not sync: they may be lost in a power cut.
_READ = ("BEGIN",)
_WRITE = ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE")
_TICK = ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE")


@dataclass(frozen=True, slots=True)
class Share:
    """The visitor whose limits a job counts for, and that limit."""

    visitor: str
    """The `key` of a visitor; empty: for nobody."""
    most: int
    """How many jobs of this visitor may wait and run at a time."""


NOBODY = Share("", 0)


@dataclass(frozen=True, slots=True)
class Submission:
    """How a job came: what its sender called it, and how long its film is."""

    key: str = ""
    """The sender's own key for it, by which the same request is known when it comes a second time; empty: none."""
    digest: str = ""
    """Of all that was asked for under that key."""
    seconds: float = 0.0
    """The film's length; 0: not known."""
    person: str = ""
    """The key of whoever it belongs to; empty: to whoever knows its id."""


UNNAMED = Submission()
KEY_KEPT = timedelta(hours=24)
"""For so long a key stands for its job, unless that is removed before."""


# The data folder


def new_id() -> str:
    """Return an id that nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(26))


class DataFolder:
    """The data folder. It is made where missing, and owned by this process until `close` or the end of the process.

    Raises:
        FolderTaken: another process owns it.
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path, database: Path | None = None) -> None:
        """Take the folder `path`; `database`: the jobs' database where it lies elsewhere."""
        self.path = path.absolute()
        self.database = database or self.path / DATABASE
        """Where the jobs are kept."""
        self.notes = FolderNotes(self.path)
        """What the folder says of its database."""
        try:
            self.jobs.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("w")
        except OSError as error:
            raise self.unusable(error) from error
        try:
            is_ours = lock_descriptor(self._lock.fileno(), blocking=False)
        except OSError as error:
            self._lock.close()
            raise self.unusable(error) from error
        if not is_ours:
            self._lock.close()
            raise self._taken()

    def __enter__(self) -> DataFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the folder up. The lock file stays: to remove it could remove the lock of the next owner."""
        self._lock.close()

    def reserve(self) -> None:
        """Write the reserve file, so that on a full disk there is space for the last changes of jobs."""
        if not self._reserve.exists():
            try:
                self._reserve.write_bytes(bytes(_RESERVE_BYTES))
            except OSError:  # not enough space even for this
                self.free_reserve()

    def free_reserve(self) -> bool:
        """Remove the reserve file, to free its space; False where there was none."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    @property
    def _reserve(self) -> Path:
        return self.path / "reserve"

    @property
    def jobs(self) -> Path:
        """Where the jobs' folders are."""
        return self.path / "jobs"

    @property
    def is_apart(self) -> bool:
        """Whether the database lies elsewhere, and does not go where the folder goes."""
        return self.database != self.path / DATABASE

    @property
    def aside(self) -> Path:
        """The folder for job folders whose job is not known; missing as long as there are none."""
        return self.path / ASIDE

    def job(self, job_id: str) -> Path:
        """Return the path of a job's folder, which may not exist.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        if not ID.fullmatch(job_id):
            raise JobNotFound
        return self.jobs / job_id

    def folder(self, job_id: str) -> JobFolder:
        """Return the layout of a job's folder.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        return JobFolder(self.job(job_id))

    def input(self, job_id: str) -> Path:
        """Return where a job's film is.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        return self.folder(job_id).film

    def subtitles(self, job_id: str) -> Path:
        """Return where the subtitles are that came with a job's film, if any did.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        return self.folder(job_id).subtitles

    def artifacts(self, job_id: str) -> Path:
        """Return where the artifacts of a job are.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        return self.folder(job_id).artifacts

    def results(self, job_id: str, version: int) -> Path:
        """Return where the results of one version are.

        Raises:
            JobNotFound: the id does not have the form of one.
        """
        return self.folder(job_id).results(version)

    def _taken(self) -> FolderTaken:
        return FolderTaken(
            "The data folder is in use by another vt server: stop that one, or give this one a folder and a port of "
            "its own with VT_DATA_DIR and PORT.",
            where=self.path,
        )

    def unusable(self, error: OSError) -> StorageError:
        """Return the error that says why the folder cannot be written."""
        return StorageError(
            "The data folder cannot be written ({reason}): name another one in VT_DATA_DIR.",
            where=self.path,
            reason=str(error.strerror),
        )


# The schema

Migration = Callable[[Connection], None]


def m001_jobs(connection: Connection) -> None:
    """The jobs, and one row that is written to check that the database can be written."""
    states = ", ".join(f"'{state.value}'" for state in JobState)
    connection.exec_driver_sql(
        f"""
        CREATE TABLE jobs (
            id TEXT NOT NULL PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ({states})),
            stage TEXT,
            fraction REAL NOT NULL,
            error TEXT,
            created_ms INTEGER NOT NULL,
            updated_ms INTEGER NOT NULL,
            request TEXT NOT NULL,
            version INTEGER NOT NULL,
            edits TEXT NOT NULL,
            deaths INTEGER NOT NULL,
            finished_pieces INTEGER NOT NULL,
            place INTEGER NOT NULL
        )
        """
    )
    connection.exec_driver_sql("CREATE INDEX jobs_by_queue ON jobs (state, place)")
    connection.exec_driver_sql("CREATE INDEX jobs_by_place ON jobs (place)")
    connection.exec_driver_sql("CREATE INDEX jobs_by_age ON jobs (state, updated_ms)")
    connection.exec_driver_sql("CREATE INDEX jobs_by_birth ON jobs (created_ms, id)")
    connection.exec_driver_sql("CREATE TABLE heartbeat (one INTEGER PRIMARY KEY CHECK (one = 1), at_ms INTEGER)")
    connection.exec_driver_sql("INSERT INTO heartbeat VALUES (1, 0)")


def m002_mended(connection: Connection) -> None:
    """The edits that the results contain; the edits of a run that failed or was cancelled are not in the results."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN mended TEXT NOT NULL DEFAULT '{}'")
    connection.exec_driver_sql("UPDATE jobs SET mended = edits WHERE state = 'done'")


def m003_served(connection: Connection) -> None:
    """The served time (see `Store`) of this database, and for each job the served time of its last change.

    Jobs from before get the served time 0. `settled`: whether a start has compared the jobs' folders with it. A
    database that has jobs counts as settled, since it was in use when their folders were made.
    """
    connection.exec_driver_sql("ALTER TABLE heartbeat ADD COLUMN served_ms INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("ALTER TABLE heartbeat ADD COLUMN settled INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("UPDATE heartbeat SET settled = EXISTS (SELECT * FROM jobs)")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN touched_ms INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("DROP INDEX jobs_by_age")
    connection.exec_driver_sql("CREATE INDEX jobs_by_age ON jobs (state, touched_ms)")


def m004_turns(connection: Connection) -> None:
    """The visitor of each job, as a hash of the address with a secret of this database, and the order of visitors."""
    connection.exec_driver_sql("ALTER TABLE heartbeat ADD COLUMN secret TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("UPDATE heartbeat SET secret = hex(randomblob(16))")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN visitor TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN begun INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN turn INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("DROP INDEX jobs_by_queue")
    connection.exec_driver_sql("CREATE INDEX jobs_by_queue ON jobs (state, begun DESC, turn, place)")
    connection.exec_driver_sql("CREATE INDEX jobs_by_visitor ON jobs (visitor, state)")


def m005_failure(connection: Connection) -> None:
    """Why a job failed, as a template with values; jobs from before have only the sentence."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN failure TEXT")


def m006_submissions(connection: Connection) -> None:
    """The key under which a job was sent, as a hash with its visitor, and a digest of what was asked for with it."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN submission TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN digest TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE INDEX jobs_by_submission ON jobs (submission) WHERE submission != ''")


def m007_lengths(connection: Connection) -> None:
    """The length of each film, and how long its first run took; of jobs from before neither is known."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN seconds REAL NOT NULL DEFAULT 0")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN claimed_ms INTEGER NOT NULL DEFAULT 0")
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN ran_ms INTEGER NOT NULL DEFAULT 0")


def m008_links(connection: Connection) -> None:
    """The secret of a link by which others may look at a job's results; empty: there is none."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN link TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE UNIQUE INDEX jobs_by_link ON jobs (link) WHERE link != ''")


def m009_word(connection: Connection) -> None:
    """A word that only this database has, and its copies: the data folder notes that of the one that was used last."""
    connection.exec_driver_sql("ALTER TABLE heartbeat ADD COLUMN word TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("UPDATE heartbeat SET word = lower(hex(randomblob(16)))")


def m010_people(connection: Connection) -> None:
    """Who a job belongs to, as a hash; empty: whoever knows its id."""
    connection.exec_driver_sql("ALTER TABLE jobs ADD COLUMN person TEXT NOT NULL DEFAULT ''")
    connection.exec_driver_sql("CREATE INDEX jobs_by_person ON jobs (person, created_ms) WHERE person != ''")


MIGRATIONS: tuple[Migration, ...] = (
    *(m001_jobs, m002_mended, m003_served, m004_turns, m005_failure, m006_submissions, m007_lengths, m008_links),
    *(m009_word, m010_people),
)
"""In order. Each runs once for a database, which keeps the names of those that have run."""

_jobs = Table(
    "jobs",
    MetaData(),
    Column("id", String, primary_key=True),
    Column("state", String),
    Column("stage", String),
    Column("fraction", Float),
    Column("error", String),
    Column("failure", JSON(none_as_null=True)),
    Column("created_ms", Integer),
    Column("updated_ms", Integer),
    Column("touched_ms", Integer),
    Column("request", JSON),
    Column("version", Integer),
    Column("edits", JSON),
    Column("mended", JSON),
    Column("deaths", Integer),
    Column("finished_pieces", Integer),
    Column("place", Integer),
    Column("visitor", String),
    Column("begun", Integer),
    Column("turn", Integer),
    Column("submission", String),
    Column("digest", String),
    Column("seconds", Float),
    Column("claimed_ms", Integer),
    Column("ran_ms", Integer),
    Column("link", String),
    Column("person", String),
)

_WAITS = _jobs.c.state == JobState.QUEUED.value
# Interrupted jobs come first, in the order in which they came, regardless of turns; there are few of them.
_ORDER = (_jobs.c.begun.desc(), case((_jobs.c.begun == 1, 0), else_=_jobs.c.turn), _jobs.c.place)


# The store


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The jobs. Any thread may call any method; each is at most one short transaction.

    A job goes from queued to running, and from there to done, failed or cancelled, or back to queued. A queued job may
    be cancelled, too; one that is over and has results may be queued again. There are no other changes of state.

    Every method may raise `StorageError`: the disk is full, or the database is damaged or held by another program.
    Methods that name a job raise `JobNotFound` where there is none, and `WrongState` where its state does not allow the
    change.

    Visitors take turns, so that nobody waits for more than one job of each other visitor before their own next job,
    however many jobs those have sent. The turn of a visitor who has no waiting job yet comes after all who wait; when
    one of a visitor's jobs starts, their next turn comes after all others again. A visitor's own jobs run in the order
    in which they came. Jobs that were interrupted by the end of a server go before all others.

    The age of a job is counted in served time: the total time for which servers have run on this database, measured by
    monotonic clocks. It does not advance while no server runs, and changes of the wall clock do not affect it: a wrong
    date never deletes a job. After a restart a finished job is kept for the rest of its retention. The times shown to
    users are from the wall clock; they only decide the order of lists.
    """

    def __init__(
        self,
        path: Path,
        clock: Callable[[], datetime] = _now,
        patience: float = 5.0,
        migrations: Sequence[Migration] = MIGRATIONS,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open the database in the file `path`, which is made where missing, and migrate it to the present schema.

        Args:
            path: the file.
            clock: tells the time, with its zone.
            elapsed: a monotonic clock, in seconds.
            patience: seconds to wait for another program that writes to the file.
            migrations: all migrations up to the present schema.

        Raises:
            StorageError: the file is damaged, cannot be written, or was written by a newer version.
        """
        self._path, self._clock, self._elapsed = path, clock, elapsed
        self._write_lock = threading.Lock()  # within the process a lock is fairer and quicker than SQLite's polling
        self._change = threading.Condition()
        self._calls, self._is_closed = 0, False
        url = URL.create("sqlite", database=str(path))
        # One connection writes and two read, for a moment each. More would gain nothing, and SQLite keeps the file of a
        # closed connection open as long as others are open.
        self._engine = create_engine(
            url, connect_args={"timeout": patience}, hide_parameters=True, pool_size=_CONNECTIONS, max_overflow=0
        )
        event.listen(self._engine, "connect", _connected)
        event.listen(self._engine, "begin", _begin)
        try:
            self._check()
            self._migrate(migrations)
            self._served_ms, self._opened_at = self._served_before_ms(), elapsed()
            self._identity = _identity(path)
        except StorageError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file when no other call uses it any more; later calls raise `StorageError`."""
        with self._change:
            self._is_closed = True
            self._change.wait_for(lambda: not self._calls, _CLOSE_SECONDS)
        self._engine.dispose()

    # Making, reading and removing

    def create(
        self,
        job_id: str,
        request: JobSpec,
        limit: int,
        share: Share = NOBODY,
        edits: Edits = NO_EDITS,
        submission: Submission = UNNAMED,
    ) -> Job:
        """Put a new job into the queue, behind the other jobs of its visitor.

        Args:
            job_id: a fresh one from `new_id()`; the job's folder may be there already, with the film in it.
            request: what was asked for.
            limit: how many jobs may wait, this one included.
            share: the visitor whose limits it counts for.
            edits: of another dub of the same film, which this one is to have too.
            submission: how it came.

        Raises:
            QueueFull: so many jobs wait already.
            TooManyJobs: so many jobs of the visitor wait and run already.
        """
        now = self._milliseconds()
        values = {"state": JobState.QUEUED.value, "fraction": 0.0, "created_ms": now, "updated_ms": now}
        values |= {"request": request.as_json(), "version": 0, "edits": edits.as_json(), "mended": {}}
        with self._writing() as connection:
            values["visitor"] = self._checked_visitor(connection, share)
            values["submission"] = _submission_hash(connection, share.visitor, submission.key)
            values |= {"digest": submission.digest, "seconds": submission.seconds}
            values["person"] = _person_hash(connection, submission.person)
            _check_room(connection, limit)
            return self._insert(connection, job_id, values)

    def submitted(self, visitor: str, submission: Submission) -> Job | None:
        """Return the job that a visitor has sent under the key of this submission; None: there is none any more.

        Raises:
            InputError: under that key something else was asked for.
        """
        if not submission.key:
            return None
        since = self._milliseconds() - KEY_KEPT // _MILLISECOND
        with self._reading() as connection:
            name = _submission_hash(connection, visitor, submission.key)
            found = select(_jobs).where((_jobs.c.submission == name) & (_jobs.c.created_ms > since))
            row = connection.execute(found.order_by(_jobs.c.created_ms.desc()).limit(1)).one_or_none()
        if row is not None and row.digest != submission.digest:
            raise InputError("This key has been used for another request: take a new one for each job.")
        return None if row is None else _job(row)

    def restore(self, job_id: str, record: Record) -> Job:
        """Add a job from its record, because the database has lost it; a queued one goes to the end of the queue.

        A link that leads to another job already, as of a folder that was copied, is dropped.
        """
        values = asdict(record)
        del values["format"]
        values["state"], values["request"] = record.state.value, record.request.as_json()
        values["failure"] = record.failure.as_json() if record.failure else None
        values |= {"edits": record.edits.as_json(), "mended": record.mended.as_json()}
        values["fraction"] = 1.0 if record.state is JobState.DONE else 0.0
        values["created_ms"] = _since_epoch(values.pop("created_at"))
        values["updated_ms"] = _since_epoch(values.pop("updated_at"))
        now = self.served_ms()
        values["touched_ms"] = now if record.touched_ms is None else min(now, record.touched_ms)
        with self._writing() as connection:
            if not ID.fullmatch(record.link) or _linked(connection, record.link):
                values["link"] = ""
            return self._insert(connection, job_id, values)

    def _insert(self, connection: Connection, job_id: str, values: dict[str, Any]) -> Job:
        row = {"id": job_id, "deaths": 0, "finished_pieces": 0, "touched_ms": self.served_ms()}
        row |= {"claimed_ms": 0, "ran_ms": 0, "link": "", "person": ""}
        row |= values | _queue_end(connection, values["visitor"])
        return _job(connection.execute(insert(_jobs).values(row).returning(_jobs)).one())

    def get(self, job_id: str) -> Job:
        """Return a job as it stands now."""
        with self._reading() as connection:
            return _get_job(connection, job_id)

    def of_visitor(self, visitor: str) -> list[str]:
        """Return the ids of a visitor's jobs, whatever state they are in."""
        with self._reading() as connection:
            return list(
                connection.scalars(select(_jobs.c.id).where(_jobs.c.visitor == _visitor_hash(connection, visitor)))
            )

    def of_person(self, person: str) -> list[str]:
        """Return the ids of the jobs that belong to a person, the newest first; none for an empty key."""
        with self._reading() as connection:
            name = _person_hash(connection, person)
            theirs = select(_jobs.c.id).where((_jobs.c.person == name) & (_jobs.c.person != ""))
            return list(connection.scalars(theirs.order_by(_jobs.c.created_ms.desc(), _jobs.c.id.desc())))

    def page(self, limit: int, offset: int = 0) -> list[Job]:
        """Return at most `limit` jobs, the newest first, after `offset` others."""
        wanted = select(_jobs).order_by(_jobs.c.created_ms.desc(), _jobs.c.id.desc()).limit(limit).offset(offset)
        with self._reading() as connection:
            return [_job(row) for row in connection.execute(wanted)]

    def counts(self) -> dict[JobState, int]:
        """Return how many jobs are in each state."""
        with self._reading() as connection:
            rows = connection.execute(select(_jobs.c.state, func.count()).group_by(_jobs.c.state))
            return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in rows}

    def versions(self) -> dict[str, int]:
        """Return the version of every job's results, by its id."""
        with self._reading() as connection:
            return {row.id: row.version for row in connection.execute(select(_jobs.c.id, _jobs.c.version))}

    def expired(self, age: timedelta) -> list[str]:
        """Return the ids of the jobs that are over and have not changed for that much served time, oldest first."""
        old = _jobs.c.state.in_(_OVER) & (_jobs.c.touched_ms < self.served_ms() - age // _MILLISECOND)
        with self._reading() as connection:
            return list(connection.scalars(select(_jobs.c.id).where(old).order_by(_jobs.c.touched_ms)))

    def remove(self, job_id: str) -> None:
        """Remove a job that is over. Remove its folder afterwards: if the server dies before, the next start does."""
        with self._writing() as connection:
            job = _get_job(connection, job_id)
            if not job.state.is_over:
                raise WrongState(job.state)
            connection.execute(delete(_jobs).where(_jobs.c.id == job_id))

    # What is told of the queue and of the time

    def ahead(self, job_id: str) -> list[Job]:
        """Return the jobs that run or will begin before this one, should no other come; it has to wait itself."""
        with self._reading() as connection:
            _get_job(connection, job_id)
            rows = list(connection.execute(select(_jobs).where(_WAITS).order_by(*_ORDER)))
            running = list(connection.execute(select(_jobs).where(_jobs.c.state == JobState.RUNNING.value)))
        return [_job(row) for row in (*running, *_before(rows, job_id))]

    def pace(self, most: int = 5) -> float | None:
        """Return about how many seconds a second of film takes here, by the latest jobs; None: not known yet."""
        known = (_jobs.c.ran_ms > 0) & (_jobs.c.seconds > 0)
        latest = select(_jobs.c.ran_ms, _jobs.c.seconds).where(known).order_by(_jobs.c.touched_ms.desc()).limit(most)
        with self._reading() as connection:
            rows = list(connection.execute(latest))
        return sum(row.ran_ms for row in rows) / 1000 / sum(row.seconds for row in rows) if rows else None

    def untouched_seconds(self, job_ids: Sequence[str]) -> dict[str, float]:
        """Return for how much served time each of these jobs has not changed; one that does not exist is left out."""
        now = self.served_ms()
        with self._reading() as connection:
            rows = connection.execute(select(_jobs.c.id, _jobs.c.touched_ms).where(_jobs.c.id.in_(job_ids)))
            return {row.id: (now - row.touched_ms) / 1000 for row in rows}

    # Links for others

    def link(self, job_id: str) -> str:
        """Return the secret of the link by which others may look at a job; it is made where there is none."""
        with self._writing() as connection:
            if known := _link(connection, job_id):
                return known
            made = new_id()
            connection.execute(update(_jobs).where(_jobs.c.id == job_id).values(link=made))
            return made

    def unlink(self, job_id: str) -> None:
        """Have the link of a job lead nowhere any more."""
        with self._writing() as connection:
            _get_job(connection, job_id)
            connection.execute(update(_jobs).where(_jobs.c.id == job_id).values(link=""))

    def link_of(self, job_id: str) -> str:
        """Return the secret of a job's link; empty: it has none."""
        with self._reading() as connection:
            return _link(connection, job_id)

    def linked(self, secret: str) -> Job:
        """Return the job that a link leads to.

        Raises:
            JobNotFound: it leads to none, or no longer.
        """
        with self._reading() as connection:
            row = _linked(connection, secret)
        if row is None:
            raise JobNotFound
        return _job(row)

    # From state to state

    def claim(self, besides: Collection[str] = ()) -> Job | None:
        """Set the next job running and return it, passing over those in `besides`; None where none waits."""
        first = select(_jobs.c.id).where(_WAITS & _jobs.c.id.not_in(besides)).order_by(*_ORDER).limit(1)
        with self._writing() as connection:
            job_id = connection.scalar(first)
            if job_id is None:
                return None
            turn = (connection.scalar(select(func.max(_jobs.c.turn)).where(_WAITS)) or 0) + 1
            now = {"claimed_ms": self.served_ms()}
            job = self._set_state(connection, job_id, _QUEUED, JobState.RUNNING, begun=1, turn=turn, **now)
            others = _WAITS & (_jobs.c.visitor == job.visitor)
            connection.execute(update(_jobs).where(others).values(turn=turn))
            return job

    def progress(self, job_id: str, stage: Stage, fraction: float) -> Job:
        """Store how far a running job is."""
        with self._writing(_TICK) as connection:
            return self._set_state(connection, job_id, _RUNNING, JobState.RUNNING, stage=stage.value, fraction=fraction)

    def finish(self, job_id: str) -> Job:
        """Set a running job done, and count its version up: new results are in its folder."""
        values = {"version": _jobs.c.version + 1, "fraction": 1.0, "deaths": 0, "finished_pieces": 0}
        ran_ms = case((_jobs.c.version == 0, self.served_ms() - _jobs.c.claimed_ms), else_=_jobs.c.ran_ms)
        values |= {"mended": _jobs.c.edits, "ran_ms": ran_ms}
        with self._writing() as connection:
            return self._set_state(connection, job_id, _RUNNING, JobState.DONE, **values)

    def fail(self, job_id: str, sentence: str) -> Job:
        """Set a running job failed, and say why."""
        with self._writing() as connection:
            return self._set_state(connection, job_id, _RUNNING, JobState.FAILED, **_failed(Message(sentence)))

    def cancel(self, job_id: str) -> Job:
        """Set a waiting or running job cancelled, for good."""
        with self._writing() as connection:
            return self._set_state(connection, job_id, _QUEUED | _RUNNING, JobState.CANCELLED)

    def put_back(self, job_id: str, last: bool = False) -> Job:
        """Put a running job back into the queue, at its old place or at the end (`last`); this counts as no death."""
        with self._writing() as connection:
            place = _queue_end(connection, _get_job(connection, job_id).visitor) if last else {}
            return self._set_state(connection, job_id, _RUNNING, JobState.QUEUED, **place)

    def edit(self, job_id: str, version: int, edits: Edits, limit: int, share: Share = NOBODY) -> Job:
        """Put a job that is over and has results into the queue again, with all that was edited by hand.

        Args:
            job_id: whose lines.
            version: the version of the results that the edits were made from.
            edits: they replace the edits from before.
            limit: how many jobs may wait, this one included.
            share: the visitor whose limits it counts for from now on: the one who edits it.

        Raises:
            Outdated: there are newer results.
            QueueFull: so many jobs wait already.
            TooManyJobs: so many jobs of the visitor wait and run already.
        """
        with self._writing() as connection:
            job = _get_job(connection, job_id)
            allowed = _OVER if job.version else []
            if job.state in allowed and job.version != version:
                raise Outdated
            if job.state not in allowed:
                raise WrongState(job.state)
            visitor = self._checked_visitor(connection, share)
            _check_room(connection, limit)
            values: dict[str, Any] = {"edits": edits.as_json(), "visitor": visitor}
            values |= {"stage": None, "fraction": 0.0, "deaths": 0} | _failed(None)
            values |= _queue_end(connection, visitor)
            return self._set_state(connection, job_id, allowed, JobState.QUEUED, **values)

    def died(self, job_id: str, finished_pieces: int) -> Job:
        """Count that the server died while it ran a job, which is queued at its old place, or fails after `DEATHS`.

        Args:
            job_id: the job that was running.
            finished_pieces: how many artifacts it has now; if there are new ones, the count of deaths starts again.
        """
        with self._writing() as connection:
            job = _get_job(connection, job_id)
            deaths = 1 if finished_pieces > job.finished_pieces else job.deaths + 1
            values: dict[str, Any] = {"deaths": deaths, "finished_pieces": finished_pieces}
            if deaths >= DEATHS:
                return self._set_state(connection, job_id, _RUNNING, JobState.FAILED, **_failed(_DIED), **values)
            return self._set_state(connection, job_id, _RUNNING, JobState.QUEUED, **values)

    def recover(self, finished_pieces: Callable[[str], int]) -> list[Job]:
        """Count a death for every job that is still running in the database; to be called at a start, before `claim`.

        Args:
            finished_pieces: returns how many artifacts a job has.

        Returns:
            Those jobs, which are now queued or failed.
        """
        running = select(_jobs.c.id).where(_jobs.c.state == JobState.RUNNING.value).order_by(_jobs.c.place)
        with self._reading() as connection:
            left = list(connection.scalars(running))
        return [self.died(job_id, finished_pieces(job_id)) for job_id in left]

    def is_settled(self) -> bool:
        """Whether a start has compared the jobs' folders with this database; if not, it is newer than they are."""
        with self._reading() as connection:
            return bool(connection.exec_driver_sql("SELECT settled FROM heartbeat").scalar())

    def settle(self) -> None:
        """Store that a start has compared the jobs' folders with this database."""
        with self._writing() as connection:
            connection.exec_driver_sql("UPDATE heartbeat SET settled = 1")

    def word(self) -> str:
        """Return the word that only this database has, and its copies."""
        return self._said("SELECT word FROM heartbeat")

    def secret(self) -> str:
        """Return the key of the hashes under which visitors are known."""
        return self._said("SELECT secret FROM heartbeat")

    def go_on(self, secret: str, served_ms: int) -> None:
        """Go on where another database of the data folder was lost; to be called at a start, before anything else.

        Args:
            secret: the key of that one's hashes; empty: this one keeps its own.
            served_ms: the served time until then; a shorter one than this database knows is not taken.
        """
        if secret and secret != self.secret():
            with self._writing() as connection:
                connection.exec_driver_sql("UPDATE heartbeat SET secret = ?", (secret,))
        self._served_ms = max(self._served_ms, served_ms)

    def _said(self, question: str) -> str:
        with self._reading() as connection:
            return str(connection.exec_driver_sql(question).scalar() or "")

    def obstacle(self) -> str | None:
        """Say in a sentence why no job can be stored now, if so; and store the served time.

        Never raises.
        """
        try:
            if _identity(self._path) != self._identity:
                return (
                    "The database has been removed or replaced while the server runs on it: start the "
                    "server again, which finds the jobs in their folders."
                )
            with self._writing(_TICK) as connection:
                values = (self._milliseconds(), self.served_ms())
                beat = connection.exec_driver_sql("UPDATE heartbeat SET at_ms = ?, served_ms = ?", values)
                return None if beat.rowcount else "The database lacks what was in it: start the server again."
        except StorageError as error:
            return error.message

    # Inside

    @contextmanager
    def _writing(self, opening: tuple[str, ...] = _WRITE) -> Iterator[Connection]:
        engine = self._engine.execution_options(opening=opening)
        with self._kept_open(), _storage_errors(self._path), self._write_lock, engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._kept_open(), _storage_errors(self._path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _kept_open(self) -> Iterator[None]:
        """Keep `close` from closing the file while the block runs."""
        with self._change:
            if self._is_closed:
                raise StorageError("The database has been closed: this server is ending.")
            self._calls += 1
        try:
            yield
        finally:
            with self._change:
                self._calls -= 1
                self._change.notify_all()

    def _set_state(
        self,
        connection: Connection,
        job_id: str,
        allowed: Collection[JobState],
        state: JobState,
        **values: Any,  # noqa: ANN401 (each column has its type)
    ) -> Job:
        """Change the state of a job, which has to be in an allowed one, and set further columns."""
        here = _get_job(connection, job_id).state
        if here not in allowed:
            raise WrongState(here)
        values |= {"state": state.value, "updated_ms": self._milliseconds(), "touched_ms": self.served_ms()}
        change = update(_jobs).where(_jobs.c.id == job_id).values(values).returning(_jobs)
        return _job(connection.execute(change).one())

    def _checked_visitor(self, connection: Connection, share: Share) -> str:
        """Return the hash of a visitor, after checking that one more job of theirs is allowed."""
        if not share.visitor:
            return ""
        name = _visitor_hash(connection, share.visitor)
        theirs = (_jobs.c.visitor == name) & _jobs.c.state.not_in(_OVER)
        if connection.execute(select(func.count()).where(theirs)).scalar_one() >= share.most:
            raise TooManyJobs(share.most)
        return name

    def _milliseconds(self) -> int:
        return _since_epoch(self._clock())

    def served_ms(self) -> int:
        """Return the served time in ms: that of earlier servers, which is stored, and that of this one."""
        return self._served_ms + int(1000 * (self._elapsed() - self._opened_at))

    def _served_before_ms(self) -> int:
        """Return the served time that earlier servers have stored, in ms."""
        with self._reading() as connection:
            noted = connection.exec_driver_sql("SELECT max(served_ms) FROM heartbeat").scalar() or 0
            return max(noted, connection.scalar(select(func.max(_jobs.c.touched_ms))) or 0)

    def _check(self) -> None:
        """Raise where the file is damaged."""
        with self._reading() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        if said != "ok":
            raise _damaged(self._path, str(said))

    def _migrate(self, migrations: Sequence[Migration]) -> None:
        """Run the migrations that have not run yet: all of them in one transaction."""
        known = [migration.__name__ for migration in migrations]
        with self._writing() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, at_ms INTEGER)")
            done = set(connection.exec_driver_sql("SELECT name FROM migrations").scalars())
            if newer := sorted(done - set(known)):
                raise _too_new(self._path, newer[-1])
            for name, migration in zip(known, migrations, strict=True):
                if name not in done:
                    migration(connection)
                    row = (name, self._milliseconds())
                    connection.exec_driver_sql("INSERT INTO migrations VALUES (?, ?)", row)


def _connected(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin in `_begin`, not where the driver chooses
    connection.execute("PRAGMA journal_mode=WAL")


def _begin(connection: Connection) -> None:
    for statement in connection.get_execution_options().get("opening", _READ):
        connection.exec_driver_sql(statement)


def _get_job(connection: Connection, job_id: str) -> Job:
    row = connection.execute(select(_jobs).where(_jobs.c.id == job_id)).one_or_none()
    if row is None:
        raise JobNotFound
    return _job(row)


def _visitor_hash(connection: Connection, visitor: str, digest_size: int = 8) -> str:
    """Return the hash under which this database knows a visitor."""
    secret = connection.exec_driver_sql("SELECT secret FROM heartbeat").scalar_one()
    return hashlib.blake2b(visitor.encode(), key=bytes.fromhex(secret), digest_size=digest_size).hexdigest()


def _person_hash(connection: Connection, person: str) -> str:
    """Return the hash under which a person is kept, which says whose a job is; empty: it is nobody."""
    return _visitor_hash(connection, f"person {person}", 32) if person else ""


def _submission_hash(connection: Connection, visitor: str, key: str) -> str:
    """Return the hash under which a visitor's key is kept; empty: there is no key."""
    return _visitor_hash(connection, f"{visitor} {key}") if key else ""


def _link(connection: Connection, job_id: str) -> str:
    secret = connection.scalar(select(_jobs.c.link).where(_jobs.c.id == job_id))
    if secret is None:
        raise JobNotFound
    return str(secret)


def _linked(connection: Connection, secret: str) -> Row[Any] | None:
    return connection.execute(select(_jobs).where((_jobs.c.link == secret) & (_jobs.c.link != ""))).one_or_none()


def _before(rows: Sequence[Row[Any]], job_id: str) -> list[Row[Any]]:
    """Return those of the waiting jobs, given in their order now, that are taken before one of them."""
    left, taken = list(rows), []
    while left and left[0].id != job_id:
        first, *rest = left
        taken.append(first)
        # As `claim` does: the visitor's other jobs wait behind the next job of everybody else.
        left = sorted(rest, key=lambda row: row.visitor == first.visitor and not row.begun)
    return taken if left else []


def _check_room(connection: Connection, limit: int) -> None:
    if connection.execute(select(func.count()).where(_WAITS)).scalar_one() >= limit:
        raise QueueFull


def _queue_end(connection: Connection, visitor: str) -> dict[str, int]:
    """Return the columns of a job that is added to the queue: behind the visitor's others, or else behind all."""
    place = (connection.scalar(select(func.max(_jobs.c.place))) or 0) + 1
    latest = select(func.max(_jobs.c.turn))
    theirs = connection.scalar(latest.where(_WAITS & (_jobs.c.visitor == visitor)))
    turn = theirs if theirs is not None else connection.scalar(latest.where(_WAITS)) or 0
    return {"place": place, "turn": turn, "begun": 0}


def _failed(why: Message | None) -> dict[str, Any]:
    """Return the columns that say why a job failed: the sentence, and its template with the values."""
    if why is None:
        return {"error": None, "failure": None}
    kept = json.dumps(why.as_json(), ensure_ascii=False).encode("utf-8", "replace")  # a file's name need not be Unicode
    failure = json.loads(kept)
    sentence = why.encode("utf-8", "replace").decode()
    return {"error": str(restored(failure, sentence)), "failure": failure}


def _job(row: Row[Any]) -> Job:
    values = dict(row._mapping)
    values["error"] = restored(values.pop("failure"), values["error"])
    for name in ("place", "turn", "begun", "claimed_ms"):
        del values[name]
    values["kept"] = Kept(**{field.name: values.pop(field.name) for field in fields(Kept)})
    values["state"] = JobState(values["state"])
    values["stage"] = values["stage"] and Stage(values["stage"])
    values["request"] = JobSpec.from_json(values["request"])
    values |= {name: Edits.from_json(values[name]) for name in ("edits", "mended")}
    values["created_at"] = _EPOCH + values.pop("created_ms") * _MILLISECOND
    values["updated_at"] = _EPOCH + values.pop("updated_ms") * _MILLISECOND
    return Job(**values)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the device and inode of a file; None where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _since_epoch(moment: datetime) -> int:
    return (moment - _EPOCH) // _MILLISECOND


# What goes wrong


def damage(path: Path) -> str | None:
    """Say in a sentence what is wrong with a database, or None; it is only read, and may be in use."""
    try:
        with (
            _storage_errors(path),
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database,
        ):
            (said,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except StorageError as error:
        return error.message
    return None if said == "ok" else _damaged(path, said).message


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise _storage_error(path, error) from error


def _storage_error(path: Path, error: SQLAlchemyError | sqlite3.Error) -> StorageError:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return _damaged(path, str(cause))
    if code == sqlite3.SQLITE_FULL:
        return StorageError("The disk of the data folder is full: free some space and try again.", where=path)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError("The database is held by another program: close that one and try again.", where=path)
    return StorageError(
        "The database cannot be used ({cause}): check the disk and the rights to the file.",
        where=path,
        cause=str(cause),
    )


def _damaged(path: Path, said: str) -> StorageError:
    first = said.strip().splitlines()[0].rstrip(".")
    return DatabaseDamaged(
        "The database is damaged ({first}); nothing was changed. Stop the server and run `vt doctor "
        "--repair`: it keeps this file aside and makes a new one from the jobs' folders. Or put "
        "a copy of it back.",
        where=path,
        first=first,
    )


def _too_new(path: Path, name: str) -> StorageError:
    return StorageError(
        "The database was written by a newer version of vt (it has been through {name}): use that "
        "version again, or name another folder in VT_DATA_DIR.",
        where=path,
        name=name,
    )
