"""How far the original is turned down at each moment."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vt.dubbing import ducking
from vt.dubbing.ducking import DOWN_SECONDS, PAUSE_SECONDS, UP_SECONDS, Region

RATE = 1000
DEPTH = 18.0
DOWN = 10 ** (-DEPTH / 20)


@st.composite
def regions(draw: st.DrawFn) -> list[Region]:
    """Draw regions in order, whose times are whole milliseconds."""
    here, found = 0, []
    for pause, length in draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3000)), max_size=8)):
        found.append(((here + pause) / 1000, (here + pause + length) / 1000))
        here += pause + length
    return found


@settings(deadline=None)
@given(regions(), regions())
def test_all_speech_of_both_is_down_and_every_long_pause_is_at_full_level(
    dub: list[Region], original: list[Region]
) -> None:
    down = ducking.stretches(dub, original)
    factors = ducking.gains(down, DEPTH, 0.0, 60 * RATE, RATE)
    for start, end in [*dub, *original]:
        if end > start:
            assert np.allclose(factors[round(start * RATE) + 1 : round(end * RATE)], DOWN, rtol=1e-3)
    for (_, before), (after, _) in pairwise([(0.0, 0.0), *down, (60.0, 60.0)]):
        pause = factors[round((before + UP_SECONDS) * RATE) + 1 : max(0, round((after - DOWN_SECONDS) * RATE))]
        assert np.allclose(pause, 1.0)


@settings(deadline=None)
@given(regions(), regions())
def test_the_original_goes_up_and_down_slowly_and_never_in_a_breath(dub: list[Region], original: list[Region]) -> None:
    down = ducking.stretches(dub, original)
    assert all(after - before >= PAUSE_SECONDS for (_, before), (after, _) in pairwise(down))
    decibels = 20 * np.log10(ducking.gains(down, DEPTH, 0.0, 60 * RATE, RATE))
    steepest = DEPTH * np.pi / 2 / DOWN_SECONDS / RATE
    assert np.abs(np.diff(decibels)).max() <= 1.01 * steepest


@settings(deadline=None)
@given(regions(), st.lists(st.integers(1, 9000), max_size=6))
def test_in_pieces_it_is_what_it_is_as_a_whole(original: list[Region], lengths: list[int]) -> None:
    down, here, parts = ducking.stretches([], original), 0, []
    for length in lengths:
        parts.append(ducking.gains(down, DEPTH, here / RATE, length, RATE))
        here += length
    if parts:
        whole = ducking.gains(down, DEPTH, 0.0, here, RATE)
        assert np.allclose(np.concatenate(parts), whole, atol=1e-3)


@settings(deadline=None)
@given(regions(), st.floats(0, 30), st.floats(0.5, 10))
def test_what_is_told_of_a_stretch_is_all_that_its_gain_depends_on(
    original: list[Region], start: float, length: float
) -> None:
    down, count = ducking.stretches([], original), round(length * RATE)
    told = ducking.within(down, start, start + count / RATE)
    expected = ducking.gains(down, DEPTH, start, count, RATE)
    assert np.allclose(ducking.gains(told, DEPTH, start, count, RATE), expected)


def test_a_line_far_away_changes_nothing_of_what_is_told_of_a_stretch() -> None:
    near, far = (10.0, 12.0), (40.0, 42.0)
    assert ducking.within([near], 5.0, 15.0) == ducking.within([near, far], 5.0, 15.0)


def test_speech_of_the_original_is_down_a_little_longer_than_it_is_said_to_last_and_no_speech_is_not() -> None:
    assert ducking.stretches([], [(5.0, 6.0)])[0] == pytest.approx((4.9, 6.15))
    assert ducking.stretches([], [(0.05, 1.0)])[0][0] == 0.0
    assert ducking.stretches([(5.0, 5.0)], [(8.0, 8.0)]) == []
