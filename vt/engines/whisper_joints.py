"""Pure: windows that overlap where they are cut within speech, and what is heard in both of them taken once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from vt.domain import Dropped, Word
from vt.engines.protocols import Heard
from vt.media import levels
from vt.media.levels import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERLAP_SECONDS = 1.5
"""On each side of a cut within speech: three or four words, of which the one at the edge is heard wrongly at worst."""
_SAME_WORD_SECONDS = 0.6
"""By so much the times of one word differ at most, as two windows have them."""

Found = Sequence[Heard | Dropped]
"""What is heard in one window."""


def overlapping(windows: Sequence[Region], level: NDArray[np.float32]) -> list[Region]:
    """Return windows that reach beyond each cut between two of them that is in no pause: `level` tells where they are.

    A word that is cut in two is heard as two words, as another one, or not at all.
    """
    wide = list(windows)
    for at, ((start, cut), (here, end)) in enumerate(pairwise(windows)):
        if cut == here and not levels.is_pause(level, cut):
            wide[at] = wide[at][0], min(cut + OVERLAP_SECONDS, end)
            wide[at + 1] = max(cut - OVERLAP_SECONDS, start), end
    return wide


def joined(found: Iterable[Found], windows: Sequence[Region]) -> Iterator[Heard | Dropped]:
    """Yield what was heard, each word once.

    Args:
        found: what was heard in each of the windows, in order of time.
        windows: as `overlapping` returns them.
    """
    held, held_end = list[Heard | Dropped](), -math.inf
    for (start, end), now in zip(windows, found, strict=True):
        kept = list(now)
        if start < held_end:
            cut = (start + held_end) / 2
            last, first = _joint(_words(held), _words(now), cut)
            held = _within(held, -math.inf, last, (-math.inf, cut))
            kept = _within(now, first, math.inf, (cut, math.inf))
        yield from held
        held, held_end = kept, end
    yield from held


def _joint(before: Sequence[Word], after: Sequence[Word], cut: float) -> tuple[float, float]:
    """Return up to which moment words are taken of one window, and from behind which moment of the next one.

    Both are the middle of a word that both windows have: of the longest run of such words, the one nearest to the cut.
    """
    runs = list(_runs(before, after))
    if not runs:
        return cut, cut
    longest = max(runs, key=lambda run: (len(run), -min(_distance(pair, cut) for pair in run)))
    return min(longest, key=lambda pair: _distance(pair, cut))


def _runs(before: Sequence[Word], after: Sequence[Word]) -> Iterator[list[tuple[float, float]]]:
    """Yield the runs of words that both windows have, each word by its middle in both."""
    for shift in range(1 - len(before), len(after)):
        run: list[tuple[float, float]] = []
        for at, one in enumerate(before):
            other = after[at + shift] if 0 <= at + shift < len(after) else None
            if other and _are_one(one, other):
                run.append((_middle(one), _middle(other)))
            elif run:
                yield run
                run = []
        if run:
            yield run


def _are_one(one: Word, other: Word) -> bool:
    is_near = abs(_middle(one) - _middle(other)) <= _SAME_WORD_SECONDS
    return is_near and _letters(one) == _letters(other)


def _distance(pair: tuple[float, float], cut: float) -> float:
    # What somebody says twice is paired with itself.
    return abs(pair[0] - cut) + abs(pair[1] - cut) + 4 * abs(pair[0] - pair[1])


def _words(found: Found) -> list[Word]:
    return [word for part in found if isinstance(part, Heard) for word in part.words]


def _letters(word: Word) -> str:
    return "".join(sign for sign in word.text.lower() if sign.isalnum())


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _within(found: Found, after: float, until: float, side: Region) -> list[Heard | Dropped]:
    """Return the words whose middle is behind one moment, and not behind the other; what was dropped, on one side."""
    kept: list[Heard | Dropped] = []
    for part in found:
        if isinstance(part, Heard):
            words = tuple(word for word in part.words if after < _middle(word) <= until)
            kept += [Heard(words)] if words else []
        elif part.start < side[1] and part.end > side[0]:
            kept.append(replace(part, start=max(part.start, side[0]), end=min(part.end, side[1])))
    return kept
