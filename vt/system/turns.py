"""Turns of work whose memory is shared, and is released only when none of it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets so much work run side by side, and now and then waits until none does.

    Without that, in a long film some work would always be running, and nothing would ever be released.
    """

    def __init__(self, at_once: int, a_round: int) -> None:
        """Give out turns.

        Args:
            at_once: how many there are at a time, at most.
            a_round: how many begin before all of them have to end.
        """
        self._at_once, self._a_round = at_once, a_round
        self._running = self._begun = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a turn; it ends with the block."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_free)
            self._begun = self._begun + 1 if self._running else 1
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @property
    def is_free(self) -> bool:
        """Whether a turn can begin now."""
        return not self._running or (self._running < self._at_once and self._begun < self._a_round)
