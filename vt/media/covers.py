"""The covers of a film, each in a file of its own, as ffmpeg has to read them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from vt.domain import Cancel
from vt.errors import ToolError, ToolMissing
from vt.media.commands import MEMORY, opening_options, patience, room_on_disk, url
from vt.media.probing import MediaInfo, Track
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_log = logging.getLogger(__name__)


def pictures_alone(info: MediaInfo, covers: Sequence[Track], folder: Path, cancel: Cancel | None) -> dict[int, Path]:
    """Copy each cover into a file of its own, and return these by the covers' indexes; none, where that fails.

    Since version 7 ffmpeg reads no other input while it waits for the next picture of a cover, which never comes: the
    dub would stand behind the whole film.
    """
    made = {track.index: folder / f"{track.index}.nut" for track in covers}
    if not made:
        return {}
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-i", url(info.path)]
    for index, path in made.items():
        argv += ["-map", f"0:{index}", "-frames:v", "1", "-c", "copy", "-f", "nut", url(path)]
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    room = min(size + MB, room_on_disk(folder / "any"))
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY, room, open_files=64 + len(made))
    try:
        run(Child(argv, limits, reads=[info.path], writes=list(made.values()), purpose="read covers"), cancel)
    except ToolMissing:
        raise
    except ToolError as error:
        _log.info("The covers of a film could not be copied by themselves: %s", error)
        return {}
    return made
