"""Where two speak at once: what is listened to for that, which lines are counted, and what the report says."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedOverlaps, ScriptedTranscriber, ScriptedVoices, ToneSynthesizer
from vt.domain import Cancel, Word
from vt.dubbing import overlapping, pipeline
from vt.engines.protocols import Heard
from vt.errors import EngineError

TURNS = [(0.0, 0), (8.0, 1), (16.0, 0), (22.0, 1)]
"""From which second on who speaks."""


def turns(*edges: float) -> list[Word]:
    """Return words of half a second, said by two in turn, who change at these seconds; the last is the end."""
    ends, words = list(edges), list[Word]()
    for at in np.arange(0, ends[-1], 0.5):
        who = 1 + sum(edge <= at for edge in ends[:-1]) % 2
        is_last = at + 0.5 in ends
        words.append(Word(float(at), float(at) + 0.5, " so." if is_last else " so", speaker=str(who)))
    return words


def heard_of(starts: Sequence[float]) -> list[tuple[float, float]]:
    """Return what is relied on of windows."""
    return [(start + 0.5 if start else 0.0, start + 9.5) for start in starts]


def test_each_change_of_speaker_is_heard_in_a_window_with_two_seconds_around_it() -> None:
    edges = [6.0, 30.0, 33.0, 36.0, 39.0, 42.0, 45.0, 80.0, 95.0, 200.0]
    starts = overlapping.windows(turns(*edges))
    assert starts == sorted(starts)
    for edge in edges[:-1]:
        inside = np.arange(edge - 2, edge + 2, 0.1)
        assert all(any(begin <= second <= end for begin, end in heard_of(starts)) for second in inside)
    assert len(starts) == 6


def test_a_lively_talk_is_listened_to_once_and_a_speech_not_at_all() -> None:
    starts = overlapping.windows(turns(*np.arange(2.0, 600.0, 2.0), 600.0))
    assert 9 * len(starts) < 1.05 * 600
    assert overlapping.windows(turns(600.0)) == []
    assert overlapping.windows([]) == []


def test_what_two_windows_hear_is_one_stretch_and_the_shortest_are_left_out() -> None:
    found = [[(0.0, 0.5), (8.0, 9.9)], [(9.0, 9.45), (9.1, 11.0), (12.0, 12.1)], [(18.0, 18.6)]]
    assert overlapping.stretches([0.0, 9.0, 18.0], found) == [(0.0, 0.5), (8.0, 11.0)]


def test_who_begins_over_another_is_marked_and_nobody_else() -> None:
    words = turns(6.0, 30.0, 40.0, 50.0)
    marked = overlapping.marked(words, [(3.0, 4.0), (29.6, 29.9), (40.7, 41.5)])
    assert [word.start for word in marked if word.overlaps] == [30.0]
    assert overlapping.marked(words, []) == words


def test_two_who_speak_at_once_once_are_one_line_however_often_they_change() -> None:
    marked = overlapping.marked(turns(6.0, 6.5, 7.0, 20.0), [(6.4, 6.8)])
    assert [word.start for word in marked if word.overlaps] == [6.5]
    assert not any(word.overlaps for word in overlapping.marked(turns(20.0), [(6.4, 6.8)]))


# In a job


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    films.ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=30:r=16000:a=0.1", folder / "film.wav")
    return folder / "film.wav"


def served(finder: ScriptedOverlaps | None, script: Sequence[tuple[float, int]] = TURNS) -> FakeFactory:
    said = tuple(replace(word, speaker="") for word in turns(8, 16, 22, 30))
    factory = FakeFactory(ScriptedTranscriber([Heard(said)]), ToneSynthesizer())
    factory.embedder, factory.overlap_finder = ScriptedVoices(script), finder
    return factory


@pytest.mark.soak
def test_the_report_counts_the_lines_and_seconds_in_which_two_speak_at_once(film: Path, tmp_path: Path) -> None:
    finder = ScriptedOverlaps([(7.4, 8.1), (12.0, 13.0), (22.0, 22.6)])
    report = pipeline.dub(asked(film, "es"), served(finder), tmp_path).report.as_json()
    assert report["timing"]["overlapping_lines"] == 2
    assert report["timing"]["overlapped_seconds"] == pytest.approx(2.3, abs=0.001)
    placed = [(line["placed_start"], line["placed_end"]) for line in report["segments"]]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(placed))
    listened = list(finder.starts)
    again = pipeline.dub(asked(film, "es"), served(finder), tmp_path).report.as_json()
    assert again["timing"] == report["timing"]
    assert finder.starts == listened


@pytest.mark.soak
def test_nobody_listens_for_two_at_once_where_one_speaks_or_is_said_to(film: Path, tmp_path: Path) -> None:
    finder = ScriptedOverlaps([(0.0, 30.0)])
    for number, script in ((1, TURNS), (None, [(0.0, 3)])):
        request = asked(film, "es", speakers=number)
        report = pipeline.dub(request, served(finder, script), tmp_path / str(number)).report.as_json()
        assert "overlapped_seconds" not in report["timing"]
    assert finder.starts == []


@pytest.mark.soak
def test_speakers_are_told_apart_though_nothing_hears_two_at_once(film: Path, tmp_path: Path) -> None:
    class Failing(ScriptedOverlaps):
        def overlaps(
            self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
        ) -> Iterator[list[tuple[float, float]]]:
            del samples, starts, cancel
            raise EngineError("The segmentation model failed: {reason}", reason="no luck")

    for name, finder, notes in (("none", None, 0), ("failing", Failing([]), 1)):
        report = pipeline.dub(asked(film, "es"), served(finder), tmp_path / name).report.as_json()
        assert len(report["speakers"]) == 2
        assert "overlapping_lines" not in report["timing"]
        told = [note for note in report["notes"] if note.startswith("Where two speak at once was not heard: ")]
        assert len(told) == notes
