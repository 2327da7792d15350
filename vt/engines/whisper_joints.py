"""Pure: windows that overlap where they are cut within speech, and what is heard in both of them taken once."""

from __future__ import annotations

import math
import unicodedata
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
            before, after = _words(held), _words(now)
            cut = _cut(before, after, (start, held_end))
            last, first = _joint(before, after, cut)
            held = _within(held, range(last), (-math.inf, cut))
            kept = _within(now, range(first, len(after)), (cut, math.inf))
        yield from held
        held, held_end = kept, end
    yield from held


def _cut(before: Sequence[Word], after: Sequence[Word], both: Region) -> float:
    """Return where in the stretch that is in `both` windows one ends and the next begins, if no word tells better.

    It is the middle; where only one of the windows has a word there, all of the stretch is that one's.
    """
    has_before = any(_middle(word) > both[0] for word in before)
    has_after = any(_middle(word) <= both[1] for word in after)
    return sum(both) / 2 if has_before == has_after else both[1] if has_before else both[0]


def _joint(before: Sequence[Word], after: Sequence[Word], cut: float) -> tuple[int, int]:
    """Return how many words are taken of one window, and how many of the next one are left out.

    The last one that is taken and the last one that is left out are the same word: of the longest run of words that
    both windows have, the one nearest to the cut.
    """
    runs = list(_runs(before, after))
    if not runs:
        last, first = (sum(_middle(word) <= cut for word in words) for words in (before, after))
        return last, first

    def distance(pair: tuple[int, int]) -> float:
        one, other = _middle(before[pair[0]]), _middle(after[pair[1]])
        # What somebody says twice is paired with itself.
        return abs(one - cut) + abs(other - cut) + 4 * abs(one - other)

    longest = max(runs, key=lambda run: (len(run), -min(map(distance, run))))
    here, there = min(longest, key=distance)
    return here + 1, there + 1


def _runs(before: Sequence[Word], after: Sequence[Word]) -> Iterator[list[tuple[int, int]]]:
    """Yield the runs of words that both windows have, each word by its place in both."""
    for shift in range(1 - len(before), len(after)):
        run: list[tuple[int, int]] = []
        for at, one in enumerate(before):
            other = after[at + shift] if 0 <= at + shift < len(after) else None
            if other and _are_one(one, other):
                run.append((at, at + shift))
            elif run:
                yield run
                run = []
        if run:
            yield run


def _are_one(one: Word, other: Word) -> bool:
    is_near = abs(_middle(one) - _middle(other)) <= _SAME_WORD_SECONDS
    return is_near and _letters(one) == _letters(other)


def _words(found: Found) -> list[Word]:
    return [word for part in found if isinstance(part, Heard) for word in part.words]


def _letters(word: Word) -> str:
    # Marks are kept too: in Hindi or Thai words differ by their vowels alone, which are marks on other letters.
    return "".join(sign for sign in word.text.casefold() if unicodedata.category(sign)[0] in "LMN")


def _middle(word: Word) -> float:
    return (word.start + word.end) / 2


def _within(found: Found, places: range, side: Region) -> list[Heard | Dropped]:
    """Return the words at some places among all that were found, and what was dropped, on one side of the cut."""
    kept: list[Heard | Dropped] = []
    at = 0
    for part in found:
        if isinstance(part, Heard):
            words = tuple(word for place, word in enumerate(part.words, at) if place in places)
            at += len(part.words)
            kept += [Heard(words)] if words else []
        elif part.start < side[1] and part.end > side[0]:
            kept.append(replace(part, start=max(part.start, side[0]), end=min(part.end, side[1])))
    return kept
