"""What the parsers of several formats share: commands and entities, and lines that cannot be read."""

from __future__ import annotations

import html
import re

from vt.errors import SubtitleError
from vt.text.captions.cue import RawCue

_BREAK = re.compile(r"\\[Nnh]")
_COMMANDS = re.compile(r"\{\\[^{}]*+\}")


def without_commands(text: str) -> str:
    r"""Return a text without the commands of the format ASS, such as {\an8}, which many an SRT file has too."""
    return _BREAK.sub("\n", _COMMANDS.sub("", text))


def unescaped(text: str) -> str:
    """Return a text with the signs that its entities, such as &amp;, stand for."""
    return html.unescape(text)


def unreadable(number: int, line: str) -> RawCue:
    """Return the cue in place of one whose line of times cannot be read."""
    return RawCue(number, 0.0, 0.0, "", unreadable="".join(filter(str.isprintable, line[:1000].strip()))[:60])


def unreadable_line(number: int, line: str, example: str) -> SubtitleError:
    """Return what to raise where a line cannot be read, with an example of one that can."""
    return SubtitleError(
        'Line {number} of the subtitles cannot be read: "{line}". It should look like {example}.',
        number=number,
        line=line,
        example=example,
    )
