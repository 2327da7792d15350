"""Numbers as a language writes them: those that a translation took over with the separators of its source.

A translator often leaves "1,500" as it was, which a Spanish reader takes for one and a half. Only such a number is
rewritten: it reads as a number in the source, and stands in the translation sign by sign as it stood there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("number_formats.tsv")
"""From Unicode CLDR 48 (Unicode licence v3); `from`: how many digits a number has at least whose digits are grouped."""
_SPACES = "\u00a0\u202f\u2009"
"""None of them lets a line end inside a number."""
_PLAIN = str.maketrans(dict.fromkeys(_SPACES, " "))
_NEAR = 40
"""Characters around a number that tell what it is."""
_NUMBERED = re.compile(
    r"(?i:v|ver|vers[iãa]\w{0,7}|release|fassung|chapters?|chapitre|kapitel|cap[ií]t\w{0,5}|sections?|secc?i[oóò]n?|"
    r"se[cçz]\w{0,6}|abschnitt|fig|figur\w{0,3}|abb|abbildung|tables?|tabl[ae]|tabel\w{0,3})[.:]?"
)
"""Words before a number whose point separates no decimals, in any language."""
_AT = frozenset(("at", "las", "às", "alle", "ore", "um", "les", "la", "à"))
"""Words before a time of day."""
_TIME = re.compile(r"(?:[01]?\d|2[0-3])\.[0-5]\d")
_CLOCK = re.compile(r"\s?(?:[ap]\.?\s?m\b|Uhr\b|uur\b)")
_TELEPHONE = re.compile(r"\d{3}(?: \d{3}){2}")
_UNIT = re.compile(
    r"\s?(?:[%€$£¥°]|(?:[kKMGT]?[BWgm]|[kMG]?Hz|[kcm]?m|m?l|[sht]|lbs?|mi|mph|km/h|euros?|d[oó]ll?are?s?|million\w*|mill\w+)\b)"
)


_MIXED = re.compile(r"(?<![\w.,])[1-9]\d{0,2}(?:[.,]\d{3}){2,6}(?![.,]?\d)")
_WHOLE = re.compile(r"\d{1,3}([^\d])\d{3}(?:\1\d{3}){1,5}")
"""A number of at least two separators, all of them alike: of thousands."""


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a language separates the digits of a number."""

    thousands: str
    decimal: str
    smallest: int

    def written(self, whole: str, fraction: str) -> str:
        """Return a number of bare digits as this language writes it."""
        if len(whole) >= self.smallest:
            first = len(whole) % 3
            groups = [whole[:first], *(whole[at : at + 3] for at in range(first, len(whole), 3))]
            whole = self.thousands.join(filter(None, groups))
        return whole + (fraction and self.decimal + fraction)


def localized(source: str, translation: str, source_language: str, target_language: str) -> str:
    """Return the translation with the numbers in it that were taken over as they stood written as its readers do.

    Versions, dates, times, addresses, telephone numbers and enumerations stay, and so does all that the translator
    wrote otherwise than the source has it.

    Args:
        source: one sentence or several.
        translation: of the source.
        source_language: a code of the table of languages; where its separators are not known, nothing is done.
        target_language: as `source_language`.
    """
    theirs, ours = _style(source_language), _style(target_language)
    if not (theirs and ours) or (theirs.thousands, theirs.decimal) == (ours.thousands, ours.decimal):
        return translation
    pattern = numbers_pattern(theirs)
    names = _numbers_in_names(pattern, source) & _numbers_in_names(pattern, translation)
    carried = Counter(_plain_number(found) for found in pattern.finditer(source) if _is_number(found, theirs, names))

    def rewritten(found: re.Match[str]) -> str:
        key = _plain_number(found)
        if not carried[key] or not _is_number(found, theirs, names):
            return found[0]
        carried[key] -= 1
        whole, _, fraction = key.partition(theirs.decimal)
        return ours.written(_digits(whole), fraction)

    return _MIXED.sub(lambda found: _unmixed(found[0], carried, ours), pattern.sub(rewritten, translation))


def _unmixed(number: str, carried: Counter[str], ours: NumberStyle) -> str:
    """Return a number whose separators a translator mixed (2,300.000), if the source has one of the same digits."""
    if not {",", "."} <= set(number):
        return number
    digits = _digits(number)
    whole = (key for key, count in carried.items() if count and _WHOLE.fullmatch(key))
    meant = next((key for key in whole if _digits(key) == digits), "")
    if not meant:
        return number
    carried[meant] -= 1
    return ours.written(digits, "")


def _digits(number: str) -> str:
    return "".join(filter(str.isdecimal, number))


def _plain_number(found: re.Match[str]) -> str:
    return found[0].translate(_PLAIN)


def _word_before(found: re.Match[str]) -> str:
    """Return the word before a number, or what of it touches the number."""
    words = found.string[max(0, found.start() - _NEAR) : found.start()].split()
    return words[-1] if words else ""


def _numbers_in_names(pattern: re.Pattern[str], text: str) -> set[tuple[str, str]]:
    """Return the numbers that follow a word with a capital, each with that word."""
    pairs = {(_word_before(found), _plain_number(found)) for found in pattern.finditer(text)}
    return {pair for pair in pairs if any(map(str.isupper, pair[0]))}


@cache
def number_styles() -> dict[str, NumberStyle]:
    """Return how each language of the table writes numbers, by its code."""
    rows = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    return {
        code: NumberStyle(_SPACES[0] if thousands == "space" else thousands, decimal, int(smallest))
        for thousands, decimal, smallest, codes in rows
        for code in codes.split()
    }


def _style(code: str) -> NumberStyle | None:
    return number_styles().get(code) or number_styles().get(code.split("-", maxsplit=1)[0])


@cache
def numbers_pattern(style: NumberStyle) -> re.Pattern[str]:
    """Return what finds a number with at least one separator, by the language's own.

    A space that lets a line end separates thousands only where the decimal separator is a comma, as in French.
    """
    comma = style.decimal == ","
    groups, decimal = (f"[. '’{_SPACES}]", ",") if comma else (f"[,'’{_SPACES}]", r"\.")
    indian = "" if comma else r"|[1-9]\d?(?:,\d\d)+,\d{3}(?:\.\d+)?"
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>{groups})\d{{3}}(?:(?P=mark)\d{{3}})*(?:{decimal}\d+)?"
    before = r"(?<![\w.,'’:/])(?<!\d[ \u00a0\u202f\u2009])" if comma else r"(?<![\w.,'’:/])(?<!\d[\u00a0\u202f\u2009])"
    behind = r"(?![.,'’:/ \u00a0\u202f\u2009]?\d)" if comma else r"(?![.,'’:/\u00a0\u202f\u2009]?\d)"
    return re.compile(rf"{before}(?:{grouped}{indian}|\d+{decimal}\d+){behind}(?![A-Za-z]{{1,4}}\d)")


def _is_number(found: re.Match[str], style: NumberStyle, names: set[tuple[str, str]]) -> bool:
    """Tell whether it is an amount, and no version, address, time or telephone number; `names` are in both texts."""
    start, end = found.span()
    last, number, behind = _word_before(found), _plain_number(found), found.string[end : end + _NEAR]
    if not found.string[start - 1 : start].isspace() and any(sign in last for sign in ("://", "www.", "@")):
        return False
    if _CLOCK.match(behind) or (_TIME.fullmatch(number) and last.lower() in _AT):
        return False
    if _TELEPHONE.fullmatch(number):
        return bool(_UNIT.match(behind))
    parts = number.split(".")
    if len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts):
        return False
    if style.decimal != "." or len(parts) != 2:
        return True
    # One point may belong to a name: Python 3.11, section 2.1.
    return not _NUMBERED.fullmatch(last) and ((last, number) not in names or bool(_UNIT.match(behind)))
