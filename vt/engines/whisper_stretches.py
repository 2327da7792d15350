"""Pure: the stretches of sound around single sentences, which Whisper hears once more or translates."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from vt.domain import Word
from vt.media.levels import Region
from vt.text import sentences

_MARGIN = 0.2  # seconds of sound on both sides of a sentence that is translated


def stretches_of_sentences(window: Region, words: tuple[Word, ...]) -> Iterator[tuple[Region, tuple[Word, ...]]]:
    """Yield, for each sentence of a window, the sound from the word before it to the word behind it, and its words."""
    starts = [segment.start for segment in sentences.sentences(words)]
    groups = [
        tuple(word for word in words if here <= word.start < behind)
        for here, behind in pairwise([-math.inf, *starts[1:], math.inf])
    ]
    groups = [group for group in groups if group]
    ends = [window[0], *(group[-1].end for group in groups)]
    begins = [*(group[0].start for group in groups), window[1]]
    for place, group in enumerate(groups):
        yield (min(ends[place], group[0].start), max(begins[place + 1], group[-1].end)), group


def widened(stretches: Sequence[Region], seconds: float) -> list[Region]:
    """Give each stretch a little of the sound around it, none of its neighbours', none behind the end at `seconds`."""
    ends = [0.0, *(end for _, end in stretches)]
    starts = [*(start for start, _ in stretches), seconds]
    return [
        (max(start - _MARGIN, min(before, start)), min(end + _MARGIN, max(behind, end)))
        for (start, end), before, behind in zip(stretches, ends, starts[1:], strict=False)
    ]
