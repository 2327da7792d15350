"""What each request leaves behind: an id in all lines that the log has of it, and in its answer."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from vt import logs

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_CLEAN = re.compile(r"[A-Za-z0-9-]{4,36}")
"""What a caller may name a request itself: a UUID or less, and nothing that a log could be fooled with."""
_BEGINS = ("http.response.start", "websocket.accept")

_log = logging.getLogger(__name__)


class Traced:
    """An ASGI application in front of all others."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app, self._clock = app, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began, name = self._clock(), _name(scope)

        async def named(message: Message) -> None:
            if message["type"] in _BEGINS:
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = name
                milliseconds = 1000 * (self._clock() - began)
                asked = scope.get("method", "WebSocket")
                _log.debug("%s %s: %s, %.0f ms", asked, scope["path"], message.get("status", 101), milliseconds)
            await send(message)

        with logs.about(request=name):
            await self._app(scope, receive, named)


def _name(scope: Scope) -> str:
    """Return the name that the caller gave to the request where it is a clean and short one, else a new one."""
    given = Headers(scope=scope).get(HEADER, "")
    return given if _CLEAN.fullmatch(given) else secrets.token_hex(4)
