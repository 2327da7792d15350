"""The route by which an open tab Models learns that something changed: one stream of server-sent events."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from vt.errors import TooManyRequests
from vt.services import Services
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of

ADDRESS = "films/models"
_LOOK_SECONDS = 1.0


class Watch:
    """Looks at something about once a second, however many ask. Any thread may call any method."""

    def __init__(self, look: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        """`look` returns a value that changes when the thing does."""
        self._look, self._clock = look, clock
        self._lock = threading.Lock()
        self._seen, self._until = "", float("-inf")

    def seen(self) -> str:
        """Return the value, at most a second old."""
        with self._lock:
            if self._clock() >= self._until:
                self._seen = self._look()
                self._until = self._clock() + _LOOK_SECONDS
            return self._seen


def routes(services: Services) -> APIRouter:
    """Return the route."""
    router, watch = APIRouter(include_in_schema=False), Watch(lambda: mark(services))

    async def counted(request: Request) -> AsyncIterator[None]:
        """Count the tab as one follower until it has left."""
        try:
            with services.followers.held(visitors.of(request.scope).key):
                yield
        except TooManyRequests as error:
            raise HTTPException(status_of(error), str(error), headers_of(error)) from error

    async def stream() -> AsyncIterator[ServerSentEvent]:
        """Send a message at the beginning, and after each change."""
        before = ""
        while True:
            now = await to_thread.run_sync(watch.seen)
            if now != before:
                before = now
                yield ServerSentEvent(data={"changed": True})
            await asyncio.sleep(_LOOK_SECONDS)

    router.get(f"/{ADDRESS}", response_class=EventSourceResponse, dependencies=[Depends(counted)])(stream)
    return router


def mark(services: Services) -> str:
    """Return a value that changes when the tab has something else to show; the mere passing of time changes nothing."""
    cache, health = services.model_cache(), services.health()
    models = [(model.get("node"), model["cache_key"], model["state"], model["leases"]) for model in cache["models"]]
    preload = [(model.name, model.state) for model in services.readiness()[1]]
    factory = services.factory
    behind = factory.inventory.mark, factory.troubles.count, services.queue()
    return repr((models, preload, health["status"], health["notes"], behind))
