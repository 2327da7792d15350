"""What a job gives: files that lie on the disk, and texts that are made when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One finished file."""

    path: Path
    name: str
    """The name under which a browser saves it."""
    media_type: str


@dataclass(frozen=True, slots=True)
class ResultText:
    """A result that is made when it is asked for, and lies nowhere."""

    text: str
    name: str
    """The name under which a browser saves it."""
    media_type: str

    @property
    def headers(self) -> dict[str, str]:
        """Those of an answer by which a browser knows the name (RFC 6266)."""
        return {"Content-Disposition": f"inline; filename*=utf-8''{quote(self.name, safe='')}"}
