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
from vt.model_files import bundle

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
    wanted = ("--to", "en", "--from", "es", "--subtitles", "film.srt")
    # Without what the film says itself where its subtitles end.
    done = vt("translate", SAMPLE, *wanted, "--background", "none", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.soak
def test_a_dub_from_subtitles_names_no_recogniser(into_english: Path) -> None:
    report = _report(into_english, f"{SAMPLE.stem}.en.report.json")
    assert report["engines"]["stt"] is None
    assert report["engines"]["translation"]["model"] == "spa-eng"
    assert (report["source"]["language"], report["source"]["language_detected"]) == ("es", False)


@pytest.mark.soak
def test_a_sentence_that_runs_over_two_cues_is_spoken_as_one(into_english: Path) -> None:
    texts = [segment["source_text"] for segment in _report(into_english, f"{SAMPLE.stem}.en.report.json")["segments"]]
    assert texts == [
        "La casa de mi amigo es muy grande y tiene un jardín con muchas flores.",
        "Todos los días trabajamos en la escuela.",
        "El agua del río está fría en el invierno.",
        "Mi hermano quiere comprar un coche nuevo.",
    ]


@pytest.mark.soak
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


@pytest.mark.soak
def test_the_language_of_subtitles_is_told_from_their_text(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(SPANISH, encoding="utf-8")
    done = vt("translate", SAMPLE, "--to", "fr", "--subtitles", "film.srt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    source = _report(tmp_path, f"{SAMPLE.stem}.fr.report.json")["source"]
    assert (source["language"], source["language_detected"]) == ("es", True)


@pytest.mark.soak
def test_subtitles_in_another_language_than_the_one_named_are_noted(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(SPANISH, encoding="utf-8")
    done = vt("translate", SAMPLE, "--to", "ca", "--from", "fr", "--subtitles", "film.srt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "The subtitles look like Spanish, but French was named" in done.stdout


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
