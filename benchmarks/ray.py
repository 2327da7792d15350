"""Jobs on a Ray cluster of this machine: two nodes of one processor against one, and one against no cluster at all.

Run by hand, at a low load, which it prints: .venv/bin/python -m benchmarks.ray [--jobs 20] [--minutes 20]

Each way runs in a process of its own, one after the other, once its models are warm. The long film is a voice that
reads the Declaration of Human Rights, again and again in another order (see talk.py), or is made up of recordings.
Each processor stands for a machine. For what two nodes bring, the first one holds all that a cluster begins with: the
server, Ray's head and the first node; the second one holds the second node, and nothing else. For what Ray costs, the
first one holds server and head, and the second one the only node, as docs/CLUSTER.md has it; or all of it without Ray.
Who had the processors for how long is said of each measurement: the server, the nodes, Ray's own programs, all others.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil

from benchmarks import texts
from benchmarks.overhead import ROOT, SAMPLE, talk
from benchmarks.results import tell
from benchmarks.talk import film as spoken
from vt import languages
from vt.domain import Cancel, JobRequest
from vt.factory import get_ai_factory
from vt.jobs.executors import ray as on_ray
from vt.jobs.executors.base import Executor
from vt.jobs.executors.local import LocalExecutor
from vt.settings import Settings

MORE: Any = {"floor": 1.7, "goal": 1.8, "more": True}
_AT_ONCE, _WARM_UP = 3, 2
_WAYS = ("no cluster", "one node", "two nodes")
_PROCESSORS = sorted(os.sched_getaffinity(0))


def watch(line: str) -> None:
    """Print a line at once, with the time of day, where whoever watches sees it."""
    print(f"{time.strftime('%H:%M:%S')}  {line}", file=sys.stderr, flush=True)


@contextmanager
def kept_to(number: int) -> Iterator[None]:
    """Keep what is started in the block to one processor, since Ray counts processors, but holds nobody to them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_PROCESSORS[number % len(_PROCESSORS)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def cluster(nodes: int, *, apart: bool = False) -> Iterator[str]:
    """Run a cluster of so many nodes with one processor each, and a head with none; give its address.

    `apart`: the first node has another processor than the head.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    make: Any = Cluster
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # else Ray's logs stay below /tmp/ray
        os.environ["RAY_TMPDIR"] = folder
        made = make(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for number in range(nodes):
                with kept_to(number + apart):
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


@dataclass(frozen=True)
class Spent:
    """Seconds that have passed, and those of all processors that somebody had meanwhile."""

    seconds: float
    server: float
    """With the programs that it starts."""
    nodes: float
    ray: float
    """Its programs beside the hosts of vt."""
    others: float
    """Whatever else the machine does."""

    @classmethod
    def until_now(cls) -> Spent:
        """Return what was spent so far; this process is the server, and its parent has the cluster."""
        own = psutil.Process()
        server = _processor_seconds([own, *own.children(recursive=True)])
        every = own.parents()[0].children(recursive=True)
        hosts = [host for host in every if _is_host(host)]
        nodes = _processor_seconds({one for host in hosts for one in (host, *host.children(recursive=True))})
        all_of_them = _processor_seconds(every)
        machine = psutil.cpu_times()
        busy = sum(machine) - machine.idle - machine.iowait - machine.guest - machine.guest_nice
        return cls(time.monotonic(), server, nodes, all_of_them - server - nodes, busy - all_of_them)

    def since(self, before: Spent) -> Spent:
        """Return what was spent between two moments."""
        return Spent(*(getattr(self, one.name) - getattr(before, one.name) for one in fields(self)))

    def __str__(self) -> str:
        had = f"server {self.server:.1f}, nodes {self.nodes:.1f}, Ray {self.ray:.1f}, others {self.others:.1f}"
        return f"{self.seconds:.1f} s; of processors: {had}"


def _is_host(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).startswith("ray::Host")
    return False


def _processor_seconds(processes: Iterable[psutil.Process]) -> float:
    """Return the sum of what some processes had, and their children that are over."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def spent_on(executor: Executor, load: Load, folder: Path) -> Spent:
    """Have the dubs into Spanish made, and return what that took."""

    def dub(number: int) -> None:
        own = folder / str(number)
        own.mkdir()
        executor.run(JobRequest(load.film, languages.SPANISH, languages.ENGLISH), own, lambda _: None, Cancel())
        watch(f"  film {number + 1} of {load.jobs} is done")

    folder.mkdir()
    before = Spent.until_now()
    with ThreadPoolExecutor(load.at_once) as pool:
        list(pool.map(dub, range(load.jobs)))
    return Spent.until_now().since(before)


def measured(nodes: int, loads: Sequence[Load]) -> list[Spent]:
    """Return what each load takes in this process, once every node has every model; 0 nodes: without a cluster."""
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
        watch(f"{_WAYS[nodes]}: warms up")
        spent_on(executor, Load(SAMPLE, _WARM_UP, _WARM_UP), folder / "warm-up")
        found = []
        for number, load in enumerate(loads):
            watch(f"{_WAYS[nodes]}: {load.jobs} films, {load.at_once} at a time")
            found.append(spent_on(executor, load, folder / str(number)))
            watch(f"{_WAYS[nodes]}: {found[-1]}")
        return found


def in_process(nodes: int, loads: Sequence[Load], *, apart: bool = False) -> list[Spent]:
    """Return the same, measured in a process of its own, beside a cluster of so many nodes; `apart`: see `cluster`."""
    watch(f"{_WAYS[nodes]}: begins")
    told = json.dumps([[str(load.film), load.jobs, load.at_once] for load in loads])
    argv = [sys.executable, "-m", "benchmarks.ray", "--nodes", str(nodes), "--loads", told]
    with kept_to(0), cluster(nodes, apart=apart) if nodes else nullcontext("") as address:
        known = {**os.environ, "RAY_ADDRESS": address} if nodes else None
        ended = subprocess.run(argv, check=True, cwd=ROOT, env=known, stdout=subprocess.PIPE, text=True)
    return [Spent(**one) for one in json.loads(ended.stdout.splitlines()[-1])]


def _film(recordings: list[Path], seconds: float, folder: Path) -> Path:
    if recordings:
        return talk(recordings, seconds, folder)
    return spoken(list(texts.sentences("en")), seconds, folder / "talk.mp4", music=False)


def main() -> None:
    """Print the seconds of each way, and the ratios with what each may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--nodes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--loads", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.loads:
        loads = [Load(Path(film), jobs, at_once) for film, jobs, at_once in json.loads(arguments.loads)]
        print(json.dumps([asdict(one) for one in measured(arguments.nodes, loads)]))
        return
    print("load", *(f"{load:.1f}" for load in os.getloadavg()), "on", os.cpu_count(), "processors")
    with tempfile.TemporaryDirectory() as name:
        film = _film(arguments.recordings, arguments.minutes * 60, Path(name))
        alone = Load(SAMPLE, max(1, arguments.jobs // 5), 1)
        spread = [Load(SAMPLE, arguments.jobs, _AT_ONCE), Load(film, 1, 1)]
        (local,), (single,) = in_process(0, [alone]), in_process(1, [alone], apart=True)
        (sharing, *one), two = in_process(1, [alone, *spread]), in_process(2, spread)
    print(f"{alone.jobs} jobs, one after the other: no cluster {local}\n{'':>28}one node {single}")
    print(f"{'':>28}one node on the server's processor {sharing}")
    print(f"{arguments.jobs} jobs: one node {one[0]}\n{'':>8}two nodes {two[0]}")
    print(f"{arguments.minutes:g} minutes: one node {one[1]}\n{'':>10}two nodes {two[1]}")
    tell(f"{arguments.jobs} jobs: one node", one[0].seconds, "s")
    tell(f"{arguments.jobs} jobs: two nodes", two[0].seconds, "s")
    tell(f"{arguments.jobs} jobs: times as fast on two nodes", one[0].seconds / two[0].seconds, **MORE)
    tell(f"a film of {arguments.minutes:g} min: one node", one[1].seconds, "s")
    tell(f"a film of {arguments.minutes:g} min: two nodes", two[1].seconds, "s")
    tell(f"a film of {arguments.minutes:g} min: times as fast on two nodes", one[1].seconds / two[1].seconds, **MORE)
    tell("one node / no cluster, jobs one after the other", single.seconds / local.seconds, floor=1.1)
    tell("one node on the server's own processor / no cluster", sharing.seconds / local.seconds)


if __name__ == "__main__":
    main()
