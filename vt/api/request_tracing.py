"""Request ids, in answers and in the lines of the log, and metrics of requests."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from vt.system import logs
from vt.system.metrics import Metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_CLEAN = re.compile(r"[A-Za-z0-9-]{4,36}")
"""The form of an id that a client may give: at most as long as a UUID, with no characters that could fake log lines."""
_BEGINS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""All other methods count as one, so that invented ones do not add metrics."""
_PAGE, _UNKNOWN = "page", "unknown"
_PROBES = ("/health", "/ready")
"""Routes for which 503 is a normal answer."""
_REFUSALS = {401, 403, 408, 413, 421, 429, 431, 503, 507}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trace:
    """What the metrics need to know of a request."""

    route: str = _PAGE
    reason: str = ""


_trace: ContextVar[_Trace | None] = ContextVar("vt_trace", default=None)


def note_reason(reason: str) -> None:
    """Set the reason under which the metrics count the refusal of the present request."""
    if trace := _trace.get():
        trace.reason = reason


class RouteTracing:
    """ASGI middleware around the routes that stores the route of a request before its answer begins."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def seen(message: Message) -> None:
            _note_route(scope)
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            _note_route(scope)  # an unexpected error is answered by an outer middleware, not through `seen`


def _note_route(scope: Scope) -> None:
    if trace := _trace.get():
        route = getattr(scope.get("route"), "path", "")
        trace.route = f"{scope.get('root_path', '')}{route}" if route else _UNKNOWN  # of a mounted application: where


class RequestTracing:
    """The outermost ASGI middleware: gives each request an id, and counts its answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._metrics, self._clock = app, metrics, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began, name, trace = self._clock(), _request_id(scope), _Trace()

        async def named(message: Message) -> None:
            if message["type"] in _BEGINS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = name
                self._count(scope, trace, message.get("status", HTTPStatus.SWITCHING_PROTOCOLS), began)
            await send(message)

        self._metrics.connected(1)
        token = _trace.set(trace)
        try:
            with logs.about(request=name):
                await self._app(scope, receive, named)
        finally:
            _trace.reset(token)
            self._metrics.connected(-1)

    def _count(self, scope: Scope, trace: _Trace, status: int, began: float) -> None:
        seconds = self._clock() - began
        asked = scope.get("method", "WEBSOCKET")
        _log.debug("%s %s: %d, %.0f ms", asked, scope["path"], status, 1000 * seconds)
        method = asked if asked in _METHODS or scope["type"] == "websocket" else "OTHER"
        self._metrics.answered(method, trace.route, status, seconds)
        if status in _REFUSALS and trace.route not in _PROBES:
            self._metrics.refused(trace.reason or HTTPStatus(status).name.lower())


def _request_id(scope: Scope) -> str:
    """Return the id that the client gave to the request if it has the allowed form, else a new one."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if _CLEAN.fullmatch(given) else secrets.token_hex(4)
