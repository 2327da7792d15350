"""The subtitle tracks inside a film: which hold text, and that text as a subtitle file."""

from __future__ import annotations

from collections.abc import Sequence

from vt.domain import Cancel
from vt.errors import SubtitleError, ToolError, ToolStopped
from vt.media.commands import MEMORY, opening_options, patience, unfit, url
from vt.media.probing import MediaInfo, Track
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_COPIED = {"ass": "ass", "ssa": "ass", "webvtt": "webvtt", "subrip": "srt", "srt": "srt", "text": "srt"}
"""The codecs that have a file format of their own, in which nothing is lost: speakers, styles, an old encoding."""
_CONVERTED = {"mov_text", "microdvd", "subviewer", "subviewer1", "stl", "sami", "realtext", "jacosub", "mpl2", "pjs"}
"""Those that ffmpeg converts to SRT."""
_MORE = MB
"""More bytes than may be read, so that it shows."""


def subtitle_track(info: MediaInfo, number: int) -> Track:
    """Return a subtitle track by its number, from 1.

    Raises:
        SubtitleError: there is no such track, or it holds pictures; the sentence lists those that hold text.
    """
    tracks = info.subtitles
    readable = [f"track:{place} ({_told(track)})" for place, track in enumerate(tracks, 1) if _holds_text(track)]
    if not readable:
        raise SubtitleError("{file} has no subtitle track that holds text.", file=info.path)
    if not 1 <= number <= len(tracks):
        raise SubtitleError(
            "{file} has no subtitle track {number}: those that hold text are {tracks}.",
            file=info.path,
            number=number,
            tracks=", ".join(readable),
        )
    if not _holds_text(tracks[number - 1]):
        raise SubtitleError(
            "Subtitle track {number} of {file} holds pictures ({codec}), which are not read: those that hold text are "
            "{tracks}.",
            number=number,
            file=info.path,
            codec=tracks[number - 1].codec or "?",
            tracks=", ".join(readable),
        )
    return tracks[number - 1]


def subtitle_text(info: MediaInfo, track: Track, most_bytes: int, cancel: Cancel | None = None) -> bytes:
    """Return a subtitle track that holds text as the content of a subtitle file: ASS, WebVTT or SRT.

    Args:
        info: of the film.
        track: which one.
        most_bytes: no more is read; what holds more comes longer than this.
        cancel: ends it.

    Raises:
        SubtitleError: nothing is in the track, or it cannot be read.
        MediaError: the film is damaged, or takes too much.
    """
    form = _COPIED.get(track.codec)
    how = ["-c:s", "copy", "-f", form] if form else ["-c:s", "srt", "-f", "srt"]
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-i", url(info.path), "-map", f"0:{track.index}", *how, "-fs", str(most_bytes + _MORE // 2), "pipe:1"]
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY, output_bytes=most_bytes + _MORE)
    try:
        content = run(Child(argv, limits, reads=[info.path]), cancel)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise SubtitleError(
            "The subtitle track ({track}) of {file} cannot be read: the file is damaged.",
            track=_told(track),
            file=info.path,
        ) from error
    if not _has_cues(content, (b"-->", b"Dialogue:")):
        raise SubtitleError("The subtitle track ({track}) of {file} is empty.", track=_told(track), file=info.path)
    return content


def _holds_text(track: Track) -> bool:
    return track.codec in _COPIED or track.codec in _CONVERTED


def _has_cues(content: bytes, marks: Sequence[bytes]) -> bool:
    return any(mark in content for mark in marks)


def _told(track: Track) -> str:
    return ", ".join(filter(None, (track.language, track.title[:40], track.codec)))
