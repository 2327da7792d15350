"""Downloads and conversions under way: each by a thread of its own, for all who wait for it, as long as anyone does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vt.domain import Cancel
from vt.errors import Cancelled
from vt.logs import carried
from vt.once import Tell

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 1.0
"""Who waits in the cache behind somebody that has left takes over within a moment."""
_GOODBYE_SECONDS = 2.0

Later = Callable[[float, Callable[[], None]], object]
"""Does something after so many seconds."""


def _later(seconds: float, action: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


@dataclass(slots=True, eq=False)
class _Work:
    """One preparation under way."""

    cancel: Cancel = field(default_factory=Cancel)
    ended: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0
    failure: Exception | None = None


class Preparations:
    """Those of a process. Any thread may call any method."""

    def __init__(self, later: Later = _later) -> None:
        self.tell: Tell = lambda _: None
        """Is told what goes on, in sentences."""
        self._later = later
        self._lock = threading.Lock()
        self._works: dict[str, _Work] = {}
        self._news: str | None = None

    @property
    def news(self) -> str | None:
        """What was told last of what is under way; None where nothing is."""
        return self._news

    def told(self, sentence: str) -> None:
        """Take in what a preparation tells, and pass it on."""
        with self._lock:
            self._news = sentence if self._works else None
        self.tell(sentence)

    def run(self, name: str, make: Callable[[Cancel], object], cancel: Cancel) -> None:
        """Have `make` done, by now or by somebody who has begun it already, and wait for its end.

        Who sets `cancel` is free at once, whatever the hub does; the work goes on until nobody waits for it.

        Raises:
            Cancelled: `cancel` was set.
            VtError: as `make` does.
        """
        cancel.check()
        work = self._joined(name, make)
        try:
            while not work.ended.wait(_POLL_SECONDS):
                cancel.check()
        except Cancelled:
            self._leave(name, work)
            raise
        except BaseException:  # the process is about to end
            self._end(name, work)
            work.ended.wait(_GOODBYE_SECONDS)
            raise
        if work.failure is not None:
            raise work.failure

    def close(self) -> None:
        """End all of it, and give it a moment to clear up behind itself."""
        with self._lock:
            works = dict(self._works)
        for name, work in works.items():
            self._end(name, work)
        for work in works.values():
            work.ended.wait(_GOODBYE_SECONDS / len(works))

    def _joined(self, name: str, make: Callable[[Cancel], object]) -> _Work:
        with self._lock:
            work = self._works.get(name)
            if work is None:
                work = self._works[name] = _Work()
                threading.Thread(
                    target=carried(self._do), args=(name, work, make), name="vt-prepare", daemon=True
                ).start()
            work.waiting += 1
        return work

    def _do(self, name: str, work: _Work, make: Callable[[Cancel], object]) -> None:
        try:
            make(work.cancel)
        except Exception as error:  # noqa: BLE001 (raised where it is waited for)
            work.failure = error
        finally:
            with self._lock:
                self._forget(name, work)
            work.ended.set()

    def _leave(self, name: str, work: _Work) -> None:
        with self._lock:
            work.waiting -= 1
            last = not work.waiting
        if last:
            self._later(_GRACE_SECONDS, lambda: self._end(name, work, unless_awaited=True))

    def _end(self, name: str, work: _Work, *, unless_awaited: bool = False) -> None:
        """Have a preparation stopped; from here on nobody joins it."""
        with self._lock:
            if unless_awaited and work.waiting:
                return
            self._forget(name, work)
        work.cancel.set()

    def _forget(self, name: str, work: _Work) -> None:
        """Take a preparation off the books, under the lock."""
        if self._works.get(name) is work:
            del self._works[name]
        self._news = self._news if self._works else None
