"""Subtitles inside a film whose text is in no encoding of Unicode: found out before the film is put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vt.domain import Cancel
from vt.errors import ToolError, ToolMissing
from vt.media.commands import MEMORY, opening_options, patience, url
from vt.media.probing import Track
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

EncodingOf = Callable[[bytes, str], str]
"""Tells the encoding of a text that is no UTF-8, given the tag of its language; empty where it cannot be told."""
UTF_8 = "utf-8"
_MOST_BYTES = 32 * MB
"""Of all texts of a film; ten hours of speech are one."""
_ALWAYS_UTF_8 = {"mov_text", "webvtt"}


def untold(content: bytes, language: str) -> str:
    """Return that the encoding of a text cannot be told."""
    del content, language
    return ""


def encodings(path: Path, tracks: Sequence[Track], encoding_of: EncodingOf, cancel: Cancel | None) -> Mapping[int, str]:
    """Return the encoding of the text of each of these tracks, by their indexes; empty where it cannot be told."""
    doubtful = [track for track in tracks if track.codec not in _ALWAYS_UTF_8]
    known = dict.fromkeys((track.index for track in tracks), UTF_8)
    if doubtful and not _is_utf_8(_content(path, doubtful, cancel)):
        for track in doubtful:
            content = _content(path, [track], cancel)
            known[track.index] = UTF_8 if _is_utf_8(content) else encoding_of(content, track.language)
    return known


def _content(path: Path, tracks: Sequence[Track], cancel: Cancel | None) -> bytes:
    """Return what lies in tracks, one line behind the other as they come; nothing where they cannot be read."""
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options(), "-i", url(path)]
    for track in tracks:
        # Each packet at once: the outputs share the pipe, and no sign may be torn apart.
        argv += ["-map", f"0:{track.index}", "-c", "copy", "-flush_packets", "1", "-f", "data", "pipe:1"]
    size = path.stat().st_size
    cpu = 60 + size / MB
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY, output_bytes=_MOST_BYTES)
    try:
        return run(Child(argv, limits, reads=[path]), cancel)
    except ToolMissing:
        raise
    except ToolError:  # whether the film can be written without them is seen when it is
        return b""


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True
