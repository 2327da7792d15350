"""The routes: one face of the services, over HTTP."""

from vt.api import libre, mcp, openai
from vt.api.body_limits import BodyLimits
from vt.api.error_shapes import ErrorShapes
from vt.api.host_check import HostAndOriginCheck
from vt.api.page_and_routes import PageAndRoutes
from vt.api.request_tracing import RequestTracing
from vt.api.routes import make_api
from vt.api.security_headers import SecurityHeaders

FOREIGN_SHAPES = {"/v1": openai.shape, "/libre": libre.shape, "/mcp": mcp.shape}
"""The paths under which errors have the shape of another service."""
__all__ = [
    "FOREIGN_SHAPES",
    "BodyLimits",
    "ErrorShapes",
    "HostAndOriginCheck",
    "PageAndRoutes",
    "RequestTracing",
    "SecurityHeaders",
    "make_api",
]
