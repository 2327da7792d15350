"""Limits how many connections a server has, and how slowly each may send or receive."""

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
from vt.web.visitors import Visitor

_MOST_CONNECTIONS = 2048
_MOST_DESCRIPTORS = 2**16
_OWN_DESCRIPTORS = 256
"""File descriptors that the process needs otherwise: for database, models, logs, and the pipes of children."""
_MOST_OF_ONE = 1024
_CHECKS_AVERAGED = 4
"""How many checks the rate of a body is averaged over: a phone in a train may lose its network for a while."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a server's connections."""

    connections: int
    """The most at a time."""
    each: int = _MOST_OF_ONE
    """The most from one address, unless it is a trusted proxy, which has the connections of many clients."""
    proxies: Container[str] = ()
    head_seconds: float = 10.0
    """For the head of a request, from the start of the connection or from the head's first byte."""
    body_seconds: float = 30.0
    """Between two checks of a body that is received: in this time some bytes have to arrive."""
    least_rate: float = 1000.0
    """The least rate of a body in bytes a second, averaged over checks; a bad mobile connection has five times that."""
    whole_body_seconds: float = 7200.0
    """For a whole body, without the time in which this server paused it."""
    lingering_seconds: float = 30.0
    """For a client that still sends its body after the answer, so that it can read the answer before it is closed."""
    stalled_seconds: float = 300.0
    """For an answer that the client does not read; a paused video player requests the rest again later."""


def connections() -> int:
    """Raise the process's limit of open files as far as possible, and return how many connections it may have.

    Each connection may need one more file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    there = _MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    return max(16, min(_MOST_CONNECTIONS, (there - _OWN_DESCRIPTORS) // 2))


def of_each(most: int) -> int:
    """Return how many of `most` connections one address may have: at most half, so that others get some too."""
    return min(_MOST_OF_ONE, max(16, most // 2))


def bounded(limits: Limits) -> type[asyncio.Protocol]:
    """Return a protocol class for uvicorn with these limits."""

    class Bounded(BoundedConnection):
        pass

    Bounded.limits = limits
    return Bounded


class BoundedConnection(H11Protocol):
    """One connection that speaks HTTP/1.1."""

    limits: Limits

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 (uvicorn's own)
        super().__init__(*arguments, **more)
        self._awaited: object = None
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._arrived = 0
        self._bytes_per_check: deque[int] = deque(maxlen=_CHECKS_AVERAGED)
        self._checks = 0
        self._is_closed = False

    # Called by the event loop

    # The type is uvicorn's own.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if refusal := self._refusal():
            self._close(refusal)
        else:
            self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take received bytes."""
        if self._is_closed:
            return
        self._arrived += len(data)
        super().data_received(data)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers of a connection that has ended."""
        self._stop_timer()
        if self._stall:
            self._stall.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timer for a client that reads slowly, or not at all."""
        super().pause_writing()
        self._wait_for_reader(-1)

    def resume_writing(self) -> None:
        """Stop that timer: the client has read."""
        super().resume_writing()
        if self._stall:
            self._stall.cancel()

    # Called by uvicorn

    def on_response_complete(self) -> None:
        """Start the timer for the next request, or for the rest of this one's body."""
        super().on_response_complete()
        self._start_timer()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the web socket, which has other time limits."""
        self._is_closed = True
        self._stop_timer()
        super().handle_websocket_upgrade(event)

    # Limits

    def _refusal(self) -> tuple[int, str] | None:
        if len(self.connections) > self.limits.connections:
            return 503, "This server has too many connections: try again in a moment."
        if len(self.connections) <= self.limits.each:  # then no address can have more
            return None
        peer = self.client[0] if self.client else ""
        clients = (getattr(line, "client", None) for line in self.connections)
        alike = sum(client is not None and _key(client[0]) == _key(peer) for client in clients)
        if alike > self.limits.each and peer not in self.limits.proxies:
            return 429, "Too many connections come from your address: close some, then try again."
        return None

    def _start_timer(self) -> None:
        """Start the timer for what the client has to send next, unless it runs already."""
        awaited = self._now_awaited()
        if awaited == self._awaited or self._is_closed:
            return
        self._stop_timer()
        self._awaited = awaited
        if awaited is None:
            return
        what, _ = awaited
        if what == "body":
            self._bytes_per_check.clear()
            self._checks = 0
            self._schedule_body_check(self._arrived)
        else:
            seconds = self.limits.head_seconds if what == "head" else self.limits.lingering_seconds
            self._timer = self.loop.call_later(seconds, self._close, None if what == "rest" else _TOO_SLOW)

    def _now_awaited(self) -> tuple[str, object] | None:
        """Return what the client has to send next ("head", "body" or "rest"), and of which request; None: nothing."""
        state = self.conn.their_state
        if state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0]):
            return "head", self.cycle
        if state is h11.SEND_BODY and self.cycle is not None:
            return ("rest" if self.cycle.response_complete else "body"), self.cycle
        return None  # for the next request of a connection uvicorn has its own timer

    def _schedule_body_check(self, before: int) -> None:
        """Schedule the next check whether more of a body has arrived; `before`: bytes that have arrived by now."""
        self._timer = self.loop.call_later(self.limits.body_seconds, self._check_body, before)

    def _check_body(self, before: int) -> None:
        came = self._arrived - before
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._bytes_per_check.clear()
        else:
            self._bytes_per_check.append(came)
            self._checks += 1
            if not came or self._is_too_slow():
                self._close(_TOO_SLOW)
                return
        self._schedule_body_check(self._arrived)

    def _is_too_slow(self) -> bool:
        least = self.limits.least_rate * self.limits.body_seconds * _CHECKS_AVERAGED
        is_below = len(self._bytes_per_check) == _CHECKS_AVERAGED and sum(self._bytes_per_check) < least
        return is_below or self._checks * self.limits.body_seconds >= self.limits.whole_body_seconds

    def _wait_for_reader(self, left_before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left == left_before:
            self.transport.abort()
        else:
            self._stall = self.loop.call_later(self.limits.stalled_seconds, self._wait_for_reader, left)

    def _stop_timer(self) -> None:
        self._awaited = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _close(self, refusal: tuple[int, str] | None) -> None:
        """Close the connection; with an answer if none has begun and a request has arrived."""
        self._is_closed = True
        self._stop_timer()
        has_begun = self.cycle is not None and self.cycle.response_started
        if refusal and not has_begun and (self._arrived or refusal is not _TOO_SLOW):
            self.transport.write(_answer(*refusal))
        self.transport.close()


@lru_cache(2 * _MOST_CONNECTIONS)
def _key(address: str) -> str:
    return Visitor(address).key


_TOO_SLOW = (408, "The request came too slowly, and was given up: send it again.")


def _answer(status: int, sentence: str) -> bytes:
    """Return a problem as the bytes of an HTTP response that closes the connection."""
    response = problems.problem(status, sentence, {"Connection": "close"})
    reason = HTTPStatus(status).phrase
    head = [f"HTTP/1.1 {status} {reason}".encode(), *(b"%s: %s" % header for header in response.raw_headers)]
    return b"\r\n".join([*head, b"", b""]) + bytes(response.body)
