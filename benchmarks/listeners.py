"""How much listeners cost: the same dub, followed by one and by hundreds at once.

Run by hand: .venv/bin/python -m benchmarks.listeners [--listeners 1 10 100 300]

All follow one job by server-sent events, from forty addresses of this machine. What is measured is the processor's time
of the server during the job, the dub's own work included, and how long after the first of them the last one hears that
it is done.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.fits import exponent
from benchmarks.load import SAMPLE, Crowd, server
from benchmarks.results import tell


async def followed(crowd: Crowd, film: bytes, listeners: int) -> float:
    """Dub a film, followed by so many; return the seconds from the first to the last who hears that it is done."""
    visitor, job_id = await crowd.submit(0, film)
    heard: list[float] = []

    async def follow(number: int) -> None:
        await crowd.follow_events(number % len(crowd.clients), job_id)
        heard.append(time.monotonic())

    async with asyncio.TaskGroup() as group:
        for number in range(listeners):
            group.create_task(follow(number))
    (await crowd.clients[visitor].delete(f"/api/v1/jobs/{job_id}")).raise_for_status()
    return max(heard) - min(heard)


async def measured(url: str, process: psutil.Process, counts: list[int]) -> None:
    """Print what each number of listeners costs."""
    crowd, film, spent = Crowd(url), SAMPLE.read_bytes(), list[float]()
    try:
        await followed(crowd, film, 1)  # warm
        for listeners in counts:
            before = _seconds(process)
            apart = await followed(crowd, film, listeners)
            spent.append(_seconds(process) - before)
            tell(f"{listeners} listeners: processor time of the server", spent[-1], "s")
            tell(f"{listeners} listeners: from the first to the last who hears the end", 1000 * apart, "ms")
    finally:
        await crowd.close()
    if len(counts) > 1:
        tell(f"a listener more: processor time, {counts[-1]} beside {counts[0]}", *_each(counts, spent))
        tell("processor time: exponent of the listeners", exponent(counts, spent), floor=0.5, goal=0.2)


def _each(counts: list[int], spent: list[float]) -> tuple[float, str]:
    return 1000 * (spent[-1] - spent[0]) / (counts[-1] - counts[0]), "ms"


def _seconds(process: psutil.Process) -> float:
    """Return the processor time of the server, models included, but for the programs that it starts."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, nargs="+", default=[1, 10, 100, 300])
    counts = parser.parse_args().listeners
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), 8) as (url, process):
        asyncio.run(measured(url, process, counts))


if __name__ == "__main__":
    main()
