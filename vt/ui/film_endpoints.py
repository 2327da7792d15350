"""The endpoints of jobs, each of which is in the queue: most end with the call, one may be kept, and changed then."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import gradio as gr
from anyio import to_thread
from gradio.components import Component
from gradio.components.api_component import Api

from vt.domain import (
    FINISHES,
    NO_WISHES,
    WISHES,
    Edits,
    Finish,
    Job,
    JobSpec,
    JobState,
    Wishes,
    is_yes,
    number_of_speakers,
)
from vt.errors import VtError
from vt.jobs.job_service import Jobs, disk_errors
from vt.jobs.new_lines import NewLine
from vt.jobs.progress_feed import follow
from vt.jobs.results import ResultFile
from vt.services import Services
from vt.ui import fragments
from vt.ui.edits import edits_from, new_lines_from
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner
from vt.ui.shared import RAW, in_words, number, owner, text
from vt.ui.words import ENGLISH

_WAITING = 256
"""How many calls may wait for their jobs at a time. Waiting needs no thread; the jobs are in the worker's queue."""
_YIELD_SECONDS = 1.0
"""How often each call yields at least: Gradio notices only when it yields that the caller has left."""


def add(services: Services) -> None:
    """Add the endpoints to the page that is being built."""
    _add_translate(services)
    _add_transcribe(services)
    _add_edit(services)


_FILM: dict[str, Any] = {"type": "string", "description": "Progress, and at the end the path of the dubbed file."}
_SUBTITLES: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "description": "Paths: SRT, WebVTT."}
_REPORT: dict[str, Any] = {"type": "object", "description": "Who did what, every line with its timing."}
_TRANSCRIPT: dict[str, Any] = {"type": "string", "description": "Progress, and at the end what is said."}
_WISHED = ("espeak-ng-es", "espeak-ng", "apertium")
"""Examples of wishes."""


def _add_translate(services: Services) -> None:
    async def translate(
        request: gr.Request,
        video: object,
        target_language: str,
        source_language: str = "auto",
        subtitles: object = None,
        audio_track: int | None = None,
        voice: str = "",
        tts_engine: str = "",
        translation_engine: str = "",
        speakers: str = "auto",
        mark_speakers: bool = False,
        background: str = "auto",
        literal: bool = False,
        burn: str = "",
        keep: bool = False,
        karaoke: bool = False,
        fit: str = "speech",
        preview: bool = False,
        glossary: str = "",
    ) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Dub a video or audio file into another language.

        Yields what it is at, such as ("Translating: 62 %", None, None), and at the end the path of the dubbed file,
        those of the subtitles in both languages as SRT and WebVTT, and the report. Who cancels the call cancels it all.
        In place of a file, `subtitles` may name a subtitle track in the film, such as "track:2". With `keep` the dub
        stays on the server, and the report names it as `job`: /edit takes that.
        """
        whose = owner(request)
        with in_words():
            wishes = _wishes(voice, tts_engine, translation_engine)
            spec = _spec(text(target_language, "target_language"), source_language, audio_track, wishes)
            told = number_of_speakers(text(speakers or "auto", "speakers"))
            finish, keeps = _finish(background, literal, burn, karaoke, fit), is_yes(str(keep or False))
            marks, is_preview = is_yes(str(mark_speakers or False)), is_yes(str(preview or False))
            spec = replace(spec, speakers=told, mark_speakers=marks, finish=finish, preview=is_preview)
            terms = text(glossary or "", "glossary")
        async with underway(services, spec, video, subtitles, whose, keeps=keeps, glossary=terms) as job:
            async with aclosing(_awaited(services.jobs, job.id)) as progress:
                async for at in progress:
                    yield at, None, None
            film, *written, report = await asyncio.to_thread(_dubbed, services.jobs, job.id, whose)
            yield film, written, report | ({"job": job.id} if keeps else {})

    inputs = [_file("video"), _text("target_language", "es"), _source(), _file("subtitles"), _number("audio_track")]
    inputs += [_wish(name, example) for name, example in zip(WISHES, _WISHED, strict=True)]
    inputs += [_speakers(), _mark_speakers(), *_finishes(), _keep(), _karaoke(), _fit(), _preview(), _glossary()]
    _serve(translate, inputs, _dub_answers())


def _dub_answers() -> list[Api]:
    return [_answer("video", _FILM), _answer("subtitles", _SUBTITLES), _answer("report", _REPORT)]


def _add_transcribe(services: Services) -> None:
    async def transcribe(
        request: gr.Request, video: object, source_language: str = "auto", audio_track: int | None = None
    ) -> AsyncIterator[tuple[Any, Any]]:
        """Write down what is said in a video or audio file.

        Yields what it is at, such as ("Listening to what is said: 62 %", None), and at the end the transcript, a line a
        sentence, and the paths of its subtitles as SRT and WebVTT. Who cancels the call cancels the job.
        """
        whose = owner(request)
        with in_words():
            spec = _spec("", source_language, audio_track)
        async with underway(services, spec, video, None, whose) as job:
            async with aclosing(_awaited(services.jobs, job.id)) as progress:
                async for at in progress:
                    yield at, None
            transcript, *written = await asyncio.to_thread(_written_down, services.jobs, job.id, whose)
            yield transcript, written

    inputs = [_file("video"), _source(), _number("audio_track")]
    _serve(transcribe, inputs, [_answer("transcript", _TRANSCRIPT), _answer("subtitles", _SUBTITLES)])


def _add_edit(services: Services) -> None:
    async def edit(
        request: gr.Request,
        job: str,
        segments: list[Any] | None = None,
        speakers: list[Any] | None = None,
        added: list[Any] | None = None,
    ) -> AsyncIterator[tuple[Any, Any, Any]]:
        """Change lines and speakers of a dub that /translate kept, or that was made over HTTP.

        A line may be said otherwise, at another time or by another speaker, a speaker may be named and voiced
        otherwise; lines may be added, which moves the ids behind them up, and a line whose text and source_text are
        emptied is removed. To split a line is to shorten it and to add the rest, to join two is to lengthen one and to
        remove the other. Only what is concerned is done again. Yields what /translate yields. Who cancels the call
        cancels the change: the dub stays as it was.
        """
        whose = owner(request)
        with in_words():
            new = new_lines_from(added or [])
            edits = edits_from(segments or [], speakers or [], alone=not new)
            job_id = text(job, "job")
        async with _changing(services, job_id, edits, new, whose):
            async with aclosing(_awaited(services.jobs, job_id)) as progress:
                async for at in progress:
                    yield at, None, None
            film, *written, report = await asyncio.to_thread(_dubbed, services.jobs, job_id, whose)
            yield film, written, report | {"job": job_id}

    _serve(edit, [_job(), *_changes()], _dub_answers())


def _source() -> Api:
    return _text("source_language", "en", "auto")


def _serve(function: Callable[..., Any], inputs: Sequence[Component], outputs: Sequence[Component]) -> None:
    """Make a function an endpoint under its name; nothing of it is visible on the page."""
    gr.Button(visible=False).click(
        function, inputs, outputs, api_name=function.__name__, concurrency_limit=_WAITING, show_progress="hidden", **RAW
    )


def _file(name: str) -> gr.File:
    return gr.File(label=name, visible=False)


def _text(name: str, example: str, default: str | None = None) -> Api:
    known = {"type": "string", "additional_description": f"the code of a language, such as {example}"}
    if default:
        known["additional_description"] += f"; {default}: found out by listening"
    return _field(name, known, example, default)


def _number(name: str) -> Api:
    said = "which sound track, from 1; none: by its language"
    return _field(name, {"type": "integer", "additional_description": said}, 1)


def _wish(name: str, example: str) -> Api:
    said = "one of those that /voices lists, or 1=ID,2=ID" if name == "voice" else "as the report names it"
    return _field(name, {"type": "string", "additional_description": f"{said}; none: the best"}, example, "")


def _speakers() -> Api:
    said = "how many people speak, 1 to 12; auto: found out by listening"
    return _field("speakers", {"type": "string", "additional_description": said}, "2", "auto")


def _mark_speakers() -> Api:
    said = "whether the subtitles show where another person begins to speak"
    return _field("mark_speakers", {"type": "boolean", "additional_description": said}, True, False)


def _finishes() -> list[Api]:
    """Return the fields that say how the film is made up."""
    background = "none; duck: the original's sound under the dub; keep: that without voices; auto: by what there is"
    literal = "whether every line is spoken in full, however short the time is"
    burn = "the language whose subtitles are drawn into the picture, or both; none: no language"
    return [
        _field("background", {"type": "string", "additional_description": background}, "duck", "auto"),
        _field("literal", {"type": "boolean", "additional_description": literal}, True, False),
        _field("burn", {"type": "string", "additional_description": burn}, "es", ""),
    ]


def _karaoke() -> Api:
    said = "whether the words of the subtitles in the picture light up as they are spoken"
    return _field("karaoke", {"type": "boolean", "additional_description": said}, True, False)


def _keep() -> Api:
    said = "whether the dub stays on the server, so that /edit can change it: the report names it as job then"
    return _field("keep", {"type": "boolean", "additional_description": said}, True, False)


def _fit() -> Api:
    said = "what yields where a line needs more time: speech, which gets faster; or picture, which is slowed there"
    return _field("fit", {"type": "string", "additional_description": said}, "picture", "speech")


def _preview() -> Api:
    said = "whether only the first minute is dubbed, as a trial"
    return _field("preview", {"type": "boolean", "additional_description": said}, True, False)


def _glossary() -> Api:
    said = "CSV or TSV: a term, its translation (none: it stays as it is), and, if it holds for one alone, a language"
    return _field("glossary", {"type": "string", "additional_description": said}, "cluster,grupo\nKubernetes", "")


def _job() -> Api:
    said = "as the report of /translate with keep names it, or the id of a job that was made over HTTP"
    return _field("job", {"type": "string", "additional_description": said}, "mfrggzdfmztwq2lknnwg23tpoa")


def _changes() -> list[Api]:
    """Return the fields that say what is changed in a dub."""
    line, speaker = {"id": 0, "text": "Hola.", "speaker": 1}, {"id": 1, "label": "Anna", "voice": "ef_dora"}
    lines = (
        "by the ids of the report: text, source_text, start, end, speaker; the id behind the last one adds a speaker"
    )
    new = "start, end, in seconds, source_text, text, speaker: what is said is translated where there is no text"
    said = "by their ids: label and voice, which is one that the same engine has for the language"
    objects: dict[str, Any] = {"type": "array", "items": {"type": "object"}}
    return [
        _field("segments", objects | {"additional_description": lines}, [line], []),
        _field("speakers", objects | {"additional_description": said}, [speaker], []),
        _field("added", objects | {"additional_description": new}, [{"start": 1.5, "end": 3.0, "text": "Hola."}], []),
    ]


def _field(name: str, known: dict[str, Any], example: object, default: object = None) -> Api:
    made = Api(default, known, name)
    setattr(made, "example_payload", lambda: example)  # noqa: B010 (for this object alone)
    return made


def _answer(name: str, known: dict[str, Any]) -> Api:
    return Api(None, known, name)


# A call


def _wishes(*said: object) -> Wishes:
    return Wishes(*(text(value or "", name) for name, value in zip(WISHES, said, strict=True)))


def _finish(*said: object) -> Finish:
    return Finish.of({name: text(str(value or ""), name) for name, value in zip(FINISHES, said, strict=True)})


def _spec(target: str, source: object, track: object, wishes: Wishes = NO_WISHES) -> JobSpec:
    """Return what is asked for, without the film's name.

    Raises:
        InputError: a value has the wrong type.
    """
    heard = text(source or "auto", "source_language")
    which = None if track is None else number(track, "audio_track")
    return JobSpec("", target, heard, audio_track=which, wishes=wishes)


@asynccontextmanager
async def underway(
    services: Services,
    spec: JobSpec,
    film: object,
    subtitles: object,
    whose: Owner,
    *,
    keeps: bool = False,
    glossary: str = "",
) -> AsyncIterator[Job]:
    """Count the caller as a follower, and submit a job; it is removed when the block ends, unless it is kept then."""
    with in_words(), services.followers.held(whose.address):
        jobs = await asyncio.to_thread(lambda: services.jobs)  # the first access opens the database, which may wait
        job = await asyncio.to_thread(_submitted, services, spec, film, subtitles, glossary, whose)
        async with _or_else(lambda: _removed(jobs, job.id), always=not keeps):
            yield job


@asynccontextmanager
async def _changing(
    services: Services, job_id: str, edits: Edits, new: Sequence[NewLine], whose: Owner
) -> AsyncIterator[None]:
    """Count the caller as a follower, and have a dub changed; where the block breaks off, that is cancelled."""
    with in_words(), services.followers.held(whose.address):
        jobs = await asyncio.to_thread(lambda: services.jobs)
        await asyncio.to_thread(lambda: jobs.edit(job_id, jobs.lines(job_id).version, edits, whose.address, new))
        async with _or_else(lambda: _cancelled(jobs, job_id)):
            yield


@asynccontextmanager
async def _or_else(act: Callable[[], None], *, always: bool = False) -> AsyncIterator[None]:
    """Act in a thread of its own where the block breaks off, or always."""
    is_whole = False
    try:
        yield
        is_whole = True
    finally:
        if always or not is_whole:
            # The caller may have been cancelled on the event loop: nothing here may wait.
            threading.Thread(target=act, name="vt-leave", daemon=True).start()


def _submitted(services: Services, spec: JobSpec, film: object, subtitles: object, glossary: str, whose: Owner) -> Job:
    jobs = services.jobs
    with services.probes.held(whose.address), jobs.draft() as draft:
        spec = uploads.fill(draft, spec, film, subtitles, whose)
        if glossary:
            with disk_errors():
                draft.glossary.write_text(glossary, encoding="utf-8", errors="replace")
            spec = replace(spec, glossary="glossary")
        return jobs.submit(draft, spec, whose.address)


def _removed(jobs: Jobs, job_id: str) -> None:
    with suppress(VtError):  # the server is about to end: the job is removed later, with those that expire
        uploads.remove(jobs, job_id)


def _cancelled(jobs: Jobs, job_id: str) -> None:
    with suppress(VtError):  # it is over, or the server is about to end
        jobs.cancel(job_id)


async def _awaited(jobs: Jobs, job_id: str) -> AsyncGenerator[str, None]:
    """Yield the stage and progress of a job, after each change and at least about every second, until it is done.

    Raises:
        VtError: it is over, but not done.
    """
    told, told_at = "", 0.0
    async with aclosing(follow(jobs, job_id, to_thread.run_sync, _YIELD_SECONDS)) as followed:
        async for job in followed:
            at, now = f"{fragments.step(ENGLISH, job)}: {100 * job.fraction:.0f} %", time.monotonic()
            if not job.state.is_over and (at != told or now - told_at >= _YIELD_SECONDS):
                told, told_at = at, now
                yield at
    if job.state is not JobState.DONE:
        raise VtError(job.error or "The job was cancelled.")


def _dubbed(jobs: Jobs, job_id: str, whose: Owner) -> list[Any]:
    """Return the dubbed file, the subtitles and the report, as Gradio sends them."""
    report = jobs.dub_report(job_id)
    files = [jobs.film(job_id), *jobs.subtitle_files(job_id)]
    return [*_handed(files, whose), report.as_json()]


def _written_down(jobs: Jobs, job_id: str, whose: Owner) -> list[Any]:
    """Return the transcript and its subtitles, as Gradio sends them."""
    report = jobs.report(job_id)
    transcript = "\n".join(line.source_text for line in report.segments)
    return [transcript, *_handed(jobs.subtitle_files(job_id), whose)]


def _handed(files: Sequence[ResultFile], whose: Owner) -> list[dict[str, Any]]:
    """Copy results to their owner's uploads, so that the job can be removed; they are kept as long as uploads."""
    given = []
    for file in files:
        place = uploads.place(file.name, whose, "result")
        uploads.take(file.path, place)
        given.append(gr.FileData(path=str(place), orig_name=file.name).model_dump())
    return given
