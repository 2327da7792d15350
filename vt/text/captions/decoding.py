"""The text of a caption file, in whichever encoding it is."""

from __future__ import annotations

import codecs

from vt.errors import SubtitleError
from vt.text.captions import legacy
from vt.translatable import Message

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD = 4000
"""Bytes that tell whether a file is in UTF-16."""
_JAPANESE_MAIL = (b"\x1b$@", b"\x1b$B")
"""Thus ISO-2022-JP, which is of ASCII alone, begins what is no ASCII."""
_SHOWN = {
    "cp1250": "Windows-1250", "cp1251": "Windows-1251", "cp1252": "Windows-1252", "cp1253": "Windows-1253",
    "cp1254": "Windows-1254", "cp1255": "Windows-1255", "cp1256": "Windows-1256", "cp1257": "Windows-1257",
    "cp1258": "Windows-1258", "cp874": "Windows-874", "cp932": "Shift-JIS", "cp949": "EUC-KR", "cp950": "Big5",
    "big5hkscs": "Big5", "cp866": "CP866", "koi8-u": "KOI8",
}  # fmt: skip
"""As people call what Python names otherwise; the other names differ in their capitals alone."""
_MOST_BROKEN = 100
"""Among so many signs that are no ASCII one may be broken, as where a file was cut."""


def decoded(content: bytes, language: str = "") -> tuple[str, list[Message]]:
    """Return the text of a file, and a note on its encoding where that is none of Unicode.

    Args:
        content: the whole file.
        language: the code of the language that it is said to be in; empty where nobody said.

    Raises:
        SubtitleError: it is text, but its encoding cannot be told.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace"), []
    if encoding := _of_zeros(content[:_HEAD]):
        return content.decode(encoding, "replace"), []
    if content.isascii() and any(mark in content for mark in _JAPANESE_MAIL):
        return content.decode("iso2022_jp", "replace"), []
    text = content.decode("utf-8", "replace")
    if _is_whole(text):
        return text.replace("\ufffd", "") if "\ufffd".encode() not in content else text, []
    if b"\0" in content:  # no text at all: that it holds no times is said by whoever looks for them
        return text, []
    return _of_legacy(content, language)


def _of_zeros(head: bytes) -> str:
    """Return which UTF-16 a text without a mark is in: half of what Europeans write is zeros, and any line of times."""
    if 8 * head.count(0) <= len(head):
        return ""
    return "utf-16-le" if head[::2].count(0) < head[1::2].count(0) else "utf-16-be"


def _is_whole(text: str) -> bool:
    """Tell whether a text was decoded as it is meant; it may be cut, or hold a broken sign."""
    broken = text.count("\ufffd")
    return not broken or _MOST_BROKEN * broken < sum(not sign.isascii() for sign in text)


def _of_legacy(content: bytes, language: str) -> tuple[str, list[Message]]:
    encoding = legacy.encoding_of(content, language)
    text = content.decode(encoding, "replace") if encoding else "\ufffd"
    if not _is_whole(text):
        raise SubtitleError("The encoding of the subtitles cannot be told: save them as UTF-8, or name their language.")
    shown = _SHOWN.get(encoding, encoding.upper().replace("ISO8859", "ISO-8859"))
    return text, [Message("The subtitles are not in UTF-8: they were read as {encoding}.", encoding=shown)]
