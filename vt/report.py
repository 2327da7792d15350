"""Pure: the report of a finished dub, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vt import timing
from vt.domain import JobRequest, Placement, Segment, Transcript
from vt.factory import Choice
from vt.media import Loudness


@dataclass(frozen=True, slots=True)
class Script:
    """Both sides of a dub, line by line: what was said when, and what is said instead."""

    transcript: Transcript
    target_language: str
    texts: tuple[str, ...]
    placements: tuple[Placement, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that a report tells of."""

    request: JobRequest
    film_seconds: float
    script: Script
    base_rate: float
    loudness: Loudness
    engines: Mapping[str, Choice | None]
    """By stage: stt, translation, tts."""
    stages: Mapping[str, float]
    total_seconds: float
    notes: Sequence[str]


def compose(outcome: Outcome) -> dict[str, Any]:
    """Return the report; seconds have three decimals."""
    transcript = outcome.script.transcript
    segments = zip(transcript.segments, outcome.script.texts, outcome.script.placements, strict=True)
    summary = timing.summary(outcome.script.placements, transcript.segments)
    return {
        "source": _source(outcome.request, outcome.film_seconds, transcript),
        "target_language": outcome.script.target_language,
        "base_rate": _rounded(outcome.base_rate),
        "engines": {stage: choice and choice.as_report() for stage, choice in outcome.engines.items()},
        "stages": _timed(outcome.stages),
        "total_seconds": _rounded(outcome.total_seconds),
        "segments": [_segment(*row) for row in segments],
        "dropped": _dropped(transcript),
        "timing": _all_rounded(asdict(summary)),
        "loudness": {
            "integrated_lufs": _finite(outcome.loudness.integrated),
            "true_peak_dbtp": _finite(outcome.loudness.true_peak),
        },
        "notes": [*_remarks(outcome.engines), *outcome.notes],
    }


def written_down(
    request: JobRequest,
    film_seconds: float,
    transcript: Transcript,
    stt: Choice | None,
    stages: Mapping[str, float],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return the report where nothing was translated; seconds have three decimals."""
    return {
        "source": _source(request, film_seconds, transcript),
        "engines": {"stt": stt and stt.as_report()},
        "stages": _timed(stages),
        "segments": [
            {"id": line.id, "start": _rounded(line.start), "end": _rounded(line.end), "source_text": line.text}
            for line in transcript.segments
        ],
        "dropped": _dropped(transcript),
        "notes": [*_remarks({"stt": stt}), *notes],
    }


def _source(request: JobRequest, film_seconds: float, transcript: Transcript) -> dict[str, Any]:
    return {
        "file": request.title,
        "duration_seconds": _rounded(film_seconds),
        "language": transcript.language,
        "language_detected": transcript.language_detected,
    }


def _timed(stages: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"name": name, "seconds": _rounded(seconds)} for name, seconds in stages.items()]


def _dropped(transcript: Transcript) -> list[dict[str, Any]]:
    return [_all_rounded(asdict(dropped)) for dropped in transcript.dropped]


def _remarks(engines: Mapping[str, Choice | None]) -> list[str]:
    """Return what the user should know of the engines that were used: first what they stand in for."""
    used = [choice for choice in engines.values() if choice]
    reasons = [choice.fallback_reason for choice in used if choice.fallback_reason]
    remarks = dict.fromkeys(info.remark for choice in used for info in choice.infos if info.remark)
    return [*reasons, *remarks]


def _segment(segment: Segment, text: str, placed: Placement) -> dict[str, Any]:
    return _all_rounded(
        {
            "id": segment.id,
            "start": segment.start,
            "end": segment.end,
            "source_text": segment.text,
            "text": text,
            "slot_seconds": placed.slot_seconds,
            "room_seconds": placed.room_seconds,
            "natural_seconds": placed.natural_seconds,
            "tempo": placed.tempo,
            "placed_start": placed.start,
            "placed_end": placed.end,
            "overflow_seconds": timing.overflow_seconds(placed.natural_seconds, placed.seconds),
        }
    )


def _rounded(value: float) -> float:
    return round(float(value), 3)


def _all_rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _rounded(value) if isinstance(value, float) else value for key, value in values.items()}


def _finite(value: float) -> float | None:
    # A track without a sound has no loudness, and JSON no infinity.
    return _rounded(value) if math.isfinite(value) else None
