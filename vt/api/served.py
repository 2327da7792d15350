"""What every route is given: the services, and the guard of those that manage the server."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from vt.guard import admit
from vt.services import Services


def of(app: Any) -> Services:  # noqa: ANN401 (of a request or of a web socket)
    """Return the services that an application serves."""
    services: Services = app.state.services
    return services


def _services(request: Request) -> Services:
    return of(request.app)


Served = Annotated[Services, Depends(_services)]


def _admitted(request: Request, services: Served) -> None:
    admit(services.settings, request.client.host if request.client else "", request.headers)


FOR_MANAGERS: dict[str, Any] = {"dependencies": [Depends(_admitted)]}
"""Options of a route that is not for everybody."""
