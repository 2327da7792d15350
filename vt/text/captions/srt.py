"""SubRip (SRT), as people's programs write it; the format has no standard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from vt.text.captions import markup, tagged, times
from vt.text.captions.cue import RawCue

_NO_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
_LINE = re.compile(r"\r\n|[\n\r]")

EXAMPLE = "00:01:02,500 --> 00:01:04,000"


def recognises(text: str) -> bool:
    """Tell whether a text is an SRT file: one that has lines of times."""
    return times.are_in(text)


def parse(text: str) -> list[RawCue]:
    """Return the cues of an SRT file; one whose times cannot be read is marked so."""
    blocks = _blocks(_LINE.split(text))
    _leave_out_numbers(blocks)
    return [cue for block in blocks for cue in _cues(block)]


@dataclass(slots=True)
class _Block:
    """A cue as it stands in the file."""

    line: int
    """The number of its line of times, from 1; 0 for what stands before the first."""
    times: str = ""
    lines: list[str] = field(default_factory=list)
    """All up to the next line of times: with the number of the next cue."""
    number: int | None = None
    """Its own."""

    def is_open_text(self) -> bool:
        """Tell whether a line is said where it follows here: no empty line is before it, nor the number of a cue."""
        last = self.lines[-1].strip() if self.lines else "."
        return bool(self.line and last and not last.isdecimal())


def _blocks(lines: Sequence[str]) -> list[_Block]:
    """Return what stands before the first cue, and the cues."""
    found = [_Block(0)]
    is_note = False
    for number, line in enumerate(lines, 1):
        if times.may_be(line) and not (found[-1].is_open_text() and times.is_said(line)):
            found.append(_Block(number, line))
            is_note = False
        elif not line.strip():
            is_note = False
            found[-1].lines.append("")
        elif _NO_CUE.match(line) and not "".join(found[-1].lines[-1:]):  # of WebVTT, without its header
            is_note = True
        elif not is_note:
            found[-1].lines.append(line)
    return found


def _cues(block: _Block) -> Iterator[RawCue]:
    if not block.line:
        return
    span = times.of_line(block.times)
    if span:
        yield from tagged.cues(block.line, span, markup.without_commands("\n".join(block.lines)))
    elif any(map(str.strip, block.lines)):
        yield markup.unreadable(block.line, block.times)


# Numbers of cues, which nobody says, and numbers at the end of what somebody says


@dataclass(frozen=True, slots=True)
class _Last:
    """The last line of a block where it is a number."""

    value: int
    at: int
    """Its index among the lines."""
    touches_text: bool
    """No empty line is between it and what stands above it."""
    touches_times: bool
    """No empty line is between it and the times below it."""

    @property
    def may_count(self) -> bool:
        """Whether it stands where the number of the next cue may stand."""
        return self.touches_times or not self.touches_text


def _leave_out_numbers(blocks: Sequence[_Block]) -> None:
    """Take the number of the next cue from the end of each, where the file numbers its cues."""
    lasts = [_last_number(block) for block in blocks]
    counting = sum(last.may_count for last in lasts[:-1] if last)
    is_numbered = lasts[0] is not None or 2 * counting > len(lasts)
    number: int | None = None
    for place, (block, last) in enumerate(zip(blocks, lasts, strict=True), 1):
        expected = (place, 0 if number is None else number + 1)
        if last and is_numbered and _is_of_next(last, expected, place == len(blocks)):
            del block.lines[last.at :]
        number = last.value if last and last.may_count else number and number + 1


def _is_of_next(last: _Last, expected: tuple[int, int], is_end: bool) -> bool:
    """Tell whether a number is that of the next cue, which at the end of a file was lost, and not what is said."""
    if last.touches_text or is_end:
        return last.may_count and last.value in expected
    return True


def _last_number(block: _Block) -> _Last | None:
    at = max((at for at, line in enumerate(block.lines) if line.strip()), default=-1)
    text = block.lines[at].strip() if at >= 0 else ""
    if not (text.isdecimal() and len(text) < 10):
        return None
    touches_text = bool(block.line) and (at == 0 or bool(block.lines[at - 1].strip()))
    return _Last(int(text), at, touches_text, at == len(block.lines) - 1)
