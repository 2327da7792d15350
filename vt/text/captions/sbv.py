"""SBV, as YouTube writes it, and SubViewer, from which it comes: a line with both times, then the text."""

from __future__ import annotations

import re
from dataclasses import replace

from vt.text.captions.cue import RawCue
from vt.text.captions.limits import check_count
from vt.text.captions.markup import unreadable

_TIME = r"(\d{1,4}):(\d{1,2}):(\d{1,2})[.,:](\d{1,3})"
_TIMES = re.compile(rf"{_TIME}[ \t]?,[ \t]?{_TIME}")
EXAMPLE = "0:01:02.500,0:01:04.000"
_LIKE_TIMES = re.compile(r"\d[\d:.]{0,30}+[ \t]?,[ \t]?\d[\d:.]{0,30}+")
_SECTION = re.compile(r"\[/?[A-Z][A-Z ]*+\].*+")
"""SubViewer's header, such as [TITLE] or [COLF]&HFFFFFF."""
_BREAK = re.compile(r"\[br\]", re.IGNORECASE)
_HEAD = 40
"""So many lines are looked at to know the format."""


def recognises(text: str) -> bool:
    """Tell whether a text is such a file: one of its first lines holds two times, apart by a comma."""
    return any(_TIMES.fullmatch(line.strip()) for line in text[:10_000].splitlines()[:_HEAD])


def parse(text: str) -> list[RawCue]:
    """Return the cues of a file.

    Raises:
        SubtitleError: they are more than is taken.
    """
    found: list[tuple[RawCue, list[str]]] = []
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        if times := _TIMES.fullmatch(line.strip()):
            start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
            found.append((RawCue(number, start, end, ""), []))
        elif not before.strip() and ":" in line and _LIKE_TIMES.fullmatch(line.strip()):
            found.append((unreadable(number, line), []))
        elif found and not _SECTION.fullmatch(line):
            found[-1][1].append(_BREAK.sub("\n", line))
        before = line
        check_count(len(found))
    return [replace(cue, text="\n".join(lines).strip()) for cue, lines in found]


def _seconds(hours: str, minutes: str, seconds: str, behind: str) -> float:
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{behind}")
