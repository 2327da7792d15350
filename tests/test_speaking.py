"""The voice of a dub, spoken by tones: its pace, its fit, its place and its loudness, through real ffmpeg."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films, tracks
from tests.fakes import Timbre, ToneSynthesizer, choice
from tests.sounds import amplitude, speech
from vt import languages, media
from vt.domain import Cancel, Clip, Line, Placement
from vt.dubbing import ensemble, speaking, timing, track
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.casting import Role, Voicing
from vt.dubbing.ensemble import Calibration, Ensemble, Plan
from vt.dubbing.line_levels import LineLevels
from vt.dubbing.speaking import ClipCache, Take, VoiceCalibration
from vt.dubbing.track import DubTrack, Level, Spoken
from vt.errors import Cancelled
from vt.media import Loudness, weighting
from vt.settings import LOUDNESS

Slot = tuple[float, float]
TEXTS = ["A first line of the film.", "Then a longer one, which says more.", "Short.", "And the last line of it."]
SLOTS = [(0.5, 2.0), (2.6, 4.6), (5.5, 6.1), (7.0, 8.5)]
FILM = 9.5
ES = languages.get("es")


def one_voice(cache: ClipCache, lines: int) -> Ensemble:
    """Return an ensemble in which one voice speaks all lines."""
    needed = Voicing((Role("tone"),), (tuple(range(lines)),), (0,) * lines, (0,) * lines)
    return Ensemble((cache,), needed, ("tone",), choice("tone", "tts"))


def heard(_: float) -> None:
    """Take progress."""


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "pieces", lasting=False)


def taking(engine: ToneSynthesizer, artifacts: Artifacts, cancel: Cancel | None = None) -> ClipCache:
    return ClipCache(engine, "tones", artifacts, cancel or Cancel())


def calibrated(
    engine: ToneSynthesizer, artifacts: Artifacts, texts: Sequence[str] = TEXTS, slots: Sequence[Slot] = SLOTS
) -> VoiceCalibration:
    return speaking.calibrate(taking(engine, artifacts), texts, slots, heard)


def planned(calibration: VoiceCalibration, slots: Sequence[Slot] = SLOTS, film: float = FILM) -> list[Placement]:
    naturals = calibration.natural_seconds
    return timing.place([Line(*slot, natural) for slot, natural in zip(slots, naturals, strict=True)], film)


def recorded(
    folder: Path,
    engine: ToneSynthesizer,
    texts: Sequence[str] = TEXTS,
    slots: Sequence[Slot] = SLOTS,
    film: float = FILM,
    originals: Sequence[float] | None = None,
    target: float = -16.0,
) -> tuple[Path, list[Placement], Loudness]:
    """Rehearse, plan, speak and finish a whole track, in place of an original whose lines are as loud as is told."""
    artifacts, cancel = Artifacts(folder / "pieces", lasting=False), Cancel()
    cache = taking(engine, artifacts, cancel)
    calibration = speaking.calibrate(cache, texts, slots, heard)
    plan = planned(calibration, slots, film)
    borders = track.cuts(plan, film, calibration.sample_rate)
    level = Level(calibration.gain_for(target))
    with DubTrack(borders, calibration.sample_rate, level, artifacts, cancel, target_lufs=target) as dubbed:
        alone = one_voice(cache, len(texts))
        measured = Calibration((calibration,), alone.needed)
        louder = originals or [0.0] * len(plan)
        spoken = ensemble.speak(alone, measured, dubbed, texts, Plan(plan, {}), louder, LineLevels(artifacts, ES))
        placements = [line.placement for _, line in spoken]
        loudness = tracks.finished(dubbed, folder / "dub.m4a")
    return folder / "dub.m4a", placements, loudness


# Calibration


def test_every_line_is_spoken_at_the_default_rate_and_then_at_the_base_rate(artifacts: Artifacts) -> None:
    engine = ToneSynthesizer(0.1)
    base = calibrated(engine, artifacts).base_rate
    assert engine.asked == [(text, 1.0) for text in TEXTS] + [(text, base) for text in TEXTS]


@pytest.mark.parametrize(("seconds_a_character", "wanted"), [(0.06, 1.0), (0.075, 1.25), (0.3, 1.5), (0.005, 0.8)])
def test_the_base_rate_brings_the_median_line_to_its_slot_within_bounds(
    artifacts: Artifacts, seconds_a_character: float, wanted: float
) -> None:
    slots = [(10.0 * place, 10.0 * place + len(text) * 0.06) for place, text in enumerate(TEXTS)]
    found = calibrated(ToneSynthesizer(seconds_a_character), artifacts, TEXTS, slots)
    assert found.base_rate == pytest.approx(wanted, rel=0.01)


def test_natural_lengths_are_those_at_the_base_rate(artifacts: Artifacts) -> None:
    found = calibrated(ToneSynthesizer(0.1), artifacts)
    wanted = [len(text) * 0.1 / found.base_rate for text in TEXTS]
    assert found.natural_seconds == pytest.approx(wanted, abs=0.001)
    assert found.sample_rate == 22_050


@pytest.mark.soak
def test_in_a_long_film_a_few_lines_spread_over_it_tell_the_pace_of_all(artifacts: Artifacts) -> None:
    # The film's second half is spoken twice as slowly: who listened to its beginning alone would be wrong.
    texts = tuple(f"Line number {number} says a little." for number in range(200))
    slots = [(3.0 * line, 3.0 * line + (1.4 if line < 100 else 2.8)) for line in range(200)]
    engine = ToneSynthesizer(0.09)
    found = calibrated(engine, artifacts, texts, slots)
    default = [text for text, rate in engine.asked if rate == 1.0]
    lengths = [len(text) * 0.09 for text in texts]
    assert len(default) == 24
    assert found.base_rate == pytest.approx(timing.base_rate(lengths, slots), rel=0.05)
    assert len(found.natural_seconds) == 200


def test_a_base_rate_near_the_default_is_the_default_and_nothing_is_spoken_twice(
    artifacts: Artifacts,
) -> None:
    engine = ToneSynthesizer(0.1)
    slots = [(3.0 * line, 3.0 * line + len(text) * 0.1 / 1.02) for line, text in enumerate(TEXTS)]
    assert calibrated(engine, artifacts, TEXTS, slots).base_rate == 1.0
    assert len(engine.asked) == len(set(TEXTS))


@pytest.mark.parametrize(("is_dear", "asked"), [(False, 1.05 * 1.005), (True, 1.0)])
def test_a_line_that_has_to_hurry_a_little_is_stretched_where_speaking_it_again_is_dear(
    artifacts: Artifacts, is_dear: bool, asked: float
) -> None:
    engine, cancel, text = ToneSynthesizer(), Cancel(), "A line that has to hurry."
    cache = ClipCache(engine, "tone", artifacts, cancel, is_dear=is_dear)
    natural = len(text) * 0.05
    plan = [Placement(0.0, natural / 1.05, natural / 1.05, natural / 1.05, natural)]
    borders = track.cuts(plan, 5.0, engine.sample_rate)
    with DubTrack(borders, engine.sample_rate, Level(0.0), artifacts, cancel) as dubbed:
        alone = one_voice(cache, 1)
        measured = Calibration((VoiceCalibration(1.0, (natural,), engine.sample_rate, 0.0),), alone.needed)
        ((_, spoken),) = ensemble.speak(
            alone, measured, dubbed, [text], Plan(plan, {}), [0.0], LineLevels(artifacts, ES)
        )
    assert [rate for _, rate in engine.asked] == [pytest.approx(asked, abs=1e-4)]
    assert spoken.placement.seconds == pytest.approx(natural / 1.05, rel=0.02)


class Noting(DubTrack):
    """Notes when the lines start that are added."""

    added: list[float]

    def add(self, line: Spoken) -> None:
        self.added.append(line.start)
        super().add(line)


def test_edited_lines_are_spoken_first_and_the_track_takes_all_in_their_order(artifacts: Artifacts) -> None:
    engine, cancel = ToneSynthesizer(), Cancel()
    cache = taking(engine, artifacts, cancel)
    calibration = calibrated(engine, artifacts)
    plan, edited = planned(calibration), len(TEXTS) - 1
    placed = Plan(plan, {}, {edited: Take(TEXTS[edited], calibration.base_rate)})
    borders = track.cuts(plan, FILM, calibration.sample_rate)
    noting = Noting(borders, calibration.sample_rate, Level(0.0), artifacts, cancel)
    noting.added = []
    with noting as dubbed:
        alone = one_voice(cache, len(TEXTS))
        measured, quiet = Calibration((calibration,), alone.needed), [0.0] * len(plan)
        order = [
            line for line, _ in ensemble.speak(alone, measured, dubbed, TEXTS, placed, quiet, LineLevels(artifacts, ES))
        ]
    assert order == [edited, *range(edited)]
    assert len(noting.added) == len(TEXTS)
    assert noting.added == sorted(noting.added)


def test_the_calibration_tells_how_far_it_is_after_every_line(artifacts: Artifacts) -> None:
    shares: list[float] = []
    speaking.calibrate(taking(ToneSynthesizer(), artifacts), TEXTS, SLOTS, shares.append)
    assert shares == [place / 8 for place in range(1, 9)]


def test_a_calibration_stops_when_it_is_cancelled(artifacts: Artifacts) -> None:
    cancel, engine = Cancel(), ToneSynthesizer()
    with pytest.raises(Cancelled):
        speaking.calibrate(taking(engine, artifacts, cancel), TEXTS, SLOTS, lambda _: cancel.set())
    assert len(engine.asked) == 1


def test_a_quiet_voice_is_to_be_raised_and_a_loud_one_is_not(tmp_path: Path) -> None:
    def gain(dbfs: float) -> float:
        engine = ToneSynthesizer(timbre=lambda count, rate: speech(count / rate, rate, dbfs))
        return calibrated(engine, Artifacts(tmp_path / f"at{dbfs}", lasting=False)).gain

    quiet, loud = gain(-30.0), gain(-12.0)
    assert quiet > 8
    assert loud < 4


# Clips that are kept


def test_a_take_is_spoken_once_and_found_by_everybody_who_comes_later(artifacts: Artifacts, tmp_path: Path) -> None:
    engine = ToneSynthesizer()
    takes = [Take("One line.", 1.0), Take("Another.", 1.0), Take("One line.", 1.0), Take("One line.", 1.25)]
    clips = list(taking(engine, artifacts).clips(takes))
    assert engine.asked == [("One line.", 1.0), ("Another.", 1.0), ("One line.", 1.25)]
    assert np.array_equal(clips[0].samples, clips[2].samples)
    again = Artifacts(tmp_path / "pieces", lasting=False)
    later = list(taking(engine, again).clips(takes))
    assert len(engine.asked) == 3
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(clips, later, strict=True))


def test_a_take_of_another_voice_is_another_take(artifacts: Artifacts) -> None:
    low, high = ToneSynthesizer(), ToneSynthesizer()
    list(ClipCache(low, "low", artifacts, Cancel()).clips([Take("A line.", 1.0)]))
    list(ClipCache(high, "high", artifacts, Cancel()).clips([Take("A line.", 1.0)]))
    assert len(high.asked) == 1


def test_what_was_spoken_before_a_cancel_is_kept(artifacts: Artifacts) -> None:
    cancel, engine = Cancel(), ToneSynthesizer()
    takes = [Take(text, 1.0) for text in TEXTS]
    with pytest.raises(Cancelled):
        for _ in taking(engine, artifacts, cancel).clips(takes):
            cancel.set()
    assert len(list(taking(engine, artifacts).clips(takes))) == len(TEXTS)
    assert [text for text, _ in engine.asked] == TEXTS


# Fit


def placement(seconds: float, natural: float, start: float = 1.0) -> Placement:
    return Placement(start, start + seconds, seconds, seconds, natural)


def clip(seconds: float) -> Clip:
    tone = 8000 * np.sin(np.arange(round(seconds * 22_050)) / 22_050 * 2 * np.pi * 220)
    return Clip(tone.astype(np.int16), 22_050)


def fitted(artifacts: Artifacts, spoken: Clip, planned: Placement) -> Clip:
    """Return what sounds in place of a clip that was spoken for a placement."""
    cache, take = taking(ToneSynthesizer(), artifacts), Take("A line.", 1.0)
    artifacts.put_clip("take", cache.name(take), spoken)
    line = cache.fitted(take, spoken, planned)
    found = artifacts.get_clip(line.kind, line.name)
    assert found is not None
    assert (line.start, line.seconds) == (planned.start, found.seconds)
    return found


@pytest.mark.parametrize("seconds", [2.0, 1.99])
def test_a_clip_that_fits_is_left_alone(artifacts: Artifacts, seconds: float) -> None:
    spoken = clip(seconds)
    assert np.array_equal(fitted(artifacts, spoken, placement(2.0, 2.0)).samples, spoken.samples)


@pytest.mark.parametrize("seconds", [2.02, 2.3, 2.6, 4.0])
def test_a_clip_that_is_too_long_is_stretched_to_its_place(artifacts: Artifacts, seconds: float) -> None:
    found = fitted(artifacts, clip(seconds), placement(2.0, seconds))
    assert found.sample_rate == 22_050
    assert found.seconds == pytest.approx(2.0, abs=1 / 22_050)


def test_a_clip_that_was_spoken_faster_than_planned_is_brought_back_to_the_plan(artifacts: Artifacts) -> None:
    assert fitted(artifacts, clip(1.6), placement(2.0, 2.4)).seconds == pytest.approx(2.0, abs=1 / 22_050)


def test_an_empty_clip_and_a_place_without_time_are_left_alone(artifacts: Artifacts) -> None:
    assert fitted(artifacts, clip(0.0), placement(2.0, 2.0)).seconds == 0.0
    assert fitted(artifacts, clip(1.0), placement(0.0, 1.0)).seconds == pytest.approx(1.0)


def test_a_line_that_was_stretched_once_is_not_stretched_again(artifacts: Artifacts) -> None:
    spoken, planned = clip(2.6), placement(2.0, 2.6)
    fitted(artifacts, spoken, planned)
    cancel = Cancel()
    cancel.set()  # any program would be killed at once
    cache = taking(ToneSynthesizer(), artifacts, cancel)
    assert cache.fitted(Take("A line.", 1.0), spoken, planned).seconds == pytest.approx(2.0, abs=1 / 22_050)


# Speaking


@pytest.mark.parametrize("seconds_a_character", [0.03, 0.1, 0.2])
def test_lines_never_overlap_and_stay_inside_the_film(tmp_path: Path, seconds_a_character: float) -> None:
    film, placements, _ = recorded(tmp_path, ToneSynthesizer(seconds_a_character))
    assert len(placements) == len(TEXTS)
    assert all(before.end <= after.start + 1e-4 for before, after in pairwise(placements))
    assert placements[-1].end <= FILM + 1e-4
    assert len(films.decoded(film, 48_000)) / 48_000 == pytest.approx(FILM, abs=0.05)


@pytest.mark.parametrize("pace", [lambda _: 1.0, lambda rate: rate * 1.3])
def test_an_engine_that_does_not_obey_its_rate_is_kept_in_time_all_the_same(
    tmp_path: Path, pace: Callable[[float], float]
) -> None:
    _, placements, _ = recorded(tmp_path, ToneSynthesizer(0.1, pace=pace))
    assert all(before.end <= after.start + 1e-4 for before, after in pairwise(placements))


def test_the_sound_is_where_the_placements_say(tmp_path: Path) -> None:
    film, placements, _ = recorded(tmp_path, ToneSynthesizer(0.06))
    samples = np.abs(films.decoded(film, 48_000).astype(np.int32))
    loud = np.convolve(samples > 0.1 * samples.max(), np.ones(480), mode="same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]]))) / 48_000
    spoken = [edge for placed in placements for edge in (placed.start, placed.end)]
    assert edges == pytest.approx(spoken, abs=0.03)


def test_lines_are_asked_for_at_the_rate_of_their_place_and_a_little_more_where_they_must_hurry(
    tmp_path: Path,
) -> None:
    engine = ToneSynthesizer(0.1)
    before = calibrated(engine, Artifacts(tmp_path / "before", lasting=False))
    wanted = [before.base_rate * placed.tempo for placed in planned(before) if placed.tempo != 1.0]
    assert wanted  # some lines have to hurry
    calibration = len(engine.asked)
    engine.asked.clear()
    recorded(tmp_path, engine)
    asked = [rate for _, rate in engine.asked[calibration:]]
    assert asked == pytest.approx(wanted, rel=0.02)
    assert all(rate > least for rate, least in zip(asked, wanted, strict=True))


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


class Uneven(ToneSynthesizer):
    """Speaks each line as loud as its place in the film says, in dBFS."""

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__(0.06, timbre=spoken_at(-20.0))
        self._levels = dict(zip(TEXTS, levels, strict=True))

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        for (text, _), clip in zip(lines, super().speak(lines, cancel), strict=True):
            gain = 10 ** ((self._levels[text] + 20) / 20)
            yield Clip((clip.samples * gain).astype(np.int16), clip.sample_rate)


def heard_levels(dub: Path, placements: Sequence[Placement]) -> list[float]:
    samples = films.decoded(dub, 48_000)
    return [weighting.loudness(samples[round(at.start * 48_000) :][: round(at.seconds * 48_000)], 48_000)
            for at in placements]  # fmt: skip


def test_no_line_is_much_louder_or_quieter_than_its_neighbours(tmp_path: Path) -> None:
    dub, placements, told = recorded(tmp_path, Uneven([-20.0, -25.0, -16.0, -21.0]))
    levels = heard_levels(dub, placements)
    assert max(abs(before - after) for before, after in pairwise(levels)) < 3.3
    right(dub, told)


def test_a_line_that_stands_out_in_the_original_may_stand_out_in_the_dub(tmp_path: Path) -> None:
    dub, placements, _ = recorded(
        tmp_path, Uneven([-20.0, -25.0, -16.0, -21.0]), originals=[0.0, -6.0, 5.0, 0.0], target=-30.0
    )
    levels = heard_levels(dub, placements)
    assert levels[0] - levels[1] == pytest.approx(5.0, abs=0.7)
    assert levels[2] - levels[3] == pytest.approx(5.0, abs=0.7)


def test_a_line_is_made_louder_or_quieter_by_no_more_than_twice(tmp_path: Path) -> None:
    dub, placements, _ = recorded(tmp_path, Uneven([-20.0, -38.0, -20.0, -20.0]), target=-30.0)
    levels = heard_levels(dub, placements)
    assert levels[0] - levels[1] == pytest.approx(12.0, abs=1.0)


@pytest.mark.soak
@pytest.mark.parametrize("target", LOUDNESS.values(), ids=LOUDNESS.keys())
def test_a_dub_is_as_loud_as_the_settings_say(tmp_path: Path, target: float) -> None:
    dub, _, told = recorded(tmp_path, ToneSynthesizer(0.06, timbre=spoken_at(-18.0)), target=target)
    level, peak = films.loudness(dub)
    assert level == pytest.approx(target, abs=1.0)
    assert told.integrated == pytest.approx(level, abs=0.15)
    assert peak <= -1.0


def test_the_gain_for_a_loudness_is_right_at_once(tmp_path: Path) -> None:
    for target in (-30.0, -23.0, -16.0, -14.0):
        engine = ToneSynthesizer(0.06, timbre=spoken_at(-18.0))
        artifacts = Artifacts(tmp_path / f"at{target}", lasting=False)
        calibration = calibrated(engine, artifacts)
        sample = np.concatenate([clip.samples for clip in taking(engine, artifacts).clips(
            [Take(text, calibration.base_rate) for text in TEXTS])])  # fmt: skip
        (reached,) = media.loudness_at(sample, 22_050, [calibration.gain_for(target)])
        assert reached == pytest.approx(target, abs=0.5)


@pytest.mark.parametrize("timbre", VOICES.values(), ids=VOICES.keys())
def test_the_track_is_as_loud_as_it_should_be_and_never_too_loud(tmp_path: Path, timbre: Timbre) -> None:
    dub, _, told = recorded(tmp_path, ToneSynthesizer(0.06, timbre=timbre))
    right(dub, told)


@pytest.mark.parametrize("dbfs", [-40.0, -20.0])
def test_a_single_word_in_a_long_film_is_as_loud_as_it_should_be(tmp_path: Path, dbfs: float) -> None:
    engine = ToneSynthesizer(0.1, timbre=spoken_at(dbfs))
    dub, placements, told = recorded(tmp_path, engine, ["Hello"], [(10.0, 10.5)], 20.0)
    assert placements[0].seconds == pytest.approx(0.5, abs=0.05)
    right(dub, told)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_voice_of_another_sample_rate_is_placed_and_levelled_too(tmp_path: Path, rate: int) -> None:
    engine = ToneSynthesizer(0.06, rate, spoken_at(-30.0))
    dub, _, told = recorded(tmp_path, engine)
    right(dub, told)


def test_a_voice_with_nothing_to_say_makes_a_silent_track(tmp_path: Path) -> None:
    dub, placements, told = recorded(tmp_path, ToneSynthesizer(), ["", "", ""], SLOTS[:3])
    assert [placed.seconds for placed in placements] == [0.0, 0.0, 0.0]
    assert not told.integrated > -70
    assert int(np.abs(films.decoded(dub, 48_000)).max()) <= 1
    assert len(films.decoded(dub, 48_000)) / 48_000 == pytest.approx(FILM, abs=0.05)


def test_an_empty_line_among_others_takes_no_time(tmp_path: Path) -> None:
    texts = ["", *TEXTS[1:]]
    _, placements, told = recorded(tmp_path, ToneSynthesizer(0.06, timbre=spoken_at(-22.0)), texts)
    assert placements[0].seconds == 0.0
    assert all(placed.seconds > 0 for placed in placements[1:])
    assert told.integrated == pytest.approx(-16.0, abs=1.0)
