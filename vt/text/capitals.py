"""Sentences in capitals alone, as many captions of television have them, in small letters for whoever translates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache

from vt import languages
from vt.text.captions.speakers import ROLES

_FIRST = re.compile(r"(?:\A|(?<!\.\w)[.?!…][\"”’)]?\s)\W{0,9}+\w")
_DOTTED = re.compile(r"(?<!\w)(?:[^\W\d_]\.){2,}")
_PRONOUN = re.compile(r"\bi\b")
_LONGEST_ABBREVIATION = 4
"""A single word of so few letters may well be one, such as NASA, unless it is called out: "WAIT!"."""
_LETTERS = re.compile(r"[^\W\d_]+")
_TITLE = re.compile(r"\b(?:mrs?|ms|prof|dra?|sr|srta|sra|mme|mlle)\b\.?\s[^\W\d_]")
_GOES_ON = ",;-"
_MOST_WORDS = 3
"""Of a name that is looked up."""
_ALSO_WORDS = frozenset(
    ["may", "march", "turkey", "china", "jersey", "guinea", "chad", "jordan", "georgia", "polish", "peru"]
)
"""Names of places, months and languages that are as often something else."""
_TURKIC = ("tr", "az")
_TURKISH = str.maketrans({"I": "ı", "İ": "i"})
_TURKISH_CAPITALS = str.maketrans({"i": "İ", "ı": "I"})
_BEGINNING = re.compile(r"\A[^\w]{0,9}+([^\W\d_]+)")


def names_of(sentences: Iterable[str], speakers: Iterable[str] = ()) -> dict[str, str]:
    """Return what a film writes with a capital within sentences and never without, by its small letters.

    Args:
        sentences: all of the film; those in capitals alone tell nothing.
        speakers: as captions name them.
    """
    alone = (speaker.lower() for speaker in speakers if _LETTERS.fullmatch(speaker))
    found = {speaker: speaker.capitalize() for speaker in alone if speaker not in ROLES}
    small = set[str]()
    for sentence in sentences:
        for word in () if sentence.isupper() else _LETTERS.finditer(sentence):
            before = sentence[: word.start()].rstrip()[-1:]
            if word[0].islower():
                small.add(word[0])
            elif len(word[0]) > 1 and (before.isalnum() or before in _GOES_ON) and before:
                found[word[0].lower()] = word[0]
    return {low: name for low, name in found.items() if low not in small}


def in_small_letters(text: str, code: str, names: Mapping[str, str] | None = None) -> str:
    """Return a sentence in capitals as it is usually written; any other as it is.

    Translators have hardly learned from capitals, and leave half of the words as they are. A name keeps its capital
    where the film shows that it is one, or a title before it, or where it is that of a place; others lose theirs.

    Args:
        text: one sentence or a few.
        code: of its language.
        names: what `names_of` returned for the film.
    """
    if not text.isupper() or _may_be_abbreviation(text):
        return text
    small = (text.translate(_TURKISH) if code in _TURKIC else text).lower()
    if code == "en":
        small = _PRONOUN.sub("I", small)
    small = _with_names(small, {**_known(code), **(names or {})})
    small = _TITLE.sub(lambda found: found[0].title(), small)
    return _DOTTED.sub(_upper, _FIRST.sub(_upper, small))


def _with_names(small: str, names: Mapping[str, str]) -> str:
    """Return a text with the names in it as they are written; the longest counts, as in "Papua New Guinea"."""
    words = [word.span() for word in _LETTERS.finditer(small)]
    pieces, here, place = list[str](), 0, 0
    while place < len(words):
        spans = [(words[place][0], end) for _, end in reversed(words[place : place + _MOST_WORDS])]
        start, end = next((span for span in spans if small[slice(*span)] in names), (here, here))
        pieces += [small[here:start], names.get(small[start:end], "")]
        here = end
        place += 1
        while place < len(words) and words[place][0] < here:
            place += 1
    return "".join([*pieces, small[here:]])


@cache
def _known(code: str) -> dict[str, str]:
    """Return the names of countries in a language and, in English, those of days, months and languages."""
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(code)
    except (UnknownLocaleError, ValueError):
        return {}
    found = [*locale.territories.values()]
    if code == "en":
        found += [*locale.days["format"]["wide"].values(), *locale.months["format"]["wide"].values()]
        found += [language.name for language in languages.ALL if language.whisper]
    names = {name.lower(): name for name in found if name[:1].isupper() and len(name) > 3}
    return {low: name for low, name in names.items() if low not in _ALSO_WORDS}


def begun_alike(source: str, text: str, code: str) -> str:
    """Return a translation that begins with a capital where its source does; at times translators leave that out.

    Args:
        source: one sentence or a few.
        text: their translation.
        code: of its language.
    """
    own, word = _BEGINNING.match(source), _BEGINNING.match(text)
    if not own or not word or not own[1][0].isupper() or not word[1].islower():
        return text
    first, at = word[1][0], word.start(1)
    # In title case: of Georgian, whose capitals are for whole words only, the letters stay as they are.
    capital = (first.translate(_TURKISH_CAPITALS) if code in _TURKIC else first).title()
    return f"{text[:at]}{capital}{text[at + 1 :]}"


def _may_be_abbreviation(text: str) -> bool:
    words = [word for word in text.split() if word.isupper()]
    is_short = len(words) == 1 and sum(map(str.isalpha, text)) <= _LONGEST_ABBREVIATION
    return is_short and not text.endswith(("!", "?"))


def _upper(found: re.Match[str]) -> str:
    return found[0].upper()
