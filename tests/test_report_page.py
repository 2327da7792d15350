"""The command `vt report`: a report as text, as a page that stands alone, and as further subtitles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pysubs2
import pytest
from playwright.sync_api import Browser

from tests.accessibility import NARROW, WIDE, findings
from tests.browsers import page_of
from tests.films import AAC, H264, PICTURE, ffmpeg
from tests.reports import dub_report
from vt import media
from vt.cli.main import BAD_INPUT, DONE, main
from vt.domain import Dropped
from vt.dubbing import report
from vt.dubbing.report import (
    DubbedLine,
    DubReport,
    HeardLine,
    HearingEngine,
    SlowedPart,
    SpeakerUse,
    TranscriptReport,
)
from vt.ui import fragments
from vt.ui.words import Words

HOSTILE = "<script>alert(1)</script>&\"'{{ 7 * 7 }}</style>\x1b[31m"


def line(number: int, said: str, heard: str, tempo: float = 1.0, speaker: int | None = None) -> DubbedLine:
    start = 2.0 * number
    return DubbedLine(number, start, start + 1, heard, said, 1, 1.5, tempo, tempo, start, start + 1, 0.0, speaker)


def told(*lines: DubbedLine) -> DubReport:
    return dub_report(*(lines or (line(0, "Hola.", "Hello."), line(1, "¿Qué tal?", "How are you?", 1.3))))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[report.Report], Path]:
    """Write a report as a run does, without its film."""

    def write(shown: report.Report) -> Path:
        ending = "es.report.json" if isinstance(shown, DubReport) else "report.json"
        report.write(tmp_path / f"talk.{ending}", shown)
        return tmp_path / f"talk.{ending}"

    return write


def film(target: Path) -> Path:
    """Make a film of 4 s whose first sound is loud in its first half, and the second one in its second half."""
    tone = "sine=frequency=300:duration=4,volume='{}(t,2)':eval=frame"
    sounds = [part for half in ("lt", "gte") for part in ("-f", "lavfi", "-i", tone.format(half))]
    picture = [part.replace("duration=2", "duration=4") for part in PICTURE]
    ffmpeg(*picture, *sounds, "-map", "0", "-map", "1", "-map", "2", *H264, *AAC, target)
    return target


def test_the_text_says_who_did_what_and_lists_every_line(
    written: Callable[[report.Report], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = replace(told(), notes=("Read it through.",), dropped=(Dropped(1.0, 1.5, "Hm", "music"),))
    assert main(["report", str(written(shown))]) == DONE
    said = capsys.readouterr().out
    for part in ("talk.mp4", "English to Spanish", "scripted tiny", "Read it through.", "How are you?", "¿Qué tal?"):
        assert part in said
    assert re.search(r"1\s+0:02\.0\s+1\.30", said)
    assert "left out 0:01.0 to 0:01.5: music" in said
    assert "slowed" not in said


def test_where_the_picture_is_slowed_is_told_as_text_and_on_the_page(
    written: Callable[[report.Report], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = written(replace(told(), slowed=(SlowedPart(1.0, 1.5, 1.15), SlowedPart(2.0, 3.0, 1.2))))
    assert main(["report", str(shown)]) == DONE
    assert "slowed 0:01.0 to 0:01.5: 1.15 times as long" in capsys.readouterr().out
    assert main(["report", str(shown), "--html", str(tmp_path / "talk.html")]) == DONE
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    assert "<li>0:02.0 to 0:03.0: 1.20 times as long</li>" in page
    assert '<rect class="slowed" x="50.000%" width="25.000%"' in page
    parts = (SlowedPart(61.5, 63.0, 1.25),)
    assert "<li>1:01.5 bis 1:03.0: 1,25-mal so lang</li>" in fragments.slowed(Words("de"), parts)
    assert fragments.slowed(Words("de"), ()) == ""


def test_what_is_said_commands_no_terminal(
    written: Callable[[report.Report], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(told(line(0, HOSTILE, f"[bold]{HOSTILE}[/bold] HALF")))
    file.write_text(file.read_text().replace("HALF", r"\ud800"))
    for more in ([], ["--json"], ["--html"], ["--subtitles", "both.srt"]):
        assert main(["report", str(file), *more]) == DONE
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[bold]" in said


def test_programs_get_one_line(written: Callable[[report.Report], Path], capsys: pytest.CaptureFixture[str]) -> None:
    file = written(told())
    assert main(["report", "--json", str(file)]) == DONE
    (said,) = capsys.readouterr().out.splitlines()
    assert json.loads(said) == json.loads(file.read_text())


@pytest.mark.parametrize("named", ["es.ass", "en.srt", "both.srt", "both.vtt", "both.ass"])
def test_further_subtitles_are_written_beside_the_report(written: Callable[[report.Report], Path], named: str) -> None:
    file = written(told())
    assert main(["report", str(file.with_name("talk.es.mp4")), "--subtitles", named]) == DONE
    made = pysubs2.SSAFile.from_string((file.parent / f"talk.{named}").read_text(), format_=named.rpartition(".")[2])
    shown = " ".join(event.plaintext for event in made)
    assert ("¿Qué tal?" in shown, "How are you?" in shown) == (named[:2] != "en", named[:2] != "es")
    is_ass = named.endswith("ass")
    assert main(["report", str(file), "--subtitles", named, "--karaoke"]) == (DONE if is_ass else BAD_INPUT)
    assert (r"{\kf" in (file.parent / f"talk.{named}").read_text()) == is_ass


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("", [], "is no report"),
        ("{}", [], "is no report"),
        ("[" * 100_000, [], "is no report"),
        ('{"segments": 3, "target_language": "es"}', [], "is no report"),
        (None, [], "cannot be read"),
        ("good", ["--subtitles", "fr.srt"], "both.ass"),
        ("good", ["--subtitles", "../es.srt"], "both.ass"),
        ("good", ["--karaoke"], "such as --subtitles es.ass"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    written: Callable[[report.Report], Path],
    capsys: pytest.CaptureFixture[str],
    content: str | None,
    arguments: list[str],
    said: str,
) -> None:
    file = written(told())
    if content is None:
        file.unlink()
    elif content != "good":
        file.write_text(content)
    before = sorted(file.parent.iterdir())
    assert main(["report", str(file), *arguments]) == BAD_INPUT
    assert said in capsys.readouterr().err
    assert sorted(file.parent.iterdir()) == before


# The page


def page(file: Path, target: Path | None = None) -> str:
    assert main(["report", str(file), "--html", *([str(target)] if target else [])]) == DONE
    return (target or file.with_name("talk.es.report.html")).read_text()


def test_the_page_has_every_line_and_asks_nobody_for_anything(written: Callable[[report.Report], Path]) -> None:
    made = page(written(told()))
    for part in ("How are you?", "¿Qué tal?", "1.30", "0:02.0", 'lang="es"'):
        assert part in made
    assert "http" not in made.replace('http-equiv="Content-Security-Policy"', "")
    assert "default-src 'none'" in made
    assert "<script" not in made
    assert "<video" not in made


def test_all_that_anybody_may_have_said_is_escaped(written: Callable[[report.Report], Path]) -> None:
    lines = (line(0, HOSTILE, HOSTILE, speaker=0), line(1, HOSTILE, HOSTILE, speaker=1))
    shown = replace(
        told(*lines),
        source=replace(told().source, file=f"{HOSTILE}.mp4"),
        notes=(HOSTILE,),
        dropped=(Dropped(0, 1, HOSTILE, HOSTILE),),
        speakers=(SpeakerUse(0, HOSTILE, 1.0, HOSTILE), SpeakerUse(1, "two", 1.0)),
    )
    made = page(written(shown))
    assert "<script" not in made
    assert made.count("</style>") == 1
    assert "{{ 7 * 7 }}" in made


def test_the_page_shows_the_outlines_of_both_sounds_and_links_to_the_films(
    written: Callable[[report.Report], Path],
) -> None:
    file = written(told())
    dubbed = film(file.with_name("talk.es.mp4"))
    (file.parent / "talk.mp4").write_bytes(dubbed.read_bytes())
    made = page(file)
    assert len(re.findall(r'<path d="M', made)) == 2
    assert re.findall(r'<video[^>]* src="([^"]+)"', made) == ["talk.es.mp4", "talk.mp4"]
    assert 'href="talk.es.mp4#t=2.0"' in made


def test_links_hold_whatever_the_film_is_called_and_wherever_the_page_lies(tmp_path: Path) -> None:
    file = tmp_path / "out" / 'a#b 100% "c": d.es.report.json'
    file.parent.mkdir()
    report.write(file, told())
    film(file.with_name('a#b 100% "c": d.es.mp4'))
    made = page(file, tmp_path / "pages" / "page.html")
    assert re.findall(r'<video[^>]* src="([^"]+)"', made) == ["../out/a%23b%20100%25%20%22c%22%3A%20d.es.mp4"]


def test_a_transcript_has_a_page_too(written: Callable[[report.Report], Path]) -> None:
    of_dub = told()
    heard = TranscriptReport(of_dub.source, HearingEngine(None), (), (HeardLine(0, 0, 1, "Hello."),), (), ())
    file = written(heard)
    assert "Hello." in page(file, file.with_name("page.html"))
    assert main(["report", str(file), "--subtitles", "en.ass"]) == DONE
    assert main(["report", str(file), "--subtitles", "both.ass"]) == BAD_INPUT


@pytest.mark.soak
def test_a_browser_shows_the_page_and_plays_the_film(
    browser: Browser, written: Callable[[report.Report], Path]
) -> None:
    speakers = SpeakerUse(0, "Ann", 1.0, "a voice"), SpeakerUse(1, "Ben", 1.0)
    lines = (line(0, "Hola.", "Hello.", 1.15, 0), line(1, "¿Qué tal?", "How are you?", 1.3, 1))
    gone, slow = Dropped(1.0, 1.5, "Hm", "music"), SlowedPart(1.0, 1.5, 1.15)
    file = written(replace(told(*lines), speakers=speakers, notes=("Read it.",), dropped=(gone,), slowed=(slow,)))
    film(file.with_name("talk.es.mp4"))
    page(file)
    with page_of(browser, file.with_name("talk.es.report.html").as_uri()) as shown:
        shown.wait_for_function("() => document.querySelector('video').readyState > 0")
        assert findings(shown, "the report", [("light", *WIDE), ("dark", *WIDE), ("dark", *NARROW)]) == []
        shown.emulate_media(color_scheme="light")
        assert shown.evaluate("() => document.querySelector('video').duration") == pytest.approx(4.0, abs=0.1)
        background = "() => getComputedStyle(document.body).backgroundColor"
        light = shown.evaluate(background)
        shown.emulate_media(color_scheme="dark")
        assert shown.evaluate(background) != light
        assert shown.evaluate("() => document.querySelectorAll('.timeline rect').length") == 5


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"duration_seconds": 4.0', '"duration_seconds": NaN'),
        ('"start": 0.0', '"start": 1e999'),
        ("1.3,", "-Infinity,"),
    ],
)
def test_a_report_with_numbers_that_are_none_is_damaged(
    written: Callable[[report.Report], Path], capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    file = written(told())
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    for more in ([], ["--html"], ["--subtitles", "es.srt"]):
        assert main(["report", str(file), *more]) == BAD_INPUT
        assert "damaged" in capsys.readouterr().err


def test_a_film_of_any_length_and_name_has_a_page(written: Callable[[report.Report], Path]) -> None:
    source = replace(told().source, file="x" * 300, duration_seconds=1e12)
    made = page(written(replace(told(), source=source)))
    assert made.count("<text ") <= 15


# Outlines


def test_an_outline_is_high_where_the_sound_is_loud(tmp_path: Path) -> None:
    info = media.probe(film(tmp_path / "film.mp4"))
    first, second = (media.peaks(info, track, 100) for track in info.audio)
    assert 95 <= len(first) <= 105
    assert max(first[60:]) < 0.2 * min(first[5:45])
    assert max(second[:40]) < 0.2 * min(second[55:95])


def test_an_outline_is_that_of_the_whole_film_where_the_sound_begins_late_or_ends_early(tmp_path: Path) -> None:
    picture = [part.replace("duration=2", "duration=4") for part in PICTURE]
    tones = ["-f", "lavfi", "-i", "sine=frequency=300:duration=1", "-itsoffset", "2", "-f", "lavfi", "-i"]
    tones += ["sine=frequency=300:duration=1"]
    ffmpeg(*picture, *tones, "-map", "0", "-map", "1", "-map", "2", *H264, *AAC, tmp_path / "film.mp4")
    info = media.probe(tmp_path / "film.mp4")
    for track, begins in zip(info.audio, (0.0, 2.0), strict=True):
        found = media.peaks(info, track, 100)
        assert len(found) == pytest.approx(100, abs=2)
        loud = [place / len(found) * 4 for place, peak in enumerate(found) if peak > 0.05]
        assert (loud[0], loud[-1]) == pytest.approx((begins, begins + 1), abs=0.15)


def test_a_sound_that_cannot_be_decoded_has_no_outline(tmp_path: Path) -> None:
    info = media.probe(film(tmp_path / "film.mp4"))
    assert media.peaks(info, replace(info.audio[0], codec="none"), 100) == []
