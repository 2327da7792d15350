"""Pure: where the terms of a glossary stand in a text, and the form that each has to have in its translation."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from vt.languages import Language
from vt.text.glossary import plurals
from vt.text.glossary.reading import Entry, composed, key

_UNSPACED = {"Jpan", "Hans", "Hant", "Hang", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"}
"""Scripts that put nothing between words, or, as Korean, particles right behind them."""
_CLINGING = {"Arab", "Hebr"}
"""Scripts that write articles and prepositions together with the word: in a translation, any place will do."""
_TAILS = "+#"
"""Signs that belong to the word before them: C stands neither in C++ nor in C#."""
_SHORT = 3
"""Letters of an acronym that may be a word in small letters."""
_APOSTROPHES = re.compile(r"['’]")


@dataclass(frozen=True, slots=True)
class Match:
    """A term as it stands in a text."""

    start: int
    end: int
    entry: Entry
    text: str
    """What stands there."""

    @property
    def is_plural(self) -> bool:
        """Whether it stands there in the plural."""
        return _words(self.text) != _words(self.entry.source)

    @property
    def is_loud(self) -> bool:
        """Whether it stands there in capitals that the glossary has not."""
        return len(self.text) > 1 and self.text.isupper() and not self.entry.source.isupper()

    def put(self, code: str) -> str:
        """Return what is to stand in a translation in its place; `code`: of the translation's language."""
        said = self._put(code)
        return said.upper() if self.is_loud else said

    def _put(self, code: str) -> str:
        entry = self.entry
        if entry.target == entry.source:
            # In small letters alone, a glossary says nothing of capitals.
            return self.text if self.is_plural or entry.source.islower() else entry.source
        return plurals.plural(entry.target, code) if self.is_plural else entry.target

    def accepted(self, code: str) -> tuple[str, ...]:
        """Return the forms, any of which in a translation is taken for the term; capitals do not count."""
        entry = self.entry
        if entry.target == entry.source:
            return tuple(dict.fromkeys((self.text, entry.source)))
        return tuple(dict.fromkeys((entry.target, plurals.plural(entry.target, code))))


@dataclass(frozen=True)
class Finder:
    """Finds the terms of a glossary in texts of one language."""

    entries: Sequence[Entry]
    language: Language
    """That the texts are in."""
    _patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)

    @cached_property
    def _longest_first(self) -> list[tuple[str, Entry]]:
        """Entries with what any text that holds them holds, in small letters: it is quickly looked for."""
        rows = [(_stem(entry.source), entry) for entry in self.entries]
        return sorted(rows, key=lambda row: -len(row[1].source))

    def matches(self, text: str) -> tuple[Match, ...]:
        """Return the terms in a text in their order, none over another; of two that would be, the longer one.

        The text is one whose letters are composed, as `reading.composed` makes it.
        """
        low, taken, found = text.casefold().replace("’", "'"), bytearray(len(text)), list[Match]()
        for stem, entry in self._longest_first:
            if stem in low:
                found += [match for match in self._of_entry(entry, text) if _took(taken, match.start, match.end)]
        return tuple(sorted(found, key=lambda match: match.start))

    def _of_entry(self, entry: Entry, text: str) -> Iterator[Match]:
        if entry.source not in self._patterns:
            self._patterns[entry.source] = term_pattern(entry.source, has_plural=self.language.code == "en")
        for found in self._patterns[entry.source].finditer(text):
            if script_of(self.language) in _UNSPACED or is_word(text, *found.span()):
                yield Match(*found.span(), entry, found[0])


def _took(taken: bytearray, start: int, end: int) -> bool:
    """Take a stretch of a text, and tell whether all of it was free."""
    is_free = not any(taken[start:end])
    if is_free:
        taken[start:end] = b"\1" * (end - start)
    return is_free


def script_of(language: Language) -> str:
    """Return the script of a language, by ISO 15924; empty where it is not known."""
    return language.flores.partition("_")[2]


def _words(term: str) -> list[str]:
    return key(_APOSTROPHES.sub("'", term)).split()


def _stem(term: str) -> str:
    """Return what stands in every text in which a term stands, in any of its forms."""
    first = term.split(" ", maxsplit=1)[0].casefold().replace("’", "'")
    return first.removesuffix("y") or first


def term_pattern(term: str, *, has_plural: bool) -> re.Pattern[str]:
    """Return what finds a term with any spaces and apostrophes in it, and its English plural where that is asked."""
    stem, endings = plurals.english_endings(term) if has_plural else (term, "")
    words = (_APOSTROPHES.sub("['’]", re.escape(word).replace("'", "'")) for word in stem.split(" "))
    return re.compile(r"\s+".join(words) + endings, _flags(term))


def spelling_pattern(term: str) -> re.Pattern[str]:
    """Return what finds a term as it is written."""
    return re.compile(re.escape(term), _flags(term))


def _flags(term: str) -> re.RegexFlag:
    """Return how a term is looked for: in any case, but IT, US and WHO are not the words it, us and who."""
    return re.NOFLAG if term.isupper() and len(term) <= _SHORT else re.IGNORECASE


def is_word(text: str, start: int, end: int) -> bool:
    """Tell whether a stretch of a text begins and ends where words do."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if after and after in _TAILS and text[end - 1].isalnum():
        return False
    return not (before and _is_of_word(before)) and not (after and _is_of_word(after))


def _is_of_word(sign: str) -> bool:
    # Vowel signs of Hindi and others are marks, no letters, and part of the word all the same.
    return sign.isalnum() or sign == "_" or unicodedata.category(sign).startswith("M")


def lost(matches: Iterable[Match], translation: str, target: Language) -> tuple[Entry, ...]:
    """Return the entries that a translation does not hold as often as they stand in the source.

    Args:
        matches: the terms of the source.
        translation: of the source.
        target: its language.
    """
    wanted = list(matches)
    needed = Counter(key(match.entry.target) for match in wanted)
    forms = {form: key(match.entry.target) for match in wanted for form in match.accepted(target.code)}
    there = Counter(forms[form] for form in _forms_in(translation, sorted(forms, key=len, reverse=True), target))
    missing = {name for name, count in needed.items() if there[name] < count}
    return tuple(dict.fromkeys(match.entry for match in wanted if key(match.entry.target) in missing))


def spelt(matches: Iterable[Match], translation: str, target: Language) -> str:
    """Return a translation in which terms that have capitals, such as iPhone, are spelt as in the glossary.

    Args:
        matches: the terms of the source.
        translation: of the source.
        target: its language.
    """
    for term in dict.fromkeys(match.entry.target for match in matches if not match.entry.target.islower()):
        translation = _spelt(term, translation, target)
    return translation


def _spelt(term: str, text: str, target: Language) -> str:
    loose = script_of(target) in _UNSPACED | _CLINGING

    def put(found: re.Match[str]) -> str:
        is_term = loose or is_word(text, *found.span())
        return term if is_term and not found[0].isupper() else found[0]

    return spelling_pattern(term).sub(put, text)


def _forms_in(text: str, forms: Sequence[str], language: Language) -> Iterator[str]:
    """Yield the forms that stand in a text, the longest first, none over another."""
    loose = script_of(language) in _UNSPACED | _CLINGING
    text = composed(text)
    taken = bytearray(len(text))
    for form in forms:
        for found in spelling_pattern(form).finditer(text):
            if (loose or is_word(text, *found.span())) and _took(taken, *found.span()):
                yield form
