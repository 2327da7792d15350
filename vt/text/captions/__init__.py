"""Caption files that people have, whatever their format and encoding, read as what is said and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions import (
    ass,
    cleaning,
    decoding,
    limits,
    lrc,
    merging,
    sbv,
    srt,
    timed_words,
    transcript_json,
    ttml,
    webvtt,
)
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
    declared_language: str = ""
    """A code or a name, as the file itself has it; empty where it names none. Many a file names a wrong one."""


@dataclass(frozen=True, slots=True)
class _Format:
    recognises: Callable[[str], bool]
    """Tells a file of this format by its text."""
    parse: Callable[[str], list[RawCue]]
    declared_language: Callable[[str], str] = lambda _: ""


_FORMATS = (
    _Format(webvtt.recognises, webvtt.parse),
    _Format(ttml.recognises, ttml.parse, ttml.declared_language),
    _Format(ass.recognises, ass.parse),
    _Format(transcript_json.recognises, transcript_json.parse, transcript_json.declared_language),
    _Format(lrc.recognises, lrc.parse, lrc.declared_language),
    _Format(sbv.recognises, sbv.parse),
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
    form = next((form for form in _FORMATS if form.recognises(text)), None)
    cues = form.parse(text) if form else []
    if form is None or not cues:
        raise SubtitleError(
            "The subtitles hold no times: a file in SRT, WebVTT, ASS, TTML, SBV, LRC or a transcript in JSON is needed."
        )
    return replace(from_cues(cues), declared_language=form.declared_language(text))


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
    yield from timed_words.shared(Word(spoken.start, spoken.end, spoken.text))
