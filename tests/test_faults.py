"""Faults on purpose: whatever gives way under a job, it goes on, or says in a sentence why not, and loses nothing."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import CancelScope

from tests import films
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer, UpperCaseTranslator
from tests.graphics_cards import cards as no_cards
from tests.test_factory import impatient, settings
from tests.test_jobs import SCRIPT, Desk
from vt import languages
from vt.api.dependencies import Threads
from vt.api.jobs import events, video
from vt.domain import Cancel, JobRequest, JobSpec, JobState, Progress, Stage
from vt.dubbing import pipeline
from vt.dubbing.artifacts import Artifacts
from vt.engines.candidate import Candidate
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo
from vt.errors import EngineError, ModelUnavailable, StorageError, VtError
from vt.factory import AIServiceFactory
from vt.jobs.results import ResultFile
from vt.jobs.store import DataFolder, Store, new_id
from vt.jobs.worker import Worker
from vt.languages import Language
from vt.models.catalogue import Catalogue

PATIENCE = 30.0
SPEC = JobSpec("talk.mp4", "es")
STAGES = {"transcribe": "stt", "translate": "translation", "speak": "tts"}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "talk.mp4"
    films.ffmpeg(*films.PICTURE, *films.SOUND, *films.AAC, path)
    return path


# Memory


@dataclass
class Models(Catalogue):
    """Three stages with two candidates each, of which those that are named run out of memory while they work."""

    error: Exception
    failing: set[str]
    closed: list[str] = field(default_factory=list)
    gone: str = "none"
    """How the names of those begin whose files have vanished."""

    def __post_init__(self) -> None:
        super().__init__(settings(), cards=no_cards)

    def stt(self, language: Language | None, model: str | None = None) -> Sequence[Candidate[Any]]:
        del model
        return self._candidates("stt", language=languages.ENGLISH, detects=language is None)

    def translation(
        self, source: Language, target: Language, model: str | None = None, engine: str = "", *, listening: bool = False
    ) -> Sequence[Candidate[Any]]:
        del source, target, model, engine, listening
        return self._candidates("translation")

    def tts(self, language: Language, voice: str = "", engine: str = "") -> Sequence[Candidate[Any]]:
        del language, voice, engine
        return self._candidates("tts")

    def _candidates(self, kind: str, **more: Any) -> list[Candidate[Any]]:  # noqa: ANN401 (a candidate's own fields)
        info = EngineInfo("fake", kind, licence="none", source="tests")
        return [Candidate(info, self._spec(f"{size}-{kind}", kind), **more) for size in ("large", "small")]

    def _spec(self, name: str, kind: str) -> ModelSpec[Any]:
        return ModelSpec(name, kind, name, "cpu", lambda: self._model(name), 2**20)

    def _model(self, name: str) -> object:
        if name.startswith(self.gone):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", f"{name}/model.bin")
        made = {"stt": ScriptedTranscriber(SCRIPT), "tts": ToneSynthesizer(0.02), "translation": UpperCaseTranslator()}
        model: Any = made[name.partition("-")[2]]
        if name in self.failing:
            for method in ("transcribe", "translate", "speak"):
                setattr(model, method, self._fail)
        model.close = lambda: self.closed.append(name)
        return model

    def _fail(self, *_: object) -> Iterator[Any]:
        yield from ()
        raise self.error


def wrapped() -> Exception:
    error = EngineError("The engine failed.")
    error.__cause__ = MemoryError()
    return error


OUT_OF_MEMORY = [MemoryError(), RuntimeError("std::bad_alloc"), RuntimeError("CUDA out of memory."), wrapped()]


@contextmanager
def factory_of(models: Models, **fields: object) -> Iterator[AIServiceFactory]:
    with closing(AIServiceFactory(settings(**fields), catalogue=models, make_cache=impatient)) as factory:
        yield factory


@pytest.mark.soak
@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["python", "ctranslate2", "torch", "wrapped"])
@pytest.mark.parametrize("stage", STAGES)
def test_out_of_memory_in_a_stage_a_smaller_model_stands_in_once_and_the_report_says_so(
    film: Path, tmp_path: Path, stage: str, error: Exception
) -> None:
    kind = STAGES[stage]
    models = Models(error, {f"large-{kind}"})
    with factory_of(models) as factory:
        report = pipeline.dub(asked(film, "es"), factory, tmp_path).report.as_json()
        assert models.closed == [f"large-{kind}"]  # freed before the smaller one works
    used = {name: engine["model"] for name, engine in report["engines"].items()}
    assert used == {name: f"{'small' if name == kind else 'large'}-{name}" for name in STAGES.values()}
    said = f"The memory did not suffice for the work of the model large-{kind}."
    assert report["engines"][kind]["fallback_reason"] == said
    assert any(said in note for note in report["notes"])


@pytest.mark.parametrize("stage", STAGES)
def test_out_of_memory_with_the_smaller_model_too_a_sentence_says_so(film: Path, tmp_path: Path, stage: str) -> None:
    kind = STAGES[stage]
    models = Models(MemoryError(), {f"large-{kind}", f"small-{kind}"})
    with factory_of(models) as factory, pytest.raises(EngineError, match=f"large-{kind}, nor for that of small-{kind}"):
        pipeline.dub(asked(film, "es"), factory, tmp_path)


def test_where_nothing_may_stand_in_the_model_that_was_too_large_is_named(film: Path, tmp_path: Path) -> None:
    models = Models(MemoryError(), {"large-tts"})
    with factory_of(models, fallback=False) as factory, pytest.raises(ModelUnavailable, match=r"large-tts\. Choose"):
        pipeline.dub(asked(film, "es"), factory, tmp_path)


def test_what_is_no_want_of_memory_brings_no_smaller_model(film: Path, tmp_path: Path) -> None:
    models = Models(EngineError("The voice broke."), {"large-tts"})
    with factory_of(models) as factory, pytest.raises(EngineError, match="The voice broke"):
        pipeline.dub(asked(film, "es"), factory, tmp_path)


def test_a_model_that_vanishes_after_the_check_is_replaced_and_one_that_vanishes_later_is_said(
    film: Path, tmp_path: Path
) -> None:
    models = Models(MemoryError(), set())
    with factory_of(models) as factory:
        pipeline.check(asked(film, "es"), factory)
        models.gone = "large-"
        report = pipeline.dub(asked(film, "es"), factory, tmp_path).report.as_json()
        assert all(engine["model"].startswith("small-") for engine in report["engines"].values())
        assert "model.bin" in report["engines"]["tts"]["fallback_reason"]
        service = factory.get_tts_service("es")
        factory.clear_cache()
        models.gone = "small-"
        with pytest.raises(ModelUnavailable, match=r"small-tts cannot be loaded: No such file"):
            list(service.speak([("Hola.", 1.0)], Cancel()))


# Disk


class Filling(Artifacts):
    """Pieces on a disk that is full from the moment on at which a stage begins."""

    is_full = False

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        if self.is_full:
            raise StorageError("The disk is full: free some space and try again.")
        with super().temporary_folder() as folder:
            yield folder


@pytest.mark.parametrize("stage", ["extract", "transcribe", "translate", "speak", "mix"])
def test_a_disk_that_fills_up_in_a_stage_takes_nothing_back_of_what_was_finished_before(
    film: Path, tmp_path: Path, stage: str
) -> None:
    factory = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer(0.02))
    kept = Filling(tmp_path / "pieces")
    done: list[str] = []

    def hear(progress: Progress) -> None:
        done.append(progress.stage)
        kept.is_full = progress.stage == stage

    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(StorageError, match="The disk is full"):
        pipeline.dub(asked(film, "es"), factory, work, hear, artifacts=kept)
    heard = factory.heard.calls
    again = tmp_path / "again"
    again.mkdir()
    files = pipeline.dub(asked(film, "es"), factory, again, artifacts=Artifacts(tmp_path / "pieces")).files
    assert all(path.is_file() for path in files)
    assert stage in done
    assert factory.heard.calls == heard + (stage in ("extract", "transcribe"))


@pytest.mark.soak
def test_a_data_folder_that_cannot_be_written_any_more_says_so_and_works_again_afterwards(
    film: Path, tmp_path: Path
) -> None:
    with closing(Desk(tmp_path / "data")) as desk:
        done = desk.dubbed(film)
        desk.data.jobs.rename(tmp_path / "elsewhere")
        desk.data.jobs.write_text("in the way, like a disk that is mounted read-only")
        with pytest.raises(StorageError, match="cannot be written"):
            desk.submit(film)
        with pytest.raises(VtError):
            desk.jobs.film(done)
        desk.data.jobs.unlink()
        (tmp_path / "elsewhere").rename(desk.data.jobs)
        assert desk.jobs.film(done).path.is_file()
        assert desk.dubbed(film)


# The database


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a database like another program that writes to it and does not let go."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_database_that_is_held_at_the_start_is_waited_for_in_vain_and_opened_later(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "vt.db")) as store:
        job_id = store.create(new_id(), SPEC, 9).id
    with held(tmp_path / "vt.db"), pytest.raises(StorageError, match="held by another program"):
        Store(tmp_path / "vt.db", patience=0.01)
    with closing(Store(tmp_path / "vt.db")) as store:
        assert store.get(job_id).state == JobState.QUEUED


class Held:
    """An executor whose job is done while another program holds the database."""

    def __init__(self, database: Path) -> None:
        self.database, self.let_go, self.ended = database, threading.Event(), threading.Event()

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        del request, cancel
        lock = held(self.database)
        lock.__enter__()

        def release() -> None:
            assert self.let_go.wait(PATIENCE)
            lock.__exit__(None, None, None)

        threading.Thread(target=release).start()
        on_progress(Progress(Stage.PROBE, 0.5))
        (folder / "work").mkdir()
        (folder / "work" / "input.es.mp4").write_text("dub")
        self.ended.set()
        return [folder / "work" / "input.es.mp4"]


def test_a_job_that_ends_while_the_database_is_held_is_settled_when_it_is_free(tmp_path: Path) -> None:
    with DataFolder(tmp_path) as data, closing(Store(data.database, patience=0.01)) as store:
        executor = Held(data.database)
        worker = Worker(store, data, executor, retry_seconds=0.01)
        worker.begin()
        with closing(worker):
            job_id = new_id()
            data.job(job_id).mkdir()
            data.input(job_id).write_text("film")
            worker.submit(job_id, SPEC)
            assert executor.ended.wait(PATIENCE)
            assert store.get(job_id).state == JobState.RUNNING
            with pytest.raises(StorageError, match="held by another program"):
                worker.cancel(job_id)
            executor.let_go.set()
            until = time.monotonic() + PATIENCE
            while store.get(job_id).state != JobState.DONE:
                assert time.monotonic() < until
                time.sleep(0.005)
        assert (data.results(job_id, 1) / "input.es.mp4").read_text() == "dub"


# Followers


@pytest.mark.parametrize("leaves", ["between two messages", "while it waits"])
def test_of_a_follower_that_has_gone_nothing_stays(tmp_path: Path, leaves: str) -> None:
    with closing(Desk(tmp_path / "data")) as desk:
        job_id = desk.store.create(new_id(), SPEC, 9).id  # nobody tells the worker of it: it waits
        services: Any = SimpleNamespace(jobs=desk.jobs)

        async def follow() -> None:
            scope = CancelScope()
            followed: Any = events(services, Threads(), desk.store.get(job_id))
            with scope:
                assert (await anext(followed)).data["id"] == job_id
                assert desk.worker.listener_count == 1
                if leaves == "while it waits":
                    scope.cancel()
                    await anext(followed)
            await followed.aclose()

        asyncio.run(follow())
        assert desk.worker.listener_count == 0


def test_a_result_that_is_removed_as_it_is_about_to_be_sent_is_a_job_that_is_none(tmp_path: Path) -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "headers": [], "path": "/"}
    gone = ResultFile(tmp_path / "removed.mp4", "talk.es.mp4", "video/mp4")
    services: Any = SimpleNamespace(jobs=SimpleNamespace(film=lambda _: gone))

    async def answer() -> None:
        response = await video(services, Threads(), new_id())
        await response(scope, receive, send)

    asyncio.run(answer())
    assert sent[0]["status"] == 404
    assert b"no such job" in sent[1]["body"]
