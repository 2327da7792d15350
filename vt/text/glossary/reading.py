"""Reads a glossary, a CSV or TSV file: a term a line, its translation, and the language that the translation is in."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vt import languages
from vt.errors import GlossaryError, GlossaryTooLarge
from vt.languages import Language

_MOST_KIB = 64
MOST_BYTES = 1024 * _MOST_KIB
MOST_TERMS = 1_000
LONGEST_TERM = 100
"""Characters of a term, and of a translation."""
_SEPARATORS = "\t;,"
"""Of two that divide as many lines, the first is taken: a comma is often part of a text, a tab never."""
_COLUMNS = 3
_HEADERS = (
    {"source", "source term", "term", "original"},
    {"target", "target term", "translation"},
    {"language", "target language", "target_language", "lang"},
)
"""How the columns may be called, in a first line that is no term."""
_UNWANTED = {"Cc", "Co", "Cs", "Zl", "Zp"}
_DIRECTIONS = {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
"""Signs that turn the direction of what follows: a term would turn the rest of its line around."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a glossary."""

    source: str
    target: str
    """The same as `source` where the term stays as it is."""
    language: Language | None = None
    """The language into which it is translated like this; None: every one."""
    line: int = 0
    """Where it stands in the file, from 1."""


def too_large() -> GlossaryTooLarge:
    """Return what to raise where a file holds more than `MOST_BYTES`."""
    return GlossaryTooLarge(_MOST_KIB)


def read(content: bytes) -> tuple[Entry, ...]:
    """Return what a glossary says, in the order of its lines.

    Raises:
        GlossaryError: it cannot be used; the sentence names the line.
        GlossaryTooLarge: it holds more than is read.
    """
    if len(content) > MOST_BYTES:
        raise too_large()
    text = _decoded(content)
    rows = [(line, cells) for line, cells in _rows(text, _separator(text)) if any(cells)]
    if rows and _is_header(rows[0][1]):
        del rows[0]
    entries = [_entry(line, cells) for line, cells in rows]
    if not entries:
        raise GlossaryError("The glossary holds no term: each line is to name a term and its translation.")
    if len(entries) > MOST_TERMS:
        raise GlossaryError(
            "The glossary holds more than {limit} terms: line {number} is one too many.",
            limit=MOST_TERMS,
            number=entries[MOST_TERMS].line,
        )
    return tuple(_without_repetitions(entries))


def of_language(entries: Sequence[Entry], target: Language) -> tuple[Entry, ...]:
    """Return the entries that hold for a translation into `target`; one for this language goes before one for all."""
    found = {key(one.source): one for one in entries if one.language is None}
    found |= {key(one.source): one for one in entries if one.language and one.language.code == target.code}
    return tuple(found.values())


def composed(text: str) -> str:
    """Return a text in the form in which glossaries are read: each letter with its accent is one sign."""
    return unicodedata.normalize("NFC", text)


def key(term: str) -> str:
    """Return what two terms have in common that differ in nothing but capitals and composed letters."""
    return composed(term.casefold())


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise GlossaryError(
            "Line {number} of the glossary is not in UTF-8: save the file as CSV in UTF-8.",
            number=content[: error.start].count(b"\n") + 1,
        ) from error
    return composed(text)


def _separator(text: str) -> str:
    """Return the sign that divides most lines into columns."""
    lines = text.splitlines()
    return max(_SEPARATORS, key=lambda sign: sum(line.count(sign) > 0 for line in lines))


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, and the line where it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise GlossaryError(
            "Line {number} of the glossary cannot be read: a quotation mark has no counterpart, or stands before "
            "further words.",
            number=line,
        ) from error


def _is_header(cells: Sequence[str]) -> bool:
    named = [cell.lower() for cell in cells if cell]
    return len(named) <= len(_HEADERS) and all(cell in names for cell, names in zip(named, _HEADERS, strict=False))


def _entry(line: int, cells: Sequence[str]) -> Entry:
    while cells and not cells[-1]:  # spreadsheets write empty columns
        cells = cells[:-1]
    if len(cells) > _COLUMNS:
        raise GlossaryError(
            "Line {number} of the glossary has {count} columns: a term, its translation, and at most the code of a "
            "language are taken. A comma within a term needs quotation marks around the term.",
            number=line,
            count=len(cells),
        )
    source, target, code = (*cells, "", "", "")[:_COLUMNS]
    if not source:
        raise GlossaryError("Line {number} of the glossary has a translation, but no term before it.", number=line)
    for term in (source, target):
        _check(line, term)
    return Entry(_spaced(source), _spaced(target or source), _language(line, code), line)


def _check(line: int, term: str) -> None:
    if len(term) > LONGEST_TERM:
        raise GlossaryError(
            "Line {number} of the glossary is too long: {limit} characters are the most for a term, and for its "
            "translation.",
            number=line,
            limit=LONGEST_TERM,
        )
    if any(unicodedata.category(sign) in _UNWANTED or sign in _DIRECTIONS for sign in term):
        raise GlossaryError(
            "Line {number} of the glossary holds a sign that is no text, such as a line break inside quotation marks.",
            number=line,
        )
    if term and not any(sign.isalnum() for sign in term):
        raise GlossaryError(
            "Line {number} of the glossary: {term} holds no letter and no digit.", number=line, term=term
        )


def _spaced(term: str) -> str:
    return " ".join(term.split())


def _language(line: int, code: str) -> Language | None:
    found = languages.find(code) if code else None
    if code and found is None:
        raise GlossaryError(
            "Line {number} of the glossary names a language that is not known: {named}. Use a code, such as es.",
            number=line,
            named="".join(sign for sign in code[:40] if sign.isprintable()),
        )
    return found


def _without_repetitions(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield each entry once.

    Raises:
        GlossaryError: two say different things of one term.
    """
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        same = entry.language.code if entry.language else ""
        first = seen.setdefault((key(entry.source), same), entry)
        if first.target != entry.target:
            raise GlossaryError(
                "Line {number} of the glossary translates {term} otherwise than line {first}: leave one of them.",
                number=entry.line,
                term=entry.source,
                first=first.line,
            )
        if first is entry:
            yield entry
