"""The page in a real browser, on real speech: from an upload to a dub that is watched, mended and found again."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.browsers import page_of
from tests.conftest import SAMPLE
from tests.servers import Server, free_port, running
from vt.ui.scripts import STATIC
from vt.ui.translations import CATALOGUES
from vt.ui.words import Words

PATIENCE_MS = 120_000.0
"""Of all waits: only a page that hangs takes so long."""


@contextmanager
def opened(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, as somebody finds it who comes for the first time."""
    with page_of(browser, server.url) as page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.wait_for_selector("#vt-sample")
        yield page


def choose(page: Page, *files: Path | str) -> None:
    page.set_input_files("#vt-film input[type=file]", list(files))


def begin(page: Page, film: Path) -> None:
    """Upload a film and have it dubbed into what is proposed: Spanish."""
    choose(page, film)
    page.click("#vt-go:enabled")
    page.click("#vt-start")
    page.wait_for_selector("#vt-progress [role=progressbar]")


def report(page: Page) -> dict[str, Any]:
    """Return the report that the page offers."""
    address = page.locator(".vt-downloads a", has_text="JSON").get_attribute("href")
    found: dict[str, Any] = json.loads(page.request.get(urljoin(page.url, address)).text())
    return found


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that takes little: one job may wait, and films are small and short."""
    limits = {"VT_MAX_UPLOAD_MB": "100", "VT_MAX_DURATION_MINUTES": "6", "VT_QUEUE_SIZE": "1"}
    with running(tmp_path_factory.mktemp("strict"), **limits) as running_server:
        yield running_server


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of the sample, over and over: long enough for something to happen meanwhile."""
    film = tmp_path_factory.mktemp("long") / "long.mp4"
    argv = ["ffmpeg", "-v", "error", "-stream_loop", "9", "-i", str(SAMPLE), "-c", "copy", str(film)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return film


def test_a_film_is_uploaded_translated_watched_saved_mended_and_translated_once_more(
    browser: Browser, server: Server
) -> None:
    with opened(browser, server) as page:
        choose(page, SAMPLE)
        expect(page.locator("#vt-facts")).to_contain_text("0:31")
        page.click("#vt-go:enabled")
        expect(page.locator("#vt-served")).to_contain_text("GPL-2.0-or-later")
        choose_voice(page)
        page.click("#vt-start")
        page.wait_for_selector("#vt-progress [role=progressbar], .vt-lines")  # it takes but seconds
        page.wait_for_selector(".vt-lines[data-version='1'] [data-save]:not([data-busy])")
        assert asked_for(page) == {"voice": "espeak-ng-es"}
        watch(page)
        with page.expect_download() as saved:
            page.click(".vt-downloads .vt-main")
        assert saved.value.suggested_filename == "sense_and_sensibility.es.mp4"
        assert saved.value.path().stat().st_size > 100_000
        mend(page)
        dub_again(page, "Français")


def choose_voice(page: Page) -> None:
    """The voices are those of the language; one is heard at a press of a key, and the button says so until it ends."""
    options = page.locator("#vt-voice [role=option]")
    page.click("#vt-voice input")
    expect(options.first).to_contain_text("Best voice")
    options.filter(has_text="espeak-ng").click()
    hear = page.locator("#vt-hear button")
    expect(hear).to_have_attribute("aria-label", "Hear it: espeak-ng")
    hear.evaluate(
        "button => { window.said = []; new MutationObserver(() => said.push(button.ariaLabel))"
        ".observe(button, {attributeFilter: ['aria-label']}); }"
    )
    hear.press("Enter")
    page.wait_for_function("() => said.length === 2 || document.querySelector('#vt-voice-trouble [role=alert]')")
    assert page.evaluate("said") == ["Stop", "Hear it: espeak-ng"]


def asked_for(page: Page) -> dict[str, str]:
    """Return the options of the job that the page shows, as the routes have them."""
    job = page.locator("[data-open][aria-current]").get_attribute("data-open")
    found: dict[str, str] = page.request.get(urljoin(page.url, f"api/v1/jobs/{job}")).json()["request"]["options"]
    return found


def watch(page: Page) -> None:
    """The dub has a picture, a length and subtitles that are on, and it plays; the original is as long."""
    dub = page.locator("[data-film=dub]")
    dub.evaluate("film => { film.muted = true; return film.play(); }")
    page.wait_for_function("() => document.querySelector('[data-film=dub]').currentTime > 0.2")
    length, shown, cues, original = dub.evaluate(
        "film => [film.duration, film.textTracks[0].mode, film.textTracks[0].cues.length, "
        "document.querySelector('[data-film=original]').duration]"
    )
    assert (round(length), shown, round(original)) == (31, "showing", 31)
    assert cues >= 5
    dub.evaluate("film => film.pause()")


def mend(page: Page) -> None:
    """One line is said otherwise: nothing is heard or translated again, and every other line stays as it was."""
    before = report(page)
    page.fill("textarea[data-line='1'][data-field='text']", "No era un hombre malo.")
    expect(page.locator(".vt-save span")).to_have_text("1 change, not in the dub yet")
    page.click("[data-save]:enabled")
    page.wait_for_selector(".vt-lines[data-version='2'] [data-save]:not([data-busy])")
    after = report(page)
    assert after["segments"][1]["text"] == "No era un hombre malo."
    others = [line for line in after["segments"] if line["id"] != 1]
    assert others == [line for line in before["segments"] if line["id"] != 1]
    assert "transcribe" in {stage["name"] for stage in before["stages"]}
    assert "transcribe" not in {stage["name"] for stage in after["stages"]}


def dub_again(page: Page, language: str) -> None:
    """Another language of the same video: what was heard in it is not heard again."""
    page.click("#vt-other")
    page.fill("#vt-target input", language)
    page.keyboard.press("Enter")
    page.click("#vt-start")
    page.wait_for_selector(".vt-lines[data-version='1'] [data-save]:not([data-busy])")
    found = report(page)
    assert found["target_language"] == "fr"
    assert asked_for(page) == {}
    assert "transcribe" not in {stage["name"] for stage in found["stages"]}
    expect(page.locator("[data-open]")).to_have_count(2)


TALK = """1
00:00:01,000 --> 00:00:03,500
ANNA: Good morning, and welcome.

2
00:00:04,000 --> 00:00:06,500
BEN: Thank you very much.

3
00:00:07,000 --> 00:00:09,500
ANNA: How was your journey?

4
00:00:10,000 --> 00:00:12,500
BEN: It was rather long.
"""


@pytest.mark.soak
def test_a_speaker_gets_a_name_and_a_voice_and_only_their_lines_are_spoken_again(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    captions = tmp_path / "talk.srt"
    captions.write_text(TALK)
    with opened(browser, server) as page:
        choose(page, SAMPLE)
        page.set_input_files("#vt-subtitles input[type=file]", captions)
        expect(page.locator("#vt-facts")).to_contain_text("talk.srt")
        page.click("#vt-go:enabled")
        page.click("#vt-voice input")
        page.locator("#vt-voice [role=option]").filter(has_text="Dora").click()
        page.click("#vt-start")
        page.wait_for_selector(".vt-lines[data-version='1'] [data-save]:not([data-busy])")
        before = report(page)
        assert [one["label"] for one in before["speakers"]] == ["ANNA", "BEN"]
        page.fill("input[data-speaker='1']", "Benjamin")
        voice = page.locator("select[data-speaker='1']")
        mine, others = voice.input_value(), {one["voice"] for one in before["speakers"]}
        voices = voice.locator("option").evaluate_all("options => options.map(one => one.value)")
        wanted = next(one for one in voices if one not in others)
        voice.select_option(wanted)
        expect(page.locator("[data-row='speaker-1'] [data-sample]")).to_have_attribute(
            "data-sample", re.compile(f"/{wanted}(/|$|[.?])")
        )
        choice = page.locator("select[data-line='2']")
        choice.focus()
        names = choice.locator("option").all_text_contents()
        assert names == ["ANNA", "Benjamin", "somebody else"]
        expect(page.locator(".vt-save span")).to_have_text("1 change, not in the dub yet")
        page.click("[data-save]:enabled")
        page.wait_for_selector(".vt-lines[data-version='2'] [data-save]:not([data-busy])")
        after = report(page)
        assert [(one["label"], one["voice"]) for one in after["speakers"]] == [
            ("ANNA", before["speakers"][0]["voice"]), ("Benjamin", wanted),
        ]  # fmt: skip
        assert wanted != mine
        for old, new in zip(before["segments"], after["segments"], strict=True):
            assert (old == new) == (old["speaker"] == 0)
        page.locator("select[data-line='2']").focus()
        page.locator("select[data-line='2']").select_option("1")
        page.click("[data-save]:enabled")
        page.wait_for_selector(".vt-lines[data-version='3'] [data-save]:not([data-busy])")
        assert [line["speaker"] for line in report(page)["segments"]] == [0, 1, 1, 1]


@contextmanager
def slow_answers(page: Page, first: int = 0) -> Iterator[list[Route]]:
    """Hold back what the page asks its functions for, all but the first so many, until the block ends, and list it.

    What was asked for last is answered first.
    """
    held: list[Route] = []
    passing, is_slow = iter(range(first)), True

    def hold(route: Route) -> None:
        if is_slow and next(passing, None) is None:
            held.append(route)
        else:
            route.continue_()

    page.route("**/gradio_api/run/predict", hold)
    yield held
    is_slow = False
    for route in reversed(held):
        route.fulfill(response=route.fetch())


@pytest.mark.soak
def test_subtitles_that_are_chosen_while_the_film_is_looked_at_are_looked_at_too(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    captions = tmp_path / "talk.srt"
    captions.write_text(TALK)
    with opened(browser, server) as page:
        with slow_answers(page) as held:
            choose(page, SAMPLE)
            while not held:
                page.wait_for_timeout(50)
            page.set_input_files("#vt-subtitles input[type=file]", captions)
            expect(page.locator("#vt-subtitles")).to_contain_text("243.0 B")
        expect(page.locator("#vt-facts")).to_contain_text("talk.srt")


def test_subtitles_that_are_chosen_while_the_sample_is_looked_at_are_looked_at_too(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    captions = tmp_path / "talk.srt"
    captions.write_text(TALK)
    with opened(browser, server) as page:
        with slow_answers(page, first=1) as held:
            page.click("#vt-sample")
            while not held:
                page.wait_for_timeout(50)
            page.set_input_files("#vt-subtitles input[type=file]", captions)
            expect(page.locator("#vt-subtitles")).to_contain_text("243.0 B")
        page.wait_for_load_state("networkidle")
        expect(page.locator("#vt-facts")).to_contain_text("talk.srt")


@pytest.mark.soak
def test_what_is_no_film_is_refused_in_a_sentence_and_the_next_choice_is_taken(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("this is no film")
    with opened(browser, server) as page:
        choose(page, notes)
        trouble = page.locator("#vt-upload-trouble [role=alert]")
        expect(trouble).to_contain_text("notes.mp4 is not a video or audio file")
        expect(page.locator("#vt-go")).to_be_disabled()
        page.click("#vt-sample")
        page.wait_for_selector("#vt-go:enabled")
        expect(trouble).to_be_hidden()


@pytest.mark.soak
def test_a_file_that_is_too_large_is_refused_before_it_is_sent_and_the_next_choice_is_taken(
    browser: Browser, strict: Server, tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as film:
        film.truncate(100 * 2**20 + 1)
    with browser.new_context() as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        # It has not yet told the page what it takes when somebody chooses a film already.
        with slow_answers(page):
            page.goto(strict.url)
            page.wait_for_selector("#vt-sample")
            choose(page, large)
        trouble = page.locator("#vt-upload-trouble [role=alert]")
        expect(trouble).to_contain_text("large.mp4 has 101 MB, and this server takes at most 100 (VT_MAX_UPLOAD_MB)")
        expect(page.locator("#vt-go")).to_be_disabled()
        choose(page, large, SAMPLE)
        expect(page.locator("#vt-facts h3")).to_have_text(SAMPLE.name)
        expect(trouble).to_contain_text("large.mp4 has 101 MB")
        assert not list((strict.folder / "gradio").glob("**/large.mp4"))
        page.click("#vt-sample")
        page.wait_for_selector("#vt-go:enabled")
        expect(trouble).to_be_hidden()


@pytest.mark.soak
def test_a_sample_that_cannot_be_laid_among_the_uploads_says_why(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path, VT_MAX_UPLOAD_MB="1") as server, opened(browser, server) as page:
        trouble = page.locator("#vt-upload-trouble [role=alert]")
        for _ in range(60):  # each counts among what its visitor has uploaded and no job has taken
            page.click("#vt-sample")
            page.wait_for_timeout(500)
            if trouble.is_visible():
                break
        expect(trouble).to_contain_text("sense_and_sensibility.mp4: ")
        page.wait_for_timeout(1000)
        expect(trouble).to_be_visible()


@pytest.mark.soak
def test_a_language_that_is_gone_since_the_page_was_loaded_is_told_of(browser: Browser, tmp_path: Path) -> None:
    port, speechless = str(free_port()), tmp_path / "bin"
    speechless.mkdir()
    for program in Path("/usr/bin").iterdir():
        if "espeak" not in program.name:
            (speechless / program.name).symlink_to(program)
    with running(tmp_path, PORT=port) as server, opened(browser, server) as page:
        page.click("#vt-sample")
        page.click("#vt-go:enabled")
        expect(page.locator("#vt-served")).to_contain_text("kokoro")
        server.end()
        with running(tmp_path, PORT=port, PATH=str(speechless)):
            expect(page.get_by_text("Connection to the server was lost")).to_be_hidden()
            page.click("#vt-start")
            expect(page.locator("#vt-start-trouble [role=alert]")).to_contain_text(
                "Spanish cannot be had here any more"
            )


@pytest.mark.soak
def test_a_film_without_speech_fails_in_a_sentence(browser: Browser, server: Server, tmp_path: Path) -> None:
    beep = tmp_path / "beep.mp4"
    argv = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=f=440:d=3", "-c:a", "aac", str(beep)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    with opened(browser, server) as page:
        choose(page, beep)
        page.click("#vt-go:enabled")
        page.click("#vt-start")
        expect(page.locator("#vt-trouble [role=alert]")).to_contain_text("beep.mp4: no speech found")
        expect(page.locator("#vt-progress")).to_be_hidden()


@pytest.mark.parametrize("language", CATALOGUES)
def test_the_page_speaks_the_browsers_language(language: str, browser: Browser, server: Server) -> None:
    said = Words(language)
    with browser.new_context(
        locale=f"{language}-{language.upper()}", viewport={"width": 390, "height": 844}
    ) as context:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#vt-sample")
        expect(page.get_by_role("tab", name=said("tab_upload"))).to_be_visible()
        expect(page.locator("h2").first).to_have_text(said("upload_title"))
        expect(page.locator("html")).to_have_attribute("lang", language)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_is_wider_than_a_phone_and_all_that_is_used_has_a_name(browser: Browser, server: Server) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark") as context:
        page = context.new_page()
        page.goto(server.url)
        for name in ("Translate", "Models", "Upload"):
            page.get_by_role("tab", name=name).click()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        nameless = page.locator("button:visible").evaluate_all(
            "all => all.filter(one => !one.innerText.trim() && !one.ariaLabel && !one.title).length"
        )
        assert nameless == 0


def _percent(page: Page) -> int:
    return int(page.get_attribute("#vt-progress [role=progressbar]", "aria-valuenow") or 0)


REST_MS = 3000.0
"""Longer than any pause that a page would make between two questions."""


@contextmanager
def questions(page: Page) -> Iterator[list[str]]:
    """All that the page asks the server for while the block runs."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(f"{request.method} {request.url}")

    page.on("request", note)
    yield asked
    page.remove_listener("request", note)


def rests(page: Page) -> bool:
    """Tell whether the page comes to rest: a while goes by in which it asks for nothing."""
    for _ in range(10):  # what it was about to ask for may come first
        with questions(page) as asked:
            page.wait_for_timeout(REST_MS)
        if not asked:
            return True
    return False


def advances_without_a_call(page: Page) -> bool:
    """Tell whether the progress that the page shows grows, without the page having called a function for that."""
    for _ in range(10):
        with questions(page) as asked:
            page.wait_for_function(
                "before => document.querySelector('#vt-progress [role=progressbar]').ariaValueNow > before",
                arg=_percent(page),
            )
        if not asked:
            return True
    return False


@pytest.mark.soak
def test_a_page_at_rest_asks_nothing_and_a_job_is_followed_by_a_stream_that_is_picked_up_again(
    browser: Browser, server: Server, long_film: Path
) -> None:
    with opened(browser, server) as page:
        assert rests(page)
        broken: list[Route] = []

        def break_once(route: Route) -> None:
            if broken:
                route.fallback()
            else:
                broken.append(route)
                route.abort()

        page.route("**/films/progress*", break_once)
        begin(page, long_film)
        assert advances_without_a_call(page)
        assert len(broken) == 1
        page.reload()
        page.wait_for_selector("#vt-progress [role=progressbar]")
        assert advances_without_a_call(page)
        page.click("#vt-cancel")
        expect(page.locator("#vt-trouble")).to_contain_text("You cancelled this.")
        assert rests(page)
        page.reload()
        expect(page.locator("[data-open] em")).to_have_text("cancelled")
        assert rests(page)


def test_the_scripts_are_sound_where_the_browser_is_strict(browser: Browser) -> None:
    parse = (
        "source => { try { new Function('element', 'trigger', 'props', 'watch', `'use strict';\n${source}`); } "
        "catch (error) { return String(error); } return ''; }"
    )
    with browser.new_context() as context:
        page = context.new_page()
        assert page.evaluate(parse, "const = 1;").startswith("SyntaxError")
        wrong = {file.name: page.evaluate(parse, file.read_text(encoding="utf-8")) for file in STATIC.glob("*.js")}
    assert len(wrong) > 10
    assert {name: said for name, said in wrong.items() if said} == {}


@pytest.mark.soak
def test_a_job_outlives_the_page_the_servers_death_and_its_end_and_is_cancelled_at_last(
    browser: Browser, long_film: Path, tmp_path: Path
) -> None:
    port = str(free_port())
    with running(tmp_path, PORT=port) as server, opened(browser, server) as page:
        begin(page, long_film)
        page.wait_for_function("() => document.querySelector('#vt-progress [role=progressbar]')?.ariaValueNow > 5")
        page.reload()
        page.wait_for_selector("#vt-progress [role=progressbar]")
        expect(page.get_by_role("tab", name="Translate")).to_have_attribute("aria-selected", "true")

        server.process.kill()
        server.process.wait()
        expect(page.get_by_text("Connection to the server was lost")).to_be_visible()
        with running(tmp_path, PORT=port) as again:
            expect(page.get_by_text("Connection to the server was lost")).to_be_hidden()
            page.wait_for_selector("#vt-progress [role=progressbar]")
            page.wait_for_function("() => document.querySelector('#vt-progress')?.innerText.includes('Listening')")
            assert again.end() < 5
        with running(tmp_path, PORT=port):
            page.wait_for_selector("#vt-progress [role=progressbar]")  # at whatever stage it is by now
            page.click("#vt-cancel")
            expect(page.locator("#vt-trouble")).to_contain_text("You cancelled this.")
            expect(page.locator("[data-open] em")).to_have_text("cancelled")


@pytest.mark.soak
def test_a_film_too_long_for_the_server_and_a_queue_that_is_full_are_told_of(
    browser: Browser, strict: Server, long_film: Path, tmp_path: Path
) -> None:
    longer = tmp_path / "longer.mp4"
    argv = ["ffmpeg", "-v", "error", "-stream_loop", "1", "-i", str(long_film), "-c", "copy", str(longer)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    with opened(browser, strict) as page:
        choose(page, longer)
        expect(page.locator("#vt-upload-trouble [role=alert]")).to_contain_text("takes at most 6")
        page.reload()
        begin(page, long_film)
        for _ in range(2):  # one is at work, one waits, and there is no room for a third
            page.click("#vt-new")
            page.click("#vt-sample")
            page.click("#vt-go:enabled")
            page.click("#vt-start")
            page.wait_for_selector("#vt-progress [role=progressbar], #vt-start-trouble [role=alert]")
        expect(page.locator("#vt-start-trouble [role=alert]")).to_contain_text("Too many jobs are waiting")
