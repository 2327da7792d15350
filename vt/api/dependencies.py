"""Dependencies of the routes: the services, threads for calls that block, and the check of who may manage models."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from vt.services import Services
from vt.web import visitors
from vt.web.admin import admit

_T = TypeVar("_T")


class Threads:
    """Threads for calls that block, a limited number for each kind, so that no kind delays another."""

    def __init__(self) -> None:
        self._reads, self._changes = CapacityLimiter(16), CapacityLimiter(16)
        self._writes, self._probes = CapacityLimiter(16), CapacityLimiter(16)
        self._voice, self._answers = CapacityLimiter(1), CapacityLimiter(64)

    async def read(self, function: Callable[[], _T]) -> _T:
        """Read from the database or the disk."""
        return await to_thread.run_sync(function, limiter=self._reads)

    async def change(self, function: Callable[[], _T]) -> _T:
        """Change a job or what is in memory."""
        return await to_thread.run_sync(function, limiter=self._changes)

    async def write(self, function: Callable[[], _T]) -> _T:
        """Write a chunk of an upload to the disk."""
        return await to_thread.run_sync(function, limiter=self._writes)

    async def probe(self, function: Callable[[], _T]) -> _T:
        """Examine a film, which may take long."""
        return await to_thread.run_sync(function, limiter=self._probes)

    async def answer(self, function: Callable[[], _T]) -> _T:
        """Hear, translate or speak for whoever waits; `Services.answers` limits how many do."""
        return await to_thread.run_sync(function, limiter=self._answers)

    async def speak(self, function: Callable[[], _T]) -> _T:
        """Have a voice speak; one at a time, because jobs need the processor. Calls that wait use no thread."""
        return await to_thread.run_sync(function, limiter=self._voice)


def of(app: Any) -> Services:  # noqa: ANN401 (of a request or of a web socket)
    """Return the services that an application serves."""
    services: Services = app.state.services
    return services


def threads_of(app: Any) -> Threads:  # noqa: ANN401
    """Return the threads of an application."""
    threads: Threads = app.state.threads
    return threads


# Coroutines: FastAPI would run plain functions in its single pool of threads, and /health would wait there.


async def _services(connection: HTTPConnection) -> Services:
    return of(connection.app)


async def _threads(connection: HTTPConnection) -> Threads:
    return threads_of(connection.app)


Served = Annotated[Services, Depends(_services)]
OnThreads = Annotated[Threads, Depends(_threads)]


async def counted(services: Served, request: Request) -> AsyncIterator[None]:
    """Count a request that is answered at once for its visitor, until it is answered."""
    with services.answers.held(visitors.of(request.scope).key):
        yield


class ManagersRoute(APIRoute):
    """A route for those who may manage models; that is checked before the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that answers a request."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            admit(of(request.app).settings, visitors.of(request.scope), request.headers)
            return await handle(request)

        return guarded
