"""Errors in the shapes of other services, under the paths where vt speaks as these do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers

from vt.api import problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Shape = Callable[[int, str], tuple[int, Mapping[str, Any]]]
"""Returns the status and the body of an error, from the status that it has here and its sentence."""
_KEPT = ("retry-after", "allow", "connection", "www-authenticate")


class ErrorShapes:
    """ASGI middleware around all that refuses: a problem becomes an error of the service that the path belongs to."""

    def __init__(self, app: ASGIApp, shapes: Mapping[str, Shape]) -> None:
        """`shapes`: by the beginning of the path, such as /v1."""
        self._app, self._shapes = app, shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        shape = self._shape(scope["path"]) if scope["type"] == "http" else None
        await self._app(scope, receive, _Reshaped(shape, scope, receive, send).sent if shape else send)

    def _shape(self, path: str) -> Shape | None:
        return next((shape for start, shape in self._shapes.items() if f"{path}/".startswith(f"{start}/")), None)


class _Reshaped:
    """One answer, which is held back where it is a problem."""

    def __init__(self, shape: Shape, scope: Scope, receive: Receive, send: Send) -> None:
        self._shape, self._scope, self._receive, self._send = shape, scope, receive, send
        self._problem: Message | None = None
        self._body = bytearray()

    async def sent(self, message: Message) -> None:
        """Pass on a message, or send another answer in its place."""
        if message["type"] == "http.response.start" and self._is_problem(message):
            self._problem = message
        elif self._problem is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._answer(self._problem)

    @staticmethod
    def _is_problem(message: Message) -> bool:
        return Headers(raw=message["headers"]).get("content-type", "") == problems.MEDIA_TYPE

    async def _answer(self, problem: Message) -> None:
        headers = Headers(raw=problem["headers"])
        status, content = self._shape(problem["status"], str(json.loads(self._body)["detail"]))
        kept = {name: headers[name] for name in _KEPT if name in headers}
        await JSONResponse(content, status, kept)(self._scope, self._receive, self._send)
