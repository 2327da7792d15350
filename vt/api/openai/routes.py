"""The routes of OpenAI's audio API, on the models, the limits and the errors of this server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from vt import media
from vt.answers import hearing, speaking
from vt.answers.hearing import Recording
from vt.answers.speaking import Speech
from vt.api import attended, problems, uploads
from vt.api.dependencies import OnThreads, Served, Threads, counted
from vt.api.openai import errors, models, requests, responses, voices
from vt.domain import Cancel, Word
from vt.services import Services
from vt.web import visitors
from vt.web.multipart import Upload

_FILES = ("file",)
_router = APIRouter()


def make(services: Services, threads: Threads) -> FastAPI:
    """Return the application of these routes, which is mounted at /v1."""
    app = FastAPI(openapi_url=None)
    app.state.services, app.state.threads = services, threads
    problems.install(app)
    errors.install(app)
    app.include_router(_router)
    return app


@dataclass(frozen=True, slots=True)
class _Form:
    """A recording that has come, and the fields that came with it."""

    recording: Recording
    upload: Upload


async def _form(services: Served, threads: OnThreads, request: Request) -> AsyncIterator[_Form]:
    """Receive a recording; it is removed when the answer has been sent, and counts for its visitor until then."""
    visitor = visitors.of(request.scope).key
    with services.answers.held(visitor):
        async with uploads.received(services, threads, request, visitor, _FILES) as (draft, upload):
            longest = 60 * services.settings.max_duration_minutes
            name = upload.files.get("file") or "the recording"
            yield _Form(Recording(draft.film, name, longest_seconds=longest), upload)


_Received = Annotated[_Form, Depends(_form)]


@_router.post("/audio/transcriptions")
async def transcribe(services: Served, threads: OnThreads, request: Request, form: _Received) -> Response:
    """Write down what is said in a recording."""
    return await _heard(services, threads, request, form, translates=False)


@_router.post("/audio/translations")
async def translate(services: Served, threads: OnThreads, request: Request, form: _Received) -> Response:
    """Write down in English what is said in a recording."""
    return await _heard(services, threads, request, form, translates=True)


async def _heard(services: Services, threads: Threads, request: Request, form: _Form, *, translates: bool) -> Response:
    asked = requests.hearing(form.upload, translates=translates)
    model = await threads.read(lambda: models.recogniser(asked.model, services))
    recording = Recording(
        form.recording.source,
        form.recording.name,
        asked.language,
        model,
        asked.prompt,
        form.recording.longest_seconds,
    )

    def whole(cancel: Cancel) -> Response:
        said = hearing.hear(recording, services.factory, cancel, lambda _: None, in_english=translates)
        return responses.of(said, asked, translates=translates)

    def growing(take: attended.Take, cancel: Cancel) -> None:
        deltas = responses.Deltas()

        def tell(words: Sequence[Word]) -> None:
            if event := deltas.event(words):
                take(event)

        take(responses.done(hearing.hear(recording, services.factory, cancel, tell)))

    if not asked.streams:
        return await attended.answered(request, threads.answer, whole)
    named = {**responses.headers(asked.ignored), "Cache-Control": "no-cache"}
    return await attended.streamed(request, threads.answer, growing, "text/event-stream", named, responses.trouble)


@_router.post("/audio/speech", dependencies=[Depends(counted)])
async def speech(services: Served, threads: OnThreads, request: Request) -> Response:
    """Speak a text; the answer is sent while it is spoken."""
    asked = requests.speaking_of(await request.body())
    spoken = await threads.read(lambda: _speech(asked, services))

    def work(take: attended.Take, cancel: Cancel) -> None:
        speaking.speak(spoken, services.factory, cancel, take)

    def events(take: attended.Take, cancel: Cancel) -> None:
        speaking.speak(spoken, services.factory, cancel, lambda chunk: take(responses.sound(chunk)))
        take(responses.spoken())

    named = responses.headers(asked.ignored)
    if not asked.as_events:
        return await attended.streamed(request, threads.answer, work, media.FORMATS[asked.form].media_type, named)
    named["Cache-Control"] = "no-cache"
    return await attended.streamed(request, threads.answer, events, "text/event-stream", named, responses.trouble)


def _speech(asked: requests.Speaking, services: Services) -> Speech:
    engine = models.voice_engine(asked.model, services)
    return Speech(asked.text, voices.chosen(asked.voice, asked.text, engine, services), asked.form, asked.speed)


@_router.get("/audio/voices")
async def voices_listed(services: Served, threads: OnThreads) -> dict[str, Any]:
    """List the voices."""
    return await threads.read(lambda: voices.listed(services))


@_router.get("/models")
async def models_listed(services: Served, threads: OnThreads) -> dict[str, Any]:
    """List the models."""
    return await threads.read(lambda: models.listed(services))


@_router.get("/models/{name:path}")
async def model(services: Served, threads: OnThreads, name: str) -> dict[str, Any]:
    """Return one model."""
    return await threads.read(lambda: models.one(name, services))
