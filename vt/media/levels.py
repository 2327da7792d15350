"""Pure arithmetic on mono samples: how loud each moment is, where it is quiet, what is silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.02
_LOUD = 99  # of a hundred frames this many are not louder: a click is, a word now and then is not
_NEAR_SECONDS, _LOUD_NEARBY = 3.0, 75
"""What is near to a moment, on each side of it, and how many of a hundred of its frames are not loud."""
_LATENESS_DB = 12.0  # what being last is worth; a pause between sentences is 20 dB and more below speech
SILENCE_SECONDS = 4.0
"""A quiet stretch of this length is cut away; shorter ones belong to the speech around them."""

Region = tuple[float, float]
"""Start and end in seconds."""


class Samples(Protocol):
    """Mono samples of 16 bits: an array, or what reads a slice from the disk when it is asked for."""

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, part: slice, /) -> NDArray[np.int16]:
        """Return the samples of a slice."""


def to_int16(wave: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return samples of -1..1 as 16 bits. Louder ones become the loudest; what is no finite number is silence."""
    heard = np.nan_to_num(wave, nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(heard, -1.0, 1.0) * 32767).astype(np.int16)


def levels(samples: NDArray[Any], rate: int) -> NDArray[np.float32]:
    """Return the level of each frame of 20 ms in dB relative to full scale, shape (n // frame,), at least one."""
    frame = int(rate * FRAME_SECONDS)
    full = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "i" else 1.0
    padded = samples if len(samples) >= frame else np.pad(samples, (0, frame - len(samples)))
    count = len(padded) // frame
    power = np.empty(count, np.float32)
    # Frame by frame in blocks: a two-hour film squared at once would take a gigabyte.
    for start in range(0, count, 4096):
        stop = min(start + 4096, count)
        block = padded[start * frame : stop * frame].astype(np.float32).reshape(stop - start, frame) / full
        power[start:stop] = np.mean(block * block, axis=1)
    return (10 * np.log10(np.maximum(power, 1e-12))).astype(np.float32)


def quiet_below(level: NDArray[np.float32]) -> float:
    """Return the level in dB below which a frame holds no speech: 40 dB under the loud parts, within -70..-45."""
    return float(np.clip(np.percentile(level, _LOUD) - 40.0, -70.0, -45.0))


def sounding(samples: NDArray[Any], rate: int, gap: float = SILENCE_SECONDS, pad: float = 0.2) -> list[Region]:
    """Return the regions that are not silence: quiet stretches shorter than `gap` seconds are part of them."""
    level = levels(samples, rate)
    loud = np.flatnonzero(level > quiet_below(level))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) * FRAME_SECONDS > gap)
    starts = loud[np.concatenate(([0], breaks + 1))] * FRAME_SECONDS
    ends = (loud[np.concatenate((breaks, [len(loud) - 1]))] + 1) * FRAME_SECONDS
    total = len(samples) / rate
    return [(max(0.0, float(a) - pad), min(total, float(b) + pad)) for a, b in zip(starts, ends, strict=True)]


def windows(regions: list[Region], level: NDArray[np.float32], longest: float, shortest: float) -> Iterator[Region]:
    """Cut regions into windows of at most `longest` seconds, each cut at the quietest place after `shortest`."""
    for start, end in regions:
        here = start
        while end - here > longest:
            cut = quietest(level, here + shortest, here + longest)
            yield here, cut
            here = cut
        yield here, end


def quietest(level: NDArray[np.float32], start: float, end: float, around: float = 0.5) -> float:
    """Return the middle of the quietest stretch of `around` seconds between `start` and `end`, in seconds.

    The later of two about as quiet ones is taken: fewer windows are less work.
    """
    first, last = int(start / FRAME_SECONDS), int(end / FRAME_SECONDS)
    part = level[first:last]
    width = max(1, min(int(around / FRAME_SECONDS), len(part)))
    if not len(part):
        return (start + end) / 2
    smooth = np.convolve(part, np.full(width, 1 / width), mode="valid")
    late = np.linspace(0.0, _LATENESS_DB, len(smooth))
    return _seconds(first + int(np.argmin(smooth - late)) + width / 2)


def is_pause(level: NDArray[np.float32], at: float, seconds: float = 0.3, below: float = 20.0) -> bool:
    """Tell whether `seconds` around a moment are all `below` dB under the loud parts of what is near: nobody speaks."""
    here, around = (
        level[max(0, int((at - half) / FRAME_SECONDS)) : int((at + half) / FRAME_SECONDS) + 1]
        for half in (seconds / 2, _NEAR_SECONDS)
    )
    return not len(here) or bool(here.max() < np.percentile(around, _LOUD_NEARBY) - below)


def voiced(level: NDArray[np.float32], below_loud: float = 25.0) -> NDArray[np.bool_]:
    """Tell of each frame whether it is within `below_loud` dB of the loud parts, as speech mostly is."""
    return np.asarray(level > np.percentile(level, _LOUD) - below_loud)


def uncovered(
    mask: NDArray[np.bool_], within: list[Region], covered: list[Region], shortest: float, pad: float = 0.2
) -> list[Region]:
    """Return where `mask` holds for `shortest` seconds or more, `within` those regions but in none `covered`."""
    free = np.zeros(len(mask), bool)
    for start, end in within:
        free[int(start / FRAME_SECONDS) : int(end / FRAME_SECONDS)] = True
    for start, end in covered:
        free[int(start / FRAME_SECONDS) : int(end / FRAME_SECONDS) + 1] = False
    edges = np.flatnonzero(np.diff(np.concatenate(([False], free, [False])).astype(np.int8)))
    found = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        loud = np.flatnonzero(mask[first:last])
        if len(loud) * FRAME_SECONDS >= shortest:
            start, end = _seconds(first + loud[0]) - pad, _seconds(first + loud[-1] + 1) + pad
            found.append((max(_seconds(first), start), min(_seconds(last), end)))
    return found


def _seconds(frame: Any) -> float:  # noqa: ANN401 (numpy's integers are of many types)
    return float(frame) * FRAME_SECONDS


def gaps(regions: list[Region], total: float, shortest: float = SILENCE_SECONDS) -> list[Region]:
    """Return what lies between the regions and is at least `shortest` seconds long."""
    edges = [0.0, *(edge for region in regions for edge in region), total]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]


def trimmed(samples: NDArray[np.int16], rate: int, threshold: float = -60.0, keep: float = 0.02) -> NDArray[np.int16]:
    """Return the samples without the silence at both ends, but for `keep` seconds."""
    loud = np.flatnonzero(levels(samples, rate) > threshold)
    if not len(loud):
        return samples[:0]
    frame, margin = int(rate * FRAME_SECONDS), int(rate * keep)
    return samples[max(0, loud[0] * frame - margin) : (loud[-1] + 1) * frame + margin]


def in_one_breath(samples: NDArray[np.int16], rate: int, longest: float = 0.35, kept: float = 0.3) -> NDArray[np.int16]:
    """Return speech in which no pause is longer than `longest` seconds: such are cut down to `kept` seconds."""
    level = levels(samples, rate)
    quiet = level <= quiet_below(level)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    frame, half = int(rate * FRAME_SECONDS), int(rate * kept / 2)
    parts, here = [], 0
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        is_inside = first > 0 and last < len(level)
        if is_inside and (last - first) * FRAME_SECONDS > longest:
            parts.append(samples[here : first * frame + half])
            here = last * frame - half
    return np.concatenate([*parts, samples[here:]]) if parts else samples


def chunks(samples: NDArray[Any], rate: int, longest: float) -> list[Region]:
    """Cut the sound into chunks of at most `longest` seconds, each at the quietest place of its second half."""
    whole = [(0.0, len(samples) / rate)]
    return list(windows(whole, levels(samples, rate), longest, longest / 2))
