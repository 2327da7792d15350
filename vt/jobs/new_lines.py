"""Lines that are added to a finished dub: checked, and put among those that it has, whose ids move up behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vt.domain import Added, Edit, Edits
from vt.dubbing.report import DubbedLine
from vt.errors import InputError

_MOST_LINES = 10_000
_MOST_ADDED = 1000


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line that is to be added. Times are seconds from the start of the film."""

    start: float
    end: float
    source_text: str = ""
    """What is said in the film; translated where `text` is empty."""
    text: str = ""
    """What is spoken."""
    speaker: int | None = None
    """The id of who says it; None: whoever says the line before."""

    @property
    def edit(self) -> Edit:
        """What is said in it."""
        return Edit(
            self.text or None if self.source_text else self.text, self.source_text or None, speaker=self.speaker
        )


def check(new: Sequence[NewLine], lines: Sequence[DubbedLine], film_seconds: float) -> None:
    """Raise where a new line has no place in the film, says nothing, or is one too many; texts are checked as edits.

    Raises:
        InputError: it cannot be added.
    """
    if len(new) > _MOST_ADDED or len(lines) + len(new) > _MOST_LINES:
        raise InputError(
            "So many lines cannot be added: {added} at a time are the most, and {most} in a film.",
            added=_MOST_ADDED,
            most=_MOST_LINES,
        )
    for one in new:
        if not 0 <= one.start < one.end <= film_seconds:
            raise InputError(
                "A new line cannot last from {start:.3f} to {end:.3f} s: it has to end after its start, before the "
                "film does ({film:.3f} s).",
                start=one.start,
                end=one.end,
                film=film_seconds,
            )
        if not (one.text.strip() or one.source_text.strip()):
            raise InputError("A new line needs words: what is said in the film, or what is to be spoken.")


def placed(new: Sequence[NewLine], starts: Sequence[float], changes: Edits, before: Edits) -> tuple[Edits, Edits]:
    """Return the changes, and the edits from before, by the ids that lines have once the new ones are among them.

    Args:
        new: the new lines.
        starts: of the lines that there are, in their order, as they are after the changes.
        changes: by the ids that lines have now.
        before: what is changed already, by the same ids.
    """
    order = _in_order(new, starts)
    ids = {one: number for number, one in enumerate(order) if isinstance(one, int)}
    own = {number: one.edit for number, one in enumerate(order) if isinstance(one, NewLine)}
    added = tuple(_added(order, before.heard(len(starts)), iter(before.added)))
    moved = replace(changes, lines={**_moved(changes.lines, ids), **own}, added=added)
    return moved, replace(before, lines=_moved(before.lines, ids))


def _in_order(new: Sequence[NewLine], starts: Sequence[float]) -> list[int | NewLine]:
    """Return the places of the lines that there are, with the new ones between them; equal starts follow."""
    order: list[int | NewLine] = []
    waiting = sorted(new, key=lambda one: one.start)
    for place, start in enumerate(starts):
        while waiting and waiting[0].start < start:
            order.append(waiting.pop(0))
        order.append(place)
    return [*order, *waiting]


def _added(order: Sequence[int | NewLine], numbers: Sequence[int | None], kept: Iterator[Added]) -> Iterator[Added]:
    """Yield all added lines in their order. `numbers`: by place, as a line was heard; `kept`: those from before."""
    after = -1
    for one in order:
        if isinstance(one, NewLine):
            yield Added(after, one.start, one.end)
        elif (number := numbers[one]) is None:
            yield next(kept)
        else:
            after = number


def _moved(lines: Mapping[int, Edit], ids: Mapping[int, int]) -> dict[int, Edit]:
    return {ids[line]: edit for line, edit in lines.items() if line in ids}
