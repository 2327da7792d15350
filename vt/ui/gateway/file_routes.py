"""Routes for uploads and downloads of the page and of gradio_client, in place of Gradio's own."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse

from vt.errors import BadUpload, UploadGone, VtError
from vt.jobs.job_service import disk_errors
from vt.services import Services
from vt.ui import words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.words import ENGLISH, Words
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of
from vt.web.multipart import promised_bytes, receive

_FIELD = "files"
_MOST_FILES = 8
_THREADS = 16
"""Threads that write uploads. Nothing else uses them, so that a slow disk delays only uploads."""
_CHECKS = 16
"""How often the visitor's waiting uploads are counted again during an upload of the largest size."""
_TELL_SECONDS = 0.1
_AWAITED_SECONDS = 3.0
"""How long a request for progress waits for the upload to begin."""


@dataclass(slots=True)
class _Coming:
    """An upload that is being received."""

    name: str = ""
    """Of the file that is being received now."""
    received: int = 0
    is_over: bool = False


class Intake:
    """The routes, and the uploads that are being received."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._coming: dict[str, _Coming] = {}
        self._threads = CapacityLimiter(_THREADS)

    def routes(self) -> APIRouter:
        """Return the routes, under the addresses that Gradio's clients use."""
        router = APIRouter(prefix="/gradio_api", include_in_schema=False)
        router.post("/upload")(self._upload)
        router.get("/upload_progress")(self._progress)
        router.api_route("/file={path:path}", methods=["GET", "HEAD"])(_file)
        return router

    async def _upload(self, request: Request, upload_id: str = "") -> Response:
        """Receive files, and return their paths. Only their owner can use these."""
        try:
            with self._services.uploads.held(visitors.of(request.scope).key), self._announced(upload_id[:64]) as coming:
                paths = await self._received(request, coming)
        except VtError as error:
            return _refused(error, words.accepted(request.headers.get("accept-language", "")))
        return JSONResponse([str(path) for path in paths])

    @contextmanager
    def _announced(self, upload_id: str) -> Iterator[_Coming]:
        coming = _Coming()
        known = self._coming.setdefault(upload_id, coming) if upload_id else coming
        try:
            yield coming
        finally:
            coming.is_over = True
            if known is coming:
                self._coming.pop(upload_id, None)

    async def _received(self, request: Request, coming: _Coming) -> list[Path]:
        # The first access opens the database, which may take a while.
        jobs = await to_thread.run_sync(lambda: self._services.jobs, limiter=self._threads)
        owner = Owner.of(request.scope)
        promised = promised_bytes(request.headers)
        begun: list[Path] = []

        def place(field: str, name: str) -> Path:
            if field != _FIELD or len(begun) == _MOST_FILES:
                raise BadUpload(
                    "Files go into the field {field}, and at most {most} of them.",
                    field=_FIELD,
                    most=_MOST_FILES,
                )
            begun.append(uploads.place(name, owner, "coming"))
            coming.name = name
            return begun[-1]

        checked = 0

        def with_room(write: Callable[[], None]) -> None:
            nonlocal checked
            jobs.check_reserve(uploads.folder())  # others write too, and a size need not be declared
            if coming.received - checked >= jobs.upload_limit // _CHECKS:
                checked = coming.received
                uploads.check(jobs, owner, 0)  # what has been received of this one is counted too
            write()

        async def on_thread(write: Callable[[], None]) -> None:
            await to_thread.run_sync(with_room, write, limiter=self._threads)

        try:
            with disk_errors():
                await to_thread.run_sync(jobs.check_room, promised, limiter=self._threads)
                await to_thread.run_sync(uploads.check, jobs, owner, promised, limiter=self._threads)
                body, kind = _counted(request, coming), request.headers.get("content-type", "")
                await receive(body, kind, place, jobs.upload_limit, jobs.too_large, on_thread)
                await to_thread.run_sync(uploads.arrived, begun, limiter=self._threads)
        except BaseException:
            with CancelScope(shield=True):
                await to_thread.run_sync(uploads.discard, begun)
            raise
        return begun

    async def _progress(self, upload_id: str = "") -> Response:
        """Send the progress of an upload as server-sent events."""
        waited = 0.0
        while (coming := self._coming.get(upload_id)) is None:
            if waited >= _AWAITED_SECONDS:
                return PlainTextResponse("No such upload is on its way.", HTTPStatus.NOT_FOUND)
            await asyncio.sleep(_TELL_SECONDS)
            waited += _TELL_SECONDS
        return StreamingResponse(_told(coming), media_type="text/event-stream")


async def _counted(request: Request, coming: _Coming) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        coming.received += len(chunk)
        yield chunk


async def _told(coming: _Coming) -> AsyncIterator[str]:
    before = 0
    while not coming.is_over:
        if coming.name and coming.received > before:
            yield _event({"msg": "update", "orig_name": coming.name, "chunk_size": coming.received - before})
            before = coming.received
        await asyncio.sleep(_TELL_SECONDS)
    yield _event({"msg": "done"})


def _event(message: dict[str, object]) -> str:
    return f"data: {json.dumps(message)}\n\n"


def _refused(error: VtError, said: Words = ENGLISH) -> Response:
    # The page, and Gradio's clients, show the text of whatever is no success.
    sentence = said.sentence(error.message.with_file_names({}))
    return PlainTextResponse(sentence, status_of(error), headers_of(error))


def _file(path: str, request: Request) -> Response:
    """Send an upload, or a result, to its owner."""
    try:
        found = uploads.own(path, Owner.of(request.scope))
    except UploadGone as error:
        return _refused(error)
    kind = mimetypes.guess_type(found.name)[0] or ""
    plays = kind.startswith(("video/", "audio/"))
    return FileResponse(
        found,
        media_type=kind if plays else "application/octet-stream",
        filename=found.name,
        headers={"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"},
        content_disposition_type="inline" if plays else "attachment",
    )
