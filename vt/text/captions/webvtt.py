"""WebVTT, read by the parsing rules of the W3C (https://www.w3.org/TR/webvtt1/), and a little more leniently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vt.text.captions import markup, tagged, times
from vt.text.captions.cue import RawCue

_SIGNATURE = re.compile(r"\s{0,99}WEBVTT(?:\s|$)")
_MAP = re.compile(r"(?m)^X-TIMESTAMP-MAP=")
_LOCAL = re.compile(r"LOCAL:(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2})\.(\d{1,9})")
_MPEG = re.compile(r"MPEGTS:(\d{1,10})(?!\d)")
_MPEG_RATE = 90_000
_MPEG_WRAP = 2**33 / _MPEG_RATE
"""Seconds after which the clock of MPEG-2 begins anew."""


def recognises(text: str) -> bool:
    """Tell whether a text is a WebVTT file."""
    return bool(_SIGNATURE.match(text))


def parse(text: str) -> list[RawCue]:
    """Return the cues of a WebVTT file; one for each voice where a cue holds several.

    A cue whose times cannot be read is marked so, if it says anything, and the others are read, as the W3C has it.
    """
    clock = _Clock()
    found: list[RawCue] = []
    for block in _blocks(text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n").split("\n")):
        if block.times is None:
            clock.set("\n".join(block.lines))
        elif span := times.of_line(block.times):
            found += tagged.cues(block.line, span, "\n".join(block.lines), clock.shift)
        elif any(map(str.strip, block.lines)):
            found.append(markup.unreadable(block.line, block.times))
    return found


@dataclass(slots=True)
class _Block:
    """Lines up to an empty one, or up to the times of another cue."""

    line: int = 0
    """The number of its line of times, from 1."""
    times: str | None = None
    """None: it is the header, a note, a style, a region, or the name of a cue."""
    name: str = ""
    """The line before the times."""
    lines: list[str] = field(default_factory=list)
    """Those behind the times; all of them, where it has none."""

    def take_name(self) -> str:
        """Return the name of the next cue where it is the last line; such as this file should not have it there.

        A line of mere spaces may stand for the empty one before it, or a number follow that of this cue.
        """
        last = self.lines[-1].strip() if self.lines else ""
        if self.times is None:
            return last
        if last and len(self.lines) > 1 and not self.lines[-2].strip():
            return self.lines.pop().strip()
        if last.isdecimal() and self.name.isdecimal() and int(last[:9]) == int(self.name[:9]) + 1:
            return self.lines.pop().strip()
        return ""


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Yield the blocks of a file; the header is the first, and may have no empty line behind it."""
    block = _Block()
    for number, line in enumerate(lines, 1):
        # The W3C allows no arrow in what is said, and people write it: "File --> Save".
        if "-->" in line and not (block.times is not None and _is_said(lines[number - 1 : number + 1])):
            name = block.take_name()
            yield block
            block = _Block(number, line, name)
        elif not line or line == "WEBVTT":  # the latter within a file: several were put together
            yield block
            block = _Block()
        else:
            block.lines.append(line)
    yield block


def _is_said(lines: list[str]) -> bool:
    """Tell whether a line with an arrow is said; `lines` has the next one too, of whose times it may be the name."""
    return times.is_said(lines[0]) and not any(map(times.of_line, lines[1:]))


@dataclass(slots=True)
class _Clock:
    """How much later a cue is than it says, where the segments of a stream (HLS, RFC 8216) were put together.

    The map of the first segment tells only from where its stream counts; that of another, how far it is from the first.
    """

    first: float | None = None
    shift: float = 0.0

    def set(self, block: str) -> None:
        """Take over what a block says of the clock, if it does."""
        local, mpeg = _LOCAL.search(block), _MPEG.search(block)
        if not (_MAP.search(block) and local and mpeg):
            return
        offset = int(mpeg[1]) / _MPEG_RATE - times.of_clock(*local.groups())
        self.first = offset if self.first is None else self.first
        self.shift = (offset - self.first + _MPEG_WRAP / 2) % _MPEG_WRAP - _MPEG_WRAP / 2
