"""What whoever has a link to share may see: a page with one dub and its downloads, on which nothing can be changed."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from starlette.datastructures import MutableHeaders

from vt.domain import Job
from vt.dubbing import subtitling
from vt.errors import StorageError, VtError
from vt.jobs.results import ResultFile, ResultText
from vt.services import Services
from vt.ui import job_files, words
from vt.ui.gateway.compression import compressed
from vt.ui.rendering import render
from vt.ui.scripts import STATIC
from vt.ui.words import Words
from vt.web.http_statuses import status_of

_STYLE = (STATIC / "shared.css").read_text(encoding="utf-8")
_NOT_FOUND = 404
_PRIVATE = {"Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}


def address(secret: str) -> str:
    """Return the address of the page that a link leads to."""
    return f"shared/{secret}"


def routes(services: Services) -> APIRouter:
    """Return the routes of the page and of its files. The secret of the link leads to them, and no job's id."""
    router = APIRouter(prefix="/shared/{secret}", include_in_schema=False)

    def sent(secret: str, find: Callable[[str], ResultFile | ResultText]) -> Response:
        return job_files.answered(lambda: find(services.jobs.linked(secret).id))

    @router.get("")
    def get_page(secret: str, request: Request) -> Response:
        said = words.accepted(request.headers.get("accept-language", ""))
        try:
            return _page(request, _shown(services, said, services.jobs.linked(secret), secret))
        except StorageError as error:
            return PlainTextResponse(said.sentence(error.message), status_of(error), _PRIVATE)
        except VtError:
            gone = render("shared_gone", words=said, style=_STYLE)
            return _page(request, gone, _NOT_FOUND)

    @router.get("/dubbed")
    def get_film(secret: str) -> Response:
        return sent(secret, services.jobs.film)

    @router.get("/everything")
    def get_everything(secret: str) -> Response:
        return job_files.archive(services.jobs, lambda: services.jobs.linked(secret))

    @router.get("/{language}.{ending}")
    def get_subtitles(secret: str, language: str, ending: str) -> Response:
        return sent(secret, lambda job_id: services.jobs.subtitles(job_id, language, ending))

    return router


def _shown(services: Services, said: Words, job: Job, secret: str) -> str:
    report, place = services.jobs.dub_report(job.id), address(secret).partition("/")[2]
    named = {one.code: said("download_subtitles", language=said.language_name(one)) for one in report.languages}
    return render(
        "shared",
        words=said,
        style=_STYLE,
        file=job.request.file,
        spoken=report.target_language.native_name,
        language=report.target_language.code,
        has_picture=services.jobs.film(job.id).media_type.startswith("video/"),
        place=place,
        subtitles=[
            (name, [(form.upper(), f"{place}/{code}.{form}") for form in subtitling.FORMS])
            for code, name in named.items()
        ],
    )


def _page(request: Request, html: str, status: int = 200) -> Response:
    headers = MutableHeaders(_PRIVATE)
    headers.add_vary_header("Accept-Language")
    body = compressed(html.encode(), request.headers, headers)
    return HTMLResponse(body, status, dict(headers))
