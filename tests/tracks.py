"""Dubbed tracks for the tests."""

from __future__ import annotations

from pathlib import Path

from vt.dubbing.track import DubTrack
from vt.media import Loudness


def finished(dubbed: DubTrack, target: Path) -> Loudness:
    """Write a track whose lines are there as often as it takes, and return how loud it is."""
    while True:
        dubbed.write(target)
        if (loudness := dubbed.settle()) is not None:
            return loudness
