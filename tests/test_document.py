"""The page's document: in one language, under its own name, and compressed as far as a browser takes it."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import brotli
import pytest
from starlette.responses import HTMLResponse, PlainTextResponse

from vt.ui.gateway import document
from vt.ui.gateway.compression import Compressor

GRADIOS = (
    '<!doctype html>\n<html\n\tlang="en"\n>\n<head>\n<meta charset="utf-8" />\n'
    '<meta property="og:title" content="Gradio" />\n<meta\n name="twitter:title"\n content="Gradio" />\n'
    f"<script>window.gradio_config = {{}}</script>{'x' * 2000}</head></html>"
)
WORDS = {"en": {"yes": "Yes"}, "de": {"yes": "Ja"}, "es": {"yes": "Sí"}}
Answer = tuple[dict[str, str], bytes]


COMPRESSOR = Compressor()


def answered(
    path: str = "/",
    answer: Any = None,  # noqa: ANN401 (an ASGI application)
    compressor: Compressor | None = None,
    *,
    embedded: bool = False,
    **headers: str,
) -> Answer:
    """Return the headers and the body of what a browser with these headers gets."""
    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "headers": said, "query_string": b""}
    sent: list[Any] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    async def receive() -> Any:  # noqa: ANN401
        return {"type": "http.request"}

    page = answer or HTMLResponse(GRADIOS)
    if path == "/":
        asyncio.run(document.serve(page, COMPRESSOR, scope, receive, send))
    else:
        asyncio.run(document.look(page, compressor or COMPRESSOR, scope, receive, send, embedded=embedded))
    start, *bodies = sent
    return {name.decode(): value.decode() for name, value in start["headers"]}, b"".join(x["body"] for x in bodies)


@pytest.mark.parametrize(
    ("asked", "code", "title"),
    [
        ("la,de;q=0.9", "en", "vt, the video translator"),
        ("de-AT,de;q=0.9", "de", "vt, der Videoübersetzer"),
        ("es-MX", "es", "vt, el traductor de vídeos"),
        ("", "en", "vt, the video translator"),
    ],
)
def test_the_language_of_the_page_is_the_servers_decision_and_its_name_is_its_own(
    asked: str, code: str, title: str
) -> None:
    headers, body = answered(accept_language=asked)
    page = body.decode()
    assert f'<html\n\tlang="{code}"' in page
    assert f'<meta property="og:title" content="{title}">' in page and f"<title>{title}</title>" in page
    assert 'content="Gradio"' not in page and "window.gradio_config" in page
    assert page.index("Object.defineProperty(navigator, 'language'") < page.index("window.gradio_config")
    assert {"Accept-Language", "Accept-Encoding"} <= set(headers["vary"].split(", "))


@pytest.mark.parametrize(("asked", "code"), [("de-AT", "de"), ("es", "es"), ("la", "en")])
def test_the_page_has_the_words_of_its_own_language_alone_and_all_else_of_its_settings(asked: str, code: str) -> None:
    config = {"css": "a > b { content: '</script>' }", "i18n_translations": WORDS, "components": [{"id": 1}]}
    whole = {**config, "components": [{"id": 1, "api_info": {}, "example_inputs": 7}]}
    escaped = json.dumps(whole).replace("<", "\\u003c").replace(">", "\\u003e").replace("'", "\\u0027")
    html = GRADIOS.replace("window.gradio_config = {}", f"window.gradio_config = {escaped};")
    page = answered(answer=HTMLResponse(html), accept_language=asked)[1].decode()
    told = page.partition("window.gradio_config = ")[2].partition(";</script>")[0]
    assert json.loads(told) == {**config, "i18n_translations": {code: WORDS[code]}}
    assert not set("<>'") & set(told)


def test_what_only_a_frame_needs_is_empty_where_the_page_is_in_none() -> None:
    script = PlainTextResponse("let a = 1;")
    path = "/static/js/iframeResizer.contentWindow.min.js"
    assert answered(path, script)[1] == b""
    assert answered(path, script, embedded=True)[1] == b"let a = 1;"


@pytest.mark.parametrize(
    ("asked", "coding"),
    [("gzip, deflate, br", "br"), ("gzip;q=0.5", "gzip"), ("br;q=0, gzip", "gzip"), ("gzip;q=0", ""), ("", "")],
)
def test_the_page_is_compressed_as_the_browser_takes_it(asked: str, coding: str) -> None:
    plain = answered()[1]
    headers, body = answered(accept_encoding=asked)
    assert headers.get("content-encoding", "") == coding
    opened = {"br": brotli.decompress, "gzip": gzip.decompress}.get(coding, bytes)(body)
    assert opened == plain
    assert int(headers["content-length"]) == len(body) <= len(plain)


def test_what_is_no_page_is_sent_as_it_is() -> None:
    assert answered(answer=PlainTextResponse('lang="en"' * 500), accept_encoding="br")[1] == b'lang="en"' * 500


def test_a_browser_keeps_the_files_whose_names_change_with_their_content_and_no_others() -> None:
    script = PlainTextResponse("let a = 1;")
    assert "immutable" in answered("/assets/index-DphvyggB.js", script)[0]["cache-control"]
    assert "cache-control" not in answered("/theme.css", script)[0]
    assert "cache-control" not in answered("/assets/index-DphvyggB.js", PlainTextResponse("no", 404))[0]


@pytest.mark.soak
def test_a_script_that_is_asked_for_again_is_compressed_as_well_as_can_be_and_no_other() -> None:
    def script(number: int) -> PlainTextResponse:
        return PlainTextResponse("".join(f"let a{number}_{at} = {at * at};" for at in range(500)))

    compressor = Compressor()
    sizes = []
    for _ in range(3):
        headers, body = answered("/assets/index-DphvyggB.js", script(0), compressor, accept_encoding="gzip, br")
        assert (headers["content-encoding"], brotli.decompress(body)) == ("br", script(0).body)
        assert headers["content-length"] == str(len(body))
        sizes.append(len(body))
    assert sizes[0] > sizes[1] == sizes[2]
    for number in range(1, 260):
        for _ in range(2):
            body = answered("/assets/index-DphvyggB.js", script(number), compressor, accept_encoding="br")[1]
    assert len(body) > sizes[1]  # so many are compressed well, and no more
    assert answered("/assets/a-DphvyggB.js", script(0), compressor, accept_encoding="")[1] == script(0).body
