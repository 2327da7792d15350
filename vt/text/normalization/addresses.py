"""Text normalization of addresses: web pages, e-mail, names with an @, hashtags."""

from __future__ import annotations

import re
from functools import partial

from vt.text.normalization.table import Words

_TOKEN = re.compile(r"(?<!\S)\S+")
_LONGEST = 500
"""Characters: what is longer is no address that anybody reads out."""
_OPENING, _CLOSING = "([{<\"'«“‘¿¡„", ")]}>\"'»”’.,;:!?…"
_ENDS = "com|org|net|edu|gov|info|io|ai|app|dev|tv|me|eu|es|fr|de|it|pt|br|uk|us|mx|ar|cl|co|ca|ch|at|be|nl|cat|in"
_WEB = re.compile(r"(?:[a-z]{2,10}://|www\.)(?=\S)(?:www\.)?(.+)")
_BARE = re.compile(rf"(?<![\w.-])(?:[\w-]+\.)+(?:{_ENDS})(?:/\S*)?")
_MAIL = re.compile(r"(?<![\w.+-])(?:mailto:)?([\w.+-]+@(?:[\w-]+\.)+[a-z]{2,12})")
_HANDLE = re.compile(r"@\w[\w.]*")
_HASHTAG = re.compile(r"#(?=\w*[^\W\d])\w+")
_PARTS = re.compile(r"[^\W\d_]+|\d+|[./_@+-]")
_CAMEL_CASE = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)|_+")
_NAMES = {".": "dot", "/": "slash", "-": "hyphen", "_": "underscore"}
_SHORT = 4
"""Letters without a vowel up to here are said one by one: pdf, html, www."""


def normalized(text: str, words: Words) -> str:
    """Return the text with its addresses in words."""
    if "." not in text and "@" not in text and "#" not in text and "://" not in text:
        return text
    text = re.sub(r"\b([CF])#(?!\w)", rf"\1 {words.term('word', 'sharp')}", text)
    return _TOKEN.sub(partial(_said, words=words), text)


def _said(token: re.Match[str], words: Words) -> str:
    if len(token[0]) > _LONGEST:
        return token[0]
    behind = token[0].lstrip(_OPENING)
    start = token[0][: len(token[0]) - len(behind)]
    core = behind.rstrip(_CLOSING)
    return start + _core(core, words) + behind[len(core) :]


def _core(core: str, words: Words) -> str:
    if found := _WEB.fullmatch(core):
        return _address(re.sub(r"[?#].*", "", found[1]).rstrip("/"), words)
    if found := _MAIL.fullmatch(core):
        return _address(found[1], words)
    if _BARE.fullmatch(core):
        return _address(re.sub(r"[?#].*", "", core).rstrip("/"), words)
    if _HANDLE.fullmatch(core):
        return f"{words.at} {_camel_case_apart(core[1:])}"
    if _HASHTAG.fullmatch(core):
        return f"{words.term('word', 'hashtag')} {_camel_case_apart(core[1:])}"
    return core


def _address(address: str, words: Words) -> str:
    return " ".join(_part(part, words) for part in _PARTS.findall(address))


def _part(part: str, words: Words) -> str:
    if part in _NAMES:
        return words.term("word", _NAMES[part])
    if part in "@+":
        return words.at if part == "@" else words.plus
    if len(part) <= _SHORT and part.isascii() and part.isalpha() and not set(part.lower()) & set("aeiouy"):
        return letters(part, words)
    return part.lower() if part.isupper() else part


def letters(name: str, words: Words) -> str:
    """Return a run of letters said one by one."""
    return " ".join(words.term("letter", letter.upper()) or letter for letter in name)


def _camel_case_apart(name: str) -> str:
    """Return what is written in one word, as in MeToo, word by word."""
    return _CAMEL_CASE.sub(" ", name).strip()
