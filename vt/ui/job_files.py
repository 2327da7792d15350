"""The addresses from which a browser plays and downloads the files of a job, and the routes behind them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

from vt.domain import Cancel, Job
from vt.errors import JobNotFound, VtError
from vt.jobs.archive import zipped
from vt.jobs.job_service import Jobs
from vt.jobs.results import ResultFile, ResultText
from vt.services import Services
from vt.web import visitors

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_NOT_FOUND = 404
_PRIVATE = {
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    # The address is a secret: a search engine that comes to know it must not spread it.
    "X-Robots-Tag": "noindex",
}
_PICTURES = 8
"""Threads for pictures. Making one takes a while; all other files are sent by other threads."""


def original(job_id: str) -> str:
    """Return the address of the film as it came."""
    return f"films/{quote(job_id, safe='')}/original"


def film(job_id: str, version: int) -> str:
    """Return the address of one version of the dubbed film. Each version has its own, so that no old one is shown."""
    return f"films/{quote(job_id, safe='')}/dubbed?{version}"


def subtitles(job_id: str, version: int, language: str, ending: str) -> str:
    """Return the address of subtitles."""
    return f"films/{quote(job_id, safe='')}/{quote(language, safe='')}.{ending}?{version}"


def report(job_id: str, version: int) -> str:
    """Return the address of the report."""
    return f"films/{quote(job_id, safe='')}/report?{version}"


def picture(job_id: str) -> str:
    """Return the address of a small picture of the film."""
    return f"films/{quote(job_id, safe='')}/picture"


def first_line(job_id: str, line: int) -> str:
    """Return the address of one of the first lines of a dub that is being made."""
    return f"films/{quote(job_id, safe='')}/first-lines/{line}"


def copy(job_id: str, version: int) -> str:
    """Return the address of the copy of the dub that every browser can show."""
    return f"films/{quote(job_id, safe='')}/copy?{version}"


def everything(job_id: str, version: int) -> str:
    """Return the address of all results as one ZIP file."""
    return f"films/{quote(job_id, safe='')}/everything?{version}"


def joined(job_ids: Sequence[str], versions: Sequence[int]) -> str:
    """Return the address of several dubs of one film in one file."""
    first, *others = (quote(job_id, safe="") for job_id in job_ids)
    named = "".join(f"&with={other}" for other in others)
    return f"films/{first}/joined?v={'-'.join(map(str, versions))}{named}"


def sample(voice_id: str) -> str:
    """Return the address of a sample of a voice: a route of the public API."""
    return f"api/v1/voices/{quote(voice_id, safe='')}/sample"


def routes(services: Services) -> APIRouter:
    """Return the routes behind the addresses."""
    router = APIRouter(prefix="/films/{job_id}", include_in_schema=False)

    @router.get("/original")
    def get_original(job_id: str) -> Response:
        return answered(lambda: services.jobs.original(job_id))

    @router.get("/dubbed")
    def get_film(job_id: str) -> Response:
        return answered(lambda: services.jobs.film(job_id))

    pictures = CapacityLimiter(_PICTURES)

    @router.get("/picture")
    async def get_picture(job_id: str, request: Request) -> Response:
        visitor = visitors.of(request.scope).key
        answer = await to_thread.run_sync(answered, lambda: services.jobs.picture(job_id, visitor), limiter=pictures)
        if answer.status_code == 200:
            answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
        return answer

    @router.get("/copy")
    def get_copy(job_id: str) -> Response:
        return answered(lambda: services.jobs.page_copy(job_id))

    @router.get("/first-lines/{line}")
    def get_first_line(job_id: str, line: int) -> Response:
        return answered(lambda: services.jobs.first_line(job_id, line))

    @router.get("/everything")
    def get_everything(job_id: str) -> Response:
        return archive(services.jobs, lambda: services.jobs.get(job_id))

    @router.get("/joined")
    def get_joined(job_id: str, request: Request, others: Annotated[list[str], Query(alias="with")]) -> Response:
        visitor = visitors.of(request.scope).key
        return answered(lambda: services.jobs.in_one_file([job_id, *others], Cancel(), visitor))

    @router.get("/report")
    def get_report(job_id: str) -> Response:
        return answered(lambda: services.jobs.report_file(job_id))

    @router.get("/{language}.{ending}")
    def get_subtitles(job_id: str, language: str, ending: str) -> Response:
        return answered(lambda: services.jobs.subtitles(job_id, language, ending))

    return router


def archive(jobs: Jobs, find: Callable[[], Job]) -> Response:
    """Return all results of a job as one ZIP file."""
    try:
        job = find()
        files = jobs.everything(job.id)
    except VtError as error:
        return PlainTextResponse(error.message.with_file_names({}), _NOT_FOUND)
    name = quote(f"{job.request.stem}.{job.request.target_language}.zip", safe="")
    headers = _PRIVATE | {"Content-Disposition": f"attachment; filename*=utf-8''{name}"}
    return StreamingResponse(zipped(files), media_type="application/zip", headers=headers)


def answered(find: Callable[[], ResultFile | ResultText]) -> Response:
    """Return one result, or a sentence that says why there is none."""
    try:
        return sent(find())
    except VtError as error:
        return PlainTextResponse(error.message.with_file_names({}), _NOT_FOUND)


class _File(FileResponse):
    """A file; one that has just been removed is said not to be there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except RuntimeError:  # Starlette raises this for a missing file, before it sends anything
            if os.path.lexists(self.path):
                raise
            await PlainTextResponse(str(JobNotFound()), _NOT_FOUND, _PRIVATE)(scope, receive, send)


def sent(result: ResultFile | ResultText) -> Response:
    """Return one result."""
    if isinstance(result, ResultText):
        return Response(result.text, media_type=result.media_type, headers=_PRIVATE | result.headers)
    return _File(
        result.path,
        media_type=result.media_type,
        filename=result.name,
        headers=_PRIVATE,
        content_disposition_type="inline",
    )
