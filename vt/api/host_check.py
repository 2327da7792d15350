"""Checks the host and origin of every request, and finds out who its visitor is."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from vt.api import problems
from vt.settings import Settings
from vt.web import hosts
from vt.web.visitors import SCOPE_KEY, Proxies, Visitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_CLIENT_HEADERS = {
    "accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "content-length",
    "content-type", "cookie", "dnt", "expect", "host", "keep-alive", "origin", "pragma", "priority", "range", "referer",
    "te", "transfer-encoding", "upgrade", "upgrade-insecure-requests", "user-agent", "x-gradio-user",
}  # fmt: skip
_CLIENT_HEADER_PREFIXES = ("if-", "sec-")
"""Headers that browsers and scripts send. Any other may come from a proxy, whatever it is called."""
_FORWARDING = ("x-forwarded-", "forwarded")
_SCHEMES = {"http", "https"}
_FOREIGN = (
    "A page of another site may not ask this server for this: open the server's own page. Behind a proxy, have it pass "
    "on the Host that it was asked for, or name that in VT_ALLOWED_HOSTS."
)


class HostAndOriginCheck:
    """ASGI middleware that refuses requests for other hosts, and those that pages of other sites send.

    It puts a `Visitor` into the scope, and the host and scheme that the client used, also behind proxies.
    """

    def __init__(self, app: ASGIApp, settings: Settings, machine: str = "") -> None:
        """`machine` is the name of the machine; empty: as the system has it."""
        self._app = app
        self._proxies = Proxies(settings.proxies)
        self._expects_proxies = bool(settings.proxies)
        self._hosts = hosts.of(settings, machine or socket.gethostname())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _joined(scope)
        trusted = _peer(scope) in self._proxies
        said = _last(headers.get("x-forwarded-host", "")) if trusted else ""
        host = hosts.parsed(said or headers.get("host", ""))
        if refusal := self._refusal(scope, headers, host):
            ends = {"Connection": "close"} if refusal[0] == HTTPStatus.BAD_REQUEST else None
            await problems.problem(*refusal, ends)(scope, receive, send)
            return
        seen = {**scope, SCOPE_KEY: self._visitor(scope, headers, host, trusted)}
        if trusted:
            seen["scheme"] = _scheme(scope, headers)
        seen["headers"] = _without_forwarding(scope, said if trusted else "", trusted)
        await self._app(seen, receive, send)

    def _refusal(self, scope: Scope, headers: Mapping[str, str], host: hosts.Host | None) -> tuple[int, str] | None:
        if "content-length" in headers and "transfer-encoding" in headers:  # RFC 9112, 6.3: request smuggling
            return 400, "The request cannot be used: it tells the length of its body in two ways."
        if host is None or not (scope["path"].startswith("/") or scope.get("method") == "OPTIONS"):
            return 400, "The request cannot be used: it has to name a host, and a path that begins with a slash."
        if not self._hosts.allow(host):
            return (
                421,
                f"Nobody is here by the name {host[0]}: whoever runs this server can add it to VT_ALLOWED_HOSTS.",
            )
        if scope.get("method") not in _SAFE_METHODS and self._is_foreign(headers, host):
            return 403, _FOREIGN
        return None

    def _is_foreign(self, headers: Mapping[str, str], host: hosts.Host) -> bool:
        """Tell whether a page of another site has sent this from a browser; scripts send no such headers."""
        origin = headers.get("origin")
        if origin is not None:
            return not (hosts.is_same_site(origin, host) or self._hosts.names(origin))
        return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}

    def _visitor(self, scope: Scope, headers: Mapping[str, str], host: hosts.Host | None, trusted: bool) -> Visitor:
        peer = _peer(scope)
        is_local = (
            not self._expects_proxies
            and scope.get("http_version") == "1.1"  # nginx asks with 1.0, unless it is configured otherwise
            and host is not None
            and all(map(hosts.is_loopback, (peer, host[0])))
            and all(name in _CLIENT_HEADERS or name.startswith(_CLIENT_HEADER_PREFIXES) for name in headers)
            and (headers.get("origin") is None or hosts.is_same_site(headers["origin"], host))
            and not self._is_foreign(headers, host)
        )
        return Visitor(self._proxies.client(peer, headers) if trusted else peer, is_local)


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _joined(scope: Scope) -> dict[str, str]:
    """Return the headers by name; the values of a repeated one are joined by commas."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        found[key] = f"{found[key]},{value.decode('latin-1')}" if key in found else value.decode("latin-1")
    return found


def _last(listed: str) -> str:
    """Return the last of listed values, which the nearest proxy has added."""
    return listed.rpartition(",")[2].strip()


def _scheme(scope: Scope, headers: Mapping[str, str]) -> Any:  # noqa: ANN401
    said = _last(headers.get("x-forwarded-proto", "")).lower()
    if said not in _SCHEMES:
        return scope["scheme"]
    return said.replace("http", "ws") if scope["type"] == "websocket" else said


def _without_forwarding(scope: Scope, host: str, trusted: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers without those of proxies: trusted ones are in the scope by now, others are ignored.

    X-Forwarded-Proto stays even from a proxy that is not trusted. It does no harm, and without it the page would not
    load behind such a proxy that does TLS.
    """
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(tuple(prefix.encode() for prefix in _FORWARDING))
        or (name == b"x-forwarded-proto" and not trusted)
    ]
    return [(name, host.encode("latin-1") if name == b"host" and host else value) for name, value in kept]
