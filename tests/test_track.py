"""The dubbed track in stretches: where it is cut, how they join, and what a changed line costs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import films
from tests.sounds import pcm, speech
from tests.tracks import finished
from vt import media
from vt.domain import Cancel, Clip, Placement
from vt.dubbing import track
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.dubbing.track import DubTrack, Level, Spoken
from vt.errors import Cancelled, StorageError

RATE = 22_050
FRAME_SECONDS = 1024 / 24_000
FILM = 150.0
STARTS = [1.0, 30.0, 58.0, 63.5, 90.0, 118.0, 124.0, 140.0]


def placed(start: float, seconds: float = 2.0) -> Placement:
    return Placement(start, start + seconds, seconds, seconds, seconds)


def spoken(artifacts: Artifacts, start: float, sound: NDArray[np.int16] | None = None, seed: int = 0) -> Spoken:
    """Keep a clip, of two seconds where none is given, and say where it is."""
    samples = pcm(speech(2.0, RATE, -20, seed)) if sound is None else sound
    name = fingerprint(start, seed)
    artifacts.put_clip("take", name, Clip(samples, RATE))
    return Spoken(start, len(samples) / RATE, "take", name)


def made(
    target: Path, artifacts: Artifacts, lines: Sequence[Spoken], level: Level | None = None, film: float = FILM
) -> tuple[media.Loudness, Level]:
    borders = track.cuts([placed(line.start, line.seconds) for line in lines], film, RATE)
    with DubTrack(borders, RATE, level or Level(0.0), artifacts) as dubbed:
        for line in lines:
            dubbed.add(line)
        return finished(dubbed, target), dubbed.level


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "pieces")


# Where it is cut


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 15)), max_size=40),
    st.floats(0.5, 900),
    st.sampled_from([16_000, 22_050, 44_100, 48_000]),
)
def test_a_track_is_cut_in_pauses_only_and_its_ends_are_its_ends(
    steps: list[tuple[float, float]], film: float, rate: int
) -> None:
    plan, here = [], 0.0
    for pause, length in steps:
        plan.append(placed(here + pause, length))
        here = plan[-1].end
    borders = track.cuts(plan, film, rate)
    assert borders[0] == 0
    assert borders[-1] == pytest.approx(max(film, here) * rate, abs=1.0)
    assert all(before < after for before, after in pairwise(borders))
    frame = 1024 / media.output_rate(rate)
    for cut in borders[1:-1]:
        assert (cut / rate / frame) == pytest.approx(round(cut / rate / frame), abs=1e-6)
        for line in plan:
            assert not line.start - frame < cut / rate < line.end + frame or line.seconds == 0


def test_a_long_pause_and_a_film_without_a_word_are_cut_once_in_a_minute() -> None:
    for plan in ([], [placed(1.0), placed(595.0)]):
        lengths = np.diff(track.cuts(plan, 600.0, RATE)) / RATE
        assert len(lengths) >= 6
        assert max(lengths) <= 2.1 * track.PART_SECONDS


def test_a_changed_line_moves_no_cut_elsewhere() -> None:
    plan = [placed(float(start), 1.5) for start in range(0, 600, 2)]
    before = set(track.cuts(plan, 600.0, RATE))
    plan[45] = placed(90.3, 1.2)
    after = set(track.cuts(plan, 600.0, RATE))
    assert before == after


# How it sounds


@pytest.mark.soak
def test_what_was_cut_joins_without_a_trace(tmp_path: Path, artifacts: Artifacts) -> None:
    lines = [spoken(artifacts, start, seed=seed) for seed, start in enumerate(STARTS)]
    _, level = made(tmp_path / "dub.m4a", artifacts, lines)
    whole = np.zeros(round(FILM * RATE), np.int16)
    for line in lines:
        clip = artifacts.get_clip("take", line.name)
        assert clip is not None
        whole[round(line.start * RATE) :][: len(clip.samples)] = clip.samples
    (tmp_path / "whole.aac").write_bytes(b"".join(media.aac_packets(whole, RATE, level.gain, level.limit)))
    media.join_aac([tmp_path / "whole.aac"], 24_000, tmp_path / "whole.m4a")
    cut, uncut = films.decoded(tmp_path / "dub.m4a", 24_000), films.decoded(tmp_path / "whole.m4a", 24_000)
    assert len(cut) == pytest.approx(FILM * 24_000, abs=1024)
    shared = min(len(cut), len(uncut))
    difference = cut[:shared].astype(float) - uncut[:shared]
    assert np.sqrt(np.mean(difference**2)) < 0.05 * np.sqrt(np.mean(uncut.astype(float) ** 2))


@pytest.mark.soak
def test_the_loudness_that_is_told_is_that_of_the_joined_track(tmp_path: Path, artifacts: Artifacts) -> None:
    loud = [pcm(speech(2.0, RATE, dbfs, seed)) for seed, dbfs in enumerate((-12, -14, -20, -15, -25, -13, -12, -30))]
    lines = [
        spoken(artifacts, start, sound, seed) for seed, (start, sound) in enumerate(zip(STARTS, loud, strict=True))
    ]
    told, _ = made(tmp_path / "dub.m4a", artifacts, lines)
    level, peak = films.loudness(tmp_path / "dub.m4a")
    assert told.integrated == pytest.approx(level, abs=0.15)
    assert level == pytest.approx(-16.0, abs=1.0)
    assert told.true_peak == pytest.approx(peak, abs=0.15)
    assert peak <= -1.0


@pytest.mark.soak
def test_a_track_that_proves_too_quiet_is_written_again_at_a_level_that_serves_at_once_next_time(
    tmp_path: Path, artifacts: Artifacts
) -> None:
    lines = [spoken(artifacts, start, seed=seed) for seed, start in enumerate(STARTS)]
    borders = track.cuts([placed(line.start, line.seconds) for line in lines], FILM, RATE)
    level, verdicts = Level(-6.0), []
    for _ in range(2):
        with DubTrack(borders, RATE, level, artifacts) as dubbed:
            for line in lines:
                dubbed.add(line)
            dubbed.write(tmp_path / "dub.m4a")
            verdicts.append((dubbed.settle() is not None, dubbed.seems_right()))
            level = dubbed.level
    assert verdicts == [(False, False), (True, True)]
    assert level.gain > 0


def test_a_film_without_a_word_has_a_track_of_silence(tmp_path: Path, artifacts: Artifacts) -> None:
    told, _ = made(tmp_path / "dub.m4a", artifacts, [])
    assert not told.integrated > -70
    samples = films.decoded(tmp_path / "dub.m4a", 24_000)
    assert int(np.abs(samples).max()) <= 1
    assert len(samples) / 24_000 == pytest.approx(FILM, abs=FRAME_SECONDS)


# What is done again


def encoded_stretches(pieces_folder: Path) -> set[str]:
    return {path.name for path in pieces_folder.glob("stretch-*.aac")}


@pytest.mark.soak
def test_a_changed_line_costs_one_stretch(tmp_path: Path, artifacts: Artifacts) -> None:
    lines = [spoken(artifacts, start, seed=seed) for seed, start in enumerate(STARTS)]
    _, level = made(tmp_path / "first.m4a", artifacts, lines)
    before = encoded_stretches(tmp_path / "pieces")
    lines[4] = spoken(artifacts, STARTS[4], seed=99)
    _, same = made(tmp_path / "second.m4a", Artifacts(tmp_path / "pieces"), lines, level)
    assert same == level
    assert len(encoded_stretches(tmp_path / "pieces") - before) == 1


@pytest.mark.soak
def test_an_unchanged_track_is_encoded_by_nobody_and_equal_to_the_byte(tmp_path: Path, artifacts: Artifacts) -> None:
    lines = [spoken(artifacts, start, seed=seed) for seed, start in enumerate(STARTS)]
    told, level = made(tmp_path / "first.m4a", artifacts, lines)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pieces").iterdir()}
    again, _ = made(tmp_path / "second.m4a", Artifacts(tmp_path / "pieces"), lines, level)
    assert again == told
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "pieces").iterdir()} == before
    assert (tmp_path / "first.m4a").read_bytes() == (tmp_path / "second.m4a").read_bytes()


def test_a_line_whose_sound_has_gone_is_an_error_in_a_sentence(tmp_path: Path, artifacts: Artifacts) -> None:
    line = spoken(artifacts, 1.0)
    for path in (tmp_path / "pieces").glob("take-*"):
        path.unlink()
    with pytest.raises(StorageError, match=r"gone .* start again"):
        made(tmp_path / "dub.m4a", artifacts, [line])


def test_a_track_stops_when_it_is_cancelled(tmp_path: Path, artifacts: Artifacts) -> None:
    cancel = Cancel()
    lines = [spoken(artifacts, start, seed=seed) for seed, start in enumerate(STARTS)]
    borders = track.cuts([placed(line.start) for line in lines], FILM, RATE)
    with pytest.raises(Cancelled), DubTrack(borders, RATE, Level(0.0), artifacts, cancel) as dubbed:
        for line in lines:
            dubbed.add(line)
        cancel.set()
        finished(dubbed, tmp_path / "dub.m4a")
    assert not (tmp_path / "dub.m4a").exists()
