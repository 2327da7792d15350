"""Which of the encodings from before Unicode a text is in: the one in which some language's letters come out.

General detectors weigh bytes and know little of short texts, or of what the user says of the language. Here each
candidate is decoded and judged by the alphabet and the most frequent letters of the languages that were written in it.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vt.text import identification

_WESTERN = ("cp1252", "iso8859-15", "mac-roman", "cp850")
_CENTRAL = ("cp1250", "iso8859-2", "cp852")
_BALTIC = ("cp1257", "iso8859-13", "iso8859-4")
_CYRILLIC = ("cp1251", "koi8-u", "iso8859-5", "cp866", "mac-cyrillic")
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_VIETNAMESE = "đăâêôơư" + "".join(
    unicodedata.normalize("NFC", vowel + tone) for vowel in "aăâeêioôơuưy" for tone in _TONES
)
_CHINESE = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法"
    "学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
)
_CHINESE_TRADITIONAL = (
    "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年過發後作裡用道行所然家種事成方多經麼去法"
    "學如都同現當沒動面起看定天分還進好小部其些主樣理心她本前開但因只從想實"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """How languages were written."""

    codes: str
    encodings: tuple[str, ...]
    """Those of one language in the order of how common they are."""
    frequent: str
    """Letters that are no ASCII; in a script that has none of ASCII, the more frequent part of them."""
    rare: str

    @property
    def is_latin(self) -> bool:
        """Whether most of its letters are of ASCII."""
        return "\x80" < self.frequent[:1] < "\u0370"


_TABLE: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    ("en", _WESTERN, "éèêëàâçïîôöñüæœ", ""),
    ("es gl", _WESTERN, "áéíóúüñ", ""),
    ("fr", _WESTERN, "àâæçéèêëîïôœùûüÿ", ""),
    ("de", _WESTERN, "äöüß", "é"),
    ("it", _WESTERN, "àèéìòù", "íîóú"),
    ("pt", _WESTERN, "áâãàçéêíóôõú", "ü"),
    ("ca", _WESTERN, "àçèéíïòóúü", ""),
    ("nl af", _WESTERN, "éëïóöüèêáâ", ""),
    ("sv fi", _WESTERN, "åäö", "é"),
    ("da no nb nn", _WESTERN, "æøå", "éòôê"),
    ("is fo", _WESTERN, "áðéíóúýþæö", "ø"),
    ("eu", _WESTERN, "ñçü", ""),
    ("ga gd", _WESTERN, "áéíóúàèìòù", ""),
    ("sq", _WESTERN, "ëç", ""),
    ("oc br lb wa", _WESTERN, "àáâçèéêëíïòóôùúûüñä", ""),
    ("et", ("cp1257", "iso8859-15", "iso8859-13", "cp1252"), "äöõü", "šž"),
    ("pl", _CENTRAL, "ąćęłńóśźż", ""),
    ("cs", _CENTRAL, "áčďéěíňóřšťúůýž", ""),
    ("sk", _CENTRAL, "áäčďéíľňóôšťúýž", "ĺŕ"),
    ("hu", _CENTRAL, "áéíóöőúüű", ""),
    ("sl hr bs sr", _CENTRAL, "čćđšž", ""),
    ("ro", ("cp1250", "iso8859-2", "iso8859-16"), "ăâîșțşţ", ""),
    ("tr", ("cp1254", "iso8859-9", "cp857"), "çğıöşüi̇", "âîû"),
    ("eo", ("iso8859-3",), "ĉĝĥĵŝŭ", ""),
    ("mt", ("iso8859-3",), "ċġħżà", "èìòù"),
    ("lt", _BALTIC, "ąčęėįšųūž", ""),
    ("lv", _BALTIC, "āčēģīķļņšūž", ""),
    ("vi", ("cp1258",), _VIETNAMESE, ""),
    ("ru", _CYRILLIC, "оеаинтсрвлк", "мдпуяыьгзбчйхжшюцщэфъё"),
    ("uk be", _CYRILLIC, "оаниівтерсл", "кмдпуяьгзбчйхжшюцщєїґфўыэё"),
    ("bg mk sr", _CYRILLIC, "аеоинтрсвлк", "дпмузяъгбчйщхжшюцфьђћљњџјѓќѕ"),
    ("el", ("cp1253", "iso8859-7", "cp737"), "οατιενσςρκπυληόίά", "έμώήύγδθχφβωξζψϊϋΐΰ"),
    ("he yi", ("cp1255", "iso8859-8"), "יוהלארתבמשנ", "חדקפעכםגטסןזצףךץ"),
    ("ar fa ur", ("cp1256", "iso8859-6"), "اليمونترباعهدس", "فكقأحجشصةىطخضذئثإزغءظآؤپچژگکہںے"),
    ("th", ("cp874",), "านรกเองมยลวดทส่้ัีตปะิไคห", "แบจพชขใโผถุูึืซณศฉธฐญฟฎภ็ฝฏำฆฮๆๅฤฬฌษ์ํฯ"),
    ("ja", ("cp932", "euc-jp"), "", ""),
    ("zh", ("gb18030",), _CHINESE, ""),
    ("zh yue", ("big5hkscs", "cp950"), _CHINESE_TRADITIONAL, ""),
    ("ko", ("cp949",), "이다는을를가에의고하지기도로은나사리아어한그시서자인해일대게있들만것", ""),
)
_ROWS = tuple(_Row(*row) for row in _TABLE)
_NEUTRAL = frozenset(
    "“”‘’„‚«»‹›–—…¿¡°ºª§©®™€£•·´×½±²³№♪♫\u00a0\u00ad،؛؟ـ、。「」『』，！？：；（）・ー～《》【】\u3000‧"
)
_WITHIN_WORDS = frozenset("’‘·´\u00ad-–ー・")
_WIDE_MARKS = frozenset("、。「」『』，！？：；（）・～《》【】\u3000")
_GREEK, _CHINESE_ON = "\u0370", "\u2e80"
"""Letters between these stand in no word with Latin ones."""
_LIKELY = 0.25
"""What it is worth that the text looks like one of the language."""
_ENOUGH = 12_000
"""Bytes that tell the encoding: those of lines which need it."""
_FIT = 0.6
"""From 1, where all signs are as they should be. In a wrong encoding a text has 0.5 and less."""
_MARGIN = 0.02
"""By so much the best has to be better than the next that reads otherwise."""
_RARER = 0.015
"""What each further encoding of a language is worth less than the one before."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    fit: float
    encoding: str
    text: str
    codes: str
    """Of the languages by which it was judged."""


def encoding_of(content: bytes, language: str = "") -> str:
    """Return the name by which Python knows the encoding of a text that is in none of Unicode; empty in doubt.

    Args:
        content: the whole text.
        language: the code of the language that it is said to be in; empty where nobody said.
    """
    sample = _sample(content)
    named = tuple(row for row in _ROWS if language in row.codes.split())
    for rows in (named, _ROWS) if named else (_ROWS,):
        best = sorted(_candidates(sample, rows, bool(named) and rows is named), key=lambda one: -one.fit)
        if best and best[0].fit >= _FIT:
            return "" if any(_is_doubt(one, best[0]) for one in best) else best[0].encoding
    return ""


def _is_doubt(other: _Candidate, best: _Candidate) -> bool:
    """Tell whether a candidate reads otherwise than the best one, and about as well.

    Of two encodings of one language, the more common one is taken: a Greek capital Ά in Windows-1253 is a quotation
    mark in ISO-8859-7, which fits as well.
    """
    is_rarer = other.codes == best.codes and other.fit < best.fit
    return other.text != best.text and not is_rarer and other.fit > best.fit - _MARGIN


def _sample(content: bytes) -> bytes:
    """Return the lines that are not of ASCII alone, up to some length."""
    lines = [line for line in content.splitlines() if not line.isascii()]
    sample = b"\n".join(lines[: _ENOUGH // 10])
    return sample if len(sample) <= _ENOUGH else sample[:_ENOUGH].rpartition(b"\n")[0] or sample[:_ENOUGH]


def _candidates(sample: bytes, rows: Sequence[_Row], is_named: bool) -> Iterator[_Candidate]:
    decoded: dict[str, tuple[str, dict[str, float]]] = {}
    for row in rows:
        for place, encoding in enumerate(row.encodings):
            if encoding not in decoded:
                text = unicodedata.normalize("NFC", sample.decode(encoding, "replace"))
                decoded[encoding] = (text, {} if is_named else identification.shares(text))
            text, shares = decoded[encoding]
            likely = _LIKELY * (max(shares.get(code, 0.0) for code in row.codes.split()) - 0.5) if shares else 0.0
            yield _Candidate(_fit(text, row) + likely - _RARER * place, encoding, text, row.codes)


def _fit(text: str, row: _Row) -> float:
    """Return how well the letters of a text are those of a language, at most 1."""
    counted: Counter[str] = Counter()
    faults = 0
    for before, sign, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if not sign.isascii():
            counted[sign] += 1
            faults += _is_misplaced(before, sign, after)
    count = sum(counted.values()) - sum(counted[sign] for sign in _NEUTRAL)
    if not count:
        return 1.0 - faults / max(1, counted.total())
    worths = _japanese(counted) if row.codes == "ja" else _worths(row)
    worth = sum(number * worths(sign) for sign, number in counted.items() if sign not in _NEUTRAL)
    letters = sum(map(str.isalpha, text))
    if row.is_latin and row.codes != "vi" and 2 * count > letters:
        return 0.0  # no language in Latin letters has so few that are plain
    return worth / count - faults / counted.total()


def _worths(row: _Row) -> Callable[[str], float]:
    """Return how well a sign fits to a language."""
    table = dict.fromkeys(row.rare, 0.8 if row.is_latin else 0.5) | dict.fromkeys(row.frequent, 1.0)

    def worth(sign: str) -> float:
        known = table.get(sign, table.get(sign.lower()))
        if known is not None:
            return known
        if row.codes.startswith(("zh", "ko")) and sign.isalpha():
            is_own = ("\uac00" <= sign <= "\ud7a3") == (row.codes == "ko") and sign >= "\u3400"
            return 0.5 if is_own else -1.0
        return -1.0

    return worth


def _japanese(counted: Mapping[str, int]) -> Callable[[str], float]:
    """Return how well a sign fits to Japanese: no text is without kana."""
    kana = sum(number for sign, number in counted.items() if "\u3040" <= sign <= "\u30ff")
    han = sum(number for sign, number in counted.items() if "\u4e00" <= sign <= "\u9fff")
    worth = 0.8 if 6 * kana > han else 0.2
    return lambda sign: 1.0 if "\u3040" <= sign <= "\u30ff" else worth if "\u4e00" <= sign <= "\u9fff" else -1.0


def _is_misplaced(before: str, sign: str, after: str) -> bool:
    """Tell whether a sign stands where it cannot: a capital behind a small letter, a mark within a word."""
    if sign in _WITHIN_WORDS:
        return False
    if sign.isupper():
        return before.islower()
    if sign.isalpha():
        return _GREEK <= sign < _CHINESE_ON and any(char.isascii() and char.isalpha() for char in before + after)
    if unicodedata.category(sign) in ("Mn", "Mc"):
        return not (before.isalpha() or unicodedata.category(before) in ("Mn", "Mc"))
    return before.isalpha() and after.isalpha() and sign not in _WIDE_MARKS
