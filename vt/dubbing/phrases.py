"""Pauses inside a line: which parts of its translation are spoken before and after those of the original, and when.

A pause is carried over to the boundary of two phrases about where the original paused: to a mark such as a comma, or
where there is none to a word such as a preposition, with which a phrase begins. Elsewhere a line is spoken in one
breath.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum

from vt.domain import Line, Pause, Placement, Segment
from vt.dubbing import timing
from vt.languages import Language
from vt.text import line_breaking

_MARK = re.compile(r"(?:[,;:!?…،؛؟।—–]|(?<=\w{4})\.)[\"”»)]*\s+|[。、，；：！？][”」』）]*")
"""A point behind a short word may be that of an abbreviation."""
_WORD = re.compile(r"\S+")
_NEAR = 0.15
"""Of a line's length: how far from the original's pause the boundary in the translation may be."""
_SAME_MARK = 0.3
"""The same, where it is at the same mark, counted from the start of a line that has as many."""
_LEAST_CHARACTERS = 6
"""Of a phrase that is spoken by itself."""
_EASY_TEMPO = 1.1
"""A line that has to be faster has no time for pauses: phrases that are spoken by themselves take longer."""
_ROUNDING = 1e-6
"""Of a tempo."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A part of a line between two pauses, and when the original says what is there."""

    text: str
    start: float
    end: float


def divided(text: str, segment: Segment, language: Language) -> tuple[Phrase, ...]:
    """Return the phrases of a line's translation, or the whole line where none of the original's pauses has a place.

    Args:
        text: the translation.
        segment: the line of the original.
        language: of the translation.
    """
    marks, own = _boundaries(text), _boundaries(segment.text)
    openings = _openings(text, language) if segment.pauses else []
    cuts: list[tuple[int, Pause]] = []
    for pause in segment.pauses:
        at = _counterpart(pause, segment.text, own, text, marks)
        at = _nearest(pause, segment.text, text, openings) if at is None else at
        if at is not None and at - (cuts[-1][0] if cuts else 0) >= _LEAST_CHARACTERS <= len(text) - at:
            cuts.append((at, pause))
    ends = [0, *(at for at, _ in cuts), len(text)]
    starts = [segment.start, *(pause.end for _, pause in cuts)]
    stops = [*(pause.start for _, pause in cuts), segment.end]
    parts = (text[first:last].strip() for first, last in pairwise(ends))
    return tuple(Phrase(*phrase) for phrase in zip(parts, starts, stops, strict=True))


def _boundaries(text: str) -> list[int]:
    """Return where phrases end in a text, in characters; its own end is none."""
    return [found.end() for found in _MARK.finditer(text) if found.end() < len(text)]


def _openings(text: str, language: Language) -> list[int]:
    """Return where phrases begin with an article, a preposition or a conjunction, in characters."""
    clinging = line_breaking.rules_of(language).clinging
    words = [(found.start(), found[0].lower() in clinging) for found in _WORD.finditer(text)]
    return [start for (_, is_part), (start, opens) in pairwise(words) if opens and not is_part]


def _counterpart(pause: Pause, original: str, own: Sequence[int], text: str, marks: Sequence[int]) -> int | None:
    """Return where a pause has its place in a translation; None where nowhere."""
    at_mark = next((number for number, end in enumerate(own) if abs(end - pause.characters) <= 1), None)
    if (
        at_mark is not None
        and len(own) == len(marks)
        and _distance(pause, original, text, marks[at_mark]) <= _SAME_MARK
    ):
        return marks[at_mark]
    return _nearest(pause, original, text, marks)


def _nearest(pause: Pause, original: str, text: str, places: Sequence[int]) -> int | None:
    """Return which of several places of a translation is about where the original pauses; None where none is."""
    nearest = min(places, key=lambda place: _distance(pause, original, text, place), default=None)
    return nearest if nearest is not None and _distance(pause, original, text, nearest) <= _NEAR else None


def _distance(pause: Pause, original: str, text: str, place: int) -> float:
    """Return how far a place of a translation is from that of the pause, as a share of the length."""
    return abs(place / len(text) - pause.characters / max(1, len(original)))


@dataclass(frozen=True, slots=True)
class Phrased:
    """A line in several phrases."""

    phrases: tuple[Phrase, ...]
    lengths: tuple[float, ...]
    """Of each phrase in seconds, as spoken at the base rate."""

    @property
    def natural_seconds(self) -> float:
        """The natural length of the line, with the original's pauses.

        Where these would make it longer than the original, they are shortened, to no less than a breath each.
        """
        pauses = [after.start - before.end for before, after in pairwise(self.phrases)]
        spoken = fsum(self.lengths)
        room = self.phrases[-1].end - self.phrases[0].start - spoken
        return spoken + max(fsum(min(pause, timing.BREATH_SECONDS) for pause in pauses), min(fsum(pauses), room))

    def placed(self, line: Placement) -> list[Placement]:
        """Place the phrases within the placement of their line; none where it or one of them would have to be quick."""
        if line.tempo > _EASY_TEMPO:
            return []
        lines = [
            Line(phrase.start - line.start, phrase.end - line.start, length)
            for phrase, length in zip(self.phrases, self.lengths, strict=True)
        ]
        found = timing.place(lines, line.seconds)
        if max(one.tempo for one in found) > timing.COMFORTABLE_TEMPO + _ROUNDING:
            return []
        return [replace(one, start=one.start + line.start, end=one.end + line.start) for one in found]
