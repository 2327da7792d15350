"""Whatever its description allows, and much that it does not, is sent to a real server by schemathesis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server, running

SEED = 1811
LOOKED_FOR = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SECONDS = 18


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


def test_no_request_makes_the_routes_of_a_job_fail_that_has_results(beset: Server, tmp_path: Path) -> None:
    ffmpeg("-i", SAMPLE, "-t", "8", "-c", "copy", tmp_path / "talk.mp4")
    job = beset.submit(tmp_path / "talk.mp4", target_language="es")
    assert beset.ended(job)["state"] == "done"
    settings = tmp_path / "job.toml"
    settings.write_text(f'[parameters]\n"path.job_id" = "{job}"\n', encoding="utf-8")
    _search(beset, settings, "--include-path-regex", "job_id", "--exclude-method", "DELETE")
    assert beset.json("GET", f"/api/v1/jobs/{job}")["id"] == job
