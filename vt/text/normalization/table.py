"""What is known of how each language says what is no letter: the rows of the tables beside this module."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Words:
    """One language: how it says what is no letter; empty where that is not known."""

    code: str
    numbers: str = ""
    """num2words's name of the language."""
    decimal: str = "."
    point: str = ""
    minus: str = ""
    plus: str = ""
    percent: str = ""
    degrees: str = ""
    and_: str = ""
    at: str = ""
    equals: str = ""
    to: str = ""
    past: str = ""
    """Between hours and minutes."""
    sharp: str = ""
    """Behind a full hour."""
    euro: str = ""
    dollar: str = ""
    pound: str = ""
    yen: str = ""
    km: str = ""
    m: str = ""
    cm: str = ""
    mm: str = ""
    kg: str = ""
    per_hour: str = ""
    digits: str = ""
    """From nought to nine, or to ninety-nine, where num2words does not know the language."""
    terms: dict[tuple[str, str], str] = field(default_factory=dict, hash=False, compare=False)
    """By kind and sign, for the languages of `terms.tsv`: units, months, letters and so on."""

    @property
    def counts(self) -> bool:
        """Whether `digits` suffice for every number."""
        return len(self.digits.split()) == 100

    def named(self, name: str, one: bool = False) -> str:
        """Return the word of a column, in the singular for `one`."""
        word: str = getattr(self, "and_" if name == "and" else name)
        return word.split("|")[0 if one else -1]

    def term(self, kind: str, sign: str, one: bool = False) -> str:
        """Return the word of the table of terms, in the singular for `one`; nothing where it has none."""
        return self.term_of(kind, sign).split("|")[0 if one else -1]

    def term_of(self, kind: str, sign: str) -> str:
        """Return both numbers of a word, as they stand in the table of terms."""
        return self.terms.get((kind, sign), "")

    def signs(self, kind: str) -> list[str]:
        """Return the signs of a kind that have a word."""
        return [sign for (of, sign), word in self.terms.items() if of == kind and word]


def rows(name: str) -> list[list[str]]:
    """Return the lines of a table, its head first."""
    text = (_FOLDER / name).read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


@cache
def languages() -> dict[str, Words]:
    """Return all that is known, by the code of the language."""
    head, *lines = rows("spoken_signs.tsv")
    names = [each.name for each in fields(Words)][:-1]
    if [name.rstrip("_") for name in names] != head:
        raise ValueError("spoken_signs.tsv has other columns than are read here")
    terms = _terms()
    made = [Words(**dict(zip(names, line, strict=True)), terms=terms.get(line[0], {})) for line in lines]
    return {words.code: words for words in made}


def _terms() -> dict[str, dict[tuple[str, str], str]]:
    head, *lines = rows("terms.tsv")
    return {code: {(line[0], line[1]): line[at] for line in lines} for at, code in enumerate(head) if at > 1}


@cache
def listed(kind: str, code: str = "*") -> frozenset[str]:
    """Return the words of a kind: those of all languages, and those of the one."""
    return frozenset(
        word
        for language, of, words in rows("lists.tsv")[1:]
        if of == kind and language in ("*", code)
        for word in words.split()
    )
