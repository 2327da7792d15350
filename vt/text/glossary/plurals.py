"""Pure: the plural of a term by rule, where a language's rules leave no doubt; elsewhere the term as it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

_PREPOSITIONS: Mapping[str, Collection[str]] = {
    "es": {"a", "al", "con", "de", "del", "en", "para", "por", "sin", "sobre"},
    "fr": {"à", "au", "aux", "avec", "d", "de", "des", "du", "en", "par", "pour", "sans", "sur"},
    "pt": {"a", "ao", "com", "da", "das", "de", "do", "dos", "em", "na", "no", "para", "por", "sem", "sobre"},
    "it": {"a", "al", "alla", "con", "da", "dal", "dalla", "dei", "del", "della", "delle", "di", "in", "per", "su"},
}
"""What stands behind one of them stays as it is: centro de datos, centros de datos."""
_STRESSED = (("a", "á"), ("e", "é"), ("i", "í"), ("o", "ó"), ("u", "ú"))
_RULES: Mapping[str, Sequence[tuple[str, str]]] = {
    "es": (
        (r"[aeiouáéó]", r"\g<0>s"),
        (r"[íú]", r"\g<0>es"),
        (r"z", r"ces"),
        *((f"{stressed}([ns])", rf"{vowel}\1es") for vowel, stressed in _STRESSED),
        (r"[sx]", r"\g<0>"),
        # Imagen, imágenes: the accent keeps the stress where it is.
        *(
            (rf"{plain}([^aeiouáéíóú]+)en", rf"{accented}\1enes")
            for accented, plain in zip("áéíóú", "aeiou", strict=True)
        ),
        (r"[lrdjyn]", r"\g<0>es"),
        (r"\w", r"\g<0>s"),
    ),
    "fr": (
        (r"[sxz]", r"\g<0>"),
        (r"\b(?:bleu|pneu|landau|bal|cal|carnaval|chacal|festival|pal|récital|régal)", r"\g<0>s"),
        (r"eau|eu|au", r"\g<0>x"),
        (r"al", r"aux"),
        (r"\w", r"\g<0>s"),
    ),
    "pt": (
        (r"([çs])ão", r"\1ões"),
        (r"ão|il|[sx]", r"\g<0>"),  # mão, pão; fácil, fuzil: no rule tells them apart
        (r"\A(?=\w*[áéíóúâêô])(\w*)el", r"\1eis"),
        (r"el", r"éis"),
        (r"\A(?=\w*[áéíóúâêô])(\w*)ol", r"\1ois"),
        (r"ol", r"óis"),
        (r"([au])l", r"\1is"),
        (r"m", r"ns"),
        (r"[rz]", r"\g<0>es"),
        (r"\w", r"\g<0>s"),
    ),
    "it": (
        (r"[cg]o|[mt]a|[cg]ia", r"\g<0>"),  # amico, fuoco; forma, problema; porta, atleta: no rule tells them apart
        (r"([cg])a", r"\1he"),
        (r"io", r"i"),
        (r"[oe]", r"i"),
        (r"a", r"e"),
    ),
    "de": ((r"(?:ung|heit|keit|schaft|tät|ion)", r"\g<0>en"),),
}
"""The ends of words in the singular and in the plural, as patterns; the first that fits counts."""
_ENDINGS = {code: [(re.compile(f"(?:{one})$"), many) for one, many in rules] for code, rules in _RULES.items()}


def plural(term: str, code: str) -> str:
    """Return the plural of a term of a language; the term itself where no rule is sure.

    Names, which begin with a capital where the language has small letters for nouns, have none.
    """
    if code not in _PREPOSITIONS:
        return _by_rule(term, code)
    words, made = term.split(" "), list[str]()
    for word in words:
        if made and word in _PREPOSITIONS[code]:
            break
        if not (word.isalpha() and word.islower()):
            return term
        made.append(_by_rule(word, code))
    return " ".join([*made, *words[len(made) :]])


def _by_rule(word: str, code: str) -> str:
    for ending, many in _ENDINGS.get(code, ()):
        if ending.search(word):
            return ending.sub(many, word)
    return word


def english_endings(term: str) -> tuple[str, str]:
    """Return a term without what its plural changes, and the endings of both as a pattern."""
    low = term.lower()
    if low.endswith("y") and len(term) > 2 and low[-2] not in "aeiou":
        return term[:-1], "(?:y|ies)"
    if low.endswith(("s", "x", "z", "ch", "sh")):
        return term, "(?:es)?"
    return term, "(?:e?s)?" if low[-1:].isalpha() else ""
