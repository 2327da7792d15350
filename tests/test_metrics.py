"""Metrics: numbers for all that a server does, in names that the README and the board know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server, running, wait_for
from vt.api.request_tracing import RequestTracing, RouteTracing
from vt.domain import NO_EDITS, Job, JobSpec, JobState, Stage
from vt.errors import Cancelled, ToolError, ToolStopped, TooManyRequests, VtError
from vt.models.monitor import JobWatch, Troubles
from vt.system.metrics import COUNTED, READ, Load, Metrics
from vt.system.processes import Tally

TOKEN = "open-sesame-4711"  # noqa: S105 (of nothing)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = Job("a", JobState.QUEUED, None, 0.0, None, NOON, NOON, JobSpec("talk.mp4", "es"), 0, NO_EDITS, NO_EDITS, 0, 0, "")


class Watched:
    """A watch over jobs, and what it counts."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.watch = JobWatch(self.metrics, Troubles(), lambda: NOON)

    def hear(self, state: JobState, after: float, job: Job = JOB) -> None:
        self.watch.hear(replace(job, state=state, updated_at=NOON + timedelta(seconds=after)))

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


def test_a_jobs_wait_is_counted_once_whatever_it_tells_of_its_progress() -> None:
    watched = Watched()
    for after in (4, 5, 6):
        watched.hear(JobState.RUNNING, after)
    watched.hear(JobState.DONE, 9)
    assert watched.metric("vt_job_wait_seconds_count") == 1
    assert watched.metric("vt_job_wait_seconds_sum") == 4
    assert watched.metric("vt_jobs_ended_total", state="done") == 1


def test_a_job_that_is_put_back_or_edited_waits_from_then_on() -> None:
    watched = Watched()
    for state, after in ((JobState.RUNNING, 1), (JobState.QUEUED, 10), (JobState.RUNNING, 13), (JobState.FAILED, 20)):
        watched.hear(state, after)
    assert watched.metric("vt_job_wait_seconds_count") == 2
    assert watched.metric("vt_job_wait_seconds_sum") == 1 + 3
    assert watched.metric("vt_jobs_ended_total", state="failed") == 1


def test_who_waited_for_a_server_to_start_again_counts_for_no_queue() -> None:
    watched = Watched()
    watched.hear(JobState.RUNNING, 4, replace(JOB, created_at=NOON - timedelta(days=1)))
    assert watched.metric("vt_job_wait_seconds_count") == 0


def test_of_a_run_its_stages_are_counted_and_how_many_times_as_fast_as_the_film_it_was() -> None:
    metrics = Metrics()
    for _ in range(2):
        metrics.finished([("probe", 0.5), ("speak", 7.5)])
    metrics.dubbed(24.0, 8.0)
    value = metrics.registry.get_sample_value
    assert value("vt_stage_seconds_sum", {"stage": "speak"}) == 15
    assert value("vt_realtime_factor_sum") == 3
    assert value("vt_realtime_factor_count") == 1


def test_what_cannot_be_read_now_is_left_out() -> None:
    metrics = Metrics()
    metrics.watch_load(lambda: Load(limits={"uploads": 3}))
    value = metrics.registry.get_sample_value
    assert value("vt_at_work_limit", {"what": "uploads"}) == 3
    assert value("vt_free_disk_bytes") is None
    assert value("vt_jobs", {"state": "queued"}) is None


def test_how_a_child_ends_is_counted_by_what_came_of_it() -> None:
    tally = Tally()
    outcomes = [ToolError("a"), ToolStopped("b"), Cancelled("c"), TooManyRequests("d"), None]
    for outcome in outcomes:
        with suppress(VtError), tally.ending("ffmpeg"), tally.running("ffmpeg"):
            assert tally.counts()[0] == {"ffmpeg": 1}
            if outcome:
                raise outcome
    ends = ("failed", "stopped", "cancelled", "not started", "well")
    assert tally.counts() == ({"ffmpeg": 0}, {("ffmpeg", how): 1 for how in ends})


def test_no_label_can_be_filled_by_a_stranger_or_hold_an_id() -> None:
    told = {label for one in (*COUNTED, *READ) for label in one.labels}
    assert told == {
        "method",
        "route",
        "status",
        "reason",
        "state",
        "stage",
        "kind",
        "version",
        "what",
        "program",
        "how",
        "device",
        "machine",  # of the cluster, by its address
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of which nobody else asks anything."""
    with running(tmp_path_factory.mktemp("metrics"), VT_ADMIN_TOKEN=TOKEN, VT_MAX_UPLOAD_MB="3") as found:
        yield found


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of the sample."""
    path = tmp_path_factory.mktemp("film") / "talk.mp4"
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", path)
    return path


@pytest.fixture(scope="module")
def job_id(server: Server, film: Path) -> str:
    """A job that is done."""
    job_id = server.submit(film, target_language="es")
    assert server.ended(job_id)["state"] == "done"
    return job_id


def scraped(server: Server) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by its name and labels."""
    text = server.ask("GET", "/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def sample(server: Server, name: str, **labels: str) -> float:
    """Return a sample, or 0 where there is none yet."""
    return scraped(server).get((name, frozenset(labels.items())), 0)


@pytest.mark.usefixtures("job_id")
def test_a_dub_is_seen_in_the_stages_the_pace_the_queue_and_the_jobs(server: Server) -> None:
    found = scraped(server)
    stages = {dict(labels)["stage"] for name, labels in found if name == "vt_stage_seconds_count"}
    assert stages == set(Stage)
    assert sample(server, "vt_realtime_factor_count") == 1
    assert sample(server, "vt_realtime_factor_sum") > 0
    assert sample(server, "vt_job_wait_seconds_count") == 1
    assert sample(server, "vt_jobs_ended_total", state="done") == 1
    assert found["vt_jobs", frozenset({("state", "queued")})] == 0
    assert sample(server, "vt_free_disk_bytes") > 0
    assert sample(server, "vt_children_ended_total", program="ffmpeg", how="well") > 0
    assert sample(server, "vt_children_ended_total", program="espeak-ng", how="well") > 0
    assert found["vt_children", frozenset({("program", "ffmpeg")})] == 0
    assert sample(server, "process_resident_memory_bytes") > 50 * 2**20
    assert sample(server, "process_open_fds") > 5


def test_requests_are_counted_by_the_template_of_their_route_and_by_status(server: Server, job_id: str) -> None:
    before = scraped(server)
    server.ask("GET", f"/api/v1/jobs/{job_id}")
    server.ask("HEAD", f"/api/v1/jobs/{job_id}")
    server.ask("GET", "/api/v1/jobs/mfrggzdfmztwq2lknnwg23tpoa")
    server.ask("BREW", "/api/v1/nothing/of/the/kind")
    server.ask("GET", "/", headers={"Accept": "text/html"})
    after = scraped(server)

    def more(method: str, route: str, status: str) -> float:
        key = "vt_http_requests_total", frozenset({"method": method, "route": route, "status": status}.items())
        return after.get(key, 0) - before.get(key, 0)

    assert more("GET", "/api/v1/jobs/{job_id}", "200") == 1
    assert more("HEAD", "/api/v1/jobs/{job_id}", "200") == 1
    assert more("GET", "/api/v1/jobs/{job_id}", "404") == 1
    assert more("OTHER", "unknown", "404") == 1
    assert more("GET", "page", "200") == 1
    assert "mfrggz" not in str(after)
    assert job_id[:6] not in str(after)


def test_refusals_are_counted_by_their_reason_and_an_unhealthy_answer_is_none(server: Server, tmp_path: Path) -> None:
    server.ask("DELETE", "/api/v1/models/cache", headers={"Authorization": "Bearer wrong"})
    assert sample(server, "vt_refusals_total", reason="token_refused") == 1
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(4 * 2**20))
    with large.open("rb") as stream:
        answer = server.ask("POST", "/api/v1/inspect", files={"file": ("large.mp4", stream)})
    assert answer.status_code == 413
    assert sum(value for (name, _), value in scraped(server).items() if name == "vt_refusals_total") == 2
    assert server.ask("GET", "/api/v1/jobs/mfrggzdfmztwq2lknnwg23tpoa").status_code == 404
    assert sum(value for (name, _), value in scraped(server).items() if name == "vt_refusals_total") == 2


def test_who_follows_a_job_is_counted_while_it_does(server: Server) -> None:
    job_id = server.submit(SAMPLE, target_language="es")
    with connect(f"ws{server.url.removeprefix('http')}/api/v1/jobs/{job_id}/ws") as socket:
        socket.recv()
        assert sample(server, "vt_at_work", what="followers") == 1
        assert sample(server, "vt_http_connections") == 2
        server.ask("DELETE", f"/api/v1/jobs/{job_id}")
    wait_for(lambda: sample(server, "vt_at_work", what="followers") == 0)
    wait_for(lambda: sample(server, "vt_http_connections") == 1)
    assert sample(server, "vt_http_requests_total", method="WEBSOCKET", route="/api/v1/jobs/{job_id}/ws", status="101")


def test_every_metric_is_there_from_the_first_scrape_on() -> None:
    text = Metrics().exposition().decode()
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert {one.name for one in (*COUNTED, *READ)} <= set(names)
    assert all(name.startswith(("vt_", "process_")) for name in names)
    assert text.count("# HELP") == text.count("# TYPE")


def test_an_error_that_nobody_foresaw_counts_for_its_route_too() -> None:
    app = FastAPI()
    app.add_middleware(RouteTracing)

    @app.get("/broken/{number}")
    async def broken(number: int) -> None:
        raise RuntimeError(number)

    metrics = Metrics()
    client = TestClient(RequestTracing(app, metrics), raise_server_exceptions=False)
    assert client.get("/broken/7").status_code == 500
    labels = {"method": "GET", "route": "/broken/{number}", "status": "500"}
    assert metrics.registry.get_sample_value("vt_http_requests_total", labels) == 1
    assert metrics.registry.get_sample_value("vt_http_connections") == 0
