"""Which addresses a link may lead to: those of the public internet, and none of this machine or of its network."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

import psutil

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Endpoint = tuple[str, int]
"""An address in its usual notation, and a port."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Its last 32 bits are the IPv4 address that is reached (RFC 6052)."""
_NEVER = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/96",  # IPv4 in the oldest notation (RFC 4291)
        "64:ff9b:1::/48",  # NAT64 within a network (RFC 8215)
        "2001::/32",  # Teredo: the address behind it is hidden
        "2002::/16",  # 6to4: as good as unused, and leads to an IPv4 address
        "fec0::/10",  # site-local, as it was
    )
)
_LOW_PORTS = (80, 443)
"""The ports below 1024 that films are on; behind others are mail and the like."""


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet; what carries an IPv4 address inside is judged by that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if any(address in network for network in _NEVER):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def own() -> frozenset[str]:
    """Return the addresses of this machine's network interfaces: a public one of them leads to this machine too."""
    found = (one.address.partition("%")[0] for kinds in psutil.net_if_addrs().values() for one in kinds)
    return frozenset(found)


def resolved(host: str, port: int, allowed: Collection[Endpoint] = ()) -> list[Endpoint]:
    """Return the addresses of a host; none where any of them, or the port, is not to be reached.

    Whoever connects has to take these addresses: to ask for the name again could give others.

    Args:
        host: a name or an address.
        port: to connect to.
        allowed: what may be reached although it is not public.

    Raises:
        OSError: the name is not known.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
    here = own()
    for text in addresses:
        if (text, port) in allowed:
            continue
        is_odd_port = port < 1024 and port not in _LOW_PORTS
        if is_odd_port or text in here or not is_public(ipaddress.ip_address(text)):
            return []
    return [(text, port) for text in addresses]
