"""Text as it is spoken: numbers, times, sums of money, units and symbols in words, for voices that read letters only.

Three kinds of languages are told apart by `spelling.tsv`: those whose numbers num2words knows, those with ten names of
digits (24 is then said "two four", which is understood), and all others, whose digits stay as they are: a voice that
learnt digits says them, any other leaves them out. A number in a foreign language is worse, as such a voice reads the
foreign spelling by its own rules; the subtitles have the number in any case.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

_TABLE = Path(__file__).with_name("spelling.tsv")
_YEARS_APART = {"en", "de"}
"""Languages that say a year otherwise than the number: nineteen eighty-four."""
_DECIMALS_APART = {"en", "de", "nl", "sv"}
"""Languages that say each digit behind the point by itself."""
_LONGEST = 9
"""Digits without separators: a longer run is no number but a telephone's, an account's or the like."""
_LONGEST_NUMBER = 66
"""Digits with separators: of more than that nobody knows the name."""
_ONE = {"es": (("veintiuno", "veintiún"), ("uno", "un")), "de": (("eins", "ein"),)}
"""How a number that ends in one looks before what is counted."""
_MILLIONS = re.compile(r"(?:mill?[oó]n(?:es)?|milh(?:ão|ões)|mili(?:ó|ons)|milli(?:on|ard)s?)$")
_OF = {"es": "de", "pt": "de", "ca": "de", "fr": "de"}
"""Stands between millions and what is counted."""
_ORDINALS = {
    code: re.compile(rf"(?<![\w.,])(\d{{1,4}})({ending})")
    for code, ending in {
        "en": r"(?:st|nd|rd|th)\b",
        "es": r"\.?[ºª]",
        "pt": r"\.?[ºª]",
        "fr": r"(?:er|re|ère|ème|e)\b",
        "nl": r"(?:e|de|ste)\b",
        "de": r"\.(?= (?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)\b)",
    }.items()
}
_FEMININE = {"ª": (re.compile(r"o\b"), "a")} | dict.fromkeys(("re", "ère"), (re.compile(r"er\b"), "ère"))
"""By the ending: what of the masculine is replaced, and by what."""
_GERMAN_DATE = re.compile(r"(?<=am |im |um )(\w+te)(?= [A-Z])|(?<=zum |vom |bis |dem |den )(\w+te)(?= [A-Z])")
_MARKS = str.maketrans({"−": "-", "٪": "%", "％": "%", "＋": "+", "\u00a0": " ", "\u202f": " ", "\u2009": " "})
_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_TELEPHONE = re.compile(r"(?<!\w)\+\d[\d ()-]{5,}\d|(?<![\w-])\d{2,}(?:-\d{2,}){2,}(?![\w-])")
_TIME = re.compile(r"(?<![\d:.,])([01]?\d|2[0-4])(?::| ?h ?)([0-5]\d)(?![\d:])(?: (?:Uhr|uur)\b)?")
_RANGE = re.compile(r"(?<=\d)\s?[-–]\s?(?=\d)")
_DECADE = re.compile(r"\b(1[1-9]\d0|20\d0)s\b")
_MONEY = {"€": "euro", "$": "dollar", "£": "pound", "¥": "yen"}
_PERCENT_BEFORE = re.compile(r"% ?(\d+(?:[.,]\d+)*)")
_PERCENT_FIRST = {"tr", "sw"}
"""They name the hundred before the number, and Turkish writes it there too: %5."""
_UNITS = {**_MONEY, "%": "percent", "°": "degrees", "km": "km", "m": "m", "cm": "cm", "mm": "mm", "kg": "kg"}
_ALONE = {"&": "and", "@": "at", "=": "equals", "+": "plus", "%": "percent", "°": "degrees", **_MONEY}
_SCALE = r"(?: ?(?:[bmt]r?il[lj]?\w+|milh\w+|mil|mrd|mld|mln|thousand|hundred|tausend|tusen|bn|m|k)\b\.?)?"


@dataclass(frozen=True, slots=True)
class _Words:
    """One row of the table: how a language says what is no letter; empty where that is not known."""

    code: str
    numbers: str = ""
    """num2words's name of the language."""
    decimal: str = "."
    point: str = ""
    minus: str = ""
    plus: str = ""
    percent: str = ""
    degrees: str = ""
    and_: str = ""
    at: str = ""
    equals: str = ""
    to: str = ""
    past: str = ""
    """Between hours and minutes."""
    sharp: str = ""
    """Behind a full hour."""
    euro: str = ""
    dollar: str = ""
    pound: str = ""
    yen: str = ""
    km: str = ""
    m: str = ""
    cm: str = ""
    mm: str = ""
    kg: str = ""
    per_hour: str = ""
    digits: str = ""
    """From nought to nine, where num2words does not know the language."""

    def named(self, name: str, one: bool = False) -> str:
        """Return the word of a column, in the singular for `one`."""
        word: str = getattr(self, "and_" if name == "and" else name)
        return word.split("|")[0 if one else -1]


@cache
def _table() -> dict[str, _Words]:
    lines = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines()]
    if [field.name.rstrip("_") for field in fields(_Words)] != lines[0]:
        raise ValueError("spelling.tsv has other columns than are read here")
    return {line[0]: _Words(*line) for line in lines[1:]}


def spelled(text: str, language_code: str) -> str:
    """Return the text with everything that has a spoken form in words; punctuation and other letters stay.

    Args:
        text: one line of a dub.
        language_code: of the text, as in the table of languages (es, pt, sw); its region is of no account.
    """
    words = _table().get(language_code.split("-", maxsplit=1)[0])
    text = "".join(_western(char) for char in text.translate(_MARKS))
    if words is None:
        return text
    if words.numbers or words.digits:
        text = _with_numbers(text, words)
    return _with_symbols(text, words)


def _western(char: str) -> str:
    """Turn the digits of any script, and Arabic's separators, into those that num2words reads."""
    if char in "٫٬":
        return "." if char == "٫" else ","
    return char if char.isascii() or not char.isdecimal() else str(unicodedata.decimal(char))


def _with_numbers(text: str, words: _Words) -> str:
    if words.code in _PERCENT_FIRST:
        text = _PERCENT_BEFORE.sub(r"\1 %", text)
    text = _ISO_DATE.sub(lambda date: f"{date[1]} {int(date[2])} {int(date[3])}", text)
    text = _TELEPHONE.sub(lambda number: _apart(_each(number[0], words), number), text)
    text = _TIME.sub(lambda time: _apart(_time(int(time[1]), int(time[2]), words), time), text)
    if words.code == "en":
        text = _DECADE.sub(lambda decade: re.sub(r"y$|$", "ies", _year(decade[1], words), count=1), text)
    text = _ordinals(text, words)
    text = _RANGE.sub(f" {words.to} " if words.to else " ", text)
    return _quantities(words).sub(lambda found: _apart(_quantity(found, words), found), text)


def _apart(said: str, found: re.Match[str]) -> str:
    """Return the words, with a space towards a letter that touches them: B2B."""
    start, end = found.span()
    before, after = found.string[max(0, start - 1) : start], found.string[end : end + 1]
    return " " * before.isalnum() + said + " " * after.isalnum()


@cache
def _quantities(words: _Words) -> re.Pattern[str]:
    """Return what finds a number with its sign, currency and unit, by the language's own separators."""
    comma, thousands = (",", r"[. '’]") if words.decimal == "," else (r"\.", r"[,'’]")
    number = rf"\d{{1,3}}(?:{thousands}\d{{3}})+(?!\d)(?:{comma}\d+)?|\d+(?:[.,]\d+)?"
    money = r"(?:US)?\$|[€£¥]"
    unit = r"%|°[CF]?|[€$£¥]|(?:km/h|km|kg|cm|mm|m)\b"
    return re.compile(
        rf"(?P<sign>(?<![\w)])[-+])?(?P<money>(?:{money}) ?)?(?(money)(?P<minus>-)?)(?<!\d)(?P<number>{number})"
        rf"(?(money)(?P<scale>(?<=\d){_SCALE})?)(?: ?(?P<unit>{unit}))?"
    )


def _quantity(found: re.Match[str], words: _Words) -> str:
    """Return a number as it is said, with what is counted behind it."""
    money, unit = (found["money"] or "").strip(" US"), found["unit"] or ""
    symbol = money or unit
    per_hour, name = symbol == "km/h", _UNITS.get(symbol.removesuffix("/h").rstrip("CF"), "")
    whole, fraction = _split(found["number"], words)
    counted = words.named(name, one=whole == "1" and not fraction) if name else ""
    said = _number(whole, "" if symbol in _MONEY and len(fraction) == 2 else fraction, words, bool(counted))
    parts = [_sign(found, words), said, (found["scale"] or "").strip(), counted or symbol]
    if counted and _MILLIONS.search(" ".join(parts[:3]).strip()) and (of := _OF.get(words.code)):
        parts.insert(3, of)
    if symbol == "%" and counted and words.code in _PERCENT_FIRST:
        parts.insert(0, parts.pop(3))
    if symbol in _MONEY and len(fraction) == 2 and int(fraction):
        parts.append(_whole(fraction.lstrip("0"), words))
    if per_hour:
        parts.append(words.per_hour)
    return " ".join(part for part in parts if part)


def _sign(found: re.Match[str], words: _Words) -> str:
    if found["sign"] == "+":
        return words.plus
    return words.minus if found["sign"] or found["minus"] else ""


def _split(number: str, words: _Words) -> tuple[str, str]:
    """Return what stands before and behind the decimal separator, the former with its separators of thousands."""
    grouped = re.match(r"\d{1,3}(?:[.,' ’]\d{3})+(?!\d)", number)
    before, _, behind = number.rpartition(words.decimal)
    if grouped and not (before.isdecimal() and behind.isdecimal() and len(behind) == 3):
        return grouped[0], number[grouped.end() + 1 :]
    whole, _, fraction = number.replace(",", ".").partition(".")
    return whole, fraction


def _number(whole: str, fraction: str, words: _Words, counting: bool) -> str:
    # With separators it is a number, however long.
    said = _whole(whole, words) if whole.isdigit() else _said(re.sub(r"\D", "", whole), words) or _each(whole, words)
    if re.fullmatch(r"1[1-9]\d\d|20[1-9]\d", whole) and not fraction and not counting:
        said = _year(whole, words)
    if fraction:
        apart = words.code in _DECIMALS_APART or len(fraction) > 2 or fraction[0] == "0"
        behind = _each(fraction, words) if apart else _whole(fraction, words)
        said = " ".join(part for part in (said, words.point, behind) if part)
    elif counting:
        for ending, shorter in _ONE.get(words.code, ()):
            if said.endswith(ending) and (words.code != "de" or said == ending):
                return said.removesuffix(ending) + shorter
    return said


def _whole(digits: str, words: _Words) -> str:
    """Return a whole number in words; digit by digit where it is a code more than a number."""
    is_code = len(digits) > _LONGEST or (digits[0] == "0" and len(digits) > 1)
    return ("" if is_code else _said(digits, words)) or _each(digits, words)


def _each(digits: str, words: _Words) -> str:
    return " ".join(_digit(digit, words) for digit in re.findall(r"\d", digits))


@cache
def _digit(digit: str, words: _Words) -> str:
    return words.digits.split()[int(digit)] if words.digits else _said(digit, words) or digit


def _said(digits: str, words: _Words, to: str = "cardinal") -> str:
    """Return num2words's words for a whole number; nothing where it has none."""
    if not words.numbers or len(digits) > _LONGEST_NUMBER:
        return ""
    from num2words import num2words  # type: ignore[import-untyped]

    try:
        said = str(num2words(int(digits), lang=words.numbers, to=to))
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        return ""  # its languages are of many hands, and each fails in its own way
    return said.replace(",", "")


def _year(digits: str, words: _Words) -> str:
    return (_said(digits, words, "year") if words.code in _YEARS_APART else "") or _whole(digits, words)


def _time(hours: int, minutes: int, words: _Words) -> str:
    said = _whole(str(hours), words)
    if words.code == "de" and hours == 1:
        said = "ein"
    if not minutes:
        return f"{said} {words.sharp}".strip()
    behind = f"{'oh ' * (words.code == 'en' and minutes < 10)}{_whole(str(minutes), words)}"
    return " ".join(part for part in (said, words.past, behind) if part)


def _ordinals(text: str, words: _Words) -> str:
    known = _ORDINALS.get(words.code)
    if not known:
        return text

    def said(found: re.Match[str]) -> str:
        ordinal = _said(found[1], words, "ordinal")
        masculine, feminine = _FEMININE.get(found[2].lstrip("."), (None, ""))
        if masculine:
            ordinal = masculine.sub(feminine, ordinal)
        return ordinal or found[0]

    text = known.sub(said, text)
    return _GERMAN_DATE.sub(r"\1\2n", text) if words.code == "de" else text


def _with_symbols(text: str, words: _Words) -> str:
    """Return the text with symbols that stand alone, or between words, in words."""
    for symbol, name in _ALONE.items():
        if symbol in text and (word := words.named(name)):
            text = f" {word} ".join(part.strip() for part in text.split(symbol)).strip()
    return text
