"""One press of Start for several films: who gets a job, who does not and why, and what a second press makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import films
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.domain import JobSpec
from vt.errors import TooManyJobs
from vt.jobs.executors.local import LocalExecutor
from vt.jobs.job_service import Jobs
from vt.jobs.store import DataFolder, Store
from vt.jobs.worker import Worker
from vt.settings import Settings
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.shared import Subject
from vt.ui.tabs.starting import Start
from vt.ui.words import ENGLISH
from vt.web.visitors import ConcurrencyLimit

WHOSE = Owner("somebody")
SPANISH, FRENCH = JobSpec("", "es"), JobSpec("", "fr")


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a start needs of a server that takes three jobs of one visitor, and does not begin with any."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer(0.02))
    with DataFolder(tmp_path / "data") as data:
        store = Store(data.database)
        worker = Worker(store, data, LocalExecutor(factory), visitor_jobs=3)
        jobs = Jobs(Settings(), factory, data, store, worker)
        yield SimpleNamespace(jobs=jobs, probes=ConcurrencyLimit("films", each=8, total=8))
        store.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.film(tmp_path_factory.mktemp("film") / "film.mp4")


def uploaded(film: Path, *names: str) -> list[str]:
    places = [uploads.place(name, WHOSE) for name in names]
    for place in places:
        place.write_bytes(film.read_bytes())
    return [str(place) for place in places]


def start(services: Any, paths: list[str]) -> Start:  # noqa: ANN401 (a stand-in)
    subject = Subject("films", 6.0, film=paths[0], more=tuple(paths[1:]), key=Path(paths[0]).name)
    return Start(services, subject, paths, None, None, WHOSE)


def test_films_that_find_no_room_are_named_and_a_second_press_makes_no_job_twice(services: Any, film: Path) -> None:  # noqa: ANN401
    a, b, c, d = uploaded(film, "a.mp4", "b.mp4", "c.mp4", "d.mp4")
    Path(b).write_text("no film")
    pressed = start(services, [a, b, c, d])
    first = pressed.started([SPANISH, FRENCH])
    assert [(job.request.file, job.request.target_language) for job in first.jobs] == [
        ("a.mp4", "es"), ("a.mp4", "fr"), ("c.mp4", "es"),
    ]  # fmt: skip
    assert first.left == [b, d]
    broken, full = first.sentences(ENGLISH)
    assert broken.startswith("Not started: b.mp4 → Español, b.mp4 → Français. b.mp4 is not a video or audio file")
    assert full.startswith("Not started: c.mp4 → Français, d.mp4 → Español, d.mp4 → Français. Too many of your jobs")
    again = pressed.started([SPANISH, FRENCH])
    assert [job.id for job in again.jobs] == [job.id for job in first.jobs]
    assert len(services.jobs.page(9)) == 3


def test_where_only_one_dub_was_asked_for_its_error_is_all_that_is_said(services: Any, film: Path) -> None:  # noqa: ANN401
    paths = uploaded(film, "a.mp4", "b.mp4", "c.mp4")
    assert len(start(services, paths).started([SPANISH]).jobs) == 3
    with pytest.raises(TooManyJobs):
        start(services, uploaded(film, "d.mp4")).started([SPANISH])
