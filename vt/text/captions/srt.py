"""SubRip (SRT), as people's programs write it; the format has no standard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from vt.text.captions.cue import RawCue
from vt.text.captions.markup import unescaped, unreadable_times, without_commands, without_tags

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\A\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_NO_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")


def recognises(text: str) -> bool:
    """Tell whether a text is an SRT file: one that has lines of times."""
    return "-->" in text


def parse(text: str) -> list[RawCue]:
    """Return the cues of an SRT file.

    Raises:
        SubtitleError: a line of times cannot be read; the sentence says which.
    """
    return [RawCue(block.line, block.start, block.end, block.text) for block in _blocks(text)]


@dataclass(slots=True)
class _Block:
    line: int
    start: float
    end: float
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return unescaped(without_tags(without_commands("\n".join(self.lines)))).strip()

    def end_before_another(self) -> None:
        """Leave out what belongs to the next cue: its number."""
        below = len(self.lines)
        while below and not self.lines[below - 1].strip():
            below -= 1
        touching = below == len(self.lines)
        if below > 1 and self.lines[below - 1].strip().isdecimal() and (touching or not self.lines[below - 2].strip()):
            del self.lines[below - 1 :]


def _blocks(text: str) -> list[_Block]:
    lines = text.splitlines()
    is_vtt = bool(lines) and lines[0].startswith("WEBVTT")
    found: list[_Block] = []
    is_open = False
    for number, (before, line) in enumerate(pairwise(["", *lines]), 1):
        if "-->" in line:
            if is_open:
                found[-1].end_before_another()
            found.append(_block(number, line))
            is_open = True
        elif not before.strip() and (_NO_CUE.match(line) or (is_vtt and found)):
            is_open = False  # a note, a style, or in WebVTT the name of the next cue: nobody says that
        elif is_open:
            found[-1].lines.append(line)
    return found


def _block(number: int, line: str) -> _Block:
    times = _TIMES.match(line)
    if not times:
        raise unreadable_times(number, line)
    return _Block(number, _seconds(times.groups()[:4]), _seconds(times.groups()[4:]))


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, behind = (group or "0" for group in groups)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(behind.ljust(3, "0")) / 1000
