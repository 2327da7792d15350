"""Which voice speaks: OpenAI's names stand for voices of the text's language, those of this server for themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vt.answers import speaking
from vt.api.openai.errors import Refused
from vt.engines.protocols import Voice
from vt.errors import UnknownModel
from vt.languages import Language
from vt.services import Services

_FEMALE = ("alloy", "nova", "shimmer", "coral", "sage", "marin")
_MALE = ("onyx", "echo", "fable", "ash", "ballad", "verse", "cedar")
_GENDERS = {name: gender for gender, names in (("female", _FEMALE), ("male", _MALE)) for name in names}
"""OpenAI's names, and as whom most people hear them."""
_ANY_LANGUAGE = "the language of the text"


def listed(services: Services) -> dict[str, Any]:
    """List OpenAI's names, then the voices of this server; as Open WebUI and others ask for them."""
    theirs = [
        {"id": name, "name": f"{name.capitalize()} ({_ANY_LANGUAGE})", "gender": _GENDERS[name]} for name in _GENDERS
    ]
    return {"voices": [*theirs, *services.voices()]}


def chosen(name: str, text: str, engine: str, services: Services) -> Sequence[Voice]:
    """Return the voices that may speak a text, the best first.

    Args:
        name: one of OpenAI's, which speaks the language of the text; or the id of a voice, which has its own.
        text: what is to be spoken.
        engine: the only one that may speak; empty: any.
        services: know the voices.

    Raises:
        Refused: there is no such voice, or it is another engine's, or the engine does not speak the language.
    """
    if name.lower() in _GENDERS:
        language = speaking.language_of(text, services.factory.voices())
        found = list(dict.fromkeys(_alike(name.lower(), language, engine, services)))
        if not found:
            raise Refused(f"{engine} does not speak the language of this text here.", "model")
        return found
    try:
        own = services.factory.named_voice(name)
    except UnknownModel as error:
        raise Refused(str(error), "voice", "voice_not_found") from error
    if engine not in ("", own.engine):
        raise Refused(f"The voice {own.id} is one of {own.engine}, not of {engine}: name only one of them.", "voice")
    return [own]


def _alike(name: str, language: Language, engine: str, services: Services) -> Iterator[Voice]:
    """Yield the voices of a language: first the one that is most like the name, then the default of each engine."""
    every = [voice for voice in services.spoken_by(language.code) if engine in ("", voice.engine)]
    best = services.best_voice(language.code, engine)
    own = [voice for voice in every if best and voice.engine == best.engine]
    yield from (voice for voice in own if voice.id.endswith(f"_{name}"))
    gender = _GENDERS[name]
    if alike := [voice for voice in own if voice.gender == gender]:
        names = _FEMALE if gender == "female" else _MALE
        yield alike[names.index(name) % len(alike)]
    yield from (best,) if best else ()
    yield from {voice.engine: voice for voice in reversed(every)}.values()
