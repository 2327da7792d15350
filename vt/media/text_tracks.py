"""The subtitle tracks inside a film that hold text: which they are, and each as a subtitle file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from vt.domain import Cancel
from vt.errors import SubtitleError, ToolError, ToolMissing, ToolStopped
from vt.media import timeline
from vt.media.commands import MEMORY, opening_options, patience, room_on_disk, unfit, url
from vt.media.probing import MediaInfo, Track
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

Decode = Callable[[bytes, str], str | None]
"""Returns the text of a subtitle file that is not in UTF-8, given its track's language tag; None: it cannot be told."""
_COPIED = {"ass": "ass", "ssa": "ass", "webvtt": "webvtt", "subrip": "srt", "srt": "srt", "text": "srt"}
"""The codecs that have a file format of their own, in which nothing is lost: speakers, styles, an old encoding."""
_CONVERTED = {"mov_text", "microdvd", "subviewer", "subviewer1", "stl", "sami", "realtext", "jacosub", "mpl2", "pjs"}
"""Those that ffmpeg converts to SRT."""
_ALWAYS_UTF_8 = {"mov_text", "webvtt"}
_FORMS = _COPIED | {"mov_text": "ass"}
"""The formats of the files that tracks are written to; as ASS is how ffmpeg holds mov_text, it loses nothing."""
_RAW = "data"
"""The output of ffmpeg that holds packets as they are: it tells whether they are UTF-8, and nothing else."""
_MORE = MB
"""More bytes than may be read, so that it shows."""
_MOST_BYTES = 32 * MB
"""Of one track; ten hours of speech are one."""


def holds_text(track: Track) -> bool:
    """Return whether a subtitle track holds text, and no pictures."""
    return track.codec in _COPIED or track.codec in _CONVERTED


def _holds_lines(content: bytes) -> bool:
    """Return whether a subtitle file of one of the formats here holds any line."""
    return any(mark in content for mark in (b"-->", b"Dialogue:"))


def undecoded(content: bytes, language: str) -> None:
    """Return that a text cannot be read: for whoever has no means to tell its encoding."""
    del content, language


# One track, as a source


def subtitle_track(info: MediaInfo, number: int) -> Track:
    """Return a subtitle track by its number, from 1.

    Raises:
        SubtitleError: there is no such track, or it holds pictures; the sentence lists those that hold text.
    """
    tracks = info.subtitles
    readable = [f"track:{place} ({_told(track)})" for place, track in enumerate(tracks, 1) if holds_text(track)]
    if not readable:
        raise SubtitleError("{file} has no subtitle track that holds text.", file=info.path)
    if not 1 <= number <= len(tracks):
        raise SubtitleError(
            "{file} has no subtitle track {number}: those that hold text are {tracks}.",
            file=info.path,
            number=number,
            tracks=", ".join(readable),
        )
    if not holds_text(tracks[number - 1]):
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
    output = ["-map", f"0:{track.index}", *how, "-fs", str(most_bytes + _MORE // 2), "pipe:1"]
    try:
        content = run(_reading(info, output, output_bytes=most_bytes + _MORE), cancel)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise SubtitleError(
            "The subtitle track ({track}) of {file} cannot be read: the file is damaged.",
            track=_told(track),
            file=info.path,
        ) from error
    if not _holds_lines(content):
        raise SubtitleError("The subtitle track ({track}) of {file} is empty.", track=_told(track), file=info.path)
    return content


def _told(track: Track) -> str:
    return ", ".join(filter(None, (track.language, track.title[:40], track.codec)))


# All tracks, before the film is put together


def sources_of_text(
    info: MediaInfo, tracks: Sequence[Track], folder: Path, decode: Decode, cancel: Cancel | None = None
) -> Mapping[int, Path | None]:
    """Return where the text of tracks can be read as UTF-8, by their indexes: in a file of its own, if possible.

    ffmpeg leaves out, without an error, each line that is not in UTF-8 or in the encoding that it was told. And since
    version 7 it reads no other input while it waits for the next line of a track in the film: where there is none for a
    long time, the dub would come behind the picture that it belongs to.

    Args:
        info: of the film.
        tracks: they hold text.
        folder: is there; files whose endings name their formats are made in it.
        decode: tells the encoding of a text.
        cancel: ends it.

    Returns:
        A file that says the same in UTF-8, or the film itself where there is none and its text is in UTF-8; None where
        there is no way.
    """
    files = _written(info, tracks, folder, cancel)
    return {track.index: _source(info, track, files.get(track.index), decode) for track in tracks}


def _written(info: MediaInfo, tracks: Sequence[Track], folder: Path, cancel: Cancel | None) -> dict[int, Path]:
    """Write the tracks as files, all at once or, where that fails, one by one, and return those that can be read."""
    if not tracks:
        return {}
    files = {track.index: folder / f"{track.index}.{_FORMS.get(track.codec, _RAW)}" for track in tracks}
    outputs: list[str] = []
    for track in tracks:
        file, how = files[track.index], "copy" if track.codec in _COPIED else _FORMS.get(track.codec, "copy")
        outputs += ["-map", f"0:{track.index}", "-c", how, "-f", file.suffix[1:], "-fs", str(_MOST_BYTES), url(file)]
    try:
        run(_reading(info, outputs, writes=list(files.values())), cancel)
    except ToolMissing:
        raise
    except ToolError:
        alone = [_written(info, [track], folder, cancel) for track in tracks] if len(tracks) > 1 else []
        return {index: file for files in alone for index, file in files.items()}
    return files


def _source(info: MediaInfo, track: Track, file: Path | None, decode: Decode) -> Path | None:
    """Return where the text of one track can be read as UTF-8; `file` is what was written of it."""
    content = file.read_bytes() if file else b""
    if track.codec in _ALWAYS_UTF_8 or (file and _is_utf_8(content)):
        is_whole = _holds_lines(content) and len(content) < _MOST_BYTES
        return file if file and file.suffix[1:] != _RAW and is_whole else info.path
    text = None if len(content) >= _MOST_BYTES else decode(content, track.language)
    if not file or file.suffix[1:] == _RAW or text is None:
        return None
    file.write_bytes(text.encode())
    return file


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\x1b" not in content  # ISO-2022-JP is of ASCII alone, but begins its Japanese with this sign


def _reading(info: MediaInfo, outputs: Sequence[str], output_bytes: int = 0, writes: Sequence[Path] = ()) -> Child:
    """Return ffmpeg as it reads a film to its end for these outputs, in the time that its sound and picture have."""
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-i", url(info.path), *outputs]
    if timeline.may_jump(info.container):
        argv += timeline.read_along(info.timed)
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    room = min(_MOST_BYTES + _MORE, room_on_disk(writes[0])) if writes else 0
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY, room, output_bytes, open_files=64 + len(writes))
    return Child(argv, limits, reads=[info.path], writes=writes, purpose="read subtitles")
