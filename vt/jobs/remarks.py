"""The remarks of a report as templates with values, in a file of their own, so that they can be translated."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vt.jobs.job_folder import REMARKS
from vt.translatable import Message

_REMARKS = TypeAdapter(list[Message])


def write(folder: Path, notes: Iterable[str]) -> Path:
    """Write the remarks of a new report, and return the file."""
    file = folder / REMARKS
    file.write_text(json.dumps([Message(note).as_json() for note in notes]), encoding="ascii")
    return file


def read(folder: Path) -> list[Message] | None:
    """Return the remarks in a folder of results; None where the file is missing (older versions) or damaged.

    Raises:
        OSError: they cannot be read.
    """
    try:
        return _REMARKS.validate_json((folder / REMARKS).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
