"""Lines of times as SRT and WebVTT have them, and what looks like one and is none."""

from __future__ import annotations

import re

_ARROW = re.compile(r"(?:[-–—]\s?+){1,3}+>|→")
_MINUS = "[-\u2212]?+"
_TIME = (
    rf"({_MINUS}(?:\d{{1,3}}\s?+:\s?+)?{_MINUS}\d{{1,3}}\s?+:\s?+{_MINUS}\d{{1,2}}(?:\s?+[,.:]\s?+{_MINUS}\d{{1,9}})?+)"
)
_TIMES = re.compile(rf"{_TIME}\s*+(?:{_ARROW.pattern})\s*+{_TIME}(?:\s|$|[a-z]{{1,9}}:)")
_LIKE_TIME = re.compile(r"\d:\d|\d[.,]\d\d")
_NUMBERS = re.compile(r"\d+")


def are_in(text: str) -> bool:
    """Tell whether a text has what look like lines of times."""
    return any(map(may_be, text.splitlines()))


def may_be(line: str) -> bool:
    """Tell whether a line may be meant as one of times."""
    return "-->" in line or bool(_TIMES.match(line.lstrip()))


def of_line(line: str) -> tuple[float, float] | None:
    """Return start and end in seconds, which may be negative; None where the line has none that can be read."""
    found = _TIMES.match(line.lstrip())
    return (_seconds(found[1]), _seconds(found[2])) if found else None


def is_said(line: str) -> bool:
    """Tell whether an arrow stands among words, as in "File --> Save" or "1 mile --> 1.6 km": these are no times."""
    before, _, after = line.partition("-->")
    words = before.split()
    if words and words[0].isalpha():
        return True
    if any(map(_LIKE_TIME.search, (*words[-1:], *after.split()[:1]))):
        return False
    return _has_letters(after) and (_has_letters(before) or not any(map(str.isdigit, line)))


def _has_letters(text: str) -> bool:
    return any(map(str.isalpha, text))


def of_clock(hours: str | None, minutes: str, seconds: str, behind: str | None = None) -> float:
    """Return seconds from digits; `behind` are those behind the point."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{behind or 0}")


def _seconds(time: str) -> float:
    numbers = _NUMBERS.findall(time)
    has_fraction = bool(re.search(r"[,.]", time)) or len(numbers) > 3
    behind = numbers.pop() if has_fraction else None
    hours, minutes, seconds = ["0", *numbers][-3:]
    positive = of_clock(hours, minutes, seconds, behind and str(int(behind)).zfill(len(behind)))
    return -positive if re.search("[-\u2212]", time) else positive
