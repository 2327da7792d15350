"""LRC, the format of lyrics: each line has the time at which it begins, or several where it is sung again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, pairwise

from vt.domain import Word
from vt.text.captions.cue import RawCue
from vt.text.captions.limits import MOST_CHARACTERS, MOST_CUES, check_count
from vt.text.captions.timed_words import joined

_TIME = r"(?:(\d{1,2}):)?(\d{1,4}):(\d{1,2})(?:[.:](\d{1,3}))?"
_LINE_TIME = re.compile(rf"\[{_TIME}\][ \t]?")
_WORD_TIME = re.compile(rf"<{_TIME}>")
_TAG = re.compile(r"\[([A-Za-z#][A-Za-z_]{0,20}+):([^\]]{0,200}+)\]")
_HEAD = 40
"""So many lines are looked at to know the format."""
_MOST_TIMES = 100
"""Of one line; more are no times that a line is sung again."""
_LONGEST_SECONDS = 10.0
"""No line is sung for longer: behind it, only instruments play."""


def recognises(text: str) -> bool:
    """Tell whether a text is such a file: it begins with a tag or a time in brackets, and has a time soon."""
    lines = [line.strip() for line in text[:10_000].splitlines() if line.strip()][:_HEAD]
    begins = bool(lines) and bool(_TAG.fullmatch(lines[0]) or _LINE_TIME.match(lines[0]))
    return begins and any(map(_LINE_TIME.match, lines))


def parse(text: str) -> list[RawCue]:
    """Return the lines in order of time; each ends where the next begins, and the last at its start: nobody knows.

    Raises:
        SubtitleError: they are more than is taken.
    """
    sooner = _number(_tags(text).get("offset", "")) / 1000
    found = list(islice(_lines(text), MOST_CUES + 1))
    check_count(len(found))
    lines = sorted(found, key=lambda cue: cue.start)
    ends = [cue.start for cue in lines[1:]] + [cue.end for cue in lines[-1:]]
    return [_moved(_ended(cue, end), -sooner) for cue, end in zip(lines, ends, strict=True) if cue.text]


def declared_language(text: str) -> str:
    """Return the language that a file says it is in; empty where it says none."""
    return _tags(text).get("la", "")


def _tags(text: str) -> dict[str, str]:
    lines = map(str.strip, text[:10_000].splitlines()[:_HEAD])
    return {found[1].lower(): found[2].strip() for found in map(_TAG.fullmatch, lines) if found}


def _lines(text: str) -> Iterator[RawCue]:
    """Yield each line for each of its times; it ends at its start, unless the file tells when its last word ends."""
    for number, line in enumerate(text.splitlines(), 1):
        starts: list[float] = []
        line, at = line.strip(), 0  # noqa: PLW2901
        while len(starts) < _MOST_TIMES and (found := _LINE_TIME.match(line, at)):
            starts.append(_seconds(*found.groups()))
            at = found.end()
        if starts:
            first = _timed(number, starts[0], line[at:])
            yield first
            # The times of its words are of the first time that it is sung.
            yield from (RawCue(number, start, start, first.text) for start in starts[1:])


def _timed(number: int, start: float, text: str) -> RawCue:
    times = list(_WORD_TIME.finditer(text))
    edges = [0, *(edge for found in times for edge in found.span()), len(text)]
    parts = [text[begin:end] for begin, end in zip(edges[::2], edges[1::2], strict=True)]
    starts = [start, *(_seconds(*found.groups()) for found in times)]
    ends = [max(pair) for pair in pairwise([*starts, starts[-1]])]
    whole = " ".join("".join(parts).split())
    words = joined(map(Word, starts, ends, parts)) if times and len(whole) <= MOST_CHARACTERS else ()
    return RawCue(number, start, start if parts[-1].strip() else starts[-1], whole, words=words)


def _ended(cue: RawCue, following: float) -> RawCue:
    """End a line where the next begins at the latest, and its last word with it."""
    known = cue.end if cue.end > cue.start else following
    end = min(known, max(following, cue.start), cue.start + _LONGEST_SECONDS)
    words = cue.words
    if words and words[-1].end <= words[-1].start:
        words = (*words[:-1], replace(words[-1], end=max(end, words[-1].start)))
    return replace(cue, end=end, words=words)


def _moved(cue: RawCue, seconds: float) -> RawCue:
    words = tuple(replace(word, start=word.start + seconds, end=word.end + seconds) for word in cue.words)
    return replace(cue, start=cue.start + seconds, end=cue.end + seconds, words=words)


def _seconds(hours: str | None, minutes: str, seconds: str, behind: str | None) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{behind or 0}")


def _number(text: str) -> float:
    """Return the milliseconds of a tag such as +250; 0 where it holds no number."""
    found = re.fullmatch(r"[+-]?\d{1,7}", text)
    return float(found[0]) if found else 0.0
