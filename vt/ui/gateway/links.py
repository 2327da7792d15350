"""The route by which the page has the film behind a link: downloaded into the uploads of whoever named it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import CancelScope, CapacityLimiter, to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from vt import links
from vt.domain import Cancel
from vt.errors import BrokenCall, CallTooLarge, VtError, WrongType
from vt.jobs.job_service import Jobs, disk_errors
from vt.services import Services
from vt.ui import words
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.words import Words
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of
from vt.web.visitors import ConcurrencyLimit

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Obtain = Callable[..., tuple[Path, str]]
"""As `links.obtain`."""
_PATH = "/films/link"
_MOST_BODY_BYTES = 4096
_MOST_AT_ONCE = 4
_CHECKS = 16
"""How often the visitor's waiting uploads are counted again during a download of the largest size."""
_TELL_SECONDS = 0.25
_HEADERS = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


class LinkRoute:
    """The route, over the services of one server: one download at a time for each visitor, and few for all."""

    def __init__(self, services: Services, obtain: Obtain = links.obtain) -> None:
        self._services, self._obtain = services, obtain
        self._at_work = ConcurrencyLimit("links", each=1, total=_MOST_AT_ONCE)
        self._threads = CapacityLimiter(_MOST_AT_ONCE)

    def route(self) -> Route:
        """Return the route: JSON with a link is posted, and lines of JSON tell of its film until it is there."""
        return Route(_PATH, endpoint=self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what keeps the download from being begun is its status, and what ends it a line."""
        request = Request(scope, receive)
        said = words.accepted(request.headers.get("accept-language", ""))
        visitor = visitors.of(scope).key
        try:
            link = await _link_in(request)
            with self._at_work.held(visitor), self._services.uploads.held(visitor):
                coming = await to_thread.run_sync(self._begun, Owner.of(scope), limiter=self._threads)
                async with aclosing(self._told(coming, link, said)) as lines:
                    answer = StreamingResponse(lines, headers=_HEADERS, media_type="application/x-ndjson")
                    await answer(scope, receive, send)
        except VtError as error:
            await _refused(said, error)(scope, receive, send)

    def _begun(self, owner: Owner) -> _Coming:
        """Return a download that may begin; how large it will be is not known yet."""
        settings = self._services.settings
        bounds = links.Bounds(settings.max_upload_mb, settings.max_duration_minutes)
        with disk_errors():
            jobs = self._services.jobs
            jobs.check_room(0)
            uploads.check(jobs, owner, 0)
            return _Coming(jobs, owner, bounds, self._obtain)

    async def _told(self, coming: _Coming, link: str, said: Words) -> AsyncGenerator[bytes]:
        """Download in a thread, and yield how far that is, then what came of it; who stops listening ends it."""
        work = asyncio.ensure_future(to_thread.run_sync(coming.download, link, limiter=self._threads))
        is_taken = False
        try:
            while not (await asyncio.wait([work], timeout=_TELL_SECONDS))[0]:
                yield _line(came=coming.came, whole=coming.whole)
            yield _outcome(work, said)
            is_taken = True
        finally:
            coming.cancel.set()
            with CancelScope(shield=True):
                await asyncio.wait([work])
                if work.cancelled() or work.exception() or not is_taken:
                    await to_thread.run_sync(coming.discard)


class _Coming:
    """A film that comes from a link."""

    def __init__(self, jobs: Jobs, owner: Owner, bounds: links.Bounds, obtain: Obtain) -> None:
        self.cancel = Cancel()
        self.came = self.whole = 0
        """Bytes that are there, and that there will be; 0: nobody knows."""
        self._jobs, self._owner, self._bounds, self._obtain = jobs, owner, bounds, obtain
        self._checked = 0
        self._film: Path | None = None

    def download(self, link: str) -> Path:
        """Download the film, and return the path by which its owner may use it.

        Raises:
            VtError: it cannot be had, or was cancelled; nothing of it is left.
        """
        with disk_errors():
            # Not where the film is to be in the end: the child that writes here could change who owns it.
            here = uploads.place("film", self._owner, "coming")
            try:
                film, name = self._obtain(link, here.parent, self._bounds, self.cancel, self._tell)
                self._film = uploads.place(name, self._owner, "coming")
                film.replace(self._film)
                uploads.arrived([self._film])
                return self._film
            finally:
                uploads.discard([here])

    def discard(self) -> None:
        """Remove what is there of the film: nobody was told of it."""
        if self._film:
            uploads.discard([self._film])

    def _tell(self, came: int, whole: int) -> None:
        """Note how far it is, and end it where the disk, or the share of its owner, does not take it."""
        self.came, self.whole = came, whole
        self._jobs.check_reserve(uploads.folder(), max(whole - came, 0))
        if came - self._checked >= self._jobs.upload_limit // _CHECKS:
            self._checked = came
            uploads.check(self._jobs, self._owner, 0)  # what is there of this one is counted too


def _outcome(work: asyncio.Future[Path], said: Words) -> bytes:
    try:
        return _line(path=str(work.result()))
    except VtError as error:
        return _line(refused=said.sentence(error.message.with_file_names({})))


def _line(**values: object) -> bytes:
    return json.dumps(values).encode() + b"\n"


async def _link_in(request: Request) -> str:
    """Return the link that a request names.

    Raises:
        BadCall: it is no request that the page sends, or the link is too long.
    """
    # A form of another site cannot send this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongType("A link is sent as JSON: its Content-Type is application/json.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BODY_BYTES:
                raise CallTooLarge("The link is too long: {most} bytes are the most.", most=_MOST_BODY_BYTES)
        link = json.loads(body)["link"]
    except (ClientDisconnect, ValueError, TypeError, LookupError, RecursionError) as error:
        raise BrokenCall("The request has to be a JSON object that names a link.") from error
    if not isinstance(link, str):
        raise BrokenCall("The request has to be a JSON object that names a link.")
    return link.strip()


def _refused(said: Words, error: VtError) -> Response:
    """Return an error as a sentence, which the page shows."""
    sentence = said.sentence(error.message.with_file_names({}))
    return PlainTextResponse(sentence, status_of(error), {**headers_of(error), **_HEADERS})
