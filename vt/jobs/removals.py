"""Removals that can be taken back for a few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from vt.errors import VtError

UNDO_SECONDS = 10.0


class Removals:
    """The jobs that are about to be removed. Any thread may call any method.

    A server that ends removes them at once. If it is killed meanwhile, such a job stays until it expires.
    """

    def __init__(self, remove: Callable[[str], None], seconds: float = UNDO_SECONDS) -> None:
        """`remove` removes one job; `seconds`: how long that can be taken back."""
        self._remove, self._seconds = remove, seconds
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Timer] = {}

    def begin(self, job_id: str) -> None:
        """Have a job removed after a while, unless that is taken back."""
        timer = threading.Timer(self._seconds, self._end, (job_id,))
        timer.daemon = True
        with self._lock:
            if job_id in self._waiting:
                return
            self._waiting[job_id] = timer
        timer.start()

    def take_back(self, job_id: str) -> bool:
        """Let a job stay; False where it is too late."""
        with self._lock:
            timer = self._waiting.pop(job_id, None)
        if timer:
            timer.cancel()
        return timer is not None

    def close(self) -> None:
        """Remove at once whatever waits for it."""
        with self._lock:
            waiting = list(self._waiting)
        for job_id in waiting:
            self._end(job_id)

    def _end(self, job_id: str) -> None:
        if self.take_back(job_id):
            with suppress(VtError):  # it has gone already, or the server is about to end
                self._remove(job_id)
