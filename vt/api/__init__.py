"""The routes: one face of the services, over HTTP."""

from vt.api.front import Front
from vt.api.routes import make_api

__all__ = ["Front", "make_api"]
