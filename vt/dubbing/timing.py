"""When each line of the dub is spoken and how fast: room, base rate, placements without overlap, the report.

Of two rules that cannot both be kept the weaker one yields, and no further than it must. The strongest comes first:

1. No two lines overlap.
2. Nothing is cut.
3. The film keeps its length.
4. No tempo is above 1.5.
5. Every line starts within 0.3 s of the original's start.
6. No tempo is above 1.2.
7. A line starts when the original starts.
8. Neighbours of a breath group, lines with less than 0.35 s of pause between them, differ by at most 0.1 in tempo.
9. A line that has time enough is not quickened, and is slowed to fill its slot, to no less than 0.9.

So a line is quickened for an even pace (8), but not above 1.2 (6), and is not moved for it (7): beside a line that has
to be spoken at 1.4 its neighbours stay at 1.2. Of all tempos that keep the rules, each line has the least.

Sources: the evenly shared tempo is that of Yao, Demers and Shenker, "A scheduling model for reduced CPU energy" (FOCS
1995), found for lines of a fixed order as the taut string of Davies and Kovac (2001); starts are moved as an
L-infinity isotonic regression moves them; `speech_overlap` is the formula of the IWSLT dubbing track.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from statistics import fmean, median
from typing import Protocol

from vt.domain import Line, Placement, Segment

BREATH_SECONDS = 0.15
"""The pause kept between two lines where there was one and there is room for it."""
SHIFT_SECONDS = 0.3
"""How far a start may move before anybody minds."""
SLOWEST_TEMPO = 0.9
COMFORTABLE_TEMPO = 1.2
FASTEST_TEMPO = 1.5
BREATH_GROUP_SECONDS = 0.35
"""Between the lines of a breath group the original pauses for less than this, the least that is a pause at all."""
SMOOTH_TEMPO = 0.1
"""How much the tempo may change from one line of a breath group to the next."""

_PLANNED_STEP = SMOOTH_TEMPO - 0.015
"""The same where lines are placed: what is spoken may be shorter than that by a hundredth."""
_HELPERS = 3
"""How many neighbours on each side make room for a line that was changed."""
_FOREVER = 1e7  # seconds; next to larger numbers a float forgets the fractions of a second that matter here
_SILENCE = 1e-6  # seconds; shorter than one sample of any sound, so there is nothing to be heard or cut
_ROUNDING = 1e-9  # seconds; a float's error in a sum of thousands of lines, and no more
UNSEEN_TEMPO = 0.0005  # what a report with three decimals does not show
_NO_TIME = 1e-100  # seconds; divides where nothing is said, or in no time, without a special case


class Span(Protocol):
    """Anything with a start and an end in seconds: a Segment, a Line, a Placement."""

    @property
    def start(self) -> float:
        """Seconds from the start of the film."""

    @property
    def end(self) -> float:
        """Seconds from the start of the film."""


@dataclass(frozen=True, slots=True)
class TimingReport:
    """How well a dub keeps the original's time, over all its lines."""

    speech_overlap: float
    """Mean over the lines of min(d, h) / max(d, h), d the original's and h the dub's duration, 0..1."""
    off_by_more_than_0_3s: float
    """Share of the lines, 0..1, that start more than 0.3 s from the original's start."""
    max_tempo: float
    overflow_seconds: float
    """Sum over the lines of what they are short of at a tempo of 1.2."""
    above_1_2: float | None = None
    """Share of the lines, 0..1, that are spoken at a tempo above 1.2; None in reports from before it was counted."""
    overlapping_lines: int = 0
    """How many lines of the original begin while somebody else is still speaking."""
    overlapped_seconds: float = 0.0
    """For how long two or more speak at once in the original, as heard near the changes of speaker."""


def rooms(slots: Sequence[tuple[float, float]], film_seconds: float) -> list[float]:
    """Give the room of every (start, end) slot in seconds, in the order of the slots, which need not be sorted.

    Room is the slot plus the pause behind it less a breath, never below the slot; the last line's reaches to the
    film's end.
    """
    order = sorted(range(len(slots)), key=lambda index: slots[index][0])
    room = [max(0.0, end - start) for start, end in slots]
    for this, following in pairwise(order):
        pause = slots[following][0] - max(slots[this])
        room[this] += max(0.0, pause - BREATH_SECONDS)
    if order:
        room[order[-1]] = max(room[order[-1]], film_seconds - slots[order[-1]][0])
    return room


def base_rate(default_lengths: Sequence[float], slots: Sequence[tuple[float, float]]) -> float:
    """Give the one speaking rate of a film, 0.8..1.5 times the engine's default.

    `default_lengths` are the lines' seconds when spoken at the default rate, `slots` their (start, end). Lines
    without a slot or without a sound say nothing about the pace; where no line does, the rate is 1.0.
    """
    pairs = zip(default_lengths, slots, strict=True)
    ratios = [length / (end - start) for length, (start, end) in pairs if end > start and length > 0]
    return min(max(median(ratios), 0.8), 1.5) if ratios else 1.0


def place(lines: Sequence[Line], film_seconds: float) -> list[Placement]:
    """Place every line in the film; placements come in the order of the lines, which need not be sorted by start.

    Lines are spoken in the order of their starts, equal ones in the order given. The rules are those at the top of this
    module. Nothing finite raises: a line of no sound gets no time, and a film of no length is one whose length isn't
    known.
    """
    order = sorted(range(len(lines)), key=lambda index: lines[index].start)
    queue = [lines[index] for index in order]
    room = rooms([(line.start, line.end) for line in queue], film_seconds)
    naturals = [_heard(line.natural_seconds) for line in queue]
    film = _length_of_film(queue, naturals, film_seconds)
    starts = _starts([min(max(line.start, -_FOREVER), _FOREVER) for line in queue], naturals, film)
    spans = _smoothed(queue, naturals, _spans(queue, naturals, starts, film))
    placed = [
        Placement(start, end, max(0.0, line.end - line.start), space, max(0.0, line.natural_seconds))
        for line, space, (start, end) in zip(queue, room, spans, strict=True)
    ]
    return [placement for _, placement in sorted(zip(order, placed, strict=True), key=lambda pair: pair[0])]


def amended(
    plan: Sequence[Placement], lines: Sequence[Line], changed: Collection[int], film_seconds: float
) -> list[Placement]:
    """Place the lines that were changed anew, among the others that stay where `plan` has them.

    Lines and placements come in the order of their starts. Where a changed line would have to hurry, or to start late,
    its neighbours help as they do in `place`, the nearest first; where that is not enough, everything is placed anew.
    Of those that stay some end earlier, where they would be slow beside it in its breath group.

    Args:
        plan: of all lines before the change.
        lines: all of them after it.
        changed: which differ, as places in `lines`.
        film_seconds: as for `place`.
    """
    space = rooms([(line.start, line.end) for line in lines], film_seconds)
    result = [replace(placed, room_seconds=room) for placed, room in zip(plan, space, strict=True)]
    for first, last in _runs(changed):
        tries = (_refitted(result, lines, first - wider, last + wider, film_seconds) for wider in range(_HELPERS + 1))
        fitted = min(filter(None, tries), key=_discomfort, default=None)
        if fitted is None or _discomfort(fitted) >= FASTEST_TEMPO:
            return place(lines, film_seconds)
        for index, placed in fitted.items():
            result[index] = placed
    naturals, spans = [one.natural_seconds for one in result], [(one.start, one.end) for one in result]
    even = _smoothed(lines, naturals, spans)
    # Those that no edit concerns are even already, and keep their times to the last digit.
    return [
        replace(one, end=end) if end < one.end - _SILENCE else one for one, (_, end) in zip(result, even, strict=True)
    ]


def _runs(changed: Collection[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of neighbours."""
    runs: list[tuple[int, int]] = []
    for index in sorted(changed):
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _refitted(
    plan: Sequence[Placement], lines: Sequence[Line], first: int, last: int, film_seconds: float
) -> dict[int, Placement] | None:
    """Place some lines anew between the neighbours that stay; None where no time is left between them."""
    first, last = max(first, 0), min(last, len(lines) - 1)
    begin = plan[first - 1].end if first else 0.0
    until, breath = film_seconds, 0.0
    if last + 1 < len(lines):
        until = plan[last + 1].start
        breath = min(max(lines[last + 1].start - lines[last].end, 0.0), BREATH_SECONDS)
    gap = until - begin - breath
    if gap <= 0:
        return None
    inside = [replace(line, start=line.start - begin, end=line.end - begin) for line in lines[first : last + 1]]
    return {
        at: replace(new, start=new.start + begin, end=new.end + begin, room_seconds=plan[at].room_seconds)
        for at, new in enumerate(place(inside, gap), first)
    }


def _discomfort(placed: Mapping[int, Placement]) -> float:
    """Return the highest tempo beyond what is comfortable; the fewest lines that are at ease are best."""
    return max(COMFORTABLE_TEMPO, *(placement.tempo for placement in placed.values()))


def crowds(plan: Sequence[Placement]) -> Iterator[list[int]]:
    """Yield the lines of each place where some are hurried, with those beside them that are at 1.2."""
    least = COMFORTABLE_TEMPO - 1e-3
    for is_fast, numbered in groupby(enumerate(plan), key=lambda one: one[1].tempo >= least):
        crowd = list(numbered)
        if is_fast and any(is_hurried(placed) for _, placed in crowd):
            yield [line for line, _ in crowd]


def overflow_seconds(natural: float, placed: float) -> float:
    """Give the seconds by which a line placed in `placed` seconds misses its natural length at a tempo of 1.2."""
    missing = natural / COMFORTABLE_TEMPO - placed
    return missing if missing > _ROUNDING else 0.0


def summary(placements: Sequence[Placement], originals: Sequence[Span]) -> TimingReport:
    """Compare a dub with its original, line by line in the same order; a film without lines is in perfect time."""
    if not placements:
        return TimingReport(1.0, off_by_more_than_0_3s=0.0, max_tempo=1.0, overflow_seconds=0.0, above_1_2=0.0)
    pairs = list(zip(placements, originals, strict=True))
    late = SHIFT_SECONDS + 0.001  # a report of milliseconds doesn't blame a start for its last one
    return TimingReport(
        speech_overlap=fmean(_overlap(original.end - original.start, dub.seconds) for dub, original in pairs),
        off_by_more_than_0_3s=fmean(abs(dub.start - original.start) > late for dub, original in pairs),
        max_tempo=max(dub.tempo for dub in placements),
        overflow_seconds=math.fsum(overflow_seconds(dub.natural_seconds, dub.seconds) for dub in placements),
        above_1_2=fmean(is_hurried(dub) for dub in placements),
    )


def is_hurried(placed: Placement) -> bool:
    """Tell whether a line is spoken faster than is comfortable, as a report with three decimals has it."""
    return placed.tempo > COMFORTABLE_TEMPO + UNSEEN_TEMPO


def overlapping_lines(originals: Sequence[Segment]) -> int:
    """Count the lines, in order of start, that begin before an earlier one has ended, or did so in captions."""
    ended = accumulate((line.end for line in originals), max, initial=-math.inf)
    return sum(line.overlaps or line.start < end - _ROUNDING for line, end in zip(originals, ended, strict=False))


def _overlap(original: float, dub: float) -> float:
    """Give min / max of two durations; two of nothing are alike."""
    return max(0.0, min(original, dub)) / max(original, dub) if max(original, dub) > 0 else 1.0


def _heard(natural: float) -> float:
    return min(natural, _FOREVER) if natural >= _SILENCE else 0.0


def _length_of_film(queue: Sequence[Line], naturals: Sequence[float], film_seconds: float) -> float:
    """Give the film's end; nothing could be said in no time, so then it is where the last line surely ends."""
    if film_seconds > 0:
        return min(film_seconds, _FOREVER)
    last = max((line.end for line in queue), default=0.0)
    return min(max(last, 0.0), _FOREVER) + math.fsum(naturals) + 1.0


def _starts(origins: Sequence[float], naturals: Sequence[float], film: float) -> list[float]:
    """Find the starts: within windows of 0.3 s, wider only where a tempo of 1.5 needs it, at the least tempo there."""
    fastest = max(FASTEST_TEMPO, math.fsum(naturals) / film)
    everywhere = ([0.0] * len(origins), [film] * len(origins))
    # The least moved starts at full speed show where 0.3 s are not enough, and how much is.
    rushed = _nearest(origins, [natural / fastest for natural in naturals], *everywhere, film)
    earliest = [max(0.0, min(origin - SHIFT_SECONDS, start)) for origin, start in zip(origins, rushed, strict=True)]
    latest = [min(film, max(origin + SHIFT_SECONDS, start)) for origin, start in zip(origins, rushed, strict=True)]
    tempos = _least_tempos(naturals, earliest, latest, film)
    lengths = [natural / min(tempo, fastest) for natural, tempo in zip(naturals, tempos, strict=True)]
    return _nearest(origins, lengths, earliest, latest, film)


def _nearest(
    origins: Sequence[float], lengths: Sequence[float], earliest: Sequence[float], latest: Sequence[float], film: float
) -> list[float]:
    """Give the starts within the windows that leave each line its length and move the most moved one least.

    Halfway between pushing all lines later and pulling all earlier, the two ends of a jam share its excess; lines
    outside of any jam are neither pushed nor pulled and stay.
    """
    pushed, pulled = _pushed(origins, lengths), _pulled(origins, lengths, math.inf)
    lowest, highest = _pushed(earliest, lengths), _pulled(latest, lengths, film)
    bounds = zip(pushed, pulled, lowest, highest, strict=True)
    return [min(max((late + early) / 2, low), high) for late, early, low, high in bounds]


def _pushed(starts: Sequence[float], lengths: Sequence[float]) -> list[float]:
    """Delay starts until every line begins after the one before has ended."""
    result, free = [], -math.inf
    for start, length in zip(starts, lengths, strict=True):
        result.append(max(start, free))
        free = result[-1] + length
    return result


def _pulled(starts: Sequence[float], lengths: Sequence[float], end: float) -> list[float]:
    """Advance starts until every line has ended before the next one begins, and the last before `end`."""
    result, taken = [], end
    for start, length in zip(reversed(starts), reversed(lengths), strict=True):
        result.append(min(start, taken - length))
        taken = result[-1]
    return result[::-1]


def _least_tempos(
    naturals: Sequence[float], earliest: Sequence[float], latest: Sequence[float], film: float
) -> list[float]:
    """Give every line the least tempo, 1.2 at least, at which all starts can keep to their windows.

    Drawn as time over the work done, a schedule is a line through one gate for each start. Pulled tight like a
    string, it bends at the gates' edges alone, and between two bends the lines of a group share one tempo; no other
    schedule has a lower highest tempo, in any crowded place.
    """
    work = [0.0, *accumulate(naturals)]
    low, high = [*earliest, film], [*latest, film]
    tempos: list[float] = []
    index, moment = 0, low[0]
    while index < len(naturals):
        bend, time = _next_bend(work, low, high, index, moment)
        tempo = (work[bend] - work[index]) / max(time - moment, _NO_TIME)
        tempos += [max(tempo, COMFORTABLE_TEMPO)] * (bend - index)
        index, moment = bend, time
    return tempos


def _next_bend(
    work: Sequence[float], low: Sequence[float], high: Sequence[float], start: int, moment: float
) -> tuple[int, float]:
    """Look from gate `start` at `moment` straight through the gates; where sight ends is the next bend's (gate, time).

    The view is bounded by the lowest upper and the highest lower edge so far. A gate that lies out of view shows that
    the string must turn around the edge which hides it.
    """
    ceiling, floor = (math.inf, start), (-math.inf, start)
    for gate in range(start + 1, len(work)):
        done = max(work[gate] - work[start], _NO_TIME)
        top, bottom = (high[gate] - moment) / done, (low[gate] - moment) / done
        if bottom > ceiling[0]:
            return ceiling[1], high[ceiling[1]]
        if top < floor[0]:
            return floor[1], low[floor[1]]
        if top <= ceiling[0]:
            ceiling = (top, gate)
        if bottom >= floor[0]:
            floor = (bottom, gate)
    return len(work) - 1, high[-1]


def _spans(
    queue: Sequence[Line], naturals: Sequence[float], starts: Sequence[float], film: float
) -> list[tuple[float, float]]:
    """Give the (start, end) of lines for these starts; whatever was rounded, none overlaps or outlives the film."""
    result, free = [], 0.0
    for index, line in enumerate(queue):
        last = index + 1 == len(queue)
        start = min(max(starts[index], free), film)
        limit = film if last else min(max(starts[index + 1], start), film)
        pause = 0.0 if last else queue[index + 1].start - line.end
        breath = min(max(pause, 0.0), BREATH_SECONDS)  # where the original took none, none is owed
        free = min(start + _length(naturals[index], line.end - line.start, limit - start, breath), limit)
        result.append((start, free))
    return result


def _length(natural: float, slot: float, gap: float, breath: float) -> float:
    """Give a line's length before the next one starts `gap` seconds on: at ease, else quicker, else out of breath."""
    ease = gap - breath
    if natural <= ease:
        return min(max(natural, min(slot, natural / SLOWEST_TEMPO)), ease)
    return min(max(ease, natural / COMFORTABLE_TEMPO), gap)


def _smoothed(
    queue: Sequence[Line], naturals: Sequence[float], spans: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the spans, those of lines shortened that would be too slow beside a neighbour of their breath group."""
    pauses = [after.start - before.end for before, after in pairwise(queue)]
    heard = [before > 0 and after > 0 for before, after in pairwise(naturals)]
    joined = [both and pause < BREATH_GROUP_SECONDS for both, pause in zip(heard, pauses, strict=True)]
    tempos = [natural / max(end - start, _NO_TIME) for natural, (start, end) in zip(naturals, spans, strict=True)]
    result = []
    for (start, end), natural, now, wanted in zip(spans, naturals, tempos, smooth(tempos, joined), strict=True):
        result.append((start, min(end, start + natural / wanted) if wanted > now else end))
    return result


def smooth(tempos: Sequence[float], joined: Sequence[bool]) -> list[float]:
    """Return the least tempos, none below those given, that change little from neighbour to neighbour.

    None is raised above 1.2; so a greater change remains only beside a line that is faster than that.

    Args:
        tempos: of lines in order.
        joined: whether each line but the last is of one breath group with the line behind it.
    """
    result = list(tempos)
    behind = range(len(joined))
    for here, beside in [*((at + 1, at) for at in behind), *((at, at + 1) for at in reversed(behind))]:
        if joined[min(here, beside)]:
            result[here] = max(result[here], min(result[beside] - _PLANNED_STEP, COMFORTABLE_TEMPO))
    return result
