"""The first lines of a dub as its voices have spoken them, to be heard while the dub is made."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from vt.domain import Clip
from vt.dubbing.voice_samples import wav

MOST = 5
"""So many lines are kept."""
_LONGEST_SECONDS = 30.0
"""A line that lasts longer is not kept."""


def keep(folder: Path, line: int, clip: Clip) -> None:
    """Keep a line where it is one of the first, as a WAV file that appears whole or not at all.

    Args:
        folder: of the first lines; made where it is missing.
        line: its number, from 0.
        clip: its sound, before it is fitted into its time.
    """
    if line < MOST:
        put(folder, line, clip)


def put(folder: Path, line: int, clip: Clip) -> None:
    """Keep a line in a folder, whichever it is; arguments are those of `keep`."""
    if not 0 < clip.seconds <= _LONGEST_SECONDS:
        return
    with suppress(OSError):  # the dub itself tells of a full disk
        folder.mkdir(exist_ok=True)
        new = folder / f"{line}.new"
        new.write_bytes(wav(clip))
        new.replace(path(folder, line))


def path(folder: Path, line: int) -> Path:
    """Return where a line is kept, should it be."""
    return folder / f"{line}.wav"


def kept(folder: Path) -> list[int]:
    """Return the numbers of the lines that are kept, in order."""
    return [line for line in range(MOST) if path(folder, line).exists()]
