"""The queue: starts jobs one after the other, handles whatever goes wrong, and is the only writer of their states."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from vt.domain import NO_EDITS, Cancel, Edits, Job, JobRequest, JobSpec, Progress, Stage
from vt.dubbing import artifacts
from vt.errors import Cancelled, JobNotFound, ModelBusy, StorageError, TooMuchKept, VtError, WrongState
from vt.jobs import records, recovery
from vt.jobs.executors.base import Executor
from vt.jobs.store import UNNAMED, DataFolder, Share, Store, Submission
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
"""About how many percent of a job's time each stage takes."""
_HEARING = {stage: _SHARES[stage] for stage in (Stage.PROBE, Stage.EXTRACT, Stage.TRANSCRIBE)}
"""The stages of a job that only transcribes."""
_BURNING = _SHARES | {Stage.MUX: 60}
"""The picture is encoded again where subtitles are drawn into it."""
_TICK_SECONDS = 0.5
_IDLE_SECONDS = 30.0
"""How often an idle thread looks into the queue without having been woken."""
_CANCEL_SECONDS = 1.5
_HOUSEKEEPING_SECONDS = 600.0

Hear = Callable[[Job], None]
_T = TypeVar("_T")


@dataclass(slots=True)
class _Run:
    """A job that is running."""

    cancel: Cancel
    watchdog: Watchdog
    ended: threading.Event = field(default_factory=threading.Event)
    found_no_memory: bool = False
    """Its models found no memory, because models of other jobs use it."""
    given_up: bool = False
    """The server ended and put the job back, or the watchdog failed it: the result of this run is ignored."""
    trouble: Message | None = None
    """Why the watchdog stopped it."""


class Worker:
    """Runs the jobs of one store, some at a time, each in a thread of its own. Any thread may call any method.

    Locks:

    - `_state_lock` is held while a job's state changes and until the listeners have been called, so that they get the
      changes in order. It also protects `_runs`. It is held while the database syncs to the disk.
    - `_listeners_lock` protects `_listeners`. The condition `_work_added` protects `_additions`. Both are held for a
      moment only.
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
        """Make a worker; `begin` starts it.

        Args:
            store: of the jobs.
            data: where their folders are.
            executor: runs them.
            at_once: how many jobs run at the same time.
            queue_size: how many jobs may wait.
            visitor_jobs: how many jobs of one visitor may wait and run.
            visitor_bytes: how many bytes the films of one visitor may take, those of finished jobs included.
            retention: how long a job is kept after it is over.
            retry_seconds: the pause before something that failed for lack of memory or disk is tried again.
            goodbye_seconds: how long `close()` waits for running jobs.
            watch: is called for each change of every job, like a listener.
            watchdog: makes the watchdog of a job.
            look_seconds: how often the watchdogs are asked.
        """
        self._store, self._data, self._executor = store, data, executor
        self._queue_size, self._visitor_jobs, self._retention = queue_size, visitor_jobs, retention
        self._visitor_bytes = visitor_bytes
        self._retry_seconds, self._goodbye_seconds = retry_seconds, goodbye_seconds
        self._state_lock = threading.RLock()
        self._runs: dict[str, _Run] = {}
        self._watch = watch
        self._watchdog, self._look_seconds = watchdog, look_seconds
        self._listeners_lock = threading.Lock()
        self._listeners: dict[str, list[Hear]] = {}
        self._work_added = threading.Condition()
        self._additions = 0
        self._closing = threading.Event()
        names = [f"vt-job-{number}" for number in range(at_once)]
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
        self._threads.append(threading.Thread(target=self._clean_up_regularly, name="vt-housekeeping", daemon=True))
        self._threads.append(threading.Thread(target=self._ask_watchdogs, name="vt-watchdog", daemon=True))

    def begin(self) -> None:
        """Clean up after a server that died, put its running jobs back into the queue, and start the threads."""
        recovery.take_stock(self._data, self._store)
        for job_id, version in self._store.versions().items():
            self._tidy(job_id, version)
        self._data.reserve()
        for job in self._store.recover(lambda job_id: artifacts.count(self._data.artifacts(job_id))):
            _log.info("job %s was interrupted: %s", _short(job.id), job.state)
            self._record(job)
        self._finish_removals()
        for thread in self._threads:
            thread.start()

    def _finish_removals(self) -> None:
        """Remove the jobs that were to be removed in a moment when the last server died."""
        for job_id in self._store.versions():
            if records.is_to_be_removed(self._data.job(job_id)):
                with suppress(VtError):  # the next start tries again
                    self.remove(job_id)

    def close(self) -> None:
        """Stop all jobs; the next start resumes them. This does not count as a death of the jobs."""
        self._closing.set()
        self._wake_threads()
        with self._state_lock:
            runs = dict(self._runs)
        for run in runs.values():
            run.cancel.set()
        self._note_served_time()
        until = time.monotonic() + self._goodbye_seconds
        for job_id, run in runs.items():
            if not run.ended.wait(max(0.0, until - time.monotonic())):
                self._give_up(job_id, run)

    def _give_up(self, job_id: str, run: _Run) -> None:
        """Put a job back into the queue although its run has not ended; the end of the process will end it."""
        with self._state_lock, suppress(VtError):
            run.given_up = True
            self._store.put_back(job_id)

    # What routes, page and command line call

    def submit(
        self,
        job_id: str,
        spec: JobSpec,
        visitor: str = "",
        edits: Edits = NO_EDITS,
        submission: Submission = UNNAMED,
    ) -> Job:
        """Put a new job, whose film is in its folder, at the end of the queue.

        Where the visitor has sent the same under the same key before, the job that came of it is returned.

        `visitor` is the visitor whose limits it counts for; empty: nobody's. `edits` are those of another dub of the
        film. Once this has returned, the job survives the death of the server, a power cut, and the loss of the
        database.

        Raises:
            InputError: the visitor has sent something else under the same key.
            QueueFull: too many wait already.
            TooManyJobs: too many of the visitor's wait and run already.
            TooMuchKept: too much is kept of the visitor's films already.
        """
        self._flush(job_id)
        share = Share(visitor, self._visitor_jobs)
        with self._state_lock:
            if known := self._store.submitted(visitor, submission):
                return known
            self._check_kept(job_id, visitor)
            job = self._store.create(job_id, spec, self._queue_size, share, edits, submission)
            self._record(job)
        self._wake_threads()
        return job

    def _check_kept(self, job_id: str, visitor: str) -> None:
        """Raise where a visitor's films take too much, with the new job's film; a film that jobs share counts once."""
        films: dict[tuple[int, int], int] = {}
        for one in (job_id, *self._store.of_visitor(visitor)) if visitor else ():
            with suppress(FileNotFoundError):  # removed at this moment
                facts = self._data.input(one).stat()
                films[facts.st_dev, facts.st_ino] = facts.st_size
        if sum(films.values()) > self._visitor_bytes:
            raise TooMuchKept(self._visitor_bytes)

    def _flush(self, job_id: str) -> None:
        """Sync a job's film, its subtitles, its glossary and the folder of jobs to the disk."""
        try:
            places = self._data.folder(job_id)
            for path in (places.film, places.subtitles, places.glossary, self._data.jobs):
                if path.exists():
                    folders.flush(path)
        except OSError as error:
            raise StorageError(
                "The film cannot be kept ({reason}): check the data folder's disk.", reason=str(error.strerror)
            ) from error

    def _record(self, job: Job) -> None:
        """Write the job's record into its folder. Where that fails, it is logged, and only the database has the job."""
        folder, record = self._data.job(job.id), records.of(job)
        try:
            try:
                records.write(folder, record)
            except OSError:
                if not (folder.exists() and self._data.free_reserve()):
                    raise
                records.write(folder, record)
        except OSError as error:
            _log.warning("job %s has no record in its folder: %s", _short(job.id), error.strerror)

    def edit(self, job_id: str, version: int, edits: Edits, visitor: str = "") -> Job:
        """Put a job that has results into the queue again, with all edits that the new results are to have.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it waits or runs, or has no results.
            Outdated: its results are of another version.
            QueueFull: too many wait already.
            TooManyJobs: too many of the visitor's wait and run already.
        """
        share = Share(visitor, self._visitor_jobs)
        job = self._change_state(lambda: self._store.edit(job_id, version, edits, self._queue_size, share))
        self._wake_threads()
        return job

    def link(self, job_id: str) -> str:
        """Return the secret of the link by which others may see the results of a job; it is made where there is none.

        Raises:
            JobNotFound: there is no such job.
        """
        with self._state_lock:
            secret = self._with_disk_reserve(lambda: self._store.link(job_id))
            self._record(self._store.get(job_id))
        return secret

    def unlink(self, job_id: str) -> None:
        """Have a job's link lead nowhere any more.

        Raises:
            JobNotFound: there is no such job.
        """
        with self._state_lock:
            job = self._store.get(job_id)
            self._record(replace(job, kept=replace(job.kept, link="")))  # first: else a lost database could revive it
            self._with_disk_reserve(lambda: self._store.unlink(job_id))

    def cancel(self, job_id: str) -> Job:
        """End a job for good. Its state changes at once; its run is told to end, and ends a moment later.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it is over.
        """
        with self._state_lock:
            job = self._change_state(lambda: self._store.cancel(job_id))
            run = self._runs.get(job_id)
        if run:
            run.cancel.set()
        return job

    def remove(self, job_id: str) -> None:
        """Remove a job with its folder; one that waits or runs is cancelled first.

        Raises:
            JobNotFound: there is no such job.
        """
        with suppress(WrongState):
            self.cancel(job_id)
        with self._state_lock:
            run = self._runs.get(job_id)
        if run:
            run.ended.wait(_CANCEL_SECONDS)
        self._with_disk_reserve(lambda: self._forget(job_id))

    def expire(self) -> None:
        """Remove the jobs whose retention is over."""
        for job_id in self._store.expired(self._retention):
            with suppress(JobNotFound, WrongState):  # edited or removed at this moment
                self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        """Remove a finished job. If the server dies meanwhile, the job is complete or marked as removed."""
        with self._state_lock:
            state = self._store.get(job_id).state
            if not state.is_over:
                raise WrongState(state)
            with suppress(OSError):  # without the mark the job comes back, but only if the database is lost too
                records.mark_removed(self._data.job(job_id))
            self._store.remove(job_id)
        folders.remove(self._data.job(job_id))

    @contextmanager
    def listening(self, job_id: str, hear: Hear) -> Iterator[None]:
        """Have `hear` called for each change of a job while the block runs, by the thread that makes the change.

        `hear` should be quick, must not raise, and must not call the worker. Entering and leaving wait for no disk.
        A job that does not exist is no error here: read the job inside the block.
        """
        with self._listeners_lock:
            self._listeners.setdefault(job_id, []).append(hear)
        try:
            yield
        finally:
            with self._listeners_lock:
                self._listeners[job_id].remove(hear)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]

    @property
    def listener_count(self) -> int:
        """How many listen to jobs now."""
        with self._listeners_lock:
            return sum(map(len, self._listeners.values()))

    def _change_state(self, change: Callable[[], Job]) -> Job:
        """Change a job's state, write its record, and call the listeners."""
        with self._state_lock:
            job = self._with_disk_reserve(change)
            self._record(job)
            self._publish(job)
        return job

    def _with_disk_reserve(self, change: Callable[[], _T]) -> _T:
        """Change something in the store. On a full disk, free the space reserved for that and try again."""
        try:
            return change()
        except StorageError:
            if not self._data.free_reserve():
                raise
            return change()

    def _publish(self, job: Job) -> None:
        with self._listeners_lock:
            listeners = list(self._listeners.get(job.id, ()))
        for hear in (self._watch, *listeners):
            hear(job)

    def _wake_threads(self) -> None:
        with self._work_added:
            self._additions += 1
            self._work_added.notify_all()

    # Work

    def _serve(self) -> None:
        while not self._closing.is_set():
            known = self._additions  # a job that is added from here on is not missed: the thread looks again
            job = self._claimed()
            if job is None:
                with self._work_added:
                    self._work_added.wait_for(lambda: self._additions != known or self._closing.is_set(), _IDLE_SECONDS)  # noqa: B023
            else:
                with logs.about(job=_short(job.id)):
                    run = self._run_to_end(job)
                if run.given_up:  # another thread has been started in place of this one
                    return
                if run.found_no_memory:  # give the jobs that use the memory time to end
                    self._closing.wait(self._retry_seconds)

    def _claimed(self) -> Job | None:
        """Set the next job running. A job whose cancelled run has not ended yet is not taken, even if it was edited."""
        try:
            with self._state_lock:
                job = None if self._closing.is_set() else self._store.claim(besides=list(self._runs))
                if job:
                    cancel = Cancel()
                    self._runs[job.id] = _Run(cancel, self._watchdog(cancel))
                    self._publish(job)
        except StorageError as error:
            _log.error("no job can be taken up: %s", error)
            return None
        return job

    def _run_to_end(self, job: Job) -> _Run:
        """Run a job to its end, and return the run."""
        _log.info("job %s begins: %s to %s", _short(job.id), job.request.source_language, job.request.target_language)
        run = self._runs[job.id]
        self._data.reserve()
        try:
            self._settle(job, run, self._attempt(job, run))
        finally:
            with self._state_lock:
                del self._runs[job.id]
            run.ended.set()
            self._wake_threads()
        return run

    def _attempt(self, job: Job, run: _Run) -> Callable[[], Job]:
        """Run a job, and return the change of its state that follows from it."""
        job_id, cancel = job.id, run.cancel
        try:
            data = self._data
            places = data.folder(job_id)
            request = job.request.to_request(places.film, places.subtitles, job.edits, places.glossary)
            report = _JobProgress(
                lambda stage, fraction: self._tell(job_id, stage, fraction),
                _shares(request),
            )

            def hear(progress: Progress) -> None:
                run.watchdog.hear(progress)
                report(progress)

            files = self._executor.run(request, self._data.job(job_id), hear, cancel)
            cancel.check()
            self._deliver(job, files)
            return lambda: self._store.finish(job_id)
        except ModelBusy:
            run.found_no_memory = True
            return lambda: self._store.put_back(job_id, last=True)
        except (Cancelled, WrongState, JobNotFound):  # stopped by the watchdog, the server's end, or the user
            if run.trouble is None:
                return lambda: self._store.put_back(job_id)
            sentence = run.trouble
        except VtError as error:
            sentence = error.message.with_file_names(file_names(self._data, job_id, job.request))
        except Exception as error:  # noqa: BLE001 (whatever it is, the next job must run)
            sentence = message_for(error)
            if not cancel.is_set:  # otherwise its folder may have been removed, which is no error
                _log.error("job %s met an unexpected error", _short(job_id), exc_info=True)
        return lambda: self._store.fail(job_id, sentence)

    def _tell(self, job_id: str, stage: Stage, fraction: float) -> None:
        with (
            suppress(StorageError),
            self._state_lock,
        ):  # lost progress does no harm; the run itself fails on a full disk
            self._publish(self._store.progress(job_id, stage, fraction))

    def _settle(self, job: Job, run: _Run, change: Callable[[], Job]) -> None:
        """Change a job's state; where the disk fails, try again until it works. A job that was cancelled stays so."""
        while True:
            try:
                with self._state_lock:
                    if run.given_up:  # by now another server may own the folder
                        return
                    with suppress(WrongState):  # cancelled
                        self._change_state(change)
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
        """Move the files to the folder of the next version's results. They are valid once the job is set done."""
        target = self._data.results(job.id, job.version + 1)
        folders.remove(target)
        target.mkdir()
        for file in files:
            folders.flush(file)
            file.replace(target / file.name)
        folders.flush(target)
        folders.flush(target.parent)

    def _tidy(self, job_id: str, version: int) -> None:
        """Remove from a job's folder all but its input, its record, its artifacts and its latest results."""
        with suppress(OSError):  # removed at this moment, or the disk fails: the next start tidies again
            for path in self._data.folder(job_id).leftovers(version):
                folders.remove(path)

    # The watchdog

    def _ask_watchdogs(self) -> None:
        while not self._closing.wait(self._look_seconds):
            with self._state_lock:
                runs = dict(self._runs)
            for job_id, run in runs.items():
                if run.trouble is None and (trouble := run.watchdog.trouble()):
                    _log.error("job %s: %s", _short(job_id), trouble)
                    run.trouble = trouble
                    run.cancel.set()
                elif run.trouble and run.watchdog.is_overdue and not run.given_up:
                    self._abandon(job_id, run, run.trouble)

    def _abandon(self, job_id: str, run: _Run, sentence: str) -> None:
        """Fail a job whose thread hangs in a library and cannot be ended, and start another thread in its place."""
        _log.error("job %s does not end: its thread is left to itself", _short(job_id))
        try:
            with self._state_lock:
                with suppress(WrongState, JobNotFound):  # the user has just cancelled or removed it
                    self._change_state(lambda: self._store.fail(job_id, sentence))
                run.given_up = True
        except StorageError as error:  # the next round of the watchdog tries again
            _log.error("job %s cannot be settled: %s", _short(job_id), error)
            return
        threading.Thread(target=self._serve, name="vt-job-instead", daemon=True).start()

    # Housekeeping

    def _clean_up_regularly(self) -> None:
        period = min(_HOUSEKEEPING_SECONDS, max(1.0, self._retention.total_seconds() / 10))
        while not self._closing.is_set():
            with suppress(StorageError):
                self.expire()
            self._data.reserve()
            self._note_served_time()
            self._closing.wait(period)

    def _note_served_time(self) -> None:
        """Have the data folder say for how long servers have run on it, in case the database is lost."""
        with suppress(OSError):
            self._data.notes.note_served(self._store.served_ms())


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


def _shares(request: JobRequest) -> Mapping[Stage, int]:
    if request.target_language is None:
        return _HEARING
    return _BURNING if request.finish.burn else _SHARES


class _JobProgress:
    """Turns the progress of stages into that of the whole job, and reports it at most twice a second."""

    def __init__(self, tell: Callable[[Stage, float], Any], shares: Mapping[Stage, int]) -> None:
        self._tell, self._shares = tell, shares
        self._stage: Stage | None = None
        self._overall, self._last = 0.0, 0.0

    def __call__(self, progress: Progress) -> None:
        """Take the progress of a stage."""
        shares, names = self._shares, list(self._shares)
        before = sum(shares[name] for name in names[: names.index(progress.stage)])
        overall = (before + shares[progress.stage] * progress.fraction) / sum(shares.values())
        self._overall = max(self._overall, overall)
        now = time.monotonic()
        if progress.stage != self._stage or now - self._last >= _TICK_SECONDS:
            self._stage, self._last = progress.stage, now
            self._tell(progress.stage, round(self._overall, 4))


def file_names(data: DataFolder, job_id: str, spec: JobSpec) -> dict[Path, str]:
    """Return the user's names for the files of a job, by their paths here; the paths hold the job's id, a secret."""
    return {
        data.input(job_id): spec.file,
        data.subtitles(job_id): spec.subtitles or "subtitles",
        data.folder(job_id).glossary: spec.glossary or "glossary",
        data.job(job_id): "the job's folder",
    }


def _short(job_id: str) -> str:
    """Return the beginning of an id, for the log: whoever knows the whole id may use the job."""
    return job_id[:6]
