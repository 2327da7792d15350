"""What every answer tells a browser, whoever gives it: a route, the page, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browsers import page_of
from tests.servers import Server, running

ROUTES = ("/", "/health", "/nothing", "/api/v1/nothing", "/openapi.json", "/docs", "/config", "/gradio_api/info")
FOREIGN = {"Origin": "https://elsewhere.example"}


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a name, by which Gradio alone would let pages of any site read its answers."""
    with running(tmp_path_factory.mktemp("named"), VT_ALLOWED_HOSTS="dub.example.org") as server:
        yield server


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_every_answer_says_how_it_may_be_used(named: Server, route: str, accept: str) -> None:
    for host in ("127.0.0.1", "dub.example.org"):
        answer = named.ask("GET", route, headers={"Accept": accept, "Host": host, **FOREIGN})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'self'")
        assert "object-src 'none'" in policy or "default-src 'none'" in policy
        assert "unsafe" not in policy or answer.headers["content-type"].startswith("text/html")
        assert {"cross-origin-opener-policy", "permissions-policy"} <= answer.headers.keys()
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    refused = named.ask("POST", route, headers=FOREIGN)
    assert (refused.status_code, refused.headers["x-content-type-options"]) == (403, "nosniff")


def test_a_script_or_style_of_the_page_has_no_more_than_a_browser_heeds_in_one(named: Server) -> None:
    page = named.ask("GET", "/", headers={"Accept": "text/html"}).text
    for name in (re.findall(r'src="\./(assets/[^"]+\.js)"', page)[0], "theme.css"):
        headers = named.ask("GET", f"/{name}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'self'; object-src 'none'; frame-ancestors 'self'"
        assert not {"cross-origin-opener-policy", "permissions-policy"} & headers.keys()


def test_no_site_is_let_in_by_asking_first(named: Server) -> None:
    asked = {**FOREIGN, "Access-Control-Request-Method": "POST", "Host": "dub.example.org"}
    for route in ("/gradio_api/queue/join", "/api/v1/jobs"):
        answer = named.ask("OPTIONS", route, headers=asked)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.soak
def test_on_a_space_the_page_may_be_framed_by_it_alone(tmp_path: Path) -> None:
    with running(tmp_path, SPACE_ID="someone/vt") as space:
        policy = space.ask("GET", "/", headers={"Accept": "text/html"}).headers["content-security-policy"]
        assert policy.endswith("frame-ancestors 'self' https://huggingface.co https://*.hf.space")


def test_the_page_breaks_none_of_its_own_rules(server: Server, browser: Browser) -> None:
    said: list[str] = []
    with page_of(browser, server.url) as page:
        page.on("console", lambda message: said.append(message.text))
        page.reload()
        for tab in ("Translate", "Models", "Upload"):
            page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(500)
    assert not [text for text in said if "Content Security Policy" in text or "Permissions" in text]
