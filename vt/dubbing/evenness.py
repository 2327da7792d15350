"""Pure: by how much a line of the dub is made louder or quieter, so that it does not stand out from its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import numpy as np

_ALLOWED_LU = 1.5
"""From the median of the voice's lines: so no two lines are more than twice of that apart."""
_MOST_DB = 6.0
"""By how much a line is changed."""


def deviations(levels: Sequence[float]) -> tuple[float, ...]:
    """Return by how many LU each line is louder than their median; 0 for one that is silent.

    `levels` are in LUFS; minus infinity stands for silence.
    """
    audible = [level for level in levels if np.isfinite(level)]
    middle = median(audible) if audible else 0.0
    return tuple(float(level) - middle if np.isfinite(level) else 0.0 for level in levels)


def gain(deviation: float, original: float = 0.0) -> float:
    """Return the gain in dB for one line, which depends on no other line, so an edit changes no other one either.

    Args:
        deviation: by how many LU it is louder than the median of its voice.
        original: the same of the line that it stands for, which it may resemble.
    """
    lowest, highest = min(-_ALLOWED_LU, original), max(_ALLOWED_LU, original)
    wanted = min(max(deviation, lowest), highest) - deviation
    return round(min(max(wanted, -_MOST_DB), _MOST_DB), 2)
