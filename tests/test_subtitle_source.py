"""Subtitles that a person made, in place of recognition."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest

from tests.conftest import SAMPLE, vt
from tests.films import decoded, streams
from vt import languages
from vt.domain import Cancel
from vt.engines.protocols import Heard
from vt.engines.whisper import Whisper
from vt.errors import SubtitleError, SubtitlesTooLarge
from vt.model_files import bundle
from vt.text import subtitles
from vt.text.sentences import sentences

SPANISH = """1
00:00:01,000 --> 00:00:03,500
La casa de mi amigo es muy grande

2
00:00:03,500 --> 00:00:07,000
y tiene un jardín con muchas flores.

3
00:00:08,000 --> 00:00:12,000
<i>Todos los días</i> trabajamos en la escuela.

4
00:00:13,000 --> 00:00:18,000
{\\an8}El agua del río está fría en el invierno.

5
00:00:19,000 --> 00:00:24,000
Mi hermano quiere comprar un coche nuevo.
"""


def _report(folder: Path, name: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "out" / name).read_text(encoding="utf-8"))
    return report


@pytest.fixture(scope="module")
def into_english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film dubbed into English from Spanish subtitles."""
    folder = tmp_path_factory.mktemp("english")
    (folder / "film.srt").write_text(SPANISH, encoding="utf-8")
    done = vt("translate", SAMPLE, "--to", "en", "--from", "es", "--subtitles", "film.srt", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_dub_from_subtitles_names_no_recogniser(into_english: Path) -> None:
    report = _report(into_english, f"{SAMPLE.stem}.en.report.json")
    assert report["engines"]["stt"] is None
    assert report["engines"]["translation"]["model"] == "spa-eng"
    assert (report["source"]["language"], report["source"]["language_detected"]) == ("es", False)


def test_a_sentence_that_runs_over_two_cues_is_spoken_as_one(into_english: Path) -> None:
    texts = [segment["source_text"] for segment in _report(into_english, f"{SAMPLE.stem}.en.report.json")["segments"]]
    assert texts == [
        "La casa de mi amigo es muy grande y tiene un jardín con muchas flores.",
        "Todos los días trabajamos en la escuela.",
        "El agua del río está fría en el invierno.",
        "Mi hermano quiere comprar un coche nuevo.",
    ]


def test_the_dub_into_english_can_be_understood(into_english: Path) -> None:
    report = _report(into_english, f"{SAMPLE.stem}.en.report.json")
    wanted = " ".join(segment["text"] for segment in report["segments"])
    samples = decoded(into_english / "out" / f"{SAMPLE.stem}.en.mp4", 16_000)
    whisper = Whisper(str(bundle.ROOT / "whisper-tiny.en"), 2, vad=False)
    found = [
        word
        for run in whisper.transcribe(samples, languages.ENGLISH, Cancel())
        if isinstance(run, Heard)
        for word in run.words
    ]
    heard = "".join(word.text for word in sorted(found, key=lambda word: word.start))
    assert jiwer.wer(_plain(wanted), _plain(heard)) < 0.4


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z ]", " ", text.lower()).split())


def test_a_film_without_sound_can_be_dubbed_from_subtitles(tmp_path: Path) -> None:
    film = tmp_path / "silent.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(SAMPLE), "-an", "-c", "copy", str(film)], check=True)
    (tmp_path / "silent.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:04.000\nHello, my friends, how are you today?\n")
    done = vt("translate", film, "--to", "es", "--subtitles", "silent.vtt", "--from", "en", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    kinds = [stream["codec_type"] for stream in streams(tmp_path / "out" / "silent.es.mp4")]
    assert kinds == ["video", "audio", "subtitle", "subtitle"]
    assert np.abs(decoded(tmp_path / "out" / "silent.es.mp4", 16_000)).max() > 5000


def test_the_language_of_subtitles_is_told_from_their_text(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(SPANISH, encoding="utf-8")
    done = vt("translate", SAMPLE, "--to", "fr", "--subtitles", "film.srt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    source = _report(tmp_path, f"{SAMPLE.stem}.fr.report.json")["source"]
    assert (source["language"], source["language_detected"]) == ("es", True)


def test_subtitles_in_another_language_than_the_one_named_are_noted(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(SPANISH, encoding="utf-8")
    done = vt("translate", SAMPLE, "--to", "ca", "--from", "fr", "--subtitles", "film.srt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The subtitles look like Spanish, but --from says French" in done.stdout


REFUSED = [
    ("1\n00:00:01,000 --> 00:00:03,000\nHello.\n\n2\n00:00:xx --> 00:00:05,000\nThere.\n", "Line 6 of the subtitles"),
    ("Just some text.\n", "hold no times"),
    ("1\n00:00:01,000 --> 00:00:03,000\n[music]\n", "holds no words"),
    ("1\n00:10:00,000 --> 00:10:03,000\nHello there, my friend.\n", "ends after 30.6 s"),
    ("", "is empty"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED)
def test_subtitles_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "film.srt").write_text(content)
    done = vt("translate", SAMPLE, "--to", "es", "--from", "en", "--subtitles", "film.srt", cwd=tmp_path)
    assert (done.returncode, [file.name for file in tmp_path.iterdir()]) == (2, ["film.srt"])
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_subtitle_file_is_named(tmp_path: Path) -> None:
    done = vt("translate", SAMPLE, "--to", "es", "--subtitles", "nowhere.srt", cwd=tmp_path)
    assert (done.returncode, "nowhere.srt" in done.stderr) == (2, True)


def test_cues_come_out_in_order_plain_and_apart() -> None:
    text = (
        "1\n00:00:05,000 --> 00:00:09,000\n{\\an8}<i>Hello</i> <font color='red'>red</font> & 5 < 6\n\n"
        "2\n00:00:01,500 --> 00:00:07,000\n- Yes.\n- MAN: No.\n\n"
        "3\n00:00:20,000 --> 00:00:21,000\n[music]\n\n4\n00:00:22,000 --> 00:00:22,000\n\n"
        "5\n00:00:30,000 --> 00:00:28,000\nBackwards\n"
    )
    assert subtitles.read(text) == [
        subtitles.Cue(1.5, 5.0, "Yes. No."),
        subtitles.Cue(5.0, 9.0, "Hello red & 5 < 6"),
        subtitles.Cue(30.0, 31.0, "Backwards"),
    ]


def test_the_notes_styles_and_settings_of_webvtt_are_not_spoken() -> None:
    text = (
        "WEBVTT - A title\nKind: captions\n\nNOTE a comment\nover two lines\n\nSTYLE\n::cue { color: red }\n\n"
        "1\n00:01.000 --> 00:04.000 align:start position:0%\n<v Roger>We are in <c.loud>New York</c> &amp; more\n\n"
        "NOTE another\n\n01:00:05.000 --> 01:00:06.000\nThe <01:00:05.500>end.\n"
    )
    assert subtitles.read(text) == [
        subtitles.Cue(1.0, 4.0, "We are in New York & more"),
        subtitles.Cue(3605.0, 3606.0, "The end."),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    text = "1\r\n00:00:01,000 --> 00:00:02,000\r\n¿Qué más?\r\n"
    assert [cue.text for cue in subtitles.read(subtitles.decoded(text.encode(encoding)))] == ["¿Qué más?"]


def test_a_time_that_cannot_be_read_is_named_with_its_line() -> None:
    with pytest.raises(SubtitleError, match=r"^Line 2 of the subtitles cannot be read: \"00:00:1 -> 2 --> x\""):
        subtitles.read("1\n00:00:1 -> 2 --> x\nHello\n")


CUE = "1\n00:00:01,000 --> 00:00:02,000\n{text}\n\n"


def refused(text: str) -> str:
    with pytest.raises(SubtitleError) as raised:
        subtitles.read(text)
    return str(raised.value)


def test_as_much_as_may_be_is_read_and_no_more() -> None:
    assert subtitles.read(CUE.format(text="x" * 2000))[0].text == "x" * 2000
    assert len(subtitles.read(CUE.format(text="Hello.") * 20_000)) == 20_000
    assert refused(CUE.format(text="Hello.") * 20_001) == "The subtitles are too long: 20000 cues are the most."
    assert refused(CUE.format(text="a " * 900) * 112) == "The subtitles are too long: 100000 words are the most."
    subtitles.check_size(5 * 2**20)
    with pytest.raises(SubtitlesTooLarge, match="5 MB are the most"):
        subtitles.check_size(5 * 2**20 + 1)


@pytest.mark.parametrize(
    "text", ["x" * 2001, "hello there " * 3400, "[" * 40_000, "x" + "\n" * 3000 + "x", "&#1" * 9000]
)
def test_a_cue_that_is_too_long_is_named_by_its_line(text: str) -> None:
    assert refused(CUE.format(text="Hello.") + CUE.format(text=text)) == (
        "The cue at line 6 of the subtitles is too long: 2000 characters are the most."
    )


def test_a_cue_may_say_a_number_last_and_be_named_in_webvtt() -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nIt was\n1984\n\n2\n\n00:00:03,000 --> 00:00:04,000\nor\n1985\n"
    assert [cue.text for cue in subtitles.read(srt)] == ["It was 1984", "or 1985"]
    vtt = "WEBVTT\n\nintro\n00:01.000 --> 00:02.000\nIn\n1984\n\nsecond part\n00:03.000 --> 00:04.000\nNo.\n"
    assert [cue.text for cue in subtitles.read(vtt)] == ["In 1984", "No."]


@pytest.mark.parametrize(
    "line",
    [
        "99999999:00:00,000 --> 99999999:00:01,000",
        "-00:00:01,000 --> 00:00:02,000",
        "nan --> inf",
        "00:00:01,000 -->",
        "00:00:01,000 --> 1e9",
        f"00:00:01,000 --> {'9' * 5000}:00:00,000",
        "-->" * 100_000,
    ],
)
def test_an_absurd_time_is_named_with_its_line_and_cut_short(line: str) -> None:
    said = refused(f"1\n{line}\nHello.\n")
    assert said.startswith(f'Line 2 of the subtitles cannot be read: "{line[:40]}')
    assert len(said) < 200


def test_the_latest_time_that_can_be_written_is_read() -> None:
    assert subtitles.read("999:59:59,999 --> 00:00:01,5\nHello.\n")[0].start == 3_599_999.999


@pytest.mark.parametrize(
    ("nested", "left"), [("[a [b [c] d] e] f", "f"), ("[ [music] there", "[ there"), ("[]]x", "]x")]
)
def test_brackets_in_brackets_are_taken_out_whole(nested: str, left: str) -> None:
    assert [cue.text for cue in subtitles.read(CUE.format(text=nested))] == [left]


@pytest.mark.parametrize("text", ["...", "- -", "♪ ♪", "[", "<<<", "?!", "\u0301\u0301"])
def test_a_cue_of_signs_alone_is_left_out(text: str) -> None:
    assert subtitles.read(CUE.format(text=text)) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["¿Qué más?", "你好，世界。"])
def test_utf_16_without_a_mark_is_read(encoding: str, text: str) -> None:
    assert [cue.text for cue in subtitles.read(subtitles.decoded(CUE.format(text=text).encode(encoding)))] == [text]


def test_signs_that_nobody_says_are_left_out() -> None:
    assert subtitles.read(CUE.format(text="He\x00l\x07lo\x9b, &#0;&#7;\ufeffyou."))[0].text == "Hello, \ufffdyou."


@pytest.mark.parametrize(
    "content", [bytes(range(256)) * 50, b"\0" * 9999, b"\xff\xfe" + b"\x00\xd8" * 99, b"\x1aE\xdf\xa3"]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    assert "hold no times" in refused(subtitles.decoded(content))


def test_words_share_the_time_of_their_cue() -> None:
    words = subtitles.words([subtitles.Cue(1.0, 3.0, "abcd ef gh"), subtitles.Cue(3.0, 4.0, "ij.")])
    assert [(word.text, word.start, word.end) for word in words] == [
        (" abcd", 1.0, 2.0),
        (" ef", 2.0, 2.5),
        (" gh", 2.5, 3.0),
        (" ij.", 3.0, 4.0),
    ]
    assert [segment.text for segment in sentences(words)] == ["abcd ef gh ij."]
