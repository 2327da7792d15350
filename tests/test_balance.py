"""How loud voice and background have to be together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vt.dubbing import balance
from vt.media import weighting

TARGET = -16.0


def together(
    found: balance.Balance, voice_seconds: float, background: NDArray[np.float64], seconds: NDArray[np.float64]
) -> float:
    levels = np.append(background + found.background_db, found.voice_lufs)
    return weighting.integrated(levels, np.append(seconds, voice_seconds))


@settings(deadline=None)
@given(
    st.floats(1, 3600),
    st.lists(st.tuples(st.floats(-90, 0), st.sampled_from([0.0, 0.4])), max_size=60),
    st.sampled_from([-23.0, -16.0, -14.0]),
)
def test_voice_and_background_together_are_about_as_loud_as_is_wanted(
    voice_seconds: float, blocks: list[tuple[float, float]], target: float
) -> None:
    background, seconds = np.array([[level, length] for level, length in blocks] or np.empty((0, 2))).T
    found = balance.balanced(target, voice_seconds, background, seconds)
    # Where the gate lets blocks in or out, the loudness jumps, and there may be nothing in between.
    assert together(found, voice_seconds, background, seconds) == pytest.approx(target, abs=3.0)
    assert target <= found.voice_lufs <= target + 5.0
    assert 0.0 <= found.voice_share <= 1.0


@pytest.mark.parametrize("level", [-60.0, -30.0, -22.0, -18.0])
def test_a_background_of_a_usual_loudness_stays_as_it_is(level: float) -> None:
    background, seconds = np.full(100, level), np.full(100, 0.4)
    found = balance.balanced(TARGET, 40.0, background, seconds)
    assert found.background_db == 0.0
    assert together(found, 40.0, background, seconds) == pytest.approx(TARGET, abs=0.55)


def test_a_background_that_is_too_loud_for_the_whole_is_made_quieter_and_the_voice_is_not() -> None:
    found = balance.balanced(TARGET, 40.0, np.full(100, -8.0), np.full(100, 0.4))
    assert found.background_db < -5
    assert together(found, 40.0, np.full(100, -8.0), np.full(100, 0.4)) == pytest.approx(TARGET + 0.5, abs=0.05)
    assert found.voice_lufs == pytest.approx(TARGET, abs=0.01)


def test_a_few_words_in_a_quiet_film_do_not_shout_it_is_the_film_that_becomes_louder() -> None:
    found = balance.balanced(TARGET, 20.0, np.full(1000, -25.0), np.full(1000, 0.4))
    assert found.voice_lufs == pytest.approx(TARGET + 5, abs=0.01)
    assert found.background_db > 3
    assert together(found, 20.0, np.full(1000, -25.0), np.full(1000, 0.4)) == pytest.approx(TARGET - 0.5, abs=0.05)


def test_where_nobody_speaks_the_background_stays_and_the_voice_decides_nothing() -> None:
    assert balance.balanced(TARGET, 0.0, np.full(10, -25.0), np.full(10, 0.4)) == balance.Balance(TARGET, 0.0, 0.0)
