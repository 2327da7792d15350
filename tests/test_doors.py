"""The web app's smaller doors, without a server: files of jobs, links to share, copies, and what many ask for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import HTMLResponse

from tests.films import ffmpeg, streams
from tests.servers import wait_for
from vt import media
from vt.api.security_headers import SecurityHeaders
from vt.domain import Cancel
from vt.errors import JobNotFound, NoSuchResult, StorageError, TooManyRequests
from vt.jobs.page_copies import PageCopies
from vt.jobs.results import ResultFile
from vt.ui import job_files, shared_pages
from vt.ui.line_routes import LineRoutes
from vt.ui.model_watch import Watch

PATIENCE = 30.0
JOB = "a" * 26


def page_with(**jobs: Callable[..., Any]) -> FastAPI:
    """Return an application with the routes of jobs' files; `jobs` are the methods that it may call."""
    app = FastAPI()
    services: Any = SimpleNamespace(jobs=SimpleNamespace(**jobs))
    app.include_router(job_files.routes(services))
    app.include_router(LineRoutes(services, lambda *_: ()).routes())
    return app


def client_of(app: Any) -> httpx.AsyncClient:  # noqa: ANN401 (an ASGI application)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://vt")


def test_a_file_that_is_removed_at_this_moment_is_said_not_to_be_there_and_none_is_for_search_engines(
    tmp_path: Path,
) -> None:
    there = tmp_path / "talk.mp4"
    there.write_bytes(b"film")
    app = page_with(
        film=lambda _: ResultFile(there, "talk.es.mp4", "video/mp4"),
        original=lambda _: ResultFile(tmp_path / "gone", "talk.mp4", "video/mp4"),
    )

    async def look() -> list[httpx.Response]:
        async with client_of(app) as client:
            return [await client.get(f"/films/{JOB}/{name}") for name in ("dubbed", "original")]

    film, gone = asyncio.run(look())
    assert (film.status_code, film.content, film.headers["x-robots-tag"]) == (200, b"film", "noindex")
    assert (gone.status_code, str(tmp_path) in gone.text) == (404, False)
    assert gone.text.startswith("There is no such job")


def test_pictures_that_take_long_keep_nobody_from_a_film(tmp_path: Path) -> None:
    there = tmp_path / "talk.mp4"
    there.write_bytes(b"film")
    watched = threading.Event()

    def picture(*_: str) -> ResultFile:
        watched.wait(PATIENCE)
        raise NoSuchResult("None.")

    app = page_with(film=lambda _: ResultFile(there, "talk.es.mp4", "video/mp4"), picture=picture)

    async def look() -> httpx.Response:
        async with client_of(app) as client, asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(client.get(f"/films/{JOB}/picture"))
            await asyncio.sleep(0)
            try:
                return await asyncio.wait_for(client.get(f"/films/{JOB}/dubbed"), PATIENCE / 2)
            finally:
                watched.set()

    assert asyncio.run(look()).content == b"film"


def test_a_disk_that_fails_is_not_said_to_be_a_link_that_was_taken_back() -> None:
    def fails(_: str) -> None:
        raise StorageError("The database has been closed.")

    def gone(_: str) -> None:
        raise JobNotFound

    async def look(linked: Callable[[str], None]) -> httpx.Response:
        app = FastAPI()
        services: Any = SimpleNamespace(jobs=SimpleNamespace(linked=linked))
        app.include_router(shared_pages.routes(services))
        async with client_of(app) as client:
            return await client.get(f"/shared/{JOB}")

    failed, unknown = asyncio.run(look(fails)), asyncio.run(look(gone))
    assert (failed.status_code, failed.text) == (507, "The database has been closed.")
    assert unknown.status_code == 404 and "<h1>" in unknown.text
    assert {answer.headers["x-robots-tag"] for answer in (failed, unknown)} == {"noindex"}


def test_changes_of_lines_that_break_off_are_no_failure_of_the_server() -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"9")]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": f"/films/{JOB}/lines", "query_string": b"",
        "headers": headers, "scheme": "http", "server": ("vt", 80), "root_path": "",
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:  # noqa: ANN401
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    asyncio.run(page_with()(scope, receive, send))
    assert (sent[0]["status"], sent[1]["body"]) == (400, b"The call broke off before its end.")


def test_a_draft_is_told_whether_it_is_spoken_and_refused_where_it_comes_too_soon_or_is_no_change() -> None:
    def too_soon(*_: object) -> bool:
        raise TooManyRequests("Again in a moment.", retry_after=1)

    async def sent(speak_ahead: Callable[..., bool], body: str, kind: str = "application/json") -> httpx.Response:
        async with client_of(page_with(speak_ahead=speak_ahead)) as client:
            return await client.post(f"/films/{JOB}/drafts", content=body, headers={"Content-Type": kind})

    body = '{"version": 1, "lines": [{"id": 0, "text": "x"}], "speakers": []}'
    taken, left = (asyncio.run(sent(lambda *_, now=now: now, body)) for now in (True, False))
    assert (taken.status_code, left.status_code, taken.content, left.content) == (202, 204, b"", b"")
    refused = asyncio.run(sent(too_soon, body))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert asyncio.run(sent(too_soon, body, "text/plain")).status_code == 415
    assert [asyncio.run(sent(too_soon, wrong)).status_code for wrong in ("[]", "{}")] == [400, 422]


def test_the_page_behind_a_link_may_run_no_script() -> None:
    async def look() -> list[str]:
        async with client_of(SecurityHeaders(HTMLResponse("<p>Hi</p>"), on_spaces=False)) as client:
            answers = [await client.get(path) for path in (f"/shared/{JOB}", "/")]
        return [answer.headers["content-security-policy"] for answer in answers]

    shared, page = asyncio.run(look())
    assert "default-src 'none'" in shared and "script-src" not in shared and "media-src 'self'" in shared
    assert "script-src 'self' 'unsafe-inline'" in page


def test_however_many_look_at_the_models_they_are_looked_at_once_a_second() -> None:
    looks, now = list[int](), [0.0]

    def look() -> str:
        looks.append(1)
        return str(len(looks))

    watch = Watch(look, lambda: now[0])
    assert [watch.seen() for _ in range(9)] == ["1"] * 9
    now[0] = 1.0
    assert [watch.seen() for _ in range(9)] == ["2"] * 9


class Maker:
    """Makes copies that take until they are cancelled, or until they may end."""

    def __init__(self) -> None:
        self.may_end = threading.Event()
        self.cancelled = threading.Event()

    def __call__(self, film: Path, _: float, new: Path, cancel: Cancel) -> None:
        def stop() -> None:
            self.cancelled.set()
            self.may_end.set()

        cancel.add(stop)
        assert self.may_end.wait(PATIENCE)
        cancel.check()
        new.write_bytes(film.read_bytes())


def begun(copies: PageCopies, folder: Path, name: str, visitor: str) -> Path:
    place = folder / name / "page-1.mp4"
    place.parent.mkdir()
    film = place.with_name("film")
    film.write_bytes(b"film")
    copies.begin(film, 1.0, place, visitor)
    return place


def test_a_copy_of_a_film_that_is_removed_is_made_no_further(tmp_path: Path) -> None:
    maker = Maker()
    copies = PageCopies(maker)
    place = begun(copies, tmp_path, "a", "ann")
    assert copies.state(place) == "running"
    copies.stop(place.parent)
    assert maker.cancelled.wait(PATIENCE)
    wait_for(lambda: copies.state(place) == "failed")
    wait_for(lambda: [path.name for path in place.parent.iterdir()] == ["film"])


def test_one_visitor_keeps_nobody_else_from_copies(tmp_path: Path) -> None:
    maker = Maker()
    copies = PageCopies(maker)
    places = [begun(copies, tmp_path, name, "ann") for name in "ab"]
    with pytest.raises(TooManyRequests, match="copies of films"):
        begun(copies, tmp_path, "c", "ann")
    places.append(begun(copies, tmp_path, "d", "ben"))
    maker.may_end.set()
    wait_for(lambda: all(copies.state(place) == "done" for place in places))

    def may_have_another() -> bool:
        with suppress(TooManyRequests):
            copies.begin(places[0].with_name("film"), 1.0, tmp_path / "d" / "page-2.mp4", "ann")
            return True
        return False

    wait_for(may_have_another)
    copies.close()


def test_a_copy_is_made_of_a_picture_of_any_width(tmp_path: Path) -> None:
    film, copy = tmp_path / "odd.mkv", tmp_path / "copy.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=5:d=1,format=yuv444p,crop=63:47", "-c:v", "ffv1", film)
    media.page_copy(film, 1.0, copy)
    (picture,) = streams(copy)
    assert (picture["codec_name"], picture["width"] % 2, picture["height"] % 2) == ("h264", 0, 0)
