"""Removals that can be taken back for a few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from vt.errors import JobNotFound, VtError

_log = logging.getLogger(__name__)

UNDO_SECONDS = 10.0
_MOST = 200
"""Each job that waits has a thread: of more than so many the first one is removed before its time."""


class Removing(Protocol):
    """Where the jobs are."""

    def announce_removal(self, job_id: str) -> None:
        """Note that a job is to be removed, so that it is removed also if the server dies before."""

    def withdraw_removal(self, job_id: str) -> None:
        """Forget that a job was to be removed."""

    def remove(self, job_id: str) -> None:
        """Remove a job."""


class Removals:
    """The jobs that are about to be removed. Any thread may call any method.

    A server that ends removes them at once. If it is killed meanwhile, the next start removes them.
    """

    def __init__(self, jobs: Callable[[], Removing], seconds: float = UNDO_SECONDS) -> None:
        """`jobs` returns where the jobs are; `seconds`: how long a removal can be taken back."""
        self._jobs, self._seconds = jobs, seconds
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Timer] = {}

    def begin(self, job_id: str) -> None:
        """Have a job removed after a while, unless that is taken back."""
        timer = threading.Timer(self._seconds, self._end, (job_id,))
        timer.daemon = True
        with self._lock:
            if job_id in self._waiting:
                return
            self._jobs().announce_removal(job_id)
            self._waiting[job_id] = timer
            oldest = next(iter(self._waiting)) if len(self._waiting) > _MOST else None
        timer.start()
        if oldest is not None:
            self._end(oldest)

    def take_back(self, job_id: str) -> bool:
        """Let a job stay; False where it is too late."""
        with self._lock:
            timer = self._waiting.get(job_id)
            if timer is None:
                return False
            self._jobs().withdraw_removal(job_id)
            del self._waiting[job_id]
        timer.cancel()
        return True

    @property
    def waiting(self) -> set[str]:
        """The ids of the jobs that are about to be removed."""
        with self._lock:
            return set(self._waiting)

    def close(self) -> None:
        """Remove at once whatever waits for it."""
        with self._lock:
            waiting = list(self._waiting)
        for job_id in waiting:
            self._end(job_id)

    def _end(self, job_id: str) -> None:
        with self._lock:
            timer = self._waiting.pop(job_id, None)
        if timer is None:
            return
        timer.cancel()
        try:
            self._jobs().remove(job_id)
        except JobNotFound:
            _log.debug("a job had gone before it was removed")
        except VtError as error:
            _log.warning("a job is removed at the next start, because this failed: %s", error)
