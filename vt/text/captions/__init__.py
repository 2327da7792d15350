"""Caption files that people have, whatever their format and encoding, read as what is said and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions import cleaning, decoding, limits, merging, srt, webvtt
from vt.text.captions.cue import RawCue, Utterance
from vt.text.captions.limits import MOST_BYTES, check_size, too_large
from vt.translatable import Message

__all__ = ["MOST_BYTES", "Captions", "Utterance", "check_size", "from_cues", "read", "too_large", "words"]


@dataclass(frozen=True, slots=True)
class Captions:
    """What a caption file says."""

    utterances: tuple[Utterance, ...]
    """In order of time, none overlapping the next."""
    notes: tuple[Message, ...] = ()
    """What was changed or left out on the way."""


@dataclass(frozen=True, slots=True)
class _Format:
    recognises: Callable[[str], bool]
    """Tells a file of this format by its text."""
    parse: Callable[[str], list[RawCue]]


_FORMATS = (
    _Format(webvtt.recognises, webvtt.parse),
    _Format(srt.recognises, srt.parse),
)
"""The first that recognises a text reads it."""


def read(content: bytes, language: str = "") -> Captions:
    """Return what a caption file says; its format is told by its content.

    Args:
        content: the whole file.
        language: the code of the language that it is said to be in; empty where nobody said.

    Raises:
        SubtitleError: no such file, one that cannot be read, or more than is taken; the sentence says which, and
            where.
    """
    check_size(len(content))
    text = decoding.decoded(content, language).removeprefix("\ufeff")
    parse = next((form.parse for form in _FORMATS if form.recognises(text)), None)
    cues = parse(text) if parse else []
    if not cues:
        raise SubtitleError("The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.")
    return from_cues(cues)


def from_cues(cues: Iterable[RawCue]) -> Captions:
    """Return what the cues of any format say: cleaned, merged, and within the limits.

    Raises:
        SubtitleError: they are more than is taken.
    """
    raw = list(cues)
    limits.check_lengths(raw)
    merged = merging.once(raw)
    limits.check_count(len(merged))
    spoken = [utterance for cue in merged for utterance in cleaning.utterances(cue)]
    limits.check_words(spoken)
    return Captions(tuple(merging.apart(spoken)))


def words(spoken: Iterable[Utterance]) -> list[Word]:
    """Return the words of utterances, each with its time or its share of it, so that sentences can be rebuilt."""
    return [word for utterance in spoken for word in _words_of(utterance)]


def _words_of(spoken: Utterance) -> Iterator[Word]:
    if spoken.words:
        yield from spoken.words
        return
    parts = spoken.text.split()
    total, here = sum(map(len, parts)), spoken.start
    for part in parts:
        end = here + (spoken.end - spoken.start) * len(part) / total
        yield Word(here, end, f" {part}")
        here = end
