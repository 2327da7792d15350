"""Watches the models and the jobs: a log line for all that happens to a model, numbers for metrics, and true sizes."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from vt import machine
from vt.cache import CacheObserver, CacheSnapshot, Reason
from vt.domain import Job, JobState
from vt.specs import Closable, ModelSpec
from vt.telemetry import Metrics, Residency

T = TypeVar("T", bound=Closable)
MB = 2**20
_KINDS = ("stt", "translation", "tts")
_LEAST, _MOST = 0.5, 2.0
"""Times its estimate: what a load can have added. The rest is other threads' doing."""

_log = logging.getLogger("vt.models")


class CacheWatch(CacheObserver):
    """Tells log and metrics what the cache does; every line has key, seconds and megabytes."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        resident: Callable[[], int] = machine.resident_bytes,
        trim: Callable[[], None] = machine.trim,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._resident = resident
        self._trim = trim
        self._known: dict[str, tuple[float, int]] = {}
        """By key: since when it loads or is loaded, and its size."""

    def metered(self, spec: ModelSpec[T]) -> ModelSpec[T]:
        """Return `spec` with its load timed for the log, and measured where it does not measure itself.

        A model takes what the process grew by while it was loaded: the cache loads one at a time. Memory that is free
        but not given back would hide a part of that, or be taken for it, and so is given back before and after.
        """
        grown: list[int] = []

        def load() -> T:
            self._known[spec.key] = (self._clock(), spec.estimated_bytes)
            self._trim()
            before = self._resident()
            model = spec.load()
            self._trim()
            grown[:] = [self._resident() - before]
            return model

        def measured(_: T) -> int:
            bounds = round(_LEAST * spec.estimated_bytes), round(_MOST * spec.estimated_bytes)
            return min(max(grown[0], bounds[0]), bounds[1])

        def prepare() -> None:
            self._known[spec.key] = (self._clock(), spec.estimated_bytes)
            if spec.prepare is not None:
                spec.prepare()

        return replace(spec, load=load, measured=spec.measured or measured, prepare=prepare)

    def waited(self, key: str, seconds: float) -> None:
        """Count a wait."""
        self._metrics.waited(_kind(key), seconds)

    def loaded(self, key: str, seconds: float, size: int) -> None:
        """Note a model that became resident."""
        self._known[key] = (self._clock(), size)
        self._metrics.loaded(_kind(key), seconds)
        _log.info("loaded %s in %.2f s, %.1f MB", key, seconds, size / MB)

    def failed(self, key: str, message: str) -> None:
        """Note what went wrong."""
        self._metrics.failed(_kind(key))
        _log.warning("failed %s after %.2f s, %.1f MB: %s", key, *self._age(key), message)

    def over_budget(self, key: str, size: int, budget: int) -> None:
        """Warn of a model that is larger than all memory for models."""
        _log.warning("oversized %s, %.1f MB: more than the %.1f MB for models", key, size / MB, budget / MB)

    def retired(self, key: str) -> None:
        """Note a model that goes with its last lease."""
        _log.info("retiring %s after %.2f s, %.1f MB", key, *self._age(key))

    def evicted(self, key: str, reason: Reason, size: int) -> None:
        """Note a model that went."""
        seconds, _ = self._age(key)
        self._metrics.evicted(_kind(key), reason)
        _log.info("evicted %s (%s) after %.2f s, %.1f MB", key, reason, seconds, size / MB)

    def _age(self, key: str) -> tuple[float, float]:
        since, size = self._known.get(key, (self._clock(), 0))
        return self._clock() - since, size / MB


def _kind(key: str) -> str:
    return key.partition("_")[0]


def residency(snapshot: CacheSnapshot) -> Residency:
    """Return what the metrics tell of a snapshot."""
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
        models=models,
        leases=leases,
        bytes=size,
    )


class JobWatch:
    """Tells the metrics what the jobs of a server do; it hears of each change, in the order of the changes."""

    def __init__(self, metrics: Metrics, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._metrics = metrics
        self._began = now()
        self._running: set[str] = set()
        self._queued: dict[str, datetime] = {}
        """Since when those wait that were put back, or edited."""

    def hear(self, job: Job) -> None:
        """Count what a change means; progress means nothing."""
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

    def _waited(self, job: Job) -> None:
        since = self._queued.pop(job.id, job.created_at)
        if since >= self._began:  # else it waited for a server
            self._metrics.job_begun(max(0.0, (job.updated_at - since).total_seconds()))
