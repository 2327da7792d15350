"""Who may manage the models of a server: one rule for its routes, Gradio's endpoints and the page."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from vt.errors import AdminRefused, TokenRefused
from vt.settings import Settings
from vt.web.visitors import Visitor

_BEARER = "bearer "


def admit(settings: Settings, visitor: Visitor, headers: Mapping[str, str], token: str | None = None) -> None:
    """Return if a request may manage models, else raise.

    Args:
        settings: where they have a token, the request needs it; without one, it has to come from this machine.
        visitor: the one who asks.
        headers: of the request, by lower-case name.
        token: what was typed into the page, which cannot set the header `Authorization`.

    Raises:
        TokenRefused: the token is wrong or missing.
        AdminRefused: the request does not come from this machine.
    """
    given = token or _bearer(headers)
    wanted = _wanted(settings)
    if wanted and given:
        if not secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            raise TokenRefused("The token is not the one that VT_ADMIN_TOKEN holds.")
        return
    if not visitor.is_local:
        raise AdminRefused(_closed(settings, bool(wanted)))
    if wanted:
        raise TokenRefused("Managing models needs the token that VT_ADMIN_TOKEN holds.")


def summary(settings: Settings) -> str:
    """Return a line for the log at the start: who may manage models."""
    if _wanted(settings):
        return "models are managed by whoever knows VT_ADMIN_TOKEN"
    if settings.proxies:
        return "models are managed by nobody: behind a proxy that takes a token, which VT_ADMIN_TOKEN would hold"
    return (
        "models are managed by whoever sits at this machine and asks without a proxy; a server behind a proxy needs "
        "VT_ADMIN_TOKEN, and VT_TRUSTED_PROXIES"
    )


def _wanted(settings: Settings) -> str:
    return settings.admin_token.get_secret_value() if settings.admin_token else ""


def _closed(settings: Settings, has_token: bool) -> str:
    if has_token:
        return "Managing models from elsewhere needs the token that VT_ADMIN_TOKEN holds."
    if settings.on_spaces:
        return "Models cannot be managed on a Space without a token: whoever runs this server can set VT_ADMIN_TOKEN."
    return (
        "Models cannot be managed from another machine, through a proxy or from another site's page without a token: "
        "whoever runs this server can set VT_ADMIN_TOKEN."
    )


def _bearer(headers: Mapping[str, str]) -> str:
    said = headers.get("authorization", "")
    return said[len(_BEARER) :].strip() if said.lower().startswith(_BEARER) else ""
