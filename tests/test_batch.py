"""Several dubs by one command: each film is heard once, and what an earlier run had finished is not done again."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.cli import batch, options, server_jobs, transcripts
from vt.cli.client import Client
from vt.cli.main import main, parser
from vt.cli.telling import Json, Outcome, State, Text
from vt.domain import JobRequest, Word
from vt.dubbing.known_voices import KnownVoices
from vt.dubbing.pipeline import Result
from vt.engines.protocols import Heard
from vt.errors import Cancelled, InputError
from vt.system import folders

SAID = Heard((Word(0.2, 0.8, " Good"), Word(0.8, 1.4, " morning."), Word(2.0, 2.6, " Come"), Word(2.6, 3.0, " in.")))


class Power(BaseException):
    """The machine goes off."""


class Noted(Text):
    """Notes how each request ended, and does something when one begins."""

    def __init__(self, at: int = -1, happens: type[BaseException] = Power) -> None:
        self.outcomes: list[Outcome] = []
        self._at, self._happens = at, happens

    def begins(self, request: JobRequest, number: int, count: int) -> None:
        super().begins(request, number, count)
        if number == self._at:
            raise self._happens

    def ended(self, outcome: Outcome) -> None:
        super().ended(outcome)
        self.outcomes.append(outcome)

    @property
    def states(self) -> list[str]:
        return [outcome.state.value for outcome in self.outcomes]


def two_films(folder: Path) -> Path:
    """Put two films into a folder, and return it."""
    films.ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=4:r=16000:a=0.1", folder / "one.wav")
    films.ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=5:r=16000:a=0.1", folder / "two.wav")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return two_films(tmp_path)


def parsed(*arguments: str | Path) -> argparse.Namespace:
    return parser().parse_args([*map(str, arguments)])


def served() -> FakeFactory:
    return FakeFactory(ScriptedTranscriber([SAID]), ToneSynthesizer())


def wanted(folder: Path) -> list[JobRequest]:
    return [asked(folder / f"{name}.wav", target, speakers=1) for name in ("one", "two") for target in ("es", "fr")]


def run(requests: Sequence[JobRequest], factory: FakeFactory, folder: Path, teller: Noted, *named: Path) -> bool:
    out = folder / "out"

    def deliver(request: JobRequest, result: Result, work: Path) -> Sequence[Path]:
        del request, work
        return folders.deliver(result.files, out)

    return batch.run(requests, named, factory, out, teller, deliver)


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "out").iterdir()}


def test_each_film_is_heard_once_for_all_its_languages_and_nothing_is_left_beside_the_results(folder: Path) -> None:
    factory, teller = served(), Noted()
    assert run(wanted(folder), factory, folder, teller)
    assert (teller.states, factory.heard.calls) == (["done"] * 4, 2)
    subtitles = [f"{language}.{form}" for language in ("en", "es", "fr") for form in ("srt", "vtt")]
    each = ["es.m4a", "fr.m4a", "es.report.json", "fr.report.json", *subtitles]
    assert names(folder) == {f"{film}.{ending}" for film in ("one", "two") for ending in each}


@pytest.mark.soak
def test_a_batch_that_was_killed_goes_on_where_it_was_and_does_nothing_twice(folder: Path) -> None:
    with pytest.raises(Power):
        run(wanted(folder), served(), folder, Noted(at=3))
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("*.m4a")}
    factory, teller = served(), Noted()
    assert run(wanted(folder), factory, folder, teller)
    assert (teller.states, factory.heard.calls) == (["kept", "kept", "kept", "done"], 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not any(name.startswith(".") for name in names(folder))
    again = Noted()
    assert run(wanted(folder), served(), folder, again)
    assert again.states == ["done"] * 4  # it was over, so the same command is meant anew


@pytest.mark.soak
def test_a_batch_that_is_stopped_says_that_it_goes_on(folder: Path) -> None:
    with pytest.raises(Cancelled, match="the same command goes on where it was"):
        run(wanted(folder), served(), folder, Noted(at=1, happens=KeyboardInterrupt))
    teller = Noted()
    assert run(wanted(folder), served(), folder, teller)
    assert teller.states == ["kept", "done", "done", "done"]


def test_a_program_is_told_what_a_batch_that_is_stopped_had_done(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests, teller = wanted(folder)[:3], Json()
    teller.ended(Outcome(requests[0], State.DONE))
    teller.stopped(requests)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    states = [(film["language"], film["state"]) for film in result["films"]]
    assert (result["event"], result["state"]) == ("result", "cancelled")
    assert states == [("es", "done"), ("fr", "cancelled"), ("es", "cancelled")]


@pytest.mark.soak
def test_what_is_kept_of_a_batch_in_another_form_is_as_if_it_were_not_there(folder: Path) -> None:
    with pytest.raises(Power):
        run(wanted(folder)[:3], served(), folder, Noted(at=1))
    (kept,) = (folder / "out").glob(".vt-batch-*/done.json")
    whole = kept.read_text()
    for damaged in ("[]", '{"0": 7, "1": [3], "2": "one.m4a"}'):
        kept.write_text(damaged)
        with pytest.raises(Power):
            run(wanted(folder)[:3], served(), folder, Noted(at=0))
    kept.write_text(whole)
    with pytest.raises(Power):
        run(wanted(folder)[:3], served(), folder, teller := Noted(at=1))
    assert teller.states == ["kept"]


@pytest.mark.soak
def test_results_that_somebody_took_away_and_films_that_have_changed_are_dubbed_again(folder: Path) -> None:
    with pytest.raises(Power):
        run(wanted(folder), served(), folder, Noted(at=2))
    (folder / "out" / "one.fr.m4a").unlink()
    with pytest.raises(Power):
        run(wanted(folder), served(), folder, teller := Noted(at=2))
    assert teller.states == ["kept", "done"]
    os.utime(folder / "two.wav", (1, 1))
    run(wanted(folder), served(), folder, teller := Noted())
    assert teller.states == ["done"] * 4


@pytest.mark.soak
def test_a_film_of_a_folder_that_cannot_be_dubbed_stops_none_behind_it_and_one_that_was_named_stops_all(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.mp4").write_bytes(b"no film")
    requests = [asked(folder / "bad.mp4", "es", speakers=1), asked(folder / "one.wav", "es", speakers=1)]
    with pytest.raises(InputError, match=r"bad\.mp4 is not a video"):
        run(requests, served(), folder, Noted(), folder / "bad.mp4")
    teller = Noted()
    assert not run(requests, served(), folder, teller)
    assert teller.states == ["failed", "done"]
    assert not any(name.startswith(".") for name in names(folder))
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("bad.mp4  es  failed")
    assert "is not a video" in first
    assert second.endswith("one.es.m4a")


@pytest.mark.soak
def test_the_same_batch_is_not_begun_twice_at_once(folder: Path) -> None:
    with pytest.raises(Power):
        run(wanted(folder), served(), folder, Noted(at=1))
    (kept,) = (folder / "out").glob(".vt-batch-*")
    with FileLock(kept / "lock"), pytest.raises(InputError, match="at work already"):
        run(wanted(folder), served(), folder, Noted())


@pytest.mark.soak
def test_what_nobody_goes_on_with_for_a_week_is_removed_by_another_batch(folder: Path) -> None:
    with pytest.raises(Power):
        run(wanted(folder), served(), folder, Noted(at=2))
    (old,) = (folder / "out").glob(".vt-batch-*")
    assert run(wanted(folder)[:2], served(), folder, Noted())
    assert old.exists()
    for path in (*old.rglob("*"), old):
        os.utime(path, (1, 1))
    assert run(wanted(folder)[:2], served(), folder, Noted())
    assert not old.exists()


@pytest.mark.soak
def test_programs_read_one_object_a_line_and_the_last_one_is_the_result(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver = lambda _, result, __: folders.deliver(result.files, folder / "out")  # noqa: E731
    assert batch.run(wanted(folder)[:2], (), served(), folder / "out", Json(), deliver)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {one["event"] for one in told} == {"progress", "film", "result"}
    progress = [one for one in told if one["event"] == "progress"]
    assert progress[0] == {
        **{"event": "progress", "film": str(folder / "one.wav"), "language": "es"},
        **{"stage": "probe", "fraction": 0.0},
    }
    result = told[-1]
    assert (result["state"], [film["state"] for film in result["films"]]) == ("done", ["done", "done"])
    assert all(Path(file).is_file() for film in result["films"] for file in film["files"])
    assert [one for one in told if one["event"] == "film"] == [{"event": "film", **film} for film in result["films"]]


def test_an_outcome_that_failed_says_why_to_a_program(folder: Path) -> None:
    outcome = Outcome(wanted(folder)[0], State.FAILED, sentence="The disk is full.")
    assert outcome.as_json() == {
        **{"film": str(folder / "one.wav"), "language": "es", "state": "failed", "seconds": 0.0},
        **{"files": [], "notes": [], "error": "The disk is full."},
    }


def test_a_folder_stands_for_its_films_but_not_for_results_and_hidden_files(folder: Path) -> None:
    for name in ("b.MKV", ".hidden.mp4", "notes.txt", "a.es.mp4", "a.es.report.json", "a.mp4"):
        (folder / name).write_bytes(b"x")
    (folder / "inner.mp4").mkdir()
    found = options.transcripts(parsed("transcribe", folder))
    assert [request.source.name for request in found] == ["a.mp4", "b.MKV", "one.wav", "two.wav"]
    assert [request.target_language for request in found] == [None] * 4


def test_languages_are_named_with_commas_or_one_by_one_and_none_twice(folder: Path) -> None:
    found = options.dubs(parsed("translate", folder / "one.wav", "--to", "es, fr,", "--to", "it", "--to=es"))
    assert [request.target_language.code for request in found if request.target_language] == ["es", "fr", "it"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", ","], "Name a language"),
        (["--to", "es,fr", "--voice", "ef_dora"], "A voice speaks one language"),
        (["--to", "es,xx-nothing"], "xx-nothing"),
    ],
)
def test_languages_that_cannot_be_are_refused(
    folder: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", str(folder / "one.wav"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_transcript_comes_in_the_formats_that_are_asked_for(folder: Path) -> None:
    request, work, out = asked(folder / "one.wav", "", speakers=1), folder / "work", folder / "out"
    work.mkdir()

    def deliver(_: JobRequest, result: Result, here: Path) -> Sequence[Path]:
        return folders.deliver(transcripts.written(result, here, transcripts.formats("all"), mark_speakers=False), out)

    assert batch.run([request], (), served(), out, Noted(), deliver)
    assert names(folder) == {"one.en.srt", "one.en.vtt", "one.en.ass", "one.txt", "one.json", "one.report.json"}
    assert (out / "one.txt").read_text() == "Good morning.\nCome in.\n"
    told = json.loads((out / "one.json").read_text())
    assert (told["text"], told["language"]) == ("Good morning. Come in.", "en")
    assert [line["text"] for line in told["segments"]] == ["Good morning.", "Come in."]
    words = [word for line in told["segments"] for word in line["words"]]
    assert [word["word"] for word in words] == ["Good", "morning.", "Come", "in."]
    assert [(word["start"], word["end"]) for word in words] == [(0.2, 0.8), (0.8, 1.4), (2.0, 2.6), (2.6, 3.0)]


@pytest.mark.parametrize(
    ("named", "said"), [("pdf", "There is no output format pdf"), (" , ", "Name an output format")]
)
def test_a_format_that_does_not_exist_is_refused(named: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        transcripts.formats(named)


def test_the_voices_that_are_known_outlive_a_batch_that_goes_on_later() -> None:
    from tests.test_known_voices import ANNA, BEN, CLARA, cast, voice

    known = KnownVoices()
    assert cast(known, [ANNA, voice(1)]) == ["v0", "v1"]
    read = KnownVoices.from_json(json.loads(json.dumps(known.as_json())))
    assert cast(read, [CLARA, voice(1), ANNA]) == ["v2", "v1", "v0"]
    others: tuple[object, ...] = (None, "x", [{}], [[1, 2, 3]])
    for damaged in others:
        assert cast(KnownVoices.from_json(damaged), [BEN]) == ["v0"]


def test_a_transcript_that_is_fetched_keeps_all_of_a_name_with_dots(tmp_path: Path) -> None:
    class Fetched(Client):
        def report(self, job_id: str) -> dict[str, Any]:
            del job_id
            return {"source": {"language": "en"}}

        def fetch(self, job_id: str, result: str, folder: Path) -> Path:
            del job_id
            file = folder / f"my.own.talk.{result.removeprefix('subtitles/')}"
            file.touch()
            return file

    asked_for = parsed("jobs", "x", "--fetch", "-o", tmp_path)
    server_jobs.run(asked_for, Fetched("http://127.0.0.1:9"))
    assert {path.name for path in tmp_path.iterdir()} == {
        f"my.own.talk.{ending}" for ending in ("en.srt", "en.vtt", "report.json")
    }
