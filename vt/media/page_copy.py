"""A copy of a film in H.264, for browsers that cannot show its picture; the film itself stays as it is."""

from __future__ import annotations

from pathlib import Path

from vt.domain import Cancel
from vt.media.commands import MEMORY, opening_options, patience, room_on_disk, url
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_WIDEST = 1280
_CPU_PER_SECOND = 20.0
"""Seconds of the processor that a second of film may take."""
_BYTES_PER_SECOND = MB
_ENCODER = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "26")


def page_copy(film: Path, seconds: float, target: Path, cancel: Cancel | None = None) -> None:
    """Write an mp4 with the picture of a film in H.264, at most 1280 pixels wide, and its first sound as it is.

    Args:
        film: the file.
        seconds: how long it is.
        target: where the copy is written; removed by the caller where this fails.
        cancel: stops it.

    Raises:
        ToolError: it cannot be made, or takes more than is given to it.
        Cancelled: it was stopped.
    """
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-i", url(film), "-map", "0:v:0", "-map", "0:a:0?", *_ENCODER]
    argv += ["-vf", f"scale=w='2*trunc(min({_WIDEST},iw)/2)':h=-2,format=yuv420p"]  # H.264 takes no odd sizes
    argv += ["-c:a", "copy", "-movflags", "+faststart"]
    cpu, size = 300 + _CPU_PER_SECOND * seconds, film.stat().st_size
    most = min(int(64 * MB + size + _BYTES_PER_SECOND * seconds), room_on_disk(target))
    limits = ChildLimits(patience(cpu, size), cpu, 2 * MEMORY, most)
    run(
        Child([*argv, "-f", "mp4", url(target)], limits, reads=[film], writes=[target], purpose="copy for browsers"),
        cancel,
    )
