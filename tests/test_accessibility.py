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
        opened.wait_for_selector("h1")
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
    expect(page.locator("#vt-go")).to_be_enabled()
    page.set_input_files("#vt-subtitles input[type=file]", captions)
    expect(page.locator("#vt-facts")).to_contain_text("talk.srt")
    look("a film that was chosen")
    page.click("#vt-go:enabled")
    expect(page.locator("#vt-served")).to_contain_text("GPL-2.0-or-later")
    expect(page.locator("#vt-served")).to_contain_text("espeak-ng")
    page.get_by_role("button", name="Advanced").click()
    expect(page.get_by_label("How many people speak")).to_be_visible()
    look("languages and options")
    page.click("#vt-start")
    page.wait_for_selector("#vt-progress [role=progressbar]")
    with slow_answers(page):
        look("a job that runs")
    page.wait_for_selector(DONE.format(version=1))
    page.click("[data-link=make]")
    expect(page.locator("[data-copy]")).to_have_value(re.compile("^http"))
    address = page.locator("[data-copy]").input_value()
    page.fill("textarea[data-line='1'][data-field='text']", "Muchas gracias a todos.")
    look("a dub, its lines and its link")
    page.focus("[data-row='line 0']")
    page.keyboard.press("?")
    expect(page.locator(".vt-help")).to_be_visible()
    look("the keys")
    page.keyboard.press("Escape")
    page.click("[data-discard]")
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


@pytest.mark.soak
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


def go_to(page: Page, place: str) -> None:
    """Press Tab until what a selector names has the focus; whatever comes before it can be left again."""
    for _ in range(200):
        if page.evaluate("place => document.activeElement.matches(place)", place):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not lead to {place}")


@pytest.mark.soak
def test_a_dub_is_made_and_a_line_an_edge_and_a_speaker_are_changed_by_the_keyboard_alone(
    page: Page, captions: Path
) -> None:
    page.on("filechooser", lambda chooser: chooser.set_files(captions))  # what the system asks is no part of the page
    go_to(page, "#vt-sample")
    page.keyboard.press("Enter")
    expect(page.locator("#vt-go")).to_be_enabled()
    go_to(page, "#vt-subtitles button")
    page.keyboard.press("Enter")
    expect(page.locator("#vt-facts")).to_contain_text("talk.srt")
    expect(page.locator("#vt-go")).to_be_enabled()
    go_to(page, "#vt-go")
    page.keyboard.press("Enter")
    expect(page.locator("#vt-start")).to_be_visible()
    go_to(page, "#vt-start")
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE.format(version=1))
    before = report(page)
    go_to(page, "input[data-speaker='1']")
    page.keyboard.press("Control+a")
    page.keyboard.type("Benjamin")
    go_to(page, "[data-row='line 0'] textarea[data-field='text']")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("Mil gracias.")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.press("Tab")
    end = page.locator(".vt-edge.vt-end[aria-label='End of line 2']")
    expect(end).to_be_focused()
    was = float(end.get_attribute("aria-valuenow") or 0)
    page.keyboard.press("ArrowLeft")
    expect(end).to_have_attribute("aria-valuenow", re.compile(rf"^{was - 0.1:.2f}$"))
    page.keyboard.press("Escape")
    expect(page.locator("[data-row='line 1']")).to_be_focused()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(DONE.format(version=2))
    after = report(page)
    assert [one["label"] for one in after["speakers"]] == ["ANNA", "Benjamin"]
    assert after["segments"][1]["text"] == "Mil gracias."
    assert after["segments"][1]["end"] == pytest.approx(before["segments"][1]["end"] - 0.1)
    assert after["segments"][0] == before["segments"][0]
