"""Every view of the page as axe-core sees it, and all that is done with a dub by the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.accessibility import NARROW, WIDE, Look, findings
from tests.browsers import page_of
from tests.conftest import SECRETS
from tests.servers import Server
from tests.test_page import PATIENCE_MS, TALK, report, slow_answers

DONE = ".vt-lines[data-version='{version}'] [data-save]:not([data-busy])"
LOOKS: list[tuple[Look, Look]] = [(("light", *WIDE), ("dark", *NARROW)), (("dark", *WIDE), ("light", *NARROW))]


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Subtitles of two speakers, with which a film is dubbed quickly."""
    file = tmp_path_factory.mktemp("captions") / "talk.srt"
    file.write_text(TALK)
    return file


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, as somebody finds it who comes for the first time."""
    with page_of(browser, server.url) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        opened.wait_for_selector("#vt-sample")
        yield opened


@pytest.mark.parametrize("looks", [LOOKS[0], pytest.param(LOOKS[1], marks=pytest.mark.soak)])
def test_no_view_of_the_page_lacks_what_those_need_who_do_not_see_it(
    page: Page, captions: Path, looks: tuple[Look, ...]
) -> None:
    found: list[str] = []

    def look(view: str) -> None:
        found.extend(findings(page, view, looks))

    look("upload")
    page.set_input_files("#vt-film input[type=file]", captions)
    expect(page.locator("#vt-upload-trouble [role=alert]")).to_be_visible()
    look("a file that is no film")
    page.click("#vt-sample")
    page.set_input_files("#vt-subtitles input[type=file]", captions)
    expect(page.locator("#vt-facts")).to_contain_text("talk.srt")
    look("a film that was chosen")
    page.click("#vt-go:enabled")
    expect(page.locator("#vt-served")).to_contain_text("espeak")
    page.get_by_role("button", name="Advanced").click()
    expect(page.get_by_label("How many people speak")).to_be_visible()
    look("languages and options")
    page.click("#vt-start")
    page.wait_for_selector("#vt-progress [role=progressbar]")
    with slow_answers(page):
        look("a job that runs")
    page.wait_for_selector(DONE.format(version=1))
    page.fill("textarea[data-line='1'][data-field='text']", "Muchas gracias a todos.")
    look("a dub and its lines")
    page.focus("[data-row='line 0']")
    page.keyboard.press("?")
    expect(page.locator(".vt-help")).to_be_visible()
    look("the keys")
    page.keyboard.press("Escape")
    page.click("[data-discard]")
    page.click("[data-link=make]")
    address = page.locator("[data-copy]").input_value()
    look("a link to share")
    page.get_by_role("tab", name="Models").click()
    expect(page.locator("#vt-files")).to_contain_text("kokoro")
    look("models")
    page.get_by_role("tab", name="Translate").click()
    page.click("#vt-remove")
    page.wait_for_selector("[data-undo]")
    look("a dub that was removed")
    page.click("[data-undo]")
    page.wait_for_selector(DONE.format(version=1))
    page.goto(address)
    look("the page behind a link")
    page.goto(f"{address[:-1]}_")
    look("a link that leads nowhere")
    assert found == []


def test_the_tab_for_managers_can_be_unlocked_by_those_who_do_not_see_it(browser: Browser, guarded: Server) -> None:
    with page_of(browser, guarded.url) as page:
        page.get_by_role("tab", name="Models").click()
        expect(page.get_by_text("type it to see them")).to_be_visible()
        found = findings(page, "models, locked", LOOKS[0])
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not the one")
        page.get_by_label("Token").fill(SECRETS["VT_ADMIN_TOKEN"])
        page.keyboard.press("Enter")
        expect(page.locator("#vt-files")).to_contain_text("kokoro")
        found += findings(page, "models, unlocked", LOOKS[0])
    assert found == []
