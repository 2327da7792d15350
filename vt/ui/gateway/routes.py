"""Guards the page: decides which of Gradio's routes are open, and checks each request before Gradio gets it."""

from __future__ import annotations

import json
import re
import secrets
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import JSONResponse, Response

from vt.errors import BadCall, BrokenCall, NoSuchCall, TooManyRequests, WrongMethod, WrongType
from vt.ui.gateway import document, sign_in
from vt.ui.gateway.calls import SESSION, Calls
from vt.ui.gateway.compression import Compressor
from vt.ui.gateway.results import Results
from vt.ui.gateway.uploads import COOKIE, Owner
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of
from vt.web.visitors import ConcurrencyLimit

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_API = "/gradio_api"
_OPEN = {
    "page": (("GET", "HEAD"), re.compile(r"/")),
    "look": (
        ("GET", "HEAD"),
        re.compile(
            r"/(?:config|theme\.css|favicon\.ico|manifest\.json|robots\.txt|(?:assets|static|films|shared)/.+)"
            rf"|{_API}/(?:info|app_id|file=.+)"
        ),
    ),
    "stream": (
        ("GET",),
        re.compile(rf"{_API}/(?:upload_progress|queue/data|heartbeat/(?P<session>[^/]+)|call/[^/]+/(?P<event>[^/]+))"),
    ),
    "call": (("POST",), re.compile(rf"{_API}/(?:(?P<route>run|call)/(?P<name>[^/]+)|queue/join|cancel|reset)")),
    "upload": (("POST",), re.compile(rf"{_API}/upload|/films/link")),
    "lines": (("POST",), re.compile(r"/films/[^/]+/(?:lines|drafts)")),
}
"""The routes that the page and gradio_client use, grouped by how a request is checked. All others are closed."""
_THREADS = 4
"""Threads that check calls. A check takes milliseconds."""


class Doors:
    """An ASGI application in front of the one that Gradio is mounted in."""

    def __init__(
        self, app: ASGIApp, page: gr.Blocks, results: Results, *, embedded: bool, signs_in: bool = False
    ) -> None:
        """Put the guard in front of an application.

        Args:
            app: the application behind.
            page: whose functions may be called.
            results: the results of the page's calls that wait to be fetched.
            embedded: the page is shown in a frame of another site, so that its cookies are third-party cookies.
            signs_in: visitors may sign in.
        """
        self._app = app
        self._calls = Calls(page)
        self._results = results
        self._embedded, self._signs_in = embedded, signs_in
        self._threads = CapacityLimiter(_THREADS)
        self._compressor = Compressor()
        self._at_work = ConcurrencyLimit("calls", each=32, total=512)
        self._listening = ConcurrencyLimit("open pages", each=64, total=1024)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or refuse it."""
        if scope["type"] == "http":
            try:
                await self._let_through(scope, receive, send)
            except (BadCall, TooManyRequests) as error:
                await _refusal(error)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _let_through(self, scope: Scope, receive: Receive, send: Send) -> None:
        visitor = visitors.of(scope).key
        if self._signs_in and scope["path"] in sign_in.ROUTES:
            with self._at_work.held(visitor):
                await self._app(sign_in.checked(scope), receive, send)
            return
        door, found = _door(scope["method"], scope["path"])
        if door == "call":
            with self._at_work.held(visitor):
                await self._call(found, visitor, scope, receive, send)
        elif door == "stream":
            session = self._session(scope, found)
            with self._listening.held(visitor), self._results.heard(session) if session else nullcontext():
                await self._app(scope, receive, send)
        elif door == "lines":
            with self._at_work.held(visitor):
                await self._app(scope, receive, send)
        elif door == "page":
            # The only query that Gradio reads here names a file with the page's state: it is not let through.
            cookie = self._with_cookie(scope, send)
            await document.serve(self._app, self._compressor, {**scope, "query_string": b""}, receive, cookie)
        elif door == "look":
            await document.look(self._app, self._compressor, scope, receive, send, embedded=self._embedded)
        else:
            await self._app(scope, receive, send)

    async def _call(self, found: re.Match[str], visitor: str, scope: Scope, receive: Receive, send: Send) -> None:
        route = found["route"] or scope["path"].split("/")[2]
        body = await _read(scope, receive)
        # In a thread: the body may be large, and the check looks at files.
        session, checked = await to_thread.run_sync(
            self._calls.checked, route, found["name"] or "", body, Owner.of(scope), limiter=self._threads
        )
        headers = MutableHeaders(raw=list(scope["headers"]))
        headers["content-length"] = str(len(checked))
        del headers["transfer-encoding"]
        with self._joined(route, session, visitor):
            await self._app(
                {**scope, "headers": headers.raw}, _replaying(checked, receive), _blaming_the_right_one(send)
            )

    def _joined(self, route: str, session: str, visitor: str) -> AbstractContextManager[None]:
        """Count a call whose result is kept until somebody listens."""
        if route == "cancel":
            self._results.check_backlog(session)  # each cancel adds a message to the session
        return self._results.joined(session, visitor) if route in ("call", "queue") else nullcontext()

    def _session(self, scope: Scope, found: re.Match[str]) -> str | None:
        """Return the session whose results a stream sends; None: the stream sends something else.

        Raises:
            BadCall: there is nothing to listen to. Gradio would notice that only in the middle of its answer.
        """
        event = found["event"]
        if event is not None:
            known = self._calls.session_of(event)
            if known is None:
                raise NoSuchCall("There is no such call, or its result has been fetched.")
            return known
        if scope["path"].endswith("/queue/data"):
            session = QueryParams(scope["query_string"]).get("session_hash", "")
            if not SESSION.fullmatch(session) or not self._calls.awaits(session):
                raise NoSuchCall("Nothing was called in this session.")
            return session
        if found["session"] is not None and not SESSION.fullmatch(found["session"]):
            raise NoSuchCall("There is no such session.")
        return None

    def _with_cookie(self, scope: Scope, send: Send) -> Send:
        """Return a `send` that sets a cookie, by which this browser's uploads are told from those of others."""
        if Owner.of(scope).browser:
            return send
        secure = "; Secure" if scope["scheme"] == "https" else ""
        where = "SameSite=None; Secure; Partitioned" if self._embedded else f"SameSite=Lax{secure}"
        cookie = f"{COOKIE}={secrets.token_hex(16)}; Path=/; HttpOnly; {where}"

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        return sent


def _door(method: str, path: str) -> tuple[str, re.Match[str]]:
    """Return the group of routes that a request belongs to, and the match of its address.

    Raises:
        BadCall: the route is closed.
    """
    elsewhere: tuple[str, ...] = ()
    for door, (methods, pattern) in _OPEN.items():
        if found := pattern.fullmatch(path):
            if method in methods:
                return door, found
            elsewhere += methods
    if elsewhere:
        raise WrongMethod("This cannot be asked for in that way.")
    raise NoSuchCall("There is nothing here.")


def _refusal(error: BadCall | TooManyRequests) -> Response:
    """Return an error in the two forms that Gradio's clients read: `error` and `detail`."""
    said = {"error": str(error), "detail": str(error)}
    return JSONResponse(said, status_of(error), headers_of(error))


async def _read(scope: Scope, receive: Receive) -> bytes:
    """Return a call's body. Its size has been limited in front of the whole application.

    Raises:
        BadCall: it is not JSON, or ends too early.
    """
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    # A form on another site cannot send this type, and a script there only if the server allows it beforehand (CORS).
    if kind != "application/json":
        raise WrongType("A call is JSON: its Content-Type is application/json.")
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BrokenCall("The call broke off before its end.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body first, and then what the client sends."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received


def _blaming_the_right_one(send: Send) -> Send:
    """Return a `send` that turns a 500 that carries a sentence for the user into a 422: the server has not failed."""
    held: Message | None = None

    async def sent(message: Message) -> None:
        nonlocal held
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
            held = message
            return
        if held is not None:
            status = HTTPStatus.UNPROCESSABLE_ENTITY if _sentence(message.get("body", b"")) else held["status"]
            await send({**held, "status": status})
            held = None
        await send(message)

    return sent


def _sentence(body: bytes) -> Any:  # noqa: ANN401 (what Gradio says)
    try:
        return json.loads(body).get("error")
    except (ValueError, AttributeError):
        return None
