"""Every door that Gradio opens, tried as a stranger would: no way leads to a file that was not given to him."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from tests.servers import Server
from vt.ui.uploads import COOKIE

NOTE = "the canary sings at noon"
PATIENCE = 60.0
OPEN = {
    "GET /", "HEAD /", "GET /config", "GET /theme.css", "GET /favicon.ico", "GET /manifest.json", "GET /robots.txt",
    "GET /assets/{path:path}", "GET /static/{path:path}", "GET /gradio_api/info", "GET /gradio_api/app_id",
    "GET /gradio_api/file={path_or_url:path}", "HEAD /gradio_api/file={path_or_url:path}",
    "GET /gradio_api/upload_progress", "POST /gradio_api/upload", "GET /gradio_api/heartbeat/{session_hash}",
    "POST /gradio_api/run/{api_name}", "POST /gradio_api/call/{api_name}", "GET /gradio_api/call/{api_name}/{event_id}",
    "POST /gradio_api/queue/join", "GET /gradio_api/queue/data", "POST /gradio_api/cancel", "POST /gradio_api/reset",
}  # fmt: skip
"""What the page or gradio_client uses. The files' routes are our own, by Gradio's names."""
SHUT = {
    "GET /openapi.json", "HEAD /openapi.json", "GET /gradio_api/openapi.json", "GET /gradio_api/info/", "GET /config/",
    "POST /login", "POST /login/", "GET /logout", "GET /gradio_api/user", "GET /gradio_api/user/",
    "GET /gradio_api/login_check", "GET /gradio_api/login_check/", "GET /gradio_api/token", "GET /gradio_api/token/",
    "GET /gradio_api/app_id/", "GET /gradio_api/dev/reload", "GET /svelte/{path:path}", "GET /gradio_api/deep_link",
    "GET /gradio_api/runs", "GET /gradio_api/runs/", "POST /gradio_api/run-history/connect",
    "GET /gradio_api/run-history/buckets", "GET /gradio_api/run-history/records",
    "GET /gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
    "GET /gradio_api/custom_component/{id}/{environment}/{type}/{file_name}",
    "HEAD /gradio_api/proxy={url_path:path}", "GET /gradio_api/proxy={url_path:path}",
    "POST /gradio_api/stream/{event_id}", "POST /gradio_api/stream/{event_id}/close",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file", "GET /gradio_api/file/{path:path}",
    "POST /gradio_api/reset/", "POST /gradio_api/run/{api_name}/", "POST /gradio_api/api/{api_name}",
    "POST /gradio_api/api/{api_name}/", "POST /gradio_api/call/v2/{api_name}", "POST /gradio_api/call/v2/{api_name}/",
    "POST /gradio_api/call/{api_name}/", "GET /gradio_api/call/v2/{api_name}/{event_id}",
    "POST /gradio_api/component_server", "POST /gradio_api/component_server/", "GET /gradio_api/queue/status",
    "GET /gradio_api/startup-events", "GET /gradio_api/theme.css", "GET /pwa_icon", "GET /pwa_icon/{size}",
    "GET /monitoring", "GET /monitoring/summary", "GET /monitoring/{key}", "POST /gradio_api/process_recording",
    "POST /gradio_api/vibe-edit/", "POST /gradio_api/vibe-edit", "POST /gradio_api/undo-vibe-edit/",
    "POST /gradio_api/undo-vibe-edit", "GET /gradio_api/vibe-code/", "GET /gradio_api/vibe-code",
    "POST /gradio_api/vibe-code/", "POST /gradio_api/vibe-code", "POST /gradio_api/vibe-starter-queries/",
    "POST /gradio_api/vibe-starter-queries",
}  # fmt: skip


# Routes


def routes_of(routes: list[Any]) -> Iterator[str]:
    """Yield "METHOD /path" for each route, those of routers within too."""
    for route in routes:
        within = getattr(route, "original_router", None) or getattr(route, "router", None)
        if within is not None:
            yield from routes_of(within.routes)
        elif hasattr(route, "methods"):
            yield from (f"{method} {route.path}" for method in route.methods)


def test_every_route_that_gradio_has_is_known_to_be_open_or_shut() -> None:
    async def mounted() -> set[str]:  # within an event loop, for Gradio would make one, and leave it open
        app = FastAPI(openapi_url=None)
        gr.mount_gradio_app(app, gr.Blocks(), path="/", run_history=True)
        (found,) = (route for route in app.routes if isinstance(route, Mount))
        return set(routes_of(found.routes))

    found = asyncio.run(mounted())
    assert "POST /gradio_api/queue/join" in found
    assert found == OPEN | SHUT, "somebody has to decide on each new route: vt/ui/doors.py, and here"


def filled(template: str) -> str:
    """Return a path that a route's template stands for, with a word in each place."""
    return re.sub(r"\{[^}]*\}", "word", template)


@pytest.mark.parametrize("route", sorted(SHUT))
def test_what_is_shut_is_not_found(guarded: Server, route: str) -> None:
    method, path = route.split(" ")
    if path == "/openapi.json":
        pytest.skip("the service has a description of its own there")
    answer = guarded.ask(method, filled(path), json={})
    assert answer.status_code in (404, 405), answer.text


# Calls, as a stranger makes them


@dataclass(frozen=True)
class Stranger:
    """A client at an address of its own, without a cookie."""

    server: Server
    client: httpx.Client

    def upload(self, name: str = "mine.mp4", content: bytes = b"mine") -> str:
        answer = self.client.post("/gradio_api/upload", files={"files": (name, content)})
        (path,) = answer.raise_for_status().json()
        return str(path)

    def run(self, number: int, data: list[Any], event: object = None) -> httpx.Response:
        """Call one of the page's functions by its number."""
        body = {"data": data, "fn_index": number, "event_data": event, "session_hash": "stranger"}
        return self.post("run/predict", body)

    def post(self, route: str, body: object) -> httpx.Response:
        return self.client.post(f"/gradio_api/{route}", content=json.dumps(body), headers=JSON)

    def heard(self, answer: httpx.Response) -> str:
        """Return all that is heard of a call by name that was taken; what was refused says why itself."""
        if answer.status_code != 200:
            return answer.text
        route = f"/gradio_api/{answer.request.url.path.split('/', 2)[2]}/{answer.json()['event_id']}"
        return self.client.get(route).raise_for_status().text

    def file(self, path: str) -> httpx.Response:
        return self.client.get(f"/gradio_api/file={quote(path, safe='')}")


JSON = {"Content-Type": "application/json"}


@contextmanager
def stranger(server: Server, address: str = "127.0.0.1", cookie: str = "") -> Iterator[Stranger]:
    transport = httpx.HTTPTransport(local_address=address)
    cookies = {COOKIE: cookie} if cookie else None
    with httpx.Client(base_url=server.url, transport=transport, timeout=PATIENCE, cookies=cookies) as client:
        yield Stranger(server, client)


def functions(server: Server) -> list[dict[str, Any]]:
    """Return all functions of the page, as its own configuration tells everybody."""
    found: list[dict[str, Any]] = server.json("GET", "/config")["dependencies"]
    return found


def named(path: object) -> dict[str, Any]:
    """Return a path as Gradio names a file."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("nest") / "canary.txt"
    found.write_text(NOTE)
    return found


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[str, list[bytes]]]:
    """A server of whoever wants to know what ours can reach: its address, and all that it is ever asked."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def listen() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    heard.append(b"somebody came")
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/film.mp4", heard
        listening.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def foreign(guarded: Server, canary: Path, asked: tuple[str, list[bytes]]) -> dict[str, str]:
    """Paths that lead somewhere, and to none of which a stranger at 127.0.0.1 has a right."""
    folder = guarded.folder / "gradio"
    with stranger(guarded, "127.0.0.2") as other:
        elsewhere = other.upload("theirs.txt", NOTE.encode())
    with stranger(guarded, cookie="c" * 32) as other:
        neighbours = other.upload("theirs.txt", NOTE.encode())
    with stranger(guarded) as me:
        mine = Path(me.upload())
    link, pipe, room = (mine.parent / name for name in ("link", "pipe", "room"))
    link.symlink_to(canary)
    os.mkfifo(pipe)
    room.mkdir()
    chained = folder / ("d" * 32)
    chained.symlink_to(mine.parent)
    return {
        "a file": str(canary),
        "the environment": "/proc/self/environ",
        "a device": "/dev/zero",
        "the database": str(guarded.folder / "data" / "vt.db"),
        "the log": str(guarded.folder / "app.log"),
        "a folder": str(folder),
        "a folder of an upload": str(mine.parent),
        "a link": str(link),
        "a pipe": str(pipe),
        "a folder in one": str(room),
        "a linked folder": str(chained / mine.name),
        "a record of who owns": str(mine.parent / ".owner"),
        "a way up": f"{mine.parent}/../../../{canary.parent.name}/{canary.name}",
        "a way round": f"{mine.parent}/../{mine.parent.name}/{mine.name}",
        "another visitor's": elsewhere,
        "a neighbour's": neighbours,
        "an address": asked[0],
        "an address of a file": f"file://{canary}",
        "nothing": "",
        "a name that is none": "a\0b",
    }


def copies(server: Server) -> list[Path]:
    """Return the files among the uploads that hold the secret."""
    found = (path for path in (server.folder / "gradio").rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(path for path in found if NOTE.encode() in path.read_bytes())


def test_no_function_of_the_page_touches_a_file_that_is_not_the_callers_own(
    guarded: Server, foreign: dict[str, str], asked: tuple[str, list[bytes]]
) -> None:
    before = copies(guarded)
    with stranger(guarded) as me:
        for function in functions(guarded):
            for what, path in foreign.items():
                values = [named(path), path, [named(path)], {"deep": [{**named(path), "url": asked[0]}]}]
                for value in values[:2] if what != "a file" else values:
                    answer = me.run(function["id"], [value] * len(function["inputs"]), value)
                    assert answer.status_code in (200, 404, 422), (function["api_name"], what, answer.text)
                    assert NOTE not in answer.text, (function["api_name"], what)
                    assert "LANG=" not in answer.text and "PATH=" not in answer.text
            assert guarded.ask("GET", "/health").status_code == 200
        for what, path in foreign.items():
            assert me.file(path).status_code == 404, what
    assert (copies(guarded), asked[1]) == (before, [])


@pytest.mark.parametrize("name", ["translate", "transcribe"])
def test_no_endpoint_takes_a_file_that_is_not_the_callers_own(
    guarded: Server, foreign: dict[str, str], asked: tuple[str, list[bytes]], name: str
) -> None:
    before = copies(guarded)
    (function,) = (known for known in functions(guarded) if known["api_name"] == name)
    with stranger(guarded) as me:
        mine = named(me.upload())
        for what, path in foreign.items():
            for film, subtitles in ((named(path), None), (mine, named(path))):
                data = [film, "es", "auto", subtitles, None] if name == "translate" else [film, "auto", None]
                answer = me.post(f"call/{name}", {"data": data})
                wanted = "no longer here" if film is not mine or name == "translate" else "not a video"
                assert wanted in me.heard(answer), what
            joined = me.post("queue/join", {"data": data, "fn_index": function["id"], "session_hash": f"{name}"})
            assert joined.status_code == 200
            assert 'success":false' in me.client.get(f"/gradio_api/queue/data?session_hash={name}").text
        assert guarded.ask("GET", "/health").status_code == 200
    assert (copies(guarded), asked[1]) == (before, [])
