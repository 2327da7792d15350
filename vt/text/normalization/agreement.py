"""Numbers before what is counted: un libro, una persona, quinientas personas, duas horas, eine Stunde."""

from __future__ import annotations

import re

from vt.text.normalization.table import listed

_ENDINGS: dict[str, tuple[str, ...]] = {
    "es": ("a", "as", "ción", "sión", "ciones", "siones", "dad", "dades", "tud", "tudes"),
    "pt": ("a", "as", "ção", "são", "ções", "sões", "dade", "dades", "gens"),
    "ca": ("a", "ció", "sió", "cions", "sions", "tat", "tats", "tud", "tuds"),
    "fr": ("tion", "tions", "sion", "sions", "ées", "ité", "ités", "ence", "ences", "ance", "ances", "ette", "ettes"),
    "it": ("a",),
    "de": ("e", "ung", "heit", "keit", "schaft", "ion", "tät"),
}
"""Of most feminine nouns."""
_NEAR = 24
_NEXT = re.compile(r" (?:mil )?([^\W\d_]+)")


def noun_behind(text: str, start: int, end: int) -> str:
    """Return what seems to be counted by the number between two places of a text; nothing where none is."""
    found = _NEXT.match(text, end)
    if not found or found[1].lower() in listed("no_noun"):
        return ""
    words = text[max(0, start - _NEAR) : start].lower().split()
    return "" if words and words[-1].startswith(tuple(listed("label"))) else found[1]


def agreed(said: str, noun: str, code: str) -> str:
    """Return a whole number in words as it stands before a noun."""
    if not noun or code not in _AGREED:
        return said
    return _AGREED[code](said, noun, is_feminine(noun, code))


def is_feminine(noun: str, code: str) -> bool:
    """Tell whether a noun is feminine, by its ending and a list of exceptions; of several words the first counts."""
    head = noun.split(maxsplit=1)[0].lower()
    return head in listed("feminine") or (head.endswith(_ENDINGS[code]) and head not in listed("masculine"))


def _spanish(said: str, noun: str, feminine: bool) -> str:
    del noun
    if not feminine:
        return re.sub(r"veintiuno$", "veintiún", re.sub(r"\buno$", "un", said))
    if "mill" in said:
        return re.sub(r"uno$", "una", said)
    return re.sub(r"uno$", "una", re.sub(r"(cient|quinient)os\b", r"\1as", said))


def _portuguese(said: str, noun: str, feminine: bool) -> str:
    del noun
    if not feminine or "milh" in said:
        return said
    said = re.sub(r"entos\b", "entas", said)
    return re.sub(r"\bdois\b", "duas", re.sub(r"\bum\b", "uma", said))


def _catalan(said: str, noun: str, feminine: bool) -> str:
    del noun
    if not feminine or "mili" in said:
        return said
    said = re.sub(r"-cents\b", "-centes", said)
    return re.sub(r"\bdos\b", "dues", re.sub(r"\bun$", "una", said))


def _french(said: str, noun: str, feminine: bool) -> str:
    del noun
    return re.sub(r"\bun$", "une", said) if feminine else said


def _italian(said: str, noun: str, feminine: bool) -> str:
    if said != "uno":
        return said
    if feminine:
        return "una"
    return "uno" if re.match(r"[zxy]|gn|ps|s[^aeiouàèéìòù]", noun) else "un"


def _german(said: str, noun: str, feminine: bool) -> str:
    if said != "eins" or not noun[0].isupper():
        return said
    return "eine" if feminine else "ein"


_AGREED = {"es": _spanish, "pt": _portuguese, "ca": _catalan, "fr": _french, "it": _italian, "de": _german}
