"""Which language a text is written in."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from vt import languages
from vt.errors import LanguageError
from vt.languages import Language

_SURE = 0.9
_ENOUGH = 50_000
"""Characters from which a language can be told: more of them tell no more."""


_ODDS = 200.0
"""So many times as likely as the film's language the other has to be for a single sentence."""
_WORDS, _SIGNS = 5, 12
"""A sentence has so many words, or so many signs of a script that puts no space between words, or tells too little."""
_SURER_THAN_ENGLISH = 10.0
"""So many times as likely as English a language has to be. Of a word or two, such as "Hello!", the detector tells
nothing, and most of those are English."""
_ALIKE = (
    {"no", "nn", "da"},
    {"hr", "sr", "bs"},
    {"id", "ms"},
    {"cs", "sk"},
    {"bg", "mk"},
    {"gl", "pt"},
    {"zh", "yue", "wuu"},
)
"""Languages, as the detector calls them, of which it takes one for another."""
_WORD = re.compile(r"[^\W\d_]+")
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def language_of(text: str) -> tuple[Language, float]:
    """Return the language of a text and the probability that the detector (py3langid) gives it.

    Raises:
        LanguageError: it is too short or too mixed to tell.
    """
    code, probability = _identifier().classify(text[:_ENOUGH])
    if probability < _SURE:
        raise LanguageError("The language of the subtitles cannot be told from their text: name it.")
    return languages.get(code), float(probability)


def is_in(text: str, language: Language, rather_than: Language) -> bool:
    """Tell whether a sentence is surely in one language rather than in another.

    Doubt is a no: where it is short, or where a third language that films speak is likelier, as among close relatives.
    """
    if _tells_too_little(text):
        return False
    found = shares(text)
    share = found.get(language.code, 0.0)
    likeliest = max(found.get(row.code, 0.0) for row in languages.ALL if row.whisper)
    return share >= likeliest and share > _ODDS * found.get(rather_than.code, 0.0)


def is_another(text: str, language: Language) -> bool:
    """Tell whether a text is surely not in a language, but in another that films speak.

    Doubt is a no: where the text is short, the detector does not know the language, or the other is a close relative.
    """
    if _tells_too_little(text):
        return False
    found, own = shares(text), language.code.partition("-")[0]
    likeliest, share = max(((row.code, found.get(row.code, 0.0)) for row in languages.ALL if row.whisper), key=_share)
    if own not in found or any({own, likeliest} <= family for family in _ALIKE):
        return False
    return share > _ODDS * found[own]


def _share(row: tuple[str, float]) -> float:
    return row[1]


def _tells_too_little(text: str) -> bool:
    return len(_WORD.findall(text)) < _WORDS and len(_UNSPACED.findall(text)) < _SIGNS


def shares(text: str) -> dict[str, float]:
    """Return the probability of each language that the detector knows, by its code."""
    found: dict[str, float] = {}
    for code, share in _identifier().rank(text[:_ENOUGH]):  # a language of two scripts comes twice
        found[code] = max(found.get(code, 0.0), float(share))
    return found


def ranked(text: str, among: Collection[str]) -> list[tuple[Language, float]]:
    """Return languages of these codes, the likeliest of a text first, with probabilities that make up 1."""
    found = {code: share for code, share in shares(text).items() if code in among}
    whole = sum(found.values()) or 1.0
    order = sorted(found.items(), key=lambda item: -item[1])
    return [(languages.get(code), share / whole) for code, share in order]


def likeliest(text: str, among: Collection[str]) -> tuple[Language, float]:
    """Return the likeliest language of a text among these codes; English where it is too short to tell it from that."""
    found = ranked(text, among)
    of_english = next((share for language, share in found if language == languages.ENGLISH), 0.0)
    if not found or found[0][1] < _SURER_THAN_ENGLISH * of_english:
        return languages.ENGLISH, of_english
    return found[0]


def other(text: str, than: Collection[str]) -> Language | None:
    """Return the language that a text surely is in, where that is none of these codes; None also where it is unsure."""
    (likeliest, _), *_ = ranked(text, {row.code for row in languages.ALL if row.whisper})
    nearest = ranked(text, than)
    own = not nearest or is_another(text, nearest[0][0])
    return likeliest if likeliest.code not in than and own and not _tells_too_little(text) else None


@cache
def _identifier() -> Any:  # noqa: ANN401 (py3langid is untyped)
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
