"""The routes of voices: which there are, and how each sounds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from vt.api import schemas
from vt.api.dependencies import OnThreads, Served
from vt.api.problems import documented
from vt.errors import UnknownModel
from vt.web import visitors

router = APIRouter(prefix="/api/v1/voices", tags=["voices"])

_LONGEST = 200
_KEPT_SECONDS = 3600


@router.get("", summary="Which voices there are", responses=documented(422))
async def voices(
    services: Served,
    threads: OnThreads,
    language: Annotated[
        str, Query(description="A code or a name: only the voices for that.", max_length=_LONGEST, examples=["es"])
    ] = "",
) -> schemas.Voices:
    """List the voices that may be chosen here, the default one of each language first."""
    found = await threads.read(lambda: services.voices(language))
    return schemas.Voices(voices=[schemas.VoiceRow(**voice) for voice in found])


@router.get(
    "/{voice_id}/sample",
    summary="How a voice sounds",
    response_class=Response,
    responses={200: {"content": {"audio/wav": {}}}, **documented(404, 422, 429, 503)},
)
async def sample(
    services: Served,
    threads: OnThreads,
    request: Request,
    voice_id: Annotated[
        str, Path(description="As in the list of voices.", max_length=_LONGEST, examples=["espeak-ng-es"])
    ],
) -> Response:
    """Speak a sentence in a voice. 503 where its model is not here: nothing is downloaded for a sample."""
    spoken = services.samples.kept(voice_id)
    if spoken is None:
        try:
            with services.samples.refusals_noted(), services.listeners.held(visitors.of(request.scope).key):
                spoken = await threads.speak(lambda: services.samples.of(voice_id))
        except UnknownModel as error:
            raise HTTPException(404, error.message.with_file_names({})) from error
    return Response(spoken, media_type="audio/wav", headers={"Cache-Control": f"private, max-age={_KEPT_SECONDS}"})
