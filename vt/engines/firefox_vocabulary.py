"""Words that a model's vocabulary lacks: replaced by such as it has, or not given to it, as it would make up an answer.

A vocabulary that was made from plain text lacks curly quotes, dashes, signs of money and foreign letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vt.text.splitting import has_words

Tokens = Callable[[str], Sequence[int]]
"""Returns a text's tokens as numbers, with `UNKNOWN` for what the vocabulary does not have."""
UNKNOWN = -1
_WORD = re.compile(r"\w+|\W+")
# Many vocabularies have only the plain forms of these. Put in where a character is unknown, and not taken back.
_PLAIN = {
    **dict.fromkeys("’‘‚‛`´", "'"),
    **dict.fromkeys("“”„‟«»", '"'),
    **dict.fromkeys("–‐‑‒−", "-"),
    "—": " - ",
    "…": "...",
    "¿": "",
    "¡": "",
}
_LETTERS = str.maketrans({
    "Ł": "L", "ł": "l", "Ø": "O", "ø": "o", "Đ": "D", "đ": "d", "ß": "ss",
    "Æ": "Ae", "æ": "ae", "Œ": "Oe", "œ": "oe", "ı": "i", "Þ": "Th", "þ": "th", "Ð": "D", "ð": "d",
})  # fmt: skip
"""Letters that are no other letter with a mark."""
_MONEY = "€£¥₹₽₩₺¢"
_PLACEHOLDER = "$"


@dataclass(frozen=True, slots=True)
class _Substituted:
    """A text as the model knows its characters, and what was substituted in it."""

    text: str
    words: dict[str, str]
    """The original words by their substitutes: Müller by Muller."""
    money: str
    """The sign of money that `_PLACEHOLDER` replaces; empty where it replaces none."""


class Source:
    """The language that a model reads, as its vocabulary has it. Not for several threads at once."""

    def __init__(self, tokens: Tokens, longest: int) -> None:
        """`longest` is how many tokens the model takes at most."""
        self._tokens, self._longest = tokens, longest
        self._known: dict[str, bool] = {}

    def fits(self, text: str) -> bool:
        """Tell whether a text is short enough for one input."""
        return len(self._tokens(text)) <= self._longest

    def translated(self, text: str, translate: Callable[[str], str]) -> str:
        """Have `translate` translate a text; words that stay unknown are not given to it, and keep their places."""
        substituted = self._substituted(text)
        done = [translate(run) if known and has_words(run) else run for known, run in self._runs(substituted.text)]
        return _restored(" ".join(part for part in done if part), substituted)

    def _substituted(self, text: str) -> _Substituted:
        plain = "".join(
            char if self._knows(char) else _PLAIN.get(char, char) for char in self._with_symbols_apart(text)
        )
        money = {char for char in plain if char in _MONEY and not self._knows(char)}
        money_sign = money.pop() if len(money) == 1 and _PLACEHOLDER not in plain else ""
        words: dict[str, str] = {}
        found = _WORD.findall(plain.replace(money_sign, _PLACEHOLDER) if money_sign else plain)
        return _Substituted("".join(self._without_unknown_marks(part, words) for part in found), words, money_sign)

    def _with_symbols_apart(self, text: str) -> str:
        """Set symbols such as notes and emoji apart from the words that they touch."""
        kinds = [self._is_symbol(char) - char.isalnum() for char in text]
        spaces = ["", *(" " if {*two} == {1, -1} else "" for two in pairwise(kinds))]
        return "".join(space + char for space, char in zip(spaces, text, strict=True))

    def _is_symbol(self, char: str) -> bool:
        return unicodedata.category(char) == "So" and not self._knows(char)

    def _without_unknown_marks(self, word: str, words: dict[str, str]) -> str:
        """Return a word without the marks that its letters bear and the vocabulary does not know."""
        if all(map(self._knows, word)):
            return word
        bare = "".join(char if self._knows(char) else _without_marks(char) for char in word)
        if bare != word:
            words[bare] = word
        return bare

    def _runs(self, text: str) -> Iterator[tuple[bool, str]]:
        """Cut a text between words into runs that are known and runs that hold something unknown."""
        run: list[str] = []
        known = True
        for word in text.split():
            if run and known is not all(map(self._knows, word)):
                yield known, " ".join(run)
                run = []
            known = all(map(self._knows, word))
            run.append(word)
        yield known, " ".join(run)

    def _knows(self, char: str) -> bool:
        if char not in self._known:
            self._known[char] = UNKNOWN not in self._tokens(char)
        return self._known[char]


def _without_marks(char: str) -> str:
    letters = unicodedata.normalize("NFKD", char.translate(_LETTERS))
    return "".join(one for one in letters if not unicodedata.combining(one))


def _restored(text: str, substituted: _Substituted) -> str:
    """Put back the original words and signs in place of their substitutes, where these came through unchanged."""
    if substituted.words:
        text = "".join(substituted.words.get(part, part) for part in _WORD.findall(text))
    if substituted.money and text.count(_PLACEHOLDER) == substituted.text.count(_PLACEHOLDER):
        text = text.replace(_PLACEHOLDER, substituted.money)
    return text
