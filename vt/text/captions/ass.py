"""ASS and SSA (SubStation Alpha): what is spoken of a script, without its comments, drawings, signs and karaoke."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from vt.domain import Word
from vt.text.captions.cue import RawCue
from vt.text.captions.limits import MOST_CHARACTERS
from vt.text.captions.markup import unreadable
from vt.text.captions.timed_words import joined

# pysubs2 reads this format too. But it gives up on a whole file for one bad colour, knows one order of the columns, and
# takes the square of the number of tags in a line.
_COLUMNS: tuple[str, ...] = (
    "layer",
    "start",
    "end",
    "style",
    "name",
    "marginl",
    "marginr",
    "marginv",
    "effect",
    "text",
)
EXAMPLE = "Dialogue: 0,0:01:02.50,0:01:04.00,Default,,0,0,0,,Hello"
_SECTIONS = ("[script info]", "[v4 styles]", "[v4+ styles]", "[events]")
_HEAD = 40
"""So many lines are looked at to know the format."""
_TIME = re.compile(r"(-?)(\d{1,4}):(\d{1,2}):(\d{1,2})[.,:](\d{1,3})")
_BLOCK = re.compile(r"(\{[^{}]*+\})")
_DRAWING = re.compile(r"\\p(\d{1,3})")
_SYLLABLE = re.compile(r"\\(?:k[fot]?|K)(\d{1,6})")
_PLACED = re.compile(r"\\pos\b")
_TYPESET = re.compile(r"\\(?:move|i?clip|org|fr[xyz]?-?\d|fa[xy])")
"""What no line of speech has: it moves, turns or is cut to a shape."""
_NAME_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_UNSPOKEN_STYLES = re.compile(
    "signs?|titles?|eyecatch|notes?|typeset(ting)?|kara(oke)?|kfx|songs?|lyrics|romaji|kanji|opening|ending|insert"
    "|credits?|logo|staff",
    re.IGNORECASE,
)
_SONGS = frozenset(("OP", "ED"))
"""Opening and ending; in small letters they may be anybody's name."""
_UNSPOKEN_EFFECTS = ("fx", "karaoke", "template", "code", "banner", "scroll")


class _Kind(IntEnum):
    """What a line is; of all kinds in a script, the first that there is any of is what is spoken."""

    SPEECH = 0
    KARAOKE = 1
    SIGN = 2
    DRAWING = 3
    """Without text, and never spoken."""


@dataclass(slots=True)
class _Line:
    """A line of dialogue."""

    number: int
    line: str
    columns: dict[str, str]
    """By their names; those behind the end of the line are missing."""
    overrides: str
    """Its override blocks, joined: they hold the commands."""

    @property
    def kind(self) -> _Kind:
        effect, style, name = (self.columns.get(column, "").strip() for column in ("effect", "style", "name"))
        if effect.lower().startswith(_UNSPOKEN_EFFECTS) or _SYLLABLE.search(self.overrides):
            return _Kind.KARAOKE
        parts = _NAME_PARTS.findall(f"{style} {name}"[:200])
        if not _SONGS.isdisjoint(parts) or any(map(_UNSPOKEN_STYLES.fullmatch, parts)):
            return _Kind.SIGN
        return _Kind.SIGN if _TYPESET.search(self.overrides) else _Kind.SPEECH

    @property
    def is_placed(self) -> bool:
        return bool(_PLACED.search(self.overrides))


def recognises(text: str) -> bool:
    """Tell whether a file is a script: it begins with one of its sections or with its lines."""
    lines = (line.strip().lower() for line in text[:10_000].lstrip("\ufeff").splitlines()[:_HEAD])
    first = next((line for line in lines if line and line[0] not in ";!"), "")
    return first in _SECTIONS or first.startswith(("dialogue:", "format: layer", "format: marked"))


def parse(text: str) -> list[RawCue]:
    """Return the lines of a script, with the actor as the speaker; those that nobody says are marked as such.

    Drawings are always among these. Signs and karaoke are where there is anything else; of karaoke alone, the syllables
    give the words' times.
    """
    found: list[tuple[_Kind, RawCue]] = []
    lines = list(_lines(text))
    # One that is placed by hand is a sign; but in captions of television, each line is.
    places_speech = 3 * sum(line.is_placed for line in lines) > len(lines)
    for line in lines:
        cue = _cue(line)
        if cue.text.strip() or cue.unreadable:
            is_sign = line.is_placed and not places_speech and line.kind == _Kind.SPEECH
            found.append((_Kind.SIGN if is_sign else line.kind, cue))
        elif _DRAWING.search(line.overrides):
            found.append((_Kind.DRAWING, cue))
    spoken = min((kind for kind, _ in found if kind != _Kind.DRAWING), default=None)
    return [replace(cue, is_spoken=kind == spoken) for kind, cue in found]


def _lines(text: str) -> Iterator[_Line]:
    columns = _COLUMNS
    for number, line in enumerate(text.splitlines(), 1):
        kind, colon, rest = line.partition(":")
        name = kind.strip().lower()
        if name == "format" and colon:
            named = tuple(column.strip().lower() for column in rest.split(","))
            if {"start", "end", "text"} <= set(named) and named[-1] == "text":
                columns = named
        elif name == "dialogue" and colon:
            values = rest.split(",", len(columns) - 1)
            overrides = "".join(_BLOCK.findall(values[-1]))
            yield _Line(number, line, dict(zip(columns, values, strict=False)), overrides)


def _cue(line: _Line) -> RawCue:
    start, end = (_seconds(line.columns.get(column, "")) for column in ("start", "end"))
    text = line.columns.get("text")
    if start is None or end is None or text is None:
        return unreadable(line.number, line.line)
    pieces = _pieces(text, start)
    text = "".join(piece.text for piece in pieces)
    has_times = len(text) <= MOST_CHARACTERS and any(piece.end > start for piece in pieces)
    speaker = line.columns.get("name", "").strip()
    return RawCue(line.number, start, end, text, speaker, joined(pieces) if has_times else ())


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    sign, hours, minutes, seconds, behind = found.groups()
    value = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{behind}")
    return -value if sign else value


def _pieces(text: str, start: float) -> list[Word]:
    """Return the text between the override blocks, without drawings; the commands of karaoke time its syllables."""
    pieces: list[Word] = []
    here, end, is_drawing = start, start, False
    for part in _BLOCK.split(text):
        if part.startswith("{") and part.endswith("}"):
            if scales := _DRAWING.findall(part):
                is_drawing = int(scales[-1]) > 0
            for hundredths in _SYLLABLE.findall(part):
                here, end = end, end + int(hundredths) / 100
        elif part and not is_drawing:
            pieces.append(Word(here, end, part.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")))
    return pieces
