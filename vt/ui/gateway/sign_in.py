"""Sign-in with an account of Hugging Face, on a Space that asks for it: whose a request is; no token is kept."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from gradio import oauth
from gradio.utils import get_space
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse

from vt.errors import BadCall, NoSuchCall, WrongMethod, WrongType
from vt.system import extras

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_log = logging.getLogger(__name__)

LOGIN, LOGOUT = "/login/huggingface", "/logout"
"""Where Gradio begins and ends a sign-in."""
_BACK = "/login/callback"
"""Where the provider sends the browser back to."""
ROUTES = (LOGIN, _BACK, LOGOUT)
_TRIES, _MOST_TRIES = "_nb_redirects", 4
"""How often a browser came back without the cookie that it was given."""
_QUERIES = {LOGIN: {_TRIES}, _BACK: {"code", "state", "error", _TRIES}, LOGOUT: set[str]()}
"""What Gradio is told of an address, so that it leads nowhere but to the page."""
_NEEDED = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "OAUTH_SCOPES", "OPENID_PROVIDER_URL")
_PACKAGES = ("authlib", "itsdangerous")
_SESSION, _INFO, _SCOPE_KEY = "session", "oauth_info", "vt.person"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has signed in."""

    key: str
    """A digest of the account's number at the provider."""
    name: str
    """What the account is called; it is shown, and not kept."""


def is_offered() -> bool:
    """Tell whether visitors may sign in: Spaces sets the variables where the README says `hf_oauth: true`."""
    if get_space() is None or not all(getattr(oauth, name) for name in _NEEDED):
        return False
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        _log.warning(
            "nobody can sign in, for packages are missing (%s): %s", ", ".join(missing), extras.command("login")
        )
        return False
    logging.getLogger("authlib").setLevel(logging.INFO)  # below that it logs what a sign-in is checked by
    return True


def person_of(scope: Mapping[str, Any]) -> Person | None:
    """Return who has signed in in the browser that a request comes from; None: nobody."""
    found = scope.get(_SCOPE_KEY)
    return found if isinstance(found, Person) else None


def checked(scope: Scope) -> Scope:
    """Return the scope of a request for one of the routes with only those values that Gradio needs.

    Raises:
        BadCall: it is not asked as a browser does that follows a link of the page.
    """
    path = scope["path"]
    if scope["method"] != "GET":
        raise WrongMethod("This cannot be asked for in that way.")
    if path not in _QUERIES:
        raise NoSuchCall("There is nothing here.")
    if path == LOGOUT and Headers(scope=scope).get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        raise WrongType("A page of another site may not sign anybody out here.")
    told = parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=16)
    kept = {name: value for name, value in told if name in _QUERIES[path] and _is_plain(name, value)}
    if path == LOGIN and int(kept.get(_TRIES, 0)) > _MOST_TRIES:  # Gradio would go round and round
        raise BadCall("Nobody can sign in by a browser that keeps no cookies: allow them for this page.")
    return {**scope, "query_string": urlencode(kept).encode()}


def _is_plain(name: str, value: str) -> bool:
    return name != _TRIES or (len(value) == 1 and "0" <= value <= "9")


class SignIn:
    """ASGI middleware within that of Gradio's session: it puts the `Person` into the scope, and drops the token.

    The session is a signed cookie, which anybody can read who has it. So all goes from it that is not needed, before
    it is ever sent: the tokens, and most of what the provider says of the person.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        session = scope.get(_SESSION)
        if scope["type"] != "http" or session is None:
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def sent(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                _drop_tokens(session)
            await send(message)

        try:
            await self._app({**scope, _SCOPE_KEY: _person(session)}, receive, sent)
        except Exception as error:
            if has_begun or scope["path"] not in ROUTES:
                raise
            # Whatever the provider said, or the visitor: consent that was refused, a code that is old or made up.
            _log.warning("a sign-in did not succeed: %s", type(error).__name__)
            for attempt in [name for name in session if name.startswith("_state_")]:
                del session[attempt]
            await RedirectResponse("/", 303)(scope, receive, send)


def _person(session: Mapping[str, Any]) -> Person | None:
    info = _needed(session)
    if info is None or info["expires_at"] < time.time():
        return None
    user = info["userinfo"]
    return Person(hashlib.sha256(f"hugging face {user['sub']}".encode()).hexdigest(), user["preferred_username"])


def _drop_tokens(session: MutableMapping[str, Any]) -> None:
    info = _needed(session)
    if info is None:
        session.pop(_INFO, None)
    elif session[_INFO] != info:
        session[_INFO] = info


def _needed(session: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return who has signed in, and until when; None: nobody, or for ever."""
    info = session.get(_INFO) or {}
    said, until = info.get("userinfo") or {}, info.get("expires_at")
    user = {name: str(said.get(name) or "") for name in ("sub", "preferred_username")}
    return {"userinfo": user, "expires_at": until} if user["sub"] and isinstance(until, int | float) else None
