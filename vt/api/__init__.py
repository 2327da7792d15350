"""The routes: one face of the services, over HTTP."""

from vt.api.body_limits import BodyLimits
from vt.api.host_check import HostAndOriginCheck
from vt.api.page_and_routes import PageAndRoutes
from vt.api.request_tracing import RequestTracing
from vt.api.routes import make_api
from vt.api.security_headers import SecurityHeaders

__all__ = ["BodyLimits", "HostAndOriginCheck", "PageAndRoutes", "RequestTracing", "SecurityHeaders", "make_api"]
