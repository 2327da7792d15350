"""Limits the results of calls that Gradio keeps until somebody listens, and removes those that nobody fetches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gradio as gr

from vt.errors import TooManyRequests

_EACH, _TOTAL = 32, 256
"""Calls that run or wait to be fetched, of one visitor and of all. The longest answer takes 700 kB of memory."""
_MOST_MESSAGES = 1000
"""Messages that may wait in one session. With more, it may neither call nor cancel."""
_KEPT_SECONDS = 120.0
"""How long a session is kept while nobody listens."""


@dataclass(slots=True)
class _Session:
    visitor: str
    """Who opened it. All its calls count for this visitor."""
    silent_since: float
    listeners: int = 0


class Results:
    """The calls in a page's queue that run or wait to be fetched. All methods are called on the event loop."""

    def __init__(self, page: gr.Blocks, clock: Callable[[], float] = time.monotonic) -> None:
        self._page = page
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._joining: Counter[str] = Counter()

    @contextmanager
    def joined(self, session: str, visitor: str) -> Iterator[None]:
        """Count one more call of a session while the block runs.

        Raises:
            TooManyRequests: too many calls run or wait to be fetched, or too many messages wait in this session.
        """
        self.check_backlog(session)
        if not self._pending(session) and not self._listeners(session):
            self._sessions[session] = _Session(visitor, self._clock())
        begun_by = self._sessions.setdefault(session, _Session(visitor, self._clock())).visitor
        self._check(begun_by)
        self._joining[begun_by] += 1
        try:
            yield
        finally:
            self._joining[begun_by] -= 1
            self._joining += Counter()  # drops those that are at zero
            if not self._pending(session) and not self._listeners(session):
                self._forget(session)  # it was refused

    def check_backlog(self, session: str) -> None:
        """Raise TooManyRequests where too many messages of a session wait for a listener."""
        waiting = self._page._queue.pending_messages_per_session.get(session)
        if waiting is not None and waiting.qsize() >= _MOST_MESSAGES:
            raise TooManyRequests("Too much of this session waits to be fetched: listen to its results first.")

    @contextmanager
    def heard(self, session: str) -> Iterator[None]:
        """Keep a session while somebody listens to it."""
        known = self._sessions.setdefault(session, _Session("", self._clock()))
        known.listeners += 1
        try:
            yield
        finally:
            known.listeners -= 1
            known.silent_since = self._clock()
            if not known.listeners and not self._awaited(session):
                self._forget(session)

    async def sweep(self) -> None:
        """Forget the sessions that nobody has listened to for long, and end their calls."""
        latest = self._clock() - _KEPT_SECONDS
        for session in [name for name, known in self._sessions.items() if known.silent_since <= latest]:
            if not self._listeners(session):
                for event in self._forget(session):
                    await self._page._queue.clean_events(event_id=event)

    def _check(self, visitor: str) -> None:
        counted = self._joining.copy()
        for name, session in self._sessions.items():
            counted[session.visitor] += len(self._pending(name))
        if counted[visitor] >= _EACH:
            raise TooManyRequests(
                "Too many calls from your address are under way or unfetched ({count} are the most): fetch their "
                "results, then try again.",
                count=_EACH,
            )
        if counted.total() >= _TOTAL:
            raise TooManyRequests("This server has too many calls at once: try again in a moment.")

    def _listeners(self, session: str) -> int:
        return self._sessions[session].listeners if session in self._sessions else 0

    def _pending(self, session: str) -> set[str]:
        """Return the calls of a session whose end has not been sent yet."""
        return self._page._queue.pending_event_ids_session.get(session, set())

    def _awaited(self, session: str) -> bool:
        """Tell whether a call goes on although its listener has left."""
        events = self._page._queue.event_ids_to_events
        return any(event not in events or events[event].alive for event in self._pending(session))

    def _forget(self, session: str) -> set[str]:
        """Remove all that is kept of a session, and return its calls. No message about them is sent from now on."""
        queue, pending = self._page._queue, set(self._pending(session))
        for event in pending & queue.event_ids_to_events.keys():
            queue.event_ids_to_events[event].alive = False  # else Gradio would send messages to a session that is gone
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)
        self._sessions.pop(session, None)
        return pending
