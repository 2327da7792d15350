"""Loudness by arithmetic, against ffmpeg's meter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests import films
from tests.sounds import Sound, amplitude, noise, pcm, silence, speech
from vt.media import weighting


def sine(hertz: float, dbfs: float, rate: int) -> Sound:
    return amplitude(dbfs) * np.sin(2 * np.pi * hertz * np.arange(5 * rate) / rate)


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_a_sine_of_a_kilohertz_has_the_loudness_of_the_standard(rate: int) -> None:
    assert weighting.loudness(sine(997, 0.0, rate), rate) == pytest.approx(-3.01, abs=0.05)
    assert weighting.loudness(sine(997, -23.0, rate), rate) == pytest.approx(-26.01, abs=0.05)
    assert weighting.loudness(sine(50, -20.0, rate), rate) < weighting.loudness(sine(3000, -20.0, rate), rate) - 5


@pytest.mark.parametrize("channels", [1, 2])
def test_speech_with_pauses_is_as_loud_as_ffmpeg_says(tmp_path: Path, channels: int) -> None:
    parts = [speech(2.0, 48_000, -20), silence(1.5, 48_000), speech(1.0, 48_000, -26, 1), noise(1.0, 48_000, -60)]
    samples = np.repeat(pcm(*parts)[:, None], channels, axis=1)
    (tmp_path / "sound.pcm").write_bytes(samples.tobytes())
    form = ["-f", "s16le", "-ar", "48000", "-ac", str(channels)]
    films.ffmpeg(*form, "-i", tmp_path / "sound.pcm", tmp_path / "sound.wav")
    assert weighting.loudness(samples, 48_000) == pytest.approx(films.loudness(tmp_path / "sound.wav")[0], abs=0.15)


def test_floats_and_16_bits_are_equally_loud_and_two_channels_louder_than_one() -> None:
    sound = speech(3.0, 24_000, -20)
    alone = weighting.loudness(pcm(sound), 24_000)
    assert weighting.loudness(sound.astype(np.float32), 24_000) == pytest.approx(alone, abs=0.01)
    both = np.stack([sound, sound], axis=1)
    assert weighting.loudness(both, 24_000) == pytest.approx(alone + 3.01, abs=0.01)


def test_a_short_word_is_weighed_as_a_whole_and_silence_has_no_loudness() -> None:
    word = speech(3.0, 24_000, -20)[:7200]
    assert weighting.loudness(word, 24_000) == pytest.approx(weighting.loudness(np.tile(word, 4), 24_000), abs=0.3)
    for empty in (np.zeros(0, np.int16), np.zeros(100, np.int16), np.zeros(48_000, np.int16)):
        assert weighting.loudness(empty, 24_000) == -np.inf
    assert len(weighting.blocks(np.zeros(100, np.int16), 24_000)) == 0


def test_of_blocks_together_none_counts_below_silence_and_none_that_is_not_heard() -> None:
    assert weighting.integrated([-50.0, -50.0]) == pytest.approx(-50.0)
    assert weighting.integrated([-71.0]) == -np.inf
    assert weighting.integrated([-20.0, -30.0], np.array([0.0, 2.0])) == pytest.approx(-30.0)
    assert weighting.integrated([-20.0], np.array([0.0])) == -np.inf
