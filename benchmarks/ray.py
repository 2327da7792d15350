"""Jobs on a Ray cluster of this machine: two nodes of one processor against one, and one against no cluster at all.

Run by hand, at a low load, which it prints: .venv/bin/python -m benchmarks.ray [--jobs 20] [--minutes 40]

Each way runs in a process of its own, one after the other, once its models are warm; recordings make up the long film.
A machine with two processors has none left for the server beside two nodes, so that the ratio says what it costs, too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.overhead import ROOT, SAMPLE, talk
from vt import languages
from vt.domain import Cancel, JobRequest
from vt.factory import get_ai_factory
from vt.jobs.executors import ray as on_ray
from vt.jobs.executors.base import Executor
from vt.jobs.executors.local import LocalExecutor
from vt.settings import Settings

FLOORS = {"jobs": 1.7, "one film": 1.7, "overhead": 1.1}
"""The first two at least, of two nodes against one; the last at most, of one node against no cluster."""
_AT_ONCE, _WARM_UP = 3, 2


@contextmanager
def cluster(nodes: int) -> Iterator[str]:
    """Run a cluster of so many nodes with one processor each, and a head with none; give its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    make: Any = Cluster
    made = make(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(nodes):
            made.add_node(num_cpus=1)
        yield str(made.address)
    finally:
        made.shutdown()


@dataclass(frozen=True)
class Load:
    """What is measured: dubs of a film."""

    film: Path
    jobs: int
    at_once: int


def seconds_of(executor: Executor, load: Load, folder: Path) -> float:
    """Return how long the dubs into Spanish take together."""

    def dub(number: int) -> None:
        own = folder / str(number)
        own.mkdir()
        executor.run(JobRequest(load.film, languages.SPANISH, languages.ENGLISH), own, lambda _: None, Cancel())

    folder.mkdir()
    began = time.monotonic()
    with ThreadPoolExecutor(load.at_once) as pool:
        list(pool.map(dub, range(load.jobs)))
    return time.monotonic() - began


def measured(nodes: int, loads: Sequence[Load]) -> list[float]:
    """Return the seconds of each load, in this process, once every node has every model; 0 nodes: without a cluster."""
    settings = Settings(engines="embedded", executor="ray" if nodes else "local", cpu_threads=1, preload_models=False)
    factory = get_ai_factory(settings)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        executor: Executor = LocalExecutor(factory)
        if nodes:
            hosts = on_ray.cluster(settings)
            hosts.begin()
            opened.callback(hosts.close)
            while len(hosts.states()) < nodes:
                time.sleep(0.1)
            executor = on_ray.executor(factory, hosts)
        seconds_of(executor, Load(SAMPLE, _WARM_UP, _WARM_UP), folder / "warm-up")
        return [seconds_of(executor, load, folder / str(number)) for number, load in enumerate(loads)]


def in_process(nodes: int, loads: Sequence[Load]) -> list[float]:
    """Return the same, measured in a process of its own, beside a cluster of so many nodes."""
    told = json.dumps([[str(load.film), load.jobs, load.at_once] for load in loads])
    argv = [sys.executable, "-m", "benchmarks.ray", "--nodes", str(nodes), "--loads", told]
    with cluster(nodes) if nodes else nullcontext("") as address:
        known = {**os.environ, "RAY_ADDRESS": address} if nodes else None
        ended = subprocess.run(argv, check=True, cwd=ROOT, env=known, stdout=subprocess.PIPE, text=True)
    found: list[float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print the seconds of each way, and the ratios with what each may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--nodes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--loads", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loads:
        loads = [Load(Path(film), jobs, at_once) for film, jobs, at_once in json.loads(arguments.loads)]
        print(json.dumps(measured(arguments.nodes, loads)))
        return
    print("load", *(f"{load:.1f}" for load in os.getloadavg()), "on", os.cpu_count(), "processors")
    with tempfile.TemporaryDirectory() as name:
        film = talk(arguments.recordings, arguments.minutes * 60, Path(name))
        alone = Load(SAMPLE, max(1, arguments.jobs // 5), 1)
        every = [alone, Load(SAMPLE, arguments.jobs, _AT_ONCE), Load(film, 1, 1)]
        (local,) = in_process(0, [alone])
        one, two = in_process(1, every), in_process(2, every)
    print(f"{alone.jobs} jobs, one after the other: no cluster {local:.1f} s, one node {one[0]:.1f} s")
    print(f"{arguments.jobs} jobs: one node {one[1]:.1f} s, two {two[1]:.1f} s")
    print(f"{arguments.minutes:g} minutes: one node {one[2]:.1f} s, two {two[2]:.1f} s")
    ratios = {"jobs": one[1] / two[1], "one film": one[2] / two[2], "overhead": one[0] / local}
    for what, ratio in ratios.items():
        bound = "at most" if what == "overhead" else "at least"
        print(f"{what:<10} {ratio:.2f}   ({bound} {FLOORS[what]})")


if __name__ == "__main__":
    main()
