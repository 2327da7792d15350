"""No kind of slow work holds up another kind, and none the health; each visitor has as much of it as the next one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from vt.api import make_api
from vt.domain import JobSpec
from vt.factory import AIServiceFactory
from vt.jobs.executors.local import LocalExecutor
from vt.jobs.job_service import Draft, Jobs
from vt.jobs.store import DataFolder, Store, new_id
from vt.jobs.worker import Worker
from vt.services import Services
from vt.settings import Settings
from vt.web.visitors import ConcurrencyLimit

PATIENCE = 30.0
"""Of what is at once: only an answer that hangs takes so long."""
UNKNOWN = "/api/v1/jobs/" + "a" * 26
FOUND = {"file": "film", "duration_seconds": 1.0, "video": None, "audio": [], "subtitles": []}


class SlowJobs(Jobs):
    """Jobs that look into a film only when they are told to."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **more)
        self.go = threading.Event()
        self.free_bytes = 10**12

    def inspect(self, draft: Draft, name: str, visitor: str = "") -> dict[str, Any]:
        del draft, name, visitor
        self.go.wait()
        return FOUND


class SlowServices(Services):
    """Services of such jobs."""

    slow: SlowJobs
    job_id: str
    """Of a job that waits: nobody takes it up."""

    @property
    def jobs(self) -> Jobs:
        return self.slow


@pytest.fixture
def services(tmp_path: Path) -> Iterator[SlowServices]:
    settings = Settings(data_dir=tmp_path, preload_models=False, engines="embedded")
    factory = AIServiceFactory(settings)
    with closing(DataFolder(tmp_path)) as data, closing(Store(data.database)) as store:
        worker = Worker(store, data, LocalExecutor(factory))
        found = SlowServices(settings, factory)
        found.job_id = store.create(new_id(), JobSpec("film", "es"), 1).id
        found.slow = SlowJobs(settings, factory, data, store, worker, free=lambda _: found.slow.free_bytes)
        yield found


class Visitors:
    """Clients of one application, each from an address of its own."""

    def __init__(self, services: SlowServices, stack: AsyncExitStack) -> None:
        self._app, self._stack = make_api(services), stack
        stack.callback(services.slow.go.set)  # or a test that fails would wait for its threads

    async def client(self, address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self._app, client=(address, 1))
        return await self._stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://vt"))


async def _inspected(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/api/v1/inspect", files={"file": ("film", b"x")})


async def _until(services: SlowServices, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while services.probes.at_work < count:
            await asyncio.sleep(0.01)


def test_44_slow_looks_into_films_hold_up_neither_the_health_nor_any_other_read(services: SlowServices) -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            visitors = Visitors(services, stack)
            slow = []
            for number in range(44):
                client = await visitors.client(f"192.0.2.{number // 8}")
                slow.append(asyncio.create_task(_inspected(client)))
            await _until(services, 44)
            other = await visitors.client("198.51.100.1")
            statuses = {}
            for route in ("/health", "/ready", "/metrics", "/", "/api/v1/models", "/api/v1/languages", UNKNOWN):
                statuses[route] = (await asyncio.wait_for(other.get(route), PATIENCE)).status_code
            assert statuses.pop(UNKNOWN) == 404
            assert set(statuses.values()) == {200}
            removed = await asyncio.wait_for(other.delete(UNKNOWN), PATIENCE)
            assert removed.status_code == 404
            services.slow.go.set()
            answers = await asyncio.gather(*slow)
            assert {answer.status_code for answer in answers} == {200}

    asyncio.run(scene())


def test_a_visitor_with_too_many_uploads_is_told_when_to_come_again_and_others_are_served(
    services: SlowServices,
) -> None:
    async def scene() -> None:
        async with AsyncExitStack() as stack:
            visitors = Visitors(services, stack)
            greedy, modest = await visitors.client("192.0.2.1"), await visitors.client("192.0.2.2")
            slow = [asyncio.create_task(_inspected(greedy)) for _ in range(8)]
            await _until(services, 8)
            refused = await _inspected(greedy)
            assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
            assert int(refused.headers["retry-after"]) > 0
            assert "Too many uploads" in refused.json()["detail"]
            slow.append(asyncio.create_task(_inspected(modest)))
            await _until(services, 9)
            services.slow.go.set()
            assert {answer.status_code for answer in await asyncio.gather(*slow)} == {200}
            assert (services.uploads.at_work, services.probes.at_work) == (0, 0)
            assert (await _inspected(greedy)).status_code == 200

    asyncio.run(scene())


def test_an_upload_of_no_told_size_stops_where_the_reserve_of_the_disk_begins(services: SlowServices) -> None:
    services.slow.go.set()

    async def body() -> Any:  # noqa: ANN401
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="film"\r\n\r\n'
        services.slow.free_bytes = 0  # others have filled the disk meanwhile
        yield b"x" * 1000
        yield b"\r\n--x--\r\n"

    async def scene() -> httpx.Response:
        async with AsyncExitStack() as stack:
            client = await Visitors(services, stack).client("192.0.2.1")
            headers = {"Content-Type": "multipart/form-data; boundary=x"}
            return await client.post("/api/v1/inspect", content=body(), headers=headers)

    assert asyncio.run(scene()).status_code == 507
    assert services.uploads.at_work == 0


@pytest.mark.parametrize("boundary", ["x" * 257, "x" * 5000])
def test_a_boundary_that_is_too_long_is_a_bad_request(services: SlowServices, boundary: str) -> None:
    async def scene() -> httpx.Response:
        async with AsyncExitStack() as stack:
            client = await Visitors(services, stack).client("192.0.2.1")
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
            return await client.post("/api/v1/jobs", content=b"x", headers=headers)

    answer = asyncio.run(scene())
    assert (answer.status_code, "boundary" in answer.json()["detail"]) == (400, True)


def test_followers_are_bounded_by_either_way_and_count_until_they_leave(services: SlowServices) -> None:
    services.followers = ConcurrencyLimit("followers of jobs", each=1, total=2)
    route = f"/api/v1/jobs/{services.job_id}"
    with TestClient(make_api(services)) as client:
        with client.websocket_connect(f"{route}/ws") as following:
            assert following.receive_json()["state"] == "queued"
            too_many = client.get(f"{route}/events")
            with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect(f"{route}/ws"):
                pass
            for answer in (too_many, denied.value):
                assert answer.status_code == 429
                assert int(answer.headers["retry-after"]) > 0
        with client.websocket_connect(f"{route}/ws") as following:
            assert following.receive_json()["state"] == "queued"
