"""What every call of ffmpeg shares: how files are opened, the limits of a run, and what a failure means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import ffmpeg

from vt.errors import MediaError, ToolStopped, VtError
from vt.system import disk
from vt.system.processes import TOOL, Child, run
from vt.system.sandbox import CORES, MB

DEMUXERS = (
    "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,wav,w64,mp3,aac,flac,aiff,caf,amr,ac3,eac3,dv,mxf,nut,3gp"
)
"""The containers that vt opens. Playlists, scripts and image sequences, which name other files, are none of them."""
ACCEPTED_FORMATS = ("mp4", "mov", "mkv", "webm", "avi", "mpg", "ts", "ogg", "flv", "wmv", "wav", "mp3", "m4a", "flac")
"""For sentences to the user; the content decides, never the name."""
THREADS = min(8, CORES)  # each takes memory; more are hardly faster
MEMORY = 1024 * MB
"""For all but encoding a picture: ffmpeg with its libraries takes 300 MB of addresses, before it has done anything."""
INPUT_MEMORY = 32 * MB
"""Of addresses, for each further input: it has threads of its own that read, decode and encode it."""
MOST_STREAMS = 256
"""Fonts and other attachments of Matroska are streams too."""
_MOST_PIXELS = 8192 * 4352
"""Of a picture that is decoded, cover art too: a film in 8K has hardly less."""


def url(path: Path) -> str:
    """Return the path as ffmpeg takes it for a file whatever characters it holds, a leading dash or colons too."""
    return f"file:{path.absolute()}"


Part: TypeAlias = tuple[int, int]
"""A part of a file: the place of its first byte, and the one behind its last."""


def input_of(path: Path, part: Part | None = None) -> list[str]:
    """Return the options that have ffmpeg read a file, or a part of it."""
    if part is None:
        return ["-i", url(path)]
    first, end = part
    return ["-protocol_whitelist", "file,subfile", "-i", f"subfile,,start,{first},end,{end},,:{url(path)}"]


@cache
def listed_codecs() -> list[str]:
    """Return the lines in which ffmpeg lists the kinds of tracks that it knows, and how each is decoded.

    Raises:
        ToolError: ffmpeg is missing, or does not run.
    """
    listed = run(Child(["ffmpeg", "-nostdin", "-hide_banner", "-codecs"], TOOL, purpose="list codecs"))
    return listed.decode(errors="replace").splitlines()


def decoders(kinds: Mapping[int, str]) -> list[str]:
    """Return the options in front of a film that choose how its sound is decoded; `kinds` are its codecs by stream.

    By ffmpeg's own decoder of Speex sound of 16 kHz and more is twice as long in version 7, so that of Speex is taken
    where it is there.

    Raises:
        ToolError: ffmpeg is missing, or does not run.
    """
    speex = [index for index, codec in kinds.items() if codec == "speex"]
    if not speex or not any("libspeex" in line.partition("(encoders:")[0] for line in listed_codecs()):
        return []
    return [part for index in speex for part in (f"-c:{index}", "libspeex")]


_OPENING = {
    # Only the named file, and only containers that cannot point at others.
    "protocol_whitelist": "file",
    "format_whitelist": DEMUXERS,
    # One more, for ffmpeg 7 tells of no error where it leaves out the rest.
    "max_streams": str(MOST_STREAMS + 1),
    "max_pixels": str(_MOST_PIXELS),
    "threads": str(THREADS),
}


def opening_options() -> list[str]:
    """Return the options in front of each film that ffmpeg or ffprobe opens."""
    return [part for key, value in _OPENING.items() for part in (f"-{key}", value)]


def media_source(path: Path) -> Any:  # noqa: ANN401 (ffmpeg-python is untyped)
    """Return a film as an input of ffmpeg-python, opened with the same options."""
    return ffmpeg.input(url(path), **_OPENING)


def unfit(path: Path, error: ToolStopped) -> VtError:
    """Return what to raise where a program was stopped over a file; the system's doings are not the file's fault."""
    if "max_streams" in error.said:  # of which ffmpeg says that it has no memory
        return too_many_streams(path)
    if not error.by_limit:
        return error
    return MediaError(
        "{file} cannot be used: it is damaged, or takes more than vt gives to one film. {reason}",
        file=path,
        reason=error.message,
    )


def too_many_streams(path: Path) -> MediaError:
    """Return what to raise for a film of more streams than are taken."""
    return MediaError(
        "{file} has more tracks and attachments than the {count} that vt takes.", file=path, count=MOST_STREAMS
    )


def room_on_disk(target: Path) -> int:
    """Return how large a file may become on its disk: a tenth of what is free stays so, for others."""
    try:
        return int(0.9 * disk.free_bytes(target.parent))
    except FileNotFoundError:  # it is told of when the file is to be made
        return 0


def patience(cpu_seconds: float, size: int = 0) -> float:
    """Return how long to wait for a program on a busy machine with a slow disk."""
    return 300 + 10 * cpu_seconds + size / MB


def command_line(output: Any) -> list[str]:  # noqa: ANN401 (ffmpeg-python is untyped)
    """Return the argument list for an output of ffmpeg-python; it tells of errors only."""
    quiet = output.global_args("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error")
    return [str(part) for part in ffmpeg.compile(quiet, overwrite_output=True)]
