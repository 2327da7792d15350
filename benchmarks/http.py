"""How soon a server listens and ends, and how long /health takes at 50 requests a second, whatever it is busy with.

Run: .venv/bin/python -m benchmarks.http [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from benchmarks.results import tell

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"
RATE = 50.0
_PAUSE_SECONDS = 2.0  # between two loads of all models
_POLL_SECONDS = 0.2  # for the end of a job
_DUBS = 2
# The server as it is, but for a thread that hears the sample over and over, as a job would.
HEARING = """
import threading
import app
from vt import server
from vt import media
from vt.domain import Cancel
import pathlib

def hear():
    info = media.probe(pathlib.Path("samples/sense_and_sensibility.mp4"))
    samples = media.extract(info, info.audio[0], app.made.settings.data_folder / "speech.pcm")
    while True:
        for _ in app.made.services.factory.get_stt_service().transcribe(samples, Cancel()):
            pass

threading.Thread(target=hear, daemon=True).start()
raise SystemExit(server.serve(app.made))
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server(*argv: str, ended: list[float] | None = None) -> Iterator[tuple[str, float]]:
    """Run a server, and yield its address and the seconds until it listened; those until it ended go into `ended`."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        own = {"HOST": "127.0.0.1", "PORT": str(port), "VT_DATA_DIR": folder, "VT_LOG_FILE": f"{folder}/app.log"}
        own |= {"VT_ENGINES": "embedded", "PRELOAD_MODELS": "true", "VT_JOBS_AT_ONCE": str(_DUBS)}
        environment = {**os.environ, **own}
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, *argv], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while not _listens(port):
                if process.poll() is not None:
                    sys.exit("The server ended by itself.")
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", time.monotonic() - began
        finally:
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            if ended is not None:
                ended.append(time.monotonic() - began)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


async def load(url: str, seconds: float) -> list[float]:
    """Ask for /health at a fixed rate, whether or not answers have come, and return the milliseconds of each."""
    took: list[float] = []

    async def ask(client: httpx.AsyncClient) -> None:
        began = time.monotonic()
        (await client.get("/health")).raise_for_status()
        took.append((time.monotonic() - began) * 1000)

    async with httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        await client.get("/health")
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * RATE)):
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                group.create_task(ask(client))
    return took


async def reloading(url: str, seconds: float) -> list[float]:
    """Return the same while the models are freed and loaded over and over."""
    asked = asyncio.create_task(load(url, seconds))
    async with httpx.AsyncClient(base_url=url, timeout=60.0) as client:
        while not asked.done():
            await client.delete("/api/v1/models/cache")
            await client.post("/api/v1/models/preload")
            await asyncio.sleep(_PAUSE_SECONDS)
    return await asked


async def dubbing(url: str, seconds: float) -> tuple[list[float], int]:
    """Return the same while two films are dubbed at a time, and how many dubs came to their end."""
    asked = asyncio.create_task(load(url, seconds))
    done = 0

    async def dub(client: httpx.AsyncClient) -> None:
        nonlocal done
        while not asked.done():
            with SAMPLE.open("rb") as film:
                form = {"target_language": "es"}
                job = (await client.post("/api/v1/jobs", files={"file": film}, data=form)).raise_for_status().json()
            while job["state"] in ("queued", "running") and not asked.done():
                await asyncio.sleep(_POLL_SECONDS)
                job = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
            done += job["state"] == "done"
            await client.delete(f"/api/v1/jobs/{job['id']}")

    async with httpx.AsyncClient(base_url=url, timeout=60.0) as client:
        await asyncio.gather(*(dub(client) for _ in range(_DUBS)))
    return await asked, done


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    starts, ends = [], list[float]()
    for _ in range(3):
        with server("app.py", ended=ends) as (_, took):
            starts.append(took)
    tell("listens after", starts, "s", floor=5, goal=4)
    with server("app.py") as (url, _):
        time.sleep(3.0)
        cases = {"idle": asyncio.run(load(url, seconds)), "loading models": asyncio.run(reloading(url, seconds))}
    with server("app.py", ended=ends) as (url, _):
        time.sleep(3.0)
        cases["two dubs"], dubs = asyncio.run(dubbing(url, seconds))
    print(f"{dubs} dubs in {seconds:g} s")
    tell("ends after", ends, "s", floor=5, goal=2)
    with server("-c", HEARING) as (url, _):
        time.sleep(5.0)
        cases["hearing a film"] = asyncio.run(load(url, seconds))
    for name, answers in cases.items():
        hundredths = statistics.quantiles(answers, n=100)
        print(f"{name:34} median {statistics.median(answers):.2f} ms, {len(answers)} answers in {max(answers):.1f} ms")
        tell(f"/health, {name}: p99", hundredths[98], "ms", floor=50, goal=20)


if __name__ == "__main__":
    main()
