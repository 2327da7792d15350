"""Jobs on a real Ray cluster of two nodes with one processor each, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLE, Dubbed, vt
from tests.servers import APP, ROOT, Server, environment, free_port, running, wait_for

pytest.importorskip("ray")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster

ASKED = {"target_language": "es", "source_language": "en"}
SEEN = ("id", "start", "end", "source_text", "text", "tempo", "placed_start", "placed_end")
"""What two reports of the same dub have in common; they were measured at different times."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Run a head without processors, and two nodes."""
    make: Any = Cluster
    made = make(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()


@dataclass
class Conductor:
    """A server whose jobs are done by a cluster; it may be killed and started again."""

    folder: Path
    address: str
    lives: ExitStack
    server: Server

    @classmethod
    def begun(cls, folder: Path, address: str, lives: ExitStack) -> Conductor:
        server = lives.enter_context(running(folder, APP, VT_EXECUTOR="ray", RAY_ADDRESS=address))
        wait_for(lambda: not health(server)["notes"])
        return cls(folder, address, lives, server)

    def again(self) -> None:
        """Kill the server, and start it anew with the same data."""
        self.server.end(signal.SIGKILL)
        self.server = Conductor.begun(self.folder, self.address, self.lives).server


@pytest.fixture(scope="module")
def conductor(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conductor]:  # noqa: ANN401 (untyped)
    with ExitStack() as lives:
        yield Conductor.begun(tmp_path_factory.mktemp("conductor"), cluster.address, lives)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return the lines of the sample's dub by one machine."""
    folder = tmp_path_factory.mktemp("alone")
    made = Dubbed(folder / "out", vt("translate", SAMPLE, "--to", "es", "--from", "en", cwd=folder))
    return lines_of(made.report)


def health(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", "/health").json()
    return found


def lines_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: line[name] for name in SEEN} for line in report["segments"]]


def report_of(server: Server, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = server.json("GET", f"/api/v1/jobs/{job_id}/report")
    return found


def nodes_with_models(server: Server) -> set[str]:
    return {model["node"] for model in server.json("GET", "/api/v1/models")["model_cache"]["models"] if "node" in model}


def has_begun(server: Server, job_id: str) -> bool:
    """Tell whether a node works on a job."""
    job = server.json("GET", f"/api/v1/jobs/{job_id}")
    assert job["state"] in ("queued", "running"), job
    return bool(job["state"] == "running" and job["stage"] in ("transcribe", "translate", "speak"))


def test_a_dub_by_a_cluster_is_that_of_one_machine_and_its_models_are_seen_and_cleared(
    conductor: Conductor, alone: list[dict[str, Any]]
) -> None:
    server = conductor.server
    job = server.ended(server.submit(SAMPLE, **ASKED))
    assert job["state"] == "done", job
    assert lines_of(report_of(server, job["id"])) == alone
    wait_for(lambda: nodes_with_models(server))
    assert server.json("DELETE", "/api/v1/models/cache")["freed"]
    wait_for(lambda: not nodes_with_models(server))


def test_a_cancelled_job_ends_on_every_node(conductor: Conductor) -> None:
    server = conductor.server
    job_id = server.submit(SAMPLE, **ASKED)
    wait_for(lambda: has_begun(server, job_id))
    assert server.json("POST", f"/api/v1/jobs/{job_id}/cancel")["state"] == "cancelled"

    def is_quiet() -> bool:
        models = server.json("GET", "/api/v1/models")["model_cache"]["models"]
        return all(model["leases"] == 0 for model in models)

    wait_for(is_quiet)


def test_a_node_that_dies_and_a_server_that_is_killed_in_the_middle_change_nothing_of_the_dub(
    conductor: Conductor,
    cluster: Any,  # noqa: ANN401 (untyped)
    alone: list[dict[str, Any]],
) -> None:
    job_id = conductor.server.submit(SAMPLE, **ASKED)
    wait_for(lambda: has_begun(conductor.server, job_id))
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    try:
        job = conductor.server.ended(job_id)
        assert job["state"] == "done", job
        assert lines_of(report_of(conductor.server, job_id)) == alone
    finally:
        cluster.add_node(num_cpus=1)
    job_id = conductor.server.submit(SAMPLE, **ASKED)
    wait_for(lambda: has_begun(conductor.server, job_id))
    conductor.again()
    job = conductor.server.ended(job_id)
    assert job["state"] == "done", job
    assert lines_of(report_of(conductor.server, job_id)) == alone


def test_a_server_whose_cluster_is_not_there_says_so_in_one_line(tmp_path: Path) -> None:
    known = environment(tmp_path, VT_EXECUTOR="ray", RAY_ADDRESS=f"127.0.0.1:{free_port()}")
    ended = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("vt: ")]
    assert "RAY_ADDRESS" in line
    assert "Traceback" not in ended.stderr
