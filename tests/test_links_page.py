"""Films by link on the page: brought into their visitor's own uploads, within the bounds of all uploads."""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from tests import test_links
from tests.accessibility import NARROW, WIDE, findings
from tests.browsers import page_of
from tests.conftest import SAMPLE
from tests.servers import Server, running, wait_for
from tests.test_gateway import stranger
from tests.test_links import HERE, serving
from tests.test_page import PATIENCE_MS
from vt.ui.gateway import uploads

PATH = "/films/link"
SERVER = """
import functools, sys
from vt import links
links.obtain = functools.partial(links.obtain, allowed={("127.0.0.1", int(sys.argv[1]))})
from vt import server
sys.exit(server.serve(server.make()))
"""
"""The real server, which reaches one port of this machine beside the public addresses."""
TALK = {"@context": "https://schema.org", "@type": "VideoObject", "name": "A talk: part 1/2", "contentUrl": "/film.mp4"}
MB = 2**20


class Site(test_links.Site):
    """Pages with films on them, and a film that does not come to its end before somebody says so."""

    released = threading.Event()

    def do_GET(self) -> None:  # noqa: N802 (http.server's name)
        where = self.path.partition("?")[0]
        if where in ("/talk.html", "/long.html"):
            talk = TALK | {"contentUrl": f"http://{self.headers['Host']}/film.mp4"}
            talk |= {"duration": "PT3H"} if where == "/long.html" else {}
            self._send("text/html", f'<script type="application/ld+json">{json.dumps(talk)}</script>'.encode())
        elif where == "/held.mp4":
            self._send("video/mp4", bytes(MB // 2), MB)
            self.released.wait(60)
        else:
            super().do_GET()

    def _send(self, kind: str, body: bytes, length: int = 0) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The address of a server with films."""
    with serving(Site) as port:
        yield f"http://{HERE}:{port}"
        Site.released.set()


@pytest.fixture(scope="module")
def linked(site: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose page takes links, of small films."""
    with taking(tmp_path_factory.mktemp("linked"), site) as server:
        yield server


@contextmanager
def taking(folder: Path, site: str) -> Iterator[Server]:
    argv = (sys.executable, "-c", SERVER, site.rpartition(":")[2])
    with running(folder, argv, VT_LINKS="true", VT_MAX_UPLOAD_MB="3", VT_MAX_DURATION_MINUTES="60") as server:
        yield server


def told(answer: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.raise_for_status().text.splitlines()]


def folders(server: Server) -> set[str]:
    """Return the folders of all uploads; those that hold none are on their way to be removed."""
    return {path.parent.name for path in (server.folder / "gradio").glob("*/*") if not path.name.startswith(".owner")}


def downloads(server: Server) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children(recursive=True)
    return [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def held(server: Server, site: str) -> Iterator[None]:
    """Have a film come that does not come to its end, until the block ends; then leave."""
    link = {"link": f"{site}/held.mp4"}
    with httpx.stream("POST", f"{server.url}{PATH}", json=link, timeout=60) as answer:
        assert answer.status_code == 200
        lines = answer.iter_lines()  # to forget them would be to leave
        assert any(json.loads(line)["came"] for line in lines)
        yield


@pytest.mark.soak
def test_a_film_comes_under_its_title_and_is_its_visitors_alone(linked: Server, site: str) -> None:
    with stranger(linked, cookie="a" * 32) as me, stranger(linked, cookie="b" * 32) as neighbour:
        *progress, last = told(me.client.post(PATH, json={"link": f" {site}/talk.html\n"}))
        path = last["path"]
        assert all(0 <= one["came"] <= SAMPLE.stat().st_size for one in progress)
        assert Path(path).name == "A talk part 1 2.mp4"
        assert me.file(path).content == SAMPLE.read_bytes()
        assert neighbour.file(path).status_code == 404
        uploads.discard([Path(path)])
    assert site not in linked.log
    assert site not in linked.said


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ("http://{host}:1/film.mp4", "El enlace lleva a 127.0.0.1, que no es"),
        ("{site}/endless.mp4", "ocupa más de 3 MB"),
        ("{site}/long.html", "dura más de 60 minutos"),
        ("nonsense", "Un enlace tiene que empezar por http"),
    ],
)
def test_what_cannot_be_had_is_said_in_the_readers_language_and_leaves_nothing(
    link: str, sentence: str, linked: Server, site: str
) -> None:
    before = folders(linked)
    asked = link.format(host=HERE, site=site)
    *_, last = told(linked.ask("POST", PATH, json={"link": asked}, headers={"Accept-Language": "es"}))
    assert sentence in last["refused"], last
    assert folders(linked) == before


@pytest.mark.soak
def test_a_download_ends_when_its_visitor_leaves_and_there_is_one_at_a_time(linked: Server, site: str) -> None:
    before = folders(linked)
    with held(linked, site):
        second = linked.ask("POST", PATH, json={"link": f"{site}/film.mp4"}, headers={"Accept-Language": "de"})
        assert (second.status_code, second.text.startswith("Von deiner Adresse kommt zu viel")) == (429, True)
        assert len(folders(linked)) == len(before) + 1
        with stranger(linked, "127.0.0.2") as other:
            (path,) = (one["path"] for one in told(other.client.post(PATH, json={"link": f"{site}/film.mp4"}))[-1:])
            uploads.discard([Path(path)])
    wait_for(lambda: (folders(linked), downloads(linked)) == (before, []))
    *_, last = told(linked.ask("POST", PATH, json={"link": f"{site}/film.mp4"}))
    uploads.discard([Path(last["path"])])


@pytest.mark.soak
def test_what_a_server_was_downloading_when_it_was_killed_is_swept(site: str, tmp_path: Path) -> None:
    with taking(tmp_path, site) as server, held(server, site):
        children = downloads(server)
        assert (len(folders(server)), bool(children)) == (1, True)
        server.process.kill()
        server.process.wait()
        wait_for(lambda: not any(child.is_running() for child in children))
        uploads.sweep(server.folder / "gradio", time.time() + 200)
        assert len(folders(server)) == 1
        uploads.sweep(server.folder / "gradio", time.time() + 400)
        assert list((server.folder / "gradio").iterdir()) == []


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (413, json.dumps({"link": "http://a.example/" + "a" * 4096}), "application/json"),
        (415, json.dumps({"link": "http://a.example/"}), "text/plain"),
        (400, "no json", "application/json"),
        (400, "[]", "application/json"),
        (400, "[" * 4000, "application/json"),
        (400, '{"link": ["http://a.example/"]}', "application/json"),
    ],
)
def test_a_body_that_names_no_link_is_refused(status: int, content: str, kind: str, linked: Server) -> None:
    answer = linked.ask("POST", PATH, content=content, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answer.text.endswith(".")


def test_no_page_of_another_site_has_films_fetched(linked: Server) -> None:
    foreign = {"Origin": "https://elsewhere.example"}
    assert linked.ask("POST", PATH, json={"link": "http://a.example/"}, headers=foreign).status_code == 403


@pytest.mark.soak
def test_where_links_are_not_wanted_there_is_neither_the_route_nor_the_field(server: Server, browser: Browser) -> None:
    assert server.ask("POST", PATH, json={"link": "http://a.example/"}).status_code == 404
    with page_of(browser, server.url) as page:
        page.wait_for_selector("#vt-sample")
        expect(page.get_by_label("Or a link")).to_have_count(0)


@pytest.fixture
def page(browser: Browser, linked: Server) -> Iterator[Page]:
    """The page, as somebody finds it who comes for the first time."""
    with page_of(browser, linked.url) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        opened.wait_for_selector("#vt-sample")
        yield opened


@pytest.mark.soak
def test_a_link_is_typed_its_film_is_looked_at_and_what_cannot_be_had_is_told(page: Page, site: str) -> None:
    field, trouble = page.get_by_label("Or a link"), page.locator("#vt-upload-trouble [role=alert]")
    assert findings(page, "upload", [("light", *WIDE), ("dark", *NARROW)]) == []
    field.fill(f"{site}/nothing")
    field.press("Enter")
    expect(trouble).to_contain_text(f"{site.removeprefix('http://')}: The link could not be opened")
    assert field.input_value() == f"{site}/nothing"
    field.fill(f"{site}/talk.html")
    page.get_by_role("button", name="Fetch the video").click()
    expect(page.locator("#vt-facts h3")).to_have_text("A talk part 1 2.mp4")
    expect(page.locator("#vt-facts")).to_contain_text("0:31")
    expect(trouble).to_be_hidden()
    assert field.input_value() == ""
    field.fill(f"{site}/film.mp4")
    field.press("Enter")
    expect(page.locator("#vt-facts")).to_contain_text("2 videos")
    expect(page.locator("#vt-film .file-preview tr")).to_have_count(2)
    page.click("#vt-go:enabled")
    expect(page.locator("#vt-start")).to_be_visible()


@pytest.mark.soak
def test_a_film_that_is_being_fetched_is_told_of_and_can_be_cancelled(page: Page, linked: Server, site: str) -> None:
    before = folders(linked)
    panel = page.locator("#vt-sending [data-sending]")
    page.get_by_label("Or a link").fill(f"{site}/held.mp4")
    page.get_by_label("Or a link").press("Enter")
    expect(panel).to_contain_text("Fetching")
    expect(panel).to_contain_text(site.removeprefix("http://"))
    expect(panel).to_contain_text("0.5 of 1.0 MB")
    expect(panel).to_contain_text(re.compile("(49|50) %"))
    assert findings(page, "a film that comes", [("light", *WIDE), ("dark", *NARROW)]) == []
    panel.get_by_role("button", name="Cancel").click()
    expect(panel).to_be_hidden()
    wait_for(lambda: folders(linked) == before)
    expect(page.locator("#vt-upload-trouble [role=alert]")).to_have_count(0)
