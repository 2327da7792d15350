"""Reports for tests, and parts of them as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from vt import languages
from vt.dubbing import report
from vt.dubbing.report import DubbedLine, DubEngines, DubReport, EngineUse, MeasuredLoudness, Source
from vt.dubbing.timing import TimingReport
from vt.engines.candidate import Choice

_USE = TypeAdapter(EngineUse)


def engine_json(choice: Choice) -> dict[str, Any]:
    """Return what a report says of who served a stage."""
    values: dict[str, Any] = _USE.dump_python(report.use(choice), mode="json", by_alias=True, exclude_defaults=True)
    return values


def dub_report(*lines: DubbedLine) -> DubReport:
    """Return the report of a film of four seconds from English to Spanish."""
    use = EngineUse("scripted", "tiny", "cpu", None)
    return DubReport(
        source=Source("talk.mp4", 4.0, languages.ENGLISH, language_detected=True),
        target_language=languages.SPANISH,
        base_rate=1.0,
        engines=DubEngines(use, use, use),
        stages=(),
        total_seconds=1.0,
        segments=lines,
        dropped=(),
        timing=TimingReport(1.0, 0.0, 1.2, 0.0),
        loudness=MeasuredLoudness(-16.0, -1.0),
        notes=(),
    )
