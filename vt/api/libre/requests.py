"""What LibreTranslate's clients send, as JSON or as a form, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException

from vt import languages
from vt.errors import InputError
from vt.languages import Language
from vt.text import splitting

MOST_CHARACTERS = 20_000
"""Of all texts of a request together."""
_MOST_TEXTS = 256
_MOST_ALTERNATIVES = 3
_MOST_FIELDS = 512
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_NAMED = ("source", "target", "format", "alternatives")


@dataclass(frozen=True, slots=True)
class Translation:
    """Texts are to be translated."""

    texts: tuple[str, ...]
    is_list: bool
    """Whether they came as a list, and go as one."""
    source: Language | None
    """None: it is found out by the texts."""
    target: Language
    alternatives: int
    """As many other translations are wanted as there are, at most so many."""


async def read(request: Request) -> dict[str, Any]:
    """Return the fields of a request: of its body, JSON or a form, or else of its address.

    Raises:
        InputError: the body is neither.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        return await _form(request)
    content = await request.body()
    if not content:
        return dict(request.query_params)
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError("The request cannot be used: its body is no JSON.") from error
    if not isinstance(said, dict):
        raise InputError("The request cannot be used: its body has to be an object.")
    return said


async def _form(request: Request) -> dict[str, Any]:
    try:
        form = await request.form(max_files=0, max_fields=_MOST_FIELDS)
    except HTTPException as error:
        raise InputError("The request's body is no whole form: send it again.") from error
    texts = [text for text in form.getlist("q") if isinstance(text, str)]
    named = {name: value for name, value in form.items() if isinstance(value, str)}
    return {**named, **({"q": texts} if len(texts) > 1 else {})}


def translation(said: Mapping[str, Any]) -> Translation:
    """Return what a request asks for.

    Raises:
        InputError: a field is missing or cannot be used.
        LanguageError: there is no such language.
    """
    texts = texts_of(said)
    source, target, form, more = (said.get(name) for name in _NAMED)
    if form not in (None, "", "text"):
        raise InputError("Texts are translated here, and not HTML: send the format text, and no tags.")
    return Translation(
        tuple(texts),
        isinstance(said.get("q"), list),
        languages.spoken(_code(source, "source")),
        languages.get(_code(target, "target")),
        _alternatives(more),
    )


def texts_of(said: Mapping[str, Any]) -> list[str]:
    """Return the texts of a request.

    Raises:
        InputError: there are none, or too many, or they are too long.
    """
    given = said.get("q")
    found = given if isinstance(given, list) else [given]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found) or not any(texts):
        raise InputError("Invalid request: the field q has to hold a text, or a list of texts.")
    size = sum(map(len, texts))
    if size > MOST_CHARACTERS or len(texts) > _MOST_TEXTS:
        raise InputError(
            "Invalid request: {size} characters in {count} texts are too many: {most} in {texts} are the most.",
            size=size,
            count=len(texts),
            most=MOST_CHARACTERS,
            texts=_MOST_TEXTS,
        )
    return [splitting.readable(text) for text in texts]


def _code(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError("Invalid request: the field {name} has to name a language.", name=name)
    return value


def _alternatives(value: object) -> int:
    text = str(value if value not in (None, "") else 0)
    if isinstance(value, bool) or not (text.isascii() and text.isdecimal()):
        raise InputError("Invalid request: the field alternatives takes a number from 0 on.")
    return min(int(text[:9]), _MOST_ALTERNATIVES)
