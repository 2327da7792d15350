"""The queue: takes jobs up, sees each through whatever happens, and is the only writer of their states."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from vt.domain import Cancel, Edit, Job, JobSpec, Progress, Stage
from vt.dubbing import artifacts
from vt.errors import Cancelled, JobNotFound, ModelBusy, StorageError, TooMuchKept, VtError, WrongState
from vt.jobs import records, recovery
from vt.jobs.executors.base import Executor
from vt.jobs.store import DataFolder, Share, Store
from vt.jobs.watchdog import Watchdog
from vt.models.cache import is_out_of_memory
from vt.system import disk, folders, logs
from vt.translatable import Message

_log = logging.getLogger(__name__)

_SHARES = {
    Stage.PROBE: 1,
    Stage.EXTRACT: 4,
    Stage.TRANSCRIBE: 40,
    Stage.TRANSLATE: 10,
    Stage.SPEAK: 35,
    Stage.MIX: 5,
    Stage.MUX: 5,
}
"""About how much of a whole job's time each stage takes, in hundredths."""
_HEARING = {stage: _SHARES[stage] for stage in (Stage.PROBE, Stage.EXTRACT, Stage.TRANSCRIBE)}
"""The stages of a job that translates nothing."""
_TICK_SECONDS = 0.5
_IDLE_SECONDS = 30.0
"""After so long an idle thread looks for work that nobody told it of."""
_CANCEL_SECONDS = 1.5
_HOUSEKEEPING_SECONDS = 600.0

Hear = Callable[[Job], None]
_T = TypeVar("_T")


@dataclass(slots=True)
class _Run:
    """A job at work."""

    cancel: Cancel
    dog: Watchdog
    ended: threading.Event = field(default_factory=threading.Event)
    found_no_memory: bool = False
    """For its models: all of it is held by those of others."""
    given_up: bool = False
    """Put back by a server that ends, or failed by its watchdog: whatever comes of it is not to be noted."""
    trouble: Message | None = None
    """Why its watchdog had it stopped."""


class Worker:
    """Runs the jobs of one store, some at a time, each in a thread of its own. Any thread may call any method.

    What protects what:

    - `_order` is held for each step of a job, with its telling, so that who listens hears of the steps in their order;
      and for `_runs`, so that a step knows who is at work. It is held while the database syncs to the disk.
    - `_ears` protects `_listeners`, and `_news` the count of what there is to look for; both are held for an instant.
    """

    def __init__(
        self,
        store: Store,
        data: DataFolder,
        executor: Executor,
        *,
        at_once: int = 1,
        queue_size: int = 64,
        visitor_jobs: int = 8,
        visitor_bytes: int = 8 * 2**30,
        retention: timedelta = timedelta(hours=72),
        retry_seconds: float = 5.0,
        goodbye_seconds: float = 2.0,
        watch: Hear = lambda _: None,
        watchdog: Callable[[Cancel], Watchdog] = Watchdog,
        look_seconds: float = 5.0,
    ) -> None:
        """Make a worker that begins when it is told to.

        Args:
            store: of the jobs.
            data: where their folders are.
            executor: runs them.
            at_once: how many run at the same time.
            queue_size: how many may wait.
            visitor_jobs: how many of one visitor may wait and run.
            visitor_bytes: how much the films of one visitor's jobs may take, those that are over too.
            retention: how long a job is kept that is over.
            retry_seconds: before what could not be done, for want of memory or disk, is tried again.
            goodbye_seconds: how long `close()` waits for what runs.
            watch: hears of each change of each job, as a listener does.
            watchdog: makes the one that watches over a job.
            look_seconds: how often it looks.
        """
        self._store, self._data, self._executor = store, data, executor
        self._queue_size, self._visitor_jobs, self._retention = queue_size, visitor_jobs, retention
        self._visitor_bytes = visitor_bytes
        self._retry_seconds, self._goodbye_seconds = retry_seconds, goodbye_seconds
        self._order = threading.RLock()
        self._runs: dict[str, _Run] = {}
        self._watch = watch
        self._watchdog, self._look_seconds = watchdog, look_seconds
        self._ears = threading.Lock()
        self._listeners: dict[str, list[Hear]] = {}
        self._news = threading.Condition()
        self._told = 0
        self._closing = threading.Event()
        names = [f"vt-job-{number}" for number in range(at_once)]
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
        self._threads.append(threading.Thread(target=self._keep_house, name="vt-housekeeping", daemon=True))
        self._threads.append(threading.Thread(target=self._watch_over, name="vt-watchdog", daemon=True))

    def begin(self) -> None:
        """Sweep what a dead server left, take up what it was at, and go on from there."""
        recovery.take_stock(self._data, self._store)
        for job_id, version in self._store.versions().items():
            self._tidy(job_id, version)
        self._data.hold()
        for job in self._store.recover(lambda job_id: artifacts.count(self._data.artifacts(job_id))):
            _log.info("job %s was interrupted: %s", _short(job.id), job.state)
            self._record(job)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop all work such that it goes on where it is at the next start; no death is counted."""
        self._closing.set()
        self._wake()
        with self._order:
            runs = dict(self._runs)
        for run in runs.values():
            run.cancel.set()
        until = time.monotonic() + self._goodbye_seconds
        for job_id, run in runs.items():
            if not run.ended.wait(max(0.0, until - time.monotonic())):
                self._give_up(job_id, run)

    def _give_up(self, job_id: str, run: _Run) -> None:
        """Put a job back that is in the middle of a model's own code, which ends with the process."""
        with self._order, suppress(VtError):
            run.given_up = True
            self._store.put_back(job_id)

    # What faces ask for

    def submit(self, job_id: str, spec: JobSpec, visitor: str = "") -> Job:
        """Put a new job, whose film is in its folder, at the end of the queue.

        `visitor` is for whom it counts; empty: for nobody. Once this has returned, nothing takes the job back: not the
        death of the server, nor a power cut, nor the loss of the database.

        Raises:
            QueueFull: too many wait already.
            TooManyJobs: too many of the visitor's wait and run already.
            TooMuchKept: too much is kept of the visitor's films already.
        """
        self._flush(job_id)
        with self._order:
            self._check_kept(job_id, visitor)
            job = self._store.create(job_id, spec, self._queue_size, Share(visitor, self._visitor_jobs))
            self._record(job)
        self._wake()
        return job

    def _check_kept(self, job_id: str, visitor: str) -> None:
        """Raise where a visitor's films, with that of a new job, take too much; one that several jobs have is one."""
        films: dict[tuple[int, int], int] = {}
        for one in (job_id, *self._store.of_visitor(visitor)) if visitor else ():
            with suppress(FileNotFoundError):  # removed at this moment
                facts = self._data.input(one).stat()
                films[facts.st_dev, facts.st_ino] = facts.st_size
        if sum(films.values()) > self._visitor_bytes:
            raise TooMuchKept(self._visitor_bytes)

    def _flush(self, job_id: str) -> None:
        """Have the disk keep what came with a job, and its folder."""
        try:
            for path in (self._data.input(job_id), self._data.subtitles(job_id), self._data.jobs):
                if path.exists():
                    folders.flush(path)
        except OSError as error:
            raise StorageError(
                "The film cannot be kept ({reason}): check the data folder's disk.", reason=str(error.strerror)
            ) from error

    def _record(self, job: Job) -> None:
        """Write down beside a job's film how it stands; where that cannot be, the database alone knows of it."""
        folder, record = self._data.job(job.id), records.of(job)
        try:
            try:
                records.write(folder, record)
            except OSError:
                if not (folder.exists() and self._data.give_way()):
                    raise
                records.write(folder, record)
        except OSError as error:
            _log.warning("job %s has no record in its folder: %s", _short(job.id), error.strerror)

    def edit(self, job_id: str, version: int, edits: Mapping[int, Edit], visitor: str = "") -> Job:
        """Put a job that has results into the queue again, with all edits that they are to have.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it waits or runs, or has no results.
            Outdated: its results are of another version.
            QueueFull: too many wait already.
            TooManyJobs: too many of the visitor's wait and run already.
        """
        share = Share(visitor, self._visitor_jobs)
        job = self._step(lambda: self._store.edit(job_id, version, edits, self._queue_size, share))
        self._wake()
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job for good, at once; what still runs of it ends by itself.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it is over.
        """
        with self._order:
            job = self._step(lambda: self._store.cancel(job_id))
            run = self._runs.get(job_id)
        if run:
            run.cancel.set()
        return job

    def remove(self, job_id: str) -> None:
        """Remove a job with all that is kept of it; one that waits or runs is cancelled first.

        Raises:
            JobNotFound: there is no such job.
        """
        with suppress(WrongState):
            self.cancel(job_id)
        with self._order:
            run = self._runs.get(job_id)
        if run:
            run.ended.wait(_CANCEL_SECONDS)
        self._noted(lambda: self._forget(job_id))

    def expire(self) -> None:
        """Remove the jobs that have been over for as long as one is kept."""
        for job_id in self._store.expired(self._retention):
            with suppress(JobNotFound, WrongState):  # edited or removed at this moment
                self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        """Forget a job that is over, such that a death at any moment leaves it whole, or as one to be forgotten."""
        with self._order:
            state = self._store.get(job_id).state
            if not state.is_over:
                raise WrongState(state)
            with suppress(OSError):  # without the mark, a lost database alone would bring the job back
                records.mark_removed(self._data.job(job_id))
            self._store.remove(job_id)
        folders.remove(self._data.job(job_id))

    @contextmanager
    def listening(self, job_id: str, hear: Hear) -> Iterator[None]:
        """Have `hear` told of each change of a job while the block runs, by the thread that makes it.

        `hear` should be quick, must not raise, and asks the worker for nothing. Nothing here waits for the disk. Where
        there is no such job, nothing is ever told: look at the job within the block.
        """
        with self._ears:
            self._listeners.setdefault(job_id, []).append(hear)
        try:
            yield
        finally:
            with self._ears:
                self._listeners[job_id].remove(hear)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]

    @property
    def listener_count(self) -> int:
        """How many listen to jobs now."""
        with self._ears:
            return sum(map(len, self._listeners.values()))

    def _step(self, change: Callable[[], Job]) -> Job:
        """Change a job's state, write it down beside the film, and tell of it."""
        with self._order:
            job = self._noted(change)
            self._record(job)
            self._publish(job)
        return job

    def _noted(self, change: Callable[[], _T]) -> _T:
        """Change something in the store, at need in the room that is set aside for that on the disk."""
        try:
            return change()
        except StorageError:
            if not self._data.give_way():
                raise
            return change()

    def _publish(self, job: Job) -> None:
        with self._ears:
            listeners = list(self._listeners.get(job.id, ()))
        for hear in (self._watch, *listeners):
            hear(job)

    def _wake(self) -> None:
        with self._news:
            self._told += 1
            self._news.notify_all()

    # Work

    def _serve(self) -> None:
        while not self._closing.is_set():
            known = self._told  # what is told from here on is looked for once more
            job = self._claimed()
            if job is None:
                with self._news:
                    self._news.wait_for(lambda: self._told != known or self._closing.is_set(), _IDLE_SECONDS)  # noqa: B023
            else:
                with logs.about(job=_short(job.id)):
                    run = self._see_through(job)
                if run.given_up:  # another thread has taken the place of this one
                    return
                if run.found_no_memory:  # those who hold it are given time
                    self._closing.wait(self._retry_seconds)

    def _claimed(self) -> Job | None:
        """Set the next job running; one that was edited while its cancelled run still ends waits for that."""
        try:
            with self._order:
                job = None if self._closing.is_set() else self._store.claim(besides=list(self._runs))
                if job:
                    cancel = Cancel()
                    self._runs[job.id] = _Run(cancel, self._watchdog(cancel))
                    self._publish(job)
        except StorageError as error:
            _log.error("no job can be taken up: %s", error)
            return None
        return job

    def _see_through(self, job: Job) -> _Run:
        """Run a job, and return what is to be known of that."""
        _log.info("job %s begins: %s to %s", _short(job.id), job.request.source_language, job.request.target_language)
        run = self._runs[job.id]
        self._data.hold()
        try:
            self._settle(job, run, self._attempt(job, run))
        finally:
            with self._order:
                del self._runs[job.id]
            run.ended.set()
            self._wake()
        return run

    def _attempt(self, job: Job, run: _Run) -> Callable[[], Job]:
        """Run a job, and return how its state changes by that."""
        job_id, cancel = job.id, run.cancel
        try:
            data = self._data
            request = job.request.to_request(data.input(job_id), data.subtitles(job_id), job.edits)
            told = _Told(
                lambda stage, fraction: self._tell(job_id, stage, fraction),
                _SHARES if request.target_language else _HEARING,
            )

            def hear(progress: Progress) -> None:
                run.dog.hear(progress)
                told(progress)

            files = self._executor.run(request, self._data.job(job_id), hear, cancel)
            cancel.check()
            self._deliver(job, files)
            return lambda: self._store.finish(job_id)
        except ModelBusy:
            run.found_no_memory = True
            return lambda: self._store.put_back(job_id, last=True)
        except (Cancelled, WrongState, JobNotFound):  # stopped by the server's end, or by the user, who knows
            if run.trouble is None:
                return lambda: self._store.put_back(job_id)
            sentence = run.trouble
        except VtError as error:
            sentence = error.message.with_file_names(file_names(self._data, job_id, job.request))
        except Exception as error:  # noqa: BLE001 (whatever it is, the next job is not to suffer from it)
            sentence = message_for(error)
            if not cancel.is_set:  # else its folder may be gone already
                _log.error("job %s met an unexpected error", _short(job_id), exc_info=True)
        return lambda: self._store.fail(job_id, sentence)

    def _tell(self, job_id: str, stage: Stage, fraction: float) -> None:
        with suppress(StorageError), self._order:  # nobody misses it; of a full disk, the work itself will tell
            self._publish(self._store.progress(job_id, stage, fraction))

    def _settle(self, job: Job, run: _Run, change: Callable[[], Job]) -> None:
        """Change a job's state, as soon as the disk lets it; a user's word came first."""
        while True:
            try:
                with self._order:
                    if run.given_up:  # by now the folder may be another server's
                        return
                    with suppress(WrongState):  # cancelled
                        self._step(change)
                    now = self._store.get(job.id)
            except JobNotFound:
                folders.remove(self._data.job(job.id))
                return
            except StorageError as error:
                _log.error("job %s cannot be settled: %s", _short(job.id), error)
                if self._closing.wait(self._retry_seconds):
                    return
            else:
                _log.info("job %s is %s", _short(job.id), now.state)
                self._tidy(job.id, now.version)
                return

    def _deliver(self, job: Job, files: Sequence[Path]) -> None:
        """Put finished files where the next version's results belong; they count once the job is done."""
        target = self._data.results(job.id, job.version + 1)
        folders.remove(target)
        target.mkdir()
        for file in files:
            folders.flush(file)
            file.replace(target / file.name)
        folders.flush(target)
        folders.flush(target.parent)

    def _tidy(self, job_id: str, version: int) -> None:
        """Remove from a job's folder what is neither its input, nor its pieces, nor its latest results."""
        with suppress(OSError):  # removed at this moment, or the disk fails: the next start sweeps
            for path in self._data.folder(job_id).leftovers(version):
                folders.remove(path)

    # The watchdog

    def _watch_over(self) -> None:
        while not self._closing.wait(self._look_seconds):
            with self._order:
                runs = dict(self._runs)
            for job_id, run in runs.items():
                if run.trouble is None and (trouble := run.dog.trouble()):
                    _log.error("job %s: %s", _short(job_id), trouble)
                    run.trouble = trouble
                    run.cancel.set()
                elif run.trouble and run.dog.is_unheard and not run.given_up:
                    self._abandon(job_id, run, run.trouble)

    def _abandon(self, job_id: str, run: _Run, sentence: str) -> None:
        """Fail a job whose thread hangs in foreign code, which nobody can end, and let another thread go on."""
        _log.error("job %s does not end: its thread is left to itself", _short(job_id))
        try:
            with self._order:
                with suppress(WrongState, JobNotFound):  # the user was quicker
                    self._step(lambda: self._store.fail(job_id, sentence))
                run.given_up = True
        except StorageError as error:  # the next look tries it again
            _log.error("job %s cannot be settled: %s", _short(job_id), error)
            return
        threading.Thread(target=self._serve, name="vt-job-instead", daemon=True).start()

    # Housekeeping

    def _keep_house(self) -> None:
        period = min(_HOUSEKEEPING_SECONDS, max(1.0, self._retention.total_seconds() / 10))
        while not self._closing.is_set():
            with suppress(StorageError):
                self.expire()
            self._data.hold()
            self._closing.wait(period)


def message_for(error: Exception) -> Message:
    """Return the message for the user about an error of a run that is no `VtError`."""
    if is_out_of_memory(error):
        return Message(
            "The memory did not suffice for this: try a smaller model or a shorter film, or give vt more memory."
        )
    if not isinstance(error, OSError):
        return Message("An unexpected error, which the server's log tells of. Please report it.")
    if disk.is_full(error):
        return disk.full().message
    return Message(
        "The disk failed ({reason}): check the data folder and its disk.",
        reason=error.strerror or type(error).__name__,
    )


class _Told:
    """Turns the progress of stages into that of a whole job, told now and then."""

    def __init__(self, tell: Callable[[Stage, float], Any], shares: Mapping[Stage, int]) -> None:
        self._tell, self._shares = tell, shares
        self._stage: Stage | None = None
        self._overall, self._last = 0.0, 0.0

    def __call__(self, progress: Progress) -> None:
        """Hear of a stage's progress."""
        shares, names = self._shares, list(self._shares)
        before = sum(shares[name] for name in names[: names.index(progress.stage)])
        overall = (before + shares[progress.stage] * progress.fraction) / sum(shares.values())
        self._overall = max(self._overall, overall)
        now = time.monotonic()
        if progress.stage != self._stage or now - self._last >= _TICK_SECONDS:
            self._stage, self._last = progress.stage, now
            self._tell(progress.stage, round(self._overall, 4))


def file_names(data: DataFolder, job_id: str, spec: JobSpec) -> dict[Path, str]:
    """Return the names that a user gave to the files of a job, by their paths here, which tell the job's id."""
    return {
        data.input(job_id): spec.file,
        data.subtitles(job_id): spec.subtitles or "subtitles",
        data.job(job_id): "the job's folder",
    }


def _short(job_id: str) -> str:
    """Return enough of an id for a log: who has the whole of it has the job."""
    return job_id[:6]
