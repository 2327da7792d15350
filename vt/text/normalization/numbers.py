"""Text normalization of numbers: with their signs, currencies and units; ordinals, fractions, ranges, telephones."""

from __future__ import annotations

import re
from functools import cache, partial

from vt.text.normalization.agreement import agreed, is_feminine, noun_behind
from vt.text.normalization.table import Words, listed

_YEARS_APART = {"en", "de", "hi"}
"""Languages that say a year otherwise than the number: nineteen eighty-four."""
_DECIMALS_APART = {"en", "de", "nl", "sv", "hi"}
"""Languages that say each digit behind the point by itself."""
_LONGEST = 9
"""Digits without separators: a longer run is no number but a telephone's, an account's or the like."""
_LONGEST_NUMBER = 66
"""Digits with separators: of more than that nobody knows the name."""
_MILLIONS = re.compile(
    r"(?:mill?[oó]n(?:es)?|[mb]ilh(?:ão|ões)|mili(?:ó|ons)|mili(?:one|oni|ardo|ardi)|milli(?:on|ard)s?)$"
)
_OF = {"es": "de", "pt": "de", "ca": "de", "fr": "de", "it": "di"}
"""Stands between millions and what is counted."""
_ORDINALS = {
    code: re.compile(rf"(?<![\w.,])((?:\d{{1,3}},)?\d{{1,4}})({ending})")
    for code, ending in {
        "en": r"(?:st|nd|rd|th)\b",
        "es": r"\.?[ºª]|(?:(?<=1)|(?<=3))\.?er\b|(?:ro|ra|do|da|to|ta|mo|ma|vo|va|no|na)\b",
        "pt": r"\.?[ºª]",
        "it": r"[ºª]|°(?= ?[a-zàèéìòù]{2})(?! ?(?:all?|alla|di|in|con|sotto|sopra|e)\b)",
        "fr": r"(?:ers?|res?|ères?|e|[eè]mes?|nde?)\b",
        "ca": r"(?<=1)r\b|(?<=2)n\b|(?<=3)r\b|(?<=4)t\b|è\b|a\b",
        "hi": r"(?:वाँ|वां|वें|वीं)(?!\w)",
        "nl": r"(?:e|de|ste)\b",
    }.items()
}
_FEMININE_ENDINGS = ("ª", "ra", "da", "ta", "ma", "va", "na", "re", "res", "ère", "ères", "a", "वीं")
_GERMAN_ORDINAL = re.compile(
    r"\b(?i:(der|die|das|dem|den|des|am|im|zum|zur|vom|beim|seinen?|ihren?)) (\d{1,3})\.(?= [A-Za-zÄÖÜäöü])"
)
_GERMAN_MONTHS = "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
_GERMAN_DAY = re.compile(rf"(?<![\w.,])(\d{{1,2}})\.(?= (?:{_GERMAN_MONTHS})\b)")
_TELEPHONE = re.compile(
    r"(?<!\w)\+\d[\d ()-]{5,}\d|(?<![\w-])\d{2,}(?:-\d{2,}){2,}(?![\w-])|(?<![\w-])\d{1,7}(?:-\d{1,7}){3,}(?![\w-])|"
    r"\(\d{3}\) ?\d{3}-\d{4}(?!\d)|(?<![\w-])\d{3}-\d{4}(?![\w-])|"
    r"(?<![\d.,] )(?<![\w.,])(?:[6-9]\d\d \d{3} \d{3}|\d\d \d{3} \d\d \d\d)"
    r"(?! ?[\w€$£%])"
)
_RANGE = re.compile(r"(?<=\d)\s?[-–]\s?(?=\d)")
_SCORE = re.compile(r"(?<![\d:])(\d{1,3}):(?=\d{1,3}(?![\d:]))")
_DECADE = re.compile(r"\b(1[1-9]\d0|20\d0)s\b|(?<![\w])['’]?([2-9]0)s\b")
_GERMAN_DECADE = re.compile(r"\b(\d{0,2}[2-9]0)er\b")
_VERSION = re.compile(r"(?<![\w.,])\d{1,9}(?:\.\d{1,9}){2,}(?![\w]|[.,]\d)")
_FRACTION = re.compile(r"(?<![\w./,:-])(?:(\d{1,3}) )?(\d)/(10|[2-9])(?![\w/]|[.,:]\d)")
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}
_VULGARS = re.compile(rf"((?<=\d) ?)?([{''.join(_VULGAR)}])")
_ONE_OF = {"de": "Teil"}
"""What the numerator agrees with."""
_HALVES = {"es": ("medio", "media"), "pt": ("meio", "meia"), "it": ("mezzo", "mezza"), "ca": ("mig", "mitja")}
_BY = re.compile(r"(?<=\d) ?[x×] ?(?=\d)")
_NUMBERED = re.compile(r"(?<!\w)#(?=\d)")
_PERCENT_BEFORE = re.compile(r"% ?(\d+(?:[.,]\d+)*)")
_PERCENT_FIRST = {"tr", "sw"}
"""They name the hundred before the number, and Turkish writes it there too: %5."""
_MONEY = {"€": "euro", "$": "dollar", "£": "pound", "¥": "yen"}
_UNITS = {**_MONEY, "%": "percent", "°": "degrees", "km": "km", "m": "m", "cm": "cm", "mm": "mm", "kg": "kg"}
ALONE = {"&": "and", "@": "at", "=": "equals", "+": "plus", "%": "percent", "°": "degrees", **_MONEY}
"""Symbols that are said without a number too, by the column of their words."""
_SCALE = (
    r"(?: ?(?:[bmt]r?il[lj]?\w{1,9}|milh\w{1,5}|mil|mrd|mld|mln|thousand|hundred|tausend|tusen|bn|[mMkKB]|"
    r"लाख|करोड़|अरब|हज़ार)(?!\w)"
    r"(?:\.(?= ?[€$£¥a-zß-ÿ]))?)?"
)
_SCALES = {"k": "k", "K": "k", "m": "M", "M": "M", "B": "bn", "bn": "bn"}
_HINDI_SCALES = ((10**11, "खरब"), (10**9, "अरब"), (10**7, "करोड़"), (10**5, "लाख"), (1000, "हज़ार"), (100, "सौ"))
_HINDI_ORDINALS = {"1": "पहल", "2": "दूसर", "3": "तीसर", "4": "चौथ", "6": "छठ"}
_HINDI_ENDINGS = {"वाँ": "ा", "वां": "ा", "वें": "े", "वीं": "ी"}


def normalized(text: str, words: Words) -> str:
    """Return the text with its numbers in words; dates and times are so already."""
    if words.code in _PERCENT_FIRST:
        text = _PERCENT_BEFORE.sub(r"\1 %", text)
    if words.terms:
        text = _with_terms(text, words)
    text = _ordinals(_decades(text, words), words)
    text = _RANGE.sub(f" {words.to} " if words.to else " ", text)
    return quantities_pattern(words).sub(lambda found: apart(_quantity(found, words), found), text)


def apart(said: str, found: re.Match[str]) -> str:
    """Return the words, with a space towards a letter that touches them: B2B."""
    start, end = found.span()
    before, after = found.string[max(0, start - 1) : start], found.string[end : end + 1]
    return " " * before.isalnum() + said + " " * after.isalnum()


def with_telephones(text: str, words: Words) -> str:
    """Return the text with telephone numbers and the like digit by digit."""
    return _TELEPHONE.sub(lambda number: apart(_each(number[0], words), number), text)


def _with_terms(text: str, words: Words) -> str:
    """Return the text with versions, fractions, scores and the like in words, where the language has terms for them."""
    text = _VULGARS.sub(lambda found: f"{' ' * (found[1] is not None)}{_VULGAR[found[2]]}", text)
    text = _VERSION.sub(partial(_version, words=words), text)
    text = _FRACTION.sub(partial(_fraction, words=words), text)
    text = _NUMBERED.sub(f"{words.term('word', 'number')} ", text)
    text = _BY.sub(f" {words.term('word', 'times')} ", text)
    if word := words.term("word", "score"):
        text = _SCORE.sub(rf"\1 {word} ", text)
    text = re.sub(r"[~≈] ?(?=\d)", f"{words.term('word', 'about')} ", text)
    text = re.sub(r" ?± ?", f" {words.term('word', 'around')} ", text)
    text = re.sub(r"(?<![\w/])(?<!\d )km/h\b", words.term("unit", "km/h"), text)
    return re.sub(r"(?<=[^\W_])/(?=[^\W_])(?![hs]\b)", " ", text)


def _version(found: re.Match[str], words: Words) -> str:
    parts = found[0].split(".")
    is_address = len(parts) == 4 and all(int(part) < 256 for part in parts)
    if words.decimal == "," and not is_address and len(parts[0]) <= 3 and all(len(part) == 3 for part in parts[1:]):
        return found[0]  # thousands
    return f" {words.term('word', 'dot')} ".join(whole(part, words) for part in parts)


def _fraction(found: re.Match[str], words: Words) -> str:
    before, over, under = found[1] or "", found[2], found[3]
    word = words.term("fraction", under, one=over == "1")
    if int(over) >= int(under) or over == "0":
        return found[0]
    if words.code == "hi":
        return _hindi_fraction(before, over, under, words)
    if under == "2" and (said := _half(before, found, words)):
        return said
    said = f"{agreed(whole(over, words), _ONE_OF.get(words.code, 'o'), words.code)} {word}"
    if not before:
        return said
    # uno y medio, un et demi: the half alone needs no number.
    return f"{whole(before, words)} {words.and_} {word if under == '2' and words.code != 'en' else said}"


def _half(before: str, found: re.Match[str], words: Words) -> str:
    """Return a half before what it is of: medio litro, media hora; nothing where it is said as other fractions are."""
    noun = noun_behind(found.string, *found.span())
    if words.code == "de" and before:
        return f"{whole(before, words).replace('eins', 'ein')}einhalb"
    if words.code == "de":
        return "eine halbe" if noun and is_feminine(noun, "de") else f"ein halb{_german_half(noun)}"
    forms = _HALVES.get(words.code)
    return forms[is_feminine(noun, words.code)] if forms and noun and not before else ""


def _german_half(noun: str) -> str:
    if not noun[:1].isupper():
        return ""
    return "es" if noun in listed("neuter", "de") else "er"


def _hindi_fraction(before: str, over: str, under: str, words: Words) -> str:
    named = {("1", "2"): "आधा"}.get((over, under)) or words.term("fraction", under)
    said = named if named == "आधा" else f"{whole(over, words)} {named or f'बटा {whole(under, words)}'}"
    if (over, under) == ("1", "2") and before:
        return {"1": "डेढ़", "2": "ढाई"}.get(before) or f"साढ़े {whole(before, words)}"
    return f"{whole(before, words)} {words.and_} {said}" if before else said


def _decades(text: str, words: Words) -> str:
    if words.code == "en":
        return _DECADE.sub(lambda found: re.sub(r"y$|$", "ies", year(found[1] or found[2], words), count=1), text)
    if words.code == "de":
        return _GERMAN_DECADE.sub(lambda found: f"{year(found[1], words)}er", text)
    return text


@cache
def _units(words: Words) -> dict[str, tuple[str, str]]:
    """Return the singular and plural of what is counted, by its symbol."""
    columns = {symbol: getattr(words, name) for symbol, name in _UNITS.items()}
    columns |= {f"°{letter}": words.degrees for letter in "CF"}
    columns["km/h"] = "|".join(f"{form} {words.per_hour}" for form in words.km.split("|")) if words.per_hour else ""
    columns |= {sign: words.term_of(kind, sign) for kind in ("unit", "money") for sign in words.signs(kind)}
    columns |= {f"{symbol}{power}": columns[f"{symbol}{sign}"] for symbol in ("m", "km") for power, sign in
                (("2", "²"), ("3", "³")) if f"{symbol}{sign}" in columns}  # fmt: skip
    return {symbol: (forms.split("|")[0], forms.split("|")[-1]) for symbol, forms in columns.items()}


def _is_money(symbol: str, words: Words) -> bool:
    return symbol in _MONEY or bool(words.term("money", symbol))


@cache
def quantities_pattern(words: Words) -> re.Pattern[str]:
    """Return what finds a number with its sign, currency and unit, by the language's own separators."""
    comma, thousands = (",", r"[. '’]") if words.decimal == "," else (r"\.", r"[,'’]")
    number = rf"\d{{1,3}}(?:{thousands}\d{{3}})+(?!\d)(?:{comma}\d+)?|\d+(?:[.,]\d+)?"
    if words.decimal == ".":
        number = rf"\d{{1,2}}(?:,\d\d)+,\d{{3}}(?!\d)(?:\.\d+)?|{number}"
    named = [re.escape(sign) for sign in words.signs("money")]
    money = "|".join([r"(?:US)?\$", "[€£¥]", *named])
    units = sorted(_units(words), key=len, reverse=True)
    letters = "|".join(re.escape(unit) for unit in units if unit[-1].isalnum() and not unit.startswith("°"))
    unit = rf"%|‰|°[CF]?|[€$£¥₹]|(?:{letters})(?![\w'’²³])|[km]+[²³]"
    return re.compile(
        rf"(?P<sign>(?<![\w)])[-+])?(?P<money>(?:{money}) ?)?(?(money)(?P<minus>-)?)(?<!\d)(?P<number>{number})"
        rf"(?(money)(?P<scale>(?<=\d){_SCALE})?|(?P<scaled>{_SCALE}(?= ?[€$£¥]))?)(?: ?(?P<unit>{unit}))?"
    )


def _quantity(found: re.Match[str], words: Words) -> str:
    """Return a number as it is said, with what is counted behind it."""
    money, unit = (found["money"] or "").strip(), found["unit"] or ""
    symbol = (money.removeprefix("US") if money == "US$" else money) or unit
    before, fraction = _split(found["number"], words)
    scale = (found["scale"] or found["scaled"] or "").strip()
    is_one = before == "1" or (words.code == "fr" and before == "0")
    counted = _counted(symbol, words, one=is_one and not scale and (not fraction or words.code == "fr"))
    is_cents = _is_money(symbol, words) and len(fraction) == 2 and not scale
    if is_cents and before == "0" and int(fraction) and (cents := _cents(symbol, fraction, words)):
        return " ".join(part for part in (_sign(found, words), cents) if part)
    agrees = symbol != "%" or words.code not in ("es", "it")
    noun = counted * agrees or ("" if unit or scale else noun_behind(found.string, *found.span()))
    said = _number(
        found["number"], before, "" if is_cents else fraction, words, noun if not scale else "", bool(counted)
    )
    parts = [_sign(found, words), said, _scale(scale, before == "1" and not fraction, words), counted or symbol]
    if counted and (of := _of(" ".join(parts[:3]).strip(), counted, words)):
        parts[3] = of
    if symbol == "%" and counted and words.code in _PERCENT_FIRST:
        parts.insert(0, parts.pop(3))
    if is_cents and int(fraction):
        parts.append(whole(fraction.lstrip("0"), words))
    return " ".join(part for part in parts if part)


def _counted(symbol: str, words: Words, one: bool) -> str:
    forms = _units(words).get(symbol)
    return forms[0 if one else 1] if forms else ""


def _cents(symbol: str, fraction: str, words: Words) -> str:
    """Return a sum below one; nothing where the language's word for it is not known."""
    known = {"USD": "$", "EUR": "€", "GBP": "£"}.get(symbol, symbol)
    name = words.term("cents", known, one=fraction == "01")
    return name and f"{agreed(whole(fraction.lstrip('0'), words), name, words.code)} {name}"


def _scale(scale: str, one: bool, words: Words) -> str:
    sign = _SCALES.get(scale.rstrip("."))
    return (sign and words.term("scale", sign, one)) or scale


def _of(number: str, counted: str, words: Words) -> str:
    """Return what is counted by millions, with what stands between them; nothing where nothing does."""
    of = _OF.get(words.code)
    if not of or not _MILLIONS.search(number):
        return ""
    return f"d'{counted}" if words.code == "fr" and counted[0] in "aeiouéh" else f"{of} {counted}"


def _sign(found: re.Match[str], words: Words) -> str:
    if found["sign"] == "+":
        return words.plus
    return words.minus if found["sign"] or found["minus"] else ""


def _split(number: str, words: Words) -> tuple[str, str]:
    """Return what stands before and behind the decimal separator, the former with its separators of thousands."""
    grouped = re.match(r"\d{1,3}(?:[.,' ’]\d{2,3})*[.,' ’]\d{3}(?!\d)", number)
    before, _, behind = number.rpartition(words.decimal)
    if grouped and not (before.isdecimal() and behind.isdecimal() and len(behind) == 3):
        return grouped[0], number[grouped.end() + 1 :]
    left, _, fraction = number.replace(",", ".").partition(".")
    return left, fraction


def _number(number: str, before: str, fraction: str, words: Words, noun: str, is_unit: bool) -> str:
    # With separators it is a number, however long.
    bare = re.sub(r"\D", "", before)
    said = whole(before, words) if before.isdigit() else _said(bare, words) or _each(before, words)
    if re.fullmatch(r"1[1-9]\d\d|20[1-9]\d", before) and not fraction and not is_unit:
        said = year(before, words)
    if not fraction:
        return agreed(said, noun, words.code)
    apart_ = words.code in _DECIMALS_APART or len(fraction) > 2 or fraction[0] == "0"
    behind = _each(fraction, words) if apart_ else whole(fraction, words)
    is_dot = words.terms and words.decimal == "," and "," not in number
    point = words.term("word", "dot") if is_dot else words.point
    return " ".join(part for part in (said, point, behind) if part)


def whole(digits: str, words: Words) -> str:
    """Return a whole number in words; digit by digit where it is a code more than a number."""
    is_code = len(digits) > _LONGEST or (digits[0] == "0" and len(digits) > 1)
    return ("" if is_code else _said(digits, words)) or _each(digits, words)


def _each(digits: str, words: Words) -> str:
    return " ".join(_digit(digit, words) for digit in re.findall(r"\d", digits))


@cache
def _digit(digit: str, words: Words) -> str:
    return words.digits.split()[int(digit)] if words.digits else _said(digit, words) or digit


def _said(digits: str, words: Words, to: str = "cardinal") -> str:
    """Return the words for a whole number; nothing where they are not known."""
    if words.counts:
        return _hindi(int(digits), words.digits.split()) if len(digits) < 13 else ""
    if not words.numbers or len(digits) > _LONGEST_NUMBER:
        return ""
    from num2words import num2words  # type: ignore[import-untyped]

    try:
        said = str(num2words(int(digits), lang=words.numbers, to=to))
    except (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
        return ""  # its languages are of many hands, and each fails in its own way
    return said.replace(",", "")


def _hindi(number: int, names: list[str]) -> str:
    """Return a number by the hundred names of a language that counts in lakh and crore."""
    parts = []
    for size, name in _HINDI_SCALES:
        if number >= size:
            parts += [names[number // size], name]
            number %= size
    return " ".join([*parts, *([names[number]] if number or not parts else [])])


def year(digits: str, words: Words) -> str:
    """Return a year as it is said: nineteen eighty-four."""
    if words.code not in _YEARS_APART:
        return whole(digits, words)
    if not words.counts:
        return _said(digits, words, "year") or whole(digits, words)
    if not re.fullmatch(r"1[1-9]\d\d", digits):
        return whole(digits, words)
    behind = whole(digits[2:].lstrip("0"), words) if digits[2:] != "00" else ""
    return f"{whole(digits[:2], words)} सौ {behind}".strip()


def ordinal(number: int, words: Words, feminine: bool = False) -> str:
    """Return an ordinal number in words, or the cardinal one where it is not known."""
    said = _said(str(number), words, "ordinal") if not words.counts else ""
    return _feminine(said, words.code) if said and feminine else said or whole(str(number), words)


def _feminine(ordinal: str, code: str) -> str:
    if code == "fr":
        return re.sub(r"\bpremier$", "première", ordinal)
    if code == "ca":
        return re.sub(r"è$", "ena", re.sub(r"(?<=[rt])$", "a", re.sub(r"segon$", "segona", ordinal)))
    return re.sub(r"o\b", "a", ordinal)


def _ordinals(text: str, words: Words) -> str:
    if words.code == "de":
        return _german_ordinals(text, words)
    known = _ORDINALS.get(words.code)
    if not known:
        return text
    return known.sub(partial(_ordinal, words=words), text)


def _ordinal(found: re.Match[str], words: Words) -> str:
    digits, ending = found[1].replace(",", ""), found[2].lstrip(".")
    if words.code == "hi":
        stem = _HINDI_ORDINALS.get(digits)
        return stem + _HINDI_ENDINGS[ending] if stem else whole(digits, words) + ending
    said = _said(digits, words, "ordinal")
    if not said:
        return found[0]
    if words.code == "fr" and ending in ("nd", "nde"):
        return "second" + ending[2:]
    if ending in _FEMININE_ENDINGS:
        return _feminine(said, words.code)
    if words.code == "es" and ending == "er":
        return said.removesuffix("o")
    return said


def _german_ordinals(text: str, words: Words) -> str:
    """Return the text with ordinals in their case: der dritte, am dritten; alone, erster Mai."""

    def said(found: re.Match[str]) -> str:
        ending = "" if found[1].lower() in ("der", "die", "das") else "n"
        return f"{found[1]} {_said(found[2], words, 'ordinal')}{ending}"

    return _GERMAN_DAY.sub(partial(_german_nominative, words=words), _GERMAN_ORDINAL.sub(said, text))


def _german_nominative(found: re.Match[str], words: Words) -> str:
    last = (found.string[max(0, found.start() - 12) : found.start()].lower().split() or [""])[-1]
    ending = "n" if last in ("bis", "und", "seit", "ab") else "r"
    return f"{_said(found[1], words, 'ordinal')}{ending}"
