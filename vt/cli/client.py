"""An HTTP client for a running server, for the command line."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from vt.errors import InputError, ToolError

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_BAD_REQUESTS = {404, 422}
"""Statuses of requests that the caller can correct."""


class Client:
    """Sends requests to one server, with its admin token where there is one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """`url` such as http://127.0.0.1:8000.

        Raises:
            InputError: it is not an address of a server.
        """
        if not url.startswith(("http://", "https://")):
            raise InputError("{url} is no address of a server: it begins with http:// or https://.", url=url)
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})

    def models(self) -> dict[str, Any]:
        """Return the state of the model cache; see `GET /api/v1/models`."""
        return self._request("GET", "/api/v1/models")

    def preload(self, names: list[str]) -> dict[str, Any]:
        """Begin to load models, the default ones where none is named."""
        return self._request("POST", "/api/v1/models/preload", {"models": names} if names else None)

    def clear(self, cache_key: str | None = None) -> dict[str, Any]:
        """Free one model, or all."""
        route = "/api/v1/models/cache"
        return self._request("DELETE", f"{route}/{quote(cache_key, safe='')}" if cache_key else route)

    def _request(self, method: str, route: str, body: object = None) -> dict[str, Any]:
        """Send a request and return the JSON object that comes back.

        Raises:
            InputError: the server refuses the request, and says why.
            ToolError: the server does not answer, or failed.
        """
        import httpx

        timeout = httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS)
        try:
            answer = httpx.request(method, f"{self._url}{route}", json=body, headers=self._headers, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ToolError(
                "No answer from {url}: {reason}. Is the server running there?", url=self._url, reason=str(error)
            ) from error
        try:
            said = answer.json()
        except ValueError:
            said = None
        if isinstance(said, dict) and answer.is_success:
            return said
        detail = said.get("detail") if isinstance(said, dict) else None
        sentence = f"{self._url} says: {detail or f'status {answer.status_code}, and nothing that vt understands'}"
        raise (InputError if answer.status_code in _BAD_REQUESTS and detail else ToolError)(sentence)
