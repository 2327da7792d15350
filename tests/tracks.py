"""Dubbed tracks for the tests."""

from __future__ import annotations

from pathlib import Path

from vt.media import Loudness
from vt.track import DubTrack


def finished(dubbed: DubTrack, target: Path) -> Loudness:
    """Write a track whose lines are there as often as it takes, and return how loud it is."""
    while True:
        dubbed.write(target)
        if (loudness := dubbed.settle()) is not None:
            return loudness
