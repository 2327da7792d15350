"""The addresses from which a browser plays and downloads the files of a job, and the routes behind them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse, PlainTextResponse, Response

from vt.errors import VtError
from vt.jobs.job_service import ResultFile, ResultText
from vt.services import Services

_NOT_FOUND = 404


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


def sample(voice_id: str) -> str:
    """Return the address of a sample of a voice: a route of the public API."""
    return f"api/v1/voices/{quote(voice_id, safe='')}/sample"


def routes(services: Services) -> APIRouter:
    """Return the routes behind the addresses."""
    router = APIRouter(prefix="/films/{job_id}", include_in_schema=False)

    def send(find: Callable[[], ResultFile | ResultText]) -> Response:
        try:
            return _sent(find())
        except VtError as error:
            return PlainTextResponse(error.message.with_file_names({}), _NOT_FOUND)

    @router.get("/original")
    def get_original(job_id: str) -> Response:
        return send(lambda: services.jobs.original(job_id))

    @router.get("/dubbed")
    def get_film(job_id: str) -> Response:
        return send(lambda: services.jobs.film(job_id))

    @router.get("/report")
    def get_report(job_id: str) -> Response:
        return send(lambda: services.jobs.report_file(job_id))

    @router.get("/{language}.{ending}")
    def get_subtitles(job_id: str, language: str, ending: str) -> Response:
        return send(lambda: services.jobs.subtitles(job_id, language, ending))

    return router


def _sent(result: ResultFile | ResultText) -> Response:
    headers = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}
    if isinstance(result, ResultText):
        return Response(result.text, media_type=result.media_type, headers=headers | result.headers)
    return FileResponse(
        result.path,
        media_type=result.media_type,
        filename=result.name,
        headers=headers,
        content_disposition_type="inline",
    )
