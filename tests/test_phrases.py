"""Pauses inside a line: they are where the original paused, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt import languages
from vt.domain import Cancel, Clip, Edit, Edits, Pause, Placement, Segment, Word
from vt.dubbing import phrases, pipeline
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.phrases import Phrase, Phrased
from vt.engines.protocols import Heard
from vt.media import levels
from vt.text.sentences import sentences

RATE = 16_000


def words(*said: tuple[float, float, str]) -> list[Word]:
    return [Word(start, end, f" {text}") for start, end, text in said]


WHEN = words((0.5, 1.0, "When"), (1.0, 1.5, "it"), (1.5, 2.3, "rained,"))
LINE = WHEN + words((3.1, 3.6, "we"), (3.6, 4.2, "went"), (4.3, 5.0, "home."))
SEGMENT = Segment(0, 0.5, 5.0, "When it rained, we went home.", pauses=(Pause(2.3, 3.1, 15),))


def test_a_pause_between_words_is_found_and_one_shorter_than_0_35_s_is_none() -> None:
    assert [replace(segment, words=(), confidence=None) for segment in sentences(LINE)] == [SEGMENT]
    near = words((0, 1, "One,"), (1.34, 2, "two,"), (2.36, 3, "three."))
    assert sentences(near)[0].pauses == (Pause(2, 2.36, 9),)


def texts(text: str, segment: Segment = SEGMENT, language: str = "es") -> list[str]:
    return [phrase.text for phrase in phrases.divided(text, segment, languages.get(language))]


def test_a_translation_is_divided_at_the_mark_where_the_original_pauses() -> None:
    assert phrases.divided("Cuando llovió, nos fuimos a casa.", SEGMENT, languages.get("es")) == (
        Phrase("Cuando llovió,", 0.5, 2.3),
        Phrase("nos fuimos a casa.", 3.1, 5.0),
    )
    assert texts("下雨的时候，我们就一起回到了家里。", language="zh") == ["下雨的时候，", "我们就一起回到了家里。"]


def test_without_a_mark_there_it_is_divided_before_a_word_with_which_a_phrase_begins() -> None:
    segment = Segment(0, 0.9, 4.5, "Shakespeare on scenery by Oscar Wilde.", pauses=(Pause(2.7, 3.2, 22),))
    assert texts("Shakespeare en el escenario de Oscar Wilde.", segment) == [
        "Shakespeare en el escenario",
        "de Oscar Wilde.",
    ]
    assert texts("Cuando cayeron 3,5 litros nos fuimos a casa.") == ["Cuando cayeron 3,5 litros", "nos fuimos a casa."]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Cuando llovió fuimos juntos a casa.", "es"),
        ("Sí, cuando llovió fuimos todos juntos a casa en seguida.", "es"),
        ("Cuando vino el Sr. García fuimos a casa.", "es"),
        ("Ilipokuwa ikinyesha tulikwenda nyumbani.", "sw"),
        ("", "es"),
    ],
)
def test_where_no_phrase_begins_there_it_is_spoken_in_one_breath(text: str, language: str) -> None:
    assert texts(text, language=language) == [text]


def test_of_several_marks_the_one_with_the_same_number_counts_where_both_have_as_many() -> None:
    segment = Segment(0, 0, 9, "Yes, when it had rained for a day, we went home.", pauses=(Pause(5, 6, 34),))
    assert texts("Sí, después de llover un día, fuimos a nuestra casa del valle.", segment) == [
        "Sí, después de llover un día,",
        "fuimos a nuestra casa del valle.",
    ]


spans = st.lists(st.floats(0.3, 4), min_size=5, max_size=5)


@settings(max_examples=300, deadline=None)
@given(spans, st.lists(st.floats(0.2, 6), min_size=3, max_size=3), st.floats(0.7, 1.6))
def test_phrases_stay_within_their_line_in_order_and_begin_within_0_3_s_of_the_original(
    spans: list[float], lengths: list[float], stretch: float
) -> None:
    edges = [2.0, *(2.0 + sum(spans[: number + 1]) for number in range(5))]
    several = tuple(Phrase("x", *edges[at : at + 2]) for at in (0, 2, 4))
    phrased = Phrased(several, tuple(lengths))
    natural = phrased.natural_seconds
    assert natural >= sum(lengths)
    line = Placement(2.0, 2.0 + natural / stretch, edges[-1] - 2.0, edges[-1] - 2.0, natural)
    placed = phrased.placed(line)
    for one, after in pairwise(placed):
        assert one.end <= after.start + 1e-9
    for one, phrase in zip(placed, several, strict=False):
        assert line.start - 1e-9 <= one.start <= one.end <= line.end + 1e-9
        assert line.tempo <= 1.1
        assert one.tempo <= 1.2 + 1e-5
        if sum(lengths) / 1.2 < min(spans):
            assert abs(one.start - phrase.start) <= 0.3 + 1e-6


def voice(pauses: Sequence[float]) -> NDArray[np.int16]:
    """Return half a second of a tone, and after each pause another."""
    tone = (8000 * np.sin(2 * np.pi * 220 * np.arange(RATE // 2) / RATE)).astype(np.int16)
    parts = [np.concatenate([np.zeros(round(pause * RATE), np.int16), tone]) for pause in pauses]
    return np.concatenate([tone, *parts])


def test_within_a_breath_long_pauses_are_cut_to_0_3_s_and_short_ones_stay() -> None:
    assert np.array_equal(levels.in_one_breath(voice([0.3, 0.2]), RATE), voice([0.3, 0.2]))
    cut = levels.in_one_breath(voice([0.9, 0.2, 0.5]), RATE)
    assert len(cut) / RATE == pytest.approx(2.0 + 0.3 + 0.2 + 0.3, abs=0.05)
    assert np.array_equal(levels.in_one_breath(cut, RATE), cut)
    assert len(levels.in_one_breath(cut[:0], RATE)) == 0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("film") / "talk.wav"
    films.ffmpeg("-f", "lavfi", "-i", "sine=220:d=9", target)
    return target


def pauses_in(sound: NDArray[np.int16]) -> list[tuple[float, float]]:
    """Return the silences inside a sound that last 0.3 s and more, as (start, end) in seconds."""
    regions = levels.sounding(sound, RATE, gap=0.3, pad=0.0)
    return [(before[1], after[0]) for before, after in pairwise(regions)]


class Falling(ToneSynthesizer):
    """Speaks the second phrase of a line 8 dB softer than the first."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate)."""
        for (text, _), clip in zip(lines, super().speak(lines, cancel), strict=True):
            factor = 10 ** (-8 / 20) if text == "WE WENT HOME." else 1.0
            yield Clip((clip.samples * factor).astype(np.int16), clip.sample_rate)


def decibels(sound: NDArray[np.int16], start: float, end: float) -> float:
    part = sound[round((start + 0.1) * RATE) : round((end - 0.1) * RATE)].astype(float)
    return float(10 * np.log10(np.mean(part**2)))


def test_the_dub_pauses_where_the_original_paused_and_a_soft_phrase_stays_soft(film: Path, tmp_path: Path) -> None:
    second = words((5.5, 6.0, "Then"), (6.0, 6.5, "the"), (6.5, 7.0, "sun,"), (7.0, 7.6, "shone"), (7.6, 8.2, "again."))
    factory = FakeFactory(ScriptedTranscriber([Heard((*LINE, *second))]), Falling(0.12))
    work = tmp_path / "work"
    work.mkdir()
    artifacts = Artifacts(tmp_path / "pieces")
    request = asked(film, "es", "en")
    result = pipeline.dub(request, factory, work, artifacts=artifacts)
    sound = films.decoded(result.files[0], RATE)
    (inside, between) = pauses_in(sound)
    assert list(inside) == pytest.approx([2.3, 3.1], abs=0.3)
    first, last = result.report.as_json()["segments"]
    louder = decibels(sound, first["placed_start"], inside[0]) - decibels(sound, inside[1], between[0])
    assert louder == pytest.approx(8, abs=1)
    assert list(between) == pytest.approx([first["placed_end"], last["placed_start"]], abs=0.1)
    assert first["tempo"] == pytest.approx(
        first["natural_seconds"] / (first["placed_end"] - first["placed_start"]), abs=0.002
    )

    (_, before, letters), (after, *_) = first["phrases"]
    assert list(inside) == pytest.approx([before, after], abs=0.1)
    assert letters == len("".join(first["text"].split(",")[0].split())) + 1
    edits = Edits({0: Edit(text="All in one breath, we went home.")})
    edited = asked(film, "es", "en", edits=edits)
    again = pipeline.dub(edited, factory, work, artifacts=artifacts)
    assert len(pauses_in(films.decoded(again.files[0], RATE))) == 1
    assert again.report.as_json()["segments"][1] == last
