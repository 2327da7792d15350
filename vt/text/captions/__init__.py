"""Caption files that people have, whatever their format and encoding, read as what is said and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions import (
    ass,
    cleaning,
    limits,
    lrc,
    markup,
    merging,
    sbv,
    srt,
    timed_words,
    transcript_json,
    ttml,
    webvtt,
)
from vt.text.captions.cue import RawCue, Utterance
from vt.text.captions.decoding import decoded
from vt.text.captions.limits import MOST_BYTES, check_size, too_large
from vt.translatable import Message, Value

__all__ = ["MOST_BYTES", "Captions", "Utterance", "check_size", "decoded", "from_cues", "read", "too_large", "words"]


@dataclass(frozen=True, slots=True)
class Captions:
    """What a caption file says."""

    utterances: tuple[Utterance, ...]
    """In order of time, none overlapping the next."""
    notes: tuple[Message, ...] = ()
    """What was changed or left out on the way."""
    declared_language: str = ""
    """A code or a name, as the file itself has it; empty where it names none. Many a file names a wrong one."""


@dataclass(frozen=True, slots=True)
class _Format:
    recognises: Callable[[str], bool]
    """Tells a file of this format by its text."""
    parse: Callable[[str], list[RawCue]]
    example: str
    """A line of times, for whoever has to mend one."""
    declared_language: Callable[[str], str] = lambda _: ""


_FEW = 10
"""One cue among so many may have times that cannot be read."""
_FORMATS = (
    _Format(webvtt.recognises, webvtt.parse, srt.EXAMPLE),
    _Format(ttml.recognises, ttml.parse, ttml.EXAMPLE, ttml.declared_language),
    _Format(ass.recognises, ass.parse, ass.EXAMPLE),
    _Format(transcript_json.recognises, transcript_json.parse, "", transcript_json.declared_language),
    _Format(lrc.recognises, lrc.parse, "", lrc.declared_language),
    _Format(sbv.recognises, sbv.parse, sbv.EXAMPLE),
    _Format(srt.recognises, srt.parse, srt.EXAMPLE),
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
    text, notes = decoded(content, language)
    text = text.replace("\ufeff", "")  # where files were put together, each brought its mark
    limits.check_text(text)
    form = next((form for form in _FORMATS if form.recognises(text)), None)
    cues = form.parse(text) if form else []
    if form is None or not cues:
        raise SubtitleError(
            "The subtitles hold no times: a file in SRT, WebVTT, ASS, TTML, SBV, LRC or a transcript in JSON is needed."
        )
    found = from_cues(cues, form.example)
    return Captions(found.utterances, (*notes, *found.notes), form.declared_language(text))


def from_cues(cues: Iterable[RawCue], example: str = srt.EXAMPLE) -> Captions:
    """Return what the cues of any format say: cleaned, merged, and within the limits.

    Args:
        cues: in the order of the file.
        example: a line of times as the format has it.

    Raises:
        SubtitleError: they are more than is taken, or the times of too many cannot be read.
    """
    notes: list[Message] = []
    raw = _from_zero(_readable(_without_signs(list(cues), notes), notes, example), notes)
    limits.check_lengths(raw)
    merged = merging.once(raw)
    limits.check_count(len(merged))
    spoken, silent = cleaning.spoken(merged)
    limits.check_words(spoken)
    if silent:
        notes.append(
            Message("Lines of the subtitles that hold only sounds or songs were left out: {count}.", count=silent)
        )
    return Captions(tuple(merging.apart(spoken)), tuple(notes))


def _without_signs(cues: Sequence[RawCue], notes: list[Message]) -> list[RawCue]:
    """Return the cues that somebody says, and note how many of a script are none."""
    spoken = [cue for cue in cues if cue.is_spoken]
    if len(spoken) < len(cues):
        count = len(cues) - len(spoken)
        notes.append(
            Message("Lines of the subtitles that are signs, karaoke or drawings were left out: {count}.", count=count)
        )
    return spoken


def _readable(cues: Sequence[RawCue], notes: list[Message], example: str) -> list[RawCue]:
    """Return the cues whose times were read; a few others are noted, but a file of many is refused."""
    bad = [cue for cue in cues if cue.unreadable]
    if not bad:
        return list(cues)
    place: dict[str, Value] = {"number": bad[0].line, "line": bad[0].unreadable}
    if _FEW * len(bad) > len(cues):
        raise markup.unreadable_line(bad[0].line, bad[0].unreadable, example)
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
    found = spoken.words or tuple(timed_words.shared(Word(spoken.start, spoken.end, spoken.text)))
    for number, word in enumerate(found):
        yield replace(
            word,
            speaker=spoken.speaker or word.speaker,
            begins_turn=spoken.begins_turn and number == 0,
            overlaps=spoken.overlaps and number == 0,
        )
