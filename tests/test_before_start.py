"""What the page does before a dub begins, in a real browser: films that are sent, several at once, and cancelled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect

from tests.browsers import page_of
from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server
from vt.domain import NO_EDITS, Job, JobSpec, JobState, Stage
from vt.ui import fragments
from vt.ui.words import ENGLISH

PATIENCE_MS = 50_000.0
"""Of all waits: only a page that hangs takes so long."""
DROP_NINE = """() => {
    const dropped = new DataTransfer();
    for (let number = 1; number <= 9; number++) dropped.items.add(new File(['no film'], `${number}.mp4`));
    const drop = new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: dropped});
    document.querySelector('#vt-film button').dispatchEvent(drop);
}"""
PHONE = ViewportSize(width=390, height=844)


@contextmanager
def opened(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, as somebody finds it who comes for the first time."""
    with page_of(browser, server.url) as page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.wait_for_selector("#vt-sample")
        yield page


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two short films in which somebody speaks."""
    folder = tmp_path_factory.mktemp("clips")
    films = [folder / "one.mp4", folder / "two.mp4"]
    for place, film in enumerate(films):
        ffmpeg("-ss", str(5 * place), "-i", SAMPLE, "-t", "4", "-c:v", "libx264", "-c:a", "aac", film)
    return films


def choose(page: Page, *files: Path) -> None:
    page.set_input_files("#vt-film input[type=file]", list(files))


def fits(page: Page) -> bool:
    """Tell whether nothing is wider than the window."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.soak
def test_several_films_become_a_job_each_and_one_that_is_none_is_named_and_stops_no_other(
    browser: Browser, server: Server, clips: list[Path], tmp_path: Path
) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("this is no film")
    with opened(browser, server) as page:
        with page.expect_file_chooser() as picker:
            page.click("#vt-film button")
        picker.value.set_files([clips[0], notes, clips[1]])
        assert (picker.value.is_multiple(), ".mkv" in (picker.value.element.get_attribute("accept") or "")) == (
            True,
            True,
        )
        expect(page.locator("#vt-upload-trouble [role=alert]")).to_contain_text(
            "notes.mp4 is not a video or audio file"
        )
        expect(page.locator("#vt-facts li")).to_have_text([re.compile("one.mp4.*0:04"), re.compile("two.mp4.*0:04")])
        page.set_viewport_size(PHONE)
        assert fits(page)
        page.click("#vt-go:enabled")
        expect(page.locator("#vt-compose")).to_contain_text("one.mp4, two.mp4")
        page.dblclick("#vt-start")
        films = page.locator(".vt-yours li")
        expect(films).to_have_count(2)
        assert fits(page)
        expect(films.locator("em")).to_have_text(["done", "done"])
        films.filter(has_text="two.mp4").locator("[data-open]").click()
        expect(page.locator(".vt-job-head h2")).to_have_text("two.mp4")
        page.wait_for_selector(".vt-lines[data-version='1'] [data-save]:not([data-busy])")
        page.get_by_role("tab", name="Upload").click()
        expect(page.locator("#vt-go")).to_be_disabled()
        expect(page.locator("#vt-facts")).to_be_hidden()
        page.evaluate(DROP_NINE)
        trouble = page.locator("#vt-upload-trouble [role=alert]")
        expect(trouble).to_contain_text("9.mp4 was left out: at most 8 videos can be chosen at once.")
        expect(trouble.locator("p")).to_have_count(9)


@pytest.mark.soak
def test_how_far_an_upload_is_is_told_in_mb_and_per_cent_and_it_can_be_cancelled(
    browser: Browser, server: Server, clips: list[Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.mp4"
    with large.open("wb") as film:
        film.truncate(6 * 2**20)
    with opened(browser, server) as page:
        choose(page, clips[0])
        expect(page.locator("#vt-facts h3")).to_have_text("one.mp4")
        line = page.context.new_cdp_session(page)
        line.send("Network.enable")
        slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2**20}
        line.send("Network.emulateNetworkConditions", slow)
        choose(page, large)
        told = page.locator("#vt-sending [data-sending]")
        expect(told).to_contain_text("large.mp4")
        expect(told.locator("[data-percent]")).to_have_text(re.compile(r"^[1-9]\d? %$"))
        expect(told.locator("[data-amount]")).to_have_text(re.compile(r"^[0-5]\.\d of 6\.0 MB$"))
        page.set_viewport_size(PHONE)
        assert fits(page)
        told.get_by_role("button", name="Cancel").click()
        expect(told).to_be_hidden()
        line.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": -1})
        expect(page.locator("#vt-facts h3")).to_have_text("one.mp4")
        expect(page.locator("#vt-go")).to_be_enabled()
        expect(page.locator("#vt-upload-trouble")).to_be_hidden()
        choose(page, clips[1])
        expect(page.locator("#vt-facts li")).to_have_count(2)


def choose_terms(page: Page, folder: Path) -> None:
    """Choose a glossary that is none, see that this is said, and choose another one."""
    terms = folder / "terms.csv"
    page.locator("#vt-options").get_by_role("button", name="Advanced").click()
    terms.write_text("welcome,\n,saludo\n")
    page.set_input_files("#vt-glossary input[type=file]", terms)
    trouble = page.locator("#vt-start-trouble")
    expect(trouble.get_by_role("alert")).to_contain_text("Line 2 of the glossary has a translation, but no term before")
    page.locator("#vt-glossary").get_by_role("button", name="Clear").click()
    expect(trouble).to_be_hidden()
    terms.write_text("morning;alborada\nzebra;cebra\n")
    page.set_input_files("#vt-glossary input[type=file]", terms)
    expect(page.locator("#vt-glossary")).to_contain_text("terms")


@pytest.mark.soak
def test_a_preview_says_what_it_is_and_one_press_dubs_the_whole_film_without_a_new_upload(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    film, text = tmp_path / "long.mp4", tmp_path / "talk.srt"
    picture = ("-f", "lavfi", "-i", "color=gray:size=32x32:rate=5:duration=70")
    ffmpeg(
        *picture, "-f", "lavfi", "-i", "anullsrc=r=16000:cl=mono", "-shortest", "-c:v", "libx264", "-c:a", "aac", film
    )
    said = "1\n00:00:02,000 --> 00:00:04,000\nGood morning, and welcome to all of you.\n\n"
    text.write_text(f"{said}2\n00:01:05,000 --> 00:01:07,000\nSo long.\n")
    with opened(browser, server) as page:
        page.set_input_files("#vt-subtitles input[type=file]", text)
        choose(page, film)
        expect(page.locator("#vt-facts")).to_contain_text("talk.srt")
        page.click("#vt-go:enabled")
        choose_terms(page, tmp_path)
        page.get_by_label("First minute only, as a trial").check()
        page.click("#vt-start")
        page.wait_for_selector(".vt-lines[data-version='1'] [data-save]:not([data-busy])")
        expect(page.locator(".vt-job-head")).to_contain_text("preview")
        expect(page.locator("#vt-watch")).to_contain_text(
            re.compile("This is a preview: the first 6[01] seconds of the film")
        )
        expect(page.locator("#vt-watch")).to_contain_text("Terms of the glossary that are in no line: zebra.")
        expect(page.locator("textarea[data-field=text]")).to_have_count(1)
        expect(page.locator("textarea[data-field=text]")).to_have_value(re.compile("alborada"))
        page.fill("textarea[data-field=text]", "Una alborada, dicha a mano.")
        page.click("[data-save]:enabled")
        page.wait_for_selector(".vt-lines[data-version='2'] [data-save]:not([data-busy])")
        with page.expect_response("**/gradio_api/run/predict"):
            page.set_viewport_size(PHONE)
            assert fits(page)
            page.dblclick("#vt-whole")
        expect(page.locator(".vt-job-head")).not_to_contain_text("preview")
        expect(page.locator("textarea[data-field=text]")).to_have_count(2)
        expect(page.locator("textarea[data-field=text]").first).to_have_value("Una alborada, dicha a mano.")
        expect(page.locator(".vt-yours li")).to_have_count(1)
        expect(page.locator("[data-open]")).to_have_count(2)
        expect(page.locator("#vt-whole")).to_be_hidden()


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def speaking(job_id: str) -> Job:
    """Return a job whose first lines are spoken."""
    spec = JobSpec("film.mp4", "es")
    return Job(job_id, JobState.RUNNING, Stage.SPEAK, 0.6, None, NOW, NOW, spec, 0, NO_EDITS, NO_EDITS, 0, 0, "")


@pytest.mark.soak
def test_the_first_lines_are_played_one_after_the_other_while_the_dub_is_made(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    film, lines = tmp_path / "long.mp4", {"0": tmp_path / "0.wav", "1": tmp_path / "1.wav"}
    ffmpeg("-stream_loop", "40", "-i", SAMPLE, "-c", "copy", film)
    for line, seconds in (("0", "0.2"), ("1", "120")):  # the second one lasts until somebody stops it
        ffmpeg("-f", "lavfi", "-i", f"anullsrc=r=8000:cl=mono:d={seconds}", lines[line])
    asked: list[str] = []

    def tell(route: Route) -> None:
        job_id = route.request.url.rpartition("job=")[2]
        shown = fragments.progress(ENGLISH, speaking(job_id), None, None, None, [0, 1])
        told = {"job": job_id, "mark": "running0", "html": shown, "step": "Speaking", "percent": 60}
        route.fulfill(body=f"data: {json.dumps(told)}\n\n", content_type="text/event-stream")

    def speak(route: Route) -> None:
        asked.append(route.request.url.rpartition("/")[2])
        route.fulfill(body=lines[asked[-1]].read_bytes(), content_type="audio/wav")

    with opened(browser, server) as page:
        choose(page, film)
        page.click("#vt-go:enabled")
        expect(page.locator("#vt-compose")).to_contain_text("First minute only")
        page.click("#vt-start")
        page.wait_for_function("() => document.querySelector('#vt-progress [role=progressbar]')?.ariaValueNow > 0")
        page.route("**/films/progress*", tell)
        page.route("**/first-lines/*", speak)
        page.reload()
        page.set_viewport_size(PHONE)
        hear = page.locator("#vt-progress [data-first-lines]")
        expect(hear).to_have_text("Hear the first lines")
        assert fits(page)
        hear.click()
        while asked != ["0", "1"]:
            page.wait_for_timeout(50)
        expect(hear).to_have_text("Stop")
        hear.click()
        expect(hear).to_have_text("Hear the first lines")
        page.unroute("**/films/progress*")
        page.click("#vt-cancel")
        expect(page.locator("#vt-trouble")).to_contain_text("You cancelled this.")
