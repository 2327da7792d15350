"""Visitors: whom a request counts for, and how much of anything each visitor may do at a time."""

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
"""Under which an ASGI scope holds its `Visitor`; what stands in front of everything puts it there."""
_IPV6_SITE_BITS = 64
"""Of an IPv6 address, what its owner cannot choose freely (RFC 6177, RFC 7934): the rest counts for nobody else."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where a request comes from, as far as that can be known."""

    address: str = ""
    """The client's IP address: the peer's, or what a trusted proxy says; empty where there is none."""
    is_local: bool = False
    """Whether somebody at this machine asks, straight: peer and Host are loopback, and no proxy stands between."""

    @property
    def key(self) -> str:
        """For whom a request counts: the address, or of an IPv6 one the network that one household has."""
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
    """Return the visitor of an ASGI scope; its peer, where nothing in front has looked closer."""
    found = scope.get(SCOPE_KEY)
    if isinstance(found, Visitor):
        return found
    client = scope.get("client")
    return Visitor(str(client[0])) if client else Visitor()


class Proxies:
    """The proxies whose forwarding headers are believed."""

    def __init__(self, trusted: Iterable[str]) -> None:
        """`trusted` are addresses and networks; `*` is every peer, but of what it says only the last part."""
        listed = list(trusted)
        self._any_peer = "*" in listed
        self._networks = [ipaddress.ip_network(name, strict=False) for name in listed if name != "*"]

    def __contains__(self, peer: object) -> bool:
        return self._any_peer or self._is_listed(str(peer))

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return for whom a believed peer asks: the nearest address that is no believed proxy itself.

        Args:
            peer: the address that the connection comes from.
            headers: of the request, by lower-case name, each with all that was said in it.
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
    """Return the addresses that proxies say, the farthest first (X-Forwarded-For, or else RFC 7239)."""
    if "x-forwarded-for" in headers:
        return headers["x-forwarded-for"].split(",")
    found = []
    for element in headers.get("forwarded", "").split(","):
        pairs = (pair.partition("=") for pair in element.split(";"))
        found.append(next((value for name, _, value in pairs if name.strip().lower() == "for"), ""))
    return found


def _plain(said: str) -> str:
    """Return an address without quotes, brackets and port; empty where it is none, such as `unknown`."""
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
    """At most so many at a time: of each visitor, and of all together. Any thread may call any method."""

    def __init__(self, what: str, each: int, total: int) -> None:
        """`what` names in a sentence what there are too many of, such as "uploads"."""
        self._what, self._each, self._total = what, each, total
        self._lock = threading.Lock()
        self._at_work: Counter[str] = Counter()

    @contextmanager
    def held(self, visitor: str) -> Iterator[None]:
        """Count for a visitor while the block runs.

        Args:
            visitor: the `key` of a visitor.

        Raises:
            TooManyRequests: so many are at work already.
        """
        self._take(visitor)
        try:
            yield
        finally:
            self._give_back(visitor)

    @property
    def most(self) -> int:
        """How many there may be at a time, of all visitors."""
        return self._total

    @property
    def at_work(self) -> int:
        """How many are at work now, of all visitors."""
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
    """So many of each visitor's at a time; further ones wait. So no visitor holds all that there is for everybody.

    Any thread may call any method.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._change = threading.Condition()
        self._at_work: Counter[str] = Counter()

    @contextmanager
    def one(self, visitor: str) -> Iterator[None]:
        """Count for a visitor while the block runs; before that, wait until the visitor has fewer than allowed at work.

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
    """Count one less for a visitor, and forget a visitor with none."""
    at_work[visitor] -= 1
    if not at_work[visitor]:
        del at_work[visitor]
