"""The shapes of the service's answers, key by key, and the refusals of its Gradio endpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client

from tests.conftest import SECRETS
from tests.servers import BUNDLED, Server, running

MODELS = "/api/v1/models"
CACHE = f"{MODELS}/cache"
STATE = {"cache_key", "state", "why"}
FILES, DOWNLOADS = f"{MODELS}/files", f"{MODELS}/downloads"
FILE = {
    *("name", "engine", "model_type", "licence", "source", "state", "disk_mb", "removable_mb", "memory_mb"),
    *("download_mb", "in_memory", "progress"),
}
CLEARED = {"status", "freed", "freed_mb", "retiring"}
LANGUAGE = {"code", "name", "native_name", "hear", "translate_from", "translate_to", "speak"}
NOT_LISTED = "/api/v1/nothing"
HTML = {"Accept": "text/html"}


def refused(server: Server, status: int, **body: Any) -> str:  # noqa: ANN401
    """Ask for a preload that is refused, and return the sentence."""
    answer = server.ask("POST", f"{MODELS}/preload", **body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    return str(answer.json()["detail"])


def test_the_readiness_and_a_preload_list_models_with_their_states(server: Server) -> None:
    begun = server.ask("POST", f"{MODELS}/preload", json={"models": [BUNDLED]})
    assert begun.status_code == 202
    assert set(begun.json()) == {"status", "models"}
    assert begun.json()["status"] == "accepted"
    assert [set(model) for model in begun.json()["models"]] == [STATE]
    assert [model["state"] for model in server.preloaded()] == ["ready"]
    ready = server.ask("GET", "/ready")
    assert (ready.status_code, set(ready.json()), ready.json()["status"]) == (200, {"status", "models"}, "ready")
    assert [set(model) for model in ready.json()["models"]] == [STATE]


def test_what_went_is_told_alike_for_one_model_and_for_all(server: Server) -> None:
    server.json("DELETE", CACHE)  # what other tests have loaded
    key = server.warm()
    one = server.json("DELETE", f"{CACHE}/{key}")
    server.warm()
    every = server.json("DELETE", CACHE)
    for cleared in (one, every):
        assert set(cleared) == CLEARED
        assert (cleared["status"], cleared["freed"], cleared["retiring"]) == ("success", [key], [])
        assert cleared["freed_mb"] > 0
    assert server.json("DELETE", CACHE) == {"status": "success", "freed": [], "freed_mb": 0.0, "retiring": []}
    assert server.ask("DELETE", f"{CACHE}/{key}").status_code == 404


def test_the_key_of_the_bundled_model_is_made_as_the_contract_says(tmp_path: Path) -> None:
    with running(tmp_path, CPU_THREADS="2") as threaded:
        assert threaded.warm() == "stt_whisper_tiny.en_cpu_2_false"
        cache = threaded.json("GET", MODELS)["model_cache"]
        (model,) = cache["models"]
    told = {name: model[name] for name in ("model_type", "model_name", "device", "state", "leases")}
    assert told == {"model_type": "stt", "model_name": "tiny.en", "device": "cpu", "state": "ready", "leases": 0}
    assert (cache["cpu_threads"], cache["total_cached_models"], cache["loads"]) == (2, 1, 1)
    assert cache["total_memory_mb"] == model["memory_usage_mb"] < cache["budget_mb"]


def test_what_is_on_the_disk_is_told_and_changed_for_managers_only(server: Server, guarded: Server) -> None:
    found = server.json("GET", FILES)
    assert (set(found), set(found["free_mb"])) == ({"models", "free_mb"}, {"data", "models"})
    assert {frozenset(model) for model in found["models"]} == {frozenset(FILE)}
    (bundled,) = (model for model in found["models"] if model["name"] == BUNDLED)
    assert (bundled["state"], bundled["removable_mb"], bundled["disk_mb"] > 70) == ("here", 0.0, True)
    assert server.ask("DELETE", FILES, params={"name": BUNDLED}).status_code == 409
    assert server.ask("DELETE", DOWNLOADS, params={"name": BUNDLED}).status_code == 404
    assert server.ask("POST", DOWNLOADS, json={"name": "medium"}).status_code == 503, "nothing may be downloaded here"
    begun = server.ask("POST", DOWNLOADS, json={"name": BUNDLED})
    assert (begun.status_code, begun.json()) == (202, {"name": BUNDLED, "status": "accepted"})
    for name in ("../../etc/passwd", "/etc", "firefox:en-..", "x" * 200):
        for method, route in (("DELETE", FILES), ("DELETE", DOWNLOADS)):
            assert server.ask(method, route, params={"name": name}).status_code == 422
        assert server.ask("POST", DOWNLOADS, json={"name": name}).status_code == 422
    for method, route in (("GET", FILES), ("DELETE", f"{FILES}?name={BUNDLED}"), ("DELETE", f"{DOWNLOADS}?name=x")):
        assert guarded.ask(method, route).status_code == 401


def test_a_language_has_the_same_keys_as_every_other(server: Server) -> None:
    found = server.json("GET", "/api/v1/languages")
    assert set(found) == {"languages"}
    assert {frozenset(row) for row in found["languages"]} == {frozenset(LANGUAGE)}


def test_head_answers_as_get_does_without_the_body(server: Server) -> None:
    for route, headers in (("/", {}), ("/", HTML), ("/ready", {}), (MODELS, {}), ("/metrics", {}), (NOT_LISTED, {})):
        head, get = (server.ask(method, route, headers=headers) for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


def test_the_metrics_are_of_the_format_that_prometheus_reads(server: Server) -> None:
    answer = server.ask("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in answer.text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) >= 0


def test_a_method_that_a_route_lacks_is_answered_with_those_that_it_has(server: Server) -> None:
    for method, route, allowed in (
        ("PUT", "/health", "GET"),
        ("GET", CACHE, "DELETE"),
        ("GET", f"{CACHE}/x", "DELETE"),
    ):
        answer = server.ask(method, route)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_body_that_is_no_request_is_refused_in_a_sentence(server: Server) -> None:
    json = {"Content-Type": "application/json"}
    for broken in (b"{", b"\xff\xfe", b"O)Xn\xc3", b"models=tiny.en"):
        assert refused(server, 422, content=broken, headers=json) == "The request cannot be used: its body is no JSON."
    assert "models" in refused(server, 422, json={"models": BUNDLED})
    assert "models.0" in refused(server, 422, json={"models": [None]})
    assert "at most 64" in refused(server, 422, json={"models": [BUNDLED] * 65})


def test_one_unknown_name_among_known_ones_loads_none(server: Server) -> None:
    server.json("DELETE", CACHE)
    before = server.json("GET", MODELS)["model_cache"]["loads"]
    assert "'someone/else'" in refused(server, 422, json={"models": [BUNDLED, "someone/else"]})
    server.preloaded()
    assert (server.keys(), server.json("GET", MODELS)["model_cache"]["loads"]) == ([], before)


def test_an_origin_that_is_no_address_is_refused_and_is_no_fault_of_the_server(server: Server) -> None:
    answer = server.ask("DELETE", CACHE, headers={"Origin": "http://[no-address"})
    assert (answer.status_code, "Traceback" in server.said + server.log) == (403, False)


def test_gradio_client_manages_models_with_the_token_only(guarded: Server) -> None:
    client = Client(guarded.url, verbose=False)
    for call, arguments in (("/preload", ([BUNDLED],)), ("/clear_cache", ("",))):
        with pytest.raises(Exception, match=r"^Managing models needs the token that VT_ADMIN_TOKEN holds\.$"):
            client.predict(*arguments, api_name=call)
        with pytest.raises(Exception, match=r"^The token is not the one that VT_ADMIN_TOKEN holds\.$"):
            client.predict(*arguments, "wrong", api_name=call)
    assert guarded.keys() == []
    (begun,) = client.predict([BUNDLED], SECRETS["VT_ADMIN_TOKEN"], api_name="/preload")
    assert set(begun) == STATE
    guarded.preloaded()
    assert client.predict("", SECRETS["VT_ADMIN_TOKEN"], api_name="/clear_cache")["freed"] == [begun["cache_key"]]
    assert SECRETS["VT_ADMIN_TOKEN"] not in guarded.said + guarded.log


def test_gradio_client_hears_of_an_unknown_model_in_the_same_sentence_as_scripts_do(server: Server) -> None:
    sentence = refused(server, 422, json={"models": ["/etc/passwd"]})
    with pytest.raises(Exception, match="No model goes by the name") as caught:
        Client(server.url, verbose=False).predict(["/etc/passwd"], api_name="/preload")
    assert str(caught.value) == sentence
