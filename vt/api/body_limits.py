"""Limits of a request's body, for all routes and the page, applied before the body is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from vt.api import problems
from vt.errors import FilmTooLarge, TooManyRequests
from vt.jobs.job_service import MB
from vt.web import visitors
from vt.web.multipart import FORM_BYTES
from vt.web.visitors import ConcurrencyLimit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 2 * MB
"""The limit for bodies other than uploads; enough for all lines of a long film with every letter escaped."""
MOST_VALUES = 50_000
"""JSON values in a body other than an upload: twice those of an edit of every field of a two-hour film."""
_UPLOADS = {
    *("/api/v1/jobs", "/api/v1/inspect", "/gradio_api/upload"),
    *("/v1/audio/transcriptions", "/v1/audio/translations"),
}
_CALLS = "/mcp"
_SEPARATORS = (b",", b"[", b"{")
"""Every JSON value but the first follows one of these. Those in strings are counted too: parsing would cost more."""

_TOO_LARGE = f"The request's body is too large: {MOST_BYTES // MB} MB are the most but for films."
_FILM_IN_A_CALL = "The call is too large: a film above 1.4 MB is sent by HTTP, as the tool send_large_film says."
_TOO_MUCH = f"The request's body has too much in it: {MOST_VALUES} values are the most."


class BodyLimits:
    """ASGI middleware: the application behind it never receives more of a body than allowed."""

    def __init__(self, app: ASGIApp, max_upload_mb: int) -> None:
        self._app, self._max_upload_mb = app, max_upload_mb
        # Each such body is held in memory. Uploads are not, and have another limit.
        self._held = ConcurrencyLimit("requests with a body", each=32, total=256)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = self._body(scope, receive, send)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:18]) > body.left:
            await body.refuse()
        elif body.is_upload or not (length.strip("0") or "transfer-encoding" in headers):
            await self._app(scope, body.receive, body.send)
        else:
            await self._counted(body, scope, receive, send)

    async def _counted(self, body: _Body, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._held.held(visitors.of(scope).key):
                await self._app(scope, body.receive, body.send)
        except TooManyRequests as error:
            await problems.of(error)(scope, receive, send)

    def _body(self, scope: Scope, receive: Receive, send: Send) -> _Body:
        if scope["path"].rstrip("/") in _UPLOADS:
            most, sentence = self._max_upload_mb * MB + FORM_BYTES, str(FilmTooLarge(self._max_upload_mb))
            return _Body(most, sentence, scope, receive, send, is_upload=True)
        is_call = scope["path"].rstrip("/") == _CALLS
        return _Body(MOST_BYTES, _FILM_IN_A_CALL if is_call else _TOO_LARGE, scope, receive, send)


class _Body:
    """One body, counted while it arrives: not every client sends its length first."""

    def __init__(
        self, left: int, sentence: str, scope: Scope, receive: Receive, send: Send, *, is_upload: bool = False
    ) -> None:
        self.left, self._sentence, self.is_upload = left, sentence, is_upload
        self._values = 0
        self._scope, self._receive, self._send = scope, receive, send
        self._is_answered = self._is_refused = False

    async def receive(self) -> Message:
        """Pass on what arrives; beyond the limit tell the application that the client has disconnected."""
        message = await self._receive()
        chunk = message.get("body", b"")
        self.left -= len(chunk)
        if not self.is_upload:
            # Counted before JSON is parsed: parsing blocks all requests, for half a second with a million empty lists.
            self._values += sum(map(chunk.count, _SEPARATORS))
        if self._values > MOST_VALUES:
            self._sentence = _TOO_MUCH
        elif self.left >= 0:
            return message
        await self.refuse()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass on an answer, unless the client has been refused already."""
        if not self._is_refused:
            self._is_answered = True
            await self._send(message)

    async def refuse(self) -> None:
        """Answer in place of the application, if that has not begun to answer."""
        if not self._is_answered and not self._is_refused:
            self._is_refused = True
            await problems.problem(413, self._sentence)(self._scope, self._receive, self._send)
