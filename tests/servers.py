"""The real server, as a process of its own: started, found by the port that it chose, and ended by a signal."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.forked import Forked, is_possible

ROOT = Path(__file__).parent.parent
BUNDLED = "tiny.en"
FASTER = {"VT_WHISPER_MODEL": BUNDLED, "VT_TRANSLATION_ENGINE": "apertium", "VT_TTS_ENGINE": "espeak-ng"}
"""The fastest of the engines that need no download."""
"""The lesser of the bundled recognisers, for it is the faster one."""
APP = (sys.executable, "app.py")
UVICORN = (sys.executable, "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "0")
_PATIENCE_SECONDS = 180.0
"""Of all waits: only a server that hangs takes so long."""
_POLL_SECONDS = 0.05
_NO_AUTHORITIES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP: to load the authorities of the web takes ten times the processor time of a request."""
_ADDRESS = re.compile(r"(?:listening|running) on (http://127\.0\.0\.1:[1-9]\d*)")


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes] | Forked
    folder: Path
    """Holds its data folder, its log and what it said."""
    url: str

    @property
    def log(self) -> str:
        return (self.folder / "app.log").read_text(encoding="utf-8")

    @property
    def said(self) -> str:
        """All that it wrote to stdout and stderr."""
        return said(self.folder)

    @property
    def resident_bytes(self) -> int:
        """The memory of its process that is in RAM."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def ask(self, method: str, route: str, **more: Any) -> httpx.Response:  # noqa: ANN401 (httpx's own options)
        """Ask for a route as a script does, with a patient client."""
        headers = {"Accept": "application/json", **more.pop("headers", {})}
        known: Any = {"headers": headers, "timeout": _PATIENCE_SECONDS, "verify": _NO_AUTHORITIES, **more}
        return httpx.request(method, self.url + route, **known)

    def json(self, method: str, route: str, **more: Any) -> Any:  # noqa: ANN401
        """Ask for a route, and return what its JSON says; its status is a success."""
        return self.ask(method, route, **more).raise_for_status().json()

    def keys(self) -> list[str]:
        """Return the cache keys of the models in memory."""
        return [model["cache_key"] for model in self.json("GET", "/api/v1/models")["model_cache"]["models"]]

    def preloaded(self) -> list[dict[str, Any]]:
        """Wait until no preload runs, and return the models of the last one."""

        def states() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.ask("GET", "/ready").json()["models"]
            return found

        wait_for(lambda: all(model["state"] in ("ready", "failed") for model in states()))
        return states()

    def warm(self) -> str:
        """Have the bundled Whisper in memory, and return its key."""
        self.json("POST", "/api/v1/models/preload", json={"models": [BUNDLED]})
        (model,) = self.preloaded()
        assert model["state"] == "ready", model
        return str(model["cache_key"])

    def submit(self, film: Path, **fields: str) -> str:
        """Have a film dubbed, and return the id of the job."""
        with film.open("rb") as stream:
            job = self.json("POST", "/api/v1/jobs", files={"file": (film.name, stream)}, data=fields)
        return str(job["id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """Wait until a job is over, and return it."""
        found: dict[str, Any] = {}

        def is_over() -> bool:
            found.update(self.json("GET", f"/api/v1/jobs/{job_id}"))
            return found["state"] in ("done", "failed", "cancelled")

        wait_for(is_over)
        return found

    def end(self, how: signal.Signals = signal.SIGTERM) -> float:
        """End it by a signal, and return the seconds that it took; it ended by itself."""
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(_PATIENCE_SECONDS)
        return time.monotonic() - began


def said(folder: Path) -> str:
    """Return what a server in `folder` wrote to stdout and stderr."""
    return (folder / "console.txt").read_text(encoding="utf-8")


def wait_for(met: Callable[[], object]) -> None:
    """Wait until a condition is met, and fail where that never comes."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < until, "what was waited for has not come"
        time.sleep(_POLL_SECONDS)


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a server that works in `folder` alone, on a free port, and loads nothing by itself."""
    own = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "VT_ENGINES": "embedded",
        "VT_DATA_DIR": str(folder / "data"),
        "VT_LOG_FILE": str(folder / "app.log"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "PRELOAD_MODELS": "false",
    }
    return {**os.environ, **with_the_faster({**own, **settings})}


def with_the_faster(environment: dict[str, str]) -> dict[str, str]:
    """Add to an environment without downloads that it hears, translates and speaks with what is fastest."""
    return {**FASTER, **environment} if environment["VT_ENGINES"] == "embedded" else environment


def start(folder: Path, argv: Sequence[str] = APP, **settings: str) -> subprocess.Popen[bytes]:
    """Start a server, or what ought to be one."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "console.txt").open("wb") as console:
        return subprocess.Popen(
            argv,
            cwd=ROOT,
            env=environment(folder, **settings),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, argv: Sequence[str] | None = None, **settings: str) -> Iterator[Server]:
    """Run a server until the block ends, then end it as an operator does.

    Args:
        folder: in which it works.
        argv: starts it, in a process of its own; None: it is app.py.
        settings: of it.
    """
    process = start(folder, argv, **settings) if argv else start_app(folder, **settings)
    try:
        port = settings.get("PORT")
        url = f"http://127.0.0.1:{port}" if port else _address(process, folder)
        server = Server(process, folder, url)
        wait_for(lambda: _answers(server))
        yield server
        if process.poll() is None:
            server.end()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def start_app(folder: Path, **settings: str) -> subprocess.Popen[bytes] | Forked:
    """Start app.py, in a process that need not import the libraries where that is the same."""
    if not is_possible(settings):
        return start(folder, **settings)
    console = folder / "console.txt"
    return Forked(["app.py"], ROOT, environment(folder, **settings), console, console)


def _address(process: subprocess.Popen[bytes] | Forked, folder: Path) -> str:
    wait_for(lambda: _ADDRESS.search(said(folder)) or process.poll() is not None)
    found = _ADDRESS.search(said(folder))
    assert found, f"the server ended by itself with {process.poll()}: {said(folder)}"
    return found[1]


def _answers(server: Server) -> bool:
    try:
        return server.ask("GET", "/health").status_code in (200, 503)
    except httpx.TransportError:
        assert server.process.poll() is None, server.said
        return False
