"""What stands in a file twice is taken once, and each utterance gets a time in which nobody else speaks."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from vt.text.captions import rolling
from vt.text.captions.cue import RawCue, Utterance
from vt.text.subtitles import CHARACTERS_A_SECOND, SHORTEST_CUE_SECONDS

_USUAL_RATE, _FAST_RATE, _SLOW_RATE = 15.0, 25.0, 6.0
"""Signs that people say in a second."""
_WIDE = 3.0
"""A sign of Chinese, Japanese or Korean takes as long to say as so many letters."""
_MOST = 0.8
"""Of its time, what a long line keeps where somebody says something within it."""
_LEAST_SECONDS = 0.001
"""Of a line for which no time is left."""
_LEAST_OVERLAP_SECONDS = 0.2
"""Captions are timed no better than that."""


def once(cues: Sequence[RawCue]) -> list[RawCue]:
    """Return cues in order of time, without what another one says as well at the same time or has shown before."""
    ordered = sorted((_with_an_end(cue) for cue in cues), key=lambda cue: cue.start)
    return rolling.once(list(_without_duplicates(ordered)))


def _with_an_end(cue: RawCue) -> RawCue:
    """Give a cue whose end is not behind its start the time that reading takes."""
    if cue.end > cue.start:
        return cue
    return replace(cue, end=cue.start + max(SHORTEST_CUE_SECONDS, len(cue.text) / CHARACTERS_A_SECOND), words=())


def _without_duplicates(cues: Sequence[RawCue]) -> Iterator[RawCue]:
    """Leave out a cue while one of the same words is shown for most of its time."""
    until: dict[tuple[str, str], float] = {}
    for cue in cues:
        said = (cue.speaker, " ".join(cue.text.split()))
        shown = min(until.get(said, -math.inf), cue.end) - cue.start
        if 2 * shown > cue.end - cue.start:
            continue
        until[said] = max(cue.end, until.get(said, cue.end))
        yield cue


def apart(spoken: Sequence[Utterance]) -> list[Utterance]:
    """Return utterances in order of time with times that do not overlap.

    One ends where the next begins, if there is time enough to say it till then. Else it shares the time with those
    that begin meanwhile, one behind the other, by how long each takes to say: a long line within which somebody says
    something short keeps most of its time, and what does not fit is said in the pause behind them, if there is one.
    Those that begin while somebody else is still speaking are marked.
    """
    ordered = list(_with_overlaps(sorted(spoken, key=lambda utterance: utterance.start)))
    found: list[Utterance] = []
    while len(found) < len(ordered):
        first = len(found)
        end = _end_of_group(ordered, first)
        found += _shared(ordered[first:end], ordered[end].start if end < len(ordered) else math.inf)
    return found


def _with_overlaps(ordered: Sequence[Utterance]) -> Iterator[Utterance]:
    """Mark the utterances that begin while somebody else is still speaking."""
    longest: Utterance | None = None
    for utterance in ordered:
        is_over = longest is not None and _is_said_over(utterance, longest)
        longest = max(longest or utterance, utterance, key=_until)
        yield replace(utterance, overlaps=True) if is_over else utterance


def _is_said_over(utterance: Utterance, before: Utterance) -> bool:
    """Tell whether another person than that of `before` begins to speak before that one has ended."""
    if utterance.line == before.line:  # two voices of one cue speak in turn
        return False
    both = utterance.speaker and before.speaker
    is_other = utterance.speaker != before.speaker if both else utterance.begins_turn
    return is_other and min(utterance.end, _until(before)) - utterance.start > _LEAST_OVERLAP_SECONDS


def _end_of_group(ordered: Sequence[Utterance], first: int) -> int:
    """Return the index behind the utterances that have to share their time with the first."""
    longest = ordered[first]
    until, needed = _until(longest), _seconds(longest, _FAST_RATE)
    end = first + 1
    while end < len(ordered) and ordered[end].start < until:
        utterance = ordered[end]
        is_within = utterance.end <= longest.end
        kept = max(_MOST * (_until(longest) - longest.start) - _seconds(longest, _FAST_RATE), 0.0) if is_within else 0.0
        if utterance.start - ordered[first].start >= needed + kept:
            break
        needed += _seconds(utterance, _FAST_RATE)
        until = max(until, _until(utterance))
        longest = max(longest, utterance, key=_until)
        end += 1
    return end


def _shared(group: Sequence[Utterance], limit: float) -> Iterator[Utterance]:
    """Yield utterances one behind the other, each with the time that it needs, as far as there is some till `limit`."""
    if len(group) == 1:
        yield _moved(group[0], group[0].start, min(group[0].end, limit))
        return
    needs = _needs(group)
    here, left = group[0].start, sum(needs)
    end = min(limit, max(here + left, *map(_until, group)))
    least = min(_LEAST_SECONDS, (end - here) / len(group))
    for after, (utterance, need) in zip(reversed(range(len(group))), zip(group, needs, strict=True), strict=True):
        # Each of those behind it has its least time too.
        last = end - after * least
        start = max(here, min(utterance.start, last - least))
        here = min(max(start + (end - start) * need / left, start + least), last)
        left = max(left - need, _LEAST_SECONDS)
        yield _moved(utterance, start, here)


def _needs(group: Sequence[Utterance]) -> list[float]:
    """Return how many seconds each should have; most of its own, where a later one lies within it."""
    needs: list[float] = []
    first_end, later_start = math.inf, math.inf
    for utterance in reversed(group):
        holds_another = first_end <= utterance.end and later_start > utterance.start
        own = _MOST * (_until(utterance) - utterance.start) if holds_another else 0.0
        needs.append(max(own, _seconds(utterance, _USUAL_RATE)))
        first_end, later_start = min(first_end, utterance.end), utterance.start
    return needs[::-1]


def _seconds(utterance: Utterance, rate: float) -> float:
    """Return how long an utterance takes to say at so many signs a second, but no more than it has."""
    return min(_length(utterance) / rate, utterance.end - utterance.start)


def _until(utterance: Utterance) -> float:
    """Return when an utterance is surely over, which may be long before it leaves the screen."""
    return min(utterance.end, utterance.start + _length(utterance) / _SLOW_RATE + SHORTEST_CUE_SECONDS)


def _length(utterance: Utterance) -> float:
    text = utterance.text
    return len(text) if text.isascii() else sum(_WIDE if unicodedata.east_asian_width(c) in "WF" else 1.0 for c in text)


def _moved(utterance: Utterance, start: float, end: float) -> Utterance:
    """Return an utterance at another time, and its words in the same proportions."""
    if (start, end) == (utterance.start, utterance.end):
        return utterance
    scale = (end - start) / (utterance.end - utterance.start)

    def at(second: float) -> float:
        return start + (second - utterance.start) * scale

    words = tuple(replace(word, start=at(word.start), end=at(word.end)) for word in utterance.words)
    return replace(utterance, start=start, end=end, words=words)
