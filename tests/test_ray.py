"""Jobs on a real Ray cluster of two nodes with one processor each, on this machine."""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SAMPLE, TOLD
from tests.films import ffmpeg
from tests.forked import run_forked
from tests.servers import ROOT, Server, environment, free_port, running, wait_for
from tests.sieges import Content, content

pytest.importorskip("ray")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from ray.cluster_utils import Cluster

ASKED = {"target_language": "es", "source_language": "en"}
_FILM_SECONDS = "12"
_AT_ONCE = "3"
_JOBS, _LIFE_SECONDS, _LONGEST_SECONDS = 20, 10.0, 900.0
"""Of the soak: how long a node lives after the death of the one before, and what only something that hangs takes."""
_START_SECONDS = 120.0
"""Only a server that hangs takes so long to say that it does not start."""
_PIECES = re.compile(r'^vt_cluster_pieces\{machine="(.+)"\} (\d+)', re.MULTILINE)
_ENDED = re.compile(r'^vt_(?:stage_seconds_count|jobs_ended_total)\{.+="(\w+)"\} (\d+)', re.MULTILINE)


class Nodes:
    """A cluster with a head that has no processors, and nodes that come and die."""

    def __init__(self) -> None:
        made: Any = Cluster
        head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        self._cluster = made(initialize_head=True, head_node_args=head)
        self.address: str = self._cluster.address
        self.names: list[str] = []
        """Of those that are there, the eldest first, as the server calls them."""

    def fill(self) -> None:
        """Add nodes until there are two. Ray sets handlers of signals here, as only a process's first thread may."""
        while len(self.names) < 2:
            node = self._cluster.add_node(num_cpus=1)
            self.names.append(f"{node.node_ip_address}-{node.node_id[:4]}")

    def kill(self, name: str) -> None:
        """Kill all processes of a node."""
        (node,) = (node for node in self._cluster.list_all_nodes() if name.endswith(f"-{node.node_id[:4]}"))
        self._cluster.remove_node(node, allow_graceful=False)
        self.names.remove(name)

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Run a cluster to which no node has come yet."""
    # Ray's logs would stay below /tmp/ray; and pytest's folders have names too long for its sockets.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_TMPDIR", folder)
        made = Nodes()
        try:
            yield made
        finally:
            made.close()


@dataclass
class Conductor:
    """A server whose jobs are done by a cluster; it may be killed and started again."""

    folder: Path
    nodes: Nodes
    lives: ExitStack
    server: Server

    @classmethod
    def begun(cls, folder: Path, nodes: Nodes, lives: ExitStack) -> Conductor:
        known = {"VT_EXECUTOR": "ray", "RAY_ADDRESS": nodes.address, "VT_JOBS_AT_ONCE": _AT_ONCE}
        known["VT_VISITOR_JOBS"] = str(_JOBS)
        return cls(folder, nodes, lives, lives.enter_context(running(folder, **known)))

    def again(self) -> None:
        """Kill the server, and start it anew with the same data."""
        self.server.end(signal.SIGKILL)
        self.server = Conductor.begun(self.folder, self.nodes, self.lives).server


@pytest.fixture(scope="module")
def begun(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conductor]:
    """Run a server, to which two nodes come while it starts."""
    with ExitStack() as lives:
        with ThreadPoolExecutor(1) as pool:
            beginning = pool.submit(Conductor.begun, tmp_path_factory.mktemp("conductor"), nodes, lives)
            nodes.fill()
        yield beginning.result()


@pytest.fixture
def conductor(begun: Conductor) -> Conductor:
    """Return a server that two nodes serve, whatever became of them before."""
    begun.nodes.fill()
    wait_for(lambda: len(pieces(begun.server)) == 2)
    return begun


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of a few lines."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    ffmpeg("-t", _FILM_SECONDS, "-i", SAMPLE, "-c", "copy", path)
    return path


@pytest.fixture(scope="module")
def alone(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """Return what a server without a cluster makes of the film."""
    folder = tmp_path_factory.mktemp("alone")
    with running(folder) as server:
        job = server.ended(server.submit(film, **ASKED))
        assert job["state"] == "done", job
        return content(server, job["id"], folder)


def pieces(server: Server) -> dict[str, int]:
    """Return how many pieces each node works on that serves a server, by its name."""
    return {name: int(count) for name, count in _PIECES.findall(server.ask("GET", "/metrics").text)}


def nodes_with_models(server: Server) -> set[str]:
    return {model["node"] for model in server.json("GET", "/api/v1/models")["model_cache"]["models"] if "node" in model}


def busy(server: Server, job_id: str) -> str:
    """Wait until a node works on a job, and return the node's name."""
    found: list[str] = []

    def has_begun() -> bool:
        job = server.json("GET", f"/api/v1/jobs/{job_id}")
        assert job["state"] in ("queued", "running"), job
        found.extend(name for name, count in pieces(server).items() if count)
        return bool(found)

    wait_for(has_begun)
    return found[0]


def ended(server: Server) -> dict[str, int]:
    """Return how many jobs of a server came to each end, and how often each stage ended."""
    return {name: int(count) for name, count in _ENDED.findall(server.ask("GET", "/metrics").text)}


def are_over(server: Server, job_ids: Sequence[str], seconds: float) -> bool:
    """Wait so long, at most, for the end of some jobs, and tell whether it has come."""
    until = time.monotonic() + seconds
    while any(server.json("GET", f"/api/v1/jobs/{id}")["state"] in ("queued", "running") for id in job_ids):
        if time.monotonic() > until:
            return False
        time.sleep(0.5)
    return True


def dub_of(server: Server, job_id: str, folder: Path) -> Content:
    """Wait for the end of a job, which is good, and return all that it made."""
    job = server.ended(job_id)
    assert job["state"] == "done", job
    return content(server, job_id, folder)


def test_a_dub_by_a_cluster_is_that_of_one_machine_and_its_models_are_seen_and_cleared(
    conductor: Conductor, film: Path, alone: Content, tmp_path: Path
) -> None:
    server = conductor.server
    assert dub_of(server, server.submit(film, **ASKED), tmp_path) == alone
    wait_for(lambda: nodes_with_models(server))
    assert server.json("DELETE", "/api/v1/models/cache")["freed"]
    wait_for(lambda: not nodes_with_models(server))


def test_a_cancelled_job_ends_on_every_node(conductor: Conductor, film: Path) -> None:
    server = conductor.server
    job_id = server.submit(film, **ASKED)
    busy(server, job_id)
    assert server.json("POST", f"/api/v1/jobs/{job_id}/cancel")["state"] == "cancelled"

    def is_quiet() -> bool:
        models = server.json("GET", "/api/v1/models")["model_cache"]["models"]
        return all(model["leases"] == 0 for model in models)

    wait_for(is_quiet)


def test_a_node_that_dies_and_a_server_that_is_killed_in_the_middle_change_nothing_of_the_dub(
    conductor: Conductor, film: Path, alone: Content, tmp_path: Path
) -> None:
    job_id = conductor.server.submit(film, **ASKED)
    conductor.nodes.kill(busy(conductor.server, job_id))
    assert dub_of(conductor.server, job_id, tmp_path) == alone
    job_id = conductor.server.submit(film, **ASKED)
    busy(conductor.server, job_id)
    conductor.again()
    assert dub_of(conductor.server, job_id, tmp_path) == alone


@pytest.mark.soak
def test_of_20_jobs_20_are_done_and_none_twice_while_one_node_after_the_other_dies_and_another_comes(
    conductor: Conductor, film: Path, alone: Content, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, nodes, kills, until = conductor.server, conductor.nodes, 0, time.monotonic() + _LONGEST_SECONDS
    job_ids = [server.submit(film, **ASKED) for _ in range(_JOBS)]
    while not are_over(server, job_ids, _LIFE_SECONDS):
        assert time.monotonic() < until, "the jobs hang"
        nodes.kill(nodes.names[0])
        nodes.fill()
        kills += 1
    for job_id in job_ids:
        assert dub_of(server, job_id, tmp_path) == alone
    stages = [stage["name"] for stage in server.json("GET", f"/api/v1/jobs/{job_ids[0]}/report")["stages"]]
    assert len(server.json("GET", "/api/v1/jobs")["jobs"]) == _JOBS
    assert ended(server) == dict.fromkeys(["done", *stages], _JOBS)
    again = server.log.count("is done again")
    with capsys.disabled():
        print(f"\n{TOLD}{kills} nodes were killed, and {again} pieces done again")  # noqa: T201 (scripts/soak tells it)


def test_a_server_whose_cluster_is_not_there_says_so_in_one_line(tmp_path: Path) -> None:
    known = environment(tmp_path, VT_EXECUTOR="ray", RAY_ADDRESS=f"127.0.0.1:{free_port()}")
    ended = run_forked(["app.py"], ROOT, known, _START_SECONDS)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("vt: ")]
    assert "RAY_ADDRESS" in line
    assert "Traceback" not in ended.stderr
