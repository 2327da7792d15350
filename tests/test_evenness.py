"""By how much a line is made louder or quieter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vt.dubbing import evenness

LEVELS = st.floats(-30, 30)


@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=2, max_size=10))
def test_lines_within_six_decibels_differ_by_no_more_than_the_original_did_or_three(
    lines: list[tuple[float, float]],
) -> None:
    made = [level + evenness.gain(level, original) for level, original in lines]
    for (level, original), level_now in zip(lines, made, strict=True):
        assert abs(level_now - level) <= 6.01
        assert abs(level_now) <= max(1.5, abs(original), abs(level) - 6) + 0.01


def test_a_line_that_is_like_the_others_stays_as_it_is() -> None:
    assert evenness.gain(0.0) == evenness.gain(1.4) == evenness.gain(-1.5) == 0.0


def test_a_line_that_was_loud_or_quiet_in_the_original_may_be_so_in_the_dub() -> None:
    assert evenness.gain(5.0, 5.0) == evenness.gain(-5.0, -6.0) == evenness.gain(1.5, -6.0) == 0.0
    assert evenness.gain(5.0, -5.0) == evenness.gain(5.0) == -3.5
    assert evenness.gain(-5.0, -3.0) == 2.0


def test_lines_are_told_from_their_median_and_silence_says_nothing() -> None:
    assert evenness.deviations([-20.0, -23.0, -np.inf, -19.0]) == pytest.approx((0.0, -3.0, 0.0, 1.0))
    assert evenness.deviations([-np.inf]) == (0.0,)
    assert evenness.deviations([]) == ()
