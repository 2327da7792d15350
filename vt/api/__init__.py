"""The routes: one face of the services, over HTTP."""

from vt.api.bodies import Bodies
from vt.api.front import Front
from vt.api.perimeter import Perimeter
from vt.api.routes import make_api
from vt.api.shield import Shield
from vt.api.tracing import Traced

__all__ = ["Bodies", "Front", "Perimeter", "Shield", "Traced", "make_api"]
