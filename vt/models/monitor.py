"""Log lines and metrics about models and jobs, and the measured size of each model."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from vt.domain import Cancel, Job, JobState
from vt.engines.model_spec import Closable, ModelSpec
from vt.errors import Cancelled, VtError
from vt.models.cache import CacheObserver, CacheSnapshot, Reason
from vt.system import graphics, machine
from vt.system.graphics import Cards
from vt.system.metrics import Metrics, Residency
from vt.translatable import Message

T = TypeVar("T", bound=Closable)
Prepare = Callable[[Cancel], None]
MB = 2**20
_KINDS = ("stt", "translation", "tts", "diarization", "separation")
_LEAST, _MOST = 0.5, 2.0
"""Bounds of a measured size, as multiples of the estimate: what is beyond them is the work of other threads."""

_MOST_TROUBLES, _LONGEST_TROUBLE = 20, 300
"""How many of the latest failures are kept, and how many characters of each."""
_PATH = re.compile(r"(?<![\w:/])/(?:[^\s/'\":;,]+/)+([^\s/'\":;,]*)")

_log = logging.getLogger("vt.models")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One failure of a model or a job."""

    at: datetime
    """In UTC."""
    what: str
    """The cache key of a model, or the name of a film."""
    why: Message
    """A sentence that tells no path."""


class Troubles:
    """The latest failures, for whoever runs the server. Any thread may call any method."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._latest: deque[Trouble] = deque(maxlen=_MOST_TROUBLES)
        self.count = 0
        """How many there were so far."""

    def add(self, what: str, why: str) -> None:
        """Take a failure, told in a sentence; of a path in it only the last part is kept."""
        self._latest.append(Trouble(self._now(), what[:_LONGEST_TROUBLE], _without_paths(why)))
        self.count += 1

    def latest(self) -> tuple[Trouble, ...]:
        """Return the latest failures, the newest first."""
        return tuple(reversed(self._latest))


def _without_paths(sentence: str) -> Message:
    """Return a sentence without paths; one of a library, which has them in its text, cut to a length."""
    message = Message(sentence).with_file_names({})
    plain = _PATH.sub(r"\1", message)
    return message if plain == message and len(plain) <= _LONGEST_TROUBLE else Message(plain[:_LONGEST_TROUBLE])


@dataclass(slots=True)
class _Waits:
    """The threads that wait for the files of one model."""

    count: int = 0
    failures: list[BaseException] = field(default_factory=list)
    """The errors that they got; removed when no thread waits any more."""


class CacheMetrics(CacheObserver):
    """Writes what the model cache does to the log and to the metrics; each line has the key, seconds and megabytes."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        resident: Callable[[], int] = machine.resident_bytes,
        trim: Callable[[], None] = machine.trim,
        cards: Callable[[], Cards] = graphics.cards,
        open_card: Callable[[str], None] = graphics.open_card,
    ) -> None:
        self.troubles = Troubles()
        self._metrics = metrics
        self._clock = clock
        self._resident = resident
        self._trim = trim
        self._cards, self._open_card = cards, open_card
        self._known: dict[str, tuple[float, int]] = {}
        """By key: since when the model is prepared, loads or is in memory, and its size in bytes."""
        self._waits_lock = threading.Lock()
        self._waits: dict[str, _Waits] = {}
        """By key: the threads that wait for the model's files; protected by `_waits_lock`."""

    def metered(self, spec: ModelSpec[T]) -> ModelSpec[T]:
        """Return `spec` with its load timed for the log, and with a way to measure the model where it has none.

        The size of a model is the growth of the process while it was loaded, or of what is used of its graphics card:
        the cache loads one model at a time. Freed memory that the process still holds would falsify it, and is returned
        to the system before and after.
        """
        grown: list[int] = []

        def load() -> T:
            self._known[spec.key] = (self._clock(), spec.estimated_bytes)
            before = self._taken(spec.device)
            model = spec.load()
            grown[:] = [self._taken(spec.device) - before]
            return model

        def measured(_: T) -> int:
            bounds = round(_LEAST * spec.estimated_bytes), round(_MOST * spec.estimated_bytes)
            return min(max(grown[0], bounds[0]), bounds[1])

        return replace(spec, load=load, measured=spec.measured or measured)

    def _taken(self, device: str) -> int:
        """Return how many bytes are taken of the memory that the models on a device share."""
        if graphics.kind(device) == graphics.CUDA:
            self._open_card(device)
            memory = self._cards().memory(device)
            return memory.used if memory else 0
        self._trim()
        return self._resident()

    def observed(self, spec: ModelSpec[T], prepare: Prepare) -> Prepare:
        """Return `prepare`, which gets the files of `spec` ready, so that its failure is counted and logged.

        Several threads may wait for the same files. They get the same error, or one that it caused; it is counted and
        logged only once.
        """

        def observed(cancel: Cancel) -> None:
            self._join(spec)
            try:
                prepare(cancel)
            except Cancelled:
                raise
            except Exception as error:
                if self._is_first(spec.key, error.__cause__ or error):
                    self.failed(spec.key, error.message if isinstance(error, VtError) else str(error))
                raise
            finally:
                self._leave(spec.key)

        return observed

    def _join(self, spec: ModelSpec[Any]) -> None:
        with self._waits_lock:
            waits = self._waits.setdefault(spec.key, _Waits())
            if not waits.count:
                self._known[spec.key] = (self._clock(), spec.estimated_bytes)
            waits.count += 1

    def _is_first(self, key: str, error: BaseException) -> bool:
        with self._waits_lock:
            failures = self._waits[key].failures
            is_first = all(error is not other for other in failures)
            failures.append(error)
        return is_first

    def _leave(self, key: str) -> None:
        with self._waits_lock:
            self._waits[key].count -= 1
            if not self._waits[key].count:
                del self._waits[key]

    def waited(self, key: str, seconds: float) -> None:
        """Count the time that a lease waited."""
        self._metrics.waited(_kind(key), seconds)

    def loaded(self, key: str, seconds: float, size: int) -> None:
        """Count and log a model that was loaded."""
        self._known[key] = (self._clock(), size)
        self._metrics.loaded(_kind(key), seconds)
        _log.info("loaded %s in %.2f s, %.1f MB", key, seconds, size / MB)

    def failed(self, key: str, message: str) -> None:
        """Count and log a failure."""
        self._metrics.failed(_kind(key))
        self.troubles.add(key, message)
        _log.warning("failed %s after %.2f s, %.1f MB: %s", key, *self._age(key), message)

    def over_budget(self, key: str, size: int, budget: int) -> None:
        """Warn of a model that is larger than the whole budget."""
        _log.warning("oversized %s, %.1f MB: more than the %.1f MB for models", key, size / MB, budget / MB)

    def retired(self, key: str) -> None:
        """Log a model that will be closed after its last lease."""
        _log.info("retiring %s after %.2f s, %.1f MB", key, *self._age(key))

    def evicted(self, key: str, reason: Reason, size: int) -> None:
        """Count and log a model that was closed."""
        seconds, _ = self._age(key)
        self._metrics.evicted(_kind(key), reason)
        _log.info("evicted %s (%s) after %.2f s, %.1f MB", key, reason, seconds, size / MB)

    def _age(self, key: str) -> tuple[float, float]:
        since, size = self._known.get(key, (self._clock(), 0))
        return self._clock() - since, size / MB


def _kind(key: str) -> str:
    return key.partition("_")[0]


def residency(snapshot: CacheSnapshot) -> Residency:
    """Return the numbers that the metrics show of a snapshot."""
    models, leases, size = (Counter(dict.fromkeys(_KINDS, 0)) for _ in range(3))
    for entry in snapshot.entries:
        models[entry.kind] += entry.state != "loading"
        leases[entry.kind] += entry.leases
        size[entry.kind] += entry.bytes
    return Residency(
        hits=snapshot.hits,
        misses=snapshot.misses,
        loads=snapshot.loads,
        budget_bytes=snapshot.budget_bytes,
        budgets={memory.device: memory.budget_bytes for memory in snapshot.memories},
        used={memory.device: memory.used_bytes for memory in snapshot.memories},
        models=models,
        leases=leases,
        bytes=size,
    )


class JobWatch:
    """Counts for the metrics what the jobs of a server do; it is called for each change, in order."""

    def __init__(
        self, metrics: Metrics, troubles: Troubles, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._metrics, self._troubles = metrics, troubles
        self._began = now()
        self._running: set[str] = set()
        self._queued: dict[str, datetime] = {}
        """By job that was put back into the queue, or edited: since when it waits."""

    def hear(self, job: Job) -> None:
        """Count a change of a job's state; progress is not counted."""
        if job.state is JobState.QUEUED:
            self._running.discard(job.id)
            self._queued[job.id] = job.updated_at
        elif job.state is JobState.RUNNING:
            if job.id not in self._running:
                self._running.add(job.id)
                self._waited(job)
        else:
            self._running.discard(job.id)
            self._queued.pop(job.id, None)
            self._metrics.job_ended(job.state.value)
            if job.state is JobState.FAILED and job.error:
                self._troubles.add(job.request.file, job.error)

    def _waited(self, job: Job) -> None:
        since = self._queued.pop(job.id, job.created_at)
        if since >= self._began:  # else it waited because no server was running
            self._metrics.job_begun(max(0.0, (job.updated_at - since).total_seconds()))
