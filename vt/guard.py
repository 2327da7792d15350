"""Who may manage the models of a server: one rule for its routes, Gradio's endpoints and the page."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from vt.errors import AdminRefused, TokenRefused
from vt.settings import Settings

_FORWARDING = {"forwarded", "x-real-ip", "via", "true-client-ip", "x-client-ip", "cf-connecting-ip"}
_FORWARDED = "x-forwarded-"
"""What all the other headers begin with that proxies add."""
_BEARER = "bearer "


def admit(settings: Settings, peer: str, headers: Mapping[str, str], token: str | None = None) -> None:
    """Let a request to manage models through, or say why not.

    Args:
        settings: With a token, whoever knows it is let through. Without one, only who sits at this machine is.
        peer: The address that the connection comes from.
        headers: Of the request, by lower-case name.
        token: What was typed where no `Authorization` header can be set.

    Raises:
        TokenRefused: the token is wrong or missing.
        AdminRefused: the request comes from elsewhere.
    """
    given = token or _bearer(headers)
    wanted = settings.admin_token.get_secret_value() if settings.admin_token else ""
    if wanted and given:
        if not secrets.compare_digest(given.encode(), wanted.encode()):
            raise TokenRefused("The token is not the one that VT_ADMIN_TOKEN holds.")
        return
    if not _is_local(peer, headers) or (settings.on_spaces and not wanted):
        raise AdminRefused(_closed(settings, bool(wanted)))
    if wanted:
        raise TokenRefused("Managing models needs the token that VT_ADMIN_TOKEN holds.")


def _closed(settings: Settings, has_token: bool) -> str:
    if has_token:
        return "Managing models from elsewhere needs the token that VT_ADMIN_TOKEN holds."
    where = "on a Space" if settings.on_spaces else "from another machine, through a proxy or from another site's page"
    return f"Models cannot be managed {where} without a token: whoever runs this server can set VT_ADMIN_TOKEN."


def _bearer(headers: Mapping[str, str]) -> str:
    said = headers.get("authorization", "")
    return said[len(_BEARER) :].strip() if said.lower().startswith(_BEARER) else ""


def _is_local(peer: str, headers: Mapping[str, str]) -> bool:
    """Tell whether a request comes from this machine, straight, and from no other site's page."""
    if not _is_loopback(peer) or any(map(_tells_of_a_proxy, headers)):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    # A name that somebody made point here (DNS rebinding) is its own origin, but no name of this machine.
    try:
        site = urlsplit(origin)
    except ValueError:
        return False
    return site.netloc == headers.get("host") and _is_loopback(site.hostname or "")


def _tells_of_a_proxy(name: str) -> bool:
    return name in _FORWARDING or name.startswith(_FORWARDED)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
