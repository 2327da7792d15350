"""What a crowd does to a server: uploads, jobs and followers at once, while /health is asked 50 times a second.

Run: .venv/bin/python -m benchmarks.load [--uploads 200] [--jobs 80] [--followers 300]

The crowd comes from many addresses of this machine (127.0.1.x), since each visitor has limits of its own. Who is told
to come back later (429, 503) does so, as a good client would: nothing may be lost by that.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from benchmarks.results import tell

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"
VISITORS = 40
RATE = 50.0
FILM_BYTES = 2**20
_FLOOR_MS, _GOAL_MS = 50.0, 20.0
_MEMORY_SHARE = 0.10
_LATER = {429, 503}
_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.25


@dataclass
class Crowd:
    """Clients of one server, each at an address of its own, and what became of them."""

    url: str
    told: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clients = [
            httpx.AsyncClient(
                base_url=self.url,
                timeout=_PATIENCE_SECONDS,
                transport=httpx.AsyncHTTPTransport(
                    local_address=address(number), limits=httpx.Limits(max_connections=None)
                ),
            )
            for number in range(VISITORS)
        ]

    async def close(self) -> None:
        """Leave."""
        for client in self.clients:
            await client.aclose()

    async def asked(self, what: str, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """Ask until the server has time for it; an answer that is neither a success nor "later" ends the run."""
        while True:
            answer = await ask()
            if answer.status_code not in _LATER:
                self.told[f"{what}: {answer.status_code}"] += 1
                return answer.raise_for_status()
            see(answer.headers.get("retry-after", "").isdecimal(), "somebody was sent away, and not told until when")
            self.told[f"{what}: later"] += 1
            # Somewhat later than told, each by another bit, or all would be back at the same moment.
            await asyncio.sleep(int(answer.headers["retry-after"]) * random.uniform(0.5, 1.5))  # noqa: S311

    async def inspect(self, number: int, film: bytes) -> None:
        """Upload a film to see what is in it."""
        client = self.clients[number % VISITORS]
        await self.asked("upload", lambda: client.post("/api/v1/inspect", files={"file": ("film.mp4", film)}))

    async def submit(self, number: int, film: bytes) -> tuple[int, str]:
        """Have a film dubbed, and return the visitor's number and the job's id."""
        client, form = self.clients[number % VISITORS], {"target_language": "es"}
        answer = await self.asked(
            "job", lambda: client.post("/api/v1/jobs", files={"file": ("film.mp4", film)}, data=form)
        )
        return number % VISITORS, str(answer.json()["id"])

    async def follow_events(self, visitor: int, job_id: str) -> str:
        """Follow a job by server-sent events, and return the last state."""
        state = ""
        while state not in ("done", "failed", "cancelled"):
            with suppress(httpx.TransportError):
                async with self.clients[visitor].stream("GET", f"/api/v1/jobs/{job_id}/events") as stream:
                    if stream.status_code in _LATER:
                        await asyncio.sleep(int(stream.headers["retry-after"]))
                        continue
                    async for line in stream.aiter_lines():
                        if line.startswith("data:"):
                            state = json.loads(line[5:])["state"]
        self.told[f"events: {state}"] += 1
        return state

    async def follow_socket(self, visitor: int, job_id: str) -> str:
        """Follow a job by WebSocket, and return the last state."""
        state, route = "", f"{self.url.replace('http', 'ws', 1)}/api/v1/jobs/{job_id}/ws"
        while state not in ("done", "failed", "cancelled"):
            try:
                async with connect(route, local_addr=(address(visitor), 0), open_timeout=60) as stream:
                    async for message in stream:
                        state = json.loads(message)["state"]
            except InvalidStatus as refused:
                see(refused.response.status_code in _LATER, f"a web socket got {refused.response.status_code}")
                await asyncio.sleep(int(refused.response.headers["retry-after"]))
            except (ConnectionClosed, OSError):
                await asyncio.sleep(_POLL_SECONDS)
        self.told[f"socket: {state}"] += 1
        return state


def see(holds: bool, otherwise: str) -> None:
    """End the run where something does not hold."""
    if not holds:
        raise RuntimeError(otherwise)


def address(visitor: int) -> str:
    """Return the address that a visitor comes from."""
    return f"127.0.1.{visitor + 1}"


@contextmanager
def server(folder: Path, jobs: int) -> Iterator[tuple[str, psutil.Process]]:
    """Run a server whose queue takes all the jobs, and yield its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    own = {"HOST": "127.0.0.1", "PORT": str(port), "VT_DATA_DIR": f"{folder}/data", "VT_LOG_FILE": f"{folder}/app.log"}
    own |= {"VT_ENGINES": "embedded", "VT_QUEUE_SIZE": str(2 * jobs), "VT_VISITOR_JOBS": str(2 * jobs)}
    process = subprocess.Popen(
        [sys.executable, "app.py"],
        env={**os.environ, **own},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while not _is_ready(url):
            see(process.poll() is None, "the server ended by itself")
            time.sleep(_POLL_SECONDS)
        yield url, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _is_ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/ready", timeout=10.0).status_code == 200
    return False


def film() -> bytes:
    """Return a short film of about a megabyte."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "film.mp4")
        argv = ["ffmpeg", "-v", "error", "-t", "6", "-i", str(SAMPLE), "-c:a", "copy", "-c:v", "libx264"]
        subprocess.run([*argv, "-preset", "ultrafast", "-b:v", "1200k", str(path)], check=True)
        made = path.read_bytes()
    return made + bytes(max(0, FILM_BYTES - len(made)))  # a player skips what follows the film


async def ask_health(url: str, stop: asyncio.Event) -> list[float]:
    """Ask for /health at a fixed rate until `stop`, whether or not answers come; return each one's milliseconds."""
    took: list[float] = []

    async def ask(client: httpx.AsyncClient) -> None:
        began = time.monotonic()
        (await client.get("/health")).raise_for_status()
        took.append((time.monotonic() - began) * 1000)

    transport = httpx.AsyncHTTPTransport(local_address="127.0.0.1", limits=httpx.Limits(max_connections=None))
    async with (
        httpx.AsyncClient(base_url=url, timeout=60.0, transport=transport) as client,
        asyncio.TaskGroup() as group,
    ):
        began = time.monotonic()
        for number in itertools.count():
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            if stop.is_set():
                return took
            group.create_task(ask(client))
    return took


@contextmanager
def health_asked(url: str) -> Iterator[list[float]]:
    """Ask for /health in a process of its own, which the crowd's work does not hold up; fill in the answers' times."""
    argv = [sys.executable, "-m", "benchmarks.load", "--ask", url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as asker:
        took: list[float] = []
        yield took
        told, _ = asker.communicate(b"\n")
        took += json.loads(told)


async def _asker(url: str) -> None:
    stop = asyncio.Event()
    asking = asyncio.create_task(ask_health(url, stop))
    await asyncio.to_thread(sys.stdin.readline)
    stop.set()
    print(json.dumps(await asking))


async def besiege(url: str, content: bytes, uploads: int, jobs: int, followers: int) -> Counter[str]:
    """Have the crowd upload, submit and follow, until every job has ended and is removed."""
    crowd = Crowd(url)
    try:
        coming = [asyncio.create_task(crowd.inspect(number, content)) for number in range(uploads)]
        made = await asyncio.gather(*(crowd.submit(number, content) for number in range(jobs)))
        chosen = [made[number % len(made)] for number in range(followers)]
        following = [follow(*job) for job in chosen for follow in (crowd.follow_events, crowd.follow_socket)]
        states = await asyncio.gather(*following)
        await asyncio.gather(*coming)
        see(set(states) == {"done"}, f"jobs ended otherwise than done: {Counter(states)}")
        for visitor, job_id in made:
            job = (await crowd.clients[visitor].get(f"/api/v1/jobs/{job_id}")).raise_for_status().json()
            see(job["state"] == "done", f"a job is {job['state']}")
            (await crowd.clients[visitor].get(f"/api/v1/jobs/{job_id}/video")).raise_for_status()
            (await crowd.clients[visitor].delete(f"/api/v1/jobs/{job_id}")).raise_for_status()
    finally:
        await crowd.close()
    return crowd.told


def at_rest(process: psutil.Process) -> tuple[int, int]:
    """Return the resident bytes and the open descriptors of a server that has nothing to do."""
    time.sleep(15.0)
    return int(process.memory_info().rss), int(process.num_fds())


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, count in (("uploads", 200), ("jobs", 80), ("followers", 300)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.ask:
        asyncio.run(_asker(arguments.ask))
        return
    content = film()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), arguments.jobs) as (url, process):
        asyncio.run(besiege(url, content, 8, 4, 8))
        bytes_warm, _ = at_rest(process)
        # What a first crowd leaves, Python keeps for the next one: a leak is what a second one adds to that.
        asyncio.run(besiege(url, content, arguments.uploads, max(1, arguments.jobs // 8), arguments.followers))
        bytes_before, open_before = at_rest(process)
        began = time.monotonic()
        with health_asked(url) as took:
            told = asyncio.run(besiege(url, content, arguments.uploads, arguments.jobs, arguments.followers))
        bytes_after, open_after = at_rest(process)
        kept = [path.name for path in Path(folder, "data", "jobs").iterdir()]
    print(f"{time.monotonic() - began:.0f} s; " + ", ".join(f"{what} {count}" for what, count in sorted(told.items())))
    hundredths = statistics.quantiles(took, n=100)
    print(f"/health: {len(took)} answers, median {statistics.median(took):.2f} ms, most {max(took):.1f} ms")
    print(f"a first crowd leaves {(bytes_before - bytes_warm) / 2**20:.0f} MB of {bytes_warm / 2**20:.0f} MB")
    tell("/health, p99", hundredths[98], "ms", floor=_FLOOR_MS, goal=_GOAL_MS)
    tell("memory kept of what it was before", 100 * (bytes_after / bytes_before - 1), "%", floor=100 * _MEMORY_SHARE)
    tell("descriptors left open", open_after - open_before, floor=0)
    tell("folders left of jobs", len(kept), floor=0)


if __name__ == "__main__":
    main()
