"""Room tone: the quiet of a recording between its words, told by its spectrum, from which more of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vt.media.levels import Region, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOUDEST_DB = -62.0
"""Of full scale: louder than that it would be heard as hiss."""
_FAINTEST_DB = -85.0
"""What is quieter is no room, but silence that a computer has made, or the rounding of a file."""
_STRETCH_SECONDS = 0.4
"""As long as pauses in most speech are, without what is near to a word."""
_HOP_SECONDS = 0.1
_FRAME = 512
"""Samples whose spectrum is taken."""
_MOST_PAUSES = 400
"""So many are listened to, evenly spread over the film."""
_LONGEST_SECONDS = 20.0
"""Of a pause no more is listened to, so that the length of a film costs no memory."""


def spectrum(samples: Samples, rate: int, pauses: Sequence[Region]) -> tuple[float, ...]:
    """Return the spectrum of the quietest stretch of the pauses, or an empty one where that is silent.

    Args:
        samples: of one channel.
        rate: in hertz.
        pauses: where nobody speaks.

    Returns:
        The power of each of 257 bins from 0 Hz to rate / 2, as a share of full scale; their sum is that of the sound.
    """
    step = max(1.0, len(pauses) / _MOST_PAUSES)
    chosen = [pauses[int(at * step)] for at in range(min(len(pauses), _MOST_PAUSES))]
    quietest = min((found for pause in chosen for found in _stretches(samples, rate, pause)), default=None)
    if quietest is None or quietest[0] < 10 ** (_FAINTEST_DB / 10):
        return ()
    _, at = quietest
    frames = _frames(samples[at : at + round(_STRETCH_SECONDS * rate)])
    window = np.hanning(_FRAME)
    found = np.mean(np.abs(np.fft.rfft(frames * window, axis=1)) ** 2, axis=0)
    found *= float(np.mean(frames**2)) / float(found.sum())
    return tuple(float(value) for value in found)


def tone(spectrum: Sequence[float], rate: int, target_rate: int, seconds: float = 8.0) -> NDArray[np.float32]:
    """Return noise with a spectrum, at its own level or `LOUDEST_DB`, shape (n,): its end goes on with its beginning.

    Args:
        spectrum: as `spectrum` returned it.
        rate: of the sound that it is of, in hertz.
        target_rate: of the noise, in hertz.
        seconds: until it comes again.
    """
    count = round(seconds * target_rate)
    hertz = np.fft.rfftfreq(count, 1 / target_rate)
    known = np.linspace(0, rate / 2, len(spectrum))
    amplitudes = np.sqrt(np.interp(hertz, known, np.asarray(spectrum), right=0.0))
    # The phases are drawn, always the same ones: nothing of what the stretch held can be made out.
    phases = np.random.default_rng(0).uniform(0, 2 * np.pi, len(hertz))
    noise = np.fft.irfft(amplitudes * np.exp(1j * phases), count)
    level = min(float(np.sum(spectrum)), 10 ** (LOUDEST_DB / 10))
    return np.asarray(noise * np.sqrt(level / np.mean(noise**2)), np.float32)


def _stretches(samples: Samples, rate: int, pause: Region) -> list[tuple[float, int]]:
    """Return the power of the loudest tenth of a second of each stretch in a pause, and where it begins, in samples."""
    length, hop, piece = (round(seconds * rate) for seconds in (_STRETCH_SECONDS, _HOP_SECONDS, 0.1))
    first, last = int(pause[0] * rate), int(min(pause[1], pause[0] + _LONGEST_SECONDS) * rate)
    part = samples[first:last].astype(np.float32) / 32768
    pieces = part[: len(part) // piece * piece].reshape(-1, piece)
    power = pieces.var(axis=1)  # a constant is nothing that is heard
    found = []
    for at in range(0, len(part) - length + 1, hop):
        inside = power[at // piece : (at + length) // piece]
        found.append((float(inside.max()), first + at))
    return found


def _frames(part: NDArray[np.int16]) -> NDArray[np.float64]:
    """Return the frames of a stretch, shape (n, 512), each without its mean, which is nothing that is heard."""
    frames = np.lib.stride_tricks.sliding_window_view(part.astype(np.float64) / 32768, _FRAME)[:: _FRAME // 2]
    return np.asarray(frames - frames.mean(axis=1, keepdims=True))
