"""Check a running server: every route, the factory and its cache. See scripts/check-service."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx

_PATIENCE_SECONDS = 600.0
_POLL_SECONDS = 0.25
_ROUTES_OF_A_JOB = (
    ("GET", ""),
    ("DELETE", ""),
    ("POST", "/cancel"),
    ("GET", "/events"),
    ("GET", "/video"),
    ("GET", "/subtitles/es.srt"),
    ("GET", "/report"),
    ("GET", "/segments"),
    ("PATCH", "/segments"),
)
_FORM = {"subtitles": ("", b"")}
"""A file's field that is left empty: what makes a form a multipart one."""
SAMPLE = Path(__file__).parent.parent / "samples" / "sense_and_sensibility.mp4"
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

    def follow(self, job: str) -> None:
        """Follow a job by server-sent events until it is done."""
        last = ""
        with self.client.stream("GET", f"{job}/events", timeout=_PATIENCE_SECONDS) as events:
            for line in events.iter_lines():
                last = line.removeprefix("data: ") or last
        found = json.loads(last)
        if found["state"] != "done":
            raise Failed(f"the job is {found['state']}: {found['error']}")

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
    yield "POST /api/v1/inspect", lambda: _inspected(service)
    yield "POST a job that is no film", lambda: _no_film(service)
    yield "GET /api/v1/jobs", lambda: f"{len(service.ask('GET', '/api/v1/jobs', 200).json()['jobs'])} jobs"
    for method, end in _ROUTES_OF_A_JOB:
        yield f"{method} /api/v1/jobs/(unknown){end}", partial(_unknown, service, method, end)
    yield "a job: upload, follow, results, mend, another language, remove", lambda: _job(service)
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


def _inspected(service: Service) -> str:
    with SAMPLE.open("rb") as film:
        found = service.ask("POST", "/api/v1/inspect", 200, files={"file": film}).json()
    return f"{found['duration_seconds']} s, {found['video']['codec']}, {found['audio'][0]['codec']}"


def _no_film(service: Service) -> str:
    form = {"files": {"file": ("letter.mp4", b"no film")}, "data": {"target_language": "es"}}
    return _problem(service, "POST", "/api/v1/jobs", 422, **form)


def _unknown(service: Service, method: str, end: str) -> str:
    more = {"json": {"segments": [{"id": 0}]}, "headers": {"If-Match": '"1"'}} if method == "PATCH" else {}
    return _problem(service, method, f"/api/v1/jobs/{'a' * 26}{end}", 404, **more)


def _job(service: Service) -> str:
    with SAMPLE.open("rb") as film:
        form = {"files": {"file": film}, "data": {"target_language": "es"}}
        first = f"/api/v1/jobs/{service.ask('POST', '/api/v1/jobs', 202, **form).json()['id']}"
    jobs = [first]
    try:
        service.follow(first)
        part = service.ask("GET", f"{first}/video", 206, headers={"Range": "bytes=0-99"})
        lines = service.ask("GET", f"{first}/segments", 200)
        for end in ("subtitles/es.srt", "subtitles/es.vtt", "report"):
            service.ask("GET", f"{first}/{end}", 200)
        change = {"segments": [{"id": 0, "text": "Dicho de otro modo."}]}
        service.ask("PATCH", f"{first}/segments", 202, json=change, headers={"If-Match": lines.headers["etag"]})
        service.follow(first)
        again = {"from_job": first.rpartition("/")[2], "target_language": "fr"}
        jobs.append(f"/api/v1/jobs/{service.ask('POST', '/api/v1/jobs', 202, data=again, files=_FORM).json()['id']}")
        service.ask("POST", f"{jobs[1]}/cancel", 200, 409)  # 409: it is done already
    finally:
        for job in jobs:
            service.ask("DELETE", job, 204)
    return f"{len(lines.json()['segments'])} lines, {part.headers['content-range'].rpartition('/')[2]} bytes"


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
