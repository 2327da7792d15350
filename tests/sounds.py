"""Sounds for tests: noise in the shape of speech, at a level that is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]
CONVERSATION = (
    "Good morning, and thank you very much for coming here today.",
    "It is a pleasure, although the journey was rather long.",
    "Please tell us about the new bridge over the river.",
    "We have worked on it for three years, and it opens in May.",
    "Will it be open to cars, or only to people on foot?",
    "Only to people on foot, and to bicycles, of course.",
)
"""What two people say in turn."""


def amplitude(dbfs: float) -> float:
    return float(10 ** (dbfs / 20))


def noise(seconds: float, rate: int, dbfs: float, seed: int = 0) -> Sound:
    """Return white noise with this RMS level."""
    return np.random.default_rng(seed).standard_normal(round(seconds * rate)) * amplitude(dbfs)


def speech(seconds: float, rate: int, dbfs: float, seed: int = 0) -> Sound:
    """Return noise with the spectrum of speech, four syllables a second, with this RMS level."""
    count = round(seconds * rate)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    hertz = np.fft.rfftfreq(count, 1 / rate)
    spectrum *= np.where((hertz > 100) & (hertz < 5000), 1 / np.maximum(hertz, 100), 0)
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(count) / rate)
    shaped: Sound = np.fft.irfft(spectrum, count) * syllables
    return shaped * (amplitude(dbfs) / float(np.sqrt(np.mean(shaped**2))))


def silence(seconds: float, rate: int) -> Sound:
    return np.zeros(round(seconds * rate))


def pcm(*parts: Sound) -> NDArray[np.int16]:
    """Return the parts one after another as 16-bit samples."""
    return np.clip(np.concatenate(parts) * 32768, -32768, 32767).astype(np.int16)


def resampled(samples: NDArray[np.int16], rate: int, target: int) -> NDArray[np.int16]:
    """Return mono samples at a lower rate, by their spectrum."""
    count = len(samples) * target // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.asarray(np.clip(np.fft.irfft(spectrum, count) * count / len(samples), -32767, 32767)).astype(np.int16)
