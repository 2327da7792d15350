"""Turns of work whose memory is shared, and is released only when none of it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets so much work run side by side, and now and then waits until none does.

    Without that, in a long film some work would always be running, and nothing would ever be released.
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
        self._changed = threading.Condition()

    @contextmanager
    def one(self, size: float) -> Iterator[None]:
        """Wait for the turn of work of this size; it ends with the block."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_room(size))
            self._begun = self._begun + 1 if self._running else 1
            self._running += 1
            self._size += size
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._size -= size
                self._changed.notify_all()

    def has_room(self, size: float) -> bool:
        """Whether a turn of this size can begin now."""
        has_room = self._running < self._at_once and self._size + size <= self._most
        return not self._running or (has_room and self._begun < self._a_round)
