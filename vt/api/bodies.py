"""How large a request's body may be: one rule in front of all routes and the page, before anything of it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from vt.api import problems
from vt.jobs import MB, FilmTooLarge

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 2 * MB
"""Of a body that is no upload. The largest honest one has every line of a long film in it, each letter as six."""
FORM_BYTES = 100_000
"""What the form around a film may add to its size."""
_UPLOADS = {"/api/v1/jobs", "/api/v1/inspect", "/gradio_api/upload"}


class Bodies:
    """An ASGI application in front of another one, which never hears of a body beyond its limit."""

    def __init__(self, app: ASGIApp, max_upload_mb: int) -> None:
        self._app, self._max_upload_mb = app, max_upload_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(*self._limit(scope["path"]), scope, receive, send)
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length[:18]) > body.left:
            await body.refuse()
        else:
            await self._app(scope, body.receive, body.send)

    def _limit(self, path: str) -> tuple[int, str]:
        """Return how many bytes a body may have, and the sentence for when it has more."""
        if path.rstrip("/") in _UPLOADS:
            return self._max_upload_mb * MB + FORM_BYTES, str(FilmTooLarge(self._max_upload_mb))
        return MOST_BYTES, f"The request's body is too large: {MOST_BYTES // MB} MB are the most but for films."


class _Body:
    """One body, counted as it comes: not every client tells its length before."""

    def __init__(self, left: int, sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.left, self._sentence = left, sentence
        self._scope, self._receive, self._send = scope, receive, send
        self._is_answered = self._is_refused = False

    async def receive(self) -> Message:
        """Hand on what comes; what comes beyond the limit is for whoever reads as if the client had left."""
        message = await self._receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            await self.refuse()
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Hand on an answer, unless the client has been refused already."""
        if not self._is_refused:
            self._is_answered = True
            await self._send(message)

    async def refuse(self) -> None:
        """Answer in place of the application, where that has not begun to."""
        if not self._is_answered and not self._is_refused:
            self._is_refused = True
            await problems.problem(413, self._sentence)(self._scope, self._receive, self._send)
