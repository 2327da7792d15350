"""What was said once is taken once, and each utterance gets a time of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from vt.text.captions.cue import RawCue, Utterance
from vt.text.subtitles import CHARACTERS_A_SECOND, SHORTEST_CUE_SECONDS


def once(cues: Sequence[RawCue]) -> list[RawCue]:
    """Return cues in order of time, without what another one says as well at the same time."""
    found: dict[tuple[float, float, str], RawCue] = {}
    for cue in cues:
        found.setdefault((cue.start, cue.end, cue.text), cue)
    return sorted(found.values(), key=lambda cue: cue.start)


def apart(spoken: Sequence[Utterance]) -> list[Utterance]:
    """Return utterances with times that do not overlap."""
    nexts = [*(utterance.start for utterance in spoken[1:]), math.inf]
    return [_tidy(utterance, following) for utterance, following in zip(spoken, nexts, strict=False)]


def _tidy(cue: Utterance, following: float) -> Utterance:
    """Give an utterance whose end is before its start the time that reading takes, and end it before the next."""
    reading = cue.start + max(SHORTEST_CUE_SECONDS, len(cue.text) / CHARACTERS_A_SECOND)
    end = cue.end if cue.end > cue.start else reading
    return replace(cue, end=min(end, following) if following > cue.start else end)
