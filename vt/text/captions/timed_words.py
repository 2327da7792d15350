"""Words with times of their own, as karaoke and the transcripts of recognisers have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from vt.domain import Word


def shared(piece: Word) -> Iterator[Word]:
    """Yield the words of a piece of text, each with its share of the piece's time and a space before it."""
    parts = piece.text.split()
    total, here = sum(map(len, parts)), piece.start
    for part in parts:
        end = here + (piece.end - piece.start) * len(part) / total
        yield Word(here, end, f" {part}", piece.probability)
        here = end


def joined(pieces: Iterable[Word]) -> tuple[Word, ...]:
    """Return the whole words of timed pieces of a text, such as syllables or tokens: only a space parts two words."""
    groups: list[list[Word]] = []
    is_open = False
    for piece in pieces:
        words = list(shared(piece))
        if words and is_open and not piece.text[0].isspace():
            groups[-1].append(words.pop(0))
        groups += [[word] for word in words]
        if piece.text:
            is_open = bool(groups) and not piece.text[-1].isspace()
    return tuple(
        Word(
            group[0].start,
            max(word.end for word in group),
            " " + "".join(word.text.strip() for word in group),
            min(word.probability for word in group),
        )
        for group in groups
    )
