"""The routes: one face of the services, over HTTP."""

from vt.api.bodies import BodyLimits
from vt.api.front import PageAndRoutes
from vt.api.perimeter import HostAndOriginCheck
from vt.api.routes import make_api
from vt.api.shield import SecurityHeaders
from vt.api.tracing import RequestTracing

__all__ = ["BodyLimits", "HostAndOriginCheck", "PageAndRoutes", "RequestTracing", "SecurityHeaders", "make_api"]
