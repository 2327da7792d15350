"""A server that is killed at random moments while somebody edits lines: whatever was typed is still there."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from tests.browsers import page_of
from tests.films import film
from tests.servers import Server, free_port, running, wait_for
from tests.test_lines_page import PATIENCE_MS, SAVED, texts

SAVES = "**/films/*/lines"
LANGUAGES = {"source_language": "en", "target_language": "es"}
SAID = "1\n00:00:00,100 --> 00:00:00,900\nIt is late.\n\n2\n00:00:01,000 --> 00:00:01,900\nGo home.\n"


class Session:
    """Somebody who edits a dub in an open page, on a server that has several lives."""

    def __init__(self, folder: Path, lives: ExitStack) -> None:
        self.folder, self.lives, self.port = folder, lives, str(free_port())
        self.wanted: dict[int, str] = {}
        self.moments: dict[str, Callable[[Page], None]] = {
            "typed": lambda _: None,
            "kept": self.is_kept,
            "sent": self.is_sent,
            "answered": self.is_answered,
            "running": self.runs,
            "done": self.is_done,
        }
        self.begin()
        self.job = self.dubbed(film(folder / "film.mp4"))
        self.count = len(texts(self.server, self.job))

    def begin(self) -> None:
        self.server: Server = self.lives.enter_context(running(self.folder / "server", PORT=self.port))

    def dubbed(self, talk: Path) -> str:
        with talk.open("rb") as content:
            files = {"file": ("talk.mp4", content), "subtitles": ("talk.srt", SAID.encode())}
            job = str(self.server.json("POST", "/api/v1/jobs", files=files, data=LANGUAGES)["id"])
        assert self.server.ended(job)["state"] == "done"
        return job

    def kill(self) -> None:
        self.server.process.kill()
        self.server.process.wait()

    # Moments

    def is_kept(self, page: Page) -> None:
        last = list(self.wanted.values())[-1]
        page.wait_for_function("text => Object.values(localStorage).some(one => one.includes(text))", arg=last)

    def is_sent(self, page: Page) -> None:
        """The request is on its way, and does not arrive."""

        def lost(route: Route) -> None:
            self.kill()
            route.abort()

        self.saved(page, lost)

    def is_answered(self, page: Page) -> None:
        """The server has taken it, and the page does not learn of that."""

        def lost(route: Route) -> None:
            assert route.fetch().status == 202
            self.kill()
            route.abort()

        self.saved(page, lost)

    def runs(self, page: Page) -> None:
        page.click("[data-save]:enabled")
        wait_for(lambda: self.state() == "running" or texts(self.server, self.job) == self.expected())

    def is_done(self, page: Page) -> None:
        page.click("[data-save]:enabled")
        wait_for(lambda: texts(self.server, self.job) == self.expected())

    def saved(self, page: Page, meet: Callable[[Route], object]) -> None:
        ended: list[bool] = []

        def handle(route: Route) -> None:
            if route.request.method != "POST":
                route.fallback()
                return
            meet(route)
            ended.append(True)

        page.route(SAVES, handle)
        page.click("[data-save]:enabled")
        expect(page.locator(".vt-save [role=alert]")).to_be_visible()
        assert ended
        page.unroute(SAVES, handle)

    # What there is

    def state(self) -> str:
        return str(self.server.json("GET", f"/api/v1/jobs/{self.job}")["state"])

    def expected(self) -> list[str]:
        now = texts(self.server, self.job)
        return [self.wanted.get(line, text) for line, text in enumerate(now)]

    def shows_all(self, page: Page) -> None:
        for line, text in self.wanted.items():
            expect(page.locator(f"textarea[data-line='{line}'][data-field='text']")).to_have_value(text)

    def round(self, page: Page, text: str, moment: str, line: int) -> None:
        page.fill(f"textarea[data-line='{line}'][data-field='text']", text)
        self.wanted.pop(line, None)
        self.wanted[line] = text
        self.moments[moment](page)
        self.kill()
        self.begin()
        self.shows_all(page)
        page.reload()
        page.wait_for_selector(f".vt-lines {SAVED}")
        self.shows_all(page)

    def ends(self, page: Page) -> None:
        """What is not in the dub yet is saved, and all of it is there."""
        told = page.locator(".vt-save [role=status]")
        if "not in the dub" in (told.text_content() or ""):
            page.click("[data-save]:enabled")
        expect(told).to_have_text("Nothing is changed yet.")
        assert texts(self.server, self.job) == self.expected()


@pytest.mark.soak
@pytest.mark.parametrize("kills", [10])
def test_no_edit_is_lost_wherever_the_server_is_killed_while_the_page_is_open(
    browser: Browser, tmp_path: Path, kills: int
) -> None:
    seed = random.SystemRandom().randrange(10**9)
    chance, tell = random.Random(seed), print
    tell(f"seed {seed}")
    with ExitStack() as lives:
        session = Session(tmp_path, lives)
        with page_of(browser, f"{session.server.url}/health") as page:
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            page.on("dialog", Dialog.accept)
            memory = json.dumps({"jobs": [session.job], "view": session.job})
            page.evaluate("memory => localStorage.setItem('vt-memory', memory)", memory)
            page.goto(session.server.url)
            page.wait_for_selector(f".vt-lines {SAVED}")
            for number in range(kills):
                moment, line = chance.choice(list(session.moments)), chance.randrange(session.count)
                tell(f"kill {number + 1}: {moment}, line {line}")
                session.round(page, f"Frase {number} {chance.randrange(10**6)}.", moment, line)
            session.ends(page)
