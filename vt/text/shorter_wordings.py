"""Shorter wordings of a text by rule, with little loss: without hesitations and fillers, and with shorter words.

The rules of each language stand in `shorter_wordings.tsv`; a language that has none keeps its texts. By kind:

- filler: a sound of hesitation, left out wherever it stands.
- aside: words that are left out where marks part them from the rest, as in "Well, you know, it rained".
- doubled: a word that is said once where it is said twice in a row.
- shorter: what is replaced by something shorter.
- opener: the same, at the start of a sentence only, where a mark parts it from the rest: "However, he tried", but not
  "However hard he tried".
- negation: words that make a negation, with * for any letters. No rule takes a negation out of a text.
- affirmation: words with one of those among them that negate nothing all the same.

Nothing else is touched: no name, and no number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path

_TABLE = Path(__file__).with_name("shorter_wordings.tsv")
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_NUMBER = re.compile(r"\d+")
_ENDS = frozenset(".!?…")
_MARKS = _ENDS | frozenset(",;:—–")
_OPENING = frozenset("¿¡")
_PAIRED = frozenset('"“”„«»()[]')
"""Of these none is left alone: beside them nothing is left out."""


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: str
    instead: str


@dataclass(slots=True)
class _Rules:
    """Of one language."""

    phrases: dict[tuple[str, ...], _Rule] = field(default_factory=dict)
    """By the words in small letters."""
    doubled: set[str] = field(default_factory=set)
    negations: list[str] = field(default_factory=list)
    affirmations: list[str] = field(default_factory=list)
    longest: int = 0
    """How many words the longest phrase has."""

    def add(self, words: tuple[str, ...], rule: _Rule) -> None:
        """Add a rule for a phrase."""
        self.phrases[words] = rule
        self.longest = max(self.longest, len(words))


@cache
def _rules() -> Mapping[str, _Rules]:
    found: dict[str, _Rules] = {}
    for row in _TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        code, kind, said, instead = row.split("\t")
        rules = found.setdefault(code, _Rules())
        if kind == "doubled":
            rules.doubled.add(said.lower())
        elif kind in ("negation", "affirmation"):
            (rules.negations if kind == "negation" else rules.affirmations).append(said.lower())
        else:
            rules.add(tuple(said.lower().split()), _Rule(kind, instead))
    return found


def has_rules(code: str) -> bool:
    """Tell whether there are rules for a language, by its code in the table of languages."""
    return code in _rules()


def without_fillers(text: str, code: str) -> str:
    """Return a text without hesitations, fillers and doubled words; as it is where nothing else would be left."""
    return _applied(text, code, frozenset({"filler", "aside"}))


def shortest(text: str, code: str) -> str:
    """Return a text that is shortened by all rules of its language."""
    return _applied(text, code, frozenset({"filler", "aside", "shorter", "opener"}))


def says_as_much(wording: str, text: str, code: str) -> bool:
    """Tell whether another wording of a text has the same numbers, and a negation where the text has one.

    Of a language without rules the negations are not known: there only the numbers count.
    """
    rules = _rules().get(code, _Rules())
    has_same_numbers = sorted(_NUMBER.findall(wording)) == sorted(_NUMBER.findall(text))
    return has_same_numbers and _is_negated(wording, rules) == _is_negated(text, rules)


def _is_negated(text: str, rules: _Rules) -> bool:
    said = text.lower()
    for phrase in rules.affirmations:
        said = said.replace(phrase, "")
    words = {found[0] for found in _WORD.finditer(said)}
    return any(fnmatchcase(word, pattern) for word in words for pattern in rules.negations)


@lru_cache(maxsize=8192)  # the lines of a few films, which are asked for with every edit
def _applied(text: str, code: str, kinds: frozenset[str]) -> str:
    rules = _rules().get(code)
    if rules is None:
        return text
    line = _Line.of(text)
    at = 0
    while at < len(line.words):
        count, rule = _match(line, at, rules, kinds)
        if rule is None:
            line.say_once(at, rules.doubled)
            at += 1
        elif rule.instead:
            at += line.replace(at, count, rule)
        else:
            line.leave_out(at, count)
    return line.text if line.words else text


def _match(line: _Line, at: int, rules: _Rules, kinds: Collection[str]) -> tuple[int, _Rule | None]:
    """Return how many words from a place on a rule is about, and the rule: of several that of most words."""
    for count in range(min(rules.longest, len(line.words) - at), 0, -1):
        words = tuple(word.lower() for word in line.words[at : at + count])
        rule = rules.phrases.get(words)
        is_whole = all(gap == " " for gap in line.gaps[at + 1 : at + count])
        if rule and rule.kind in kinds and is_whole and line.allows(rule.kind, at, count):
            return count, rule
    return 0, None


@dataclass(slots=True)
class _Line:
    """A text in its words, and what stands in front of each of them and behind the last."""

    words: list[str]
    gaps: list[str]

    @classmethod
    def of(cls, text: str) -> _Line:
        words, gaps, here = list[str](), list[str](), 0
        for found in _WORD.finditer(text):
            gaps.append(text[here : found.start()])
            words.append(found[0])
            here = found.end()
        return cls(words, [*gaps, text[here:]])

    @property
    def text(self) -> str:
        return "".join(gap + word for gap, word in zip(self.gaps, [*self.words, ""], strict=True))

    def begins_sentence(self, at: int) -> bool:
        return at == 0 or not _ENDS.isdisjoint(self.gaps[at])

    def allows(self, kind: str, at: int, count: int) -> bool:
        """Tell whether a rule of a kind may be applied to some words, which are known to be what it is about."""
        before, behind, begins = self.gaps[at], self.gaps[at + count], self.begins_sentence(at)
        if self.words[at][0].isupper() and not begins:
            return False  # a name
        is_parted_behind = not _MARKS.isdisjoint(behind)
        if kind in ("shorter", "opener"):
            return kind == "shorter" or (begins and is_parted_behind)
        if not _PAIRED.isdisjoint(before + behind) or "?" in behind or "!" in behind:
            return False
        is_parted = begins or not _MARKS.isdisjoint(before)
        is_last = at + count == len(self.words)
        return kind == "filler" or (is_parted and (is_last or is_parted_behind))

    def say_once(self, at: int, doubled: Collection[str]) -> None:
        """Leave out the next words where they are the same as this one, and of those that nobody says twice."""
        said = self.words[at].lower()
        while said in doubled and self.words[at + 1 : at + 2] and self.words[at + 1].lower() == said:
            if self.gaps[at + 1] != " ":
                return
            del self.words[at + 1], self.gaps[at + 1]

    def replace(self, at: int, count: int, rule: _Rule) -> int:
        """Put what a rule says in place of some words, and return of how many words that is."""
        words = rule.instead.split()
        words[0] = _begun(words[0], self.words[at])
        self.words[at : at + count] = words
        self.gaps[at + 1 : at + count] = [" "] * (len(words) - 1)
        behind = at + len(words)
        if rule.kind == "opener" and self.gaps[behind] == ", ":
            self.gaps[behind] = " "
        return len(words)

    def leave_out(self, at: int, count: int) -> None:
        """Leave some words out, with the marks that parted them from the rest."""
        before, behind = self.gaps[at], self.gaps[at + count]
        if self.begins_sentence(at):
            is_last = at + count == len(self.words)
            joint = before.rstrip() if is_last else before + "".join(sign for sign in behind if sign in _OPENING)
            self.words[at + count : at + count + 1] = [
                _begun(word, self.words[at]) for word in self.words[at + count :][:1]
            ]
        elif at + count == len(self.words) or not (_MARKS - {","}).isdisjoint(behind):
            joint = behind
        else:
            joint = " "
        self.words[at : at + count] = []
        self.gaps[at : at + count + 1] = [joint]


def _begun(word: str, like: str) -> str:
    """Return a word with a capital where another begins with one."""
    return word[0].upper() + word[1:] if like[0].isupper() else word
