"""Sounds for tests: noise in the shape of speech, at a level that is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import films
from vt import media

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
VOICES = ("af_heart", "am_michael")
"""A woman's and a man's, in which the conversation is recorded."""
RECORDED = Path(__file__).parent / "data" / "conversation.opus"
"""The conversation, as tests.record_conversation made it: spoken anew, it took a quarter of a minute each time."""
SLOT_SECONDS = 5.0
"""From the start of one recorded line to that of the next."""
_SILENCE = 20


def recorded_conversation(rate: int) -> dict[str, list[NDArray[np.int16]]]:
    """Return the lines of the conversation as each of the voices says them, mono at this rate."""
    slot = round(SLOT_SECONDS * rate)
    slots = films.decoded(RECORDED, rate)[: len(VOICES) * len(CONVERSATION) * slot].reshape(len(VOICES), -1, slot)
    return {
        voice: [line[: int(np.flatnonzero(abs(line) > _SILENCE)[-1]) + 1] for line in lines]
        for voice, lines in zip(VOICES, slots, strict=True)
    }


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


# A voice that whispers and shouts

_FRAME, _HOP = 512, 128
"""Samples, at 16 kHz: a frame holds three periods of a low voice."""
_ENVELOPE = 40
"""Coefficients of the cepstrum that hold the shape of the mouth; those above hold the pitch."""


def whispered(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return mono speech at 16 kHz as a whisper: softly, the same mouth, but noise in place of the voice."""
    frames = _spectra(_emphasised(samples, 0.7))
    envelope = _envelopes(frames)
    noise = _spectra(np.random.default_rng(0).standard_normal(len(samples)))
    flat = noise / _envelopes(noise)
    return _at_level(_sound(flat * envelope, len(samples)), 0.25 * _level(samples))


def shouted(samples: NDArray[np.int16], semitones: float) -> NDArray[np.int16]:
    """Return mono speech at 16 kHz as a shout: twice as loud, shriller and higher, but from the same mouth."""
    moved = media.shifted(samples, 16_000, semitones)
    higher = _spectra(np.pad(moved, (0, len(samples) - len(moved))).astype(np.float64))
    # The shift moves the formants as another person's would lie: they are put back.
    frames = higher * np.clip(_envelopes(_spectra(samples.astype(np.float64))) / _envelopes(higher), 0.01, 100)
    return _at_level(_emphasised(_sound(frames, len(samples)), 0.5), 2 * _level(samples))


def _spectra(sound: NDArray[Any]) -> NDArray[np.complex128]:
    """Return the spectra of overlapping frames, shape (frames, 257)."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, _FRAME), _FRAME)[::_HOP]
    return np.asarray(np.fft.rfft(frames * np.hanning(_FRAME), axis=1))


def _sound(spectra: NDArray[np.complex128], count: int) -> Sound:
    """Return the sound of spectra: so many samples."""
    whole = np.zeros((len(spectra) - 1) * _HOP + _FRAME)
    for number, frame in enumerate(np.fft.irfft(spectra, axis=1) * np.hanning(_FRAME)):
        whole[number * _HOP : number * _HOP + _FRAME] += frame
    return whole[_FRAME : _FRAME + count]


def _envelopes(spectra: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return the smooth part of each spectrum, by its cepstrum."""
    cepstra = np.fft.irfft(np.log(np.abs(spectra) + 1e-3), axis=1)
    cepstra[:, _ENVELOPE : 1 - _ENVELOPE] = 0
    return np.asarray(np.exp(np.fft.rfft(cepstra, axis=1).real))


def _emphasised(sound: NDArray[Any], much: float) -> Sound:
    """Return a sound with its high frequencies raised."""
    return np.asarray(sound - much * np.concatenate([[0], sound[:-1]]), np.float64)


def _level(sound: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def _at_level(sound: Sound, level: float) -> NDArray[np.int16]:
    """Return a sound at a level, its peaks rounded off."""
    return np.asarray(np.tanh(sound * level / (_level(sound) * 25_000)) * 25_000, np.int16)
