"""The report: what is in its file never changes unseen, and it is read back as it was written."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.reports import dub_report
from vt.domain import Cancel, Dropped, Word
from vt.dubbing import pipeline, report
from vt.dubbing.report import DubReport, TranscriptReport
from vt.engines.candidate import Choice
from vt.engines.protocols import EngineInfo, Heard
from vt.factory import TranslationService
from vt.jobs.executors.local import LocalExecutor
from vt.translatable import Message

SOURCE = {"file": "str", "duration_seconds": "float", "language": "str", "language_detected": "bool"}
ENGINE = {"engine": "str", "model": "str", "device": "str", "fallback_reason": "NoneType"}
STAGES = [{"name": "str", "seconds": "float"}]
DROPPED = [{"start": "float", "end": "float", "text": "str", "reason": "str"}]
HEARD = {"id": "int", "start": "float", "end": "float", "source_text": "str"}
TIMES = (
    "slot_seconds", "room_seconds", "natural_seconds", "tempo", "placed_start", "placed_end", "overflow_seconds",
)  # fmt: skip
WORDS = {"source_words": [["float"]], "confidence": "float"}
SUMMARY = ("speech_overlap", "off_by_more_than_0_3s", "max_tempo", "overflow_seconds", "above_1_2")
DUB = {
    "source": SOURCE,
    "target_language": "str",
    "base_rate": "float",
    "engines": {"stt": ENGINE, "translation": ENGINE, "tts": ENGINE},
    "stages": STAGES,
    "total_seconds": "float",
    "segments": [{**HEARD, "text": "str", **dict.fromkeys(TIMES, "float"), **WORDS}],
    "dropped": DROPPED,
    "timing": dict.fromkeys(SUMMARY, "float"),
    "loudness": {"integrated_lufs": "float", "true_peak_dbtp": "float"},
    "notes": [],
}
"""The shape of the file: each value in it is named by its type, and of a list only the first element counts."""
TRANSCRIPT = {
    "source": SOURCE,
    "engines": {"stt": ENGINE},
    "stages": STAGES,
    "segments": [HEARD | WORDS],
    "dropped": DROPPED,
    "notes": [],
}


def shape(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return the shape of JSON."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


def in_order(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return JSON with the order of its keys made visible."""
    if isinstance(value, dict):
        return [(key, in_order(inner)) for key, inner in value.items()]
    return [in_order(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def factory() -> FakeFactory:
    """Return a factory whose recogniser hears a sentence, and something that is no speech."""
    said = Heard((Word(0.1, 0.5, " Good"), Word(0.5, 0.9, " day.")))
    return FakeFactory(ScriptedTranscriber([said, Dropped(1.2, 1.5, "", "noise")]), ToneSynthesizer())


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of some seconds."""
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


@pytest.mark.parametrize(("target", "wanted", "kind"), [("es", DUB, DubReport), ("", TRANSCRIPT, TranscriptReport)])
def test_the_file_has_the_written_down_shape_and_is_read_back_as_it_was(
    factory: FakeFactory, film: Path, tmp_path: Path, target: str, wanted: dict[str, Any], kind: type
) -> None:
    result = pipeline.dub(asked(film, target, "en"), factory, tmp_path)
    written = result.files[-1].read_bytes()
    assert in_order(shape(json.loads(written) | {"notes": []})) == in_order(wanted)
    assert isinstance(result.report, kind)
    assert report.read(written) == result.report
    assert report.read(written).as_json() == json.loads(written)
    assert b"[0.1, 0.5, 4]," in written.replace(b"\n", b"")


class StandIn(FakeFactory):
    """Its translator stands in for one whose folder is not there."""

    def translation_service(self, *_: Any, **__: Any) -> TranslationService:  # noqa: ANN401
        info = EngineInfo("upper case", "translation", licence="none", source="tests")
        reason = Message("The folder {folder} of the NLLB model is not there.", folder=Path("/srv/models/nllb"))
        return TranslationService(Choice(info, "one", fallback_reason=reason), lambda: nullcontext(self.translated))


def test_a_job_reports_why_somebody_stands_in_without_a_path_and_the_command_line_with_it(
    film: Path, tmp_path: Path
) -> None:
    factory = StandIn(ScriptedTranscriber([Heard((Word(0.1, 0.5, " Good"),))]), ToneSynthesizer())
    files = LocalExecutor(factory).run(asked(film, "es", "en"), tmp_path, lambda _: None, Cancel())
    (file,) = (file for file in files if file.name.endswith(".report.json"))
    told = json.loads(file.read_text(encoding="utf-8"))
    sentence = "The folder nllb of the NLLB model is not there."
    assert told["engines"]["translation"]["fallback_reason"] == sentence
    assert (sentence in told["notes"], "/srv" in file.read_text(encoding="utf-8")) == (True, False)
    here = pipeline.dub(asked(film, "es", "en"), factory, tmp_path)
    assert "The folder /srv/models/nllb of the NLLB model is not there." in here.report.notes
    assert "/srv/models/nllb" in here.files[-1].read_text(encoding="utf-8")


def test_a_voice_and_a_route_stand_in_the_report_only_where_there_are_any() -> None:
    plain = dub_report().as_json()
    assert set(plain["engines"]["tts"]) == set(ENGINE)
    plain["engines"]["translation"]["route"] = [{"engine": "firefox", "from": "en", "to": "es"}]
    plain["engines"]["tts"]["voice"] = "ef_dora"
    assert report.read(json.dumps(plain)).as_json() == plain


STORED = Path(__file__).with_name("data") / "reports"
"""Reports of vt 0.1.0 as they lie on disks; they never change. A field that is added later needs a default."""


@pytest.mark.parametrize("name", ["dub", "transcript"])
def test_a_report_that_was_stored_by_an_earlier_version_is_read(name: str) -> None:
    stored = (STORED / f"{name}.json").read_bytes()
    assert report.read(stored).segments[0].source_text == "Good day."
    assert report.read_json(stored) == json.loads(stored)


def test_what_a_newer_version_has_added_to_a_report_is_passed_through() -> None:
    values = dub_report().as_json() | {"of_the_future": 1}
    assert report.read(json.dumps(values)) == dub_report()
    assert report.read_json(json.dumps(values)) == values


@pytest.mark.parametrize("missing", ["segments", "timing", "source", "engines", "notes"])
def test_a_report_that_lacks_what_reports_have_today_is_none(missing: str) -> None:
    values = dub_report().as_json()
    del values[missing]
    with pytest.raises(ValueError, match=missing):
        report.read(json.dumps(values))


@pytest.mark.parametrize("text", ["", "[]", "7", '{"target_language": "es"}', '{"source": '])
def test_what_is_no_report_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        report.read(text)
