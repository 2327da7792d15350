"""The queue: takes jobs up, sees each through whatever happens, and is the only writer of their states."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from vt import artifacts
from vt.domain import Cancel, Edit, Job, JobRequest, Order, Progress
from vt.errors import Cancelled, ModelBusy, StorageError, VtError
from vt.executors.base import Executor
from vt.store import DataFolder, JobNotFound, Store, WrongState

_log = logging.getLogger(__name__)

_SHARES = {"probe": 1, "extract": 4, "transcribe": 40, "translate": 10, "speak": 35, "mix": 5, "mux": 5}
"""Of a whole job, about, in hundredths."""
_HEARING = {stage: _SHARES[stage] for stage in ("probe", "extract", "transcribe")}
"""What there is of that where nothing is translated."""
_TICK_SECONDS = 0.5
_IDLE_SECONDS = 30.0
"""After so long an idle thread looks for work that nobody told it of."""
_RETRY_SECONDS = 5.0
_GOODBYE_SECONDS = 3.0
_CANCEL_SECONDS = 1.5
_HOUSEKEEPING_SECONDS = 600.0
_KEPT_FILES = ("input", "subtitles", "pieces")
_UNEXPECTED = "An unexpected error, which the server's log tells of. Please report it."

Hear = Callable[[Job], None]


@dataclass(slots=True)
class _Run:
    """A job at work."""

    cancel: Cancel = field(default_factory=Cancel)
    ended: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Runs the jobs of one store, some at a time, each in a thread of its own. Any thread may call any method."""

    def __init__(
        self,
        store: Store,
        data: DataFolder,
        executor: Executor,
        *,
        at_once: int = 1,
        queue_size: int = 64,
        retention: timedelta = timedelta(hours=72),
    ) -> None:
        self._store, self._data, self._executor = store, data, executor
        self._queue_size, self._retention = queue_size, retention
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._runs: dict[str, _Run] = {}
        self._listeners: dict[str, list[Hear]] = {}
        self._closing = threading.Event()
        names = [f"vt-job-{number}" for number in range(at_once)]
        self._threads = [threading.Thread(target=self._serve, name=name, daemon=True) for name in names]
        self._threads.append(threading.Thread(target=self._keep_house, name="vt-housekeeping", daemon=True))

    def begin(self) -> None:
        """Sweep what a dead server left, take up what it was at, and go on from there."""
        self._sweep()
        for job in self._store.recover(lambda job_id: artifacts.count(self._data.pieces(job_id))):
            _log.info("job %s was interrupted: %s", _short(job.id), job.state)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop all work such that it goes on where it is at the next start; no death is counted."""
        self._closing.set()
        with self._work:
            self._work.notify_all()
            runs = dict(self._runs)
        for run in runs.values():
            run.cancel.set()
        until = time.monotonic() + _GOODBYE_SECONDS
        for job_id, run in runs.items():
            if not run.ended.wait(max(0.0, until - time.monotonic())):
                with suppress(VtError):  # in the middle of a model's own code: it ends with the process
                    self._store.put_back(job_id)

    # What faces ask for

    def submit(self, job_id: str, order: Order) -> Job:
        """Put a new job, whose film is in its folder, at the end of the queue.

        Raises:
            QueueFull: too many wait already.
        """
        job = self._store.create(job_id, order, self._queue_size)
        self._wake()
        return job

    def edit(self, job_id: str, version: int, edits: Mapping[int, Edit]) -> Job:
        """Put a job that has results into the queue again, with all that was ever edited in it.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it waits or runs, or has no results.
            Outdated: its results are of another version.
            QueueFull: too many wait already.
        """
        kept = {str(line): asdict(edit) for line, edit in edits.items()}
        job = self._store.edit(job_id, version, kept, self._queue_size)
        self._publish(job)
        self._wake()
        return job

    def cancel(self, job_id: str) -> Job:
        """End a job for good, at once; what still runs of it ends by itself.

        Raises:
            JobNotFound: there is no such job.
            WrongState: it is over.
        """
        job = self._store.cancel(job_id)
        with self._lock:
            run = self._runs.get(job_id)
        if run:
            run.cancel.set()
        self._publish(job)
        return job

    def remove(self, job_id: str) -> None:
        """Remove a job with all that is kept of it; one that waits or runs is cancelled first.

        Raises:
            JobNotFound: there is no such job.
        """
        with suppress(WrongState):
            self.cancel(job_id)
        with self._lock:
            run = self._runs.get(job_id)
        if run:
            run.ended.wait(_CANCEL_SECONDS)
        self._store.remove(job_id)
        shutil.rmtree(self._data.job(job_id), ignore_errors=True)

    @contextmanager
    def watching(self, job_id: str, hear: Hear) -> Iterator[Job]:
        """Have `hear` told of each change of a job while the block runs, by the thread that makes it.

        Yields:
            The job as it stood when `hear` was already listening.

        Raises:
            JobNotFound: there is no such job.
        """
        with self._lock:
            self._listeners.setdefault(job_id, []).append(hear)
        try:
            yield self._store.get(job_id)
        finally:
            with self._lock:
                self._listeners[job_id].remove(hear)
                if not self._listeners[job_id]:
                    del self._listeners[job_id]

    def _publish(self, job: Job) -> None:
        with self._lock:
            listeners = list(self._listeners.get(job.id, ()))
        for hear in listeners:
            hear(job)

    def _wake(self) -> None:
        with self._work:
            self._work.notify()

    # Work

    def _serve(self) -> None:
        while not self._closing.is_set():
            # Looking and waiting under one lock: who submits in between wakes a thread that waits already.
            with self._work:
                job = self._claimed()
                if job is None and not self._closing.is_set():
                    self._work.wait(_IDLE_SECONDS)
            if job is not None:
                self._see_through(job)

    def _claimed(self) -> Job | None:
        try:
            job = self._store.claim()
        except StorageError as error:
            _log.error("no job can be taken up: %s", error)
            return None
        if job:
            self._runs[job.id] = _Run()
        return job

    def _see_through(self, job: Job) -> None:
        _log.info("job %s begins: %s to %s", _short(job.id), job.request.source_language, job.request.target_language)
        run = self._runs[job.id]
        self._publish(job)
        try:
            self._settle(job.id, self._attempt(job, run.cancel))
        finally:
            with self._lock:
                del self._runs[job.id]
            run.ended.set()

    def _attempt(self, job: Job, cancel: Cancel) -> Callable[[], Job]:
        """Run a job, and return how its state changes by that."""
        job_id = job.id
        try:
            request = _request(job, self._data)
            told = _Told(
                lambda stage, fraction: self._publish(self._store.progress(job_id, stage, fraction)),
                _SHARES if request.target_language else _HEARING,
            )
            files = self._executor.run(request, self._data.job(job_id), told, cancel)
            cancel.check()
            self._deliver(job, files)
            return lambda: self._store.finish(job_id)
        except ModelBusy:
            return lambda: self._store.put_back(job_id, last=True)
        except (Cancelled, WrongState, JobNotFound):  # stopped by the server's end, or by the user, who knows
            return lambda: self._store.put_back(job_id)
        except VtError as error:
            sentence = in_users_words(str(error), self._data, job_id, job.request)
        except Exception as error:  # noqa: BLE001 (whatever it is, the next job is not to suffer from it)
            _log.error("job %s met an unexpected error", _short(job_id), exc_info=True)
            sentence = _UNEXPECTED if not isinstance(error, OSError) else f"The disk failed: {error.strerror}."
        return lambda: self._store.fail(job_id, sentence)

    def _settle(self, job_id: str, step: Callable[[], Job]) -> None:
        """Change a job's state, as soon as the disk lets it; a user's word came first."""
        while True:
            try:
                job = step()
            except WrongState:  # cancelled
                break
            except JobNotFound:
                shutil.rmtree(self._data.job(job_id), ignore_errors=True)
                return
            except StorageError as error:
                _log.error("job %s cannot be settled: %s", _short(job_id), error)
                if self._closing.wait(_RETRY_SECONDS):
                    return
            else:
                _log.info("job %s is %s", _short(job_id), job.state)
                self._tidy(job)
                self._publish(job)
                return
        self._tidy(self._store.get(job_id))

    def _deliver(self, job: Job, files: Sequence[Path]) -> None:
        """Put finished files where the next version's results belong; they count once the job is done."""
        target = self._data.results(job.id, job.version + 1)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for file in files:
            with file.open("rb") as written:
                os.fsync(written.fileno())
            file.replace(target / file.name)

    def _tidy(self, job: Job) -> None:
        """Remove from a job's folder what is neither its input, nor its pieces, nor its latest results."""
        kept = {*_KEPT_FILES, self._data.results(job.id, job.version).name}
        folder = self._data.job(job.id)
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in kept:
                shutil.rmtree(path, ignore_errors=True)

    # Housekeeping

    def _sweep(self) -> None:
        """Remove every folder that belongs to no job, and what is half-made in the others."""
        known = self._store.ids()
        for folder in self._data.jobs.iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        for job_id in known:
            self._tidy(self._store.get(job_id))

    def _keep_house(self) -> None:
        period = min(_HOUSEKEEPING_SECONDS, max(1.0, self._retention.total_seconds() / 10))
        while not self._closing.is_set():
            with suppress(StorageError):
                for job_id in self._store.expired(datetime.now(UTC) - self._retention):
                    with suppress(JobNotFound, WrongState):  # edited or removed at this moment
                        self._store.remove(job_id)
                        shutil.rmtree(self._data.job(job_id), ignore_errors=True)
            self._closing.wait(period)


class _Told:
    """Turns the progress of stages into that of a whole job, told now and then."""

    def __init__(self, tell: Callable[[str, float], Any], shares: Mapping[str, int]) -> None:
        self._tell, self._shares = tell, shares
        self._stage, self._overall, self._last = "", 0.0, 0.0

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


def in_users_words(said: str, data: DataFolder, job_id: str, order: Order) -> str:
    """Return a sentence with the names that a user gave to files in place of their paths here, which tell the id."""
    for path, name in ((data.input(job_id), order.file), (data.subtitles(job_id), order.subtitles or "subtitles")):
        said = said.replace(str(path), name)
    return said.replace(str(data.job(job_id)), "the job's folder")


def _request(job: Job, data: DataFolder) -> JobRequest:
    order = job.request
    return JobRequest(
        source=data.input(job.id),
        target_language=order.target_language,
        source_language=order.source_language,
        subtitles=data.subtitles(job.id) if order.subtitles is not None else None,
        audio_track=order.audio_track,
        name=order.file,
        edits={int(line): Edit(**edit) for line, edit in job.edits.items()},
    )


def _short(job_id: str) -> str:
    """Return enough of an id for a log: who has the whole of it has the job."""
    return job_id[:6]
