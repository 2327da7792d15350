"""The routes of jobs: send a film, follow its progress, get its results, edit its lines."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from anyio import CancelScope, create_task_group
from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response, WebSocket
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from vt.api import attended, problems, schemas, uploads
from vt.api.dependencies import ManagersRoute, OnThreads, Served, Threads
from vt.api.problems import documented
from vt.domain import (
    BOTH,
    OPTIONS,
    WISHES,
    Background,
    Edit,
    Edits,
    Finish,
    Fit,
    Job,
    JobSpec,
    SpeakerEdit,
    Wishes,
    file_of_subtitles,
    is_yes,
    number_of_speakers,
    subtitle_track,
)
from vt.dubbing.report import DubbedLine
from vt.errors import InputError, JobNotFound, TooManyRequests
from vt.jobs import joined
from vt.jobs.job_service import Draft, Jobs, disk_errors
from vt.jobs.new_lines import NewLine
from vt.jobs.progress_feed import follow
from vt.jobs.results import ResultFile, ResultText
from vt.jobs.takes import KeptTake
from vt.languages import AUTO
from vt.services import Services
from vt.web import visitors
from vt.web.multipart import Upload

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1", tags=["jobs"])
for_managers = APIRouter(prefix="/api/v1", tags=["jobs"], route_class=ManagersRoute)

_FILES = ("file", "subtitles", "glossary")
_TYPED_GLOSSARY = "glossary"
"""What a glossary is called that came as text."""
_FIELDS = ("target_language", "source_language", "subtitles", "audio_track", "from_job", "transcribe", *OPTIONS)
_NO_PART = {
    400: "The header Range asks for something else than a part of the file, such as bytes=0-999.",
    416: "The file has no such part: it ends before.",
}
_KEY = (
    "Your own name for this request, such as a UUID. Sent once more within a day, with the same key and the same "
    "content, the request makes no second job: the answer names the first one."
)
_UNKNOWN_JOB = 4404
"""Our own code: those from 4000 on are free for applications (RFC 6455, section 7.4.2)."""

_film = {"type": "string", "format": "binary", "description": "A video or audio file."}
_words: dict[str, Any] = {
    "target_language": {
        "type": "string",
        "description": "The language to speak; not where the film is only written down.",
        "examples": ["es"],
    },
    "transcribe": {
        "type": "boolean",
        "description": "In place of target_language: whether what is said in the film is only written down.",
        "default": False,
    },
    "source_language": {"type": "string", "description": "The language spoken.", "default": "auto"},
    "subtitles": {
        "description": "In place of recognition: a file (SRT, WebVTT, ASS, TTML, SBV, LRC, or a transcript in JSON as "
        "Whisper and whisperX write it), or the text track:2 for the second subtitle track in the film.",
        "anyOf": [{"type": "string", "format": "binary"}, {"type": "string", "pattern": "^track:[0-9]{1,4}$"}],
    },
    "audio_track": {
        "type": "integer",
        "minimum": 1,
        "description": "Which sound track is dubbed, from 1; default: by its language.",
    },
    "speakers": {
        "description": "How many people speak in the film, 1 to 12; auto: that is found out by listening.",
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": 12}, {"type": "string", "const": "auto"}],
        "default": "auto",
    },
    "mark_speakers": {
        "type": "boolean",
        "description": "Whether the subtitles show where another person begins to speak.",
        "default": False,
    },
    "background": {
        "description": "What is heard of the original beside the dub: none; duck: all of it, far down while somebody "
        "speaks; keep: all but the voices, where a separation model is there; auto: by what there is between lines.",
        "type": "string",
        "enum": [AUTO, *Background],
        "default": AUTO,
    },
    "literal": {
        "type": "boolean",
        "description": "Whether every line is spoken in full: no shorter wording is chosen where the time is short.",
        "default": False,
    },
    "burn": {
        "type": "string",
        "description": "The language whose subtitles are drawn into the picture, or both.",
        "examples": ["es", BOTH],
    },
    "karaoke": {
        "type": "boolean",
        "description": "Whether the words of these subtitles light up as they are spoken, in the picture and in ASS.",
        "default": False,
    },
    "fit": {
        "description": "What yields where a line needs more time than there is: speech, which gets faster; or picture, "
        "which is slowed there by a quarter at most, so that the film gets a little longer.",
        "type": "string",
        "enum": [*Fit],
        "default": Fit.SPEECH,
    },
    "preview": {
        "type": "boolean",
        "description": "Whether only the first minute is dubbed, as a trial. The whole film follows by from_job.",
        "default": False,
    },
    "glossary": {
        "description": "Terms that are always translated alike, or never: a file (CSV or TSV) or its text, of a term, "
        "its translation and, if it holds for one language alone, the code of that in each line. 64 KiB and 1,000 "
        "terms are the most.",
        "anyOf": [{"type": "string", "format": "binary"}, {"type": "string"}],
    },
    "from_job": {
        "type": "string",
        "description": "In place of a file: a job whose film is dubbed once more, with what it was asked for; of a "
        "preview's film all is dubbed, with what was changed in its lines.",
    },
    "voice": {
        "type": "string",
        "description": "The id of a voice for the language to speak, as GET /api/v1/voices lists them; auto: the best. "
        "Of several speakers each may have a voice, by number or name: 1=em_alex,2=ef_dora.",
        "examples": ["espeak-ng-es"],
    },
    "tts_engine": {"type": "string", "description": "Who is to speak; auto: the best.", "examples": ["espeak-ng"]},
    "translation_engine": {
        "type": "string",
        "description": "Who is to translate; auto: the best.",
        "examples": ["apertium"],
    },
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
    openapi_extra=_form({"file": _film, **_words}, []),
    responses=documented(400, 404, 413, 422, 429, 503, 507),
)
async def create(
    services: Served,
    threads: OnThreads,
    request: Request,
    response: Response,
    idempotency_key: Annotated[str, Header(max_length=255, description=_KEY)] = "",
) -> schemas.Job:
    """Take a film, or another job's, and put it into the queue. The id in the answer is all that opens the job."""
    visitor = visitors.of(request.scope).key
    async with uploads.received(services, threads, request, visitor, _FILES) as (draft, upload):
        with services.probes.held(visitor):
            job = await threads.probe(
                lambda: _submitted(services.jobs, draft, upload, visitor, idempotency_key.strip().strip('"'))
            )
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return _job_json(job)


@router.post(
    "/inspect",
    summary="What is in a file",
    openapi_extra=_form({"file": _film}, ["file"]),
    responses=documented(400, 413, 422, 429, 503, 507),
)
async def inspect(services: Served, threads: OnThreads, request: Request) -> schemas.Inspection:
    """Say how long a film is and which tracks it has. The film is not kept."""
    visitor = visitors.of(request.scope).key
    async with uploads.received(services, threads, request, visitor, _FILES) as (draft, upload):
        if "file" not in upload.files:
            raise InputError("The form needs a film in the field file.")
        with services.probes.held(visitor):
            found = await threads.probe(lambda: services.jobs.inspect(draft, upload.files["file"], visitor))
    return schemas.Inspection(**found)


def _submitted(jobs: Jobs, draft: Draft, upload: Upload, visitor: str, key: str) -> Job:
    fields = {name: value.strip() for name, value in upload.fields.items() if value.strip()}
    if unknown := sorted(set(fields) - set(_FIELDS)):
        raise InputError(
            "There is no field {name}: a job has {known}.",
            name=unknown[0][:40],
            known=", ".join(dict.fromkeys((*_FILES, *_FIELDS))),
        )
    if is_yes(fields.pop("transcribe", None)):
        if "target_language" in fields:
            raise InputError("With the field transcribe a film is only written down: leave target_language out.")
    elif "target_language" not in fields:
        raise InputError("The form needs the language to speak in the field target_language, such as es.")
    if ("file" in upload.files) == ("from_job" in fields):
        raise InputError("The form needs a film in the field file, or else another job's id in the field from_job.")
    spec = JobSpec(
        file=upload.files.get("file", ""),
        target_language=fields.get("target_language", ""),
        source_language=fields.get("source_language", "auto"),
        subtitles=_subtitles(upload, fields.get("subtitles")),
        audio_track=_number(fields.get("audio_track")),
        speakers=number_of_speakers(fields.get("speakers")),
        mark_speakers=is_yes(fields.get("mark_speakers")),
        finish=Finish.of(fields),
        preview=is_yes(fields.get("preview")),
        wishes=Wishes(**{name: fields[name] for name in WISHES if name in fields}),
        glossary=_glossary(draft, upload),
    )
    if "from_job" in fields:
        spec = jobs.reuse(draft, fields["from_job"], spec)
    return jobs.submit(draft, spec, visitor, key)


def _subtitles(upload: Upload, said: str | None) -> str | None:
    """Return the name of the subtitles that came, or which track of the film stands in their place."""
    if "subtitles" in upload.files:
        return file_of_subtitles(upload.files["subtitles"])
    if said is not None and subtitle_track(said) is None:
        raise InputError("The field subtitles takes a file, or track:2 for the second subtitle track in the film.")
    return said


def _glossary(draft: Draft, upload: Upload) -> str:
    """Return the name of the glossary that came, as a file or as text; empty where none did."""
    said = upload.fields.get("glossary", "")  # as it came, so that the numbers of its lines are right
    if "glossary" in upload.files or not said.strip():
        return upload.files.get("glossary", "")
    with disk_errors():
        draft.glossary.write_text(said, encoding="utf-8")
    return _TYPED_GLOSSARY


def _number(said: str | None) -> int | None:
    if said is None:
        return None
    if not said.isdecimal() or not int(said[:9]) >= 1:
        raise InputError("The field audio_track has to be a whole number from 1 on.")
    return int(said[:9])


# While it runs


@for_managers.get("/jobs", summary="All jobs", responses=documented(401, 403, 422, 507))
async def page(
    services: Served,
    threads: OnThreads,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
    offset: Annotated[int, Query(ge=0, le=10**9, description="How many newer ones are left out.")] = 0,
) -> schemas.Jobs:
    """List the jobs, the newest first, with their ids cut short. For managers of models."""
    found = await threads.read(lambda: services.jobs.page(limit, offset))
    return schemas.Jobs(jobs=[_job_json(job).model_copy(update={"id": f"{job.id[:6]}..."}) for job in found])


@router.get("/jobs/{job_id}", summary="Where a job stands", responses=documented(404, 507))
async def get(services: Served, threads: OnThreads, job_id: JobId) -> schemas.Job:
    """Say where a job stands."""
    return _job_json(await threads.read(lambda: services.jobs.get(job_id)))


@router.post("/jobs/{job_id}/cancel", summary="Cancel a job", responses=documented(404, 409, 507))
async def cancel(services: Served, threads: OnThreads, job_id: JobId) -> schemas.Job:
    """End a job that waits or runs, for good and at once; what it has is kept until it is removed."""
    return _job_json(await threads.change(lambda: services.jobs.cancel(job_id)))


@router.delete("/jobs/{job_id}", summary="Remove a job", status_code=204, responses=documented(404, 507))
async def remove(services: Served, threads: OnThreads, job_id: JobId) -> None:
    """Cancel a job where it waits or runs, and remove all that is kept of it."""
    await threads.change(lambda: services.jobs.remove(job_id))


async def _followed_job(services: Served, threads: OnThreads, request: Request, job_id: JobId) -> AsyncIterator[Job]:
    """Return a job that is to be followed, and count the follower until it has left."""
    job = await threads.read(lambda: services.jobs.get(job_id))
    with services.followers.held(visitors.of(request.scope).key):
        yield job


@router.get(
    "/jobs/{job_id}/events",
    summary="Follow a job by server-sent events",
    response_class=EventSourceResponse,
    responses=documented(404, 429, 507),
)
async def events(
    services: Served, threads: OnThreads, known: Annotated[Job, Depends(_followed_job)]
) -> AsyncIterator[ServerSentEvent]:
    """Send the job as it stands, then after each change, and last of all when it is over."""
    async with aclosing(_changes_of(services, threads, known.id)) as changes:
        async for job in changes:
            yield ServerSentEvent(data=job.as_json())


@router.websocket("/jobs/{job_id}/ws")
async def follow_by_socket(services: Served, threads: OnThreads, socket: WebSocket, job_id: str) -> None:
    """Send the job as it stands, then after each change, and last of all when it is over."""
    try:
        with services.followers.held(visitors.of(socket.scope).key):
            await socket.accept()
            await _send_changes(services, threads, socket, job_id)
    except TooManyRequests as refused:
        await socket.send_denial_response(problems.of(refused))


async def _send_changes(services: Services, threads: Threads, socket: WebSocket, job_id: str) -> None:
    try:
        await threads.read(lambda: services.jobs.get(job_id))
    except JobNotFound as unknown:
        await socket.close(_UNKNOWN_JOB, str(unknown))
        return
    try:
        async with create_task_group() as group:
            group.start_soon(_cancel_when_gone, socket, group.cancel_scope)
            async with aclosing(_changes_of(services, threads, job_id)) as changes:
                async for job in changes:
                    await socket.send_json(job.as_json())
            group.cancel_scope.cancel()
        await socket.close()
    except* (JobNotFound, WebSocketDisconnect, RuntimeError):
        _log.debug("a follower has left, or its job was removed")


async def _cancel_when_gone(socket: WebSocket, scope: CancelScope) -> None:
    """Cancel the scope when the client has left; its messages are ignored."""
    with suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive()
    scope.cancel()


async def _changes_of(services: Services, threads: Threads, job_id: str) -> AsyncGenerator[Job, None]:
    """Yield a job now and after each change, until it is over."""
    jobs = await threads.read(lambda: services.jobs)
    async with aclosing(follow(jobs, job_id, threads.read)) as followed:
        async for job in followed:
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
async def video(services: Served, threads: OnThreads, job_id: JobId) -> FileResponse:
    """Give the film, in whole or in the range that was asked for; of a sound file, the sound."""
    return _file_response(await threads.read(lambda: services.jobs.film(job_id)))


@router.get(
    "/jobs/{job_id}/joined",
    summary="Several dubs of a film in one file",
    response_class=FileResponse,
    responses=_file_of("video/mp4", "audio/mp4") | documented(400, 404, 409, 416, 422, 429, 500, 503, 507),
)
async def joined_dubs(
    services: Served,
    threads: OnThreads,
    request: Request,
    job_id: JobId,
    others: Annotated[
        list[str],
        Query(
            alias="with",
            min_length=1,
            max_length=joined.MOST - 1,
            description="The ids of further dubs of the same film.",
            examples=[["mfrggzdfmztwq2lknnwg23tpob"]],
        ),
    ],
) -> Response:
    """Give the film with a sound track and a subtitle track of each dub; it is made when it is first asked for."""
    visitor, ids = visitors.of(request.scope).key, [job_id, *others]
    with services.answers.held(visitor):
        return await attended.answered(
            request,
            threads.answer,
            lambda cancel: _file_response(services.jobs.in_one_file(ids, cancel, visitor)),
        )


@router.get(
    "/jobs/{job_id}/subtitles/{language}.{ending}",
    summary="Subtitles",
    response_class=FileResponse,
    responses=_file_of("application/x-subrip", "text/vtt", "text/x-ssa") | documented(400, 404, 409, 416, 422, 507),
)
async def subtitles(
    services: Served,
    threads: OnThreads,
    job_id: JobId,
    language: Annotated[
        str, Path(description="The language spoken, the one that is spoken now, or both.", examples=["es"])
    ],
    ending: Annotated[Literal["srt", "vtt", "ass"], Path(description="The form.", examples=["srt"])],
    karaoke: Annotated[
        bool | None,
        Query(description="Whether words light up as they are spoken, in the form ass; default: as the job has it."),
    ] = None,
) -> Response:
    """Give the subtitles in the film's language, in the dub's, or in both at a time: the dub's above."""
    found = await threads.read(lambda: services.jobs.subtitles(job_id, language, ending, karaoke=karaoke))
    return _file_response(found) if isinstance(found, ResultFile) else _text_response(found)


class _Result(FileResponse):
    """A file of the results, or a part of it. Errors are answered as problems."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, problems.replacing(_NO_PART, "text/plain", scope, receive, send))
        except RuntimeError:  # Starlette raises this for a missing file, before it sends anything
            if os.path.lexists(self.path):
                raise
            await problems.of(JobNotFound())(scope, receive, send)


def _file_response(result: ResultFile) -> FileResponse:
    # An edit replaces the file, so a browser has to check each time whether it has changed.
    headers = {"Cache-Control": "private, no-cache"}
    return _Result(
        result.path,
        media_type=result.media_type,
        filename=result.name,
        headers=headers,
        content_disposition_type="inline",
    )


def _text_response(result: ResultText) -> Response:
    headers = {"Cache-Control": "private, no-cache", **result.headers}
    return Response(result.text, media_type=result.media_type, headers=headers)


@router.get(
    "/jobs/{job_id}/peaks/{sound}", summary="The outline of a sound", responses=documented(404, 409, 422, 429, 503, 507)
)
async def peaks(
    services: Served,
    threads: OnThreads,
    request: Request,
    job_id: JobId,
    sound: Annotated[Literal["original", "dub"], Path(description="Which one.", examples=["dub"])],
) -> schemas.Outline:
    """Give the outline of the dub's sound, or of the original's, to draw it. The first time it is measured."""
    visitor = visitors.of(request.scope).key
    with services.probes.held(visitor):
        found = await threads.probe(lambda: services.jobs.outline(job_id, of_dub=sound == "dub", visitor=visitor))
    return schemas.Outline(peaks=found)


@router.get("/jobs/{job_id}/report", summary="The report", responses=documented(404, 409, 507))
async def report(services: Served, threads: OnThreads, job_id: JobId) -> dict[str, Any]:
    """Give the report: who heard, translated and spoke, every line with its timing, and how loud it is."""
    return await threads.read(lambda: services.jobs.report_json(job_id))


@router.get(
    "/jobs/{job_id}/segments",
    summary="The lines",
    response_model_exclude_none=True,
    responses=documented(404, 409, 507),
)
async def segments(services: Served, threads: OnThreads, job_id: JobId, response: Response) -> schemas.Segments:
    """Give the lines as they are spoken; the answer's ETag is what an edit names in If-Match."""
    found = await threads.read(lambda: services.jobs.lines(job_id))
    response.headers["ETag"] = f'"{found.version}"'
    return schemas.Segments(
        segments=[_segment(segment) for segment in found.segments],
        speakers=[schemas.Speaker(**asdict(speaker)) for speaker in found.speakers] or None,
    )


def _segment(line: DubbedLine) -> schemas.Segment:
    """Return a line as the report has it: what it has not is left out."""
    known = asdict(line)
    return schemas.Segment(**{name: value for name, value in known.items() if value != ()})


LineNumber = Annotated[int, Path(ge=0, lt=1_000_000, description="The id of the line.", examples=[0])]


@router.get(
    "/jobs/{job_id}/segments/{line}/takes",
    summary="The takes of a line",
    response_model_exclude_none=True,
    responses=documented(404, 409, 422, 507),
)
async def takes(services: Served, threads: OnThreads, job_id: JobId, line: LineNumber) -> schemas.Takes:
    """Give what was spoken for a line, now and before edits; an edit with the text of one brings it back."""
    found = await threads.read(lambda: services.jobs.takes(job_id).of_line(line))
    return schemas.Takes(takes=[_take(one) for one in found])


def _take(kept: KeptTake) -> schemas.Take:
    take = kept.take
    return schemas.Take(
        id=take.id,
        text=take.text,
        voice=take.voice,
        speaker=take.speaker,
        seconds=take.seconds,
        is_present=kept.is_present,
        has_sound=kept.has_sound,
    )


@router.get(
    "/jobs/{job_id}/segments/{line}/takes/{take}/sound",
    summary="How a take sounds",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}}, **documented(404, 409, 422, 507)},
)
async def take_sound(
    services: Served,
    threads: OnThreads,
    job_id: JobId,
    line: LineNumber,
    take: Annotated[
        str, Path(pattern=r"^[0-9a-f]{16}$", description="The id of the take.", examples=["9f86d081884c7d65"])
    ],
) -> Response:
    """Give the sound of a take, as loud as in the dub, without what is heard under it."""
    spoken = await threads.read(lambda: services.jobs.takes(job_id).sound(line, take))
    return Response(spoken, media_type="audio/wav", headers={"Cache-Control": "private, no-cache"})


@router.patch(
    "/jobs/{job_id}/segments",
    summary="Mend lines and speakers",
    status_code=202,
    responses=documented(404, 409, 412, 422, 428, 429, 503, 507),
)
async def edit(
    services: Served,
    threads: OnThreads,
    request: Request,
    job_id: JobId,
    changes: schemas.Changes,
    if_match: Annotated[str | None, Header(description="The ETag of the lines as they were read.")] = None,
) -> schemas.Job:
    """Have lines said otherwise, at another time or by somebody else, and speakers named or voiced otherwise.

    Only what is concerned is done again; the old results stay until then.
    """
    if if_match is None:
        raise HTTPException(428, "Name the ETag of the lines that you have read in If-Match.")
    lines = {
        change.id: Edit(change.text, change.source_text, change.start, change.end, change.speaker)
        for change in changes.segments
    }
    said = {change.id: SpeakerEdit(change.label, change.voice) for change in changes.speakers}
    if len(lines) < len(changes.segments):
        raise InputError("A line is there twice: each may be changed once at a time.")
    if len(said) < len(changes.speakers):
        raise InputError("A speaker is there twice: each may be changed once at a time.")
    found = Edits(lines, said)
    version, visitor = _version(if_match), visitors.of(request.scope).key
    new = [NewLine(one.start, one.end, one.source_text, one.text, one.speaker) for one in changes.added]
    return _job_json(await threads.change(lambda: services.jobs.edit(job_id, version, found, visitor, new)))


def _version(if_match: str) -> int:
    said = if_match.strip().removeprefix("W/").strip('"')
    return int(said[:9]) if said.isdecimal() else -1  # not a version: answered as outdated


def _job_json(job: Job) -> schemas.Job:
    return schemas.Job(**job.as_json())
