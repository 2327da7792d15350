"""Rolling captions, which show each line several times as it moves up: what was said once is taken once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from vt.domain import Word
from vt.text.captions.cue import RawCue

_TOUCHING_SECONDS = 0.5
_FLASH_SECONDS = 0.06
"""Between two lines, YouTube shows the older one alone for a hundredth of a second."""
_MOST_LINES = 8
"""Of those on a screen; more do not roll."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What a cue shows of what the one before it showed."""

    kept: int = 0
    """So many of its first lines are the last ones of before."""
    grown: bool = False
    """The last of them has grown: words were put behind it."""
    is_new: bool = True
    """It shows something else as well."""
    is_short: bool = False
    """It is shown for no longer than it takes a line to move."""

    @property
    def is_evidence(self) -> bool:
        """Whether captions that do not roll would hardly have it; they may well say "No." twice."""
        return bool(self.kept and (self.is_new or self.is_short))


def once(cues: Sequence[RawCue]) -> list[RawCue]:
    """Return cues in order of time with each line that rolls only where it is first shown.

    Captions are taken for rolling where two steps in a row repeat a line and add to it, or where most steps do.
    """
    lines = [_lines(cue.text) for cue in cues]
    steps = [_step(before, after, cues[at], cues[at + 1]) for at, (before, after) in enumerate(pairwise(lines))]
    rolls = _rolling(steps)
    found = list(cues[:1])
    for cue, shown, step, is_rolling in zip(cues[1:], lines[1:], steps, rolls, strict=True):
        if not is_rolling:
            found.append(cue)
            continue
        old = sum(len(line.split()) for line in shown[: step.kept])
        if step.grown:
            found[-1] = _grown(found[-1], shown[step.kept - 1], cue, old)
        if shown[step.kept :]:
            found.append(replace(cue, text="\n".join(shown[step.kept :]), words=_from(cue.start, cue.words[old:])))
    return found


def _rolling(steps: Sequence[_Step]) -> list[bool]:
    """Tell of each step whether it rolls: it keeps lines, and those around it do as well."""
    evidence = [step.is_evidence for step in steps]
    mostly = 2 * sum(step.is_evidence and not step.grown for step in steps) >= len(steps)
    result = [False] * len(steps)
    first = 0
    while first < len(steps):
        end = first
        while end < len(steps) and steps[end].kept:
            end += 1
        if mostly or sum(evidence[first:end]) > 1:
            result[first:end] = [True] * (end - first)
        first = end + 1
    return result


def _step(before: Sequence[str], after: Sequence[str], shown: RawCue, cue: RawCue) -> _Step:
    if not (shown.start <= cue.start <= shown.end + _TOUCHING_SECONDS) or not before or not after:
        return _Step()
    is_short = min(cue.end - cue.start, shown.end - shown.start) < _FLASH_SECONDS
    for count in range(min(len(before), len(after), _MOST_LINES), 0, -1):
        if before[-count:] == after[:count]:
            return _Step(count, False, count < len(after), is_short)
        if before[-count:-1] == after[: count - 1] and _grows(before[-1], after[count - 1]):
            return _Step(count, True)
    return _Step()


def _grows(before: str, after: str) -> bool:
    """Tell whether words were put behind a line."""
    return len(after) > len(before) and after.startswith(before) and before[-1:] not in ".?!…"


def _grown(cue: RawCue, line: str, by: RawCue, words: int) -> RawCue:
    """Return a cue whose last line has grown."""
    head, newline, _ = cue.text.rstrip().rpartition("\n")
    count = len((head + newline + line).split())
    timed = by.words[max(0, words - count) : words] if by.words else ()
    return replace(
        cue, text=head + newline + line, end=max(cue.end, by.end), words=timed if len(timed) == count else ()
    )


def _from(start: float, words: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of new lines: till the first time within the cue, they share theirs with the older lines."""
    return (replace(words[0], start=start), *words[1:]) if words else ()


def _lines(text: str) -> list[str]:
    return [line for line in (" ".join(line.split()) for line in text.split("\n")) if line]
