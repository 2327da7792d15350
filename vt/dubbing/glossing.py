"""Has a translator hold to a glossary, whichever translator it is: by marks that stand for terms, and checks of them.

A line is translated as it is first: often the translator has the term by itself, and then nobody says the line better.
Where a term is missing, a mark stands for it, which translators take for a name and leave alone; where the mark is lost
or doubled, another kind of mark. At last the line is cut at its terms, and what is between them is translated by
itself. Of all tries the one is taken that holds most terms, the earliest of equals.

Figures on the marks: docs/GLOSSARIES.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, count, islice, pairwise
from pathlib import Path

from vt.domain import Edits, Segment
from vt.dubbing.artifacts import Json
from vt.dubbing.report import GlossaryUse, TermNotHeld
from vt.errors import GlossaryError
from vt.languages import Language
from vt.text import identification
from vt.text.glossary import matching, reading
from vt.text.glossary.matching import Finder, Match
from vt.text.splitting import UNSPACED_SCRIPTS, has_words
from vt.translatable import Message

Ask = Callable[[Sequence[str], Sequence[int]], Sequence[str]]
"""Translates texts; the numbers tell of which line each is, or is a part."""

MARKS = ("X{}Q", "{{{}}}")
"""How terms are marked: first as names, beside which a sentence stays as it would be, then as what is no word at all,
and is lost least. The number tells the terms of a line apart."""
_MOST_NAMED = 12
"""Terms in a note; the report has all of them."""
_ENDS = ".。!！?？…"
_POSSESSIVE = re.compile(r"\A['’](?:s\b|(?=\s|\Z))")
"""What English has behind a term whose something is: alone before the rest of a line, translators take it for "is"."""
_BEGINS = re.compile(r"(?:\A|[.!?…¿¡]\s*)[\s\"“„«(]*\Z")


def read(file: Path | None) -> tuple[reading.Entry, ...]:
    """Return what a file of a glossary says; nothing where there is no file.

    Raises:
        GlossaryError: it cannot be read or used.
    """
    if file is None:
        return ()
    try:
        with file.open("rb") as opened:
            return reading.read(opened.read(reading.MOST_BYTES + 1))
    except OSError as error:
        raise GlossaryError(
            "The glossary {file} cannot be read: {reason}.", file=file, reason=error.strerror or type(error).__name__
        ) from error


@dataclass(frozen=True, slots=True)
class Glossing:
    """The terms that hold for a film, from its language into one other."""

    finder: Finder
    target: Language

    @classmethod
    def of(cls, entries: Sequence[reading.Entry], source: Language, target: Language) -> Glossing:
        """Return the terms of a glossary that hold for a translation from `source` into `target`."""
        return cls(Finder(reading.of_language(entries, target), source), target)

    @property
    def identity(self) -> Json:
        """What two glossaries have in common by which everything is translated alike; empty: there is none."""
        return [[entry.source, entry.target] for entry in self.finder.entries]

    # While lines are translated

    def terms(self, texts: Sequence[str]) -> tuple[tuple[Match, ...], ...]:
        """Return the terms of each text, for a translator that can be told of them; empty where there are none."""
        found = tuple(self.finder.matches(reading.composed(text)) for text in texts)
        return found if any(found) else ()

    def translated(self, sources: Sequence[str], ask: Ask) -> list[str]:
        """Return translations that hold the terms of their sources, as far as that can be had."""
        texts = list(ask(sources, range(len(sources))))
        if not self.finder.entries:
            return texts
        sources = [*map(reading.composed, sources)]
        found = [self.finder.matches(source) for source in sources]
        for attempt in (*map(self._marked_with, MARKS), self._apart):
            lines = [line for line, text in enumerate(texts) if self._lost(found[line], text)]
            if not lines:
                break
            again = attempt([sources[line] for line in lines], [found[line] for line in lines], lines, ask)
            for line, text in zip(lines, again, strict=True):
                if len(self._lost(found[line], text)) < len(self._lost(found[line], texts[line])):
                    texts[line] = text
        rows = zip(found, texts, strict=True)
        return [matching.spelt(matches, text, self.target) if matches else text for matches, text in rows]

    def without_terms(self, text: str) -> str:
        """Return a text of the film's language with nothing where its terms are."""
        if not self.finder.entries:
            return text
        text = reading.composed(text)
        return "".join(_between(text, self.finder.matches(text)))

    def keeps(self, source: str, text: str, other: str) -> bool:
        """Tell whether another translation of a line holds the terms that `text` holds."""
        matches = self.finder.matches(reading.composed(source))
        return set(self._lost(matches, other)) <= set(self._lost(matches, text))

    def _lost(self, matches: Sequence[Match], text: str) -> tuple[reading.Entry, ...]:
        return matching.lost(matches, text, self.target) if matches else ()

    def _marked_with(self, form: str) -> Callable[..., list[str]]:
        """Return a try that has a mark stand for each term."""

        def attempt(
            sources: Sequence[str], found: Sequence[Sequence[Match]], lines: Sequence[int], ask: Ask
        ) -> list[str]:
            numbers = [_numbers(form, *both) for both in zip(sources, found, strict=True)]
            marked = [
                _woven(_between(*row[:2]), map(form.format, row[2]))
                for row in zip(sources, found, numbers, strict=True)
            ]
            rows = zip(ask(marked, lines), found, numbers, strict=True)
            return [self._unmarked(form, *row) for row in rows]

        return attempt

    def _unmarked(self, form: str, text: str, matches: Sequence[Match], numbers: Sequence[int]) -> str:
        """Return a text with its terms in place of the marks; empty where a mark is not there once."""
        terms, marks = dict(zip(numbers, matches, strict=True)), marks_pattern(form)
        if sorted(int(mark[1]) for mark in marks.finditer(text) if int(mark[1]) in terms) != sorted(numbers):
            return ""

        def put(mark: re.Match[str]) -> str:
            match = terms.get(int(mark[1]))
            return self._put(match, text[: mark.start()]) if match else mark[0]

        return marks.sub(put, text)

    def _put(self, match: Match, before: str) -> str:
        said = match.put(self.target.code)
        begins = match.text[:1].isupper() and said.split(" ")[0].islower() and _BEGINS.search(before)
        return f"{said[:1].upper()}{said[1:]}" if begins else said

    def _apart(
        self, sources: Sequence[str], found: Sequence[Sequence[Match]], lines: Sequence[int], ask: Ask
    ) -> list[str]:
        """Translate what stands between the terms of each line by itself, and put the terms between that."""
        parts = [[_POSSESSIVE.sub("", part) for part in _between(*both)] for both in zip(sources, found, strict=True)]
        told = [(part.strip(), line) for row, line in zip(parts, lines, strict=True) for part in row if has_words(part)]
        answers = iter(ask([part for part, _ in told], [line for _, line in told])) if told else iter(())
        texts = []
        for row, matches in zip(parts, found, strict=True):
            said = [self._as_part(part, next(answers)) if has_words(part) else part for part in row]
            text = said[0]
            for match, part in zip(matches, said[1:], strict=True):
                text += self._put(match, text) + part
            texts.append(" ".join(text.split()))
        return texts

    def _as_part(self, part: str, said: str) -> str:
        """Return the translation of a part of a sentence, which its translator took for a whole one."""
        said = said.strip()
        if part.strip()[-1] not in _ENDS:
            said = said.rstrip(_ENDS)
        if part.lstrip()[0].islower() and said[1:2].islower() and self.target.code != "de":
            said = f"{said[:1].lower()}{said[1:]}"
        if matching.script_of(self.target) in UNSPACED_SCRIPTS:
            return said
        before, after = part[: len(part) - len(part.lstrip())], part[len(part.rstrip()) :]
        return f"{before}{said}{after}"

    # Once all lines are final

    def use(self, segments: Sequence[Segment], texts: Sequence[str], edits: Edits) -> GlossaryUse | None:
        """Return what became of the terms; None where there is no glossary.

        Lines that were in the target language already, and those whose translation somebody wrote, are not counted.

        Args:
            segments: what is said in the film.
            texts: what is said instead.
            edits: what was changed by hand.
        """
        if not self.finder.entries:
            return None
        seen, missing = set[reading.Entry](), dict[reading.Entry, list[int]]()
        for line, (segment, text) in enumerate(zip(segments, texts, strict=True)):
            edit = edits.lines.get(line)
            matches = self.finder.matches(reading.composed(segment.text))
            if not matches or (edit and edit.text is not None) or self._stays(segment.text, text):
                continue
            seen |= {match.entry for match in matches}
            for entry in self._lost(matches, text):
                missing.setdefault(entry, []).append(line)
        unseen = [entry.source for entry in self.finder.entries if entry not in seen]
        rows = [TermNotHeld(entry.source, entry.target, tuple(lines)) for entry, lines in missing.items()]
        return GlossaryUse(len(self.finder.entries), tuple(unseen), tuple(rows))

    def _stays(self, source: str, text: str) -> bool:
        return source == text and identification.is_in(text, self.target, self.finder.language)


def notes(use: GlossaryUse | None) -> Iterator[Message]:
    """Say which terms are in no line, and which are not held."""
    if use and use.unmatched:
        yield Message("Terms of the glossary that are in no line: {terms}.", terms=_named(use.unmatched))
    if use and use.not_held:
        named = _named([term.source for term in use.not_held])
        yield Message("Terms of the glossary that the translation does not hold in every line: {terms}.", terms=named)


def _named(terms: Sequence[str]) -> str:
    return ", ".join([*terms[:_MOST_NAMED], *(["…"] if len(terms) > _MOST_NAMED else [])])


def _between(text: str, matches: Sequence[Match]) -> list[str]:
    """Return what stands before, between and behind the terms of a text."""
    ends = [(0, 0), *((match.start, match.end) for match in matches), (len(text), len(text))]
    return [text[before[1] : after[0]] for before, after in pairwise(ends)]


def _woven(parts: Sequence[str], marks: Iterable[str]) -> str:
    return parts[0] + "".join(chain.from_iterable(zip(marks, parts[1:], strict=True)))


def _numbers(form: str, text: str, matches: Sequence[Match]) -> list[int]:
    """Return the number of each term's mark: of none that stands in the text itself."""
    there = {int(mark[1]) for mark in marks_pattern(form).finditer(text)}
    return [*islice((number for number in count(1) if number not in there), len(matches))]


@cache
def marks_pattern(form: str) -> re.Pattern[str]:
    """Return what finds the marks of a form in a text; letters of other scripts may touch them, spaces be in them."""
    before, after = (re.escape(part) for part in form.format("|").split("|"))
    return re.compile(rf"(?<![A-Za-z0-9]){before}\s?([0-9]{{1,6}})\s?{after}(?![A-Za-z0-9])", re.IGNORECASE)
