"""Sends each request to the routes or to the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from vt.api import problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ROUTES = ("/api", "/v1", "/libre", "/mcp", "/health", "/ready", "/metrics", "/docs", "/openapi.json")
_GRADIO_PREFIX = "/gradio_api/"
"""Gradio's own endpoints: its scripts expect errors in Gradio's own form."""
# Errors of the page that are answered as problems in JSON; not those of Gradio's own endpoints.
_REFUSALS = {404: "There is nothing here: GET / lists the routes.", 405: "This cannot be asked for in that way."}


class PageAndRoutes:
    """An ASGI application made of two: routes and page. At `/` a browser gets the page, any other client JSON."""

    def __init__(self, routes: ASGIApp, page: ASGIApp) -> None:
        """`page` gets the start-up and shutdown messages too."""
        self._routes = routes
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._page(scope, receive, send)
        elif scope["path"] == "/":
            await self._root(scope, receive, send)
        elif any(scope["path"] == route or scope["path"].startswith(f"{route}/") for route in _ROUTES):
            await self._routes(_head_as_get(scope), receive, send)
        elif scope["path"].startswith(_GRADIO_PREFIX):
            await self._page(scope, receive, send)
        else:
            await self._page(scope, receive, problems.replacing(_REFUSALS, "json", scope, receive, send))

    async def _root(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept")
            await send(message)

        wants_page = "text/html" in Headers(scope=scope).get("accept", "")
        await (self._page(scope, receive, varied) if wants_page else self._routes(_head_as_get(scope), receive, varied))


def _head_as_get(scope: Scope) -> Scope:
    """Return a scope in which HEAD is GET: the routes know only GET, and the server leaves the body out."""
    return {**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope
