"""The main job on the real sample with the real engines: heard, translated, spoken in time, and put together."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pysubs2
import pytest
from numpy.typing import NDArray

from tests.conftest import SAMPLE, TRANSCRIPT, Dubbed
from vt import languages
from vt.domain import Cancel
from vt.engines.protocols import Heard
from vt.engines.whisper import Whisper
from vt.model_files import bundle

RATE = 16_000


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z ]", " ", text.lower().replace("mr.", "mister").replace("-", " ")).split())


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower().replace("sr.", "señor")))


def _probe(film: Path) -> dict[str, Any]:
    argv = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(film)]
    probed: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return probed


def _samples(film: Path, stream: str) -> NDArray[np.int16]:
    argv = ["ffmpeg", "-v", "error", "-i", str(film), "-map", f"0:{stream}", "-ac", "1", "-ar", str(RATE)]
    return np.frombuffer(subprocess.run([*argv, "-f", "s16le", "-"], capture_output=True, check=True).stdout, np.int16)


def _level(samples: NDArray[np.int16]) -> float:
    power = float(np.mean((samples.astype(np.float64) / 32768) ** 2)) if len(samples) else 0.0
    return 10 * float(np.log10(max(power, 1e-12)))


def test_it_ends_well_and_tells_where_the_results_are(dubbed: Dubbed) -> None:
    assert dubbed.run.returncode == 0, dubbed.run.stderr
    assert dubbed.run.stderr == ""
    assert dubbed.run.stdout.splitlines()[-1] == f"out/{SAMPLE.stem}.es.mp4"


def test_the_folder_holds_just_the_promised_files(dubbed: Dubbed) -> None:
    endings = ("es.mp4", "en.srt", "es.srt", "en.vtt", "es.vtt", "es.report.json")
    assert {file.name for file in dubbed.folder.iterdir()} == {f"{SAMPLE.stem}.{ending}" for ending in endings}
    assert [file.name for file in dubbed.folder.parent.iterdir()] == ["out"]


def test_the_film_has_its_picture_two_sound_tracks_and_two_subtitle_tracks(dubbed: Dubbed) -> None:
    streams = _probe(dubbed.film)["streams"]
    assert [stream["codec_type"] for stream in streams] == ["video", "audio", "audio", "subtitle", "subtitle"]
    assert [stream["tags"]["language"] for stream in streams[1:]] == ["spa", "eng", "spa", "eng"]
    assert [stream["disposition"]["default"] for stream in streams[1:3]] == [1, 0]
    titles = [stream["tags"]["handler_name"] for stream in streams[1:]]
    assert titles == ["Español (dubbed)", "English (original)", "Español", "English"]


def test_the_picture_is_the_same_to_the_bit_and_as_long_as_before(dubbed: Dubbed) -> None:
    def packets(film: Path) -> str:
        argv = ["ffmpeg", "-v", "error", "-i", str(film), "-map", "0:v:0", "-c", "copy", "-f", "framemd5", "-"]
        lines = subprocess.run(argv, capture_output=True, check=True).stdout.decode().splitlines()
        return "".join(line.split(",")[-1] for line in lines if line[0] != "#")

    assert packets(dubbed.film) == packets(SAMPLE)
    before, after = (float(_probe(film)["streams"][0]["duration"]) for film in (SAMPLE, dubbed.film))
    assert abs(before - after) <= 1 / 25
    assert abs(float(_probe(SAMPLE)["format"]["duration"]) - float(_probe(dubbed.film)["format"]["duration"])) <= 1 / 25


def test_what_was_heard_is_what_was_said(dubbed: Dubbed) -> None:
    heard = " ".join(segment["source_text"] for segment in dubbed.report["segments"])
    assert jiwer.wer(_plain(TRANSCRIPT.read_text(encoding="utf-8")), _plain(heard)) < 0.15


def test_it_says_it_in_spanish(dubbed: Dubbed) -> None:
    text = " ".join(segment["text"] for segment in dubbed.report["segments"]).lower()
    words = set(re.findall(r"\w+", text))
    assert {"que", "de", "para", "más"} <= words
    assert len(words & {"the", "and", "that", "was", "to", "of", "him", "than"}) == 0


def test_the_dub_is_understood_by_a_recogniser(dubbed: Dubbed) -> None:
    folder = bundle.check("whisper-base")
    base = Whisper(str(folder), 2, vad=False)
    found = base.transcribe(_samples(dubbed.film, "a:0"), languages.SPANISH, Cancel())
    heard = " ".join(word.text for piece in found if isinstance(piece, Heard) for word in piece.words)
    base.close()
    said = " ".join(segment["text"] for segment in dubbed.report["segments"])
    assert jiwer.wer(_words(said), _words(heard)) <= 0.20


def test_the_sound_is_where_lines_are_placed_and_rests_elsewhere(dubbed: Dubbed) -> None:
    samples = _samples(dubbed.film, "a:0")
    segments = dubbed.report["segments"]
    for segment in segments:
        line = samples[int(segment["placed_start"] * RATE) : int(segment["placed_end"] * RATE)]
        assert _level(line) > -26
        assert _level(line[: RATE // 4]) > -45
    edges = [0.0, *(edge for s in segments for edge in (s["placed_start"], s["placed_end"])), len(samples) / RATE]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        rest = samples[int((start + 0.05) * RATE) : int((end - 0.05) * RATE)]
        assert _level(rest) < -60


def test_no_line_overlaps_the_next_and_none_is_hurried(dubbed: Dubbed) -> None:
    segments = dubbed.report["segments"]
    for line, following in pairwise(segments):
        assert line["placed_end"] <= following["placed_start"]
    timing = dubbed.report["timing"]
    assert timing["max_tempo"] <= 1.2
    assert timing["off_by_more_than_0_3s"] == 0
    assert timing["overflow_seconds"] == 0
    assert timing["speech_overlap"] > 0.9


def test_the_loudness_is_right_and_the_report_tells_the_truth_about_it(dubbed: Dubbed) -> None:
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(dubbed.film), "-map", "0:a:0"]
    argv += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, check=True).stderr.decode()
    integrated = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", said)[-1])
    peak = float(re.findall(r"Peak:\s+(-?[\d.]+) dBFS", said)[-1])
    assert abs(integrated + 16) <= 1
    assert peak <= -1
    told = dubbed.report["loudness"]
    assert told["integrated_lufs"] == pytest.approx(integrated, abs=0.2)
    assert told["true_peak_dbtp"] == pytest.approx(peak, abs=0.2)


def test_the_report_has_the_promised_shape(dubbed: Dubbed) -> None:
    report = dubbed.report
    keys = "source target_language base_rate engines stages total_seconds segments dropped timing loudness notes"
    assert set(report) == set(keys.split())
    assert report["source"] == {
        "file": SAMPLE.name,
        "duration_seconds": pytest.approx(30.7, abs=0.2),
        "language": "en",
        "language_detected": True,
    }
    assert {kind: engine["engine"] for kind, engine in report["engines"].items()} == {
        "stt": "whisper",
        "translation": "firefox > apertium",
        "tts": "kokoro",
    }
    assert report["engines"]["tts"]["voice"] == "ef_dora"
    hops = [(hop["engine"], hop["from"], hop["to"]) for hop in report["engines"]["translation"]["route"]]
    assert hops == [("firefox", "en", "pt"), ("apertium", "pt", "es")]
    assert all(engine["fallback_reason"] is None for engine in report["engines"].values())
    assert [segment["id"] for segment in report["segments"]] == list(range(len(report["segments"])))
    wanted = (
        "id start end source_text text slot_seconds room_seconds natural_seconds tempo placed_start placed_end"
        " overflow_seconds source_words confidence"
    )
    # Phrases are told of where a line has several.
    assert all(set(segment) - {"phrases"} == set(wanted.split()) for segment in report["segments"])
    assert 0.8 <= report["base_rate"] <= 1.5
    assert sum(stage["seconds"] for stage in report["stages"]) <= report["total_seconds"] + 0.01


def test_both_forms_of_both_subtitles_say_what_the_report_says(dubbed: Dubbed) -> None:
    for language, field in (("en", "source_text"), ("es", "text")):
        wanted = " ".join(segment[field] for segment in dubbed.report["segments"])
        for ending in ("srt", "vtt"):
            file = pysubs2.load(str(dubbed.folder / f"{SAMPLE.stem}.{language}.{ending}"))
            assert " ".join(" ".join(event.plaintext.split()) for event in file) == wanted
            assert all(len(line) <= 42 for event in file for line in event.plaintext.splitlines())
            assert all(first.end <= second.start for first, second in pairwise(file))
