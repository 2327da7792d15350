"""Windows of recognition that are cut within speech: no word is lost at the cut, and none is heard twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from vt.domain import Dropped, Word
from vt.engines.protocols import Heard
from vt.engines.whisper_joints import OVERLAP_SECONDS, Found, joined, overlapping
from vt.media import levels
from vt.media.levels import Region

FRAMES = 50  # a second
SECONDS = 60
VOCABULARY = ("the", "old", "mill", "stands", "by", "a", "quiet", "river", "and", "many", "many", "years", "no", "no")


def recording(seed: int) -> tuple[Word, ...]:
    """Return what is said in a recording of a minute: some words are short, some said twice, without a pause."""
    chance, found, here = random.Random(seed), list[Word](), 0.0
    while here < SECONDS - 1:
        seconds = chance.uniform(0.12, 0.7)
        found.append(Word(here, here + seconds, f" {chance.choice(VOCABULARY)}"))
        here += seconds + chance.choice([0.0, 0.0, 0.08])
    return tuple(found)


def heard(said: Sequence[Word], window: Region, chance: random.Random) -> list[Heard | Dropped]:
    """Return what Whisper hears of a recording in a window.

    Of a word that is cut in two it hears another word, with the sound that there is of it, or none; and the times that
    it has for a word are off by some hundredths of a second.
    """
    found = []
    for word in said:
        start, end = max(word.start, window[0]), min(word.end, window[1])
        if end <= start:
            continue
        off = chance.uniform(-0.06, 0.06)
        if end - start > (word.end - word.start) - 1e-9:
            found.append(replace(word, start=word.start + off, end=word.end + off))
        elif end - start > 0.1:
            found.append(Word(start + off, end + off, " part"))
    return [Heard(tuple(found[:3])), Heard(tuple(found[3:]))] if len(found) > 3 else [Heard(tuple(found))]


def texts(found: Sequence[Heard | Dropped]) -> list[str]:
    return [word.text for part in found if isinstance(part, Heard) for word in part.words]


def stitched(said: Sequence[Word], windows: Sequence[Region], seed: int) -> list[str]:
    chance = random.Random(seed)
    found: list[Found] = [heard(said, window, chance) for window in windows]
    return texts(list(joined(found, windows)))


@pytest.mark.parametrize("seed", range(5))
def test_cut_at_every_second_a_recording_without_a_pause_has_every_word_once(seed: int) -> None:
    said, level = recording(seed), np.full(SECONDS * FRAMES, -20.0, np.float32)
    spoken = [word.text for word in said]
    harmed = 0
    for cut in range(1, SECONDS):
        alone = [(0.0, float(cut)), (float(cut), float(SECONDS))]
        assert stitched(said, overlapping(alone, level), cut) == spoken
        harmed += stitched(said, alone, cut) != spoken
    assert harmed > SECONDS / 3  # such cuts do harm where the windows do not overlap


def test_many_short_windows_have_every_word_once() -> None:
    said, level = recording(7), np.full(SECONDS * FRAMES, -20.0, np.float32)
    windows = [(float(start), float(start + 4)) for start in range(0, SECONDS, 4)]
    assert stitched(said, overlapping(windows, level), 1) == [word.text for word in said]


def test_windows_overlap_only_where_they_are_cut_within_speech() -> None:
    level = np.full(SECONDS * FRAMES, -20.0, np.float32)
    level[int(19.8 * FRAMES) : int(20.2 * FRAMES)] = -45.0
    windows = [(0.0, 20.0), (20.0, 40.0), (40.0, 50.0), (54.0, 60.0)]
    assert overlapping(windows, level) == [
        (0.0, 20.0), (20.0, 40.0 + OVERLAP_SECONDS), (40.0 - OVERLAP_SECONDS, 50.0), (54.0, 60.0),
    ]  # fmt: skip
    assert overlapping([], level) == []


def test_a_word_that_is_said_twice_about_a_pause_is_heard_twice() -> None:
    found = [[Heard((Word(9.7, 9.98, " No,"),))], [Heard((Word(10.02, 10.3, " no."),))]]
    assert texts(list(joined(found, [(0.0, 10.0), (10.0, 20.0)]))) == [" No,", " no."]


def test_where_two_windows_agree_on_no_word_each_has_those_on_its_side() -> None:
    before, after = (
        [Heard((Word(9.0, 9.6, " a"), Word(10.1, 10.5, " b")))],
        [Heard((Word(9.2, 9.5, " c"), Word(10.2, 10.6, " d")))],
    )
    assert texts(list(joined([before, after], [(0.0, 11.5), (8.5, 20.0)]))) == [" a", " d"]


def test_words_of_one_time_are_heard_once_each() -> None:
    """Whisper at times gives several words in a row no length and the same moment."""
    before = [Heard((Word(9.0, 9.6, " one"), Word(10.0, 10.0, " two"), Word(10.0, 10.0, " three")))]
    after = [Heard((Word(10.1, 10.1, " two"), Word(10.3, 10.3, " three"), Word(11.0, 11.4, " four")))]
    assert texts(list(joined([before, after], [(0.0, 11.5), (8.5, 20.0)]))) == [" one", " two", " three", " four"]


def test_words_that_differ_by_their_vowel_marks_alone_are_two() -> None:
    before, after = [Heard((Word(9.2, 9.6, " है"),))], [Heard((Word(9.3, 9.7, " हो"), Word(10.4, 10.8, " अब")))]
    assert texts(list(joined([before, after], [(0.0, 11.5), (8.5, 20.0)]))) == [" है", " अब"]
    before = [Heard((Word(9.0, 9.4, " हूँ"), Word(9.9, 10.1, " है")))]
    after = [Heard((Word(9.9, 10.1, " हो"), Word(10.2, 10.5, " है")))]
    assert texts(list(joined([before, after], [(0.0, 11.5), (8.5, 20.0)]))) == [" हूँ", " है"]


def test_what_only_one_of_two_windows_hears_where_they_overlap_is_kept() -> None:
    noise, word = Dropped(0.0, 11.5, "", "noise"), Heard((Word(9.1, 9.6, " hello"), Word(10.4, 10.8, " there")))
    windows = [(0.0, 11.5), (8.5, 20.0)]
    assert list(joined([[noise], [word]], windows)) == [replace(noise, end=8.5), word]
    behind = replace(noise, start=8.5, end=20.0)
    assert list(joined([[word], [behind]], windows)) == [word, replace(behind, start=11.5)]


def test_what_is_no_speech_in_both_windows_is_left_out_once() -> None:
    found = [[Dropped(6.0, 11.5, "", "noise")], [Dropped(8.5, 14.0, "", "noise"), Dropped(8.6, 9.0, "", "noise")]]
    dropped = list(joined(found, [(0.0, 11.5), (8.5, 20.0)]))
    assert [(part.start, part.end) for part in dropped if isinstance(part, Dropped)] == [(6.0, 10.0), (10.0, 14.0)]


def test_a_pause_is_told_by_how_quiet_it_is_beside_what_is_near() -> None:
    level = np.full(500, -20.0, np.float32)
    for depth, length, wanted in ((30, 0.4, True), (30, 0.1, False), (6, 0.4, False)):
        quiet = level.copy()
        quiet[250 - int(length * 25) : 250 + int(length * 25)] -= depth
        assert levels.is_pause(quiet, 5.0) is wanted
