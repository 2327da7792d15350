"""Words that a translator between close languages does not know, rewritten in the other language by their endings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("apertium_endings.tsv")
_SHORTEST = 3
"""Letters before an ending, at least: what is shorter is a word of its own."""
_MARKS = "*#@"
"""What Apertium puts before a word that it does not know, cannot inflect or cannot translate."""
_PART = re.compile(r"\w+|\W")

Rewrite = Callable[[str], str]


def rewriter(source: str, target: str) -> Rewrite | None:
    """Return what rewrites a word of `source` in `target` (codes); None where the table has no endings for the two."""
    endings = _table().get((source, target))
    return None if endings is None else lambda word: _rewritten(word, endings)


def _rewritten(word: str, endings: Mapping[str, str]) -> str:
    # A capital stands for a name, which stays; so do words with figures in them.
    if not (word.isalpha() and word.islower()):
        return word
    start = next((at for at in range(len(word)) if word[at:] in endings), 0)  # of the longest ending
    return word[:start] + endings[word[start:]] if start >= _SHORTEST else word


def with_unknown_words_rewritten(marked: str, plain: str, rewrite: Rewrite) -> str:
    """Return `plain` with the words rewritten that Apertium did not know.

    Args:
        marked: a translation with the program's marks; a star of the text's own looks the same.
        plain: the same without marks, in which all stars are the text's own.
        rewrite: changes an unknown word.
    """
    with_marks, without = _PART.findall(marked), _PART.findall(plain)
    parts = list(_aligned(with_marks, without, rewrite))
    # Where the two differ by more than marks, nothing is certain.
    return plain if None in parts else "".join(part for part in parts if part)


def _aligned(marked: list[str], plain: list[str], rewrite: Rewrite) -> Iterator[str | None]:
    """Yield the parts of `plain`, those behind a star rewritten; None where the two cannot be the same text."""
    here, mark = 0, ""
    for part in marked:
        if here < len(plain) and part == plain[here]:
            yield rewrite(part) if mark == "*" else part
            here, mark = here + 1, ""
        elif part in _MARKS and not mark:
            mark = part
        else:
            yield None
    if here < len(plain):
        yield None


@cache
def _table() -> dict[tuple[str, str], dict[str, str]]:
    rows = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    return {(row[0], row[1]): dict(pair.split(":") for pair in row[2].split()) for row in rows}
