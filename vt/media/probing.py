"""What is in a media file: its length and its streams."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolMissing, ToolStopped
from vt.media import dump, ogg, timeline
from vt.media.commands import (
    ACCEPTED_FORMATS,
    MEMORY,
    MOST_STREAMS,
    Part,
    decoders,
    opening_options,
    patience,
    too_many_streams,
    unfit,
    url,
)
from vt.system.processes import PROBES, WORK, Child, Slots, run, run_both
from vt.system.sandbox import MB, ChildLimits
from vt.translatable import Message

_PROBE = ChildLimits(seconds=60, cpu_seconds=3, memory=MEMORY)
"""Looking into a film takes some hundredths of a second."""
_LONGEST_TITLE = 200
_TAIL = 0.1
"""Seconds by which a file may be longer than each of its tracks, as where the sound begins later than the picture."""


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of a media file."""

    index: int
    """Of all streams of the file, as ffmpeg counts."""
    codec: str
    """As ffmpeg calls it; where ffmpeg does not know it, the four letters by which the file calls it, or nothing."""
    language: str
    """As tagged, mostly ISO 639-2 or -3; empty where there is no tag."""
    title: str
    seconds: float | None
    """What the header promises for this stream; None where it says nothing, or only estimates."""
    channels: int = 0
    width: int = 0
    """Of a picture, in pixels; 0 where nobody could or would look at it."""
    sample_rate: int = 0
    """In hertz; 0 where the file does not say it, as for a track without a packet."""
    layout: str = ""
    """Which loudspeakers the channels are for; empty where the file does not say it."""
    is_default: bool = False
    """Flagged to be played where nobody chooses."""
    is_secondary: bool = False
    """Flagged as something beside the film's own sound, such as a commentary or a description for the blind."""
    programs: tuple[int, ...] = ()
    """Of a transport stream: the programmes that it belongs to."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What ffprobe sees in a file."""

    path: Path
    seconds: float
    """From the start of the film to the end of its last packet: by its header where that can be trusted, else read."""
    video: Track | None
    """The moving picture that is kept; cover art is none."""
    frame_seconds: float
    """Length of one frame of the picture; 0 without one."""
    audio: tuple[Track, ...]
    subtitles: tuple[Track, ...]
    covers: tuple[Track, ...]
    further_pictures: tuple[Track, ...] = ()
    """Moving pictures beside the one that is kept."""
    data: tuple[Track, ...] = ()
    """Tracks of no sound, picture or text: measurements, and files such as fonts that are attached."""
    container: str = ""
    """As ffprobe names it: one name, or several with commas between them."""
    is_measured: bool = False
    """Whether `seconds` was read from the packets."""

    @property
    def timed(self) -> tuple[int, ...]:
        """The streams that make the film's time: its picture and all sound of a known kind."""
        return tuple(t.index for t in (self.video, *self.audio) if t and (t is self.video or t.sample_rate))

    @property
    def kinds(self) -> dict[int, str]:
        """The codecs of its sound, by stream."""
        return {track.index: track.codec for track in self.audio}

    @property
    def may_be_chain(self) -> bool:
        """Whether several recordings may stand one behind the other, each with a clock and a rate of its own."""
        return self.container == "ogg" and not self.video

    def is_foreign(self, track: Track) -> bool:
        """Return whether a track belongs to another programme of a transport stream than the picture."""
        programs = self.video.programs if self.video else ()
        return bool(programs and track.programs and not set(programs) & set(track.programs))


def probe(path: Path, cancel: Cancel | None = None) -> MediaInfo:
    """Look into a media file; where its header only estimates its length, read it to its end.

    Raises:
        MediaError: it is missing, a folder, empty, unreadable, a playlist, or no media file.
    """
    check_readable(path)
    argv = ["ffprobe", "-v", "warning", *opening_options(), "-show_entries", _ENTRIES, "-of", "json", "-i", url(path)]
    try:
        output, said = run_both(Child(argv, _PROBE, reads=[path], purpose="look into a film"), cancel, slots=PROBES)
        found = json.loads(output)
    except ToolStopped as error:
        raise unfit(path, error) from error
    except ToolMissing:
        raise
    except ToolError as error:  # it often says why, but not of every file
        said = error.said
        found = dump.streams(path, _PROBE, said, cancel)
        if found is None:
            raise MediaError(why_unreadable(path, said)) from error
    return _with_its_length(_media_info(path, found), said, cancel)


def _with_its_length(info: MediaInfo, said: str, cancel: Cancel | None) -> MediaInfo:
    """Return the same with the length that the file has; `said` is what ffprobe wrote to stderr."""
    is_exact = timeline.header_is_exact(info.path, info.container, said) and not _may_be_of_subtitles(info)
    if info.seconds and is_exact:
        return info
    audio = info.audio
    if not timeline.header_counts(info.path, info.container, said):
        audio = tuple(replace(track, seconds=None) for track in audio)
    measured = measured_seconds(info, cancel)
    return replace(info, seconds=measured or info.seconds, audio=audio, is_measured=bool(measured))


def _may_be_of_subtitles(info: MediaInfo) -> bool:
    """Return whether the length in the header may be that of subtitles, the last of which may have no end."""
    promised = max((track.seconds or 0.0 for track in (info.video, *info.audio) if track), default=0.0)
    return bool(info.subtitles) and info.seconds > promised + _TAIL


def measured_seconds(info: MediaInfo, cancel: Cancel | None = None, slots: Slots = PROBES) -> float:
    """Return when the last packet of a film ends, whatever its header promises: the file is read to its end.

    Raises:
        MediaError: it cannot be read.
        TooManyRequests: no slot became free in time.
    """
    return packets_end(info, info.timed, cancel, slots)


def packets_end(info: MediaInfo, indexes: Sequence[int], cancel: Cancel | None = None, slots: Slots = WORK) -> float:
    """Return when the last packet of some streams of a film ends; the file is read to its end.

    Raises:
        MediaError: it cannot be read.
        TooManyRequests: no slot became free in time.
    """
    sounds = {track.index for track in info.audio}
    longest = {index: timeline.longest_packet(info.container, index in sounds) for index in indexes}
    try:
        if info.may_be_chain and ogg.is_chain(info.path, cancel, slots):
            parts, decoded_by = recordings(info, cancel, slots), decoders(info.kinds)
            return timeline.decoded_end(info.path, indexes, cancel, slots, parts, decoded_by)
        return timeline.last_packets_end(info.path, longest, cancel, slots)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError(why_unreadable(info.path, error.said)) from error


def recordings(info: MediaInfo, cancel: Cancel | None = None, slots: Slots = WORK) -> list[Part | None]:
    """Return the parts of a chain that have to be decoded by themselves, or one that is all of it.

    Of FLAC each recording tells how large its packets may be: ffmpeg leaves out those that are larger than the first
    one of the chain tells. Speex's own decoder takes the heads of further recordings for sound.

    Raises:
        TooManyRequests: no slot became free in time.
    """
    is_one_by_one = [track.codec for track in info.audio] in (["flac"], ["speex"])
    return ogg.recordings(info.path, cancel, slots) if is_one_by_one else [None]


def has_packets(path: Path, track: Track, cancel: Cancel | None = None) -> bool:
    """Return whether anything is in a track; where nothing is, the file is read to its end.

    Raises:
        MediaError: it cannot be read.
    """
    argv = ["ffprobe", "-v", "error", *opening_options(), "-select_streams", str(track.index)]
    argv += ["-show_entries", "packet=size", "-read_intervals", "%+#1", "-of", "csv=p=0", "-i", url(path)]
    size = path.stat().st_size
    cpu = 60 + size / MB
    try:
        said = run(
            Child(argv, ChildLimits(patience(cpu, size), cpu, MEMORY), reads=[path], purpose="look for packets"), cancel
        )
    except ToolStopped as error:
        raise unfit(path, error) from error
    except ToolError as error:
        raise MediaError(why_unreadable(path, error.said)) from error
    return bool(said.strip())


def check_readable(path: Path) -> None:
    """Raise `MediaError` where `path` is no readable, non-empty, ordinary file."""
    try:
        exists = path.exists()
    except OSError:  # a name that no file can have
        exists = False
    if not exists:
        raise MediaError("There is no file {file}: check the name.", file=path)
    if path.is_dir():
        raise MediaError("{file} is a folder: name one video or audio file in it.", file=path)
    if not path.is_file():
        raise MediaError("{file} is not an ordinary file: name a video or audio file.", file=path)
    if not path.stat().st_size:
        raise MediaError("{file} is empty: copy or download it again.", file=path)
    if not os.access(path, os.R_OK):
        raise MediaError("{file} cannot be read: check its permissions.", file=path)


_ENTRIES = (
    "format=duration,start_time,format_name:program=program_id:program_stream=index:"
    "stream=index,codec_type,codec_name,codec_tag_string,duration,sample_rate,channels,channel_layout,width,"
    "avg_frame_rate,r_frame_rate:stream_disposition=attached_pic,default,comment,hearing_impaired,visual_impaired,"
    "descriptions,clean_effects,karaoke:stream_tags=language,title,duration"
)
"""What is asked of ffprobe: whatever else a file says of itself is not even told."""


def why_unreadable(path: Path, said: str) -> str:
    """Return why a file cannot be opened, by what ffmpeg or ffprobe wrote about it."""
    kinds = ", ".join(ACCEPTED_FORMATS[:8])
    if "whitelist" in said:
        return Message(
            "{file} is not a video or audio file that vt opens (such as {kinds}): playlists and scripts are not.",
            file=path,
            kinds=kinds,
        )
    if "moov atom not found" in said and _begins_as_mp4(path):
        return Message("{file} is incomplete: its end is missing. Copy or download it again.", file=path)
    return Message(
        "{file} is not a video or audio file that vt can read (such as {kinds}), or it is damaged.",
        file=path,
        kinds=kinds,
    )


def _begins_as_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip")


def _media_info(path: Path, found: dict[str, Any]) -> MediaInfo:
    streams = found.get("streams", [])
    if len(streams) > MOST_STREAMS:
        raise too_many_streams(path)
    programs = _programs(found)
    pictures = [s for s in streams if s.get("codec_type") == "video"]
    covers = [s for s in pictures if s.get("disposition", {}).get("attached_pic")]
    moving = [s for s in pictures if s not in covers and s.get("codec_name")]
    chosen = _picture(moving, streams, programs)
    container = found.get("format", {})
    late = max(0.0, to_float(container.get("start_time")) or 0.0)
    # The header tells when the film ends, which may begin late.
    promised = max(0.0, (to_float(container.get("duration")) or 0.0) - late)
    longest = max((to_float(s.get("duration")) or 0.0 for s in streams), default=0.0)

    def tracks(wanted: Iterable[dict[str, Any]]) -> tuple[Track, ...]:
        return tuple(_track(stream, late, programs) for stream in wanted)

    return MediaInfo(
        path=path,
        seconds=promised or longest,
        video=_track(chosen, late, programs) if chosen else None,
        frame_seconds=_frame_seconds(chosen) if chosen else 0.0,
        audio=tracks(_of_kind(streams, "audio")),
        subtitles=tracks(_of_kind(streams, "subtitle")),
        covers=tracks(covers),
        further_pictures=tracks(s for s in pictures if s not in covers and s is not chosen),
        data=tracks(_of_kind(streams, "data", "attachment")),
        container=str(container.get("format_name", "")),
    )


def _of_kind(streams: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    return [stream for stream in streams if stream.get("codec_type") in kinds]


def _programs(found: dict[str, Any]) -> dict[int, tuple[int, ...]]:
    """Return the programmes of each stream, by its index."""
    members: dict[int, tuple[int, ...]] = {}
    for program in found.get("programs", []):
        for stream in program.get("streams", []):
            index = int(stream["index"])
            members[index] = (*members.get(index, ()), int(program["program_id"]))
    return members


def _picture(
    moving: list[dict[str, Any]], streams: list[dict[str, Any]], programs: dict[int, tuple[int, ...]]
) -> dict[str, Any] | None:
    """Return the picture to keep: the first, but for one of a programme without sound, or of which nothing is there."""
    heard = {program for s in _of_kind(streams, "audio") for program in programs.get(int(s["index"]), ())}

    def lacks(stream: dict[str, Any]) -> tuple[bool, bool]:
        own = programs.get(int(stream["index"]), ())
        return not stream.get("width"), bool(own and not heard.intersection(own))

    return min(moving, key=lacks, default=None)


def _track(stream: dict[str, Any], late: float, programs: dict[int, tuple[int, ...]]) -> Track:
    tags = {key.lower(): value for key, value in stream.get("tags", {}).items()}
    language = tags.get("language", "")[:_LONGEST_TITLE]
    flags = stream.get("disposition", {})
    index = int(stream["index"])
    layout = stream.get("channel_layout", "")
    return Track(
        index=index,
        codec=stream.get("codec_name") or _tag(stream),
        language="" if language == "und" else language,
        title=tags.get("title", "")[:_LONGEST_TITLE],
        seconds=to_float(stream.get("duration")) or _length(tags.get("duration", ""), late),
        channels=int(stream.get("channels") or 0),
        width=int(stream.get("width") or 0),
        sample_rate=int(to_float(stream.get("sample_rate")) or 0),
        layout="" if layout == "unknown" else layout,
        is_default=bool(flags.get("default")),
        is_secondary=any(flags.get(flag) for flag in _SECONDARY),
        programs=programs.get(index, ()),
    )


_SECONDARY = ("comment", "hearing_impaired", "visual_impaired", "descriptions", "clean_effects", "karaoke")


def _tag(stream: dict[str, Any]) -> str:
    """Return the four letters by which a file calls a codec, where they are letters."""
    tag = str(stream.get("codec_tag_string", ""))
    return tag if re.fullmatch(r"[A-Za-z0-9.-]{3,4}", tag) else ""


def to_float(text: object) -> float | None:
    """Return the number that a text says; None where it says none."""
    try:
        return float(str(text))
    except ValueError:
        return None


def _length(tag: str, late: float) -> float | None:
    # Matroska keeps a stream's end as a tag, 00:01:02.345000000, in a film that may itself begin late.
    match = re.fullmatch(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d+)?)", tag)
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) - late if match else None


def _frame_seconds(stream: dict[str, Any]) -> float:
    for key in ("avg_frame_rate", "r_frame_rate"):
        above, _, below = str(stream.get(key, "0/0")).partition("/")
        if to_float(above) and to_float(below):
            return float(below) / float(above)
    return 0.04
