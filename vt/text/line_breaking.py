"""Pure: where a subtitle's text is cut into cues and lines, so that what belongs together stays together."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise
from pathlib import Path

from vt.languages import Language

LINE_CHARACTERS = 42
"""The usual limit of a line (Netflix, Timed Text Style Guide: General Requirements); a full-width sign counts twice."""
CHARACTERS_A_SECOND = 17
"""The usual reading speed (same source)."""
LONGEST_CUE_SECONDS = 7.0
_NO_BREAK = "\u00a0\u202f"
_JOINER = "\u200d"  # holds emoji together
_PAUSES = set(",;:.!?…)»、，；：。！？」』）،؛؟۔।॥")
"""A cue ends well behind these, and no line begins with one."""
_NO_OPENER = _PAUSES | set("ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ・〜～％》〉】〕］｝’”ะาำๅๆฯ")
"""Nor with one of these (JIS X 4051, section 4.3), or with the end of a syllable of Thai."""
_NO_CLOSER = set("（「『《〈【〔［｛‘“(¿¡$€£¥＄￥เแโใไເແໂໃໄ")
"""No line ends with one of these, which belong to what follows them."""
_QUOTES = "\"'«“‘„¿¡([—–-"
_TABLE = Path(__file__).with_name("subtitle_rules.tsv")

# What a break costs, in columns by which the two sides may differ instead.
_BEHIND_PAUSE, _BETWEEN_WORDS, _WITHIN_PHRASE, _CLINGING, _WITHIN_WORD = 0, 10, 16, 40, 60
_EVENNESS = 30
"""A cue costs the square of its columns by this, so that a sentence is cut into cues of about the same length."""
_ANOTHER_CUE = 130
"""More than two even halves save of the cost of one full cue."""
_LASTS_TOO_LONG = 300
_UNREADABLE = 10_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How a language's subtitles are set."""

    columns: int = LINE_CHARACTERS
    """Of a line; signs of full width take two."""
    columns_a_second: float = CHARACTERS_A_SECOND
    """How fast they are read."""
    clinging: frozenset[str] = frozenset()
    """Words, such as articles and prepositions, after which no line ends where that can be helped."""
    is_from_right: bool = False


@cache
def rules_of(language: Language) -> Rules:
    """Return how a language's subtitles are set."""
    columns, speed, clinging = _rows().get(language.code.partition("-")[0], ("", "", ""))
    is_from_right = _is_from_right(language.native_name) or language.flores.endswith(("_Arab", "_Hebr"))
    return Rules(
        int(columns or LINE_CHARACTERS),
        float(speed or CHARACTERS_A_SECOND),
        frozenset(clinging.split()),
        is_from_right,
    )


@cache
def _rows() -> dict[str, tuple[str, str, str]]:
    rows = (line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines()[1:])
    return {code: (columns, speed, words) for code, columns, speed, words in rows}


def _is_from_right(text: str) -> bool:
    return unicodedata.bidirectional(text[:1] or " ") in ("R", "AL")


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_columns, text))


@cache
def _columns(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text may be cut: the head ends before `end`, and the tail begins with `begin`."""

    end: int
    begin: int
    cost: int


@dataclass(slots=True)
class _Text:
    """A text with the places at which it may be cut; its beginning and its end are such places too."""

    text: str
    rules: Rules
    places: list[_Place] = field(init=False)
    before: list[int] = field(init=False)
    """The columns before each sign."""
    ends: list[int] = field(init=False)
    """The columns before each place."""

    def __post_init__(self) -> None:
        self.before = [0, *accumulate(map(_columns, self.text))]
        found = [_Place(0, 0, 0), *_usual_places(self.text, self.rules)]
        last = _Place(len(self.text), len(self.text), 0)
        self.places = [*self._with_forced(found, last), last]
        self.ends = [self.before[place.end] for place in self.places]

    def _with_forced(self, found: Sequence[_Place], last: _Place) -> Iterator[_Place]:
        """Yield the places, and more within whatever is wider than a line."""
        for place, following in zip(found, [*found[1:], last], strict=True):
            yield place
            here, end = place.begin, following.end
            while (left := self.before[end] - self.before[here]) > self.rules.columns:
                even = self.before[here] + left / math.ceil(left / self.rules.columns)
                near = bisect_right(self.before, even) - 1
                openers = (at for at in [*range(near, here, -1), *range(near + 1, end)] if _may_part(self.text, at))
                here = next(openers, end)
                if here < end:
                    yield _Place(here, here, _WITHIN_WORD)

    def width(self, first: int, last: int) -> int:
        """Return the columns between two places."""
        return self.before[self.places[last].end] - self.before[self.places[first].begin]

    def line_breaks(self, first: int, last: int) -> range:
        """Return the places at which the text between two places becomes two lines that fit."""
        columns = self.rules.columns
        low = bisect_left(self.places, self.ends[last] - columns, first + 1, last, key=lambda at: self.before[at.begin])
        high = bisect_right(self.ends, self.before[self.places[first].begin] + columns, first + 1, last)
        return range(low, high)

    def between(self, first: int, last: int) -> str:
        return self.text[self.places[first].begin : self.places[last].end]


def _usual_places(text: str, rules: Rules) -> Iterator[_Place]:
    """Yield the places between words, and between the signs of Chinese and Japanese."""
    for at in range(1, len(text)):
        if text[at] == " ":
            yield _Place(at, at + 1, _cost(text, at, rules))
        elif text[at - 1] != " " and (cost := _cost_between(text[at - 1], text[at])) is not None:
            yield _Place(at, at, cost)


def _cost(text: str, at: int, rules: Rules) -> int:
    """Return what it costs to end a line at this space."""
    if text[at - 1] in _PAUSES:
        return _BEHIND_PAUSE
    if rules.columns < LINE_CHARACTERS and f"{text[at - 1]}{text[at + 1]}".isascii():  # within a foreign name
        return _CLINGING
    begin = text.rfind(" ", max(0, at - 20), at) + 1
    return _CLINGING if text[begin:at].lstrip(_QUOTES).lower() in rules.clinging else _BETWEEN_WORDS


def _cost_between(sign: str, following: str) -> int | None:
    """Return what a break between two signs without a space costs; None where there may be none."""
    kinds = _kind(sign), _kind(following)
    if not {"han", "hiragana", "katakana"}.intersection(kinds):
        return None
    if not _opens(following) or sign in _NO_CLOSER or sign in _NO_BREAK or sign == _JOINER:
        return None
    if sign in _PAUSES:
        return _BEHIND_PAUSE
    if kinds[0] == kinds[1] and kinds[0] in ("katakana", "run"):
        return None
    if kinds == ("run", "han"):  # a number and what it counts
        return _CLINGING
    # In Japanese a phrase mostly ends in hiragana, and the next one does not begin with it.
    return _BETWEEN_WORDS if kinds[0] == "hiragana" != kinds[1] else _WITHIN_PHRASE


@cache
def _kind(sign: str) -> str:
    """Return what a sign is a part of: a run of letters or numbers is not torn."""
    if "\u3040" <= sign <= "\u309f":
        return "hiragana"
    if "\u30a0" <= sign <= "\u30ff" or "\uff66" <= sign <= "\uff9f":
        return "katakana"
    if "\u3400" <= sign <= "\u9fff" or "\uf900" <= sign <= "\ufaff" or "\U00020000" <= sign <= "\U0003ffff":
        return "han"
    return "other" if sign in _PAUSES or sign in _NO_CLOSER else "run"


def _may_part(text: str, at: int) -> bool:
    return _opens(text[at]) and text[at - 1] != _JOINER and text[at - 1] not in _NO_BREAK


def _opens(sign: str) -> bool:
    return not (sign in _PAUSES or sign in _NO_BREAK or sign == _JOINER or unicodedata.category(sign).startswith("M"))


def cut(text: str, rules: Rules, seconds: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Cut a text into parts of at most two lines each: their beginnings and ends.

    Args:
        text: with single spaces.
        rules: of its language.
        seconds: tells how long what stands between two of its signs is on the screen.

    Returns:
        What is left out between them is a space. The parts are the best by what their breaks cost and by how even
        they are, found by dynamic programming.
    """
    whole = _Text(text, rules)
    best, came_from = [0.0], [0]
    for last in range(1, len(whole.places)):
        costs = [(best[first] + _of_cue(whole, first, last, seconds), first) for first in _firsts(whole, last)]
        cost, first = min(costs)
        best.append(cost)
        came_from.append(first)
    return _way(whole, came_from)


def cut_into(text: str, rules: Rules, count: int) -> list[tuple[int, int]]:
    """Cut a text into a given number of parts, as even as `cut` makes them; where it has too few words, into fewer."""
    whole = _Text(text, rules)
    count = min(count, len(whole.places) - 1)
    ways: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, (0,))}
    for part in range(1, count + 1):
        longer = {}
        for last in _near(whole, part / count):
            reached = [first for first in _firsts(whole, last) if first in ways]
            costs = ((ways[first][0] + _of_cue(whole, first, last, lambda *_: 0.0), first) for first in reached)
            cost, first = min(costs, default=(math.inf, 0))
            if reached:
                longer[last] = (cost, (*ways[first][1], last))
        ways = longer
    _, way = ways.get(len(whole.places) - 1, (math.inf, ()))
    parts = [(whole.places[first].begin, whole.places[last].end) for first, last in pairwise(way)]
    return parts or cut(text, rules, lambda *_: 0.0)


def _near(whole: _Text, share: float) -> Iterable[int]:
    """Return the places about where this share of the text ends; farther ones would make no even parts."""
    if share == 1:
        return (len(whole.places) - 1,)
    ideal, reach = whole.ends[-1] * share, 2 * whole.rules.columns
    return range(bisect_left(whole.ends, ideal - reach, 1), bisect_right(whole.ends, ideal + reach))


def _firsts(whole: _Text, last: int) -> Iterator[int]:
    """Yield the places at which a cue that ends at `last` may begin: all that make two lines at most, and one more."""
    yield last - 1
    for first in range(last - 2, -1, -1):
        if whole.width(first, last) > 2 * whole.rules.columns + 1:
            return
        yield first


def _of_cue(whole: _Text, first: int, last: int, seconds: Callable[[int, int], float]) -> float:
    """Return what it costs to show the text between two places as one cue."""
    columns = whole.width(first, last)
    cost = _ANOTHER_CUE + columns**2 / _EVENNESS + whole.places[last].cost
    if columns > whole.rules.columns:
        breaks = whole.line_breaks(first, last)
        cost += min((whole.places[at].cost for at in breaks), default=_UNREADABLE)
    lasts = seconds(whole.places[first].begin, whole.places[last].end)
    # One line has been read long before seven seconds are over: it is not parted for the rest.
    if lasts > LONGEST_CUE_SECONDS and columns > whole.rules.columns:
        cost += _LASTS_TOO_LONG
    return cost


def _way(whole: _Text, came_from: Sequence[int]) -> list[tuple[int, int]]:
    """Return the parts that lead to the last place."""
    found, last = [], len(came_from) - 1
    while last > 0:
        first = came_from[last]
        found.append((whole.places[first].begin, whole.places[last].end))
        last = first
    return found[::-1]


def broken(text: str, rules: Rules) -> str:
    """Return a text on one line, or on two of about the same length that part nothing which belongs together."""
    if width(text) <= rules.columns:
        return text
    whole = _Text(text, rules)
    last = len(whole.places) - 1

    def cost(at: int) -> int:
        return abs(whole.width(0, at) - whole.width(at, last)) + whole.places[at].cost

    best = min(whole.line_breaks(0, last), key=cost, default=last)
    return text if best == last else f"{whole.between(0, best)}\n{whole.between(best, last)}"
