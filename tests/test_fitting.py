"""The picture is slowed where lines would have to be hurried, and everything that goes with it moves, too."""

from __future__ import annotations

import json
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.domain import Background, Cancel, Finish, Fit, Line, Word
from vt.dubbing import fitting, pipeline, timing
from vt.engines.protocols import Heard
from vt.errors import Cancelled, StorageError
from vt.media import Slowed, Slowing, SoundFormat, probe, slowed_samples
from vt.media.slowing import slowed_track

RATE = 48_000
FILM_SECONDS = 16.0
SLOWED = Finish(background=Background.DUCK, fit=Fit.PICTURE)


def said(start: float, end: float, characters: int) -> Word:
    """Return a sentence that takes so many characters."""
    return Word(start, end, " " + ("word " * characters)[: characters - 1] + ".")


WORDS = (said(0.5, 2.5, 40), said(3, 5, 64), said(5, 7, 64), said(7.2, 9.2, 40), said(10, 12, 40))
"""Two lines in the middle need half as much time again."""


# Where, and how much


moments = st.floats(0.0, 3.0)
lines = st.lists(st.tuples(moments, st.floats(0.1, 4.0), st.floats(0.0, 8.0)), max_size=12)


@settings(max_examples=300, deadline=None)
@given(lines, moments)
def test_a_film_is_slowed_within_its_bounds_and_no_more_than_lines_need(
    rows: list[tuple[float, float, float]], rest: float
) -> None:
    made, here = list[Line](), 0.0
    for pause, slot, natural in rows:
        made.append(Line(here + pause, here + pause + slot, natural))
        here += pause + slot
    film = here + rest + 0.1
    slowing = fitting.slowing_for(made, film)
    assert slowing.added <= fitting.MOST_ADDED * film + 1e-6
    assert all(1.0 < part.factor <= fitting.MOST_SLOWED for part in slowing.stretches)
    assert all(one.start < one.end <= after.start for one, after in pairwise(slowing.stretches))
    before = timing.place(made, film)
    moved = [Line(slowing.at(line.start), slowing.at(line.end), line.natural_seconds) for line in made]
    after = timing.place(moved, slowing.at(film))
    if not any(map(timing.is_hurried, before)):
        assert not slowing.stretches
    has_bounds_left = slowing.added < 0.999 * fitting.MOST_ADDED * film
    if has_bounds_left and all(part.factor < fitting.MOST_SLOWED for part in slowing.stretches):
        assert not any(map(timing.is_hurried, after))


def test_times_behind_a_slowed_stretch_are_later_and_within_it_they_are_stretched() -> None:
    slowing = Slowing((Slowed(2, 4, 1.25), Slowed(4, 5, 1.1)))
    assert [slowing.at(moment) for moment in (0, 2, 3, 4, 5, 9)] == pytest.approx([0, 2, 3.25, 4.5, 5.6, 9.6])
    assert slowing.added == pytest.approx(0.6)
    long = Slowing(tuple(Slowed(10 * at, 10 * at + 4, 1.25) for at in range(200)))
    began = time.process_time()
    found = [long.at(moment / 4) for moment in range(8000)]
    assert time.process_time() - began < 0.2  # each stretch was looked at for each word: 0.5 s
    assert found[-1] == pytest.approx(8000 / 4 - 0.25 + 200)
    assert all(before < after for before, after in pairwise(found))


# A film with a flash and a beep in each second


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    chapters, texts, target = folder / "chapters.txt", folder / "texts.srt", folder / "talk.mp4"
    chapters.write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=9000\ntitle=One; more\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=9000\nEND=16000\ntitle=Two\n"
    )
    texts.write_text("1\n00:00:04,000 --> 00:00:06,000\nInside\n\n2\n00:00:10,000 --> 00:00:12,000\nBehind\n")
    flash = "color=black:size=64x36:rate=25:duration=16,geq=lum='if(lt(mod(T,1),0.03),235,16)':cb=128:cr=128"
    beep = "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.05)':s=48000:d=16"
    inputs: list[str | Path] = [
        "-f",
        "lavfi",
        "-i",
        flash,
        "-f",
        "lavfi",
        "-i",
        beep,
        "-i",
        texts,
        "-f",
        "ffmetadata",
        "-i",
        chapters,
    ]
    coded = [
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-bf",
        "2",
        "-pix_fmt",
        "yuv420p",
        *films.AAC,
        "-c:s",
        "mov_text",
    ]
    streams = ["-map", "0:v", "-map", "1:a", "-map", "2:s", "-map_chapters", "3", "-metadata:s:a:0", "language=eng"]
    films.ffmpeg(*inputs, *streams, *coded, target)
    return target


@pytest.fixture(scope="module")
def dub(film: Path, tmp_path_factory: pytest.TempPathFactory) -> pipeline.Result:
    factory = FakeFactory(ScriptedTranscriber([Heard(WORDS)]), ToneSynthesizer(0.05))
    return pipeline.dub(asked(film, "es", "en", finish=SLOWED), factory, tmp_path_factory.mktemp("dub"))


def slowing_of(dub: pipeline.Result) -> Slowing:
    """Return how a film was slowed, as the report tells it in the times of the dub."""
    found, longer = list[Slowed](), 0.0
    for part in dub.report.as_json()["slowed"]:
        lasted = (part["end"] - part["start"]) / part["factor"]
        found.append(Slowed(part["start"] - longer, part["start"] - longer + lasted, part["factor"]))
        longer += part["end"] - part["start"] - lasted
    return Slowing(tuple(found))


def shown(path: Path, *entries: str) -> dict[str, Any]:
    argv = ["ffprobe", "-v", "error", *entries, "-of", "json", "-i", f"file:{path}"]
    found: dict[str, Any] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return found


def flashes(path: Path) -> NDArray[np.float64]:
    """Return when a flash is shown, in seconds."""
    packets = shown(path, "-select_streams", "v:0", "-show_entries", "packet=pts_time")["packets"]
    times = np.sort([float(packet["pts_time"]) for packet in packets])
    gray = films.ffmpeg(
        "-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"
    )
    bright = np.frombuffer(gray, np.uint8).reshape(len(times), -1).mean(axis=1) > 100
    return np.asarray(times[bright])


def beeps(path: Path, track: int) -> NDArray[np.float64]:
    """Return when each beep begins on a sound track, in seconds."""
    loud = np.flatnonzero(np.abs(films.decoded(path, RATE, track).astype(int)) > 3000) / RATE
    return np.asarray(loud[np.concatenate(([True], np.diff(loud) > 0.5))])


@pytest.mark.soak
def test_no_line_is_hurried_and_the_film_is_longer_by_what_it_is_slowed(dub: pipeline.Result) -> None:
    report, slowing = dub.report.as_json(), slowing_of(dub)
    assert report["timing"]["max_tempo"] <= 1.2
    assert 0.3 < slowing.added <= fitting.MOST_ADDED * FILM_SECONDS
    assert report["source"]["duration_seconds"] == pytest.approx(FILM_SECONDS + slowing.added, abs=0.005)
    picture = films.streams(dub.files[0])[0]
    assert float(picture["duration"]) == pytest.approx(FILM_SECONDS + slowing.added, abs=0.04)
    assert any("slowed" in note for note in report["notes"])
    starts = [line["start"] for line in report["segments"]]
    assert starts == pytest.approx([slowing.at(word.start) for word in WORDS], abs=0.005)
    ends = [line["source_words"][-1][1] for line in report["segments"]]
    assert ends == pytest.approx([slowing.at(word.end) for word in WORDS], abs=0.005)


def test_picture_and_original_sound_stay_together_through_the_slowed_stretch(dub: pipeline.Result) -> None:
    wanted = [slowing_of(dub).at(second) for second in range(16)]
    assert flashes(dub.files[0]) == pytest.approx(wanted, abs=0.005)
    assert beeps(dub.files[0], 1) == pytest.approx(wanted, abs=0.02)


def test_chapters_and_the_films_own_subtitles_move_with_the_picture(dub: pipeline.Result) -> None:
    slowing = slowing_of(dub)
    chapters = shown(dub.files[0], "-show_chapters")["chapters"]
    assert [(one["tags"]["title"], float(one["start_time"])) for one in chapters] == [
        ("One; more", 0.0), ("Two", pytest.approx(slowing.at(9), abs=0.005)),
    ]  # fmt: skip
    *_, own = (one["index"] for one in films.streams(dub.files[0]) if one["codec_type"] == "subtitle")
    packets = shown(dub.files[0], "-select_streams", str(own), "-show_packets")["packets"]
    texts = [(float(one["pts_time"]), float(one["duration_time"])) for one in packets if int(one["size"]) > 2]
    wanted = [(slowing.at(start), slowing.at(end) - slowing.at(start)) for start, end in ((4, 6), (10, 12))]
    assert np.array(texts) == pytest.approx(np.array(wanted), abs=0.005)


@pytest.mark.soak
def test_without_being_asked_the_film_keeps_its_length(film: Path, tmp_path: Path) -> None:
    factory = FakeFactory(ScriptedTranscriber([Heard(WORDS)]), ToneSynthesizer(0.05))
    report = pipeline.dub(asked(film, "es", "en"), factory, tmp_path).report.as_json()
    assert "slowed" not in report
    assert report["timing"]["max_tempo"] > 1.2
    assert report["source"]["duration_seconds"] == pytest.approx(FILM_SECONDS, abs=0.005)


def test_a_cancel_ends_the_slowing_of_a_sound_also_where_it_is_not_slowed(tmp_path: Path) -> None:
    sound, cancel = tmp_path / "sound", Cancel()
    sound.write_bytes(bytes(2 * RATE))
    cancel.set()
    with pytest.raises(Cancelled):
        slowed_samples(sound, SoundFormat(RATE, 1), Slowing(), tmp_path / "slowed", cancel)


def test_a_slowed_sound_that_finds_no_room_on_the_disk_is_not_begun(tmp_path: Path) -> None:
    info = probe(films.film(tmp_path / "film.mp4"))
    endless = Slowing((Slowed(0.5, 1.0, 1e10),))
    with pytest.raises(StorageError, match="disk is full"):
        slowed_track(info, info.audio[0], endless, tmp_path / "sound.m4a")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]  # nothing of it keeps room from other tracks
