"""Sentences in capitals alone, as many captions of television have them, in small letters for whoever translates."""

from __future__ import annotations

import re

_FIRST = re.compile(r"(?:\A|(?<!\.\w)[.?!…][\"”’)]?\s)\W{0,9}+\w")
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}")
_PRONOUN = re.compile(r"\bi\b")
_LONGEST_ABBREVIATION = 4
"""A single word of so few letters may well be one, such as NASA, unless it is called out: "WAIT!"."""
_TURKISH = str.maketrans({"I": "ı", "İ": "i"})


def in_small_letters(text: str, code: str) -> str:
    """Return a sentence in capitals as it is usually written; any other as it is.

    Translators have hardly learned from capitals, and leave half of the words as they are. Names lose theirs, too:
    nobody can tell which they are.

    Args:
        text: one sentence or a few.
        code: of its language.
    """
    if not text.isupper() or _may_be_abbreviation(text):
        return text
    small = (text.translate(_TURKISH) if code in ("tr", "az") else text).lower()
    if code == "en":
        small = _PRONOUN.sub("I", small)
    return _DOTTED.sub(_upper, _FIRST.sub(_upper, small))


def _may_be_abbreviation(text: str) -> bool:
    words = [word for word in text.split() if word.isupper()]
    is_short = len(words) == 1 and sum(map(str.isalpha, text)) <= _LONGEST_ABBREVIATION
    return is_short and not text.endswith(("!", "?"))


def _upper(found: re.Match[str]) -> str:
    return found[0].upper()
