"""The outlines of a job's sounds, original and dub, for charts: measured when they are first asked for, then kept."""

from __future__ import annotations

import json
import math
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from vt import media
from vt.domain import JobRequest
from vt.dubbing import track_choice
from vt.system import folders

_A_SECOND = 20
_MOST = 10_000
"""Parts of an outline: beyond eight minutes the parts are longer than a twentieth of a second."""
_LOUDEST = 255


def read(kept: Path) -> list[int] | None:
    """Return the outline that a file keeps; None: none is kept there."""
    with suppress(OSError, ValueError):
        found = json.loads(kept.read_bytes())
        if isinstance(found, list):
            return found
    return None


def of_original(request: JobRequest, kept: Path, seconds: float | None = None) -> list[int]:
    """Return the outline of the sound that is dubbed; none where the film has none.

    Args:
        request: names the film and the sound.
        kept: the file that keeps the outline.
        seconds: how much of the film it is of; None: all of it.

    Raises:
        MediaError: the film cannot be read.
        OSError: the outline cannot be kept.
    """
    found = read(kept)
    return _measured(request.source, request, kept, seconds) if found is None else found


def of_dub(film: Path, kept: Path) -> list[int]:
    """Return the outline of a dub: that of its first sound track; the rest as for the original."""
    found = read(kept)
    return _measured(film, None, kept) if found is None else found


def _measured(film: Path, request: JobRequest | None, kept: Path, seconds: float | None = None) -> list[int]:
    whole = media.probe(film)
    info = whole if seconds is None else replace(whole, seconds=seconds)
    tracks = track_choice.choose(info, request).ranked if request else info.audio
    count = min(_MOST, math.ceil(info.seconds * _A_SECOND))
    found = [round(_LOUDEST * peak) for peak in media.peaks(info, tracks[0], count)] if tracks and count else []
    new = kept.with_name(f"{kept.name}.{secrets.token_hex(8)}")  # two may be measuring at once
    try:
        new.write_text(json.dumps(found, separators=(",", ":")), encoding="ascii")
        folders.flush(new)
        new.replace(kept)
    finally:
        new.unlink(missing_ok=True)
    return found
