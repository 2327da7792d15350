"""A glossary in a dub: from the command line, in a job that goes on and is edited, in the report, and kept apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests import films
from tests.asking import asked
from tests.captions import timed
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.test_jobs import SPEC, Desk
from tests.test_wordings import Dictionary
from vt.cli import batch, options
from vt.cli import report as cli_report
from vt.cli.main import main, parser
from vt.domain import Edit, Edits, JobRequest, JobSpec, JobState
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.errors import Cancelled, GlossaryError, InputError

LINES = {
    "The house is large.": "La casa es grande.",
    "Nobody is here.": "Nadie está aquí.",
    "The X1Q is large.": "La X1Q es grande.",
    "The X1Q is old.": "La X1Q es vieja.",
}
"""What the translator knows: with a mark where it is to be one."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


def factory() -> FakeFactory:
    served = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer(0.02))
    served.translated = Dictionary(LINES)  # type: ignore[assignment]
    return served


def request(film: Path, folder: Path, terms: str, **more: Any) -> JobRequest:  # noqa: ANN401
    told, glossary = folder / "talk.srt", folder / "terms.csv"
    told.write_text(timed((0.1, 0.9, "The house is large."), (1.0, 1.9, "Nobody is here.")))
    glossary.write_text(terms)
    return asked(film, "es", "en", told, glossary=glossary if terms else None, **more)


def dubbed(wanted: JobRequest, folder: Path, served: FakeFactory) -> dict[str, Any]:
    work = folder / "work"
    work.mkdir(exist_ok=True)
    return pipeline.dub(wanted, served, work, artifacts=Artifacts(folder / "pieces")).report.as_json()


def said(report: dict[str, Any]) -> list[str]:
    return [line["text"] for line in report["segments"]]


@pytest.mark.soak
def test_a_kept_translation_is_not_used_again_under_another_glossary(film: Path, tmp_path: Path) -> None:
    wanted = [("", "casa"), ("house,morada", "morada"), ("house,choza", "choza")]
    for terms, noun in wanted:
        report = dubbed(request(film, tmp_path, terms), tmp_path, factory())
        assert said(report) == [f"La {noun} es grande.", "Nadie está aquí."]
        assert ("glossary" in report) == bool(terms)
    served = factory()
    dubbed(request(film, tmp_path, "house,choza"), tmp_path, served)
    assert served.translated.asked == []  # type: ignore[attr-defined]


def test_lines_whose_source_is_changed_hold_the_glossary_and_those_that_are_written_are_let_be(
    film: Path, tmp_path: Path
) -> None:
    edits = Edits({0: Edit(source_text="The house is old."), 1: Edit(text="En casa no hay nadie.")})
    report = dubbed(request(film, tmp_path, "house,morada\nnobody,ninguno", edits=edits), tmp_path, factory())
    assert said(report) == ["La morada es vieja.", "En casa no hay nadie."]
    assert report["glossary"] == {"terms": 2, "unmatched": ["nobody"], "not_held": []}


@pytest.mark.soak
def test_what_became_of_the_terms_is_reported_in_the_notes_the_report_and_by_the_command(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served = factory()
    answers = {**LINES, "The": "", "is large.": "", "The {1} is large.": "?", "The X1Q is large.": "?"}
    served.translated = Dictionary(answers)  # type: ignore[assignment]
    edits = Edits({0: Edit(source_text="The house is large.")})
    report = dubbed(request(film, tmp_path, "house,morada\nzebra\nnobody,nadie", edits=edits), tmp_path, served)
    assert report["glossary"] == {"terms": 3, "unmatched": ["zebra"], "not_held": []}
    assert "Terms of the glossary that are in no line: zebra." in report["notes"]
    report["glossary"]["not_held"] = [{"source": "house", "target": "morada", "lines": [0, 4]}]
    (tmp_path / "talk.es.report.json").write_text(json.dumps(report))
    assert main(["report", str(tmp_path / "talk.es.report.json")]) == 0
    shown = capsys.readouterr().out
    assert all(part in shown for part in ("3 terms", "zebra", "house, as morada: lines 0, 4"))
    assert cli_report.read(tmp_path / "talk.es.report.json").as_json() == report


# From the command line


def test_the_command_takes_a_glossary_for_all_languages_and_says_what_is_wrong_with_one(
    film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terms = tmp_path / "terms.csv"
    terms.write_text("house,morada,es\nhouse,logis,fr\n")
    argv = ["translate", str(film), "--to", "es,fr", "--glossary", str(terms), "-o", str(tmp_path / "out")]
    requests = options.dubs(parser().parse_args(argv))
    assert [one.glossary for one in requests] == [terms] * 2
    terms.write_text("house,morada\nhouse,choza\n")
    assert main(argv) == 2
    assert "Line 2 of the glossary translates house otherwise than line 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_command_that_goes_on_begins_anew_where_its_glossary_was_changed(film: Path, tmp_path: Path) -> None:
    class Interrupted:
        """Stops as soon as it is asked to begin, so that its folder stays."""

        def begins(self, *_: object) -> None:
            raise KeyboardInterrupt

    def folders_after(text: str) -> set[str]:
        requests = [request(film, tmp_path, text, name=name) for name in ("a", "b")]
        with pytest.raises(Cancelled, match="goes on where it was"):
            batch.run(requests, [film], factory(), tmp_path / "out", Interrupted(), lambda *_: [])  # type: ignore[arg-type]
        return {path.name for path in (tmp_path / "out").glob(".vt-batch-*")}

    first = folders_after("house,morada")
    assert folders_after("house,morada longer") > first


# In jobs


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with closing(Desk(tmp_path / "data")) as desk:
        yield desk


def submitted(desk: Desk, film: Path, terms: bytes, spec: JobSpec = SPEC) -> str:
    with desk.jobs.draft() as draft:
        draft.film.write_bytes(film.read_bytes())
        draft.glossary.write_bytes(terms)
        return desk.jobs.submit(draft, replace(spec, glossary="../terms\n.csv")).id


@pytest.mark.soak
def test_a_job_keeps_its_glossary_over_edits_and_a_restart_and_lends_it(desk: Desk, film: Path, tmp_path: Path) -> None:
    job = desk.over(submitted(desk, film, b"day,jornada"))
    assert job.state == JobState.DONE, job.error
    assert job.as_json()["request"]["options"] == {"glossary": "terms.csv"}
    assert JobSpec.from_json(job.request.as_json()) == job.request
    assert [line.text for line in desk.jobs.lines(job.id).segments] == ["WELL NOW.", "GOOD jornada.", "SO LONG."]
    desk.jobs.edit(job.id, 1, Edits({2: Edit(source_text="A good day.")}))
    assert desk.over(job.id).version == 2
    again = desk.over(desk.again(job.id, replace(SPEC, target_language="fr")))
    assert again.request.glossary == "terms.csv"
    assert desk.data.folder(again.id).glossary.read_bytes() == b"day,jornada"
    desk.close()
    with closing(Desk(tmp_path / "data")) as later:
        later.jobs.edit(job.id, 2, Edits({0: Edit(source_text="What a day.")}))
        assert later.over(job.id).version == 3
        spoken = [line.text for line in later.jobs.lines(job.id).segments]
    assert spoken == ["WHAT A jornada.", "GOOD jornada.", "A GOOD jornada."]


def test_a_glossary_that_is_none_is_refused_before_the_job_waits(desk: Desk, film: Path) -> None:
    with pytest.raises(GlossaryError, match="Line 1 of the glossary"):
        submitted(desk, film, b",jornada")
    assert desk.folders == set()


def test_the_same_key_with_another_glossary_is_another_request(desk: Desk, film: Path) -> None:
    def submit(terms: bytes) -> str:
        with desk.jobs.draft() as draft:
            draft.film.write_bytes(film.read_bytes())
            draft.glossary.write_bytes(terms)
            return desk.jobs.submit(draft, replace(SPEC, glossary="terms.csv"), key="one").id

    job = submit(b"day,jornada")
    assert submit(b"day,jornada") == job
    with pytest.raises(InputError, match="another request"):
        submit(b"day,fecha")
