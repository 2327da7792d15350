"""How much is read of a caption file, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vt.errors import SubtitleError, SubtitlesTooLarge
from vt.text.captions.cue import RawCue, Utterance

_MOST_MB = 5
MOST_BYTES = _MOST_MB * 2**20
MOST_CUES = 20_000
"""Once rolling captions are merged and what stands there twice is taken once."""
_MOST_TIMES = 3 * MOST_CUES
"""Before that: rolling captions show each line about three times."""
_TIMES = re.compile(r"-->[^\n\r]*+")
_MOST_LINES = 500_000
MOST_CHARACTERS = 2_000
"""Of one cue, without its markup."""
MOST_MARKED = 10 * MOST_CHARACTERS
"""Of one cue, with its markup: YouTube gives a time to each word."""
MOST_WORDS = 100_000
"""Of all cues: ten hours of speech."""


def check_size(size: int) -> None:
    """Raise where a file of so many bytes is too large to be read.

    Raises:
        SubtitlesTooLarge: it is.
    """
    if size > MOST_BYTES:
        raise too_large()


def too_large() -> SubtitlesTooLarge:
    """Return what to raise where a file holds more than `MOST_BYTES`."""
    return SubtitlesTooLarge(_MOST_MB)


def check_text(text: str) -> None:
    """Raise where a text holds more lines, or more lines of times, than are read.

    Raises:
        SubtitleError: it does.
    """
    if sum(1 for _ in _TIMES.finditer(text)) > _MOST_TIMES:
        check_count(_MOST_TIMES)
    if text.count("\n") + text.count("\r") > _MOST_LINES:
        raise SubtitleError("The subtitles are too long: {limit} lines are the most.", limit=_MOST_LINES)


def check_lengths(cues: Sequence[RawCue]) -> None:
    """Raise where a cue is longer than any that is taken.

    Raises:
        SubtitleError: it is; the sentence says where it stands.
    """
    for cue in cues:
        if len(cue.text) > MOST_CHARACTERS:
            raise SubtitleError(
                "The cue at line {number} of the subtitles is too long: {limit} characters are the most.",
                number=cue.line,
                limit=MOST_CHARACTERS,
            )


def check_count(count: int) -> None:
    """Raise where so many cues are more than are taken.

    Raises:
        SubtitleError: they are.
    """
    if count > MOST_CUES:
        raise SubtitleError("The subtitles are too long: {limit} cues are the most.", limit=MOST_CUES)


def check_words(spoken: Sequence[Utterance]) -> None:
    """Raise where more is said than is taken.

    Raises:
        SubtitleError: it is.
    """
    if sum(utterance.text.count(" ") + 1 for utterance in spoken) > MOST_WORDS:
        raise SubtitleError("The subtitles are too long: {limit} words are the most.", limit=MOST_WORDS)
