"""The page's HTML document as a browser gets it: in one language, under its own name, and compressed."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any

import brotli
from starlette.datastructures import Headers, MutableHeaders

from vt.ui import scripts, words
from vt.ui.rendering import render

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SMALLEST = 1000
"""Bytes: less than this is not worth being compressed."""
_BROTLI_QUALITY, _GZIP_LEVEL = 5, 6
_GRADIOS_CARD = re.compile(rb'<meta\s+(?:property|name)="(?:og|twitter):[^<>]*>')
"""What Gradio tells other sites of the page, for a preview of a link to it: its own name and picture."""
_CHARSET = b'<meta charset="utf-8" />'
"""What Gradio's head begins with."""
_REFUSED = re.compile(r"q=0(?:\.0*)?")
_HASHED = re.compile(r"/assets/[\w.-]+-[\w-]{8,}\.\w+")
"""The name of such a file changes with its content."""


def lasting(scope: Scope, send: Send) -> Send:
    """Return a `send` by which a browser keeps a file whose content never changes, and does not ask for it again."""
    if not _HASHED.fullmatch(scope["path"]):
        return send

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            MutableHeaders(scope=message)["cache-control"] = "public, max-age=31536000, immutable"
        await send(message)

    return sent


async def serve(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the page of `app` as one whole, in the language of whoever asks.

    Gradio chooses the language of its own words in the browser, among those that it has. Here it is told the one that
    the server has chosen, so that a page never speaks two.
    """
    head: dict[str, Any] = {}
    asked, body = Headers(scope=scope), bytearray()

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        headers = MutableHeaders(raw=list(head["headers"]))
        whole = bytes(body)
        if headers.get("content-type", "").startswith("text/html"):
            headers["cache-control"] = "private, no-cache"
            headers.add_vary_header("Accept-Language")
            whole = compressed(_in_one_language(whole, asked.get("accept-language", "")), asked, headers)
        headers["content-length"] = str(len(whole))
        await send({**head, "headers": headers.raw})
        await send({"type": "http.response.body", "body": whole})

    await app(scope, receive, sent)


def _in_one_language(html: bytes, accepted: str) -> bytes:
    said = words.accepted(accepted)
    card = render("card", words=said, script=scripts.PAGE_LANGUAGE).encode()
    named = _GRADIOS_CARD.sub(b"", html).replace(b'lang="en"', f'lang="{said.language}"'.encode(), 1)
    return named.replace(_CHARSET, _CHARSET + card, 1)


def compressed(body: bytes, asked: Headers, headers: MutableHeaders) -> bytes:
    """Return a body in the best form that the client takes; the headers of the answer say which it is."""
    headers.add_vary_header("Accept-Encoding")
    listed = (one.strip().partition(";") for one in asked.get("accept-encoding", "").lower().split(","))
    taken = {name.strip() for name, _, weight in listed if not _REFUSED.fullmatch(weight.strip())}
    if len(body) < _SMALLEST or not {"br", "gzip"} & taken:
        return body
    headers["content-encoding"] = "br" if "br" in taken else "gzip"
    return bytes(brotli.compress(body, quality=_BROTLI_QUALITY) if "br" in taken else gzip.compress(body, _GZIP_LEVEL))
