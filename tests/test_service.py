"""The real server, as a process of its own: every route, its shapes, who may manage models, and its end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.conftest import ROOT, SECRETS, vt
from tests.servers import APP, BUNDLED, UVICORN, Server, environment, running, said, start_app

MB = 2**20
MODELS = "/api/v1/models"
CACHE = f"{MODELS}/cache"
MODEL_CACHE = {
    "cache_enabled", "preload_enabled", "total_cached_models", "total_memory_mb", "device", "cpu_threads", "models",
    "budget_mb", "memory", "hits", "misses", "loads", "evictions",
}  # fmt: skip
MODEL = {
    "cache_key", "model_type", "model_name", "device", "load_time_seconds", "memory_usage_mb", "state", "leases",
    "idle_seconds",
}  # fmt: skip
FACTORY = {"status", "cache_enabled", "device", "cached_models", "memory_usage_mb", "torch_cuda_available"}
TRANSLATION = {
    "translation_service", "ffmpeg_available", "hugging_face_token_configured", "accepted_video_formats",
}  # fmt: skip
ELSEWHERE = [
    {"X-Forwarded-For": "203.0.113.7"},
    {"Forwarded": "for=203.0.113.7"},
    {"Via": "1.1 proxy"},
    {"X-Envoy-External-Address": "203.0.113.7"},
]
FOREIGN = [
    ({"Origin": "https://elsewhere.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Origin": "http://rebound.example", "Host": "rebound.example"}, 421),
]


def problem(server: Server, method: str, route: str, status: int, **more: Any) -> str:  # noqa: ANN401
    """Ask for what is refused, see that it is refused as it should be, and return the sentence."""
    answer = server.ask(method, route, **more)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert "Traceback" not in body["detail"]
    return str(body["detail"])


# Shapes


def test_the_root_is_json_for_scripts_and_the_page_for_browsers(server: Server) -> None:
    answer = server.ask("GET", "/")
    assert set(answer.json()) == {"name", "version", "status", "routes", "docs"}
    assert "DELETE /api/v1/models/cache/{cache_key}" in answer.json()["routes"]
    page = server.ask("GET", "/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert "<html" in page.text
    assert all("Accept" in found.headers["vary"].split(", ") for found in (answer, page))


def test_the_health_has_the_shape_that_scripts_rely_on(server: Server) -> None:
    health = server.json("GET", "/health")
    assert set(health) == {"status", "ai_service_factory", "translation_service", "notes"}
    assert set(health["ai_service_factory"]) == FACTORY
    assert set(health["translation_service"]) == TRANSLATION
    assert (health["status"], health["notes"]) == ("healthy", [])
    assert "mp4" in health["translation_service"]["accepted_video_formats"]
    head = server.ask("HEAD", "/health")
    assert (head.status_code, head.content) == (200, b"")


def test_the_models_have_the_shape_that_scripts_rely_on(server: Server) -> None:
    server.warm()
    found = server.json("GET", MODELS)
    assert set(found) == {"status", "timestamp", "model_cache"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["timestamp"])
    assert set(found["model_cache"]) == MODEL_CACHE
    assert all(set(model) == MODEL for model in found["model_cache"]["models"])


def test_every_language_is_listed_with_what_serves_it(server: Server) -> None:
    rows = {row["code"]: row for row in server.json("GET", "/api/v1/languages")["languages"]}
    assert len(rows) > 1000
    assert rows["es"]["native_name"] == "Español"
    assert (rows["en"]["hear"], rows["es"]["translate_to"], rows["es"]["speak"]) == (
        ["whisper"],
        ["apertium"],
        ["kokoro", "espeak-ng"],
    )
    assert rows["gl"]["speak"] == []


def test_every_route_is_described_with_its_answers(server: Server) -> None:
    described = server.json("GET", "/openapi.json")
    for methods in described["paths"].values():
        for route in methods.values():
            assert route["summary"]
            assert route["description"]
    assert "Problem" in described["components"]["schemas"]
    schemas = described["components"]["schemas"]
    assert set(re.findall(r'#/components/schemas/(\w+)"', json.dumps(described))) <= set(schemas)
    for schema in schemas.values():
        for field in schema["properties"].values():
            assert {"examples", "$ref", "items", "const", "enum"} & set(field), field
    assert "vt_model_budget_bytes" in server.ask("GET", "/metrics").text


# Models


def test_memory_comes_with_the_real_model_and_goes_with_it(server: Server) -> None:
    server.json("DELETE", CACHE)
    server.warm()
    server.json("DELETE", CACHE)
    before = server.resident_bytes
    key = server.warm()
    grown = server.resident_bytes - before
    told = server.json("GET", MODELS)["model_cache"]["models"][0]["memory_usage_mb"] * MB
    assert grown > 0.5 * told
    freed = server.json("DELETE", f"{CACHE}/{key}")
    assert (freed["freed"], freed["retiring"], server.keys()) == ([key], [], [])
    assert server.resident_bytes - before < 0.5 * grown


def test_a_preload_that_runs_is_joined_and_clearing_meanwhile_leaves_a_server_that_works(server: Server) -> None:
    server.json("DELETE", CACHE)
    first = server.ask("POST", f"{MODELS}/preload")
    second = server.ask("POST", f"{MODELS}/preload")
    assert (first.status_code, second.status_code) == (202, 202)
    assert [model["cache_key"] for model in second.json()["models"]][:1] == [first.json()["models"][0]["cache_key"]]
    server.json("DELETE", CACHE)
    assert all(model["state"] == "ready" for model in server.preloaded())
    key = server.warm()
    assert server.keys() == [key]


def test_what_is_unknown_is_refused_and_nothing_is_touched(server: Server) -> None:
    before = server.json("GET", MODELS)["model_cache"]["loads"]
    assert "No model of that key" in problem(server, "DELETE", f"{CACHE}/nothing", 404)
    for name in ("../../etc/passwd", "/etc", "someone/else", "", "x" * 10_000):
        assert "No model goes by" in problem(server, "POST", f"{MODELS}/preload", 422, json={"models": [name]})
    problem(server, "POST", f"{MODELS}/preload", 422, json={"model": "tiny.en"})
    problem(server, "POST", f"{MODELS}/preload", 422, content=b"{", headers={"Content-Type": "application/json"})
    problem(server, "PUT", "/health", 405)
    problem(server, "GET", "/api/v1/nothing", 404)
    problem(server, "GET", "/nothing", 404)
    problem(server, "DELETE", "/", 405)
    assert server.json("GET", MODELS)["model_cache"]["loads"] == before


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_models_are_not_managed_from_elsewhere_without_a_token(
    server: Server, guarded: Server, headers: dict[str, str]
) -> None:
    for method, route in (("POST", f"{MODELS}/preload"), ("DELETE", CACHE), ("DELETE", f"{CACHE}/{BUNDLED}")):
        assert "VT_ADMIN_TOKEN" in problem(server, method, route, 403, headers=headers)
        problem(guarded, method, route, 403, headers=headers)


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
def test_a_page_of_another_site_neither_manages_models_nor_starts_a_job(
    server: Server, headers: dict[str, str], status: int
) -> None:
    for method, route in (("DELETE", CACHE), ("POST", "/api/v1/jobs"), ("POST", "/gradio_api/queue/join")):
        problem(server, method, route, status, headers=headers)
    line = server.url.replace("http", "ws") + f"/api/v1/jobs/{'a' * 26}/ws"
    with pytest.raises(InvalidStatus) as caught, connect(line, additional_headers=headers, proxy=None):
        pass
    assert caught.value.response.status_code in (status, 400)  # 400: the host is there twice


def test_a_name_that_somebody_made_point_here_reads_nothing(server: Server) -> None:
    for route in ("/", "/health", "/api/v1/models", "/docs", "/config"):
        assert "VT_ALLOWED_HOSTS" in problem(server, "GET", route, 421, headers={"Host": "rebound.example"})


def test_the_log_says_who_may_manage_models(server: Server, guarded: Server) -> None:
    assert server.log.count("a server behind a proxy needs VT_ADMIN_TOKEN") == 1
    assert guarded.log.count("models are managed by whoever knows VT_ADMIN_TOKEN") == 1


def test_with_a_token_the_right_one_is_needed_from_everywhere(guarded: Server) -> None:
    problem(guarded, "DELETE", CACHE, 401)
    wrong = {"Authorization": "Bearer wrong"}
    problem(guarded, "DELETE", CACHE, 401, headers=wrong)
    problem(guarded, "DELETE", CACHE, 401, headers={**wrong, "X-Forwarded-For": "203.0.113.7"})
    right = {"Authorization": f"Bearer {SECRETS['VT_ADMIN_TOKEN']}", "X-Forwarded-For": "203.0.113.7"}
    assert guarded.ask("DELETE", CACHE, headers=right).status_code == 200


@pytest.mark.parametrize("headers", [*ELSEWHERE, {}])
@pytest.mark.parametrize("endpoint", ["preload", "clear_cache"])
def test_the_endpoints_of_the_page_have_the_same_guard(guarded: Server, headers: dict[str, str], endpoint: str) -> None:
    argument = {"preload": None, "clear_cache": ""}[endpoint]
    for token in ("", "almost-open-sesame"):
        data = {"data": [argument, token]}
        event = guarded.json("POST", f"/gradio_api/call/{endpoint}", json=data, headers=headers)["event_id"]
        said = guarded.ask("GET", f"/gradio_api/call/{endpoint}/{event}", headers=headers).text
        assert said.startswith("event: error")
        assert "VT_ADMIN_TOKEN holds." in said


def test_a_gradio_client_gives_the_token_as_an_argument(guarded: Server) -> None:
    client = Client(guarded.url, verbose=False)
    with pytest.raises(Exception, match=r"^The token is not the one that VT_ADMIN_TOKEN holds\.$"):
        client.predict("", "almost", api_name="/clear_cache")
    assert client.predict("", SECRETS["VT_ADMIN_TOKEN"], api_name="/clear_cache")["status"] == "success"


@pytest.mark.soak
def test_on_a_space_models_are_closed_to_those_who_come_without_a_token(tmp_path: Path) -> None:
    with running(tmp_path, SPACE_ID="someone/vt") as space:
        assert "on a Space" in problem(space, "DELETE", CACHE, 403)


def test_no_secret_is_ever_shown(guarded: Server) -> None:
    guarded.ask("DELETE", CACHE, headers={"Authorization": "Bearer almost-open-sesame"})
    shown = [guarded.ask("GET", route).text for route in ("/", "/health", "/metrics", MODELS, "/openapi.json")]
    shown += [guarded.ask("GET", route, headers={"Accept": "text/html"}).text for route in ("/", "/config")]
    for text in (*shown, guarded.said, guarded.log):
        assert not any(secret in text for secret in (*SECRETS.values(), "almost-open-sesame"))
    assert guarded.json("GET", "/health")["translation_service"]["hugging_face_token_configured"] is True


# Other faces


def test_gradio_client_calls_the_same_by_name(server: Server) -> None:
    client = Client(server.url, verbose=False)
    key = server.warm()
    assert client.predict(api_name="/health")["status"] == "healthy"
    assert client.predict(api_name="/models")["model_cache"]["models"][0]["cache_key"] == key
    assert len(client.predict(api_name="/languages")) > 1000
    assert client.predict(api_name="/clear_cache")["freed"] == [key]
    assert {model["state"] for model in client.predict(api_name="/preload")} <= {"queued", "loading", "ready"}
    server.preloaded()
    with pytest.raises(Exception, match=r"^No model of that key is in memory\.$"):
        client.predict("nothing", api_name="/clear_cache")


def test_the_command_line_talks_to_a_server(server: Server, guarded: Server, tmp_path: Path) -> None:
    key = server.warm()
    shown = vt("models", "--url", server.url, cwd=tmp_path)
    assert (shown.returncode, shown.stderr, key in shown.stdout) == (0, "", True)
    cleared = vt("clear", key, "--url", server.url, cwd=tmp_path)
    assert (cleared.returncode, f"freed {key}" in cleared.stdout) == (0, True)
    assert vt("preload", BUNDLED, "--url", server.url, cwd=tmp_path).returncode == 0
    again = vt("clear", "nothing", "--url", server.url, cwd=tmp_path)
    assert (again.returncode, len(again.stderr.splitlines())) == (2, 1)
    assert vt("clear", "--url", guarded.url, cwd=tmp_path).returncode == 1
    assert vt("clear", "--url", guarded.url, cwd=tmp_path, **SECRETS).returncode == 0
    nobody = vt("models", "--url", "http://127.0.0.1:9", cwd=tmp_path)
    assert (nobody.returncode, "Is the server running there?" in nobody.stderr) == (1, True)
    assert vt("models", "--url", "nonsense", cwd=tmp_path).returncode == 2
    server.preloaded()


@pytest.mark.soak
def test_the_check_of_a_service_holds_here_and_fails_where_nobody_answers(server: Server) -> None:
    check = [str(ROOT / "scripts" / "check-service")]
    python = ROOT / ".venv" / "bin" / "python"
    argv = check if python.exists() else [sys.executable, str(ROOT / "scripts" / "check_service.py")]
    done = subprocess.run([*argv, server.url], capture_output=True, text=True, check=False)
    assert (done.returncode, "FAILED" in done.stdout) == (0, False), done.stdout
    assert len(done.stdout.splitlines()) > 10
    failed = subprocess.run([*argv, "http://127.0.0.1:9"], capture_output=True, text=True, check=False)
    assert (failed.returncode, "no answer" in failed.stdout, failed.stderr) == (1, True, "")


# Start and end


@pytest.mark.parametrize("argv", [APP, UVICORN], ids=["python app.py", "uvicorn app:app"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, argv: tuple[str, ...], how: signal.Signals) -> None:
    with running(tmp_path, argv, PRELOAD_MODELS="true") as server:
        assert server.end(how) < 15.0
        assert "Application shutdown complete" in server.said
        assert "Traceback" not in server.said


def test_a_client_that_is_connected_does_not_hold_it_up(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        client = Client(server.url, verbose=False)
        assert client.predict(api_name="/health")
        assert server.end() < 15.0


def test_a_port_that_is_taken_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start_app(tmp_path, PORT=str(taken.getsockname()[1]))
        assert process.wait(120) == 1
    assert "cannot be listened on: Address already in use. Is another server running there?" in said(tmp_path)
    assert "Traceback" not in said(tmp_path)


@pytest.mark.soak
def test_a_setting_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        APP, cwd=ROOT, env=environment(tmp_path, PORT="abc"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "PORT" in done.stderr


def test_a_data_folder_that_cannot_be_written_makes_it_unhealthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with running(tmp_path / "server", VT_DATA_DIR=str(tmp_path / "file" / "data")) as server:
        answer = server.ask("GET", "/health")
        assert (answer.status_code, answer.json()["status"]) == (503, "unhealthy")
        assert "cannot be written" in " ".join(answer.json()["notes"])
        refused = problem(server, "GET", f"/api/v1/jobs/{'a' * 26}", 507)
        # Where it lies is nobody's business but the operator's.
        assert str(tmp_path) not in answer.text + refused
        assert str(tmp_path) in server.log
