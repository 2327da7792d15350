"""A small picture of a film, by which people know it in a list."""

from __future__ import annotations

from pathlib import Path

from vt.errors import ToolError
from vt.media.commands import MEMORY, opening_options, patience, url
from vt.system.processes import PROBES, Child, run
from vt.system.sandbox import MB, ChildLimits

_SIZE = "320:180"
_SHARE, _LATEST = 0.1, 30.0
"""Where the picture is taken: a tenth into the film, at most half a minute, as many films begin black."""
_CPU_SECONDS = 30.0


def thumbnail(film: Path, seconds: float) -> bytes:
    """Return a picture of a film as JPEG, at most 320 x 180 pixels; empty: none can be had.

    Args:
        film: the file.
        seconds: how long it is.

    Raises:
        TooManyRequests: too many films are being examined.
    """
    scale = f"scale={_SIZE}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-ss", f"{min(_SHARE * seconds, _LATEST):.2f}", "-i", url(film), "-map", "0:v:0", "-frames:v", "1"]
    argv += ["-vf", scale, "-c:v", "mjpeg", "-q:v", "4", "-f", "mjpeg", "pipe:1"]
    limits = ChildLimits(patience(_CPU_SECONDS), _CPU_SECONDS, MEMORY, output_bytes=MB)
    try:
        return run(Child(argv, limits, reads=[film], purpose="make a thumbnail"), slots=PROBES)
    except ToolError:
        return b""
