"""What is told of the sound between the lines, and the room tone that is made of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.sounds import Sound, amplitude, noise, pcm, silence, speech
from vt.dubbing.between_lines import Between, heard_between
from vt.media import room_tone

RATE = 16_000
SLOTS = [(2.0, 5.0), (8.0, 12.0), (17.0, 19.0)]
FILM = 24.0


def film(between: Sound) -> Between:
    """Return what is told of a film whose lines have another sound under them and between them."""
    said = silence(FILM, RATE)
    for number, (start, end) in enumerate(SLOTS):
        said[round(start * RATE) : round(end * RATE)] = speech(end - start, RATE, -20, number)
    return heard_between(pcm(said + between), SLOTS, FILM)


def tone(dbfs: float) -> Sound:
    return amplitude(dbfs + 3) * np.sin(2 * np.pi * 440 * np.arange(round(FILM * RATE)) / RATE)


@pytest.mark.parametrize("dbfs", [-60.0, -50.0, -41.0])
def test_the_noise_of_a_room_is_no_sound_that_is_worth_keeping(dbfs: float) -> None:
    found = film(noise(FILM, RATE, dbfs))
    assert not found.has_sound
    assert 10 * np.log10(sum(found.room)) == pytest.approx(dbfs, abs=1.5)


@pytest.mark.parametrize("dbfs", [-36.0, -25.0, -15.0])
def test_music_is(dbfs: float) -> None:
    assert film(tone(dbfs)).has_sound


def test_digital_silence_is_neither_sound_nor_a_room() -> None:
    found = film(silence(FILM, RATE))
    assert (found.has_sound, found.room) == (False, ())


def test_a_jingle_counts_and_a_knock_does_not() -> None:
    short = tone(-20.0)
    short[round(2.0 * RATE) :] = 0
    assert not film(short).has_sound
    short = tone(-20.0)
    short[: round(12.4 * RATE)] = 0
    short[round(16.0 * RATE) :] = 0
    assert film(short).has_sound


def test_in_a_long_film_more_has_to_sound_but_only_where_its_track_goes_on() -> None:
    short = np.concatenate([tone(-20.0)[: 4 * RATE], silence(400.0, RATE)])
    loud = speech(2.0, RATE, -20)
    short[: 2 * RATE] = loud
    assert not heard_between(pcm(short), [(0.0, 1.5)], 404.0).has_sound
    assert heard_between(pcm(np.concatenate([loud, tone(-20.0)[: 4 * RATE]])), [(0.0, 1.5)], 404.0).has_sound


@pytest.mark.parametrize("slots", [[(0.0, 12.0), (2.0, 4.0)], [(2.0, 4.0), (0.0, 12.0)]])
def test_nothing_is_between_lines_that_are_said_at_the_same_time_in_whatever_order(
    slots: list[tuple[float, float]],
) -> None:
    assert not heard_between(pcm(speech(12.0, RATE, -20), silence(12.0, RATE)), slots, FILM).has_sound


def test_speech_without_a_pause_leaves_nothing_to_hear_between_it() -> None:
    found = heard_between(pcm(speech(10.0, RATE, -20)), [(0.0, 5.0), (5.0, 10.0)], 10.0)
    assert (found.has_sound, found.room) == (False, ())


def test_lines_are_told_by_how_much_they_are_louder_than_most() -> None:
    said = np.concatenate([speech(2.0, RATE, dbfs, 1) for dbfs in (-20, -26, -20, -14)])
    found = heard_between(pcm(said), [(2.0 * line, 2.0 * line + 2.0) for line in range(4)], 8.0)
    assert found.louder_lines == pytest.approx((0.0, -6.0, 0.0, 6.0), abs=0.1)


def test_lines_and_films_of_no_length_are_taken_too() -> None:
    assert not heard_between(np.zeros(0, np.int16), [], 0.0).has_sound
    assert not heard_between(np.zeros(100, np.int16), [(0.0, 0.0), (5.0, 4.0)], 0.1).has_sound


@pytest.mark.parametrize("slots", [SLOTS, [(2.0, 2.0)]])
@pytest.mark.parametrize("dbfs", [-90.0, -150.0])
def test_silence_is_nothing_to_keep_also_where_nobody_is_heard_in_any_line(
    slots: list[tuple[float, float]], dbfs: float
) -> None:
    """Subtitles say what is said, so a track may be silent, or hold no more than the rounding of a file."""
    found = heard_between(pcm(noise(FILM, RATE, dbfs)), slots, FILM)
    assert (found.has_sound, found.room) == (False, ())


def test_of_a_line_as_long_as_its_film_a_minute_is_weighed() -> None:
    asked_for: list[int] = []

    class Long:
        """Two hours of quiet."""

        def __len__(self) -> int:
            return 7200 * RATE

        def __getitem__(self, part: slice) -> NDArray[np.int16]:
            first, last, _ = part.indices(len(self))
            asked_for.append(last - first)
            return np.zeros(1, np.int16)

    heard_between(Long(), [(0.0, 7200.0)], 7200.0)
    assert max(asked_for) <= 60 * RATE


# Room tone


def test_room_tone_has_the_level_and_the_spectrum_of_the_room_but_is_never_loud() -> None:
    hum = amplitude(-70) * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE) / RATE)
    quiet = room_tone.spectrum(pcm(hum + noise(5.0, RATE, -75)), RATE, [(0.0, 5.0)])
    made = room_tone.tone(quiet, RATE, 24_000)
    assert len(made) == 8 * 24_000
    assert 10 * np.log10(np.mean(made.astype(np.float64) ** 2)) == pytest.approx(-71.0, abs=1.0)
    power = np.abs(np.fft.rfft(made)) ** 2
    hertz = np.fft.rfftfreq(len(made), 1 / 24_000)
    assert power[np.abs(hertz - 1000) < 60].sum() > 0.3 * power.sum()
    assert power[hertz > 8100].sum() < 0.01 * power.sum()
    loud = room_tone.tone(room_tone.spectrum(pcm(noise(5.0, RATE, -30)), RATE, [(0.0, 5.0)]), RATE, 24_000)
    assert 10 * np.log10(np.mean(loud.astype(np.float64) ** 2)) == pytest.approx(room_tone.LOUDEST_DB, abs=0.1)


def test_a_quiet_moment_in_noise_is_no_quiet_stretch() -> None:
    changing = [noise(0.1, RATE, dbfs) for _ in range(10) for dbfs in (-40, -40, -75, -75)]
    sound = pcm(noise(3.0, RATE, -60), *changing)
    assert 10 * np.log10(sum(room_tone.spectrum(sound, RATE, [(0.0, 7.0)]))) == pytest.approx(-60.0, abs=1.0)


def test_the_same_room_has_the_same_tone() -> None:
    quiet = [0.0, *[1e-8] * 256]
    assert np.array_equal(room_tone.tone(quiet, RATE, 24_000, 1.0), room_tone.tone(quiet, RATE, 24_000, 1.0))


def test_a_constant_in_the_samples_is_neither_heard_in_the_room_nor_made_a_hum() -> None:
    quiet = room_tone.spectrum(pcm(noise(5.0, RATE, -75) + 0.01), RATE, [(0.0, 5.0)])
    assert 10 * np.log10(sum(quiet)) == pytest.approx(-75.0, abs=1.0)
    assert sum(quiet[:3]) < 0.1 * sum(quiet)
    assert room_tone.spectrum(pcm(silence(5.0, RATE) + 0.01), RATE, [(0.0, 5.0)]) == ()


def test_the_quietest_stretch_is_found_and_the_end_of_the_tone_goes_on_with_its_beginning() -> None:
    sound = np.concatenate([noise(4.0, RATE, -40), noise(2.0, RATE, -65), noise(4.0, RATE, -45)])
    quiet = room_tone.spectrum(pcm(sound), RATE, [(0.0, 1.0), (1.0, 10.0)])
    assert 10 * np.log10(sum(quiet)) == pytest.approx(-65.0, abs=1.0)
    made = np.tile(room_tone.tone(quiet, RATE, 24_000), 2)
    middle = len(made) // 2
    assert np.abs(np.diff(made))[middle - 50 : middle + 50].max() <= 1.5 * np.abs(np.diff(made)).max()


def test_silence_has_no_tone() -> None:
    assert room_tone.spectrum(np.zeros(10 * RATE, np.int16), RATE, [(0.0, 10.0)]) == ()
    assert room_tone.spectrum(pcm(noise(0.3, RATE, -60)), RATE, [(0.0, 0.3)]) == ()  # too short to tell
    assert room_tone.spectrum(pcm(noise(1.0, RATE, -60)), RATE, []) == ()
