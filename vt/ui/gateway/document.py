"""The page's HTML document as a browser gets it: in one language and under its own name; and the files of the page."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders

from vt.ui import scripts, words
from vt.ui.gateway.compression import Compressor
from vt.ui.rendering import render

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OK = 200
_GRADIOS_CARD = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^<>]*>')
"""What Gradio tells other sites of the page, for a preview of a link to it: its own name and picture."""
_CHARSET = b'<meta charset="utf-8" />'
"""What Gradio's head begins with."""
_HASHED = re.compile(r"/assets/[\w.-]+-[\w-]{8,}\.\w+")
"""The name of such a file changes with its content."""
_TEXT = re.compile(r"/(?:assets|static)/.+\.(?:js|css|svg)|/theme\.css")
"""Files of the page that are worth being compressed."""


async def look(app: ASGIApp, compressor: Compressor, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a file of the page; one whose content never changes is kept by browsers, and text is compressed well."""
    asked = Headers(scope=scope)
    send = _lasting(send) if _HASHED.fullmatch(scope["path"]) else send
    if not _TEXT.fullmatch(scope["path"]) or scope["method"] != "GET" or "range" in asked:
        await app(scope, receive, send)
        return
    plain = MutableHeaders(raw=list(scope["headers"]))
    del plain["accept-encoding"]  # else Gradio compresses it, each time anew

    async def finish(whole: bytes, headers: MutableHeaders) -> bytes:
        return await compressor.compressed(whole, asked, headers)

    await app({**scope, "headers": plain.raw}, receive, _finished(send, finish))


def _lasting(send: Send) -> Send:
    """Return a `send` by which a browser keeps a file, and does not ask for it again."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == _OK:
            MutableHeaders(scope=message)["cache-control"] = "public, max-age=31536000, immutable"
        await send(message)

    return sent


async def serve(app: ASGIApp, compressor: Compressor, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page of `app` as one whole, in the language of whoever asks.

    Gradio chooses the language of its own words in the browser, among those that it has. Here it is told the one that
    the server has chosen, so that a page never speaks two.
    """
    asked = Headers(scope=scope)

    async def finish(whole: bytes, headers: MutableHeaders) -> bytes:
        if not headers.get("content-type", "").startswith("text/html"):
            return whole
        headers["cache-control"] = "private, no-cache"
        headers.add_vary_header("Accept-Language")
        return await compressor.compressed(_in_one_language(whole, asked.get("accept-language", "")), asked, headers)

    await app(scope, receive, _finished(send, finish))


def _finished(send: Send, finish: Callable[[bytes, MutableHeaders], Awaitable[bytes]]) -> Send:
    """Return a `send` by which an answer is sent as one whole: as `finish` returns it; one that is no 200, as it is."""
    head: dict[str, Any] = {}
    body = bytearray()

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        headers, whole = MutableHeaders(raw=list(head["headers"])), bytes(body)
        if head["status"] == _OK:
            whole = await finish(whole, headers)
            headers["content-length"] = str(len(whole))
        await send({**head, "headers": headers.raw})
        await send({"type": "http.response.body", "body": whole})

    return sent


def _in_one_language(html: bytes, accepted: str) -> bytes:
    said = words.accepted(accepted)
    card = render("card", words=said, script=scripts.PAGE_LANGUAGE).encode()
    named = _GRADIOS_CARD.sub(b"", html).replace(b'lang="en"', f'lang="{said.language}"'.encode(), 1)
    return named.replace(_CHARSET, _CHARSET + card, 1)
