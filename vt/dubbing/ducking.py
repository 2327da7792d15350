"""Pure: by how much the original is turned down at each moment, from where the dub and the original speak."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Region = tuple[float, float]
"""Start and end in seconds."""

DOWN_SECONDS = 0.2
"""Turning down ends when the line begins: where every line is placed is known before."""
UP_SECONDS = 0.4
PAUSE_SECONDS = 1.0
"""In a shorter pause the original stays down: turned up and down in every breath it would sound as if it breathed."""
_BEFORE, _AFTER = 0.1, 0.15
"""Seconds by which the original may speak beyond its slot, for times that recognisers give are no exacter."""


def stretches(dub: Iterable[Region], original: Iterable[Region]) -> list[Region]:
    """Return where the original has to be down, in order and apart by at least `PAUSE_SECONDS`.

    Args:
        dub: where the dub speaks.
        original: where somebody speaks in the original.
    """
    padded = [(max(0.0, start - _BEFORE), end + _AFTER) for start, end in original if end > start]
    found: list[Region] = []
    for start, end in sorted([*(region for region in dub if region[1] > region[0]), *padded]):
        if found and start - found[-1][1] < PAUSE_SECONDS:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def within(regions: Sequence[Region], start: float, end: float) -> list[Region]:
    """Return what changes the gain between two moments: those regions, cut to what can be heard there."""
    first, last = start - UP_SECONDS, end + DOWN_SECONDS
    return [(max(begins, first), min(ends, last)) for begins, ends in regions if begins < last and ends > first]


def gains(regions: Sequence[Region], depth: float, start: float, count: int, rate: int) -> NDArray[np.float32]:
    """Return the factor for each of `count` samples from second `start` on, shape (count,).

    Args:
        regions: where the original is down, apart by at least `PAUSE_SECONDS`.
        depth: in dB: how far down.
        start: of the first sample.
        count: of samples.
        rate: in hertz.
    """
    down = np.zeros(count, np.float32)
    moments = start + np.arange(count) / rate
    for begins, ends in within(regions, start, start + count / rate):
        first, last = np.searchsorted(moments, (begins - DOWN_SECONDS, ends + UP_SECONDS))
        here = moments[first:last]
        share = np.minimum((here - begins) / DOWN_SECONDS + 1, (ends - here) / UP_SECONDS + 1)
        # Even steps of loudness, without a corner at either end.
        down[first:last] = 0.5 - 0.5 * np.cos(np.pi * np.clip(share, 0.0, 1.0))
    return np.asarray(10 ** (-depth * down / 20), np.float32)
