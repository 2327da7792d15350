"""How high a voice is: the median of its fundamental frequency."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOWEST_HZ, _HIGHEST_HZ = 60.0, 400.0
"""Of speech."""
_FRAME_SECONDS, _HOP_SECONDS = 0.05, 0.02
"""A frame holds three periods of the lowest voice."""
_LOW_PASS_HZ = 1000.0
"""What is above says little of the fundamental, and much of noise."""
_VOICED = 0.6
"""Of the autocorrelation, 0..1: below it a frame is taken for noise or a pause."""
_NEARLY = 0.9
"""A peak at a shorter period that has so much of the highest one is the true one: a period's multiples are periods."""
_QUIET = 0.1
"""Frames below this share of the loud ones' level are left out."""
_FEWEST = 10
"""Voiced frames that it takes to say anything."""
_LONGEST_STRETCH_SECONDS = 3.0
"""So much of one stretch is listened to at most, in its middle, so that several are."""


def median_pitch(
    samples: NDArray[np.int16], rate: int, stretches: Sequence[tuple[float, float]], most_seconds: float = 30.0
) -> float | None:
    """Return the median fundamental frequency of a voice in hertz, or None where too little of it is voiced.

    By autocorrelation, set right for the frame's window (P. Boersma 1993, "Accurate short-term analysis of the
    fundamental frequency").

    Args:
        samples: mono.
        rate: their rate, in hertz.
        stretches: where the voice speaks, as (start, end) in seconds.
        most_seconds: so much is listened to, of the longest stretches first.
    """
    frames = [_frames(part, rate) for part in _parts(samples, rate, stretches, most_seconds)]
    if not frames:
        return None
    found = _pitches(np.concatenate(frames), rate)
    return float(np.median(found)) if len(found) >= _FEWEST else None


def _parts(
    samples: NDArray[np.int16], rate: int, stretches: Sequence[tuple[float, float]], most_seconds: float
) -> Iterator[NDArray[np.int16]]:
    """Yield what is listened to, the longest stretches first."""
    left = most_seconds
    for start, end in sorted(stretches, key=lambda stretch: stretch[0] - stretch[1]):
        middle, half = (start + end) / 2, min(end - start, _LONGEST_STRETCH_SECONDS, left) / 2
        part = samples[max(0, int((middle - half) * rate)) : max(0, int((middle + half) * rate))]
        if len(part) >= _FRAME_SECONDS * rate:
            yield part
        left -= 2 * half
        if left <= _FRAME_SECONDS:
            return


def _frames(part: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """Return the frames of a part, shape (frames, samples)."""
    hop = round(_HOP_SECONDS * rate)
    return np.lib.stride_tricks.sliding_window_view(part, int(_FRAME_SECONDS * rate))[::hop].astype(np.float32)


def _pitches(frames: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    """Return the fundamental frequencies of the frames that are voiced, in hertz."""
    length = frames.shape[1]
    frames = frames - frames.mean(axis=1, keepdims=True)
    level = np.sqrt(np.mean(frames**2, axis=1))
    frames = frames[level > _QUIET * max(1.0, float(np.percentile(level, 95)))]
    window = np.hanning(length)
    shapes = [_autocorrelation(part, rate) for part in (frames * window, window[None])]
    first, last = int(rate / _HIGHEST_HZ), min(int(rate / _LOWEST_HZ) + 1, length - 2)
    alike = shapes[0][:, : last + 1] / np.maximum(shapes[1][:, : last + 1], 1e-3)
    inner = alike[:, first:last]
    is_peak = (inner >= alike[:, first - 1 : last - 1]) & (inner > alike[:, first + 1 : last + 1])
    heights = np.where(is_peak, inner, -1.0)
    highest = heights.max(axis=1, initial=-1.0)
    lags = first + np.argmax(heights >= _NEARLY * highest[:, None], axis=1)
    return np.asarray(rate / lags[highest >= _VOICED], np.float64)


def _autocorrelation(frames: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Return the autocorrelation of each frame, 1 at no delay, without what is above the low-pass frequency."""
    size = 1 << (2 * frames.shape[1] - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, size, axis=1)) ** 2
    power[:, np.fft.rfftfreq(size, 1 / rate) > _LOW_PASS_HZ] = 0
    found = np.fft.irfft(power, size, axis=1)
    return np.asarray(found / np.maximum(found[:, :1], 1e-9))
