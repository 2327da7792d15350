"""The wire: how many connections a server has at a time, and how slow each of them may be."""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from vt.api import problems
from vt.visitors import Visitor

_MOST_CONNECTIONS = 2048
_MOST_DESCRIPTORS = 2**16
_OWN_DESCRIPTORS = 256
"""Of the process: its database, models, logs, and the pipes of its children."""
_MOST_OF_ONE = 1024
_WINDOWS = 4
"""Over so many looks a body's pace is measured: a train goes through tunnels."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server's connections may be."""

    connections: int
    """At most so many at a time."""
    each: int = _MOST_OF_ONE
    """Of one address, unless that is a proxy which is believed: it asks for many."""
    proxies: Container[str] = ()
    head_seconds: float = 10.0
    """For the head of a request, from its first byte, or from the connection."""
    body_seconds: float = 30.0
    """Between two looks at a body that comes: something has to have come."""
    least_rate: float = 1000.0
    """Bytes a second of a body, over some looks; an honest phone in a bad place has five times that."""
    whole_body_seconds: float = 7200.0
    """For a body from its begin to its end, without the time for which it is kept waiting here."""
    lingering_seconds: float = 30.0
    """For a body of which the answer wants no more: who sends on hears it before the line is cut."""
    stalled_seconds: float = 300.0
    """For an answer that nobody reads; a player that goes on asks for the rest again."""


def connections() -> int:
    """Return how many connections the process may have, after it was allowed as many files as it can be.

    Each connection may have a file of its own besides.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    there = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(16, min(_MOST_CONNECTIONS, (there - _OWN_DESCRIPTORS) // 2))


def of_each(most: int) -> int:
    """Return how many of `most` connections one address may have: where they are few, others find some too."""
    return min(_MOST_OF_ONE, max(16, most // 2))


def bounded(limits: Limits) -> type[asyncio.Protocol]:
    """Return a protocol for uvicorn that keeps to limits."""

    class Bounded(Line):
        pass

    Bounded.limits = limits
    return Bounded


class Line(H11Protocol):
    """One connection that speaks HTTP/1.1."""

    limits: Limits

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 (uvicorn's own)
        super().__init__(*arguments, **more)
        self._awaited: object = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._arrived = 0
        self._looks: deque[int] = deque(maxlen=_WINDOWS)
        self._looked = 0
        self._is_over = False

    # What the loop tells

    # The type is uvicorn's own.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or send it away where there are too many."""
        super().connection_made(transport)
        if refusal := self._one_too_many():
            self._end(refusal)
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        if self._is_over:
            return
        self._arrived += len(data)
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._unwatch()
        if self._stall:
            self._stall.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for a client that reads slowly, or not at all."""
        super().pause_writing()
        self._wait_for_reader(-1)

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._stall:
            self._stall.cancel()

    # What uvicorn tells

    def on_response_complete(self) -> None:
        """Go on to the next request, or to the rest of this one."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the line over; web sockets have time limits of their own."""
        self._is_over = True
        self._unwatch()
        super().handle_websocket_upgrade(event)

    # Limits

    def _one_too_many(self) -> tuple[int, str] | None:
        if len(self.connections) > self.limits.connections:
            return 503, "This server has too many connections: try again in a moment."
        if len(self.connections) <= self.limits.each:  # so nobody has more; a crowd need not be gone through
            return None
        peer = self.client[0] if self.client else ""
        clients = (getattr(line, "client", None) for line in self.connections)
        alike = sum(client is not None and _key(client[0]) == _key(peer) for client in clients)
        if alike > self.limits.each and peer not in self.limits.proxies:
            return 429, "Too many connections come from your address: close some, then try again."
        return None

    def _watch(self) -> None:
        """Start the clock of what is awaited, where that is something else than before."""
        awaited = self._now_awaited()
        if awaited == self._awaited or self._is_over:
            return
        self._unwatch()
        self._awaited = awaited
        if awaited is None:
            return
        what, _ = awaited
        if what == "body":
            self._looks.clear()
            self._looked = 0
            self._look(self._arrived)
        else:
            seconds = self.limits.head_seconds if what == "head" else self.limits.lingering_seconds
            self._timer = self.loop.call_later(seconds, self._end, None if what == "rest" else _TOO_SLOW)

    def _now_awaited(self) -> tuple[str, object] | None:
        """Return what has to come next, and of which request."""
        state = self.conn.their_state
        if state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0]):
            return "head", self.cycle
        if state is h11.SEND_BODY and self.cycle is not None:
            return ("rest" if self.cycle.response_complete else "body"), self.cycle
        return None  # nothing, or the next request, for which uvicorn has a clock

    def _look(self, before: int) -> None:
        """See whether a body has gone on since the last look, where nobody here has kept it from that."""
        self._timer = self.loop.call_later(self.limits.body_seconds, self._judge, before)

    def _judge(self, before: int) -> None:
        came = self._arrived - before
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._looks.clear()
        else:
            self._looks.append(came)
            self._looked += 1
            if not came or self._is_too_slow():
                self._end(_TOO_SLOW)
                return
        self._look(self._arrived)

    def _is_too_slow(self) -> bool:
        least = self.limits.least_rate * self.limits.body_seconds * _WINDOWS
        is_below = len(self._looks) == _WINDOWS and sum(self._looks) < least
        return is_below or self._looked * self.limits.body_seconds >= self.limits.whole_body_seconds

    def _wait_for_reader(self, left_before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left == left_before:
            self.transport.abort()
        else:
            self._stall = self.loop.call_later(self.limits.stalled_seconds, self._wait_for_reader, left)

    def _unwatch(self) -> None:
        self._awaited = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _end(self, refusal: tuple[int, str] | None) -> None:
        """Close the line, with an answer where none has begun and anything was asked."""
        self._is_over = True
        self._unwatch()
        has_begun = self.cycle is not None and self.cycle.response_started
        if refusal and not has_begun and (self._arrived or refusal is not _TOO_SLOW):
            self.transport.write(_answer(*refusal))
        self.transport.close()


@lru_cache(2 * _MOST_CONNECTIONS)
def _key(address: str) -> str:
    return Visitor(address).key


_TOO_SLOW = (408, "The request came too slowly, and was given up: send it again.")


def _answer(status: int, sentence: str) -> bytes:
    """Return a problem as it goes over the wire, by which the line ends."""
    response = problems.problem(status, sentence, {"Connection": "close"})
    reason = HTTPStatus(status).phrase
    head = [f"HTTP/1.1 {status} {reason}".encode(), *(b"%s: %s" % header for header in response.raw_headers)]
    return b"\r\n".join([*head, b"", b""]) + bytes(response.body)
