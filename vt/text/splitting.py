"""Texts cut into single sentences that a translator can take, and what comes of them put together again."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from vt.domain import Word
from vt.text.sentences import sentences

# Where no space need follow the end of a sentence. A point between digits ends none.
_UNSPACED_ENDS = re.compile(r"(?:(?:[。｡？！‼⁇⁈⁉؟۔।॥։።፧។៕]|(?<!\d)．|(?<=\d)．(?!\d))[”’»›)\]}」』】》〉）］\"']*)+")
_HALFWAY = re.compile(r"[,;:،؛、，；：]\s*|\s[–—-]\s")
_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_MIDDLE = 0.3
"""Of a text, what lies before and behind the stretch in which it is best divided."""
UNSPACED_SCRIPTS = {"Jpan", "Hans", "Hant"}
"""They put nothing between two sentences. Thai, Lao, Khmer, Burmese and Tibetan do, though not between words."""


def has_words(text: str) -> bool:
    """Tell whether there is anything to translate: not in numbers, punctuation and emoji."""
    return any(char.isalpha() for char in text)


def readable(text: str) -> str:
    """Return a text in which a space stands for whatever nobody reads: control characters, halves of letters."""
    return _UNREADABLE.sub(" ", text)


def pieces(text: str, fits: Callable[[str], bool]) -> list[str]:
    """Cut a text into its sentences, and those that do not fit at commas, else spaces, else anywhere.

    Nothing is dropped: put together, the pieces are the text, but for the spaces.
    """
    return [part for sentence in _sentences(text) for part in _fitting(sentence, fits)]


def joined(parts: Sequence[str], script: str) -> str:
    """Put translated pieces together as a script (ISO 15924, such as Latn or Jpan) does."""
    return ("" if script in UNSPACED_SCRIPTS else " ").join(part for part in parts if part)


def _sentences(text: str) -> list[str]:
    # Spoken all at once: then nothing but its punctuation, read as in speech, divides it.
    flat = " ".join(text.split())
    words = [Word(0.0, 0.0, part) for part in _parts(flat)]
    found = [part.text for part in sentences(words, max_seconds=math.inf, max_characters=len(text) + 1)]
    return found if _bare("".join(found)) == _bare(text) else [flat]


def _parts(flat: str) -> Iterator[str]:
    """Yield the words of a text, each with the space before it, and divided where a sentence may end within it."""
    for number, word in enumerate(flat.split(" ")):
        here, before = 0, " " if number else ""
        for ends in _UNSPACED_ENDS.finditer(word):
            yield before + word[here : ends.end()]
            here, before = ends.end(), ""
        if here < len(word):
            yield before + word[here:]


def _bare(text: str) -> str:
    return "".join(text.split())


def _fitting(text: str, fits: Callable[[str], bool]) -> list[str]:
    if len(text) < 2 or fits(text):
        return [text]
    at = _division(text)
    halves = (text[:at].strip(), text[at:].strip())
    return [part for half in halves if half for part in _fitting(half, fits)]


def _division(text: str) -> int:
    """Return where to divide a text: the nearest to its middle of what hurts least."""
    middle = len(text) / 2
    for kind in (_HALFWAY, _SPACE):
        places = [found.end() for found in kind.finditer(text)]
        near = [place for place in places if _MIDDLE <= place / len(text) <= 1 - _MIDDLE]
        if near:
            return min(near, key=lambda place: abs(place - middle))
    inside = (place for place in range(1, len(text)) if not unicodedata.category(text[place]).startswith("M"))
    return min(inside, key=lambda place: abs(place - middle), default=len(text) // 2)
