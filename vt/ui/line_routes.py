"""The routes behind the workbench of a dub's lines: its scripts, the lines with what is said of them, and saving."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import gradio as gr
from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from vt.domain import MOST_SPEAKERS, Edits, Job, JobState
from vt.dubbing.report import DubbedLine, DubReport
from vt.errors import BrokenCall, NoSuchResult, VtError, WrongType
from vt.jobs.new_lines import NewLine
from vt.jobs.progress_feed import Feed
from vt.jobs.results import ResultFile
from vt.services import Services
from vt.ui import job_files, words
from vt.ui.edits import edits_from, new_lines_from
from vt.ui.scripts import STATIC
from vt.ui.words import Words
from vt.web import visitors
from vt.web.http_statuses import headers_of, status_of

_MODULES = {file.name: file for file in sorted((STATIC / "lines").glob("*.js"))}
_DIGEST = hashlib.sha256(b"\0".join(file.read_bytes() for file in _MODULES.values())).hexdigest()[:16]
_SCRIPTS = f"static/lines-{_DIGEST}"
_WORDS = "bench_"
"""How the keys of the workbench's words begin."""
_LAST_LINE = 99_999
_PATIENCE_SECONDS = 20.0
"""So long a browser is kept waiting for a line that is being spoken: proxies may break off what takes longer."""
_LOOK_SECONDS = 0.02
"""How often it is looked whether that is done: no job says so, as its progress is told twice a second at most."""


def shown(job: Job) -> dict[str, Any] | None:
    """Return what the page tells its workbench of a job; None where the job has no results."""
    if not job.version:
        return None
    return {
        "script": f"{_SCRIPTS}/bench.js",
        "address": f"films/{job.id}/lines",
        "job": job.id,
        "version": job.version,
        "state": job.state.value,
        "over": job.state.is_over,
    }


def workbench(
    words: Words,
    job: Job,
    report: DubReport,
    has_picture: bool,
    voices: Sequence[tuple[str, str]],
    takes: Sequence[int],
) -> dict[str, Any]:
    """Return all that a workbench shows of a dub, as JSON; no text in it is escaped for HTML.

    Args:
        words: in the reader's language.
        job: of the dub.
        report: of the dub.
        has_picture: whether it is a film, or sound alone.
        voices: the ids of the voices that may be chosen for its speakers, each with its description.
        takes: how many earlier takes each line has.
    """
    target = report.target_language
    return {
        "job": job.id,
        "version": job.version,
        "language": words.language,
        "seconds": report.source.duration_seconds,
        "picture": has_picture,
        "dub": job_files.film(job.id, job.version),
        "original": job_files.original(job.id),
        "subtitles": job_files.subtitles(job.id, job.version, target.code, "vtt"),
        "source": {"code": report.source.language.code, "name": report.source.language.native_name},
        "target": {"code": target.code, "name": target.native_name},
        "lines": [_line(words, line) | {"takes": count} for line, count in zip(report.segments, takes, strict=True)],
        "speakers": _speakers(report),
        "several": bool(report.speakers),
        "most_speakers": MOST_SPEAKERS,
        "voices": [{"id": voice, "text": text, "sample": job_files.sample(voice)} for voice, text in voices],
        "words": words.those(_WORDS),
    }


def _line(words: Words, line: DubbedLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "start": line.start,
        "end": line.end,
        "source_text": line.source_text,
        "text": line.text,
        "speaker": line.speaker or 0,
        "tempo": line.tempo,
        "natural": line.natural_seconds,
        "room": line.room_seconds,
        "from": line.placed_start,
        "until": line.placed_end,
        "confidence": line.confidence,
        "shortened": line.shortened or "",
        "hurried": words.sentence(line.hurried) if line.hurried else "",
    }


def _speakers(report: DubReport) -> list[dict[str, Any]]:
    """Return the speakers; one without a name where nobody else speaks."""
    alone = {"id": 0, "label": "", "voice": report.engines.tts.voice}
    return [{"id": one.id, "label": one.label, "voice": one.voice} for one in report.speakers] or [alone]


class LineRoutes:
    """The routes, over the services of one server."""

    def __init__(self, services: Services, voices: Callable[[Words, DubReport], Sequence[tuple[str, str]]]) -> None:
        """`voices` returns the ids of the voices that may be chosen in a dub, each with its description."""
        self._services, self._voices = services, voices

    def routes(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(include_in_schema=False)
        router.get(f"/{_SCRIPTS}/{{name}}")(_script)
        router.get("/films/{job_id}/lines")(self._lines)
        router.post("/films/{job_id}/lines")(self._save)
        router.post("/films/{job_id}/drafts")(self._speak_ahead)
        router.get("/films/{job_id}/fresh-lines/{line}")(self._fresh)
        return router

    def _lines(self, job_id: str, request: Request) -> Response:
        said = words.of(gr.Request(request))
        return _told(said, lambda: JSONResponse(self._workbench(said, job_id), headers=_NOT_KEPT))

    def _workbench(self, said: Words, job_id: str) -> dict[str, Any]:
        jobs = self._services.jobs
        job, takes = jobs.get(job_id), jobs.takes(job_id)
        has_picture = jobs.film(job_id).media_type.startswith("video/")
        report = takes.report
        return workbench(said, job, report, has_picture, self._voices(said, report), takes.counts())

    async def _save(self, job_id: str, request: Request) -> Response:
        """Have lines and speakers done again; refused with a sentence in the reader's language."""
        said, visitor = words.of(gr.Request(request)), visitors.of(request.scope).key
        try:
            sent = await _sent(request)
        except VtError as error:
            return _refused(said, error)

        def save() -> Response:
            edits, new = _changes(sent)
            job = self._services.jobs.edit(job_id, _version(sent), edits, visitor, new)
            return JSONResponse({"state": job.state.value}, 202, headers=_NOT_KEPT)

        return await run_in_threadpool(_told, said, save)

    async def _speak_ahead(self, job_id: str, request: Request) -> Response:
        """Have lines spoken that may soon be saved: 202; 204: not now. What is sent is what saving them would send."""
        said = words.of(gr.Request(request))
        try:
            sent = await _sent(request)
        except VtError as error:
            return _refused(said, error)

        def speak() -> Response:
            edits, new = _changes(sent)
            is_spoken = self._services.jobs.speak_ahead(job_id, _version(sent), edits, new)
            return Response(status_code=202 if is_spoken else 204, headers=_NOT_KEPT)

        return await run_in_threadpool(_told, said, speak)

    async def _fresh(
        self, job_id: str, line: Annotated[int, Path(ge=0, le=_LAST_LINE)], version: int, request: Request
    ) -> Response:
        """Send a line as soon as an edit of a version has had it spoken.

        Without a content: it was not spoken in the time that a browser is kept waiting, which may ask again. An error:
        the edit is over.
        """
        said, visitor = words.of(gr.Request(request)), visitors.of(request.scope).key
        try:
            with self._services.followers.held(visitor):
                found = await self._awaited(job_id, line, version)
        except VtError as error:
            return _refused(said, error)
        return job_files.sent(found) if found else Response(status_code=204, headers=_NOT_KEPT)

    async def _awaited(self, job_id: str, line: int, version: int) -> ResultFile | None:
        """Wait until a line is spoken, and return it; None: that takes long.

        Raises:
            JobNotFound: there is no such job.
            NoSuchResult: the version is no longer being edited.
        """
        jobs = await run_in_threadpool(lambda: self._services.jobs)
        with Feed(jobs, [job_id]) as feed:
            job = await run_in_threadpool(jobs.get, job_id)
            until = time.monotonic() + _PATIENCE_SECONDS
            while job.version == version and not job.state.is_over:
                found = jobs.fresh_line(job_id, line) if job.state is JobState.RUNNING else None
                if found or time.monotonic() > until:
                    return found
                job = next(reversed(await feed.changes(_LOOK_SECONDS)), job)
        raise NoSuchResult("This line cannot be heard now.")


_NOT_KEPT = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}


async def _sent(request: Request) -> Mapping[str, Any]:
    """Return the object that a browser sent; how large it may be was checked before.

    Raises:
        VtError: it is no JSON object.
    """
    # A form of another site cannot send this type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WrongType("The changes of lines are JSON: their Content-Type is application/json.")
    try:
        sent = await request.json()
    except (ValueError, RecursionError) as error:
        raise BrokenCall("The changes of lines are no JSON.") from error
    except ClientDisconnect as error:
        raise BrokenCall("The call broke off before its end.") from error
    if not isinstance(sent, dict):
        raise BrokenCall("The changes of lines have to be a JSON object.")
    return sent


def _changes(sent: Mapping[str, Any]) -> tuple[Edits, list[NewLine]]:
    """Return the edits that were sent, and the lines that are to be added.

    Raises:
        InputError: they are none.
    """
    new = new_lines_from(sent.get("added", []))
    return edits_from(sent.get("lines"), sent.get("speakers"), alone=not new), new


def _version(sent: Mapping[str, Any]) -> int:
    version = sent.get("version")
    return version if isinstance(version, int) else -1  # not a version: answered as outdated


def _told(said: Words, act: Callable[[], Response]) -> Response:
    try:
        return act()
    except VtError as error:
        return _refused(said, error)


def _refused(said: Words, error: VtError) -> Response:
    """Return an error as a sentence; as plain text, for JSON would be replaced by a sentence in English."""
    return PlainTextResponse(said.sentence(error.message), status_of(error), {**headers_of(error), **_NOT_KEPT})


def _script(name: str) -> Response:
    """Send a module. Its address changes with its content, so that a browser need not ask for it again."""
    found = _MODULES.get(name)
    if found is None:
        return PlainTextResponse("There is no such script.", 404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(found, media_type="text/javascript", headers=headers)
