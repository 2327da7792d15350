"""Pure: the times of words put right by the sound. Whisper stretches words over pauses, and ends the last one early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vt.domain import Word
from vt.media.levels import FRAME_SECONDS, Region, voiced
from vt.text.sentences import PAUSE_SECONDS

Mask = NDArray[np.bool_]
"""Where there is a voice, frame by frame of 20 ms."""

_QUIETEST = 10  # of a hundred frames so many are as quiet as what sounds behind the words
_ABOVE_QUIET_DB = 8.0
_LOUDNESS_DB = (25.0, 35.0)
"""How far below the loud parts a word's sound may be: in noise, and in a quiet room."""
_SMOOTH_FRAMES = 7  # a click is shorter than half of that
_LEAST_SECONDS = 0.1  # an edge is put right where it is off by more
_FADING_SECONDS = 0.3
_FALLEN_FRAMES = 3
_SECONDS_A_LETTER = 0.06


@dataclass(frozen=True, slots=True)
class Voice:
    """Where a voice is heard in a recording."""

    faint: Mask
    """Where there may be a word, however soft: louder than the quiet of the recording, and no click."""
    clear: Mask
    """Where one is clearly heard."""


def voice_of(level: NDArray[np.float32]) -> Voice:
    """Return where a voice is heard, for the level of each frame in dB."""
    loud, quiet = np.percentile(level, (99, _QUIETEST))
    faint = voiced(level, float(np.clip(loud - quiet - _ABOVE_QUIET_DB, *_LOUDNESS_DB)))
    if len(faint) > _SMOOTH_FRAMES:
        faint = np.convolve(faint, np.ones(_SMOOTH_FRAMES), mode="same") > _SMOOTH_FRAMES // 2
    return Voice(faint, voiced(level))


def mended(words: Sequence[Word], voice: Voice, until: float) -> tuple[Word, ...]:
    """Return words in order of time with their edges where their sound begins and ends.

    Args:
        words: as Whisper gives them.
        voice: of the whole recording.
        until: in seconds: the last word ends before that.
    """
    parted = _parted([_tightened(word, voice.faint) for word in words], voice.faint)
    limits = [*(word.start for word in parted[1:]), until]
    ends = (_faded(word.end, limit, voice.clear) for word, limit in zip(parted, limits, strict=True))
    return tuple(replace(word, end=end) for word, end in zip(parted, ends, strict=True))


def _tightened(word: Word, mask: Mask) -> Word:
    """Return a word without its unvoiced ends, where these are long enough to matter."""
    first = int(word.start / FRAME_SECONDS)
    loud = np.flatnonzero(mask[first : max(first + 1, int(word.end / FRAME_SECONDS))])
    if not len(loud):
        return word
    begins, ends = _seconds(first + loud[0]), _seconds(first + loud[-1] + 1)
    return replace(
        word,
        start=begins if begins - word.start > _LEAST_SECONDS else word.start,
        end=ends if word.end - ends > _LEAST_SECONDS else word.end,
    )


def _parted(words: Sequence[Word], mask: Mask) -> list[Word]:
    """Return the words, none of them with a pause inside: what sounds beyond the pause is a neighbour's.

    Whisper knows no pauses, and mostly begins the word behind one while the word before it still sounds.
    """
    result = list(words)
    for at, word in enumerate(result):
        pause = _pause_in(word, mask)
        if pause is None:
            continue
        if _can_be_said(word.text, word.end - pause[1]):
            result[at] = replace(word, start=pause[1])
            if at and word.start - result[at - 1].end <= _LEAST_SECONDS:
                result[at - 1] = replace(result[at - 1], end=pause[0])
        else:
            result[at] = replace(word, end=pause[0])
            if at + 1 < len(result) and result[at + 1].start - word.end <= _LEAST_SECONDS:
                result[at + 1] = replace(result[at + 1], start=pause[1])
    return result


def _pause_in(word: Word, mask: Mask) -> Region | None:
    """Return the longest pause between two sounds of a word; None where there is none."""
    first = int(word.start / FRAME_SECONDS)
    loud = np.flatnonzero(mask[first : int(word.end / FRAME_SECONDS)])
    silent = np.diff(loud) - 1
    if not len(silent) or silent.max() * FRAME_SECONDS < PAUSE_SECONDS:
        return None
    longest = int(silent.argmax())
    return _seconds(first + loud[longest] + 1), _seconds(first + loud[longest + 1])


def _can_be_said(text: str, seconds: float) -> bool:
    """Tell whether a word can be said in so short a time, half of what is usual."""
    return seconds >= sum(map(str.isalnum, text)) * _SECONDS_A_LETTER / 2


def _faded(end: float, limit: float, mask: Mask) -> float:
    """Return when a voice that sounds at `end` has fallen silent, within 0.3 s and before `limit`; else `end`."""
    first = round(end / FRAME_SECONDS)
    silent = ~mask[first : first + round(_FADING_SECONDS / FRAME_SECONDS) + _FALLEN_FRAMES]
    if len(silent) < _FALLEN_FRAMES:
        return end
    fallen = np.flatnonzero(np.convolve(silent, np.ones(_FALLEN_FRAMES), mode="valid") == _FALLEN_FRAMES)
    return max(end, min(limit, _seconds(first + fallen[0]))) if len(fallen) else end


def _seconds(frame: Any) -> float:  # noqa: ANN401 (numpy's integers are of many types)
    return float(frame) * FRAME_SECONDS
