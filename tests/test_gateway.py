"""Every door that Gradio opens, tried as a stranger would: no way leads to a file that was not given to him."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, urlsplit

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from gradio.context import LocalContext
from gradio.exceptions import InvalidPathError
from gradio.processing_utils import move_files_to_cache
from starlette.routing import Mount

from tests.servers import Server, running, wait_for
from tests.test_jobs import Desk
from vt.domain import Edit, Edits, SpeakerEdit
from vt.errors import InputError, TooManyRequests, UploadGone
from vt.factory import AIServiceFactory
from vt.services import Services
from vt.settings import Settings
from vt.ui.edits import edits_from
from vt.ui.gateway import uploads
from vt.ui.gateway.file_routes import Intake
from vt.ui.gateway.results import Results
from vt.ui.gateway.uploads import COOKIE, TAKEN_SECONDS, Owner
from vt.ui.page import make_page
from vt.web.visitors import ConcurrencyLimit

NOTE = "the canary sings at noon"
PATIENCE = 60.0
UPLOAD_PROGRESS = "/gradio_api/upload_progress?upload_id=a"
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
    assert found == OPEN | SHUT, "somebody has to decide on each new route: vt/ui/gateway/routes.py, and here"


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


@pytest.mark.parametrize("share", [5, pytest.param(1, marks=pytest.mark.soak)])
def test_no_function_of_the_page_touches_a_file_that_is_not_the_callers_own(
    guarded: Server, foreign: dict[str, str], asked: tuple[str, list[bytes]], share: int
) -> None:
    before = copies(guarded)
    with stranger(guarded) as me:
        for number, function in enumerate(functions(guarded)):
            for what, path in list(foreign.items())[number % share :: share]:
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


NESTED: Any = []
for _ in range(20):
    NESTED = {"deeper": [NESTED]}
WRONG: list[Any] = [
    None, True, 7, -1, 2**53, 1e300, "", "x" * 5_000, "\ud800", [], [None, 7], {}, {"path": 7}, {"url": "http://x/"},
    {"path": None, "meta": 3}, {"jobs": [7], "view": []}, {"jobs": ["a" * 26], "view": "a" * 26},
    {"name": 7, "seconds": "x", "tracks": 3}, {"name": "x", "seconds": -1e300, "job_id": "a" * 26},
    {"version": "x", "lines": 7}, {"version": 1, "lines": [7, {"id": []}]}, {"job": {}, "file": 7, "megabytes": "x"},
    NESTED,
]  # fmt: skip


@pytest.mark.soak
def test_what_is_of_a_wrong_type_is_refused_in_a_sentence_and_nothing_fails(guarded: Server) -> None:
    with stranger(guarded) as me:
        for function in functions(guarded):
            for value in WRONG:
                answer = me.run(function["id"], [value] * len(function["inputs"]), value)
                assert answer.status_code in (200, 404, 413, 422), (function["api_name"], value, answer.text)
                assert answer.status_code == 200 or answer.json()["error"], (function["api_name"], value)
                if function["api_visibility"] == "public":
                    body = {"data": [value] * len(function["inputs"])}
                    heard = me.heard(me.post(f"call/{function['api_name']}", body))
                    assert '"error": null' not in heard, (function["api_name"], value, heard)
            for count in (0, len(function["inputs"]) + 1, 50):
                if count != len(function["inputs"]):
                    assert me.run(function["id"], [None] * count).status_code in (200, 404, 422)
        assert guarded.ask("GET", "/health").status_code == 200
    assert "Traceback" not in guarded.said
    assert "unexpected error" not in guarded.log


def raw(stranger: Stranger, body: bytes, **headers: str) -> int:
    """Send a call as it is, and return the status that it is refused with; the refusal says why."""
    answer = stranger.client.post("/gradio_api/run/predict", content=body, headers={**JSON, **headers})
    assert answer.json()["error" if answer.status_code != 413 else "detail"]
    return answer.status_code


def test_a_body_that_is_no_call_is_refused_before_gradio_sees_it(guarded: Server) -> None:
    single = next(known["id"] for known in functions(guarded) if len(known["inputs"]) == 1)
    call = b'{"fn_index": %d, "session_hash": "a", "data": [%%s]}' % single
    with stranger(guarded) as me:
        assert raw(me, b"no json") == 400
        assert raw(me, b"\xff\xfe") == 400
        assert raw(me, b"[]") == 422
        assert raw(me, call % (b"[" * 20_000 + b"]" * 20_000)) == 422
        assert raw(me, call % (b"[" * 40 + b"]" * 40)) == 422
        assert raw(me, call % b"NaN") == 422
        assert raw(me, call % b"1e999") == 422
        assert raw(me, call % (b"9" * 5000)) == 422
        assert raw(me, call % b'"x"', **{"Content-Type": "text/plain"}) == 415
        assert raw(me, call % (b'"' + b"x" * 200_000 + b'"')) == 413
        assert raw(me, call % (b'"' + b"x" * 3_000_000 + b'"')) == 413
        assert raw(me, b'{"fn_index": 999, "data": []}') == 404
        assert raw(me, b'{"fn_index": "0", "data": []}') == 404
        for session in (b'"../x"', b'"%s"' % (b"x" * 65), b"7", b"[]"):
            assert raw(me, b'{"fn_index": %d, "data": [null], "session_hash": %s}' % (single, session)) == 422
        for route in ("heartbeat/" + "x" * 65, "queue/data?session_hash=unknown", "queue/data", "call/health/unknown"):
            assert me.client.get(f"/gradio_api/{route}").status_code == 404
        assert me.post("cancel", {"session_hash": [], "event_id": 7, "fn_index": "x"}).status_code == 422
        assert guarded.ask("GET", "/health").status_code == 200
    assert "Traceback" not in guarded.said


def test_the_pages_own_functions_are_called_from_the_page_alone(guarded: Server) -> None:
    private = next(known for known in functions(guarded) if known["api_visibility"] == "private")
    with stranger(guarded) as me:
        joined = {"data": [None], "fn_index": private["id"], "session_hash": "a"}
        assert me.post("queue/join", joined).status_code == 404
        assert me.post(f"call/{private['api_name']}", {"data": [None]}).status_code == 404
        assert me.post("run/translate", {"data": [None] * 5}).status_code == 404


def test_no_other_sites_page_may_read_what_gradio_answers(tmp_path: Path) -> None:
    # At this machine's own names Gradio is strict by itself.
    asked = {"Origin": "https://elsewhere.example", "Host": "vt.example"}
    with running(tmp_path, VT_ALLOWED_HOSTS="vt.example") as server:
        answer = server.ask("GET", "/config", headers=asked).raise_for_status()
    assert not [name for name in answer.headers if name.startswith("access-control-allow")]


# Uploads


def test_an_upload_is_its_visitors_alone_and_outlives_the_address_where_there_is_a_cookie(guarded: Server) -> None:
    with stranger(guarded) as me, stranger(guarded, "127.0.0.2") as other:
        plain = me.upload("plain.txt", b"plain")
        assert (me.file(plain).content, other.file(plain).status_code) == (b"plain", 404)
        assert me.file(plain).headers["content-disposition"].startswith("attachment")
    with stranger(guarded, cookie="a" * 32) as home, stranger(guarded, "127.0.0.2", "a" * 32) as away:
        film = home.upload("film.mp4", b"film")
        assert away.file(film).headers["content-type"] == "video/mp4"
    with stranger(guarded) as neighbour, stranger(guarded, cookie="b" * 32) as another:
        assert (neighbour.file(film).status_code, another.file(film).status_code) == (404, 404)


def test_the_page_gives_each_browser_a_cookie_that_scripts_cannot_read(guarded: Server) -> None:
    page = guarded.ask("GET", "/", headers={"Accept": "text/html"})
    assert re.fullmatch(rf"{COOKIE}=[0-9a-f]{{32}}; Path=/; HttpOnly; SameSite=Lax", page.headers["set-cookie"])
    again = guarded.ask("GET", "/", headers={"Accept": "text/html", "Cookie": f"{COOKIE}={'a' * 32}"})
    assert "set-cookie" not in again.headers


def test_an_upload_that_breaks_off_or_is_refused_leaves_nothing(guarded: Server) -> None:
    folder = guarded.folder / "gradio"
    before = set(folder.iterdir())
    address = urlsplit(guarded.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="half.mp4"\r\n\r\n' + bytes(100_000)
        )
        wait_for(lambda: set(folder.iterdir()) > before)
    wait_for(lambda: set(folder.iterdir()) == before)
    with stranger(guarded) as me:
        for files in ({"other": ("x", b"x")}, [("files", ("x", b"x"))] * 9):
            assert me.client.post("/gradio_api/upload", files=files).status_code == 400
        assert me.client.post("/gradio_api/upload", json={}).status_code == 400
    assert set(folder.iterdir()) == before


def test_a_call_leaves_no_empty_file_behind(guarded: Server) -> None:
    with stranger(guarded) as me:
        mine = named(me.upload())
        look = next(known for known in functions(guarded) if known["api_name"] == "_look")
        before = set((guarded.folder / "gradio").iterdir())
        assert "not a video" in me.run(look["id"], [[mine], None, None]).text
    assert set((guarded.folder / "gradio").iterdir()) == before


def test_the_progress_of_an_upload_is_told(guarded: Server) -> None:
    with stranger(guarded) as me, ThreadPoolExecutor(1) as others:
        sent = threading.Event()

        def slow() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="slow.mp4"\r\n\r\n' + bytes(70_000)
            sent.wait(PATIENCE)
            yield b"\r\n--x--\r\n"

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        upload = others.submit(me.client.post, "/gradio_api/upload?upload_id=a", content=slow(), headers=kind)
        told = []
        with stranger(guarded) as listener, listener.client.stream("GET", UPLOAD_PROGRESS) as stream:
            for line in filter(None, stream.iter_lines()):
                told.append(json.loads(line.removeprefix("data: ")))
                sent.set()
        assert upload.result().status_code == 200
    assert (told[0]["msg"], told[0]["orig_name"], told[-1]) == ("update", "slow.mp4", {"msg": "done"})
    assert guarded.ask("GET", "/gradio_api/upload_progress?upload_id=b").status_code == 404


def test_the_whole_request_is_held_to_the_limit_and_what_waits_of_one_visitor_too(tmp_path: Path) -> None:
    half = bytes(600_000)
    with running(tmp_path, VT_MAX_UPLOAD_MB="1") as server, stranger(server) as me:
        both = me.client.post("/gradio_api/upload", files=[("files", ("a.mp4", half)), ("files", ("b.mp4", half))])
        assert both.status_code == 413
        assert not list((tmp_path / "gradio").glob("*"))
        statuses = [me.client.post("/gradio_api/upload", files={"files": half}).status_code for _ in range(8)]
        assert statuses == [200] * 7 + [429]
        with stranger(server, "127.0.0.2") as other:
            theirs = other.upload()
        server.end()
        with running(tmp_path, PORT=str(urlsplit(server.url).port)) as again, stranger(again, "127.0.0.2") as other:
            assert other.file(theirs).content == b"mine"


class Disk:
    """The jobs of a server, its page's uploads, and a disk that fills as somebody wants."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder / "data", max_upload_mb=1)
        self.limit = ConcurrencyLimit("uploads", each=1, total=1)
        services = cast(Services, SimpleNamespace(jobs=self.desk.jobs, uploads=self.limit))
        self._app = FastAPI()
        self._app.include_router(Intake(services).routes())

    async def upload(self, content: AsyncIterator[bytes] | bytes) -> httpx.Response:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url="http://vt") as client:
            return await client.post("/gradio_api/upload", content=content, headers=kind)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))  # from there alone Gradio takes it
    made = Disk(tmp_path)
    yield made
    made.desk.close()


HEAD = b'--x\r\nContent-Disposition: form-data; name="files"; filename="film.mp4"\r\n\r\n'
END = b"\r\n--x--\r\n"


def test_an_upload_leaves_the_reserve_of_the_disk_alone_also_when_others_fill_it_meanwhile(
    disk: Disk, tmp_path: Path
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield HEAD + bytes(100_000)
        assert list((tmp_path / "uploads").glob("*/film.mp4"))
        disk.desk.free = 200 * 2**20 - 1
        yield bytes(100_000) + END

    answer = asyncio.run(disk.upload(body()))
    assert answer.status_code == 507
    assert "no room" in answer.text
    assert not list((tmp_path / "uploads").iterdir())
    assert asyncio.run(disk.upload(HEAD + END)).status_code == 507
    disk.desk.free = 10**12
    assert asyncio.run(disk.upload(HEAD + END)).status_code == 200


def waiting(size: int, kind: uploads.Kind = "upload") -> None:
    """Let a file of the visitor's lie among the uploads."""
    with uploads.place("film.mp4", Owner("127.0.0.1"), kind).open("wb") as file:
        file.truncate(size)


def test_an_upload_whose_size_was_not_told_is_counted_while_it_comes(disk: Disk) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield HEAD
        for _ in range(8):
            yield bytes(100_000)
        yield END

    assert asyncio.run(disk.upload(body())).status_code == 200
    waiting(4 * disk.desk.jobs.upload_limit - 1_000_000)
    assert asyncio.run(disk.upload(body())).status_code == 429


def test_small_results_that_are_handed_out_keep_nobody_from_uploading(disk: Disk) -> None:
    for _ in range(410):
        waiting(10, "result")
    assert asyncio.run(disk.upload(HEAD + END)).status_code == 200
    for _ in range(410):
        waiting(10)
    assert asyncio.run(disk.upload(HEAD + END)).status_code == 429


def test_uploads_of_the_page_count_like_all_others(disk: Disk) -> None:
    with disk.limit.held("127.0.0.1"):
        answer = asyncio.run(disk.upload(HEAD + END))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


def test_a_record_of_an_owner_goes_with_its_upload(disk: Disk, tmp_path: Path) -> None:
    del disk
    film = uploads.place("film.mp4", Owner("192.0.2.1"))
    film.write_bytes(b"film")
    uploads.sweep(tmp_path / "uploads", time.time() + TAKEN_SECONDS + 60)
    assert uploads.own(str(film), Owner("192.0.2.1")) == film
    uploads.drop(tmp_path / "uploads", film)
    uploads.sweep(tmp_path / "uploads", time.time() + TAKEN_SECONDS - 60)
    assert film.parent.exists()
    uploads.sweep(tmp_path / "uploads", time.time() + TAKEN_SECONDS + 60)
    assert not film.parent.exists()
    with pytest.raises(UploadGone):
        uploads.own(str(film), Owner("192.0.2.1"))


@pytest.mark.usefixtures("disk")
def test_an_upload_in_whose_middle_the_server_was_killed_goes_soon_and_one_that_has_arrived_does_not(
    tmp_path: Path,
) -> None:
    half, whole = (uploads.place("film.mp4", Owner("192.0.2.1"), "coming") for _ in range(2))
    for film in (half, whole):
        film.write_bytes(b"film")
    uploads.arrived([whole])
    uploads.sweep(tmp_path / "uploads", time.time() + 60)
    assert half.exists()
    uploads.sweep(tmp_path / "uploads", time.time() + 400)
    assert not half.parent.exists()
    assert uploads.own(whole, Owner("192.0.2.1")) == whole


@pytest.mark.usefixtures("disk")
def test_gradio_itself_takes_no_file_that_was_not_uploaded(canary: Path) -> None:
    async def page(factory: AIServiceFactory) -> gr.Blocks:  # within an event loop: else Gradio leaves one open
        return make_page(Services(Settings(), factory))

    with closing(AIServiceFactory(Settings())) as factory:
        LocalContext.blocks.set(asyncio.run(page(factory)))
    sent = {"path": str(canary), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(InvalidPathError):
        move_files_to_cache(sent, gr.File(), check_in_upload_folder=True)


# Results that nobody fetches


@pytest.mark.soak
def test_who_fetches_no_results_makes_no_more_calls_and_who_fetches_them_does(tmp_path: Path) -> None:
    with running(tmp_path) as server, stranger(server) as me, stranger(server, "127.0.0.2") as other:
        answers = [me.post("call/languages", {"data": []}) for _ in range(34)]
        assert [answer.status_code for answer in answers] == [200] * 32 + [429] * 2
        assert "fetch their results" in answers[-1].json()["error"]
        assert other.post("call/languages", {"data": []}).status_code == 200
        assert "Spanish" in me.heard(answers[0])
        assert me.post("call/languages", {"data": []}).status_code == 200


class Heap:
    """What Gradio's queue keeps of calls, with a clock of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cleaned: list[str] = []
        self.queue = SimpleNamespace(
            pending_messages_per_session={},
            pending_event_ids_session={},
            event_ids_to_events={},
            clean_events=self.clean,
        )
        self.results = Results(cast(gr.Blocks, SimpleNamespace(_queue=self.queue)), lambda: self.now)

    async def clean(self, *, event_id: str) -> None:
        self.cleaned.append(event_id)

    def call(self, session: str, event: str, visitor: str = "192.0.2.1") -> SimpleNamespace:
        made = SimpleNamespace(alive=True)
        with self.results.joined(session, visitor):
            self.queue.pending_messages_per_session.setdefault(session, asyncio.Queue())
            self.queue.pending_event_ids_session.setdefault(session, set()).add(event)
            self.queue.event_ids_to_events[event] = made
        return made

    @property
    def sessions(self) -> set[str]:
        return {*self.queue.pending_messages_per_session, *self.queue.pending_event_ids_session}


def test_results_that_nobody_fetches_go_after_a_while_and_their_calls_end() -> None:
    heap = Heap()
    left = heap.call("left", "a")
    heap.call("heard", "b")
    with heap.results.heard("heard"):
        heap.now = 119.0
        asyncio.run(heap.results.sweep())
        assert heap.sessions == {"left", "heard"}
        heap.now = 120.0
        asyncio.run(heap.results.sweep())
        assert (heap.sessions, heap.cleaned, left.alive) == ({"heard"}, ["a"], False)
        heap.queue.pending_event_ids_session["heard"].clear()
    assert not heap.sessions


def test_all_visitors_together_leave_no_more_results_than_there_is_room_for() -> None:
    heap = Heap()
    for number in range(256):
        heap.call(f"s{number}", f"e{number}", f"192.0.2.{number}")
    with pytest.raises(TooManyRequests, match="This server has too many calls"):
        heap.call("more", "more", "198.51.100.1")


def test_a_session_whose_messages_nobody_takes_gets_no_more() -> None:
    heap = Heap()
    heap.call("full", "a")
    for _ in range(1000):
        heap.queue.pending_messages_per_session["full"].put_nowait("told")
    with pytest.raises(TooManyRequests, match="listen to its results"):
        heap.results.check_backlog("full")


@pytest.mark.parametrize("text", [7, ["hi"], {"text": "hi"}, True])
def test_a_line_that_is_no_text_is_no_line(text: object) -> None:
    with pytest.raises(InputError, match="have to be lists such as"):
        edits_from([{"id": 0, "text": text}], [])
    with pytest.raises(InputError, match="have to be lists such as"):
        edits_from([], [{"id": 0, "voice": text}])


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([], "No line and no speaker is to be changed"),
        ([{"id": 0, "speaker": 1}, {"id": 0, "text": "Hola."}], "is there twice"),
        ([{"id": 0, "speaker": True}], "speaker has to be a whole number"),
        ([{"text": "Hola."}], "have to be lists such as"),
        ([{"id": 0, "words": "Hola."}], "have to be lists such as"),
        ([{"id": 0, "start": "1.5"}], "have to be lists such as"),
        (7, "have to be lists such as"),
        ({"id": 0}, "have to be lists such as"),
    ],
)
def test_changes_that_are_none_are_refused_with_a_sentence(lines: object, why: str) -> None:
    with pytest.raises(InputError, match=why):
        edits_from(lines, [])


def test_changes_say_who_speaks_a_line_when_and_what_and_who_a_speaker_is() -> None:
    found = edits_from(
        [{"id": 2, "speaker": 1, "start": 1, "end": None, "text": " Hola. "}], [{"id": 1, "label": "Anna"}]
    )
    assert found == Edits({2: Edit("Hola.", start=1.0, speaker=1)}, {1: SpeakerEdit("Anna")})
