"""The page's HTML document as a browser gets it: in one language and under its own name; and the files of the page."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

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
_FRAME = "/static/js/iframeResizer.contentWindow.min.js"
"""Tells the page around a frame how high the page in it is."""
_CONFIG = re.compile(rb"(?<=<script>window\.gradio_config = )\{.*?\}(?=;</script>)", re.DOTALL)
"""All that Gradio's scripts know of the page, as JSON."""
_WORDS = "i18n_translations"
_FOR_CLIENTS = {"api_info", "api_info_as_input", "api_info_as_output", "example_inputs"}
"""What a component tells of itself to programs, which ask for it elsewhere."""
_ESCAPED = str.maketrans({sign: f"\\u{ord(sign):04x}" for sign in "<>&'"})
"""What could end a script or an attribute stands in JSON by its number, as Gradio has it."""


async def look(
    app: ASGIApp, compressor: Compressor, scope: Scope, receive: Receive, send: Send, *, embedded: bool = False
) -> None:
    """Serve a file of the page; one whose content never changes is kept by browsers, and text is compressed well.

    With `embedded` the page is shown in a frame; else what only a frame needs is empty.
    """
    if scope["path"] == _FRAME and not embedded:
        await Response("", media_type="text/javascript")(scope, receive, send)
        return
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
    return _lean(said.language, named.replace(_CHARSET, _CHARSET + card, 1))


def _lean(language: str, html: bytes) -> bytes:
    """Leave out the words of all other languages, which are a quarter of the page, and what only programs need."""
    found = _CONFIG.search(html)
    config = json.loads(found[0]) if found else {}
    if not found or language not in config.get(_WORDS, {}):
        return html
    config[_WORDS] = {language: config[_WORDS][language]}
    for component in config.get("components", ()):
        for name in _FOR_CLIENTS & component.keys():
            del component[name]
    told = json.dumps(config, separators=(",", ":")).translate(_ESCAPED).encode()
    return html[: found.start()] + told + html[found.end() :]
