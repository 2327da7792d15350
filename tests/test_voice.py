"""The voice of a dub, spoken by tones: its pace, its fit, its place and its loudness, through real ffmpeg."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films
from tests.fakes import Timbre, ToneSynthesizer
from tests.sounds import amplitude, speech
from vt import timing, voice
from vt.domain import Cancel, Clip, Line, Placement
from vt.errors import Cancelled
from vt.media import Loudness
from vt.voice import Recording, Rehearsal

Slot = tuple[float, float]
TEXTS = ["A first line of the film.", "Then a longer one, which says more.", "Short.", "And the last line of it."]
SLOTS = [(0.5, 2.0), (2.6, 4.6), (5.5, 6.1), (7.0, 8.5)]
FILM = 9.5


def heard(_: float) -> None:
    """Take progress."""


def rehearsed(engine: ToneSynthesizer, texts: Sequence[str] = TEXTS, slots: Sequence[Slot] = SLOTS) -> Rehearsal:
    return voice.rehearse(engine, texts, slots, heard, Cancel())


def planned(rehearsal: Rehearsal, slots: Sequence[Slot] = SLOTS, film: float = FILM) -> list[Placement]:
    naturals = rehearsal.natural_seconds
    return timing.place([Line(*slot, natural) for slot, natural in zip(slots, naturals, strict=True)], film)


def recorded(
    target: Path,
    engine: ToneSynthesizer,
    texts: Sequence[str] = TEXTS,
    slots: Sequence[Slot] = SLOTS,
    film: float = FILM,
) -> tuple[list[Placement], Loudness]:
    """Rehearse, plan, speak and finish a whole track."""
    rehearsal = rehearsed(engine, texts, slots)
    with Recording(target, rehearsal, film, Cancel()) as recording:
        placements = list(recording.speak(engine, texts, planned(rehearsal, slots, film)))
        assert recording.placements == placements
        return placements, recording.finish()


# Rehearsal


def test_every_line_is_rehearsed_at_the_default_rate_and_then_at_the_base_rate() -> None:
    engine = ToneSynthesizer(0.1)
    base = rehearsed(engine).base_rate
    assert engine.asked == [(text, 1.0) for text in TEXTS] + [(text, base) for text in TEXTS]


@pytest.mark.parametrize(("seconds_a_character", "wanted"), [(0.06, 1.0), (0.075, 1.25), (0.3, 1.5), (0.005, 0.8)])
def test_the_base_rate_brings_the_median_line_to_its_slot_within_bounds(
    seconds_a_character: float, wanted: float
) -> None:
    slots = [(10.0 * place, 10.0 * place + len(text) * 0.06) for place, text in enumerate(TEXTS)]
    assert rehearsed(ToneSynthesizer(seconds_a_character), TEXTS, slots).base_rate == pytest.approx(wanted, rel=0.01)


def test_natural_lengths_are_those_at_the_base_rate() -> None:
    found = rehearsed(ToneSynthesizer(0.1))
    wanted = [len(text) * 0.1 / found.base_rate for text in TEXTS]
    assert found.natural_seconds == pytest.approx(wanted, abs=0.001)
    assert found.sample_rate == 22_050


def test_the_rehearsal_tells_how_far_it_is_after_every_line() -> None:
    shares: list[float] = []
    voice.rehearse(ToneSynthesizer(), TEXTS, SLOTS, shares.append, Cancel())
    assert shares == [place / 8 for place in range(1, 9)]


def test_a_rehearsal_stops_when_it_is_cancelled() -> None:
    cancel, engine = Cancel(), ToneSynthesizer()
    with pytest.raises(Cancelled):
        voice.rehearse(engine, TEXTS, SLOTS, lambda _: cancel.set(), cancel)
    assert len(engine.asked) == 1


def test_a_quiet_voice_is_to_be_raised_and_a_loud_one_is_not() -> None:
    def gain(dbfs: float) -> float:
        return rehearsed(ToneSynthesizer(timbre=lambda count, rate: speech(count / rate, rate, dbfs))).gain

    quiet, loud = gain(-30.0), gain(-12.0)
    assert quiet > 8
    assert loud < 4


# Fit


def placement(seconds: float, natural: float, start: float = 1.0) -> Placement:
    return Placement(start, start + seconds, seconds, seconds, natural)


def clip(seconds: float) -> Clip:
    tone = 8000 * np.sin(np.arange(round(seconds * 22_050)) / 22_050 * 2 * np.pi * 220)
    return Clip(tone.astype(np.int16), 22_050)


@pytest.mark.parametrize("seconds", [2.0, 1.99, 1.95])
def test_a_clip_that_fits_is_left_alone(seconds: float) -> None:
    spoken = clip(seconds)
    assert voice.fit(spoken, placement(2.0, 2.0), Cancel()) is spoken


@pytest.mark.parametrize("seconds", [2.02, 2.3, 2.6, 4.0])
def test_a_clip_that_is_too_long_is_stretched_to_its_place(seconds: float) -> None:
    fitted = voice.fit(clip(seconds), placement(2.0, seconds), Cancel())
    assert fitted.sample_rate == 22_050
    assert fitted.seconds == pytest.approx(2.0, abs=1 / 22_050)


def test_a_clip_that_was_spoken_faster_than_planned_is_brought_back_to_the_plan() -> None:
    fitted = voice.fit(clip(1.6), placement(2.0, 2.4), Cancel())
    assert fitted.seconds == pytest.approx(2.0, abs=1 / 22_050)


def test_an_empty_clip_and_a_place_without_time_are_left_alone() -> None:
    empty, spoken = clip(0.0), clip(1.0)
    assert voice.fit(empty, placement(2.0, 2.0), Cancel()) is empty
    assert voice.fit(spoken, placement(0.0, 1.0), Cancel()) is spoken


# Recording


@pytest.mark.parametrize("seconds_a_character", [0.03, 0.1, 0.2])
def test_lines_never_overlap_and_stay_inside_the_film(tmp_path: Path, seconds_a_character: float) -> None:
    placements, _ = recorded(tmp_path / "dub.m4a", ToneSynthesizer(seconds_a_character))
    assert len(placements) == len(TEXTS)
    assert all(before.end <= after.start + 1e-4 for before, after in pairwise(placements))
    assert placements[-1].end <= FILM + 1e-4
    assert len(films.decoded(tmp_path / "dub.m4a", 48_000)) / 48_000 == pytest.approx(FILM, abs=0.05)


@pytest.mark.parametrize("pace", [lambda _: 1.0, lambda rate: rate * 1.3])
def test_an_engine_that_does_not_obey_its_rate_is_kept_in_time_all_the_same(
    tmp_path: Path, pace: Callable[[float], float]
) -> None:
    placements, _ = recorded(tmp_path / "dub.m4a", ToneSynthesizer(0.1, pace=pace))
    assert all(before.end <= after.start + 1e-4 for before, after in pairwise(placements))


def test_the_sound_is_where_the_placements_say(tmp_path: Path) -> None:
    placements, _ = recorded(tmp_path / "dub.m4a", ToneSynthesizer(0.06))
    track = np.abs(films.decoded(tmp_path / "dub.m4a", 48_000).astype(np.int32))
    loud = np.convolve(track > 0.1 * track.max(), np.ones(480), mode="same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]]))) / 48_000
    spoken = [edge for placed in placements for edge in (placed.start, placed.end)]
    assert edges == pytest.approx(spoken, abs=0.03)


def test_lines_are_asked_for_at_the_rate_of_their_place_and_a_little_more_where_they_must_hurry(
    tmp_path: Path,
) -> None:
    engine = ToneSynthesizer(0.1)
    rehearsal = rehearsed(engine)
    plan = planned(rehearsal)
    engine.asked.clear()
    with Recording(tmp_path / "dub.m4a", rehearsal, FILM, Cancel()) as recording:
        list(recording.speak(engine, TEXTS, plan))
    assert [text for text, _ in engine.asked] == TEXTS
    for (_, rate), placed in zip(engine.asked, plan, strict=True):
        assert rate == pytest.approx(rehearsal.base_rate * placed.tempo, rel=0.02)


def peaky(count: int, rate: int) -> NDArray[np.float64]:
    """Return clicks of full scale over a whisper: a crest factor that no speaker has."""
    whisper = np.random.default_rng(1).standard_normal(count) * amplitude(-42)
    whisper[:: max(1, rate // 12)] = 0.999
    return np.clip(whisper, -0.999, 0.999)


def spoken_at(dbfs: float) -> Timbre:
    return lambda count, rate: np.clip(speech(count / rate, rate, dbfs, count), -0.999, 0.999)


VOICES: dict[str, Timbre] = {
    "very quiet": spoken_at(-50.0),
    "usual": spoken_at(-22.0),
    "very loud": spoken_at(-5.0),
    "very peaky": peaky,
}


def right(target: Path, told: Loudness) -> None:
    """Check the finished file itself, and that what was told of it is true."""
    level, peak = films.loudness(target)
    assert level == pytest.approx(-16.0, abs=1.0)
    assert peak <= -1.0
    assert told.integrated == pytest.approx(level, abs=0.15)
    assert told.true_peak == pytest.approx(peak, abs=0.15)


@pytest.mark.parametrize("timbre", VOICES.values(), ids=VOICES.keys())
def test_the_track_is_as_loud_as_it_should_be_and_never_too_loud(tmp_path: Path, timbre: Timbre) -> None:
    _, told = recorded(tmp_path / "dub.m4a", ToneSynthesizer(0.06, timbre=timbre))
    right(tmp_path / "dub.m4a", told)


@pytest.mark.parametrize("dbfs", [-40.0, -20.0])
def test_a_single_word_in_a_long_film_is_as_loud_as_it_should_be(tmp_path: Path, dbfs: float) -> None:
    engine = ToneSynthesizer(0.1, timbre=spoken_at(dbfs))
    placements, told = recorded(tmp_path / "dub.m4a", engine, ["Hello"], [(10.0, 10.5)], 20.0)
    assert placements[0].seconds == pytest.approx(0.5, abs=0.05)
    right(tmp_path / "dub.m4a", told)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_voice_of_another_sample_rate_is_placed_and_levelled_too(tmp_path: Path, rate: int) -> None:
    engine = ToneSynthesizer(0.06, rate, spoken_at(-30.0))
    _, told = recorded(tmp_path / "dub.m4a", engine)
    right(tmp_path / "dub.m4a", told)


def test_a_voice_with_nothing_to_say_makes_a_silent_track(tmp_path: Path) -> None:
    placements, told = recorded(tmp_path / "dub.m4a", ToneSynthesizer(), ["", "", ""], SLOTS[:3])
    assert [placed.seconds for placed in placements] == [0.0, 0.0, 0.0]
    assert not told.integrated > -70
    assert int(np.abs(films.decoded(tmp_path / "dub.m4a", 48_000)).max()) <= 1
    assert len(films.decoded(tmp_path / "dub.m4a", 48_000)) / 48_000 == pytest.approx(FILM, abs=0.05)


def test_an_empty_line_among_others_takes_no_time(tmp_path: Path) -> None:
    texts = ["", *TEXTS[1:]]
    placements, told = recorded(tmp_path / "dub.m4a", ToneSynthesizer(0.06, timbre=spoken_at(-22.0)), texts)
    assert placements[0].seconds == 0.0
    assert all(placed.seconds > 0 for placed in placements[1:])
    assert told.integrated == pytest.approx(-16.0, abs=1.0)


def test_a_recording_stops_when_it_is_cancelled(tmp_path: Path) -> None:
    engine, cancel = ToneSynthesizer(), Cancel()
    rehearsal = rehearsed(engine)
    with (
        pytest.raises(Cancelled),
        Recording(tmp_path / "dub.m4a", rehearsal, FILM, cancel) as recording,
    ):
        for _ in recording.speak(engine, TEXTS, planned(rehearsal)):
            cancel.set()
