"""What a report remarks, kept beside it with templates and values, for faces that say it in another language."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from vt.jobs.job_folder import REMARKS
from vt.translatable import Message

_REMARKS = TypeAdapter(list[Message])


def write(folder: Path, notes: Iterable[str]) -> Path:
    """Write down the remarks of a report that has just been made, and return the file."""
    file = folder / REMARKS
    file.write_text(json.dumps([Message(note).as_json() for note in notes]), encoding="ascii")
    return file


def read(folder: Path) -> list[Message] | None:
    """Return the remarks that lie in a folder of results; None where there are none, as in those of older versions.

    Raises:
        OSError: they cannot be read.
    """
    try:
        return _REMARKS.validate_json((folder / REMARKS).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
