"""The names of models: OpenAI's stand for the best that there is here, the engines' own for themselves."""

from __future__ import annotations

from typing import Any

from vt.api.openai.errors import Refused
from vt.services import Services

_HEARING = (
    *("whisper-1", "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"),
    "gpt-4o-mini-transcribe-2025-12-15",
)
"""Any of these is the recognition model of the settings."""
_SPEAKING = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts", "gpt-4o-mini-tts-2025-12-15")
"""Any of these is the best voice engine for the language."""
_LONGEST_SHOWN = 60


def recogniser(name: str, services: Services) -> str | None:
    """Return the recognition model that a name stands for, as the factory takes it; None: the one of the settings.

    Raises:
        Refused: none goes by that name, or it is not here: nothing is downloaded because somebody names it.
    """
    if name in _HEARING:
        return None
    known = services.factory.recognisers()
    if name not in known:
        raise _unknown(name, (_HEARING[0], *known))
    return name


def voice_engine(name: str, services: Services) -> str:
    """Return the voice engine that a name stands for; empty: the best one for the language.

    Raises:
        Refused: none goes by that name.
    """
    if name in _SPEAKING:
        return ""
    known = _engines(services)
    if name not in known:
        raise _unknown(name, (_SPEAKING[0], *known))
    return name


def listed(services: Services) -> dict[str, Any]:
    """Return the models as OpenAI lists them."""
    names = (_HEARING[0], *services.factory.recognisers(), _SPEAKING[0], *_engines(services))
    return {"object": "list", "data": [_model(name) for name in names]}


def one(name: str, services: Services) -> dict[str, Any]:
    """Return one model.

    Raises:
        Refused: none goes by that name.
    """
    known = (*_HEARING, *_SPEAKING, *services.factory.recognisers(), *_engines(services))
    if name not in known:
        raise _unknown(name, known)
    return _model(name)


def _engines(services: Services) -> tuple[str, ...]:
    return tuple(dict.fromkeys(voice.engine for voice in services.factory.voices()))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "vt"}


def _unknown(name: str, known: tuple[str, ...]) -> Refused:
    shown = name if len(name) <= _LONGEST_SHOWN else f"{name[:_LONGEST_SHOWN]}..."
    message = f"The model {shown!r} is not here. Here are: {', '.join(known)}."
    return Refused(message, "model", "model_not_found", 404)
