"""Random JSON for every function of the page, by number and by name: documented answers, and a server that is well."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.servers import Server
from tests.test_gateway import JSON, functions, named, stranger

ANSWERS = {200, 400, 404, 413, 415, 422, 429, 503, 507}
NAMES = [
    "translate",
    "transcribe",
    "edit",
    "languages",
    "models",
    "preload",
    "clear_cache",
    "health",
    "predict",
    "../run",
    "\u4e2d",
    "",
]
ROUTES = ["run/{name}", "call/{name}", "queue/join", "cancel", "reset", "upload"]
SESSIONS: list[Any] = ["a", "", "../x", "s" * 65, None, 7, {}]

scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=12)
    | st.sampled_from(["/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x", "\ud800", "a\0b", "es", "x" * 5000])
)  # fmt: skip
keys = st.text(max_size=8) | st.sampled_from(["path", "url", "meta", "data"])
values = st.recursive(
    scalars | scalars.map(named),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "data": st.lists(values, max_size=8) | values,
        "fn_index": st.integers(-3, 60) | values,
        "session_hash": st.sampled_from(SESSIONS),
        "event_data": values,
        "event_id": st.sampled_from(["a", "../x", 1, None]),
        "trigger_id": values,
        "api_name": st.sampled_from(NAMES),
        "batched": st.booleans(),
        "simple_format": values,
        "request": values,
    },
)
FREELY = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(scope="module")
def known(guarded: Server) -> list[dict[str, Any]]:
    return functions(guarded)


def right(answer: httpx.Response) -> None:
    """See that an answer is documented, and tells nothing of the server's inside."""
    assert answer.status_code in ANSWERS, (answer.status_code, answer.text)
    for told in ("Traceback", 'File "', "site-packages", "root:x:0"):
        assert told not in answer.text


@FREELY
@given(route=st.sampled_from(ROUTES), name=st.sampled_from(NAMES), body=bodies | values)
def test_no_body_of_a_call_is_answered_otherwise_than_is_documented(
    guarded: Server, route: str, name: str, body: object
) -> None:
    with stranger(guarded) as me:
        right(me.post(route.format(name=name), body))


@FREELY
@given(data=st.data())
def test_no_arguments_of_any_function_are_answered_otherwise_than_is_documented(
    guarded: Server,
    known: list[dict[str, Any]],
    data: Any,  # noqa: ANN401 (hypothesis names no type)
) -> None:
    function = data.draw(st.sampled_from(known), label="function")
    count = len(function["inputs"])
    arguments = data.draw(st.lists(values, min_size=count, max_size=count), label="arguments")
    with stranger(guarded) as me:
        right(me.run(function["id"], arguments, data.draw(values, label="event")))
        right(me.post(f"call/{function['api_name']}", {"data": arguments}))


BROKEN = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[" * 5000,
    b'{"a":' * 5000,
    b'{"data": [NaN]}',
    b"9" * 5000,
    b"null",
    b'"x"',
    b"{}" * 2,
]
BROKEN += [json.dumps({"data": ["x" * 200_000]}).encode(), b'{"data": [' + b"0," * 60_000 + b"0]}"]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("route", ["run/predict", "call/translate", "queue/join", "cancel", "reset"])
def test_no_broken_body_is_answered_otherwise_than_is_documented(guarded: Server, route: str, body: bytes) -> None:
    with stranger(guarded) as me:
        answer = me.client.post(f"/gradio_api/{route}", content=body, headers=JSON)
        right(answer)
        assert answer.status_code >= 400


def test_the_server_is_well_after_all_that(guarded: Server) -> None:
    assert guarded.ask("GET", "/health").status_code == 200
    assert "Traceback" not in guarded.said
