"""A server: the page and the routes; `vt serve` starts it, and so does app.py."""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # Gradio imports the hub's library

from fastapi import FastAPI

from vt import services, settings
from vt.api import (
    FOREIGN_SHAPES,
    BodyLimits,
    ErrorShapes,
    HostAndOriginCheck,
    PageAndRoutes,
    RequestTracing,
    SecurityHeaders,
    make_api,
)
from vt.errors import FolderTaken, SettingsError
from vt.system import logs
from vt.ui.page import make_page, mount_page
from vt.web import admin
from vt.web.visitors import Proxies

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from vt.services import Services
    from vt.settings import Settings

_GOODBYE_SECONDS = 1
_SWITCH_SECONDS = 0.001
_MOST_HEARD_BYTES = 4096
"""Of a message over a web socket: nobody has anything to say there."""


@dataclass(frozen=True, slots=True)
class Made:
    """A server that is ready to be asked."""

    app: ASGIApp
    settings: Settings
    services: Services


def make() -> Made:
    """Make the process's one server, and begin its work; a sentence ends the process where that cannot be.

    What is here by then stays: a model that goes is followed by a collection, which would look through all of it, and
    hold up every answer for a tenth of a second. Threads hand on Python's lock five times as often as they usually
    would, since an answer beside dubs asks for it several times, and waits behind each of their threads.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    os.umask(0o077)  # films, jobs and the log, which tells of them, are for no other account of this machine
    try:
        known = settings.load()
    except SettingsError as error:
        sys.exit(f"vt: {error}")
    os.environ.setdefault("GRADIO_TEMP_DIR", str(known.data_folder.absolute() / "uploads"))
    logs.set_up(known.log_level, known.log_file, known.log_format, known.secrets)
    served = services.build(known)
    try:
        app = _app(known, served)
    except SettingsError as error:
        sys.exit(f"vt: {error}")
    gc.freeze()
    # Last: what else is loaded at the same time would count as the models' memory.
    try:
        served.begin()
    except (FolderTaken, SettingsError) as error:
        sys.exit(f"vt: {error.in_full}")
    logging.getLogger("vt").info("%s", admin.summary(known))
    return Made(app, known, served)


def _app(known: Settings, served: Services) -> ASGIApp:
    """Return the routes and the page, and what each request to them passes.

    Raises:
        SettingsError: they ask for a face that cannot be had.
    """
    routes = make_api(served)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with routes.router.lifespan_context(routes):
            yield
        served.close()

    page = mount_page(make_page(served), served, FastAPI(lifespan=lifespan, openapi_url=None))
    guarded = HostAndOriginCheck(BodyLimits(PageAndRoutes(routes, page), known.max_upload_mb), known)
    shaped = ErrorShapes(guarded, FOREIGN_SHAPES)
    return RequestTracing(SecurityHeaders(shaped, on_spaces=known.on_spaces), served.factory.metrics)


def serve(made: Made) -> int:
    """Serve until somebody ends it, and return the exit code."""
    import uvicorn

    from vt.api import connections

    known = made.settings

    try:
        listening = _bound(known.host, known.port)
    except OSError as error:
        why = f"{known.host}:{known.port} cannot be listened on: {error.strerror}."
        sys.stderr.write(f"vt: {why} Is another server running there? PORT chooses another.\n")
        made.services.close()  # what was taken up goes back, or it would count as a death of the job
        return 1
    host, port = listening.getsockname()[:2]
    logging.getLogger("vt").info("listening on http://%s:%d", host, port)
    most = connections.connections()
    limits = connections.Limits(most, connections.of_each(most), proxies=Proxies(known.proxies))
    config = uvicorn.Config(
        made.app,
        http=connections.bounded(limits),
        ws_max_size=_MOST_HEARD_BYTES,
        ws_per_message_deflate=False,  # a pair of buffers for each line, for messages of 300 bytes
        log_config=None,
        access_log=False,
        proxy_headers=False,  # would have any program on this machine say for whom it asks
        server_header=False,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
    )
    with suppress(KeyboardInterrupt):  # uvicorn has ended in good order by then, and hands the signal on
        uvicorn.Server(config).run([listening])
    return 0


def _bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens; bound before anything is served, so that a taken port is said in one sentence."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Only of a socket that says that it is TCP does asyncio turn off Nagle's delay: 40 ms an answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except BaseException:
        listening.close()
        raise
    return listening


if __name__ == "__main__":
    sys.exit(serve(make()))
