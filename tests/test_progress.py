"""The stream by which an open page follows its jobs: what it tells, whom it counts, and when it ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server, wait_for
from vt.domain import NO_EDITS, Job, JobSpec, JobState, Stage
from vt.errors import StorageError
from vt.factory import AIServiceFactory
from vt.jobs.job_service import Jobs
from vt.jobs.store import new_id
from vt.services import Services
from vt.settings import Settings
from vt.ui.progress import Estimate, ProgressRoute, to_follow
from vt.ui.words import ENGLISH
from vt.web.visitors import ConcurrencyLimit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = Job(
    "a", JobState.RUNNING, Stage.SPEAK, 0.1, None, NOW, NOW, JobSpec("film.mp4", "es"), 0, NO_EDITS, NO_EDITS, 0, 0, ""
)
NAMED = "<img src=x onerror=alert(1)>.m4a"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of the sample, under a name that is markup."""
    target = tmp_path_factory.mktemp("talk") / NAMED
    ffmpeg("-i", SAMPLE, "-t", "8", "-vn", "-c:a", "copy", target)
    return target


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path, preload_models=False, engines="embedded")
    found = Services(settings, AIServiceFactory(settings))
    yield found
    found.close()


def address(*jobs: str, view: str = "") -> str:
    query = str(httpx.QueryParams([("view", view), *(("job", job) for job in jobs)]))
    return f"/films/progress?{query}"


def followed(server: Server, route: str, **headers: str) -> list[dict[str, Any]]:
    """Follow to the end of the stream."""
    with httpx.stream("GET", server.url + route, timeout=180, headers=headers) as answer:
        assert answer.status_code == 200
        return [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: ")]


def test_one_stream_tells_of_all_jobs_of_a_page_until_they_are_over(server: Server, talk: Path) -> None:
    seen, other = (server.submit(talk, target_language="es") for _ in range(2))
    heard: list[dict[str, Any]] = []
    spanish = threading.Thread(
        target=lambda: heard.extend(followed(server, address(seen, view=seen), **{"Accept-Language": "es-ES"}))
    )
    spanish.start()
    told = followed(server, address(seen, other, gone := new_id(), view=seen))
    spanish.join()
    marks = {job: [message["mark"] for message in told if message["job"] == job] for job in (seen, other, gone)}
    assert marks[gone] == ["gone"]
    for job in (seen, other):
        assert marks[job][-1] == "done1"
        assert set(marks[job]) <= {"queued0", "running0", "done1"}
    drawn = [message for message in told if "html" in message]
    assert {message["job"] for message in drawn} == {seen}
    assert all("<img" not in message["html"] for message in drawn)
    assert any('role="progressbar"' in message["html"] for message in drawn)
    assert drawn[-1]["html"] == ""
    assert {message["step"] for message in heard} & {"Escuchando lo que se dice", "Mirando el archivo"}
    assert followed(server, address(seen, view=seen)) == drawn[-1:]


def test_a_page_that_goes_away_counts_no_longer(server: Server, tmp_path: Path) -> None:
    long = tmp_path / "long.m4a"
    ffmpeg("-stream_loop", "19", "-i", SAMPLE, "-vn", "-c:a", "copy", long)
    job = server.submit(long, target_language="es")

    def followers() -> int:
        (line,) = (
            line for line in server.ask("GET", "/metrics").text.splitlines()
            if line.startswith('vt_at_work{what="followers"}')
        )  # fmt: skip
        return int(float(line.split()[-1]))

    before = followers()
    with httpx.stream("GET", server.url + address(job, view=job), timeout=60) as answer:
        lines = answer.iter_lines()  # held: where it goes, the line is cut
        assert next(lines)
        wait_for(lambda: followers() == before + 1)
    wait_for(lambda: followers() == before)
    server.json("POST", f"/api/v1/jobs/{job}/cancel")


def test_a_page_is_a_follower_like_any_other_and_is_refused_where_there_are_too_many(services: Services) -> None:
    services.followers = ConcurrencyLimit("followers of jobs", each=1, total=2)
    app = FastAPI()
    app.include_router(ProgressRoute(services).routes())
    with TestClient(app) as client, services.followers.held("testclient"):
        refused = client.get(address(new_id()))
        assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    with TestClient(app) as client:
        gone = new_id()
        assert json.loads(client.get(address(gone)).text.removeprefix("data: ")) == {"job": gone, "mark": "gone"}
        assert client.get(address(*[gone] * 51)).status_code == 422
        assert client.get("/films/progress").status_code == 422
    assert services.followers.at_work == 0


class FullDisk(Services):
    """Services whose jobs cannot be reached."""

    @property
    def jobs(self) -> Jobs:
        raise StorageError("{file} is full.", file=Path("/srv/vt/vt.db"), where=Path("/srv/vt"))


def test_a_page_whose_jobs_cannot_be_read_is_told_so_without_a_path_and_the_log_names_the_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(data_dir=tmp_path, preload_models=False, engines="embedded")
    with closing(FullDisk(settings, AIServiceFactory(settings))) as services:
        app = FastAPI()
        app.include_router(ProgressRoute(services).routes())
        answer = TestClient(app).get(address(new_id()))
    assert (answer.status_code, answer.json()["detail"]) == (507, "vt.db is full.")
    assert "/srv/vt/vt.db is full. The place: /srv/vt." in caplog.messages


def test_a_page_follows_what_is_not_over_and_nothing_else() -> None:
    done = replace(RUNNING, id="b", state=JobState.DONE, version=1)
    again = replace(RUNNING, id="c", state=JobState.QUEUED, version=2)
    assert to_follow(ENGLISH, [done], "b") is None
    assert to_follow(ENGLISH, [RUNNING, done, again], "b") == {
        "address": "films/progress?view=b&job=a&job=c",
        "marks": {"a": "running0", "c": "queued2"},
        "files": dict.fromkeys("ac", f"{RUNNING.request.file} → {RUNNING.request.target_language}"),
        "told": {"done": "The dub is done.", "failed": "The dub failed."},
    }


def test_the_end_of_a_job_is_estimated_once_that_can_be_done_and_anew_for_each_run() -> None:
    now = 100.0
    estimate = Estimate(lambda: now)
    assert estimate.left_seconds(replace(RUNNING, state=JobState.QUEUED)) is None
    assert estimate.left_seconds(RUNNING) is None
    now = 102.0
    assert estimate.left_seconds(replace(RUNNING, fraction=0.5)) is None, "too soon"
    now = 110.0
    assert estimate.left_seconds(replace(RUNNING, fraction=0.11)) is None, "too little"
    assert estimate.left_seconds(replace(RUNNING, fraction=0.6)) == pytest.approx(8.0)
    assert estimate.left_seconds(replace(RUNNING, fraction=0.7, version=1)) is None
