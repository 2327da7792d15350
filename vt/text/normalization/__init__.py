"""Text normalization for speech: numbers, dates, units, abbreviations and addresses written out in words.

Three kinds of languages are told apart by `spoken_signs.tsv`: those whose numbers are known (to num2words, or by their
hundred names), those with ten names of digits (24 is then said "two four", which is understood), and all others, whose
digits stay as they are: a voice that learnt digits says them, any other leaves them out. A number in a foreign language
is worse, as such a voice reads the foreign spelling by its own rules; the subtitles have the number in any case. Of the
languages of `terms.tsv` dates, units, abbreviations, acronyms and addresses are known too.
"""

from __future__ import annotations

import unicodedata

from vt.text.normalization import abbreviations, addresses, dates, numbers
from vt.text.normalization.table import Words, languages

_MARKS = str.maketrans({"−": "-", "٪": "%", "％": "%", "＋": "+", "\u00a0": " ", "\u202f": " ", "\u2009": " "})


def normalized(text: str, language_code: str) -> str:
    """Return the text with everything that has a spoken form written out in words; punctuation and other letters stay.

    What was normalized once is not changed by being normalized again.

    Args:
        text: one line of a dub.
        language_code: of the text, as in the table of languages (es, pt, sw); its region is ignored.
    """
    words = languages().get(_primary_subtag(language_code))
    text = "".join(_ascii_digit(char) for char in text.translate(_MARKS))
    if words is None:
        return text
    if words.terms:
        text = addresses.normalized(text, words)
        text = abbreviations.normalized(text, words)
        text = dates.with_dates(text, words)
    if words.numbers or words.digits:
        text = numbers.normalized(dates.with_times(text, words), words)
    if words.terms:
        text = abbreviations.with_letters(text, words)
    return _with_symbols(text, words)


def names_numbers(language_code: str) -> bool:
    """Tell whether numbers are said as such, not digit by digit: better than an engine's own reading, as a rule."""
    words = languages().get(_primary_subtag(language_code))
    return words is not None and bool(words.numbers or words.counts)


def _primary_subtag(language_code: str) -> str:
    return language_code.split("-", maxsplit=1)[0]


def _ascii_digit(char: str) -> str:
    """Turn the digits of any script, and Arabic's separators, into those that num2words reads."""
    if char in "٫٬":
        return "." if char == "٫" else ","
    return char if char.isascii() or not char.isdecimal() else str(unicodedata.decimal(char))


def _with_symbols(text: str, words: Words) -> str:
    """Return the text with symbols that stand alone, or between words, in words."""
    for symbol, name in numbers.ALONE.items():
        if symbol in text and (word := words.named(name)):
            text = f" {word} ".join(part.strip() for part in text.split(symbol)).strip()
    return text
