"""The picture is slowed where lines would have to be hurried: where and how much, and all that moves with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import fsum

from vt.domain import Edit, Line, Segment
from vt.dubbing import timing
from vt.dubbing.background import Surroundings
from vt.dubbing.ensemble import Worded
from vt.dubbing.hearing import slots_of
from vt.dubbing.recognition import Heard
from vt.dubbing.report import Script
from vt.dubbing.run import Run
from vt.media import Slowed, Slowing
from vt.translatable import Message

MOST_SLOWED = 1.25
"""No stretch of the film lasts more times as long; nobody notices that of faces, and hardly of walking."""
MOST_ADDED = 0.05
"""Of the film's length: by so much it is longer at most."""
_MOST_STRETCHES = 200
_SPARE = 1.002
"""A line gets so many times the time that it needs."""
_ROUNDS = 12
_EDGE_SECONDS = 0.1
"""What is nearer to an end of the film is slowed with what comes before or behind it."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is known of a film, at the times of the slowed film."""

    heard: Heard
    """Before any edit."""
    script: Script
    surroundings: Surroundings
    slowing: Slowing | None = None
    """None: nothing is slowed."""
    notes: tuple[Message, ...] = ()


def fitted(
    run: Run, heard: Heard, worded: Worded, script: Script, surroundings: Surroundings, *, has_picture: bool
) -> Fitted:
    """Slow the film where its lines are too fast in spite of their shorter wordings, if that is asked for."""
    asked = run.request.finish.slows_picture
    if not asked or not has_picture:
        notes = (Message("The film has no picture that could be slowed."),) if asked else ()
        return Fitted(heard, script, surroundings, notes=notes)
    lines = [
        Line(*slot, natural)
        for slot, natural in zip(slots_of(heard.transcript.segments), worded.natural_seconds, strict=True)
    ]
    slowing = slowing_for(lines, heard.film_seconds)
    if not slowing.stretches:
        return Fitted(heard, script, surroundings)
    return Fitted(
        _heard(heard, slowing),
        replace(script, transcript=replace(script.transcript, segments=_edited(run, heard, script, slowing))),
        surroundings.slowed(run, slowing),
        slowing,
        (_note(slowing),),
    )


def _note(slowing: Slowing) -> Message:
    most = max(part.factor for part in slowing.stretches)
    return Message(
        "The picture is slowed where a line needs more time, at most {factor:.2f} times: the film is {seconds:.1f} s "
        "longer.",
        factor=most,
        seconds=slowing.added,
    )


def slowing_for(lines: Sequence[Line], film_seconds: float) -> Slowing:
    """Return how a film is to be slowed so that no line is faster than 1.2, as far as it may be.

    Args:
        lines: in order of start, at the times of the film as it is.
        film_seconds: its length.
    """
    factors = [1.0] * len(lines)
    edges = _edges(lines, film_seconds)
    slowing = Slowing()
    for _ in range(_ROUNDS):
        moved = [replace(line, start=slowing.at(line.start), end=slowing.at(line.end)) for line in lines]
        plan = timing.place(moved, slowing.at(film_seconds))
        crowds = [crowd for crowd in timing.crowds(plan) if _may_help(crowd, factors, edges)]
        if not crowds:
            break
        for crowd in crowds:
            needed = fsum(_SPARE * plan[line].natural_seconds / timing.COMFORTABLE_TEMPO for line in crowd)
            missing = needed - fsum(plan[line].seconds for line in crowd)
            more = missing / (edges[crowd[-1] + 1] - edges[crowd[0]])
            for line in crowd:
                factors[line] = min(factors[line] + max(more, 0.0), MOST_SLOWED)
        slowing = _bounded(factors, edges, film_seconds)
    return slowing


def _may_help(crowd: Sequence[int], factors: Sequence[float], edges: Sequence[float]) -> bool:
    """Return whether the stretch of some lines may be slowed more than it is."""
    lasts = edges[crowd[-1] + 1] - edges[crowd[0]]
    return lasts > 0 and any(factors[line] < MOST_SLOWED for line in crowd)


def _edges(lines: Sequence[Line], film_seconds: float) -> list[float]:
    """Return when the stretch of each line begins, and last when that of the last line ends."""
    edges = [min(max(line.start, 0.0), film_seconds) for line in lines] + [film_seconds]
    return [
        0.0 if edge < _EDGE_SECONDS else film_seconds if edge > film_seconds - _EDGE_SECONDS else edge for edge in edges
    ]


def _bounded(factors: Sequence[float], edges: Sequence[float], film_seconds: float) -> Slowing:
    """Return the stretches; where they would make the film too long, all of them are slowed less."""
    largest = sorted(_joined(factors, edges), key=lambda part: -part.added)[:_MOST_STRETCHES]
    parts = sorted(largest, key=lambda part: part.start)
    added = fsum(part.added for part in parts)
    share = min(1.0, MOST_ADDED * film_seconds / added) if added else 1.0
    return Slowing(tuple(replace(part, factor=1 + (part.factor - 1) * share) for part in parts))


def _joined(factors: Sequence[float], edges: Sequence[float]) -> Iterator[Slowed]:
    """Yield the stretches that are slowed; neighbours that are slowed alike are one."""
    last: Slowed | None = None
    for factor, (start, end) in zip(factors, pairwise(edges), strict=True):
        if factor <= 1.0 or end <= start:
            continue
        if last and last.end == start and last.factor == factor:
            last = replace(last, end=end)
            continue
        if last:
            yield last
        last = Slowed(start, end, factor)
    if last:
        yield last


# What moves with it


def _heard(heard: Heard, slowing: Slowing) -> Heard:
    transcript = heard.transcript
    moved = replace(
        transcript,
        segments=tuple(_moved(segment, slowing) for segment in transcript.segments),
        dropped=tuple(replace(d, start=slowing.at(d.start), end=slowing.at(d.end)) for d in transcript.dropped),
    )
    return replace(heard, transcript=moved, film_seconds=slowing.at(heard.film_seconds))


def _moved(segment: Segment, slowing: Slowing) -> Segment:
    pauses = (replace(pause, start=slowing.at(pause.start), end=slowing.at(pause.end)) for pause in segment.pauses)
    words = (word._replace(start=slowing.at(word.start), end=slowing.at(word.end)) for word in segment.words)
    start, end = slowing.at(segment.start), slowing.at(segment.end)
    return replace(segment, start=start, end=end, pauses=tuple(pauses), words=tuple(words))


def _edited(run: Run, heard: Heard, script: Script, slowing: Slowing) -> tuple[Segment, ...]:
    """Return the lines after all edits; times that were set by hand are those of the slowed film already."""
    found = list[Segment]()
    for number, segment in enumerate(script.transcript.segments):
        before = heard.transcript.segments[number]
        edit = run.request.edits.lines.get(number, Edit())
        found.append(
            Edit(start=edit.start, end=edit.end).applied_to(replace(_moved(before, slowing), text=segment.text))
        )
    return tuple(found)
