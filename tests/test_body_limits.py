"""How large a body may be and what may stand in it: nothing is read in vain, and every answer is a documented one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from vt.api import BodyLimits, make_api
from vt.api.body_limits import MOST_BYTES, MOST_VALUES
from vt.api.schemas import Changes, PreloadRequest
from vt.factory import AIServiceFactory
from vt.services import Services
from vt.settings import Settings
from vt.web.multipart import FORM_BYTES
from vt.web.visitors import SCOPE_KEY, Visitor

MB = 2**20
PRELOAD = "/api/v1/models/preload"
SEGMENTS = "/api/v1/jobs/" + "a" * 26 + "/segments"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(data_dir=tmp_path, engines="embedded", preload_models=False, max_upload_mb=1)
    found = Services(settings, AIServiceFactory(settings))
    yield found
    found.close()


class Exchange:
    """One request, sent piece by piece, and what came of it."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401
        method: str,
        path: str,
        pieces: list[bytes],
        headers: dict[str, str],
        *,
        is_local: bool = True,
    ) -> None:
        self._pieces, self.read, self.sent = pieces, 0, list[Any]()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "server": ("vt", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            SCOPE_KEY: Visitor("127.0.0.1", is_local),
        }
        asyncio.run(app(scope, self._receive, self._send))

    async def _receive(self) -> Any:  # noqa: ANN401
        if self.read == len(self._pieces):
            return {"type": "http.disconnect"}
        self.read += 1
        body = self._pieces[self.read - 1]
        return {"type": "http.request", "body": body, "more_body": self.read < len(self._pieces)}

    async def _send(self, message: Any) -> None:  # noqa: ANN401
        self.sent.append(message)

    @property
    def status(self) -> int:
        starts = [message for message in self.sent if message["type"] == "http.response.start"]
        assert len(starts) == 1
        assert (b"content-type", b"application/problem+json") in starts[0]["headers"] or starts[0]["status"] < 300
        return int(starts[0]["status"])


ROUTES = [("POST", PRELOAD), ("PATCH", SEGMENTS), ("POST", "/gradio_api/queue/join"), ("GET", "/health")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_body_whose_length_is_told_is_refused_before_anything_of_it_is_read(
    services: Services, method: str, path: str
) -> None:
    app = BodyLimits(make_api(services), max_upload_mb=1)
    exchange = Exchange(app, method, path, [b"x"], JSON | {"Content-Length": str(MOST_BYTES + 1)})
    assert (exchange.status, exchange.read) == (413, 0)
    endless = Exchange(app, method, path, [b"x"], JSON | {"Content-Length": "9" * 4000})
    assert (endless.status, endless.read) == (413, 0)


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/inspect", "/gradio_api/upload", "/api/v1/jobs/"])
def test_an_upload_may_be_as_large_as_a_film_and_no_larger(services: Services, path: str) -> None:
    app = BodyLimits(make_api(services), max_upload_mb=1)
    exchange = Exchange(app, "POST", path, [b"x"], {"Content-Length": str(MB + FORM_BYTES + 1)})
    assert (exchange.status, exchange.read) == (413, 0)
    assert "VT_MAX_UPLOAD_MB" in exchange.sent[1]["body"].decode()


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "5"}, {"Content-Length": "-1"}, {"Content-Length": "x"}])
def test_a_body_that_does_not_tell_its_length_is_counted_as_it_comes(
    services: Services, headers: dict[str, str]
) -> None:
    app = BodyLimits(make_api(services), max_upload_mb=1)
    pieces = [b'{"models": ["'] + [b"x" * 2**16] * 200
    exchange = Exchange(app, "POST", PRELOAD, pieces, JSON | headers)
    assert exchange.status == 413
    assert exchange.read * 2**16 <= MOST_BYTES + 2 * 2**16


FULL = {
    "unknown names": b'{"segments": [{' + b",".join(b'"%x": 1' % number for number in range(MOST_VALUES)) + b"}]}",
    "empty lists": b"[" + b"[]," * MOST_VALUES + b"1]",
    "empty objects": b'{"segments": [' + b"{}\n," * MOST_VALUES + b"{}]}",
    "lists in lists": b"[" * MOST_VALUES + b"[",
}


@pytest.mark.parametrize("body", FULL.values(), ids=FULL.keys())
@pytest.mark.parametrize(("method", "path"), ROUTES[:3])
def test_a_body_with_too_much_in_it_is_refused_before_it_is_taken_apart(method: str, path: str, body: bytes) -> None:
    read = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        del scope, send
        while (message := await receive())["type"] == "http.request":
            read.append(message["more_body"])

    pieces = [body[start : start + 2**16] for start in range(0, len(body), 2**16)]
    exchange = Exchange(BodyLimits(app, max_upload_mb=1), method, path, pieces, JSON)
    assert (exchange.status, all(read)) == (413, True)
    assert f"{MOST_VALUES} values are the most" in exchange.sent[1]["body"].decode()


def test_a_body_with_all_lines_of_a_long_film_is_let_through(services: Services) -> None:
    text = "Well, now that you say so, I do remember what she said."
    line = {"text": text, "source_text": text, "start": 1.0, "end": 2.0}
    body = json.dumps({"segments": [{"id": number} | line for number in range(3000)]}).encode()
    exchange = Exchange(BodyLimits(make_api(services), 1), "PATCH", SEGMENTS, [body], JSON | {"If-Match": '"1"'})
    assert exchange.status == 404  # there is no such job


def test_an_upload_may_hold_whatever_bytes_it_likes(services: Services) -> None:
    exchange = Exchange(BodyLimits(make_api(services), 1), "POST", "/api/v1/jobs", [b"," * 2 * MOST_VALUES], JSON)
    assert exchange.status in (400, 422)


@pytest.mark.parametrize(
    ("shape", "sent"),
    [
        (PreloadRequest, {str(number): 1 for number in range(100)}),
        (PreloadRequest, {"models": [1] * 60}),
        (Changes, {str(number): 1 for number in range(100)}),
        (Changes, {"segments": [[]] * 100}),
        (Changes, {"segments": [{"id": 1} | {str(number): 1 for number in range(100)}]}),
    ],
)
def test_a_body_that_is_wrong_a_hundred_times_is_told_what_is_wrong_a_few_times(
    shape: type[BaseModel], sent: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError) as raised:
        shape.model_validate(sent)
    assert raised.value.error_count() <= 6


def _half_sent(bodies: BodyLimits, path: str, headers: dict[str, str], visitors: list[str]) -> list[int]:
    """Return the statuses that come at once, where each visitor has begun a body and does not go on."""
    statuses: list[int] = []

    async def begin(address: str) -> None:
        async def receive() -> Any:  # noqa: ANN401
            return await asyncio.Event().wait()

        async def send(message: Any) -> None:  # noqa: ANN401
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
                assert any(name == b"retry-after" for name, _ in message["headers"])

        scope = {
            "type": "http",
            "method": "PATCH",
            "path": path,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            SCOPE_KEY: Visitor(address),
        }
        await bodies(scope, receive, send)

    async def all_of_them() -> None:
        begun = [asyncio.create_task(begin(address)) for address in visitors]
        for _ in range(5):
            await asyncio.sleep(0)
        for task in begun:
            task.cancel()
        await asyncio.wait(begun)

    asyncio.run(all_of_them())
    return statuses


async def _reading(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    del scope, send
    await receive()


@pytest.mark.parametrize("headers", [{"Content-Length": "2000000"}, {"Transfer-Encoding": "chunked"}])
def test_bodies_that_are_half_sent_count_for_their_visitor(headers: dict[str, str]) -> None:
    bodies = BodyLimits(_reading, 1)
    assert _half_sent(bodies, SEGMENTS, headers, ["192.0.2.1"] * 34 + ["192.0.2.2"]) == [429, 429]
    assert _half_sent(bodies, SEGMENTS, headers, ["192.0.2.1"] * 32) == []  # those that have left count no more
    crowd = [f"192.0.2.{number}" for number in range(32) for _ in range(9)]
    assert len(_half_sent(bodies, SEGMENTS, headers, crowd)) == len(crowd) - 256


@pytest.mark.parametrize(("path", "headers"), [(SEGMENTS, {}), (SEGMENTS, {"Content-Length": "0"})])
def test_requests_without_a_body_are_not_counted_as_bodies(path: str, headers: dict[str, str]) -> None:
    assert _half_sent(BodyLimits(_reading, 1), path, headers, ["192.0.2.1"] * 100) == []


def test_uploads_are_not_counted_with_the_other_bodies() -> None:
    assert _half_sent(BodyLimits(_reading, 1), "/api/v1/jobs", {"Content-Length": "9"}, ["192.0.2.1"] * 100) == []


def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] == "http.request":
            await send({"type": "http.response.body", "body": b"", "more_body": True})

    exchange = Exchange(BodyLimits(app, max_upload_mb=1), "POST", "/x", [b"x" * MB] * 9, {})
    assert (exchange.status, exchange.read) == (200, 3)


def test_who_may_not_manage_models_is_told_so_before_anything_is_read(services: Services) -> None:
    app = BodyLimits(make_api(services), max_upload_mb=1)
    for method, path in (("POST", PRELOAD), ("DELETE", "/api/v1/models/cache"), ("GET", "/api/v1/jobs")):
        exchange = Exchange(app, method, path, [b"{}"], JSON, is_local=False)
        assert (exchange.status, exchange.read) == (403, 0)


WRONG: list[bytes] = [
    b"{",
    b"nonsense",
    b"\xff\xfe\x00",
    b'{"segments": [{"id": 0, "text": "\xff"}]}',
    b'"text',
    b"[" * 40_000,
    b'{"segments":' * 40_000,
    b"[" * 40_000 + b"]" * 40_000,
    b"1" * 10_000,
    b'{"segments": [{"id": ' + b"1" * 10_000 + b"}]}",
    b'{"segments": [{"id": NaN}]}',
    b'{"segments": [{"id": 0, "start": NaN}]}',
    b'{"segments": [{"id": 0, "start": 1e999}]}',
    b'{"segments": [{"id": 0, "text": "\\ud800"}]}',
    b'{"\\ud800": 1, "segments": [{"id": 0}]}',
    b'{"' + b"x" * 1_000_000 + b'": 1, "segments": [{"id": 0}]}',
    b'{"segments": [{"id": 0, "\\ud800": 1}]}',
    b"null",
    b"7",
    b"[]",
    b'{"models": ["\\ud800"]}',
    b'{"models": {"a": 1}}',
    b'{"models": [' + b'"x",' * 40_000 + b'"x"]}',
]


@pytest.mark.parametrize("body", WRONG, ids=lambda body: body[:30].decode("latin-1"))
@pytest.mark.parametrize(("method", "path"), [("POST", PRELOAD), ("PATCH", SEGMENTS)])
def test_json_that_is_broken_or_wild_is_refused_in_a_sentence(
    services: Services, method: str, path: str, body: bytes
) -> None:
    headers = JSON | {"If-Match": '"1"'}
    exchange = Exchange(BodyLimits(make_api(services), 1), method, path, [body], headers)
    if (method, body) == ("POST", b"null"):
        assert exchange.status == 202  # no names: the default models
        return
    assert exchange.status == 422
    said = json.loads(exchange.sent[1]["body"])["detail"]
    assert 0 < len(said) < 500


def test_of_a_name_that_is_there_twice_the_last_counts(services: Services) -> None:
    body = b'{"models": ["nonsense-1"], "models": ["nonsense-2"]}'
    exchange = Exchange(BodyLimits(make_api(services), 1), "POST", PRELOAD, [body], JSON)
    assert (exchange.status, b"nonsense-2" in exchange.sent[1]["body"]) == (422, True)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_form_of_another_site_could_send_is_taken_for_no_json(services: Services, kind: str) -> None:
    exchange = Exchange(BodyLimits(make_api(services), 1), "POST", PRELOAD, [b'{"models": []}'], {"Content-Type": kind})
    assert exchange.status == 422


ODD = ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND", "GET ", "get"]


def test_odd_methods_and_paths_have_documented_answers(services: Services) -> None:
    app = BodyLimits(make_api(services), 1)
    for method in ODD:
        assert Exchange(app, method, PRELOAD, [b""], {}).status == 405
    for path in ("/api/v1/../../etc/passwd", "/api/v1/jobs/../../etc", "//health", "/health/x", "/health\x00"):
        assert Exchange(app, "GET", path, [b""], {}).status == 404
