"""Whatever its description allows, and much that it does not, is sent to a real server by schemathesis."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import httpx
import pytest

from tests.conftest import SAMPLE
from tests.films import SOUND, ffmpeg
from tests.servers import Server, running, wait_for
from vt.api import schemas
from vt.engines.registry import Table

SEED = 1811
LOOKED_FOR = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = 5


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that nobody else uses: its jobs and models come and go as it pleases schemathesis."""
    with running(tmp_path_factory.mktemp("beset")) as server:
        yield server


def _search(server: Server, settings: Path, *options: str) -> None:
    """Run a search of a bounded time, always the same one, and see that it finds nothing."""
    argv = [str(Path(sys.executable).with_name("st")), "--config-file", str(settings)]
    argv += ["run", f"{server.url}/openapi.json", "--checks", LOOKED_FOR, "--max-time", str(SECONDS)]
    argv += ["--seed", str(SEED), "--generation-database", "none", "--continue-on-failure", "--warnings", "off"]
    done = subprocess.run([*argv, *options], cwd=settings.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in server.said + server.log
    assert server.ask("GET", "/health").status_code == 200


def test_no_request_makes_any_route_fail_or_answer_what_is_not_described(beset: Server, tmp_path: Path) -> None:
    settings = tmp_path / "none.toml"
    settings.touch()
    _search(beset, settings)


@pytest.mark.soak
def test_no_request_makes_the_routes_of_a_job_fail_that_has_results(beset: Server, tmp_path: Path) -> None:
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", tmp_path / "talk.mp4")
    job = beset.submit(tmp_path / "talk.mp4", target_language="es")
    assert beset.ended(job)["state"] == "done"
    settings = tmp_path / "job.toml"
    settings.write_text(f'[parameters]\n"path.job_id" = "{job}"\n', encoding="utf-8")
    _search(beset, settings, "--include-path-regex", "job_id", "--exclude-method", "DELETE")
    assert beset.json("GET", f"/api/v1/jobs/{job}")["id"] == job


STATES = ("queued", "running", "done", "failed", "cancelled")
CHANGE = {"segments": [{"id": 0, "text": "Hola."}]}


@pytest.fixture(scope="module")
def jobs(beset: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A job in each state; the one that runs does so until the last test of it is over."""
    folder = tmp_path_factory.mktemp("films")
    for name, seconds in (("talk.mp4", "4"), ("long.m4a", "300")):
        ffmpeg(
            "-stream_loop",
            "9",
            "-i",
            SAMPLE,
            "-t",
            seconds,
            "-c",
            "copy",
            *(["-vn"] * (name == "long.m4a")),
            folder / name,
        )
    ffmpeg(*SOUND, folder / "tone.m4a")
    found = {}
    for state, name in (("done", "talk.mp4"), ("failed", "tone.m4a")):
        found[state] = beset.submit(folder / name, target_language="es")
        assert beset.ended(found[state])["state"] == state
    for state in ("running", "queued", "cancelled"):
        found[state] = beset.submit(folder / "long.m4a", target_language="es")
    beset.ask("POST", f"/api/v1/jobs/{found['cancelled']}/cancel").raise_for_status()
    wait_for(lambda: beset.json("GET", f"/api/v1/jobs/{found['running']}")["stage"] == "transcribe")
    yield found
    for job_id in found.values():
        beset.ask("DELETE", f"/api/v1/jobs/{job_id}")


def _asked(server: Server, method: str, route: str) -> int:
    """Return the status of an answer, which may have no end."""
    headers = {"If-Match": '"1"'}
    body = CHANGE if method == "PATCH" else None
    with httpx.stream(method, server.url + route, json=body, headers=headers, timeout=60) as answer:
        return answer.status_code


@pytest.mark.soak
def test_every_route_of_a_job_is_reached_in_every_state_with_what_is_described(
    beset: Server, jobs: dict[str, str]
) -> None:
    described = beset.json("GET", "/openapi.json")["paths"]
    of_jobs = [(path, methods) for path, methods in described.items() if "{job_id}" in path]
    routes = {
        (how.upper(), path): set(known["responses"]) for path, methods in of_jobs for how, known in methods.items()
    }
    assert len(routes) == 12
    take = beset.json("GET", f"/api/v1/jobs/{jobs['done']}/segments/0/takes")["takes"][0]["id"]
    reached: dict[str, dict[str, int]] = {}
    # What ends a job, or has it go on, comes last.
    last = ["PATCH /api/v1/jobs/{job_id}/segments", "POST /api/v1/jobs/{job_id}/cancel", "DELETE /api/v1/jobs/{job_id}"]
    names = sorted(
        (f"{method} {path}" for method, path in routes), key=lambda name: last.index(name) if name in last else -1
    )
    for name in names:
        method, path = name.split(" ")
        for state in ("done", "failed", "cancelled", "queued", "running"):
            values = {"language": "es", "ending": "srt", "sound": "dub", "line": 0, "take": take}
            route = path.format(job_id=jobs[state], **values)
            status = _asked(beset, method, route)
            assert str(status) in routes[method, path], (name, state, status)
            reached.setdefault(name, {})[state] = status
    assert [name for name, found in reached.items() if not any(status < 300 for status in found.values())] == []
    assert {state for found in reached.values() for state, status in found.items() if status < 300} == set(STATES)
    assert reached["GET /api/v1/jobs/{job_id}/video"] == dict.fromkeys(STATES, 409) | {"done": 200}


def test_a_model_of_every_kind_of_engine_can_be_shown() -> None:
    # Who hears where two speak at once is of the kind of who tells speakers apart.
    kinds = {field.name for field in dataclasses.fields(Table)} - {"overlaps"}
    assert set(get_args(schemas.Model.model_fields["model_type"].annotation)) == kinds
