"""Which host names a server answers for, and which origins it takes for its own."""

from __future__ import annotations

import ipaddress
import string
from collections.abc import Iterable
from urllib.parse import urlsplit

from vt.settings import Settings

ANY = "*"
_NAME = frozenset(string.ascii_lowercase + string.digits + "-._")
_PORTS = {"http": 80, "https": 443}
_LONGEST = 253
"""Characters of a host name (RFC 1035)."""
_SPACES = ".hf.space"

Host = tuple[str, int | None]
"""A name or an IP address without brackets, in lower case; and the port, or None."""


def parsed(authority: str) -> Host | None:
    """Return the name and port in a `Host` header; None where it is not valid (RFC 9110, section 7.2)."""
    if authority.startswith("["):
        name, closed, rest = authority[1:].partition("]")
        if not closed or _ip(name) is None or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    else:
        name, _, port = authority.partition(":")
        name = name.lower().removesuffix(".")
        if not name or len(name) > _LONGEST or not _NAME.issuperset(name):
            return None
    if port and not (port.isascii() and port.isdecimal() and len(port) <= 5):
        return None
    return name.lower(), int(port) if port else None


def is_loopback(name: str) -> bool:
    """Tell whether a name or an address is a loopback one, which always means this machine."""
    address = _ip(name)
    if address is None:
        return name == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def is_same_site(origin: str, host: Host) -> bool:
    """Tell whether an `Origin` header names this host. The scheme does not count: a proxy may have changed it."""
    site, port = _site(origin)
    return site is not None and (site[0], site[1] or port) == (host[0], host[1] or port)


class Hosts:
    """The hosts that a server answers for."""

    def __init__(self, named: Iterable[str], bound: str, own: Iterable[str] = ()) -> None:
        """Loopback names and addresses are always among them.

        Args:
            named: names that the operator allows; `.example.org` and `*.example.org` allow all below, `*` all names.
            bound: the address that the server listens on.
            own: names of the machine itself.
        """
        self._named = {name.lower().removesuffix(".").removeprefix("*") or ANY for name in named}
        self._own = {bound.lower(), *(name.lower() for name in own)}
        address = _ip(bound)
        # An address needs no name server, so DNS rebinding, against which names are checked, is not possible.
        self._any_address = bool(address and address.is_unspecified)

    def allow(self, host: Host) -> bool:
        """Tell whether a request for a host is answered."""
        name = host[0]
        if ANY in self._named or name in self._own or is_loopback(name) or self._is_named(name):
            return True
        return self._any_address and _ip(name) is not None

    def names(self, origin: str) -> bool:
        """Tell whether the operator has named the site of an `Origin` header; `*` names none."""
        site, _ = _site(origin)
        return site is not None and self._is_named(site[0])

    def _is_named(self, name: str) -> bool:
        return name in self._named or any(name.endswith(ending) for ending in self._named if ending.startswith("."))


def of(settings: Settings, machine: str) -> Hosts:
    """Return the hosts of a server.

    Args:
        settings: of the server.
        machine: the name of the machine that it runs on.
    """
    own = [settings.space_host] if settings.space_host else []
    if settings.on_spaces:
        owner, _, name = settings.space_id.lower().partition("/")
        own.append(f"{owner}-{name}".replace("_", "-").replace(".", "-") + _SPACES)
    address = _ip(settings.host)
    if address and address.is_unspecified:
        # The server is open to the network. Nobody outside can have these local names resolve to it.
        own += [machine, f"{machine}.local"]
    return Hosts(settings.allowed_hosts, settings.host, own)


def _site(origin: str) -> tuple[Host | None, int]:
    """Return the host in an `Origin` header, and the default port of its scheme."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None, 0
    if parts.scheme not in _PORTS:
        return None, 0
    return parsed(parts.netloc), _PORTS[parts.scheme]


def _ip(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
