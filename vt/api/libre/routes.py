"""LibreTranslate's routes: translate, detect, languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse

from vt import languages
from vt.answers.translating import Pair, translate
from vt.api import attended, problems
from vt.api.dependencies import OnThreads, Served, Threads, counted
from vt.api.libre import requests
from vt.api.libre.requests import Translation
from vt.domain import Cancel
from vt.errors import LanguageError
from vt.languages import Language
from vt.services import Services
from vt.text import identification

_router = APIRouter()
_GUESSES = 3
"""How many languages of a text are told at most."""


def make(services: Services, threads: Threads) -> FastAPI:
    """Return the application of these routes, which is mounted at /libre."""
    app = FastAPI(openapi_url=None)
    app.state.services, app.state.threads = services, threads
    problems.install(app)
    app.include_router(_router)
    return app


def shape(status: int, sentence: str) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the body of an error; see `vt.api.error_shapes.Shape`."""
    return HTTPStatus.BAD_REQUEST if status == HTTPStatus.UNPROCESSABLE_ENTITY else status, {"error": sentence}


@_router.post("/translate", dependencies=[Depends(counted)])
async def translated(services: Served, threads: OnThreads, request: Request) -> Response:
    """Translate a text, or several."""
    asked = requests.translation(await requests.read(request))
    return await attended.answered(
        request, threads.answer, lambda cancel: JSONResponse(_translated(asked, services, cancel))
    )


@_router.post("/detect", dependencies=[Depends(counted)])
async def detect(services: Served, threads: OnThreads, request: Request) -> Response:
    """Say in which language a text is."""
    text = "\n".join(requests.texts_of(await requests.read(request)))
    found = await threads.read(lambda: identification.ranked(text, services.factory.targets().keys()))
    return JSONResponse([_detected(*guess) for guess in found[:_GUESSES]])


@_router.get("/languages")
async def listed(services: Served, threads: OnThreads) -> list[dict[str, Any]]:
    """List the languages, each with those into which it is translated."""
    targets = await threads.read(services.factory.targets)
    rows = [row for row in languages.ALL if targets.get(row.code)]
    return [{"code": row.code, "name": row.name, "targets": sorted(targets[row.code])} for row in rows]


def _translated(asked: Translation, services: Services, cancel: Cancel) -> dict[str, Any]:
    sources = _sources(asked, services)
    found: list[list[str]] = [[] for _ in asked.texts]
    for source in dict.fromkeys(language for language, _ in sources):
        places = [place for place, (language, _) in enumerate(sources) if language == source]
        texts, pair = [asked.texts[place] for place in places], Pair(source, asked.target)
        made = translate(texts, pair, services.factory, cancel, asked.alternatives)
        for place, one in zip(places, made, strict=True):
            found[place] = one
    answer: dict[str, Any] = {"translatedText": _as_asked([first for first, *_ in found], asked)}
    if asked.source is None:
        answer["detectedLanguage"] = _as_asked([_detected(*one) for one in sources], asked)
    if asked.alternatives:
        answer["alternatives"] = _as_asked([others for _, *others in found], asked)
    return answer


def _sources(asked: Translation, services: Services) -> list[tuple[Language, float]]:
    """Return the language of each text, and how sure that is."""
    if asked.source:
        return [(asked.source, 1.0)] * len(asked.texts)
    among = services.factory.targets().keys()
    found = [identification.likeliest(text, among) for text in asked.texts]
    foreign = list(filter(None, (identification.other(text, among) for text in asked.texts)))
    if foreign and len(foreign) == len(found):  # one such line among others stays as it is
        raise LanguageError("The text seems to be in {language}, which is not translated here.", language=foreign[0])
    return found


def _as_asked(values: Sequence[Any], asked: Translation) -> Any:  # noqa: ANN401 (one value, or a list)
    return list(values) if asked.is_list else values[0]


def _detected(language: Language, probability: float) -> dict[str, Any]:
    return {"language": language.code, "confidence": round(100 * probability, 1)}
