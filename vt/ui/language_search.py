"""Pure: the language that somebody means by what they typed."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

Names = Mapping[str, Sequence[str]]
"""What each language may be called, by its code."""


def find(typed: str, names: Names) -> str | None:
    """Return the code of the language that is meant, or None.

    A name counts more the nearer it is: the whole name or code, then one that begins so, then one of which a word
    begins so. Capitals and accents make no difference. Of several that are as near the first one counts.
    """
    wanted = _plain(typed)
    if not wanted:
        return None
    known = {code: [_plain(name) for name in (code, *called)] for code, called in names.items()}
    for is_near in (_is_it, _begins, _has_a_word):
        for code, called in known.items():
            if any(is_near(name, wanted) for name in called):
                return code
    return None


def _is_it(name: str, wanted: str) -> bool:
    return name == wanted


def _begins(name: str, wanted: str) -> bool:
    return name.startswith(wanted)


def _has_a_word(name: str, wanted: str) -> bool:
    return f" {wanted}" in name.replace("(", " ").replace("-", " ")


def _plain(text: str) -> str:
    """Return a text in small letters, without accents and without spaces around it."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(char for char in apart if not unicodedata.combining(char)).casefold().strip()
