"""The times of words are those of their sound: no pause is beside or within them, and they last as the voice does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from vt.domain import Word
from vt.engines import whisper_word_times

FRAME = 0.02
LOUD, SOFT, NOISE, QUIET = -10.0, -40.0, -42.0, -90.0


def level(seconds: float, *parts: tuple[float, float, float], quiet: float = QUIET) -> NDArray[np.float32]:
    """Return the level of a recording: that of each (start, end, level), and elsewhere the quiet one."""
    made = np.full(round(seconds / FRAME), quiet, np.float32)
    for start, end, loud in parts:
        made[round(start / FRAME) : round(end / FRAME)] = loud
    return made


def times(words: Sequence[tuple[float, float, str]], sound: NDArray[np.float32]) -> list[tuple[float, float]]:
    made = [Word(start, end, f" {text}") for start, end, text in words]
    found = whisper_word_times.mended(made, whisper_word_times.voice_of(sound), len(sound) * FRAME)
    assert [word.text for word in found] == [word.text for word in made]
    return [(word.start, word.end) for word in found]


def test_a_word_that_ends_early_lasts_as_long_as_the_voice_is_clear() -> None:
    sound = level(4, (0.5, 1.2, LOUD), (1.2, 1.3, SOFT), (2.0, 3.0, LOUD))
    assert times([(0.5, 1.0, "Hello."), (2.0, 3.0, "Friend.")], sound) == [
        pytest.approx((0.5, 1.2), abs=FRAME),
        pytest.approx((2.0, 3.0), abs=FRAME),
    ]


@pytest.mark.parametrize("until", [2.0, 4.0])
def test_a_voice_that_does_not_fall_silent_soon_tells_nothing_about_the_end_of_a_word(until: float) -> None:
    sound = level(5, (0.5, until, LOUD))
    assert times([(0.5, 1.0, "Hello.")], sound) == [(0.5, 1.0)]


def test_a_word_is_not_longer_than_to_the_next_one() -> None:
    assert times([(0.5, 1.0, "One"), (1.1, 1.5, "two.")], level(3, (0.5, 1.5, LOUD)))[0][1] <= 1.1


def test_noise_and_clicks_before_and_behind_a_word_are_no_part_of_it() -> None:
    click = (2.4, 2.44, LOUD)
    sound = level(4, (1.0, 2.0, LOUD), click, quiet=NOISE)
    assert times([(0.6, 2.5, "Recording")], sound) == [pytest.approx((1.0, 2.0), abs=2 * FRAME)]


PAUSED = level(4, (0.5, 1.6, LOUD), (2.3, 3.0, LOUD))


def test_a_pause_within_a_word_lies_before_it_if_it_can_be_said_behind() -> None:
    assert times([(0.5, 1.2, "Barcelona"), (1.2, 2.7, "and"), (2.7, 3.0, "I")], PAUSED) == [
        pytest.approx((0.5, 1.6), abs=2 * FRAME),
        pytest.approx((2.3, 2.7), abs=2 * FRAME),
        pytest.approx((2.7, 3.0), abs=2 * FRAME),
    ]


def test_a_pause_within_a_word_lies_behind_it_if_it_is_too_long_a_word_for_what_sounds_then() -> None:
    assert times([(0.5, 2.4, "Barcelona"), (2.4, 3.0, "and")], PAUSED) == [
        pytest.approx((0.5, 1.6), abs=2 * FRAME),
        pytest.approx((2.3, 3.0), abs=2 * FRAME),
    ]


def test_silence_and_very_short_sound_leave_the_times_as_they_are() -> None:
    assert times([(0.1, 0.5, "So")], level(1)) == [(0.1, 0.5)]
    assert times([(0.0, 0.02, "So")], level(0.04)) == [(0.0, 0.02)]
