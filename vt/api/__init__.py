"""The routes: one face of the services, over HTTP."""

from vt.api.front import Front
from vt.api.perimeter import Perimeter
from vt.api.routes import make_api

__all__ = ["Front", "Perimeter", "make_api"]
