"""The page around the lines, in a real browser: a film on its way to a dub, its address, its link, its removal."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsers import page_of
from tests.films import H264, PICTURE, ffmpeg
from tests.servers import Server
from tests.test_page import PATIENCE_MS, rests
from vt.ui.translations import CATALOGUES

NAME = 'My "own" film.mp4'
SPOKEN = "1\n00:00:00,200 --> 00:00:01,600\nGood evening, and welcome.\n"
DUB = "document.querySelector('video[data-film=dub], .vt-dub video')"
DONE = ".vt-yours em.vt-done"


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 2 s without a sound, that has subtitles of its own."""
    folder = tmp_path_factory.mktemp("silent")
    (folder / "en.srt").write_text(SPOKEN)
    tagged = ["-c:s", "mov_text", "-metadata:s:s:0", "language=eng"]
    ffmpeg(*PICTURE, "-i", folder / "en.srt", *H264, *tagged, folder / NAME)
    return folder / NAME


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, as somebody finds it who comes for the first time."""
    with page_of(browser, server.url) as opened:
        opened.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        opened.wait_for_selector("#vt-sample")
        yield opened


def typed(page: Page, text: str, key: str) -> None:
    page.click("#vt-target input")
    page.keyboard.type(text)
    page.keyboard.press(key)


@pytest.mark.soak
def test_a_film_is_on_its_way_until_its_dub_has_an_address_a_link_and_is_removed(
    page: Page, browser: Browser, silent: Path
) -> None:
    page.set_input_files("#vt-film input[type=file]", silent)
    expect(page.locator("#vt-facts")).to_contain_text(NAME)
    page.click("#vt-go:enabled")
    expect(page.locator("#vt-words input")).to_have_value(re.compile("Track 1: English"))
    typed(page, "klingon" * 40, "Tab")
    expect(page.locator("#vt-start-trouble")).to_contain_text("no language klingonklingon")
    expect(page.locator("#vt-target input")).to_have_value("Español · Spanish")
    typed(page, "francais", "Tab")
    expect(page.locator("#vt-target input")).to_have_value("Français · French")
    page.reload()
    expect(page.locator("#vt-words input")).to_have_value(re.compile("Track 1: English"))
    page.dblclick("#vt-start")
    page.wait_for_selector(DONE)
    expect(page.locator("[data-open]")).to_have_count(1)
    job = page.locator("[data-open]").get_attribute("data-open")
    expect(page).to_have_url(re.compile(rf"#job/{job}$"))
    comes_and_goes(page)
    is_shared(page, browser)
    is_removed(page)
    assert rests(page)


def comes_and_goes(page: Page) -> None:
    """A film that is chosen stays chosen while an old job is looked at, and Back leads from place to place."""
    job = page.url
    page.get_by_role("tab", name="Upload").click()
    page.click("#vt-sample")
    page.click("#vt-go:enabled")
    expect(page.locator(".vt-film h2")).to_have_text("sense_and_sensibility.mp4")
    page.click("[data-open]")
    expect(page).to_have_url(job)
    page.get_by_role("tab", name="Upload").click()
    page.click("#vt-go:enabled")
    expect(page.locator(".vt-film h2")).to_have_text("sense_and_sensibility.mp4")
    page.go_back()
    expect(page.locator("#vt-sample")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(job)
    expect(page.locator(".vt-job-head h2")).to_have_text(NAME)


def is_shared(page: Page, browser: Browser) -> None:
    """Whoever has the link can watch and download, and does not learn the id of the job; taken back, it is dead."""
    page.click("[data-link=make]")
    link = page.locator("[data-copy]")
    expect(link).to_have_value(re.compile(r"^http.*/shared/\w{26}$"))
    address, job = link.input_value(), page.url.rpartition("/")[2]
    with browser.new_context(viewport={"width": 390, "height": 844}) as context:
        other = context.new_page()
        other.goto(address)
        expect(other.locator("h1")).to_contain_text(NAME)
        assert job not in other.content()
        other.wait_for_function("() => document.querySelector('video').duration > 1")
        assert other.evaluate("document.documentElement.scrollWidth") <= 390
        whole = context.request.get(f"{address}/everything").body()
        names = zipfile.ZipFile(io.BytesIO(whole)).namelist()
        assert {'My "own" film.es.mp4', 'My "own" film.en.srt', 'My "own" film.es.report.json'} <= set(names)
        page.click("[data-link=take_back]")
        page.wait_for_selector("[data-link=make]")
        assert {context.request.get(f"{address}{more}").status for more in ("", "/dubbed", "/everything")} == {404}


def is_removed(page: Page) -> None:
    """A removal can be taken back; the page is without the job meanwhile."""
    page.click("#vt-remove")
    expect(page.locator("[data-open]")).to_have_count(0)
    page.click("[data-undo]")
    expect(page.locator("[data-open]")).to_have_count(1)
    expect(page.locator(".vt-job-head h2")).to_have_text(NAME)
    page.click("#vt-remove")
    page.wait_for_selector("[data-undo]")


@pytest.mark.soak
def test_a_picture_that_no_browser_shows_is_told_of_and_a_copy_is_made_that_it_shows(page: Page, silent: Path) -> None:
    film = silent.with_name("old.mkv")
    ffmpeg("-i", silent, "-map", "0", "-c:v", "mpeg2video", "-c:s", "srt", film)
    page.set_input_files("#vt-film input[type=file]", film)
    expect(page.locator("#vt-facts")).to_contain_text("Browsers do not show this kind of picture.")
    page.click("#vt-go:enabled")
    page.click("#vt-start")
    page.wait_for_selector(DONE)
    expect(page.locator("#vt-black")).to_contain_text("cannot show its picture")
    page.click("[data-make-copy]")
    page.wait_for_function(f"() => {DUB}?.videoWidth === 64")
    expect(page.locator("#vt-black")).to_be_hidden()


def test_a_stranger_gets_a_page_in_one_language_a_picker_of_what_is_taken_and_no_tab_for_managers(
    browser: Browser, server: Server
) -> None:
    only_gradios = next(code for code in ("fr", "pt", "ja", "ru", "pl") if code not in CATALOGUES)
    with browser.new_context(locale=only_gradios, extra_http_headers={"X-Forwarded-For": "203.0.113.9"}) as context:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#vt-sample")
        expect(page.get_by_role("tab", name="Models")).to_be_hidden()
        with page.expect_file_chooser() as chosen:
            page.click("#vt-subtitles button")
        assert ".srt" in (chosen.value.element.get_attribute("accept") or "")
        assert page.evaluate("document.documentElement.lang") == "en"
        expect(page.locator("#vt-film")).to_contain_text("Drop File Here")


@pytest.mark.soak
def test_a_refused_manager_reads_why_and_an_open_tab_rests(browser: Browser, guarded: Server) -> None:
    with page_of(browser, guarded.url) as page:
        page.get_by_role("tab", name="Models").click()
        expect(page.get_by_text("type it to see them")).to_be_visible()
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("alert")).to_contain_text("not the one that VT_ADMIN_TOKEN holds")
        expect(page.locator("#vt-managed")).to_be_hidden()
        assert "whisper" not in page.content()
        assert rests(page)
