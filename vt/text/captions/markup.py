"""What the parsers of several formats share: markup taken out without joining the words around it, and bad lines."""

from __future__ import annotations

import html
import re

from vt.errors import SubtitleError

_TAG = re.compile(r"</?+([a-zA-Z]*+)[^<>]*+>")
_BREAK = re.compile(r"\\[Nnh]")
_COMMANDS = re.compile(r"\{\\[^{}]*+\}")
_BREAKING = frozenset(["br", "p", "div"])


def without_tags(text: str) -> str:
    """Return a text without its tags such as <i>, and with a new line for each <br>."""
    return _TAG.sub(lambda found: "\n" if found[1].lower() in _BREAKING else "", text)


def without_commands(text: str) -> str:
    r"""Return a text without the commands of the format ASS, such as {\an8}, which many an SRT file has too."""
    return _BREAK.sub("\n", _COMMANDS.sub("", text))


def unescaped(text: str) -> str:
    """Return a text with the signs that its entities, such as &amp;, stand for."""
    return html.unescape(text)


def unreadable_times(number: int, line: str) -> SubtitleError:
    """Return what to raise where a line of times cannot be read."""
    return unreadable(number, line, "00:01:02,500 --> 00:01:04,000")


def unreadable(number: int, line: str, example: str) -> SubtitleError:
    """Return what to raise where a line cannot be read, with an example of one that can."""
    return SubtitleError(
        'Line {number} of the subtitles cannot be read: "{line}". It should look like {example}.',
        number=number,
        line=shown(line),
        example=example,
    )


def shown(line: str) -> str:
    """Return the beginning of a line of a file, as a sentence can show it."""
    return "".join(sign for sign in line[:1000].strip() if sign.isprintable())[:60]
