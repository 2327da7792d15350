"""The report of a finished dub, or of a transcript: its shape, how it is made, and how it is read back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter

from vt.domain import Dropped, JobRequest, Placement, Segment, Stage, Timed, Transcript
from vt.dubbing import casting, timing
from vt.dubbing.casting import Parts
from vt.dubbing.timing import TimingReport
from vt.engines.candidate import Choice
from vt.languages import Language
from vt.media import Loudness, Slowing
from vt.models.spent import NOTHING_SPENT, Spent
from vt.translatable import Message

# The shape. The fields stand in the order of the JSON. Only what the JSON leaves out where it is empty has a default.
# A field that is added needs a default, too: else the reports that lie on disks today could not be read any more.


@dataclass(frozen=True, slots=True)
class Source:
    """The film."""

    file: str
    """Its name as the user knows it."""
    duration_seconds: float
    language: Language
    """What is spoken in it; in the JSON its code, as with all languages."""
    language_detected: bool
    """True where the recogniser found out the language by listening."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a translation: from which language to which, by codes, and who made it."""

    engine: str
    source: Annotated[str, Field(alias="from")]
    target: Annotated[str, Field(alias="to")]


@dataclass(frozen=True, slots=True)
class RemoteUse:
    """What a language model on another server took for a translation, over all lines and all tries."""

    calls: int
    """Questions to the server, those without an answer too."""
    prompt_tokens: int
    """As the server counts them; 0 where it does not."""
    completion_tokens: int
    lines_by_others: int
    """Lines that it did not translate; `notes` say who did, and why."""


@dataclass(frozen=True, slots=True)
class EngineUse:
    """Who did the work of one stage."""

    engine: str
    """Its name; of several that worked one after the other, their names with " > " between them."""
    model: str
    device: str
    fallback_reason: str | None
    """A sentence on why it served and not the one that was configured; None where that one did."""
    voice: str = ""
    """The id of the voice that spoke."""
    route: tuple[Step, ...] = ()
    """The steps of a translation."""
    usage: RemoteUse | None = None
    """Of a translation by a language model on another server."""


@dataclass(frozen=True, slots=True)
class HearingEngine:
    """Who served a transcript."""

    stt: EngineUse | None
    """None where subtitles were read in place of recognition."""


@dataclass(frozen=True, slots=True)
class DubEngines:
    """Who served a dub."""

    stt: EngineUse | None
    """None where subtitles were read in place of recognition."""
    translation: EngineUse
    tts: EngineUse


@dataclass(frozen=True, slots=True)
class StageTime:
    """How long one stage took."""

    name: Stage
    seconds: float


@dataclass(frozen=True, slots=True)
class SpeakerUse:
    """One of several who speak in the film."""

    id: int
    """From 0 in the order in which they begin to speak, those who were added by hand last."""
    label: str
    """As captions or somebody by hand name them, else a number."""
    seconds: float
    """How long the lines last that they speak in the film."""
    voice: str = ""
    """The id of the voice that speaks for them; empty where nothing is spoken."""


@dataclass(frozen=True, slots=True)
class HeardLine:
    """One line of a transcript. Times are seconds from the start of the film."""

    id: int
    """From 0 in order of start."""
    start: float
    end: float
    source_text: str
    speaker: int | None = None
    """The id of who says it; None where only one person speaks."""
    source_words: tuple[Timed, ...] = ()
    """When each word of `source_text` is said: its start, its end, and its length in letters."""
    confidence: float | None = None
    """The recogniser's own confidence in `source_text`, 0..1; None where nobody recognised it."""


@dataclass(frozen=True, slots=True)
class DubbedLine:
    """One line of a dub. Times are seconds from the start of the film; the words are those of `vt.dubbing.timing`."""

    id: int
    """From 0 in order of start."""
    start: float
    end: float
    source_text: str
    text: str
    """What is spoken; empty where nothing is."""
    slot_seconds: float
    room_seconds: float
    natural_seconds: float
    tempo: float
    placed_start: float
    placed_end: float
    overflow_seconds: float
    speaker: int | None = None
    """The id of who says it in the film; None where only one person speaks."""
    shortened: str | None = None
    """The line in full, where a shorter wording is spoken because there is no time for it."""
    hurried: str | None = None
    """Why it is spoken at a tempo above 1.2, as a sentence; None where it is not."""
    source_words: tuple[Timed, ...] = ()
    """When each word of `source_text` is said: its start, its end, and its length in letters."""
    phrases: tuple[Timed, ...] = ()
    """The same of the phrases of `text`, where there are pauses between them."""
    confidence: float | None = None
    """The recogniser's own confidence in `source_text`, 0..1; None where nobody recognised it."""


@dataclass(frozen=True, slots=True)
class SlowedPart:
    """A stretch in which the picture is slowed. Its times are those of the dub, as all times of its report."""

    start: float
    end: float
    factor: float
    """How many times as long it lasts as in the film."""


@dataclass(frozen=True, slots=True)
class TermNotHeld:
    """A term of the glossary that some lines do not hold."""

    source: str
    target: str
    """The same as `source` where the term was to stay as it is."""
    lines: tuple[int, ...]
    """The ids of the lines."""


@dataclass(frozen=True, slots=True)
class GlossaryUse:
    """What became of the terms of the glossary."""

    terms: int
    """How many hold for the language of the dub."""
    unmatched: tuple[str, ...]
    """Those that are in no line that was translated, as the glossary has them."""
    not_held: tuple[TermNotHeld, ...]
    """Those that are in lines whose translation does not hold them."""


@dataclass(frozen=True, slots=True)
class MeasuredLoudness:
    """How loud the dub is; None where it holds no sound at all."""

    integrated_lufs: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, slots=True)
class DubReport:
    """All about a finished dub. Seconds have three decimals."""

    source: Source
    target_language: Language
    base_rate: float
    """A multiple of the engine's default rate."""
    engines: DubEngines
    stages: tuple[StageTime, ...]
    total_seconds: float
    segments: tuple[DubbedLine, ...]
    dropped: tuple[Dropped, ...]
    timing: TimingReport
    loudness: MeasuredLoudness
    notes: tuple[str, ...]
    """Sentences for the user."""
    speakers: tuple[SpeakerUse, ...] = ()
    """Empty where only one person speaks."""
    slowed: tuple[SlowedPart, ...] = ()
    """Empty where the picture is as it was."""
    glossary: GlossaryUse | None = None
    """None where no glossary came along."""

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages that the dub has subtitles in, that of the dub first."""
        return tuple(dict.fromkeys((self.target_language, self.source.language)))

    def as_json(self) -> dict[str, Any]:
        """Return the report as its file and the API have it."""
        return _dumped(_DUB, self)


@dataclass(frozen=True, slots=True)
class TranscriptReport:
    """All about a film that was only written down. Seconds have three decimals."""

    source: Source
    engines: HearingEngine
    stages: tuple[StageTime, ...]
    segments: tuple[HeardLine, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...]
    """Sentences for the user."""
    speakers: tuple[SpeakerUse, ...] = ()
    """Empty where only one person speaks."""

    def as_json(self) -> dict[str, Any]:
        """Return the report as its file and the API have it."""
        return _dumped(_TRANSCRIPT, self)


Report: TypeAlias = DubReport | TranscriptReport
_TIMED = re.compile(r"\[\n *([0-9.e-]+),\n *([0-9.e-]+),\n *([0-9]+)\n *\]")
"""A `Timed` as JSON has it."""

_DUB, _TRANSCRIPT = TypeAdapter(DubReport), TypeAdapter(TranscriptReport)


def _dumped(shape: TypeAdapter[Any], report: Report) -> dict[str, Any]:
    values: dict[str, Any] = shape.dump_python(report, mode="json", by_alias=True, exclude_defaults=True)
    return values


def write(file: Path, report: Report) -> None:
    """Write a report in the form that `read` reads."""
    text = json.dumps(report.as_json(), ensure_ascii=False, indent=2)
    # Three numbers on as many lines would make it three times as long.
    file.write_text(_TIMED.sub(r"[\1, \2, \3]", text) + "\n", encoding="utf-8")


def read(text: str | bytes) -> Report:
    """Return the report that a file holds.

    Raises:
        ValueError: it is damaged, or lacks what reports have today.
    """
    return _checked(_loaded(text))


def read_json(text: str | bytes) -> dict[str, Any]:
    """Return the report that a file holds as it stands there, with what a newer version has added to it.

    Raises:
        ValueError: it is damaged, or lacks what reports have today.
    """
    values: dict[str, Any] = _loaded(text)
    _checked(values)
    return values


def _loaded(text: str | bytes) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(text, parse_float=_number, parse_constant=_number)


def _number(said: str) -> float:
    """Return a number of a report; one that is infinite or none has no place on a page or in JSON.

    Raises:
        ValueError: it is one of those.
    """
    value = float(said)
    if not math.isfinite(value):
        raise ValueError(said)
    return value


def _checked(values: Any) -> Report:  # noqa: ANN401 (JSON)
    is_dub = isinstance(values, dict) and "target_language" in values
    return _DUB.validate_python(values) if is_dub else _TRANSCRIPT.validate_python(values)


def without_paths(report: Report) -> Report:
    """Return a report that has just been made as somebody may read it who must not see where files lie here."""
    served = {stage.name: getattr(report.engines, stage.name) for stage in fields(report.engines)}
    shown: dict[str, Any] = {stage: _named_only(use) for stage, use in served.items()}
    notes = tuple(Message(note).with_file_names({}) for note in report.notes)
    engines: Any = replace(report.engines, **shown)
    return replace(report, engines=engines, notes=notes)


def _named_only(use: EngineUse | None) -> EngineUse | None:
    if use is None or use.fallback_reason is None:
        return use
    return replace(use, fallback_reason=Message(use.fallback_reason).with_file_names({}))


# How it is made


@dataclass(frozen=True, slots=True)
class Script:
    """Both sides of a dub, line by line: what was said when, and what is said instead."""

    transcript: Transcript
    target_language: Language
    texts: tuple[str, ...]
    placements: tuple[Placement, ...]
    parts: Parts
    written: tuple[bool, ...]
    """By line: whether somebody has changed its words by hand."""
    fuller: tuple[str, ...] = ()
    """By line: its wording in full, where a shorter one is spoken; else empty."""
    spent: Spent = NOTHING_SPENT
    """What another machine took for the translation."""
    phrases: tuple[tuple[Timed, ...], ...] = ()
    """By line: when its phrases are said, where there are pauses between them; empty before anything is."""

    def why_hurried(self, line: int, *, literal: bool) -> str | None:
        """Say why a line is spoken at a tempo above 1.2; None where it is not."""
        if not timing.is_hurried(self.placements[line]):
            return None
        if literal:
            return "Every line is to be spoken in full."
        return "Its words were changed by hand." if self.written[line] else "No shorter wording fits."


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the report of a dub tells of."""

    request: JobRequest
    film_seconds: float
    script: Script
    base_rate: float
    loudness: Loudness
    stt: Choice | None
    translation: Choice
    spent: Spent
    """What another machine took for the translation."""
    tts: Choice
    stages: Mapping[Stage, float]
    """How long each stage took, in seconds."""
    total_seconds: float
    notes: Sequence[str]
    voices: Sequence[str]
    """The id of each speaker's voice, by the id of the speaker."""
    slowing: Slowing | None = None
    glossary: GlossaryUse | None = None


def of_dub(outcome: Outcome) -> DubReport:
    """Return the report of a dub."""
    script = outcome.script
    segments = script.transcript.segments
    literal = outcome.request.finish.literal
    return DubReport(
        source=_source(outcome.request, outcome.film_seconds, script.transcript),
        target_language=script.target_language,
        base_rate=_rounded(outcome.base_rate),
        engines=DubEngines(use(outcome.stt) if outcome.stt else None, _translation(outcome), use(outcome.tts)),
        stages=_timed(outcome.stages),
        total_seconds=_rounded(outcome.total_seconds),
        segments=tuple(_line(script, line, script.why_hurried(line, literal=literal)) for line in range(len(segments))),
        dropped=_dropped(script.transcript),
        timing=_timing(script),
        loudness=MeasuredLoudness(_finite(outcome.loudness.integrated), _finite(outcome.loudness.true_peak)),
        notes=(*_remarks(outcome.stt, outcome.translation, outcome.tts), *outcome.notes),
        speakers=_speakers(script.parts, segments, outcome.voices),
        slowed=tuple(_slowed(outcome.slowing)) if outcome.slowing else (),
        glossary=outcome.glossary,
    )


def _slowed(slowing: Slowing) -> Iterator[SlowedPart]:
    for part in slowing.stretches:
        yield SlowedPart(_rounded(slowing.at(part.start)), _rounded(slowing.at(part.end)), _rounded(part.factor))


def of_transcript(
    request: JobRequest,
    film_seconds: float,
    transcript: Transcript,
    stt: Choice | None,
    stages: Mapping[Stage, float],
    notes: Sequence[str],
) -> TranscriptReport:
    """Return the report of a film that was only written down."""
    parts = casting.parts_of(transcript.segments)
    return TranscriptReport(
        source=_source(request, film_seconds, transcript),
        engines=HearingEngine(use(stt) if stt else None),
        stages=_timed(stages),
        segments=tuple(
            HeardLine(
                line.id,
                _rounded(line.start),
                _rounded(line.end),
                line.text,
                speaker,
                _moments(line.words),
                _confidence(line),
            )
            for line, speaker in zip(transcript.segments, _who(parts), strict=True)
        ),
        dropped=_dropped(transcript),
        notes=(*_remarks(stt), *notes),
        speakers=_speakers(parts, transcript.segments, [""] * len(parts.labels)),
    )


def _timing(script: Script) -> TimingReport:
    segments = script.transcript.segments
    summary: dict[str, Any] = asdict(timing.summary(script.placements, segments))
    rounded: dict[str, Any] = {name: _rounded(value) for name, value in summary.items()}
    at_once = {
        "overlapping_lines": timing.overlapping_lines(segments),
        "overlapped_seconds": _rounded(script.transcript.overlapped_seconds),
    }
    return TimingReport(**rounded | at_once)


def _speakers(parts: Parts, segments: Sequence[Segment], voices: Sequence[str]) -> tuple[SpeakerUse, ...]:
    if not parts.are_several:
        return ()
    seconds = [0.0] * len(parts.labels)
    for segment, who in zip(segments, parts.who, strict=True):
        seconds[who] += segment.end - segment.start
    rows = zip(parts.labels, map(_rounded, seconds), voices, strict=True)
    return tuple(SpeakerUse(number, *row) for number, row in enumerate(rows))


def _who(parts: Parts) -> Sequence[int | None]:
    """Return the id of each line's speaker; None where only one person speaks."""
    return parts.who if parts.are_several else [None] * len(parts.who)


def _source(request: JobRequest, film_seconds: float, transcript: Transcript) -> Source:
    return Source(request.title, _rounded(film_seconds), transcript.language, transcript.language_detected)


def use(choice: Choice) -> EngineUse:
    """Return what a report says of who served a stage."""
    return EngineUse(
        engine=" > ".join(info.name for info in choice.infos),
        model=choice.model,
        device=choice.device,
        fallback_reason=choice.fallback_reason,
        voice=choice.voice,
        route=tuple(Step(hop.engine, hop.source, hop.target) for hop in choice.route),
    )


def _translation(outcome: Outcome) -> EngineUse:
    spent, made = outcome.spent, use(outcome.translation)
    if spent == NOTHING_SPENT:
        return made
    by_others = sum(one.sentences for one in spent.fallen)
    return replace(made, usage=RemoteUse(spent.calls, spent.prompt_tokens, spent.completion_tokens, by_others))


def _timed(stages: Mapping[Stage, float]) -> tuple[StageTime, ...]:
    return tuple(StageTime(name, _rounded(seconds)) for name, seconds in stages.items())


def _dropped(transcript: Transcript) -> tuple[Dropped, ...]:
    return tuple(
        replace(dropped, start=_rounded(dropped.start), end=_rounded(dropped.end)) for dropped in transcript.dropped
    )


def _remarks(*choices: Choice | None) -> list[str]:
    """Return what the user should know of the engines that were used: first why one stands in for another."""
    used = [choice for choice in choices if choice]
    reasons = [choice.fallback_reason for choice in used if choice.fallback_reason]
    remarks = dict.fromkeys(info.remark for choice in used for info in choice.infos if info.remark)
    return [*reasons, *remarks]


def _line(script: Script, line: int, hurried: str | None) -> DubbedLine:
    segment, placed = script.transcript.segments[line], script.placements[line]
    return DubbedLine(
        id=segment.id,
        start=_rounded(segment.start),
        end=_rounded(segment.end),
        source_text=segment.text,
        text=script.texts[line],
        slot_seconds=_rounded(placed.slot_seconds),
        room_seconds=_rounded(placed.room_seconds),
        natural_seconds=_rounded(placed.natural_seconds),
        tempo=_rounded(placed.tempo),
        placed_start=_rounded(placed.start),
        placed_end=_rounded(placed.end),
        overflow_seconds=_rounded(timing.overflow_seconds(placed.natural_seconds, placed.seconds)),
        speaker=_who(script.parts)[line],
        shortened=script.fuller[line] or None,
        hurried=hurried,
        source_words=_moments(segment.words),
        phrases=_moments(script.phrases[line]) if script.phrases else (),
        confidence=_confidence(segment),
    )


def _confidence(segment: Segment) -> float | None:
    return None if segment.confidence is None else _rounded(segment.confidence)


def _moments(words: Sequence[Timed]) -> tuple[Timed, ...]:
    return tuple(Timed(_rounded(word.start), _rounded(word.end), word.letters) for word in words)


def _rounded(value: float) -> float:
    return round(float(value), 3)


def _finite(value: float) -> float | None:
    # A track without a sound has no loudness, and JSON no infinity.
    return _rounded(value) if math.isfinite(value) else None
