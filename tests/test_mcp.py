"""Assistants dub by the Model Context Protocol: with the official client, within the limits, where it is on."""

from __future__ import annotations

import asyncio
import base64
import json
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError

from tests.conftest import SAMPLE
from tests.films import ffmpeg
from tests.servers import Server, running
from vt.api import FOREIGN_SHAPES, BodyLimits, ErrorShapes, HostAndOriginCheck, make_api
from vt.api.mcp.arguments import MOST_FILM_BYTES
from vt.errors import SettingsError
from vt.factory import AIServiceFactory
from vt.services import Services
from vt.settings import Settings

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
GOODBYE_SECONDS = 5.0
PROXY = "10.0.0.1"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last sentence of the sample, in 40 kB."""
    made = tmp_path_factory.mktemp("film") / "talk.mp3"
    ffmpeg("-ss", "25", "-i", SAMPLE, "-vn", "-b:a", "48k", made)
    return made


def in_base64(film: Path) -> str:
    return base64.b64encode(film.read_bytes()).decode()


async def told(client: Client, tool: str, **arguments: object) -> Any:  # noqa: ANN401 (an object, or a text)
    """Call a tool that succeeds, and return what it answers."""
    found = await client.call_tool(tool, arguments)
    assert not found.is_error, found.content
    return found.structured_content or found.content[0].text  # type: ignore[union-attr]


async def ended(client: Client, job_id: str) -> tuple[dict[str, Any], list[float]]:
    """Follow a job to its end; return it, and how far it was on the way."""
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        assert (total, bool(message)) == (1.0, True)
        seen.append(progress)

    while True:
        asked = {"job_id": job_id, "wait_seconds": 50}
        found = await client.call_tool("get_job", asked, progress_callback=on_progress)
        assert found.structured_content
        if found.structured_content["state"] not in ("queued", "running"):
            return found.structured_content, seen


def test_the_official_client_has_a_film_dubbed_and_reads_what_is_said(guarded: Server, film: Path) -> None:
    async def dubbed() -> None:
        async with Client(f"{guarded.url}/mcp") as client:
            begun = await told(
                client, "dub", film_base64=in_base64(film), file_name=film.name, target_language="Spanish", speakers=1
            )
            job, seen = await ended(client, begun["job_id"])
            assert (job["state"], job["film"], job["target_language"], job["error"]) == ("done", "talk.mp3", "es", None)
            assert seen == sorted(seen)
            results = job["results"]
            assert set(results["subtitles"]) == {"es", "en"}
            for address in (results["film"], results["report"], results["subtitles"]["es"]["srt"]):
                assert address.startswith(f"{guarded.url}/api/v1/jobs/")
                assert guarded.ask("GET", address.removeprefix(guarded.url)).status_code == 200
            subtitles = await told(client, "get_text", job_id=job["job_id"], language="es", form="srt")
            assert subtitles == guarded.ask("GET", results["subtitles"]["es"]["srt"].removeprefix(guarded.url)).text
            spoken, heard = [await told(client, "get_text", job_id=job["job_id"], language=code) for code in ("", "en")]
            assert len(spoken.splitlines()) == len(heard.splitlines()) > 0
            assert spoken != heard
            rest = await told(client, "get_text", job_id=job["job_id"], start=5)
            assert rest == spoken[5:]
            again = await told(client, "transcribe", from_job=job["job_id"])
            written, _ = await ended(client, again["job_id"])
            assert "film" not in written["results"]
            assert await told(client, "get_text", job_id=again["job_id"]) == heard
            late = await client.call_tool("cancel_job", {"job_id": again["job_id"]})
            assert late.is_error
            assert "The job is done" in str(late.content)

    asyncio.run(dubbed())


def test_a_large_film_goes_by_http_with_the_command_that_is_given_and_older_clients_are_served(
    guarded: Server, film: Path
) -> None:
    async def written_down() -> None:
        async with Client(f"{guarded.url}/mcp", mode="legacy") as client:
            how = await told(client, "send_large_film", source_language="en")
            argv = [part.replace("FILM", str(film)) for part in shlex.split(how["command"])]
            sent = subprocess.run(argv, capture_output=True, check=True, text=True)
            job, _ = await ended(client, json.loads(sent.stdout)["id"])
            assert (job["state"], job["target_language"]) == ("done", None)
            assert len(await told(client, "get_text", job_id=job["job_id"])) > 20

    asyncio.run(written_down())


def test_it_is_off_unless_it_is_asked_for(server: Server) -> None:
    answer = server.ask("POST", "/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32600)


@pytest.mark.soak
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_server_ends_soon_though_somebody_waits_for_a_job(tmp_path: Path, mode: str) -> None:
    async def waiting(server: Server) -> float:
        async with Client(f"{server.url}/mcp", mode=mode) as client:
            begun = await told(client, "dub", film_base64=in_base64(long), target_language="es", speakers=1)
            waits = asyncio.Event()

            async def on_progress(progress: float, total: float | None, message: str | None) -> None:
                del progress, total, message
                waits.set()

            asked = {"job_id": begun["job_id"], "wait_seconds": 50}
            following = asyncio.create_task(client.call_tool("get_job", asked, progress_callback=on_progress))
            await waits.wait()
            seconds = await asyncio.to_thread(server.end)
            with pytest.raises((MCPError, httpx.HTTPError, OSError)):
                await following
            return seconds

    long = tmp_path / "long.mp3"
    ffmpeg("-i", SAMPLE, "-vn", "-b:a", "48k", long)
    with running(tmp_path / "server", VT_MCP="true") as server:
        assert asyncio.run(waiting(server)) < GOODBYE_SECONDS


# What needs no server


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        engines="embedded",
        preload_models=False,
        mcp=True,
        trusted_proxies=(PROXY,),
    )
    found = Services(settings, AIServiceFactory(settings))
    yield found
    found.close()


@asynccontextmanager
async def asking(services: Services, peer: str = "203.0.113.9") -> AsyncIterator[httpx.AsyncClient]:
    """A client of the routes, as they stand behind what a server puts in front of them."""
    api = make_api(services)
    guarded = HostAndOriginCheck(BodyLimits(api, services.settings.max_upload_mb), services.settings)
    transport = httpx.ASGITransport(ErrorShapes(guarded, FOREIGN_SHAPES), client=(peer, 4711))
    async with (
        api.router.lifespan_context(api),
        httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=HEADERS) as client,
    ):
        yield client


def called(services: Services, tool: str, arguments: object, peer: str = PROXY, **headers: str) -> dict[str, Any]:
    """Call a tool, and return the message that is answered."""

    async def call() -> str:
        params = {"name": tool, "arguments": arguments}
        async with asking(services, peer) as client:
            asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            answer = await client.post("/mcp", json=asked, headers=headers)
            return answer.text

    (line,) = [line for line in asyncio.run(call()).splitlines() if line.startswith("data: ")]
    found: dict[str, Any] = json.loads(line.removeprefix("data: "))
    return found


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("dub", {"target_language": "es"}, "Give a film in film_base64, or another job's id in from_job"),
        ("dub", {"target_language": "es", "film_base64": "AA==", "from_job": "a"}, "Give a film in film_base64, or"),
        ("dub", {"target_language": "es", "film_base64": "no base 64!"}, "What is in film_base64 is no base64"),
        ("dub", {"target_language": "es", "film_base64": "AAAA"}, "film is not a video or audio file"),
        ("dub", {"target_language": "es", "from_job": "../../etc"}, "There is no such job"),
        ("dub", {"film_base64": "AAAA"}, "The argument target_language is missing"),
        ("dub", {"target_language": "es", "path": "/etc/passwd"}, "There is no argument path"),
        ("dub", {"target_language": "e" * 300, "film_base64": "AAAA"}, "The argument target_language cannot be used"),
        ("send_large_film", {"target_language": "xx-nothing"}, "Unknown language"),
        ("get_job", {"job_id": "a", "wait_seconds": 51}, "The argument wait_seconds cannot be used"),
        ("get_job", {"job_id": "a" * 26, "wait_seconds": 9}, "There is no such job"),
        ("get_text", {"job_id": "a" * 26, "form": "exe"}, "The argument form cannot be used"),
        ("get_text", {"job_id": "a" * 26}, "There is no such job"),
        ("cancel_job", {"job_id": "a" * 26}, "There is no such job"),
        ("list_voices", {"language": "klingonisch"}, "Unknown language"),
    ],
)
def test_what_cannot_be_done_is_a_result_with_the_reason(
    services: Services, tool: str, arguments: object, said: str
) -> None:
    result = called(services, tool, arguments)["result"]
    assert result["isError"]
    assert said in result["content"][0]["text"]
    assert "\n" not in result["content"][0]["text"]
    assert list(services.settings.data_folder.glob("jobs/*")) == []


def test_a_film_that_is_too_large_for_a_call_is_sent_elsewhere(services: Services) -> None:
    large = base64.b64encode(bytes(MOST_FILM_BYTES + 1)).decode()
    result = called(services, "dub", {"target_language": "es", "film_base64": large})["result"]
    assert "send_large_film says how" in result["content"][0]["text"]


def test_a_tool_that_does_not_exist_is_an_error_that_names_those_that_do(services: Services) -> None:
    error = called(services, "preload", {})["error"]
    assert (error["code"], "There is no tool preload: there are dub, transcribe" in error["message"]) == (-32602, True)


def test_behind_a_proxy_addresses_are_those_that_the_client_knows(services: Services) -> None:
    forwarded = {"X-Forwarded-Host": "localhost:4443", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    asked = {"target_language": "fr", "voice": "@it's", "preview": True, "background": "duck"}
    behind = called(services, "send_large_film", asked, **forwarded)["result"]["structuredContent"]
    assert behind["url"] == "https://localhost:4443/api/v1/jobs"
    assert behind["form_fields"] == {
        **{"file": "the film", "target_language": "fr", "voice": "@it's", "background": "duck", "preview": "true"}
    }
    argv = shlex.split(behind["command"])
    assert (argv[-1], argv[argv.index("voice=@it's") - 1]) == (behind["url"], "--form-string")
    pretended = called(services, "send_large_film", asked, peer="203.0.113.9", **forwarded)
    assert pretended["result"]["structuredContent"]["url"] == "http://localhost:8000/api/v1/jobs"


@pytest.mark.parametrize(
    ("method", "headers", "status", "said"),
    [
        ("POST", {"Origin": "https://evil.example"}, 403, "A page of another site"),
        ("POST", {"Host": "rebound.example"}, 421, "Nobody is here by the name rebound.example"),
        (
            "POST",
            {"Content-Length": "3000000"},
            413,
            "too large: a film above 1.4 MB is sent by HTTP, as the tool send_large_film",
        ),
        ("GET", {}, 405, "POST is all there is"),
        ("DELETE", {}, 405, "POST is all there is"),
    ],
)
def test_what_is_refused_at_the_door_is_an_error_of_the_protocol(
    services: Services, method: str, headers: dict[str, str], status: int, said: str
) -> None:
    async def refused() -> httpx.Response:
        async with asking(services) as client:
            return await client.request(method, "/mcp", content=b"{}" if method == "POST" else None, headers=headers)

    answer = asyncio.run(refused())
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (status, True)


def test_no_tool_manages_models_and_every_argument_is_described(services: Services) -> None:
    async def listed() -> str:
        async with asking(services) as client:
            return (await client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).text

    (line,) = [line for line in asyncio.run(listed()).splitlines() if line.startswith("data: ")]
    tools = json.loads(line.removeprefix("data: "))["result"]["tools"]
    assert {tool["name"] for tool in tools} == {
        *("dub", "transcribe", "send_large_film", "get_job", "get_text", "cancel_job"),
        *("list_languages", "list_voices"),
    }
    bare = [
        (tool["name"], name)
        for tool in tools
        for name, argument in tool["inputSchema"]["properties"].items()
        if not argument.get("description")
    ]
    assert bare == []


def test_without_the_package_a_server_says_what_is_missing(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vt.api.mcp.face", None)
    with pytest.raises(SettingsError, match=r"VT_MCP is true, but the Python package mcp is not here"):
        make_api(services)
