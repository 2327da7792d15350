"""The loudness of samples after ITU-R BS.1770-4, by arithmetic alone: of single lines, and block by block."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK_SECONDS = 0.4
SILENT_LUFS = -70.0
"""What is below counts as silence."""
_GATE_LU = -10.0
_OFFSET = -0.691
"""In dB: brings the weighted power of a sine of 997 Hz at full scale, in one channel, to -3.01 LUFS."""
_BLOCKS_AT_ONCE = 64


def blocks(samples: NDArray[Any], rate: int, hop_seconds: float = BLOCK_SECONDS) -> NDArray[np.float64]:
    """Return the loudness in LUFS of each block of 400 ms, shape (blocks,); a shorter rest is left out.

    Args:
        samples: of one channel, shape (n,), or of several, shape (n, channels); 16 bits, or floats of -1..1.
        rate: in hertz.
        hop_seconds: from the start of one block to that of the next.
    """
    full = 32768.0 if samples.dtype.kind == "i" else 1.0
    block, hop = round(BLOCK_SECONDS * rate), round(hop_seconds * rate)
    if len(samples) < block:
        return np.empty(0)
    columns = samples.reshape(len(samples), -1)
    frames = np.lib.stride_tricks.sliding_window_view(columns, block, axis=0)[::hop]  # (blocks, channels, samples)
    parts = range(0, len(frames), _BLOCKS_AT_ONCE)
    return _lufs(np.concatenate([_power(frames[at : at + _BLOCKS_AT_ONCE], rate, full) for at in parts]))


def loudness(samples: NDArray[Any], rate: int) -> float:
    """Return the integrated loudness of samples in LUFS; minus infinity where they are silent.

    Arguments are those of `blocks`. What is shorter than a block is weighed as a whole.
    """
    block = round(BLOCK_SECONDS * rate)
    if 0 < len(samples) < block:
        short = np.pad(samples.reshape(len(samples), -1), ((0, block - len(samples)), (0, 0)))
        return float(integrated(blocks(short, rate) + 10 * np.log10(block / len(samples))))
    return integrated(blocks(samples, rate, BLOCK_SECONDS / 4))


def integrated(levels: Sequence[float] | NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> float:
    """Return the loudness of all blocks together in LUFS, with both gates of BS.1770-4; minus infinity for silence.

    `weights` tell how often each block counts; None: all of them once.
    """
    told = np.asarray(levels, np.float64)
    often = np.ones(len(told)) if weights is None else weights
    heard = (told > SILENT_LUFS) & (often > 0)
    if not heard.any():
        return -np.inf
    told, often = told[heard], often[heard]
    loud = told > _mean(told, often) + _GATE_LU
    return _mean(told[loud], often[loud])


def _mean(levels: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.average(10 ** (levels / 10), weights=weights)))


def _power(frames: NDArray[Any], rate: int, full: float) -> NDArray[np.float64]:
    """Return the weighted power of frames of shape (blocks, channels, samples), all channels together."""
    count = frames.shape[-1]
    spectra = np.abs(np.fft.rfft(frames.astype(np.float32) / np.float32(full))) ** 2
    # A spectrum's power is that of both halves; the first bin, which has no other half, is weighted with nothing.
    return np.asarray(2 * (spectra @ _weights(count, rate)).sum(axis=1) / count**2, np.float64)


@functools.lru_cache(maxsize=8)
def _weights(count: int, rate: int) -> NDArray[np.float32]:
    """Return by what each bin's power is multiplied: the filters of BS.1770, designed as libebur128 does."""
    turned = np.exp(-2j * np.pi * np.fft.rfftfreq(count))
    shelf = _shelf(turned, rate)
    found = np.abs(shelf * _high_pass(turned, rate)) ** 2
    return np.asarray(found, np.float32)


def _shelf(turned: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    """Return the answer of the first filter, which raises what is above 1.7 kHz by 4 dB, as the head does."""
    k, q = np.tan(np.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    above = np.array([high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k])
    return _answer(turned, above, k, q)


def _high_pass(turned: NDArray[np.complex128], rate: int) -> NDArray[np.complex128]:
    """Return the answer of the second filter, which leaves out what is below 38 Hz."""
    k, q = np.tan(np.pi * 38.13547087602444 / rate), 0.5003270373238773
    return _answer(turned, np.array([1.0, -2.0, 1.0]) * (1 + k / q + k * k), k, q)


def _answer(turned: NDArray[np.complex128], above: NDArray[np.float64], k: float, q: float) -> NDArray[np.complex128]:
    below = np.array([1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k])
    return np.asarray(np.polyval(above[::-1], turned) / np.polyval(below[::-1], turned))


def _lufs(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(_OFFSET + 10 * np.log10(np.maximum(power, 1e-12)))
