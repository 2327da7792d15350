"""Caption files that people have, whatever their format and encoding, read as what is said and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions import cleaning, decoding, limits, merging, srt, webvtt
from vt.text.captions.cue import RawCue, Utterance
from vt.text.captions.limits import MOST_BYTES, check_size, too_large
from vt.translatable import Message, Value

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


_FEW = 10
"""One cue among so many may have times that cannot be read."""
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
    text, notes = decoding.decoded(content, language)
    limits.check_text(text)
    parse = next((form.parse for form in _FORMATS if form.recognises(text)), None)
    cues = parse(text) if parse else []
    if not cues:
        raise SubtitleError("The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.")
    found = from_cues(cues)
    return Captions(found.utterances, (*notes, *found.notes))


def from_cues(cues: Iterable[RawCue]) -> Captions:
    """Return what the cues of any format say: cleaned, merged, and within the limits.

    Raises:
        SubtitleError: they are more than is taken, or the times of too many cannot be read.
    """
    notes: list[Message] = []
    raw = _from_zero(_readable(list(cues), notes), notes)
    limits.check_lengths(raw)
    merged = merging.once(raw)
    limits.check_count(len(merged))
    spoken = cleaning.spoken(merged)
    limits.check_words(spoken)
    return Captions(tuple(merging.apart(spoken)), tuple(notes))


def _readable(cues: Sequence[RawCue], notes: list[Message]) -> list[RawCue]:
    """Return the cues whose times were read; a few others are noted, but a file of many is refused."""
    bad = [cue for cue in cues if cue.unreadable]
    if not bad:
        return list(cues)
    place: dict[str, Value] = {"number": bad[0].line, "line": bad[0].unreadable}
    if _FEW * len(bad) > len(cues):
        raise SubtitleError(
            'Line {number} of the subtitles cannot be read: "{line}". It should look like 00:01:02,500 --> '
            "00:01:04,000.",
            **place,
        )
    notes.append(
        Message(
            "Cues of the subtitles whose times cannot be read were left out: {count}; the first is at line "
            '{number}: "{line}".',
            count=len(bad),
            **place,
        )
    )
    return [cue for cue in cues if not cue.unreadable]


def _from_zero(cues: Sequence[RawCue], notes: list[Message]) -> list[RawCue]:
    """Move what begins before the film to its start, and say so."""
    early = sum(cue.start < 0 for cue in cues)
    if early:
        notes.append(
            Message("Lines of the subtitles that begin before the film are spoken at its start: {count}.", count=early)
        )
    return [cue if cue.start >= 0 else replace(cue, start=0.0, end=max(cue.end, 0.0), words=()) for cue in cues]


def words(spoken: Iterable[Utterance]) -> list[Word]:
    """Return the words of utterances, each with its time or its share of it, so that sentences can be rebuilt."""
    return [word for utterance in spoken for word in _words_of(utterance)]


def _words_of(spoken: Utterance) -> Iterator[Word]:
    found = spoken.words or tuple(_shares(spoken))
    for number, word in enumerate(found):
        yield replace(word, speaker=spoken.speaker or word.speaker, begins_turn=spoken.begins_turn and number == 0)


def _shares(spoken: Utterance) -> Iterator[Word]:
    """Yield the words of an utterance, each with a share of its time by its length."""
    parts = spoken.text.split()
    total, here = sum(map(len, parts)), spoken.start
    for part in parts:
        end = here + (spoken.end - spoken.start) * len(part) / total
        yield Word(here, end, f" {part}")
        here = end
