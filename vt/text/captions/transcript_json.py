"""Transcripts in JSON, as Whisper's programs and whisperX write them: segments with times, often words and speakers.

Known are openai-whisper and what does as it does, faster-whisper's segments, whisper.cpp (`transcription`, with its
tokens), OpenAI's `verbose_json` and `diarized_json`, the `chunks` of transformers, and whisperX.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeGuard

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions.cue import RawCue
from vt.text.captions.limits import MOST_CHARACTERS, check_count
from vt.text.captions.timed_words import joined

_BEGINS = re.compile(r'[{\[]\s{0,999}+["{\[}\]]')
_LISTS = ("segments", "transcription", "chunks")
"""Under which of these keys the segments are."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
_NUMBER = re.compile(r"-?\d{1,12}(?:\.\d{1,20})?")
_LARGEST = 1e9
"""Of a time, in seconds or milliseconds."""
_APART = 40
"""So many signs may stand between two words of a text, and in no list of words."""
_PAUSE_SECONDS = 1.0
_WORDS_A_CUE = 30
"""Where only words are listed, a cue ends at a pause, or after so many of them."""


def recognises(text: str) -> bool:
    """Tell whether a text looks like JSON that holds an object or a list."""
    return bool(_BEGINS.match(text.lstrip()))


def parse(text: str) -> list[RawCue]:
    """Return a cue for each segment, or for each speaker in it; `line` is its number.

    Raises:
        SubtitleError: it is no JSON, or none of the transcripts that are known; the sentence says where.
    """
    segments, words, spoken = _listed(_loaded(text))
    cues = [cue for segment in _with_words(segments, words) for cue in _cues(segment)] or _of_words(words, spoken)
    if not cues:
        raise SubtitleError("The JSON holds no transcript: a list of segments with start, end and text is needed.")
    return cues


def declared_language(text: str) -> str:
    """Return the language that a transcript names; empty where it names none."""
    try:
        whole = _loaded(text)
    except SubtitleError:
        return ""
    places = [whole, *(whole.get(key) for key in ("result", "params"))] if isinstance(whole, dict) else []
    named = (place.get("language") for place in places if isinstance(place, dict))
    return next((name[:80] for name in named if isinstance(name, str)), "")


def _loaded(text: str) -> Any:  # noqa: ANN401 (anything may stand in JSON)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SubtitleError(
            "The subtitles look like JSON, but line {number} cannot be read as such: save or download them again.",
            number=error.lineno,
        ) from error
    except (RecursionError, ValueError) as error:  # the latter for a number of thousands of digits
        raise SubtitleError("The JSON is nested too deeply, or holds a number that is too long.") from error


@dataclass(frozen=True, slots=True)
class _Timed:
    """A word, or part of one, as a transcript lists it."""

    text: str
    start: float | None
    """None where nobody knows: whisperX finds no time for numbers."""
    end: float | None
    speaker: str = ""
    probability: float = 1.0


@dataclass(frozen=True, slots=True)
class _Segment:
    number: int
    start: float
    end: float
    text: str
    speaker: str
    words: tuple[_Timed, ...]


def _listed(whole: object) -> tuple[list[_Segment], list[_Timed], str]:
    """Return the segments of a transcript, the words that it lists beside them, and its text as a whole."""
    lists: dict[str, Any] = whole if isinstance(whole, dict) else {"segments": whole}
    raw = next((found for key in _LISTS if isinstance(found := lists.get(key), list) and found), [])
    if raw and isinstance(raw[0], dict) and "text" not in raw[0] and "word" in raw[0]:
        lists, raw = {"words": raw}, []
    check_count(len(raw))
    words = _words(lists.get("words") or lists.get("word_segments"))
    text = lists.get("text")
    return [_segment(number, each) for number, each in enumerate(raw, 1)], words, text if isinstance(text, str) else ""


def _segment(number: int, raw: object) -> _Segment:
    if isinstance(raw, list) and len(raw) > 4:  # faster-whisper's tuples: id, seek, start, end, text, and more
        words = next(
            (value for value in raw[5:] if isinstance(value, list) and value and isinstance(value[0], list)), []
        )
        raw = {"start": raw[2], "end": raw[3], "text": raw[4], "words": words}
    if isinstance(raw, dict) and isinstance(text := raw.get("text"), str):
        start, end = _times(raw)
        words = _words(raw.get("words") or raw.get("tokens"))
        start = next((word.start for word in words if word.start is not None), None) if start is None else start
        if start is not None:
            return _Segment(number, start, start if end is None else end, _clean(text), _speaker(raw), tuple(words))
    raise SubtitleError(
        "Segment {number} of the transcript cannot be read: it needs a start and an end in seconds, and a text.",
        number=number,
    )


def _words(raw: object) -> list[_Timed]:
    """Return the words of a list; tokens that are no text, such as [_BEG_], and what is no word are left out."""
    return [word for each in raw if (word := _word(each))] if isinstance(raw, list) else []


def _word(raw: object) -> _Timed | None:
    if isinstance(raw, list) and len(raw) > 2:  # faster-whisper's tuples
        raw = {"start": raw[0], "end": raw[1], "word": raw[2]}
    if not isinstance(raw, dict):
        return None
    text = raw.get("word", raw.get("text"))
    if not isinstance(text, str) or not text.strip() or text.startswith(("[_", "<|")):
        return None
    start, end = _times(raw)
    score = next((raw[key] for key in ("probability", "score", "p") if _is_number(raw.get(key))), 1.0)
    return _Timed(_clean(text).strip(), start, end, _speaker(raw), min(max(float(score), 0.0), 1.0))


def _times(raw: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return start and end in seconds, however a transcript tells them; None where it does not."""
    offsets, stamps, pair = raw.get("offsets"), raw.get("timestamps"), raw.get("timestamp")
    if isinstance(offsets, dict):
        start, end = (_seconds(offsets.get(key)) for key in ("from", "to"))
        return None if start is None else start / 1000, None if end is None else end / 1000
    if isinstance(stamps, dict):
        return _seconds(stamps.get("from")), _seconds(stamps.get("to"))
    if isinstance(pair, list) and len(pair) == 2:
        return _seconds(pair[0]), _seconds(pair[1])
    return _seconds(raw.get("start")), _seconds(raw.get("end"))


def _seconds(value: object) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, str) and (clock := _CLOCK.fullmatch(value)):
        hours, minutes, seconds, behind = (group or "0" for group in clock.groups())
        return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{behind}")
    return float(value) if _is_number(value) else None


def _is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value is a number of a size that times have: none of NaN, infinity and a thousand digits."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _speaker(raw: dict[str, Any]) -> str:
    named = raw.get("speaker")
    return _clean(str(named)[:100]) if isinstance(named, str) or _is_number(named) else ""


def _clean(text: str) -> str:
    """Return a text without halves of characters, which JSON can hold and nothing can write."""
    return _SURROGATES.sub("", text)


def _with_words(segments: Sequence[_Segment], words: Sequence[_Timed]) -> Iterator[_Segment]:
    """Give segments without words of their own, in turn, those of the whole transcript that their texts hold."""
    first = 0
    for segment in segments:
        end, at = first, 0
        while end < len(words) and (here := _place(segment.text, words[end], at)) >= 0:
            at = here + len(words[end].text)
            end += 1
        yield segment if segment.words else replace(segment, words=tuple(words[first:end]))
        first = end


def _place(text: str, word: _Timed, at: int) -> int:
    """Return where a word stands in a text, at `at` or a little behind; -1 where it does not."""
    return text.find(word.text, at, at + len(word.text) + _APART)


def _aligned(text: str, words: Sequence[_Timed]) -> list[_Timed]:
    """Return words as they stand in the text, with its spaces and punctuation; none where the text has others."""
    found: list[_Timed] = []
    at = 0
    for word in words:
        here = _place(text, word, at)
        if here < 0:
            return []
        between = text[at:here]
        cut = next((index for index, sign in enumerate(between) if sign.isspace()), 0) if found else 0
        if cut:
            found[-1] = replace(found[-1], text=found[-1].text + between[:cut])
        at = here + len(word.text)
        found.append(replace(word, text=between[cut:] + word.text))
    if not found or len(text) - at > _APART:
        return []
    return [*found[:-1], replace(found[-1], text=found[-1].text + text[at:])]


def _filled(words: Sequence[_Timed], start: float, end: float) -> list[_Timed]:
    """Give words whose times nobody knows their shares of the time between those around them."""
    result: list[_Timed] = []
    knowns = [(at, word.start) for at, word in enumerate(words) if word.start is not None and word.end is not None]
    here = start
    for first, begin in [*knowns, (len(words), end)]:
        gap = words[len(result) : first]
        total, span = sum(len(word.text) for word in gap), max(begin - here, 0.0)
        for word in gap:
            length = span * len(word.text) / total
            result.append(replace(word, start=here, end=here + length))
            here += length
        if first < len(words):
            here = max(begin, words[first].end or begin)
            result.append(replace(words[first], start=begin, end=here))
    return result


def _cues(segment: _Segment) -> list[RawCue]:
    """Return a segment as one cue, or as several where its words have different speakers."""
    aligned = _aligned(segment.text, segment.words) if len(segment.text) <= MOST_CHARACTERS else []
    if not aligned:
        return [RawCue(segment.number, segment.start, segment.end, segment.text.strip(), segment.speaker)]
    last = segment.speaker
    named = [replace(word, speaker=(last := word.speaker or last)) for word in aligned]
    runs = [list(run) for _, run in groupby(_filled(named, segment.start, segment.end), lambda word: word.speaker)]
    cues = [_cue(segment.number, run) for run in runs]
    return cues if len(cues) > 1 else [replace(cues[0], start=segment.start, end=segment.end)]


def _cue(number: int, words: Sequence[_Timed]) -> RawCue:
    pieces = [Word(word.start or 0.0, word.end or 0.0, word.text, word.probability) for word in words]
    text = "".join(piece.text for piece in pieces).strip()
    end = max(piece.end for piece in pieces)
    return RawCue(number, pieces[0].start, end, text, words[0].speaker, joined(pieces))


def _of_words(words: Sequence[_Timed], text: str) -> list[RawCue]:
    """Return cues of a transcript that lists words only, each as long as one person speaks without a pause."""
    known = [word for word in words if word.start is not None and word.end is not None]
    pieces = _aligned(text, known) or [replace(word, text=f" {word.text}") for word in known]
    runs: list[list[_Timed]] = []
    for word in pieces:
        before = runs[-1][-1] if runs else None
        if before is None or len(runs[-1]) == _WORDS_A_CUE or _is_apart(before, word):
            runs.append([])
        runs[-1].append(word)
    return [_cue(number, run) for number, run in enumerate(runs, 1)]


def _is_apart(before: _Timed, word: _Timed) -> bool:
    return word.speaker != before.speaker or (word.start or 0.0) - (before.end or 0.0) >= _PAUSE_SECONDS
