"""Pure: what is heard between the lines of the original: nothing, a room, or more than that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vt import media
from vt.dubbing import evenness
from vt.media import levels, room_tone, weighting
from vt.media.levels import Region, Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARGIN_SECONDS = 0.3
"""Around each line: what is heard so near to it may be its own."""
_AUDIBLE_DB = 18.0
"""What is no more than this below the speech is more than the noise of a room, which is 21 dB and more below it in
recordings of amateurs, while music is mostly less than 15."""
_SILENT_DB = -80.0
"""Of full scale: what is quieter is worth nothing, however quiet the speech is, or where there is none."""
_WINDOW_SECONDS = 1.0
_PIECE_SECONDS = 60.0
_LEAST_SECONDS, _LEAST_SHARE = 2.0, 0.02
"""So much sound, in seconds and of all that is between the lines, is worth keeping."""
_LONGEST_SECONDS = 60.0
"""Of a line no more is weighed, so that the length of one costs no memory."""


@dataclass(frozen=True, slots=True)
class Between:
    """What is heard between the lines."""

    has_sound: bool
    """More than a room: music, effects, a crowd."""
    room: tuple[float, ...]
    """The spectrum of the quietest stretch (`media.room_tone`); empty where that is silent."""
    louder_lines: tuple[float, ...]
    """By how many LU each line is louder than their median."""


UNHEARD = Between(has_sound=False, room=(), louder_lines=())
"""What is known of a film without sound."""


def heard_between(samples: Samples, slots: Sequence[Region], film_seconds: float) -> Between:
    """Return what is heard between the lines of a film.

    Args:
        samples: its sound, mono at `media.SPEECH_RATE`.
        slots: when each line begins and ends.
        film_seconds: its length.
    """
    rate = media.SPEECH_RATE
    pauses = _pauses(slots, min(film_seconds, len(samples) / rate))
    level = _levels(samples, rate)
    speech = _mean_level(np.concatenate([np.empty(0), *(_part(level, slot) for slot in slots)]))
    heard = [_mean_level(window) for pause in pauses for window in _windows(_part(level, pause))]
    audible = max(speech - _AUDIBLE_DB, _SILENT_DB)
    seconds = _WINDOW_SECONDS * sum(one > audible for one in heard)
    most = sum(end - start for start, end in pauses)
    has_sound = seconds >= max(_LEAST_SECONDS, _LEAST_SHARE * most)
    lines = [_loudness(samples, rate, slot) for slot in slots]
    return Between(has_sound, room_tone.spectrum(samples, rate, pauses), evenness.deviations(lines))


def _loudness(samples: Samples, rate: int, line: Region) -> float:
    """Return how loud a line is in LUFS, as far as its beginning tells."""
    start, end = line[0], min(line[1], line[0] + _LONGEST_SECONDS)
    return weighting.loudness(samples[int(start * rate) : int(end * rate)], rate)


def _levels(samples: Samples, rate: int) -> NDArray[np.float32]:
    """Return the level of each frame, of a film of any length: a piece of its sound is in memory at a time."""
    step = round(_PIECE_SECONDS * rate)
    parts = [levels.levels(samples[at : at + step], rate) for at in range(0, len(samples), step)]
    return np.concatenate([np.empty(0, np.float32), *parts])


def _pauses(slots: Iterable[Region], film_seconds: float) -> list[Region]:
    """Return what lies between the lines, and not near to one."""
    here, found = 0.0, []
    for start, end in [*sorted(slots), (film_seconds + _MARGIN_SECONDS, 0.0)]:
        until = min(start - _MARGIN_SECONDS, film_seconds)
        if until > here:
            found.append((here, until))
        here = max(here, end + _MARGIN_SECONDS)
    return found


def _part(level: NDArray[np.float32], region: Region) -> NDArray[np.float32]:
    """Return the levels of the frames in a region."""
    return level[int(region[0] / levels.FRAME_SECONDS) : int(region[1] / levels.FRAME_SECONDS)]


def _windows(level: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    count = round(_WINDOW_SECONDS / levels.FRAME_SECONDS)
    for at in range(0, len(level) - count + 1, count):
        yield level[at : at + count]


def _mean_level(level: NDArray[np.floating]) -> float:
    """Return the level of all frames together in dB; that of silence where there is none."""
    return float(10 * np.log10(np.mean(10 ** (level.astype(np.float64) / 10)))) if len(level) else -120.0
