"""Text normalization of abbreviations, acronyms and Roman numerals: each becomes the words that a voice says."""

from __future__ import annotations

import re
from functools import cache, partial

from vt.text.normalization.addresses import letters
from vt.text.normalization.numbers import ordinal, whole
from vt.text.normalization.table import Words, listed, rows

_BEHIND = {"#": r"(?=\s?\d)", "^": r"(?=\s?[A-ZÀ-ÖØ-Þ])"}
"""What has to follow some abbreviations: a number, a name."""
_ACRONYM = re.compile(r"(?<![\w&.@#-])(?<![A-Z]['’])([A-Z]{2,6})(s?)(?![\w&]|\.[A-Z])")
_DOTTED = re.compile(r"(?<![\w.])(?:[A-Z]\.){2,8}(?!\w)")
_VOWELS = set("AEIOUY")
_ROMAN = re.compile(
    r"(?<![\w.'’-])(?=[IVX])(X{0,3}(?:IX|IV|V?I{0,3}))(er|re|e|ème|[º°ª]|\.(?=\s|$))?(?!\w|['’](?!s\b)|-\w)"
)
_VALUES = {"I": 1, "V": 5, "X": 10}
_NEAR = 40
_CENTURY = {"es": "siglo", "pt": "século", "it": "secolo", "ca": "segle", "fr": "siècle", "de": "Jahrhundert"}
_CENTURIES = ("siglo", "siglos", "século", "séculos", "secolo", "secoli", "segle", "segles")
_COUNTED = re.compile(
    r"(?i:cap[ií]t\w{0,6}|chapit\w{0,3}|chapters?|kapitel|parte?s?|partie|teil|tomo|tome|volum\w{0,4}|vol\.|acto?e?|atto?|ato|"
    r"fase|phase|tipo|tipus|types?|t[ií]tul?\w{0,2}|titre|art[ií]c\w{0,4}|guerras?|guerres?|war|mondiale?|mundial|book|stage|"
    r"class|level|section|libro|livre|livro|llibre|band)\b"
)
"""Words before a number that is said as such."""
_NAME = re.compile(r"[A-ZÀ-ÖØ-Þ][^\W\d_]")


_ENDERS = ("etc.", "ecc.", "usw.")
"""They may end a sentence, and keep its point then."""
_SENTENCE = re.compile(r"\s{1,3}[¿¡«\"(]?[A-ZÀ-ÖØ-Þ]")


def normalized(text: str, words: Words) -> str:
    """Return the text with its abbreviations and Roman numerals in words."""
    pattern, said = abbreviations_pattern(words.code)
    text = pattern.sub(lambda found: _expanded(found, said), text)
    if _is_shouted(text):
        return text
    return _ROMAN.sub(partial(_numeral, words=words), text)


@cache
def abbreviations_pattern(code: str) -> tuple[re.Pattern[str], list[str]]:
    """Return what finds a language's abbreviations, each in a group of its own, and the words of each group."""
    known = [line[1:] for line in rows("abbreviations.tsv") if line[0] == code]
    known.sort(key=lambda line: -len(line[0].rstrip(" #^")))
    groups = []
    for written, _ in known:
        bare = written.rstrip(" #^")
        border = r"(?!\w)" if bare[-1].isalpha() else ""
        groups.append(f"({re.escape(bare)}){border}{_BEHIND.get(written[-1], '')}")
    # Most characters begin no abbreviation: seen first, that spares the try of each group, of which there are 50.
    begins = "".join(sorted({re.escape(written[0]) for written, _ in known}))
    return re.compile(rf"(?<![\w.&])(?=[{begins}])(?:{'|'.join(groups)})"), [said for _, said in known]


def _expanded(found: re.Match[str], said: list[str]) -> str:
    name, behind = said[(found.lastindex or 1) - 1], found.string[found.end() : found.end() + _NEAR]
    ends = not behind or (found[0] in _ENDERS and _SENTENCE.match(behind))
    return (
        name + "." * bool(found[0].endswith(".") and ends) + " " * bool(behind[:1].isalnum() and found[0][-1] in "./°º")
    )


def _is_shouted(text: str) -> bool:
    """Tell whether a text is in capitals, which says nothing about its words then."""
    written = [word for word in text.split() if any(map(str.isalpha, word))]
    return len(written) > 2 and all(map(str.isupper, written))


def _numeral(found: re.Match[str], words: Words) -> str:
    """Return a Roman numeral in words, or what looks like one as it is."""
    start, end = found.span()
    before, behind = found.string[max(0, start - _NEAR) : start], found.string[end : end + _NEAR]
    if not found[1]:
        return found[0]
    said = _named(found[1], found[2] or "", before, behind, words)
    keeps_point = found[2] == "." and (words.code != "de" or not behind)
    return said + "." * keeps_point if said else found[0]


def _named(numeral: str, ending: str, before: str, behind: str, words: Words) -> str:
    """Return what a numeral is called, by the words around it; nothing where it may be none."""
    value, code = _value(numeral), words.code
    last = (before.split() or [""])[-1] if before[-1:].isspace() else ""
    if ending not in ("", "."):
        return ordinal(value, words, feminine=ending in ("re", "ª")) if code == "fr" or ending in "ºª°" else ""
    if behind.lstrip().startswith((_CENTURY.get(code, "\0"), "Guerr", "Olimp")):
        return ordinal(value, words, feminine="Guerr" in behind[:7]) if code != "de" or ending else ""
    if last.lower() in _CENTURIES:
        return ordinal(value, words) if code == "it" or value <= 10 else _cardinal(value, words)
    if last in listed("ruler") and (
        code != "en" or numeral != "I" or not behind[:1].isspace() or behind.startswith(" of ")
    ):
        return _ruler(value, words, feminine=last in listed("queen"))
    is_counted = bool(last and _COUNTED.match(last)) and (code != "en" or last[0].isupper())
    is_long = len(numeral) > 2 or numeral == "II"
    if is_counted or is_long or (len(numeral) > 1 and _NAME.match(last)):
        return _cardinal(value, words)
    return ""


def _value(numeral: str) -> int:
    values = [_VALUES[letter] for letter in numeral]
    return sum(-here if here < following else here for here, following in zip(values, [*values[1:], 0], strict=True))


def _cardinal(value: int, words: Words) -> str:
    said = whole(str(value), words)
    return re.sub(r"\bun$", "u", said) if words.code == "ca" else said


def _ruler(value: int, words: Words, feminine: bool) -> str:
    code, called = words.code, ordinal(value, words, feminine)
    if code == "en":
        return f"the {called}"
    if code == "de":
        return f"{'die' if feminine else 'der'} {called.capitalize()}"
    return called if value == 1 or code == "it" or (value <= 10 and code != "fr") else whole(str(value), words)


def with_letters(text: str, words: Words) -> str:
    """Return the text with the acronyms that are not said as words letter by letter."""
    text = _DOTTED.sub(partial(_dotted, words=words), text)
    return text if _is_shouted(text) else _ACRONYM.sub(partial(_acronym, words=words), text)


def _dotted(found: re.Match[str], words: Words) -> str:
    behind = found.string[found.end() : found.end() + 1]
    return letters(found[0].replace(".", ""), words) + "." * (not behind or behind in '"”»)')


def _acronym(found: re.Match[str], words: Words) -> str:
    name, plural = found[1], found[2]
    if not _is_said_letter_by_letter(name, words.code):
        return found[0]
    said = letters(name, words)
    if plural and words.code == "en":
        return said + ("es" if said.endswith("s") else "s")
    return said


def _is_said_letter_by_letter(name: str, code: str) -> bool:
    """Tell whether a language says an acronym by the names of its letters, as FBI, and not as a word, as NASA."""
    if name in listed("letters", code) or not set(name) & _VOWELS:
        return True
    if name in listed("word", code) or name in listed("plain", code):
        return False
    return len(name) <= 3 or not _can_be_said(name)


def _can_be_said(name: str) -> bool:
    """Tell whether a name begins as words do, and has no long runs of consonants."""
    first = next(at for at, letter in enumerate(name) if letter in _VOWELS)
    runs = re.findall(r"[^AEIOUY]+", name)
    return (not first or name[:first] in listed("onset")) and max(map(len, runs), default=0) <= 4
