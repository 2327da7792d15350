"""Edits of lines and speakers as the page and gradio_client send them: checked, and turned into values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vt.domain import Edit, Edits, SpeakerEdit
from vt.errors import InputError
from vt.jobs.new_lines import NewLine
from vt.ui.shared import number

_EXAMPLES = '[{"id": 0, "text": "Hola.", "speaker": 1}]', '[{"id": 1, "label": "Anna", "voice": "ef_dora"}]'
_NEW_EXAMPLE = '[{"start": 1.5, "end": 3.0, "text": "Hola."}]'
_Fields = Mapping[str, Callable[[object], Any]]
"""What checks each field of a change, and gives its value."""


def edits_from(lines: object, speakers: object, *, alone: bool = True) -> Edits:
    """Return the edits that were sent: two lists of objects, each of which names what it changes by its `id`.

    `alone`: nothing else is changed with them, so that they have to change something.

    Raises:
        InputError: they are no such lists, or change nothing, or something twice.
    """
    changed = {line: Edit(**fields) for line, fields in _rows(lines, _OF_LINES).items()}
    said = {one: SpeakerEdit(**fields) for one, fields in _rows(speakers, _OF_SPEAKERS).items()}
    if alone and not changed and not said:
        raise InputError("No line and no speaker is to be changed.")
    return Edits(changed, said)


def new_lines_from(sent: object) -> list[NewLine]:
    """Return the lines that are to be added, from a list of objects.

    Raises:
        InputError: it is no such list.
    """
    try:
        given = [{name: _OF_LINES[name](value) for name, value in row.items()} for row in sent]  # type: ignore[attr-defined]
        return [NewLine(**{name: value for name, value in row.items() if value is not None}) for row in given]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise InputError("The new lines have to be a list such as {lines}.", lines=_NEW_EXAMPLE) from error


def _rows(sent: object, fields: _Fields) -> dict[int, dict[str, Any]]:
    """Return the fields of each change by its id; what is None is not changed."""
    try:
        rows = [
            (number(row["id"], "id"), {name: fields[name](value) for name, value in row.items() if name != "id"})
            for row in sent  # type: ignore[attr-defined]
        ]
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            "The changes have to be lists such as {lines} for lines, and {speakers} for speakers.",
            lines=_EXAMPLES[0],
            speakers=_EXAMPLES[1],
        ) from error
    if len(dict(rows)) < len(rows):
        raise InputError("A line or speaker is there twice: each may be changed once at a time.")
    return dict(rows)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value and value.strip()
    raise TypeError


def _seconds(value: object) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return None if value is None else float(value)
    raise TypeError


def _speaker(value: object) -> int | None:
    return None if value is None else number(value, "speaker")


_OF_LINES: _Fields = {"text": _text, "source_text": _text, "start": _seconds, "end": _seconds, "speaker": _speaker}
_OF_SPEAKERS: _Fields = {"label": _text, "voice": _text}
