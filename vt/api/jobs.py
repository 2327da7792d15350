"""The routes of jobs: a film in, its progress, its results, and its lines to be mended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

from anyio import CancelScope, create_task_group, to_thread
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from vt import visitors
from vt.api import problems, served, shapes
from vt.api.problems import documented
from vt.api.served import FOR_MANAGERS, Served
from vt.api.upload import Upload, receive
from vt.domain import Edit, Job, Order
from vt.errors import InputError
from vt.jobs import Draft, Jobs, ResultFile
from vt.store import JobNotFound

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["jobs"])

_FILES = ("file", "subtitles")
_FIELDS = ("target_language", "source_language", "audio_track", "from_job")
_FORM_BYTES = 100_000
"""What the form around a film may add to its size."""
_NO_PART = {
    400: "The header Range asks for something else than a part of the file, such as bytes=0-999.",
    416: "The file has no such part: it ends before.",
}
_UNKNOWN_JOB = 4404
"""Of our own: the codes from 4000 on are free (RFC 6455, section 7.4.2)."""

_film = {"type": "string", "format": "binary", "description": "A video or audio file."}
_words: dict[str, Any] = {
    "target_language": {"type": "string", "description": "The language to speak.", "examples": ["es"]},
    "source_language": {"type": "string", "description": "The language spoken.", "default": "auto"},
    "subtitles": {"type": "string", "format": "binary", "description": "SRT or WebVTT in place of recognition."},
    "audio_track": {"type": "integer", "minimum": 1, "description": "Which sound track is dubbed; default: the first."},
    "from_job": {"type": "string", "description": "In place of a file: a job whose film is dubbed once more."},
}


def _form(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


JobId = Annotated[str, Path(description="As a new job's answer names it.", examples=["mfrggzdfmztwq2lknnwg23tpoa"])]


# In


@router.post(
    "/jobs",
    summary="Dub a film",
    status_code=202,
    openapi_extra=_form({"file": _film, **_words}, ["target_language"]),
    responses=documented(400, 404, 413, 422, 429, 503, 507),
)
async def create(services: Served, request: Request, response: Response) -> shapes.Job:
    """Take a film, or another job's, and put it into the queue. The id in the answer is all that opens the job."""
    async with _uploaded(services.jobs, request) as (draft, upload):
        visitor = visitors.of(request.scope).key
        job = await to_thread.run_sync(_submitted, services.jobs, draft, upload, visitor)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return _shape(job)


@router.post(
    "/inspect",
    summary="What is in a file",
    openapi_extra=_form({"file": _film}, ["file"]),
    responses=documented(400, 413, 422, 429, 503, 507),
)
async def inspect(services: Served, request: Request) -> shapes.Inspection:
    """Say how long a film is and which tracks it has. The film is not kept."""
    async with _uploaded(services.jobs, request) as (draft, upload):
        if "file" not in upload.files:
            raise InputError("The form needs a film in the field file.")
        found = await to_thread.run_sync(services.jobs.inspect, draft, upload.files["file"])
    return shapes.Inspection(**found)


@asynccontextmanager
async def _uploaded(jobs: Jobs, request: Request) -> AsyncIterator[tuple[Draft, Upload]]:
    """Receive a form into a draft, which goes unless it is submitted."""
    length = request.headers.get("content-length", "0")
    promised = max(0, int(length) - _FORM_BYTES) if length.isdecimal() else 0
    await to_thread.run_sync(jobs.check_room, promised)
    lent = jobs.draft()
    draft = await to_thread.run_sync(lent.__enter__)
    try:
        places = {"file": draft.film, "subtitles": draft.subtitles}
        content_type = request.headers.get("content-type", "")
        upload = await receive(request.stream(), content_type, places, jobs.upload_limit, jobs.too_large)
        for name in [name for name, given in upload.files.items() if not given and not places[name].stat().st_size]:
            del upload.files[name]  # a form's field that was left empty
        yield draft, upload
    finally:
        await to_thread.run_sync(lent.__exit__, None, None, None)


def _submitted(jobs: Jobs, draft: Draft, upload: Upload, visitor: str) -> Job:
    fields = {name: value.strip() for name, value in upload.fields.items() if value.strip()}
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise InputError(f"There is no field {unknown[0][:40]}: a job has {', '.join((*_FILES, *_FIELDS))}.")
    if "target_language" not in fields:
        raise InputError("The form needs the language to speak in the field target_language, such as es.")
    if ("file" in upload.files) == ("from_job" in fields):
        raise InputError("The form needs a film in the field file, or else another job's id in the field from_job.")
    order = Order(
        file=upload.files.get("file", ""),
        target_language=fields["target_language"],
        source_language=fields.get("source_language", "auto"),
        subtitles=upload.files.get("subtitles"),
        audio_track=_number(fields.get("audio_track")),
    )
    if "from_job" in fields:
        order = jobs.reuse(draft, fields["from_job"], order)
    return jobs.submit(draft, order, visitor)


def _number(said: str | None) -> int | None:
    if said is None:
        return None
    if not said.isdecimal() or not int(said[:9]) >= 1:
        raise InputError("The field audio_track has to be a whole number from 1 on.")
    return int(said[:9])


# While it runs


@router.get("/jobs", summary="All jobs", responses=documented(401, 403, 422, 507), **FOR_MANAGERS)
def page(
    services: Served,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
    offset: Annotated[int, Query(ge=0, le=10**9, description="How many newer ones are left out.")] = 0,
) -> shapes.Jobs:
    """List the jobs, the newest first, with their ids cut short. For managers of models."""
    found = services.jobs.page(limit, offset)
    return shapes.Jobs(jobs=[_shape(job).model_copy(update={"id": f"{job.id[:6]}..."}) for job in found])


@router.get("/jobs/{job_id}", summary="Where a job stands", responses=documented(404, 507))
def get(services: Served, job_id: JobId) -> shapes.Job:
    """Say where a job stands."""
    return _shape(services.jobs.get(job_id))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job", responses=documented(404, 409, 507))
def cancel(services: Served, job_id: JobId) -> shapes.Job:
    """End a job that waits or runs, for good and at once; what it has is kept until it is removed."""
    return _shape(services.jobs.cancel(job_id))


@router.delete("/jobs/{job_id}", summary="Remove a job", status_code=204, responses=documented(404, 507))
def remove(services: Served, job_id: JobId) -> None:
    """Cancel a job where it waits or runs, and remove all that is kept of it."""
    services.jobs.remove(job_id)


def _known(services: Served, job_id: JobId) -> Job:
    return services.jobs.get(job_id)


@router.get(
    "/jobs/{job_id}/events",
    summary="Follow a job by server-sent events",
    response_class=EventSourceResponse,
    responses=documented(404, 507),
)
async def events(services: Served, known: Annotated[Job, Depends(_known)]) -> AsyncIterator[ServerSentEvent]:
    """Send the job as it stands, then after each change, and last of all when it is over."""
    async for job in _followed(services.jobs, known.id):
        yield ServerSentEvent(data=job.as_json())


@router.websocket("/jobs/{job_id}/ws")
async def follow(socket: WebSocket, job_id: str) -> None:
    """Send the job as it stands, then after each change, and last of all when it is over."""
    await socket.accept()
    jobs = served.of(socket.app).jobs
    try:
        await to_thread.run_sync(jobs.get, job_id)
    except JobNotFound as unknown:
        await socket.close(_UNKNOWN_JOB, str(unknown))
        return
    try:
        async with create_task_group() as group:
            group.start_soon(_until_gone, socket, group.cancel_scope)
            async for job in _followed(jobs, job_id):
                await socket.send_json(job.as_json())
            group.cancel_scope.cancel()
        await socket.close()
    except* (JobNotFound, WebSocketDisconnect, RuntimeError):
        _log.debug("a follower has left, or its job was removed")


async def _until_gone(socket: WebSocket, scope: CancelScope) -> None:
    """End the scope when the other side has left; whatever it says is of no interest."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive()
    scope.cancel()


async def _followed(jobs: Jobs, job_id: str) -> AsyncIterator[Job]:
    """Yield a job now and after each change, until it is over."""
    loop, news = asyncio.get_running_loop(), asyncio.Queue[Job]()

    def hear(job: Job) -> None:
        with suppress(RuntimeError):  # the loop has ended before the job
            loop.call_soon_threadsafe(news.put_nowait, job)

    with jobs.watching(job_id, hear) as found:
        job = found
        yield job
        while not job.state.is_over:
            job = await news.get()
            yield job


# Out


def _file_of(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of a file, in whole or in part, for OpenAPI."""
    content: dict[str, Any] = {media_type: {} for media_type in media_types}
    return {200: {"content": content}, 206: {"description": "The part that was asked for", "content": content}}


@router.get(
    "/jobs/{job_id}/video",
    summary="The dubbed film",
    response_class=FileResponse,
    responses=_file_of("video/mp4", "audio/mp4") | documented(400, 404, 409, 416, 507),
)
def video(services: Served, job_id: JobId) -> FileResponse:
    """Give the film, in whole or in the range that was asked for; of a sound file, the sound."""
    return _sent(services.jobs.film(job_id))


@router.get(
    "/jobs/{job_id}/subtitles/{language}.{ending}",
    summary="Subtitles",
    response_class=FileResponse,
    responses=_file_of("application/x-subrip", "text/vtt") | documented(400, 404, 409, 416, 422, 507),
)
def subtitles(
    services: Served,
    job_id: JobId,
    language: Annotated[str, Path(description="The language spoken, or the one that is spoken now.", examples=["es"])],
    ending: Annotated[Literal["srt", "vtt"], Path(description="The form.", examples=["srt"])],
) -> FileResponse:
    """Give the subtitles in the film's language or in the dub's."""
    return _sent(services.jobs.subtitles(job_id, language, ending))


class _Result(FileResponse):
    """A finished file, in whole or in part; where there is no such part, that is told as all problems are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, problems.replacing(_NO_PART, "text/plain", scope, receive, send))


def _sent(result: ResultFile) -> FileResponse:
    # An edit replaces it: a browser has to ask each time whether it is still the same.
    headers = {"Cache-Control": "private, no-cache"}
    return _Result(
        result.path,
        media_type=result.media_type,
        filename=result.name,
        headers=headers,
        content_disposition_type="inline",
    )


@router.get("/jobs/{job_id}/report", summary="The report", responses=documented(404, 409, 507))
def report(services: Served, job_id: JobId) -> dict[str, Any]:
    """Give the report: who heard, translated and spoke, every line with its timing, and how loud it is."""
    return services.jobs.report(job_id)


@router.get("/jobs/{job_id}/segments", summary="The lines", responses=documented(404, 409, 507))
def segments(services: Served, job_id: JobId, response: Response) -> shapes.Segments:
    """Give the lines as they are spoken; the answer's ETag is what an edit names in If-Match."""
    found = services.jobs.lines(job_id)
    response.headers["ETag"] = f'"{found.version}"'
    return shapes.Segments(segments=[shapes.Segment(**segment) for segment in found.segments])


@router.patch(
    "/jobs/{job_id}/segments",
    summary="Mend lines",
    status_code=202,
    responses=documented(404, 409, 412, 422, 428, 503, 507),
)
def edit(
    services: Served,
    job_id: JobId,
    changes: shapes.Changes,
    if_match: Annotated[str | None, Header(description="The ETag of the lines as they were read.")] = None,
) -> shapes.Job:
    """Have some lines said otherwise, or at another time. Only they are done again; the old results stay until then."""
    if if_match is None:
        raise HTTPException(428, "Name the ETag of the lines that you have read in If-Match.")
    found = {change.id: Edit(change.text, change.source_text, change.start, change.end) for change in changes.segments}
    if len(found) < len(changes.segments):
        raise InputError("A line is there twice: each may be changed once at a time.")
    return _shape(services.jobs.edit(job_id, _version(if_match), found))


def _version(if_match: str) -> int:
    said = if_match.strip().removeprefix("W/").strip('"')
    return int(said[:9]) if said.isdecimal() else -1  # no version: so it is outdated


def _shape(job: Job) -> shapes.Job:
    return shapes.Job(**job.as_json())
