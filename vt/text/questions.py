"""Questions that stay questions when they are translated: by their marks a voice knows that it has to ask."""

from __future__ import annotations

import re

_MARKS = {
    "ar": "؟",
    "fa": "؟",
    "ur": "؟",
    "ps": "؟",
    "ckb": "؟",
    "ug": "؟",
    "el": ";",
    "zh": "？",
    "ja": "？",
    "yue": "？",
}
"""What stands behind a question, by the language's code; elsewhere it is ?."""
_WITHOUT = frozenset(["th", "lo", "my", "km", "am", "ti", "hy", "bo", "dz"])
"""Languages that have no such mark, or have it elsewhere."""
_ASKING = "?？؟"
_CLOSING = '"”’»)』」 '
_SENTENCE = re.compile(r"(?<=[.!?…])\s+")
_FIRST_WORD = re.compile(r"[^\W\d_]+")
_OPENED = {"?": "¿", "!": "¡"}
_INVERTED = frozenset(["es", "ast"])
"""Languages that mark where a question or an exclamation begins, too."""
_CONDITIONS = frozenset(["si", "cuando", "aunque", "mientras", "como", "porque"])
"""Behind a clause that begins with one of them, and its comma, the question begins."""
_ACCENTED = {
    "que": "qué", "quien": "quién", "quienes": "quiénes", "donde": "dónde", "adonde": "adónde", "cuando": "cuándo",
    "como": "cómo", "cual": "cuál", "cuales": "cuáles", "cuanto": "cuánto", "cuanta": "cuánta", "cuantos": "cuántos",
    "cuantas": "cuántas",
}  # fmt: skip
"""Spanish words that ask, by what they are without an accent."""


_ASKING_WORDS = {
    "en": "what when where which who whom whose why how",
    "es": "qué cuál cuáles cuándo dónde adónde quién quiénes cómo cuánto cuánta cuántos cuántas",
    "fr": "qui que quoi quel quelle quels quelles quand où pourquoi comment combien",
    "hi": "क्यों कब कहाँ कहां कौन कैसे कैसा कैसी कितना कितनी कितने किस किसने किसको",
    "it": "chi che cosa cos quale quali quando dove perché come quanto quanta quanti quante",
    "pt": "quem qual quais que quê quando onde aonde porquê porque como quanto quanta quantos quantas",
}
"""Words with which a question begins whose answer is neither yes nor no; at its end the voice falls."""
_BEGINNING = 3
"""Of a question's words: among these is the one that asks, also where it follows a preposition."""


def rises(text: str, code: str) -> bool:
    """Tell whether the voice rises at the end of a text: where that asks for yes or no, in a language that is known."""
    if code not in _ASKING_WORDS or not text.rstrip(_CLOSING).endswith("?"):
        return False
    last = _SENTENCE.split(text.strip())[-1].lower().rpartition("¿")[2]
    words = re.findall(r"[^\W\d_]+", last) if code != "hi" else last.rstrip(_CLOSING + "?").split()
    asking = _ASKING_WORDS[code].split()
    return bool(words) and not any(word in asking for word in (words if code == "hi" else words[:_BEGINNING]))


def asked_alike(source: str, text: str, code: str) -> str:
    """Return a translation that ends with a question mark where its source does, and begins with one where that is so.

    Args:
        source: one sentence or a few.
        text: their translation.
        code: of its language.
    """
    mark = _MARKS.get(code, "?")
    if _is_asked(source) and not _is_asked(text, mark) and any(map(str.isalpha, text)) and code not in _WITHOUT:
        bare = text.rstrip(_CLOSING)
        text = bare.rstrip(".。… ") + mark + text[len(bare) :]
    return _opened(text) if code in _INVERTED else text


def _is_asked(text: str, mark: str = "?") -> bool:
    return text.rstrip(_CLOSING + "!.…").endswith((*_ASKING, mark))


def _opened(text: str) -> str:
    """Return Spanish with the marks at the beginning of its questions and exclamations."""
    parts, here = [], 0
    for gap in [*_SENTENCE.finditer(text), None]:
        end = gap.start() if gap else len(text)
        parts += [_opened_sentence(text[here:end]), gap[0] if gap else ""]
        here = gap.end() if gap else end
    return "".join(parts)


def _opened_sentence(sentence: str) -> str:
    closing = sentence.rstrip(_CLOSING)[-1:]
    opening = _OPENED.get(closing, "")
    first = _FIRST_WORD.search(sentence)
    if not opening or opening in sentence or not first:
        return sentence
    comma = sentence.find(", ")
    if first[0].lower() in _CONDITIONS and comma > 0 and closing == "?":
        first = _FIRST_WORD.search(sentence, comma) or first
    at = first.start()
    return sentence[:at] + opening + (_accented(sentence[at:]) if closing == "?" else sentence[at:])


def _accented(question: str) -> str:
    word = question.split(maxsplit=1)[0].rstrip("?,")
    accented = _ACCENTED.get(word.lower(), word)
    return (accented.capitalize() if word[:1].isupper() and accented != word else accented) + question[len(word) :]
