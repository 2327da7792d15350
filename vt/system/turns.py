"""Turns of work whose memory is shared, and is released only when none of it runs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from vt.domain import Cancel


class Turns:
    """Lets so much work run side by side, in the order in which it came, and now and then waits until none does.

    Without the order, long work that asks for turn after turn would keep short work beside it waiting. Without the
    pauses, in a long film some work would always be running, and nothing would ever be released.
    """

    def __init__(self, at_once: int, a_round: int, most: float) -> None:
        """Give out turns.

        Args:
            at_once: how many there are at a time, at most.
            a_round: how many begin before all of them have to end.
            most: how large they are together, at most; one alone may be larger.
        """
        self._at_once, self._a_round, self._most = at_once, a_round, most
        self._running = self._begun = 0
        self._size = 0.0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def one(self, size: float, cancel: Cancel | None = None) -> Iterator[None]:
        """Wait for the turn of work of this size; it ends with the block.

        Raises:
            Cancelled: `cancel` was set meanwhile.
        """
        cancel = cancel or Cancel()

        def wake() -> None:  # a new function for each call: the threads of a job share one `Cancel`
            with self._changed:
                self._changed.notify_all()

        cancel.add(wake)
        try:
            self._take(size, cancel)
        finally:
            cancel.remove(wake)
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._size -= size
                self._changed.notify_all()

    def _take(self, size: float, cancel: Cancel) -> None:
        place = object()
        with self._changed:
            self._waiting.append(place)
            try:
                self._changed.wait_for(lambda: cancel.is_set or (self._waiting[0] is place and self.has_room(size)))
                cancel.check()
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()  # the next one is at the head now
            self._begun = self._begun + 1 if self._running else 1
            self._running += 1
            self._size += size

    @property
    def waiting(self) -> int:
        """How many wait for a turn now."""
        with self._changed:
            return len(self._waiting)

    def has_room(self, size: float) -> bool:
        """Whether a turn of this size can begin now, where nobody waits for one."""
        has_room = self._running < self._at_once and self._size + size <= self._most
        return not self._running or (has_room and self._begun < self._a_round)
