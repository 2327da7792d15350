"""Pure: how loud voice and background have to be so that both together have the loudness that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vt.media import weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LOUDEST_VOICE_LU = 5.0
"""How far above the loudness that is wanted the voice may be where most of a film is quieter than that."""
_NEAR_LU = 0.5
"""So near to the loudness that is wanted, the background stays as loud as it was."""
_STEPS = 30
"""Of a bisection: more are beyond the precision of a float."""


@dataclass(frozen=True, slots=True)
class Balance:
    """How loud each of the two has to be."""

    voice_lufs: float
    background_db: float = 0.0
    """By how much the background is louder than it was."""
    voice_share: float = 1.0
    """By how many LU the whole becomes louder where the voice does by one; 0..1."""


def balanced(
    target_lufs: float, voice_seconds: float, background: NDArray[np.float64], seconds: NDArray[np.float64]
) -> Balance:
    """Return how loud a voice has to be, beside a background that is to stay as it is wherever that can be.

    The background is heard in full where the voice pauses, so it counts there. Where it is so loud or so quiet that no
    voice of a sensible loudness brings the whole to what is wanted, it is changed too.

    Args:
        target_lufs: of the whole.
        voice_seconds: how long the voice speaks.
        background: how loud each of its blocks is, in LUFS.
        seconds: for how long each of them is heard in full.
    """
    told, heard = np.append(background, 0.0), np.append(seconds, voice_seconds)

    def whole(voice: float, change: float) -> float:
        levels = told + change
        levels[-1] = voice
        return weighting.integrated(levels, heard)

    if not np.isfinite(whole(target_lufs, -np.inf)):  # nobody speaks
        return Balance(target_lufs, voice_share=0.0)
    highest = target_lufs + _LOUDEST_VOICE_LU
    voice = _where(lambda value: whole(value, 0.0), target_lufs, target_lufs, highest)
    off, change = whole(voice, 0.0) - target_lufs, 0.0
    if abs(off) > _NEAR_LU:
        wanted = target_lufs + np.copysign(_NEAR_LU, off)
        change = _where(lambda value: whole(voice, value), wanted, -40.0, 40.0)
    share = whole(voice + 0.5, change) - whole(voice - 0.5, change)
    return Balance(round(voice, 2), round(change, 2), round(min(max(share, 0.0), 1.0), 3))


def _where(rises: Callable[[float], float], wanted: float, low: float, high: float) -> float:
    """Return where a function that rises comes to a value, between two places; else the nearer of them."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < wanted else (low, middle)
    return (low + high) / 2
