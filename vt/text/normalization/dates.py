"""Text normalization of dates and times of day."""

from __future__ import annotations

import re
from functools import cache, partial

from vt.text.normalization import numbers
from vt.text.normalization.agreement import agreed
from vt.text.normalization.table import Words

_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_WRITTEN = re.compile(r"(?<![\d./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d\d)(?![\d/]|[.-]\d)")
_GERMAN_DAY = re.compile(r"\b(?i:(am|vom|zum|bis|der|dem|den|seit|ab)) (\d\d?)\.(\d\d?)\.(?!\d)")
_OF = {"es": " de ", "pt": " de ", "ca": " de ", "fr": " ", "it": " ", "hi": " "}
"""Between day, month and year."""
_ARTICLES = {"l": "il", "dell": "del", "all": "al", "dall": "dal", "nell": "nel"}
_DATIVE = ("am", "zum", "vom", "bis", "dem", "den", "beim", "seit", "ab")
_MONTHS_OF = {
    short: number
    for number, shorts in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep,Sept", "Oct", "Nov", "Dec"], 1
    )
    for short in shorts.split(",")
}
_TIME = re.compile(
    r"(?<![\d:.,])([01]?\d|2[0-4])(?::| ?h ?)([0-5]\d)(?::([0-5]\d))?(?![\d:])(?: (?:Uhr|uur|बजे|h|hs|hrs)(?!\w))?"
    r"(?: ?([AaPp])(?:[Mm]\b|\. ?[Mm]\.))?"
)
_FULL_HOUR = re.compile(r"(?<![\d:.,/])(1[0-2]|0?[1-9]) ?([AaPp])(?:[Mm]\b|\. ?[Mm]\.)")
_POINTED = re.compile(
    r"\b((?:alle|dalle|ore|às|las|um) )([01]?\d|2[0-3])\.([0-5]\d)(?![\d.,%])|"
    r"\b([01]?\d|2[0-3])\.([0-5]\d)(?= Uhr)"
)
"""A time with a point in it, by the word before or behind it."""
_EVENING = {"es": 8, "ca": 8, "pt": 7, "fr": 6, "it": 6, "de": 6, "hi": 5}
"""The hour after noon from which on it is evening, or night."""
_FEMININE = {"es": "horas", "pt": "horas", "ca": "hores", "fr": "heures", "it": "volta"}
"""What hours agree with."""


def with_dates(text: str, words: Words) -> str:
    """Return the text with its dates in words, for a language whose months are known."""
    text = _ISO.sub(lambda found: _date(found, int(found[3]), int(found[2]), found[1], words), text)
    text = _WRITTEN.sub(partial(_in_figures, words=words), text)
    if words.code == "en":
        return english_days_pattern().sub(partial(_english_day, words=words), text)
    if words.code == "de":
        text = _GERMAN_DAY.sub(partial(_german_short, words=words), text)
    else:
        return first_days_pattern(words).sub(partial(_first_day, words=words), text)
    return text


def _german_short(found: re.Match[str], words: Words) -> str:
    """Return a date without its year: am 24.12."""
    day, month = int(found[2]), words.term("month", str(int(found[3])))
    ending = "n" if found[1].lower() in _DATIVE else ""
    return f"{found[1]} {numbers.ordinal(day, words)}{ending} {month}" if 1 <= day <= 31 and month else found[0]


def _in_figures(found: re.Match[str], words: Words) -> str:
    first, mark, second, year = int(found[1]), found[2], int(found[3]), found[4]
    if mark != "/" and len(year) == 2:
        return found[0]
    day, month = (second, first) if words.code == "en" and mark == "/" else (first, second)
    if month > 12 >= day:
        day, month = month, day
    return _date(found, day, month, year if len(year) == 4 else ("20" if year < "50" else "19") + year, words)


def _date(found: re.Match[str], day: int, month: int, year: str, words: Words) -> str:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return found[0]
    named, said = words.term("month", str(month)), numbers.year(year, words)
    if words.code == "en":
        return f"{named} {numbers.ordinal(day, words)}, {said}"
    if words.code == "de":
        return f"{_german_day(found, day, words)} {named} {said}"
    between = _OF[words.code]
    before = "d'" if words.code == "ca" and named[0] in "ao" else between.strip() + " " * (len(between) > 1)
    return f"{_day(day, words)} {before}{named}{between}{said}"


def _day(day: int, words: Words) -> str:
    if day == 1 and words.code == "ca":
        return "u"
    if day == 1 and words.code in ("es", "fr", "it", "pt"):
        return numbers.ordinal(1, words)
    return numbers.whole(str(day), words)


def _german_day(found: re.Match[str], day: int, words: Words) -> str:
    last = (found.string[max(0, found.start() - 12) : found.start()].lower().split() or [""])[-1]
    ending = "n" if last in _DATIVE else "" if last in ("der", "die", "das") else "r"
    return numbers.ordinal(day, words) + ending


@cache
def english_days_pattern() -> re.Pattern[str]:
    """Return what finds May 1, May 1st 2024, Jan. 5 and 1 May 2024."""
    full = "January|February|March|April|May|June|July|August|September|October|November|December"
    months = rf"(?:{full}|(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?)"
    day = r"(0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
    year = r"(?:,? (1[1-9]\d\d|20\d\d)(?![\d%]|[.,:]\d))?"
    return re.compile(rf"\b({months}) {day}(?![\w%]|[.,:/-]\d){year}|\b(the )?{day} (?:of )?({months})(?!\w){year}")


def _english_day(found: re.Match[str], words: Words) -> str:
    month, day, year = (found[1], found[2], found[3]) if found[1] else (found[6], found[5], found[7])
    named = words.term("month", str(_MONTHS_OF[month[:3]]))
    said = numbers.ordinal(int(day), words)
    if found[1]:
        return f"{named} {said}" + (f", {numbers.year(year, words)}" if year else "")
    return f"the {said} of {named}" + (f" {numbers.year(year, words)}" if year else "")


@cache
def first_days_pattern(words: Words) -> re.Pattern[str]:
    """Return what finds the first of a month, which is an ordinal in many languages."""
    months = "|".join(words.term("month", str(number)) for number in range(1, 13))
    of = {"es": r" de ", "pt": r" de ", "ca": r" (?:de |d['’])"}.get(words.code, " ")
    return re.compile(rf"(?:\b(l|dell|all|dall|nell)['’]|\b)0?1(?={of}(?:{months})\b)")


def _first_day(found: re.Match[str], words: Words) -> str:
    elided = found[1]
    if elided and words.code == "it":
        return f"{_ARTICLES[elided]} {_day(1, words)}"
    return found[0].rstrip("01") + _day(1, words)


def with_times(text: str, words: Words) -> str:
    """Return the text with its times of day in words."""
    if words.terms:
        text = _POINTED.sub(lambda found: f"{found[1] or ''}{found[2] or found[4]}:{found[3] or found[5]}", text)
    if not words.terms:
        text = _ISO.sub(lambda date: f"{date[1]} {int(date[2])} {int(date[3])}", text)
    text = numbers.with_telephones(text, words)
    text = _TIME.sub(lambda time: numbers.apart(_with_point(_time(time, words), time), time), text)
    if words.terms:
        text = _FULL_HOUR.sub(partial(_full_hour, words=words), text)
    return text


def _time(found: re.Match[str], words: Words) -> str:
    hours, minutes, seconds = int(found[1]), int(found[2]), found[3]
    half = (found[4] or "").lower() if words.terms else ""
    said = _clock(hours, minutes, words, bare=bool(half or seconds))
    if seconds and words.terms:
        unit = words.term("unit", "s", one=int(seconds) == 1)
        said += f" {words.and_} {agreed(numbers.whole(str(int(seconds)), words), unit, words.code)} {unit}"
    elif seconds:
        said += f" {numbers.whole(str(int(seconds)), words)}"
    elif found[4] and not half:
        said += f" {found[4]}m"
    return _with_part_of_day(said, hours, half, words)


def _full_hour(found: re.Match[str], words: Words) -> str:
    if words.code == "de" and found[2] in "Aa":  # um 3 am Morgen
        return found[0]
    hours = int(found[1])
    return _with_point(_with_part_of_day(_clock(hours, 0, words, bare=True), hours, found[2].lower(), words), found)


def _with_part_of_day(said: str, hours: int, half: str, words: Words) -> str:
    """Return a time with the words for its part of the day: in the morning, in the evening."""
    if not half:
        return said
    late = half == "p" and _EVENING.get(words.code, 13) <= hours < 12
    night = words.code == "es" and half == "a" and hours == 12
    named = words.term("day", "evening" if late or night else f"{half}m")
    return f"{named} {said}" if words.code == "hi" else f"{said} {named}"


def _with_point(said: str, found: re.Match[str]) -> str:
    """Return a time with the point of p.m. where that ends the text too."""
    return said + "." * (found[0].endswith(".") and found.end() == len(found.string))


def _clock(hours: int, minutes: int, words: Words, bare: bool) -> str:
    """Return hours and minutes; `bare`: more follows, so that nothing stands behind a full hour."""
    said = agreed(numbers.whole(str(hours), words), _FEMININE.get(words.code, ""), words.code)
    if words.code == "de" and hours == 1:
        said = "ein"
    if not minutes:
        sharp = "hundred" if words.code == "en" and not 1 <= hours <= 12 else words.named("sharp", one=hours < 2)
        return f"{said} {'' if bare and words.code not in ('fr', 'de', 'hi') else sharp}".strip()
    behind = f"{'oh ' * (words.code == 'en' and minutes < 10)}{numbers.whole(str(minutes), words)}"
    behind += " मिनट" * (words.code == "hi")
    return " ".join(part for part in (said, words.named("past", one=hours < 2), behind) if part)
