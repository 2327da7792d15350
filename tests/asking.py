"""Languages, and requests for dubs, by codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vt import languages
from vt.domain import JobRequest
from vt.languages import Language


def pair(source: str, target: str) -> tuple[Language, Language]:
    """Return the languages that a translation is from and to."""
    return languages.get(source), languages.get(target)


def asked(
    film: Path,
    target: str,
    source_language: str = "auto",
    subtitles: Path | None = None,
    **more: Any,  # noqa: ANN401 (the request's own)
) -> JobRequest:
    """Return the request for a dub of a film; an empty target asks for a transcript."""
    return JobRequest(
        film, languages.get(target) if target else None, languages.spoken(source_language), subtitles, **more
    )
