"""Pure: texts in which Whisper says the same several times over, reduced to one time."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PHRASE = 3  # words that nobody says twice in one sentence: "no, no" is no loop


def bare(text: str) -> str:
    """Return the text in lower case and without punctuation, and only once where it repeats itself throughout."""
    words = _plain(text).split()
    return " ".join(words[: _period(words)])


def once(text: str) -> str:
    """Return the text, and only once where it repeats three words or more throughout."""
    words = text.split()
    period = _period([_plain(word) for word in words])
    return " ".join(words[:period] if period >= _PHRASE else words)


def _plain(text: str) -> str:
    return re.sub(r"[^\w ]", "", text).lower()


def _period(words: Sequence[str]) -> int:
    """Return after how many words a text begins anew; all of them, where it says nothing twice."""
    lengths = (length for length in range(1, len(words)) if len(words) % length == 0)
    return next((length for length in lengths if words[length:] == words[:-length]), len(words))
