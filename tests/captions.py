"""Caption files made of a few texts, and what is read of them."""

from __future__ import annotations

from vt.text import captions
from vt.text.captions import Utterance


def srt(*texts: str, numbered: bool = True) -> str:
    """Return an SRT file with a cue of two seconds for each text, two seconds apart."""
    return "".join(
        (f"{at}\n" if numbered else "") + f"{_time(4 * at)},000 --> {_time(4 * at + 2)},000\n{text}\n\n"
        for at, text in enumerate(texts, 1)
    )


def timed(*cues: tuple[float, float, str]) -> str:
    """Return an SRT file of cues with their times, as they come."""
    return "".join(f"{_exact(start)} --> {_exact(end)}\n{text}\n\n" for start, end, text in cues)


def read(content: bytes | str, language: str = "") -> list[Utterance]:
    """Return what is said."""
    return list(captions.read(content.encode() if isinstance(content, str) else content, language).utterances)


def said(content: bytes | str, language: str = "") -> list[str]:
    """Return the texts of what is said."""
    return [utterance.text for utterance in read(content, language)]


def _time(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _exact(seconds: float) -> str:
    return f"{_time(int(seconds))},{round(seconds * 1000) % 1000:03}"
