"""The text of a caption file, in whichever encoding it is."""

from __future__ import annotations

from vt.translatable import Message


def decoded(content: bytes, language: str = "") -> tuple[str, list[Message]]:  # noqa: ARG001 (chooses between encodings, soon)
    """Return the text of a file.

    Args:
        content: the whole file.
        language: the code of the language that it is said to be in; empty where nobody said.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace"), []
    head = content[:4000]
    if 8 * head.count(0) > len(head):  # half of what Europeans write is zeros in UTF-16, and so is any line of times
        low = head[::2].count(0) < head[1::2].count(0)
        return content.decode("utf-16-le" if low else "utf-16-be", errors="replace"), []
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace"), []
