"""Check a running server: every route, the factory and its cache. See scripts/check-service."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.25
Check = tuple[str, Callable[[], str]]


class Failed(Exception):
    """A check that did not hold; its words say why."""


class Service:
    """The server under check."""

    def __init__(self, url: str, token: str) -> None:
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self.client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=30.0)

    def ask(self, method: str, route: str, *wanted: int, **more: Any) -> httpx.Response:  # noqa: ANN401
        """Ask for a route, and insist on one of the wanted statuses."""
        answer = self.client.request(method, route, **more)
        if answer.status_code not in wanted:
            detail = f": {answer.json()['detail']}" if "problem+json" in answer.headers.get("content-type", "") else ""
            raise Failed(f"status {answer.status_code} where {' or '.join(map(str, wanted))} was expected{detail}")
        return answer

    def keys(self) -> list[str]:
        """Return the cache keys of the models that are ready."""
        cache = self.ask("GET", "/api/v1/models", 200).json()["model_cache"]
        return [model["cache_key"] for model in cache["models"] if model["state"] == "ready"]

    def wait_until_ready(self) -> None:
        """Wait until a running preload has ended."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while any(model["state"] in ("queued", "loading") for model in self._preloading()):
            if time.monotonic() > until:
                raise Failed(f"the preload has not ended after {_PATIENCE_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _preloading(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = self.ask("GET", "/ready", 200, 503).json()["models"]
        return models


def checks(service: Service) -> Iterator[Check]:
    """Yield every check with its name; each returns what it found, or raises `Failed`."""
    yield "GET /", lambda: "vt {version}, {status}".format(**service.ask("GET", "/", 200).json())
    yield "GET / (page)", lambda: _page(service)
    yield "GET /health", lambda: _health(service)
    yield "GET /ready", lambda: _ready(service)
    yield "GET /api/v1/languages", lambda: _languages(service)
    yield "GET /metrics", lambda: _metrics(service)
    yield "GET /openapi.json", lambda: f"{len(service.ask('GET', '/openapi.json', 200).json()['paths'])} paths"
    yield "GET /docs", lambda: f"{len(service.ask('GET', '/docs', 200).content)} bytes"
    yield "GET /api/v1/models", lambda: f"{len(service.keys())} in memory"
    yield "DELETE an unknown key", lambda: _problem(service, "DELETE", "/api/v1/models/cache/no-such-model", 404)
    yield (
        "POST preload of a path",
        lambda: _problem(service, "POST", "/api/v1/models/preload", 422, json={"models": ["../etc/passwd"]}),
    )
    yield "the cache: warm, free one, free all", lambda: _cache(service)


def _page(service: Service) -> str:
    answer = service.ask("GET", "/", 200, headers={"Accept": "text/html"})
    if "<html" not in answer.text:
        raise Failed("this is no page")
    return f"{len(answer.content)} bytes"


def _health(service: Service) -> str:
    health = service.ask("GET", "/health", 200, 503).json()
    if health["status"] == "unhealthy":
        raise Failed(" ".join(health["notes"]))
    return " ".join([health["status"], *health["notes"]])


def _ready(service: Service) -> str:
    service.wait_until_ready()
    models = service.ask("GET", "/ready", 200).json()["models"]
    return ", ".join(f"{model['cache_key']} {model['state']}" for model in models) or "nothing was preloaded"


def _languages(service: Service) -> str:
    rows = service.ask("GET", "/api/v1/languages", 200).json()["languages"]
    spoken = sum(bool(row["translate_to"] and row["speak"]) for row in rows)
    if not spoken:
        raise Failed("no language can be translated to and spoken here")
    return f"{len(rows)} languages, {spoken} that can be dubbed into"


def _metrics(service: Service) -> str:
    lines = [line for line in service.ask("GET", "/metrics", 200).text.splitlines() if not line.startswith("#")]
    if not any(line.startswith("vt_model_budget_bytes") for line in lines):
        raise Failed("the budget of the models is not among them")
    return f"{len(lines)} samples"


def _problem(service: Service, method: str, route: str, status: int, **more: Any) -> str:  # noqa: ANN401
    answer = service.ask(method, route, status, **more)
    if answer.headers["content-type"] != "application/problem+json":
        raise Failed("this is no problem+json")
    return str(answer.json()["detail"])


def _cache(service: Service) -> str:
    if not service.ask("GET", "/api/v1/models", 200).json()["model_cache"]["cache_enabled"]:
        return "MODEL_CACHE_ENABLED is false: no model stays, so there is nothing to free"
    before = service.keys()
    service.ask("POST", "/api/v1/models/preload", 202)
    service.wait_until_ready()
    warm = service.keys()
    if not warm:
        raise Failed("no model is in memory after a preload")
    service.ask("DELETE", f"/api/v1/models/cache/{warm[0]}", 200, 202)
    freed = service.ask("DELETE", "/api/v1/models/cache", 200).json()
    left = set(service.keys()) & {*warm}
    if left:
        raise Failed(f"{', '.join(left)} did not go")
    if before:
        service.ask("POST", "/api/v1/models/preload", 202)
        service.wait_until_ready()
    return f"{len(warm)} warmed and freed, {freed['freed_mb']:.0f} MB at the last step"


def main(arguments: list[str]) -> int:
    """Run all checks, print a line for each, and return 0 where all held."""
    url = arguments[0] if arguments else f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    service = Service(url, os.environ.get("VT_ADMIN_TOKEN", ""))
    failures = 0
    for name, check in checks(service):
        try:
            print(f"ok      {name}: {check()}", flush=True)
        except httpx.HTTPError as error:
            print(f"FAILED  {name}: no answer from {url}: {error}", flush=True)
            return 1
        except (Failed, KeyError, ValueError) as error:
            failures += 1
            print(f"FAILED  {name}: {error}", flush=True)
    print(f"{failures} of the checks failed." if failures else f"All is well at {url}.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
