"""What OpenAI's clients send, read and checked: forms with a recording, and JSON with a text to speak."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vt import languages, media
from vt.answers import speaking
from vt.api.openai.errors import Refused
from vt.domain import is_yes
from vt.errors import InputError, LanguageError
from vt.languages import Language
from vt.text import splitting
from vt.web.multipart import Upload

FORMS = ("json", "text", "srt", "verbose_json", "vtt")
_STREAMED = ("json", "text")
_STREAMS = ("audio", "sse")
_GRANULARITIES = ("segment", "word")
MOST_CHARACTERS = 4096
"""Of a text to speak; OpenAI's own limit."""
_LONGEST_NAME = 200
_HEARING = {
    "file",
    "model",
    "language",
    "prompt",
    "response_format",
    "temperature",
    "stream",
    "timestamp_granularities",
}
_SPEAKING = {"model", "input", "voice", "response_format", "speed", "stream_format"}
_NAME = re.compile(r"[A-Za-z_]{1,40}")
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Hearing:
    """A recording is to be heard."""

    model: str
    language: Language | None
    prompt: str
    form: str
    """One of `FORMS`."""
    granularities: frozenset[str]
    streams: bool
    ignored: tuple[str, ...]
    """The fields that were sent and change nothing here."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """A text is to be spoken."""

    model: str
    text: str
    voice: str
    form: str
    speed: float
    as_events: bool
    """Sent as server-sent events, and not as a file."""
    ignored: tuple[str, ...]


def hearing(upload: Upload, *, translates: bool) -> Hearing:
    """Return what a form asks for; `translates`: its language is not named, and it is not streamed.

    Raises:
        Refused: a field is missing or cannot be used.
    """
    fields = {name.removesuffix("[]"): values for name, values in upload.values.items()}
    last = {name: values[-1].strip() for name, values in fields.items()}
    if "file" not in upload.files:
        raise Refused("The form needs a recording in the field file.", "file", "missing_required_parameter")
    form = _one_of(last.get("response_format") or FORMS[0], FORMS, "response_format")
    streams = not translates and _yes(last.get("stream"), "stream")
    if streams and form not in _STREAMED:
        raise Refused(f"What is streamed is {' or '.join(_STREAMED)}, and not {form}.", "response_format")
    unused = {"temperature"} if _temperature(last.get("temperature")) else set()
    unused |= {"language", "stream", "timestamp_granularities"} if translates else set()
    return Hearing(
        _required(last, "model"),
        None if translates else _language(last.get("language")),
        last.get("prompt", ""),
        form,
        _granularities(fields.get("timestamp_granularities", []), form),
        streams,
        _ignored(fields, _HEARING - unused),
    )


def speaking_of(content: bytes) -> Speaking:
    """Return what a body asks for.

    Raises:
        Refused: it is no JSON, or a field is missing or cannot be used.
    """
    said = _json(content)
    text = said.get("input")
    if not isinstance(text, str) or not text.strip():
        raise Refused("The field input has to hold the text that is to be spoken.", "input")
    if len(text) > MOST_CHARACTERS:
        raise Refused(
            f"The text is too long: {MOST_CHARACTERS} characters are the most.", "input", "string_above_max_length"
        )
    as_events = _one_of(said.get("stream_format") or _STREAMS[0], _STREAMS, "stream_format") == "sse"
    return Speaking(
        _required(said, "model"),
        splitting.readable(text),
        _voice(said.get("voice")),
        _one_of(said.get("response_format") or "mp3", media.FORMATS, "response_format"),
        _speed(said.get("speed")),
        as_events,
        _ignored([name for name, value in said.items() if value is not None], _SPEAKING),
    )


def _json(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refused("The request cannot be used: its body is no JSON.", "body") from error
    if not isinstance(said, dict):
        raise Refused("The request cannot be used: its body has to be an object.", "body")
    return said


def _required(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str) or not value or len(value) > _LONGEST_NAME:
        raise Refused(f"The field {name} has to hold a name.", name, "missing_required_parameter")
    return value


def _one_of(value: object, known: Sequence[str] | Mapping[str, Any], name: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Refused(f"The field {name} takes one of these: {', '.join(known)}.", name)
    return value


def _yes(value: str | None, name: str) -> bool:
    try:
        return is_yes(value or None)
    except InputError:
        raise Refused(f"The field {name} takes true or false.", name) from None


def _language(value: str | None) -> Language | None:
    try:
        return languages.spoken(value) if value else None
    except LanguageError as error:
        raise Refused(str(error), "language") from error


def _temperature(value: str | None) -> float:
    try:
        found = float(value or 0)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise Refused("The field temperature takes a number from 0 to 1.", "temperature")
    return found


def _granularities(values: Sequence[str], form: str) -> frozenset[str]:
    wanted = frozenset(_one_of(value.strip(), _GRANULARITIES, "timestamp_granularities") for value in values)
    if wanted and form != "verbose_json":
        raise Refused("Timestamps come with the response_format verbose_json alone.", "timestamp_granularities")
    return wanted or frozenset(["segment"])


def _voice(value: object) -> str:
    """Return the name of a voice, which custom ones have in an object."""
    name = value.get("id") if isinstance(value, dict) else value
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise Refused("The field voice has to name a voice: GET /v1/audio/voices lists them.", "voice")
    return name


def _speed(value: object) -> float:
    if value is None:
        return 1.0
    if isinstance(value, int | float) and speaking.SLOWEST <= value <= speaking.FASTEST:
        return float(value)
    raise Refused(f"The field speed takes a number from {speaking.SLOWEST} to {speaking.FASTEST}.", "speed")


def _ignored(names: Sequence[str] | Mapping[str, Any], known: set[str]) -> tuple[str, ...]:
    """Return the names of fields that change nothing, as far as they are fit to be told."""
    found = [name for name in names if name not in known and _NAME.fullmatch(name)]
    return tuple(sorted(found)[:_MOST_NAMED])
