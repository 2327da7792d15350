"""Levels, silence, and cuts in quiet places, on speech-shaped noise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.sounds import amplitude, noise, pcm, silence, speech
from vt.media import levels
from vt.media.levels import Region

RATE = 16_000
PAD = 0.2
FRAME = levels.FRAME_SECONDS


def near(found: list[Region], wanted: list[Region], within: float = 0.08) -> bool:
    edges = zip(found, wanted, strict=False)
    return len(found) == len(wanted) and all(np.allclose(a, b, rtol=0, atol=within) for a, b in edges)


# Levels


@pytest.mark.parametrize("dbfs", [-3.0, -20.0, -45.0, -60.0])
def test_the_level_of_a_sine_is_its_amplitude_less_three_decibels(dbfs: float) -> None:
    sine = amplitude(dbfs) * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE)
    assert levels.levels(sine, RATE) == pytest.approx(dbfs - 3.01, abs=0.05)
    assert levels.levels(pcm(sine), RATE) == pytest.approx(dbfs - 3.01, abs=0.2)


@pytest.mark.parametrize("count", [0, 1, 319, 320, 321, 639, 640, 320 * 4096, 320 * 4097 + 5])
def test_there_is_a_level_for_every_whole_frame_and_one_at_least(count: int) -> None:
    level = levels.levels(np.ones(count, np.int16), RATE)
    assert level.shape == (max(1, count // 320),)
    assert level.dtype == np.float32
    assert np.isfinite(level).all()


@pytest.mark.parametrize("extreme", [-32768, 32767])
def test_the_loudest_samples_are_at_full_scale_and_do_not_wrap(extreme: int) -> None:
    assert levels.levels(np.full(RATE, extreme, np.int16), RATE) == pytest.approx(0.0, abs=0.01)


def test_samples_of_a_model_become_16_bits_the_too_loud_ones_the_loudest_and_those_that_are_no_number_silence() -> None:
    wave = np.array([np.nan, np.inf, -np.inf, 2.0, -2.0, 0.5], np.float32)
    found = levels.to_int16(wave)
    assert found.dtype == np.int16
    assert found.tolist() == [0, 0, 0, 32767, -32767, 16383]


def test_levels_in_blocks_are_the_levels_of_the_frames() -> None:
    samples = pcm(speech(90.0, RATE, -20))
    level = levels.levels(samples, RATE)
    frames = samples[: len(level) * 320].reshape(-1, 320).astype(np.float64) / 32767
    assert level == pytest.approx(10 * np.log10(np.maximum(np.mean(frames**2, axis=1), 1e-12)), abs=0.01)


# Silence


@pytest.mark.parametrize("pause", [0.3, 1.0, 2.5, 3.7])
def test_a_short_pause_belongs_to_the_speech_around_it(pause: float) -> None:
    samples = pcm(speech(3, RATE, -20, 1), silence(pause, RATE), speech(3, RATE, -20, 2))
    assert near(levels.sounding(samples, RATE), [(0.0, 6 + pause)])


@pytest.mark.parametrize("pause", [4.4, 6.0, 15.0])
def test_a_long_pause_is_silence_but_for_a_margin_on_both_sides(pause: float) -> None:
    samples = pcm(speech(3, RATE, -20, 1), silence(pause, RATE), speech(3, RATE, -20, 2))
    assert near(levels.sounding(samples, RATE), [(0.0, 3 + PAD), (3 + pause - PAD, 6 + pause)])


def test_silence_at_both_ends_of_the_film_is_cut_away() -> None:
    samples = pcm(silence(5, RATE), speech(2, RATE, -20), silence(7, RATE))
    assert near(levels.sounding(samples, RATE), [(5 - PAD, 7 + PAD)])


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.zeros(100, np.int16), np.zeros(RATE * 5, np.int16)])
def test_silence_alone_sounds_nowhere(samples: NDArray[np.int16]) -> None:
    assert levels.sounding(samples, RATE) == []


def test_quiet_speech_is_kept() -> None:
    samples = pcm(silence(5, RATE), speech(6, RATE, -45), silence(5, RATE))
    assert near(levels.sounding(samples, RATE), [(5 - PAD, 11 + PAD)])


def test_quiet_speech_in_a_loud_film_is_kept() -> None:
    samples = pcm(speech(30, RATE, -15, 1), silence(6, RATE), speech(6, RATE, -45, 2), silence(6, RATE))
    assert near(levels.sounding(samples, RATE), [(0.0, 30 + PAD), (36 - PAD, 42 + PAD)], within=0.2)


def test_faint_room_noise_is_silence() -> None:
    assert levels.sounding(pcm(noise(10, RATE, -75)), RATE) == []


def test_room_noise_well_below_the_speech_is_silence() -> None:
    room = noise(20, RATE, -62)
    room[: 4 * RATE] += speech(4, RATE, -22, 1)
    room[-4 * RATE :] += speech(4, RATE, -22, 2)
    assert near(levels.sounding(pcm(room), RATE), [(0.0, 4 + PAD), (16 - PAD, 20.0)])


@given(
    st.lists(st.tuples(st.floats(0.5, 3), st.floats(0.1, 9)), min_size=1, max_size=4),
    st.floats(-45, -10),
)
@settings(deadline=None, max_examples=15)
def test_all_speech_is_inside_the_regions_and_they_are_in_order_and_inside_the_film(
    bursts: list[tuple[float, float]], dbfs: float
) -> None:
    parts, spoken, here = [], [], 0.0
    for number, (talk, pause) in enumerate(bursts):
        parts += [speech(talk, RATE, dbfs, number), silence(pause, RATE)]
        spoken.append((here, here + talk))
        here += talk + pause
    samples = pcm(*parts)
    regions = levels.sounding(samples, RATE)
    edges = [edge for region in regions for edge in region]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= len(samples) / RATE
    for start, end in spoken:
        # The first and last syllable of a burst swell and fade.
        assert any(a <= start + 0.1 and end - 0.1 <= b for a, b in regions)


# Windows


def ordered(edges: list[float]) -> list[Region]:
    edges = sorted(edges)
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False) if b - a > 0.1]


@given(
    st.lists(st.floats(0, 300), max_size=8).map(ordered),
    st.integers(0, 2**32 - 1),
    st.sampled_from([(28.0, 16.0), (10.0, 5.0), (600.0, 300.0)]),
)
@settings(deadline=None, max_examples=100)
def test_windows_cover_the_regions_without_a_gap_or_an_overlap_and_none_is_too_long(
    regions: list[Region], seed: int, limits: tuple[float, float]
) -> None:
    level = np.random.default_rng(seed).normal(-40, 15, 15_000).astype(np.float32)
    found = list(levels.windows(regions, level, *limits))
    for start, end in regions:
        inside = [window for window in found if start <= window[0] < end]
        assert inside[0][0] == start
        assert inside[-1][1] == end
        assert all(a[1] == b[0] for a, b in pairwise(inside))
    assert all(0 < b - a <= limits[0] + 1e-9 for a, b in found)
    assert sum(b - a for a, b in found) == pytest.approx(sum(b - a for a, b in regions))


def test_a_window_is_cut_in_the_quiet_place() -> None:
    level = np.full(3000, -20, np.float32)  # 60 s
    level[round(20 / FRAME) : round(20.5 / FRAME)] = -60
    level[round(41 / FRAME) : round(41.4 / FRAME)] = -60
    found = list(levels.windows([(0.0, 60.0)], level, 28.0, 16.0))
    assert len(found) == 3
    assert 20.0 <= found[0][1] <= 20.5
    assert 41.0 <= found[1][1] <= 41.4


def test_a_wide_pause_is_taken_before_a_single_quiet_frame() -> None:
    level = np.full(1500, -20, np.float32)
    level[round(18 / FRAME)] = -100
    level[round(24 / FRAME) : round(24.4 / FRAME)] = -60
    assert 24.0 <= levels.quietest(level, 16.0, 28.0) <= 24.4


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.0), (5.0, 5.001), (100.0, 110.0)])
def test_the_quietest_place_of_a_stretch_without_levels_is_its_middle(start: float, end: float) -> None:
    assert levels.quietest(np.zeros(300, np.float32), start, end) == pytest.approx((start + end) / 2, abs=FRAME)


def test_a_region_that_fits_stays_whole() -> None:
    assert list(levels.windows([(1.5, 29.5)], np.zeros(2000, np.float32), 28.0, 16.0)) == [(1.5, 29.5)]


def test_pieces_cover_the_sound_and_are_cut_between_the_words() -> None:
    talk = [part for n in range(10) for part in (speech(3, RATE, -20, n), silence(0.5, RATE))]
    samples = pcm(*talk)
    chunks = levels.chunks(samples, RATE, 10.0)
    assert chunks[0][0] == 0.0
    assert chunks[-1][1] == len(samples) / RATE
    for before, after in pairwise(chunks):
        assert before[1] == after[0]
        assert not 0.1 < before[1] % 3.5 < 2.9
    assert all(b - a <= 10.0 for a, b in chunks)


def test_the_pieces_of_no_sound_are_one_of_no_length() -> None:
    assert levels.chunks(np.zeros(0, np.int16), RATE, 10.0) == [(0.0, 0.0)]


# Gaps


@given(st.lists(st.floats(0, 100), max_size=10).map(ordered))
def test_gaps_and_regions_and_what_is_too_short_make_the_whole(regions: list[Region]) -> None:
    found = levels.gaps(regions, 100.0, 2.0)
    assert all(b - a >= 2.0 for a, b in found)
    rest = [gap for gap in levels.gaps(regions, 100.0, 0.0) if gap not in found]
    assert all(b - a < 2.0 for a, b in rest)
    total = sum(b - a for part in (regions, found, rest) for a, b in part)
    assert total == pytest.approx(100.0)


def test_a_film_without_a_sound_is_one_gap() -> None:
    assert levels.gaps([], 30.0) == [(0.0, 30.0)]


def test_a_film_full_of_sound_has_no_gap() -> None:
    assert levels.gaps([(0.0, 30.0)], 30.0) == []


# Trimmed


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_trimming_takes_the_silence_at_both_ends_and_nothing_of_the_sound(rate: int) -> None:
    talk = pcm(speech(1, rate, -20))
    samples = np.concatenate([np.zeros(rate // 2, np.int16), talk, np.zeros(rate // 3, np.int16)])
    short = levels.trimmed(samples, rate)
    assert len(talk) / rate - 0.05 <= len(short) / rate <= len(talk) / rate + 0.1
    assert int((np.abs(short) > 200).sum()) == int((np.abs(samples) > 200).sum())
    assert int(np.abs(short).astype(np.int64).sum()) >= 0.999 * int(np.abs(samples).astype(np.int64).sum())


def test_a_pause_inside_is_not_trimmed() -> None:
    samples = pcm(speech(0.5, RATE, -20, 1), silence(2, RATE), speech(0.5, RATE, -20, 2))
    assert len(levels.trimmed(samples, RATE)) / RATE == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("count", [0, 5, RATE])
def test_nothing_is_left_of_silence(count: int) -> None:
    assert len(levels.trimmed(np.zeros(count, np.int16), RATE)) == 0


@given(st.integers(1, 3000), st.integers(0, 5000), st.integers(0, 5000))
@settings(deadline=None)
def test_a_tone_of_any_length_survives_trimming_whole(count: int, before: int, after: int) -> None:
    tone = np.full(count + 320, 8000, np.int16)
    samples = np.concatenate([np.zeros(before, np.int16), tone, np.zeros(after, np.int16)])
    assert int((levels.trimmed(samples, RATE) == 8000).sum()) == len(tone)
