"""Pure: sentences with times to SRT and WebVTT files, in cues that can be read."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pysubs2

LINE_CHARACTERS = 42
"""The common limit of a subtitle line (BBC and Netflix guidelines: 37 to 42)."""
CUE_CHARACTERS = 2 * LINE_CHARACTERS - 4  # two lines that break at a space are rarely full
CHARACTERS_A_SECOND = 20
"""A cue stays this long at least, where the next one leaves the time."""
SHORTEST_CUE_SECONDS = 1.0
_PAUSES = set(",;:.!?…)»、，；：。！？」』）")
"""A cue ends well behind these, and no line begins with one."""
_JOINER = "\u200d"  # holds emoji together
_GAP = re.compile(r"[^\S\u00a0\u202f]+")
"""A space, but for those within numbers, at which no line may end."""
_TAG = re.compile(r"<(?= *+/?+ *+[a-zA-Z])|>")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is on the screen, in seconds."""

    start: float
    end: float
    text: str


def cues(sentences: Iterable[Cue], film_seconds: float = math.inf) -> list[Cue]:
    """Break sentences into cues of at most two lines, each with the time that reading takes where there is some.

    No cue outlasts the film.
    """
    parts = [part for sentence in sentences for part in _split(sentence)]
    nexts = [*(part.start for part in parts[1:]), film_seconds]
    found: list[Cue] = []
    for part, following in zip(parts, nexts, strict=False):
        found.append(_readable(part, found[-1].end if found else 0.0, following))
    return found


def srt(parts: Sequence[Cue]) -> str:
    """Return cues as an SRT file."""
    # SRT has no way to escape: what looks like a tag or like a cue's times would be taken for one.
    return _file([Cue(c.start, c.end, _untagged(c.text).replace("-->", "→")) for c in parts]).to_string("srt")


def _untagged(text: str) -> str:
    """Put other brackets around what would be taken for a tag."""
    end, opened = text.rfind(">") + 1, False

    def bracket(found: re.Match[str]) -> str:
        nonlocal opened
        closes, opened = found[0] == ">" and opened, found[0] == "<"
        return "›" if closes else found[0].replace("<", "‹")

    return _TAG.sub(bracket, text[:end]) + text[end:]


def vtt(parts: Sequence[Cue]) -> str:
    """Return cues as a WebVTT file (W3C)."""
    return _file([Cue(c.start, c.end, html.escape(c.text, quote=False)) for c in parts]).to_string("vtt")


def _file(parts: Sequence[Cue]) -> pysubs2.SSAFile:
    # Braces and backslashes are commands to the library's own format.
    plain = str.maketrans({"{": "(", "}": ")", "\\": "/"})
    file = pysubs2.SSAFile()
    for part in parts:
        text = part.text.translate(plain).replace("\n", "\\N")
        file.append(pysubs2.SSAEvent(round(part.start * 1000), round(part.end * 1000), text))
    return file


def _readable(part: Cue, free: float, following: float) -> Cue:
    """Show a part from `free` on at the earliest, until the `following` one at the latest."""
    start = max(part.start, free)
    wanted = start + max(SHORTEST_CUE_SECONDS, len(part.text) / CHARACTERS_A_SECOND)
    # A cue ends before the next begins, but never before it began itself.
    end = max(min(max(part.end, wanted), following), start + 0.001)
    return Cue(start, end, broken(part.text))


def _split(sentence: Cue) -> list[Cue]:
    """Cut a long sentence where it breathes; each part gets its share of the time by its length."""
    text = _GAP.sub(" ", sentence.text).strip()
    if not text:
        return []
    pieces = _pieces(text)
    total, here, parts = sum(map(len, pieces)), sentence.start, []
    for piece in pieces:
        end = here + (sentence.end - sentence.start) * len(piece) / total
        parts.append(Cue(here, end, piece))
        here = end
    return parts


def _pieces(text: str) -> list[str]:
    if len(text) <= LINE_CHARACTERS or _breaks(text):
        return [text]
    count = max(2, math.ceil(len(text) / CUE_CHARACTERS))
    cut = _cut(text, len(text) * (count // 2) // count)
    return [*_pieces(text[:cut].strip()), *_pieces(text[cut:].strip())]


def _cut(text: str, ideal: int) -> int:
    """Return the best place to cut near `ideal`; being behind punctuation is worth a dozen characters of imbalance."""
    return min(_places(text), key=lambda at: abs(at - ideal) - (12 if text[at - 1] in _PAUSES else 0), default=ideal)


def _places(text: str) -> list[int]:
    """Return where the text may be cut: at its spaces, or, without any, before each letter that can open a line."""
    spaces = [at for at, sign in enumerate(text) if sign == " "]
    return spaces or [at for at in range(1, len(text)) if _opens(text[at]) and text[at - 1] != _JOINER]


def _opens(sign: str) -> bool:
    return sign not in _PAUSES and sign != _JOINER and not unicodedata.category(sign).startswith("M")


def _breaks(text: str) -> list[int]:
    """Return where the text may be cut into two lines that both fit."""
    if len(text) > 2 * LINE_CHARACTERS + 1:
        return []
    lengths = ((at, len(text[:at].strip()), len(text[at:].strip())) for at in _places(text))
    return [at for at, head, tail in lengths if max(head, tail) <= LINE_CHARACTERS]


def broken(text: str) -> str:
    """Return the text on one line, or on two of about the same length."""
    places = _breaks(text) if len(text) > LINE_CHARACTERS else []
    if not places:
        return text
    cut = min(places, key=lambda at: abs(at - len(text) // 2))
    return f"{text[:cut].strip()}\n{text[cut:].strip()}"
