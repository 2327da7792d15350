"""Visitors: who sent a request, and how many things each visitor may do at a time."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vt.errors import TooManyRequests

SCOPE_KEY = "vt.visitor"
"""The key of the `Visitor` in an ASGI scope; a middleware in front of all others sets it."""
_IPV6_SITE_BITS = 64
"""The network part of an IPv6 address. A household may choose the other bits freely (RFC 6177, RFC 7934)."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from, as far as that can be known."""

    address: str = ""
    """The client's IP address: that of the connection, or the one that a trusted proxy names; empty: unknown."""
    is_local: bool = False
    """Whether the request comes from this machine: peer and Host are loopback, and there is no proxy between."""

    @property
    def key(self) -> str:
        """The name under which limits count a visitor: the address, or for IPv6 the network of the household."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, _IPV6_SITE_BITS), strict=False).network_address)


def of(scope: Mapping[str, Any]) -> Visitor:
    """Return the visitor of an ASGI scope; where no middleware has set one, the peer of the connection."""
    found = scope.get(SCOPE_KEY)
    if isinstance(found, Visitor):
        return found
    client = scope.get("client")
    return Visitor(str(client[0])) if client else Visitor()


class Proxies:
    """The proxies whose forwarding headers are believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """`trusted` are addresses and networks. `*` trusts every peer, but only the last address that it names."""
        listed = list(trusted)
        self._any_peer = "*" in listed
        self._networks = [ipaddress.ip_network(name, strict=False) for name in listed if name != "*"]

    def __contains__(self, peer: object) -> bool:
        return self._any_peer or self._is_listed(str(peer))

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the address of the client behind a trusted peer: the nearest one that is not a trusted proxy itself.

        Args:
            peer: the address of the connection.
            headers: of the request, by lower-case name; repeated ones are joined by commas.
        """
        nearest = peer
        for said in reversed(_forwarded_for(headers)):
            address = _plain(said)
            if not address:
                break
            nearest = address
            if not self._is_listed(nearest):
                break
        return nearest

    def _is_listed(self, peer: str) -> bool:
        try:
            address = ipaddress.ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks if network.version == address.version)


def _forwarded_for(headers: Mapping[str, str]) -> list[str]:
    """Return the addresses that proxies have added, the farthest first (X-Forwarded-For, or else RFC 7239)."""
    if "x-forwarded-for" in headers:
        return headers["x-forwarded-for"].split(",")
    found = []
    for element in headers.get("forwarded", "").split(","):
        pairs = (pair.partition("=") for pair in element.split(";"))
        found.append(next((value for name, _, value in pairs if name.strip().lower() == "for"), ""))
    return found


def _plain(said: str) -> str:
    """Return an address without quotes, brackets and port; empty where it is not an address, such as `unknown`."""
    text = said.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


class ConcurrencyLimit:
    """Limits how many things are done at a time, by each visitor and by all. Any thread may call any method."""

    def __init__(self, what: str, each: int, total: int) -> None:
        """`what` is the plural that errors use, such as "uploads"."""
        self._what, self._each, self._total = what, each, total
        self._lock = threading.Lock()
        self._at_work: Counter[str] = Counter()

    @contextmanager
    def held(self, visitor: str) -> Iterator[None]:
        """Count for a visitor while the block runs.

        Args:
            visitor: the `key` of a visitor.

        Raises:
            TooManyRequests: the limit is reached.
        """
        self._take(visitor)
        try:
            yield
        finally:
            self._give_back(visitor)

    @property
    def most(self) -> int:
        """How many all visitors together may do at a time."""
        return self._total

    @property
    def at_work(self) -> int:
        """How many all visitors together do now."""
        with self._lock:
            return self._at_work.total()

    def _take(self, visitor: str) -> None:
        with self._lock:
            if self._at_work[visitor] >= self._each:
                raise TooManyRequests(
                    "Too many {what} at a time come from your address ({count} are the most): wait for one to end, "
                    "then try again.",
                    what=self._what,
                    count=self._each,
                )
            if self._at_work.total() >= self._total:
                raise TooManyRequests(
                    "This server has too many {what} at once: try again in a moment.", what=self._what
                )
            self._at_work[visitor] += 1

    def _give_back(self, visitor: str) -> None:
        with self._lock:
            _count_down(self._at_work, visitor)


class PerVisitorSemaphore:
    """Limits how many things each visitor does at a time; further calls wait. Any thread may call any method."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._change = threading.Condition()
        self._at_work: Counter[str] = Counter()

    @contextmanager
    def one(self, visitor: str) -> Iterator[None]:
        """Count for a visitor while the block runs; before that, wait until the visitor is below the limit.

        Args:
            visitor: the `key` of a visitor.
        """
        with self._change:
            self._change.wait_for(lambda: self._at_work[visitor] < self._each)
            self._at_work[visitor] += 1
        try:
            yield
        finally:
            with self._change:
                _count_down(self._at_work, visitor)
                self._change.notify_all()


def _count_down(at_work: Counter[str], visitor: str) -> None:
    """Count one less for a visitor, and remove a visitor whose count is 0."""
    at_work[visitor] -= 1
    if not at_work[visitor]:
        del at_work[visitor]
