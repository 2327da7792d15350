"""How something grows with the size of the work: the exponent of a power law."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return b of value = a * size ** b, by least squares of the logarithms: 0 where it does not grow."""
    slope, _ = np.polyfit(np.log(sizes), np.log(values), 1)
    return round(float(slope), 3)
