"""What every request passes first: its visitor, its host, and the site whose page sent it; case by case."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from vt.api import HostAndOriginCheck
from vt.settings import Settings
from vt.web import visitors
from vt.web.visitors import Visitor

LOCAL = {"Host": "127.0.0.1:8000"}
OPEN = {"host": "0.0.0.0"}  # noqa: S104
CLOSED = {"host": "127.0.0.1"}


class Passed:
    """What came of one request at the perimeter of a server."""

    def __init__(self, settings: dict[str, Any], peer: str, headers: Any, **scope: Any) -> None:  # noqa: ANN401
        self.scope: Any = None
        self.sent: list[Any] = []
        pairs = headers.items() if isinstance(headers, dict) else headers
        asked = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "scheme": "http",
            "client": (peer, 1) if peer else None,
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
            **scope,
        }
        perimeter = HostAndOriginCheck(self._app, Settings(**settings), machine="mybox")
        asyncio.run(perimeter(asked, self._receive, self._send))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        del receive, send
        self.scope = scope

    async def _receive(self) -> Any:  # noqa: ANN401
        raise AssertionError("no body is read")

    async def _send(self, message: Any) -> None:  # noqa: ANN401
        self.sent.append(message)

    @property
    def visitor(self) -> Visitor:
        return visitors.of(self.scope)

    @property
    def status(self) -> int:
        """The status with which it was refused; 200 where it was let through."""
        return 200 if self.scope else int(self.sent[0]["status"])

    @property
    def detail(self) -> str:
        return str(json.loads(self.sent[1]["body"])["detail"])

    def header(self, name: bytes) -> list[bytes]:
        return [value for found, value in self.scope["headers"] if found == name]


# Who sits at the machine

PROXIES = [
    "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded", "Forwarded", "Forwarded-For", "Via",
    "X-Real-IP", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "CF-Connecting-IP", "CF-Ray", "CDN-Loop",
    "Fastly-Client-IP", "X-Original-Host", "X-Original-Forwarded-For", "X-Envoy-External-Address", "X-Amzn-Trace-Id",
    "X-Request-Id", "X-ProxyUser-Ip", "WL-Proxy-Client-IP", "X-Azure-ClientIP", "Traceparent", "X-Gradio-Server",
    "What-Nobody-Knows",
]  # fmt: skip
BROWSER = {
    "User-Agent": "Mozilla/5.0",
    "Accept": "*/*",
    "Accept-Language": "en",
    "Sec-Fetch-Site": "same-origin",
    "Sec-CH-UA": "x",
    "Origin": "http://127.0.0.1:8000",
    "Referer": "http://127.0.0.1:8000/",
    "Content-Type": "application/json",
    "Connection": "keep-alive",
    "Cookie": "a=b",
    "Priority": "u=1",
}


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "headers",
    [
        LOCAL,
        {"Host": "localhost"},
        {"Host": "[::1]:8000"},
        {"Host": "127.8.9.1:80"},
        LOCAL | {"User-Agent": "curl/8", "Accept": "*/*", "Authorization": "Bearer x"},
        LOCAL | BROWSER,
        {"Host": "LOCALHOST.:8000", "Origin": "http://localhost:8000"},
    ],
)
def test_who_asks_straight_from_this_machine_is_local(peer: str, headers: dict[str, str]) -> None:
    assert Passed(OPEN, peer, headers, method="POST").visitor == Visitor(peer, is_local=True)


@pytest.mark.parametrize(
    ("peer", "headers", "scope"),
    [
        ("192.0.2.1", {}, {}),
        ("::ffff:192.0.2.1", {}, {}),
        ("", {}, {}),
        ("testclient", {}, {}),
        ("127.0.0.1", {"Host": "192.0.2.7:8000"}, {}),
        ("127.0.0.1", {"Host": "mybox:8000"}, {}),
        ("127.0.0.1", {}, {"http_version": "1.0"}),
        ("127.0.0.1", {}, {"http_version": "2"}),
        *(("127.0.0.1", {name: "127.0.0.1"}, {}) for name in PROXIES),
        ("127.0.0.1", {"Sec-Fetch-Site": "cross-site"}, {}),
        ("127.0.0.1", {"Sec-Fetch-Site": "same-site"}, {}),
        ("127.0.0.1", {"Origin": "http://127.0.0.1:3000"}, {}),
        ("127.0.0.1", {"Origin": "null"}, {}),
        ("127.0.0.1", {"Origin": ""}, {}),
        ("127.0.0.1", {"Origin": "http://[no-address"}, {}),
        ("127.0.0.1", {"Origin": "http://127.0.0.1:8000, http://127.0.0.1:8000"}, {}),
    ],
)
def test_nobody_else_is_local(peer: str, headers: dict[str, str], scope: dict[str, Any]) -> None:
    passed = Passed(OPEN, peer, LOCAL | headers, **scope)
    assert passed.visitor == Visitor(peer, is_local=False)


def test_where_proxies_are_expected_nobody_is_local() -> None:
    for settings in ({"trusted_proxies": "10.0.0.1"}, {"trusted_proxies": "*"}, {"space_id": "someone/vt"}):
        assert not Passed(OPEN | settings, "127.0.0.1", LOCAL).visitor.is_local
    assert not Passed(OPEN | {"allowed_hosts": "evil.example"}, "127.0.0.1", {"Host": "evil.example"}).visitor.is_local
    origin = {"Origin": "https://dub.example.org"}
    assert not Passed(OPEN | {"allowed_hosts": "dub.example.org"}, "127.0.0.1", LOCAL | origin).visitor.is_local


# For whom a proxy asks

FOR = "X-Forwarded-For"


@pytest.mark.parametrize(
    ("trusted", "peer", "headers", "address"),
    [
        ("", "127.0.0.1", [(FOR, "192.0.2.9")], "127.0.0.1"),
        ("10.0.0.1", "10.0.0.2", [(FOR, "192.0.2.9")], "10.0.0.2"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "192.0.2.9")], "192.0.2.9"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", [(FOR, "192.0.2.9")], "192.0.2.9"),
        # What stands further left was said by whoever asked, and may be a lie.
        ("10.0.0.1", "10.0.0.1", [(FOR, "127.0.0.1, 192.0.2.9")], "192.0.2.9"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "127.0.0.1"), (FOR, "192.0.2.9")], "192.0.2.9"),
        ("10.0.0.0/8", "10.0.0.1", [(FOR, "198.51.100.1, 192.0.2.9, 10.0.0.7")], "192.0.2.9"),
        ("10.0.0.0/8", "10.0.0.1", [(FOR, "10.0.0.8, 10.0.0.7")], "10.0.0.8"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "192.0.2.9:4711")], "192.0.2.9"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "[2001:db8::1]:4711")], "2001:db8::1"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "2001:db8::1")], "2001:db8::1"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "192.0.2.9, unknown")], "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", [(FOR, "")], "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", [], "10.0.0.1"),
        ("*", "203.0.113.1", [(FOR, "198.51.100.1, 192.0.2.9")], "192.0.2.9"),
        (
            "10.0.0.1",
            "10.0.0.1",
            [("Forwarded", 'for=198.51.100.1, for="[2001:db8::1]:80";proto=https')],
            "2001:db8::1",
        ),
        ("10.0.0.1", "10.0.0.1", [("Forwarded", "proto=https;for=192.0.2.9;by=10.0.0.1")], "192.0.2.9"),
        ("10.0.0.1", "10.0.0.1", [("Forwarded", "for=_hidden")], "10.0.0.1"),
    ],
)
def test_a_request_counts_for_the_nearest_address_that_is_no_believed_proxy(
    trusted: str, peer: str, headers: list[tuple[str, str]], address: str
) -> None:
    passed = Passed(OPEN | {"trusted_proxies": trusted}, peer, [*LOCAL.items(), *headers])
    assert passed.visitor == Visitor(address)


def test_on_a_space_its_own_proxy_is_believed() -> None:
    space = OPEN | {"space_id": "Some_One/My.Film"}
    headers = {"Host": "some-one-my-film.hf.space", FOR: "192.0.2.9, 10.20.1.1", "X-Forwarded-Proto": "https"}
    passed = Passed(space, "10.16.3.4", headers)
    assert (passed.visitor, passed.scope["scheme"]) == (Visitor("192.0.2.9"), "https")
    assert Passed(space, "203.0.113.1", headers).visitor == Visitor("203.0.113.1")
    assert Passed(space, "10.16.3.4", {"Host": "other.hf.space"}).status == 421
    assert Passed(space | {"space_host": "films.example"}, "10.16.3.4", {"Host": "films.example"}).status == 200


def test_host_and_scheme_are_those_that_a_believed_proxy_was_asked_for() -> None:
    headers = {
        "Host": "10.0.0.9:8000",
        "X-Forwarded-Host": "elsewhere.example, dub.example.org",
        "X-Forwarded-Proto": "https",
        "Origin": "https://dub.example.org",
    }
    settings = OPEN | {"allowed_hosts": "dub.example.org", "trusted_proxies": "10.0.0.1"}
    passed = Passed(settings, "10.0.0.1", headers, method="POST")
    assert (passed.status, passed.scope["scheme"], passed.header(b"host")) == (200, "https", [b"dub.example.org"])
    assert not [name for name, _ in passed.scope["headers"] if name.startswith(b"x-forwarded")]
    assert Passed(settings, "10.0.0.1", headers, type="websocket", scheme="ws").scope["scheme"] == "wss"
    # Of anybody else that is no more than a claim.
    other = Passed(settings, "10.0.0.2", headers)
    assert (other.scope["scheme"], other.header(b"host")) == ("http", [b"10.0.0.9:8000"])
    assert not other.header(b"x-forwarded-host")


# Which hosts there are


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        (CLOSED, "localhost:8000", 200),
        (CLOSED, "127.0.0.1", 200),
        (CLOSED, "[::1]:8000", 200),
        (CLOSED, "192.168.1.5:8000", 421),
        (CLOSED, "mybox", 421),
        (CLOSED, "rebound.example:8000", 421),
        (CLOSED, "127.0.0.1.rebound.example", 421),
        (CLOSED, "localhost.rebound.example", 421),
        (CLOSED, "2130706433", 421),
        ({"host": "192.168.1.5"}, "192.168.1.5:8000", 200),
        ({"host": "192.168.1.5"}, "192.168.1.6:8000", 421),
        (OPEN, "192.168.1.5:8000", 200),
        (OPEN, "[2001:db8::1]:8000", 200),
        (OPEN, "mybox:8000", 200),
        (OPEN, "mybox.local", 200),
        (OPEN, "rebound.example", 421),
        ({"host": "::"}, "192.168.1.5:8000", 200),
        (OPEN | {"allowed_hosts": "dub.example.org"}, "DUB.example.org.:443", 200),
        (OPEN | {"allowed_hosts": "dub.example.org"}, "sub.dub.example.org", 421),
        (OPEN | {"allowed_hosts": ".example.org"}, "dub.example.org", 200),
        (OPEN | {"allowed_hosts": "*.example.org"}, "dub.example.org", 200),
        (OPEN | {"allowed_hosts": "*.example.org"}, "badexample.org", 421),
        (OPEN | {"allowed_hosts": "*"}, "anything.example", 200),
        (OPEN, "", 400),
        (OPEN, "local host", 400),
        (OPEN, "user@localhost", 400),
        (OPEN, "localhost:port", 400),
        (OPEN, "localhost:99999999", 400),
        (OPEN, "[::1", 400),
        (OPEN, "[localhost]", 400),
        (OPEN, "lö", 400),
        (OPEN, "localhost, localhost", 400),
    ],
)
def test_only_hosts_that_are_known_are_answered_for_reads_too(settings: dict[str, str], host: str, status: int) -> None:
    for kind in ("http", "websocket"):
        passed = Passed(settings, "127.0.0.1", {"Host": host}, type=kind)
        assert passed.status == status
        if status == 421:
            assert "VT_ALLOWED_HOSTS" in passed.detail


def test_a_request_without_a_host_or_for_a_path_that_is_none_is_refused() -> None:
    assert Passed(OPEN, "127.0.0.1", {}, http_version="1.0").status == 400
    assert Passed(OPEN, "127.0.0.1", LOCAL, path="http://rebound.example/").status == 400
    assert Passed(OPEN, "127.0.0.1", LOCAL, path="").status == 400
    assert Passed(OPEN, "127.0.0.1", LOCAL, path="*", method="OPTIONS").status == 200


# Which sites there are

FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://elsewhere.example"},
    {"Origin": "http://localhost:3000"},
    {"Origin": "null"},
    {"Origin": "file://"},
    {"Origin": ""},
    {"Origin": "http://192.168.1.5:8000@elsewhere.example"},
    {"Origin": "https://192.168.1.5:8000.elsewhere.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
LAN = {"Host": "192.168.1.5:8000"}


def test_a_body_whose_length_is_told_in_two_ways_ends_the_line() -> None:
    passed = Passed(OPEN, "192.0.2.1", LAN | {"Content-Length": "5", "Transfer-Encoding": "chunked"}, method="POST")
    assert (passed.status, "two ways" in passed.detail) == (400, True)
    assert (b"connection", b"close") in passed.sent[0]["headers"]
    for header in ({"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}):
        assert Passed(OPEN, "192.0.2.1", LAN | header, method="POST").status == 200


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_page_of_another_site_has_nothing_done(headers: dict[str, str]) -> None:
    for method in ("POST", "PATCH", "PUT", "DELETE", "X"):
        passed = Passed(OPEN, "192.0.2.1", LAN | headers, method=method)
        assert (passed.status, "another site" in passed.detail) == (403, True)
    lines = Passed(OPEN, "192.0.2.1", LAN | headers, type="websocket", method=None)
    assert (lines.status, lines.sent[0]["type"]) == (403, "websocket.http.response.start")
    for method in ("GET", "HEAD", "OPTIONS"):
        assert Passed(OPEN, "192.0.2.1", LAN | headers, method=method).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://192.168.1.5:8000"},
        {"Origin": "https://192.168.1.5:8000"},  # a proxy that nobody has told of may do TLS
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://dub.example.org", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_scripts_the_own_page_and_what_the_operator_names_have_things_done(headers: dict[str, str]) -> None:
    settings = OPEN | {"allowed_hosts": "dub.example.org"}
    assert Passed(settings, "192.0.2.1", LAN | headers, method="POST").status == 200


def test_any_host_does_not_mean_any_site() -> None:
    settings = OPEN | {"allowed_hosts": "*"}
    assert Passed(settings, "192.0.2.1", LAN | {"Origin": "https://elsewhere.example"}, method="POST").status == 403
    usual = {"Host": "dub.example.org", "Origin": "https://dub.example.org"}
    assert Passed(settings, "192.0.2.1", usual, method="POST").status == 200
