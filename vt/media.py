"""ffmpeg: what is in a film, its sound, and the film that is made of it; nothing but the named files is opened."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolStopped, VtError
from vt.messages import Message
from vt.processes import PROBES, Child, run, run_both
from vt.sandbox import CORES, MB, ChildLimits

SPEECH_RATE = 16_000
"""What recognisers want, in hertz."""
DEMUXERS = (
    "mov,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,flv,asf,wav,w64,mp3,aac,flac,aiff,caf,amr,ac3,eac3,dv,mxf,nut,3gp"
)
"""The containers that vt opens. Playlists, scripts and image sequences, which name other files, are none of them."""
ACCEPTED_FORMATS = ("mp4", "mov", "mkv", "webm", "avi", "mpg", "ts", "ogg", "flv", "wmv", "wav", "mp3", "m4a", "flac")
"""For sentences to the user; the content decides, never the name."""
_IN_MP4_VIDEO = {"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "vc1"}
_IN_M4A = {"aac", "alac"}
_IN_MP4_AUDIO = {*_IN_M4A, "mp3", "mp2", "ac3", "eac3", "opus"}
_IN_MP4_COVER = {"mjpeg", "png", "bmp"}
_TEXT_SUBTITLES = {"subrip", "webvtt", "mov_text", "ass", "ssa", "text", "srt", "microdvd", "subviewer", "stl"}
TARGET_LUFS = -16.0
TRUE_PEAK_DBTP = -1.0
LIMIT = 0.75
"""Of full scale, for samples: leaves the encoder 1.5 dB for the peaks that it adds."""
_PRIMING = 1024  # samples that ffmpeg's AAC encoder puts in front
_THREADS = min(8, CORES)  # each takes memory; more are hardly faster
_MEMORY = 1024 * MB
"""For all but encoding a picture: ffmpeg with its libraries takes 300 MB of addresses, before it has done anything."""
_ENCODING_MEMORY = 6 * 1024 * MB
"""A picture of 8K that is encoded in 8 threads takes 4.4 GB of addresses, one of 4K half of that."""
_PROBE = ChildLimits(seconds=60, cpu_seconds=3, memory=_MEMORY)
"""Looking into a film takes some hundredths of a second."""
_LONGEST_TITLE = 200
_MOST_STREAMS = 256
"""Fonts and other attachments of Matroska are streams too."""
_MOST_PIXELS = 8192 * 4352
"""Of a picture that is decoded, cover art too: a film in 8K has hardly less."""
_MARGIN_SECONDS = 30.0
"""As much longer than allowed a film may be: no header is exact."""
_SUMMARY = re.compile(r"^\[ebur128@(\w+) @ \w+\] Summary:\s+Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS", re.MULTILINE)


# --- what is in a file -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of a media file."""

    index: int
    """Of all streams of the file, as ffmpeg counts."""
    codec: str
    language: str
    """As tagged, ISO 639-2 or -3; empty where there is no tag."""
    title: str
    seconds: float | None
    """What the header promises for this stream; None where it says nothing."""
    channels: int = 0
    width: int = 0
    """Of a picture, in pixels; 0 where nobody could or would look at it."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What ffprobe sees in a file."""

    path: Path
    seconds: float
    """What the header promises for the whole file."""
    video: Track | None
    """The first moving picture; cover art is none."""
    frame_seconds: float
    """Length of one frame of the picture; 0 without one."""
    audio: tuple[Track, ...]
    subtitles: tuple[Track, ...]
    covers: tuple[Track, ...]


def probe(path: Path, cancel: Cancel | None = None) -> MediaInfo:
    """Look into a media file.

    Raises:
        MediaError: it is missing, a folder, empty, unreadable, a playlist, or no media file.
    """
    check_readable(path)
    argv = ["ffprobe", "-v", "error", *_opening(), "-show_entries", _ENTRIES, "-of", "json", "-i", url(path)]
    try:
        found = json.loads(run(Child(argv, _PROBE, reads=[path]), cancel, slots=PROBES))
    except ToolStopped as error:
        raise unfit(path, error) from error
    except ToolError as error:
        if not error.said:  # not the file's fault: ffprobe is missing
            raise
        raise MediaError(_why_unreadable(path, error.said)) from error
    return _media_info(path, found)


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


def url(path: Path) -> str:
    """Return the path as ffmpeg takes it for a file whatever characters it holds, a leading dash or colons too."""
    return f"file:{path.absolute()}"


_OPENING = {
    # Only the named file, and only containers that cannot point at others.
    "protocol_whitelist": "file",
    "format_whitelist": DEMUXERS,
    # One more, for ffmpeg 7 tells of no error where it leaves out the rest.
    "max_streams": str(_MOST_STREAMS + 1),
    "max_pixels": str(_MOST_PIXELS),
    "threads": str(_THREADS),
}
_ENTRIES = (
    "format=duration,start_time,format_name:stream=index,codec_type,codec_name,duration,sample_rate,channels,width,"
    "avg_frame_rate,r_frame_rate:stream_disposition=attached_pic:stream_tags=language,title,duration"
)
"""What is asked of ffprobe: whatever else a file says of itself is not even told."""


def _opening() -> list[str]:
    return [part for key, value in _OPENING.items() for part in (f"-{key}", value)]


def _source(path: Path) -> Any:  # noqa: ANN401 (ffmpeg-python is untyped)
    return ffmpeg.input(url(path), **_OPENING)


def unfit(path: Path, error: ToolStopped) -> VtError:
    """Return what to raise where a program was stopped over a file; the system's doings are not the file's fault."""
    if "max_streams" in error.said:  # of which ffmpeg says that it has no memory
        return _too_many(path)
    if not error.by_limit:
        return error
    return MediaError(
        "{file} cannot be used: it is damaged, or takes more than vt gives to one film. {reason}",
        file=path,
        reason=error.message,
    )


def _too_many(path: Path) -> MediaError:
    return MediaError(
        "{file} has more tracks and attachments than the {count} that vt takes.", file=path, count=_MOST_STREAMS
    )


def _why_unreadable(path: Path, said: str) -> str:
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
    if len(streams) > _MOST_STREAMS:
        raise _too_many(path)
    pictures = [s for s in streams if s.get("codec_type") == "video"]
    covers = [s for s in pictures if s.get("disposition", {}).get("attached_pic")]
    moving = [s for s in pictures if s not in covers and s.get("codec_name")]
    container = found.get("format", {})
    promised = _number(container.get("duration"))
    late = max(0.0, _number(container.get("start_time")) or 0.0)
    if promised and "matroska" in str(container.get("format_name")):
        promised -= late  # Matroska's header tells when the film ends, not how long it is
    longest = max((_number(s.get("duration")) or 0.0 for s in streams), default=0.0)
    return MediaInfo(
        path=path,
        seconds=promised or longest,
        video=_track(moving[0], late) if moving else None,
        frame_seconds=_frame_seconds(moving[0]) if moving else 0.0,
        audio=tuple(
            _track(s, late) for s in streams if s.get("codec_type") == "audio" and _number(s.get("sample_rate"))
        ),
        subtitles=tuple(_track(s, late) for s in streams if s.get("codec_type") == "subtitle"),
        covers=tuple(_track(s, late) for s in covers),
    )


def _track(stream: dict[str, Any], late: float) -> Track:
    tags = {key.lower(): value for key, value in stream.get("tags", {}).items()}
    language = tags.get("language", "")[:_LONGEST_TITLE]
    return Track(
        index=int(stream["index"]),
        codec=stream.get("codec_name", ""),
        language="" if language == "und" else language,
        title=tags.get("title", "")[:_LONGEST_TITLE],
        seconds=_number(stream.get("duration")) or _length(tags.get("duration", ""), late),
        channels=int(stream.get("channels") or 0),
        width=int(stream.get("width") or 0),
    )


def _number(text: object) -> float | None:
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
        if _number(above) and _number(below):
            return float(below) / float(above)
    return 0.04


# --- sound in ----------------------------------------------------------------------------------------------------


def extract(
    info: MediaInfo, track: Track, target: Path, cancel: Cancel | None = None, longest: float | None = None
) -> NDArray[np.int16]:
    """Decode one track to mono 16 kHz, sample 0 at the film's start, and return it as `extracted` does.

    Args:
        info: of the film.
        track: which one.
        target: where the samples go.
        cancel: ends it.
        longest: how many seconds a film may last, whatever its header promises; None: as long as the disk has room.

    Raises:
        MediaError: it cannot be decoded, is too long, or breaks off before 90 % of the length that its header promises.
    """
    stream = _source(info.path)[str(track.index)]
    # first_pts pads a track that starts late; async fills holes, so that time in the array is time in the film.
    stream = stream.filter("aresample", **{"async": 1, "first_pts": 0})
    until = {} if longest is None else {"t": longest + _MARGIN_SECONDS}
    argv = _compiled(
        stream.output(str(target.absolute()), ac=1, ar=SPEECH_RATE, f="s16le", acodec="pcm_s16le", **until)
    )
    if info.video:
        # In MPEG streams ffmpeg counts from the first of the tracks that are read: so the picture is one of them.
        ends = [part for key, value in until.items() for part in (f"-{key}", str(value))]
        argv += ["-map", f"0:{info.video.index}", "-c", "copy", *ends, "-f", "null", "-"]
    try:
        run(Child(argv, _decoding(info, target, longest), reads=[info.path], writes=[target]), cancel)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError("The sound of {file} cannot be decoded: the file is damaged.", file=info.path) from error
    decoded = target.stat().st_size / 2 / SPEECH_RATE
    if not decoded:
        raise MediaError("The sound of {file} cannot be decoded: the file is damaged.", file=info.path)
    if longest is not None and decoded >= longest + _MARGIN_SECONDS - 1:
        raise MediaError(
            "{file} is too long: it promises {minutes:.1f} minutes, but it holds more than {limit:g}, and "
            "longer films are not taken here (VT_MAX_DURATION_MINUTES).",
            file=info.path,
            minutes=info.seconds / 60,
            limit=longest / 60,
        )
    _check_whole(info, track, decoded, cancel)
    return extracted(target)


def _decoding(info: MediaInfo, target: Path, longest: float | None) -> ChildLimits:
    """Return what may be used to decode the sound of a film, whose header may promise too little."""
    size = info.path.stat().st_size
    seconds = max(info.seconds, size / 4000) if longest is None else longest
    room = _room(target)
    wanted = room if longest is None else int((longest + 2 * _MARGIN_SECONDS) * SPEECH_RATE * 2)
    cpu = 60 + seconds / 4  # of which it takes a hundredth, on a machine of today
    return ChildLimits(_patience(cpu, size), cpu, _MEMORY, min(room, wanted))


def _room(target: Path) -> int:
    """Return how large a file may become on its disk: a tenth of what is free stays so, for others."""
    try:
        return int(0.9 * shutil.disk_usage(target.parent).free)
    except FileNotFoundError:  # it is told of when the file is to be made
        return 0


def _patience(cpu_seconds: float, size: int = 0) -> float:
    """Return how long to wait for a program on a busy machine with a slow disk."""
    return 300 + 10 * cpu_seconds + size / MB


def extracted(path: Path) -> NDArray[np.int16]:
    """Return sound that `extract` wrote, as an array that stays on disk, shape (n,)."""
    return np.memmap(path, np.int16, mode="r")


def measured_seconds(info: MediaInfo, cancel: Cancel | None = None) -> float:
    """Return where the last packet of a file ends, whatever its header promises: it is read to its end.

    Raises:
        MediaError: it cannot be read.
    """
    # What else is in a file may be of a kind that nobody knows.
    tracks = [track for track in (info.video, *info.audio) if track]
    if not tracks:
        return 0.0
    source = _source(info.path)
    stream = ffmpeg.output(*(source[str(track.index)] for track in tracks), "-", f="null", c="copy")
    argv = [str(part) for part in ffmpeg.compile(stream.global_args("-nostdin", "-hide_banner", "-loglevel", "info"))]
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    limits = ChildLimits(_patience(cpu, size), cpu, _MEMORY)
    try:
        said = run_both(Child([*argv, "-stats"], limits, reads=[info.path]), cancel)[1]
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError(_why_unreadable(info.path, error.said)) from error
    clocks = re.findall(r"time=(\d+):(\d\d):(\d\d\.\d+)", said)
    return sum(float(part) * unit for part, unit in zip(clocks[-1], (3600, 60, 1), strict=True)) if clocks else 0.0


def _check_whole(info: MediaInfo, track: Track, decoded: float, cancel: Cancel | None) -> None:
    promised = track.seconds or info.seconds
    if decoded >= 0.9 * promised:
        return
    # Without a length of its own, the sound may well end before the picture does: then the whole file is asked.
    there = decoded if track.seconds or not info.video else measured_seconds(info, cancel)
    if there < 0.9 * promised:
        raise MediaError(
            "{file} is incomplete: it promises {promised:.1f} s, but only {there:.1f} s are there. Copy or "
            "download it again.",
            file=info.path,
            promised=promised,
            there=there,
        )


def _compiled(output: Any) -> list[str]:  # noqa: ANN401 (ffmpeg-python is untyped)
    quiet = output.global_args("-nostdin", "-hide_banner", "-nostats", "-loglevel", "error")
    return [str(part) for part in ffmpeg.compile(quiet, overwrite_output=True)]


# --- sound out ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loudness:
    """EBU R128: integrated loudness in LUFS and true peak in dBTP."""

    integrated: float
    true_peak: float


def stretched(samples: NDArray[np.int16], rate: int, tempo: float, cancel: Cancel | None = None) -> NDArray[np.int16]:
    """Return the samples spoken `tempo` times as fast, at the same pitch (rubberband)."""
    wanted = round(len(samples) / tempo)
    # The filter is a few milliseconds late: with silence behind it, the end of the sound is not lost.
    samples = np.pad(samples, (0, int(0.03 * rate)))
    pcm = {"f": "s16le", "ar": rate, "ac": 1}
    stream = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm).filter("rubberband", tempo=f"{tempo:.6f}")
    argv = _compiled(stream.output("pipe:1", **pcm))
    output = run(Child(argv, _sounding(len(samples) / rate, 4 * len(samples)), samples.tobytes()), cancel)
    return np.frombuffer(output, np.int16)[:wanted]


def loudness_at(samples: NDArray[np.int16], rate: int, gains: Sequence[float]) -> list[float]:
    """Return the integrated loudness in LUFS that `samples` would have at each gain in dB, limiter included."""
    # Each meter has a name: in which order they tell is ffmpeg's own business.
    names = [f"gain{number}" for number in range(len(gains))]
    graph = [f"asplit={len(gains)}{''.join(f'[{name}]' for name in names)}"]
    for name, gain in zip(names, gains, strict=True):
        graph.append(f"[{name}]{_levelled(rate, gain, LIMIT)},ebur128@{name}=framelog=verbose[{name}out]")
    argv = ["ffmpeg", "-hide_banner", "-nostats", *_raw_input(rate), "-filter_complex", ";".join(graph)]
    for name in names:
        argv += ["-map", f"[{name}out]", "-f", "null", "-"]
    said = run_both(Child(argv, _sounding(len(gains) * len(samples) / rate), samples.tobytes()))[1]
    told = dict(_SUMMARY.findall(said))
    return [float(told[name]) for name in names]


def _sounding(seconds: float, output_bytes: int = 0) -> ChildLimits:
    """Return what may be used for work on so many seconds of sound; it takes a hundredth of that."""
    cpu = 60 + 2 * seconds
    return ChildLimits(_patience(cpu), cpu, _MEMORY, output_bytes=output_bytes + MB)


def output_rate(rate: int) -> int:
    """Return the sample rate in hertz of the dubbed track for a voice with the native `rate`."""
    return 24_000 if rate <= 24_000 else 48_000


def _levelled(rate: int, gain: float, limit: float) -> str:
    limiter = f"alimiter=limit={limit:.4f}:level=false:attack=3:release=60:latency=true"
    return f"aresample={output_rate(rate)},volume={gain:.2f}dB,{limiter}"


def _raw_input(rate: int) -> list[str]:
    return ["-protocol_whitelist", "pipe", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]


def aac_packets(
    samples: NDArray[np.int16], rate: int, gain: float, limit: float, cancel: Cancel | None = None
) -> list[bytes]:
    """Return mono samples at `rate`, brought to a level and limited, as packets of AAC in ADTS (ISO/IEC 14496-3).

    One packet more than the samples fill comes first: the encoder's priming.
    """
    bits = "64k" if output_rate(rate) == 24_000 else "128k"
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", *_raw_input(rate)]
    argv += ["-af", _levelled(rate, gain, limit), "-c:a", "aac", "-aac_coder", "fast", "-b:a", bits, "-f", "adts"]
    limits = _sounding(len(samples) / rate, 4 * len(samples))
    return _packets(run(Child([*argv, "pipe:1"], limits, samples.tobytes()), cancel))


def _packets(stream: bytes) -> list[bytes]:
    found, here = [], 0
    while here < len(stream):
        length = (stream[here + 3] & 3) << 11 | stream[here + 4] << 3 | stream[here + 5] >> 5
        found.append(stream[here : here + length])
        here += length
    return found


def momentary_loudness(path: Path, primed: bool, cancel: Cancel | None = None) -> dict[str, Any]:
    """Return the momentary loudness in LUFS of each 400 ms of an ADTS file, every 100 ms, and its true peak in dBTP.

    Where the file begins with the encoder's priming, that is left out: players skip it, and it would shift the blocks.
    """
    skip = f"atrim=start_sample={_PRIMING}," if primed else ""
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "verbose", "-protocol_whitelist", "file"]
    argv += ["-f", "aac", "-i", url(path), "-af", f"{skip}ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    seconds = path.stat().st_size / 4000
    limits = replace(_sounding(seconds), said_bytes=int(MB + seconds * 4000))  # ten lines a second, each read below
    said = run_both(Child(argv, limits, reads=[path]), cancel)[1]
    levels = [float(level) for level in re.findall(r" M:\s*(-?[\d.]+)\s", said)]
    peak = re.findall(r"^[ \t]+Peak:\s+(-?[\d.]+|-?inf|nan) dBFS", said, re.MULTILINE)
    if not peak:
        raise ToolError("ffmpeg measured no loudness.")
    return {"momentary": levels, "true_peak": _number(peak[-1]) if peak[-1] not in ("-inf", "nan") else None}


def join_aac(paths: Sequence[Path], rate: int, target: Path, cancel: Cancel | None = None) -> None:
    """Put ADTS files that follow each other into one M4A, whose players skip the encoder's priming."""
    joined = target.with_name(f"{target.name}.aac")
    with joined.open("wb") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += ["-itsoffset", f"{-_PRIMING / rate:.9f}", "-protocol_whitelist", "file", "-f", "aac", "-i", url(joined)]
    argv += ["-c", "copy", "-avoid_negative_ts", "disabled", "-f", "mp4", url(target)]
    size = joined.stat().st_size
    limits = replace(_sounding(size / 4000), file_bytes=2 * size + MB)
    run(Child(argv, limits, reads=[joined], writes=[target]), cancel)
    joined.unlink()


# --- the film ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Soft:
    """A subtitle track to add: an SRT file, its language (ISO 639-2/T or 639-3) and its title."""

    path: Path
    language: str
    title: str


@dataclass(frozen=True, slots=True)
class Named:
    """Language tag and title of an audio track."""

    language: str
    title: str


def mux(
    info: MediaInfo,
    original: Track | None,
    dub: Path,
    names: tuple[Named, Named],
    softs: Iterable[Soft],
    target: Path,
    cancel: Cancel | None = None,
) -> list[str]:
    """Write the film: picture copied, the dub first and default, the original second, the rest behind them.

    `names` are the dub's and the original's. Returns sentences about what could not be kept as it was.

    Raises:
        MediaError: the film is damaged, or takes more than is given to one.
    """
    plan = _Mux(info, original, names, list(softs))
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += [*_opening(), "-i", url(info.path), "-protocol_whitelist", "file", "-i", url(dub)]
    for soft in plan.softs:
        argv += ["-protocol_whitelist", "file", "-f", "srt", "-i", url(soft.path)]
    argv += [*plan.arguments(), url(target)]
    reads = [info.path, dub, *(soft.path for soft in plan.softs)]
    try:
        run(Child(argv, plan.limits(dub, target), reads=reads, writes=[target]), cancel)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError(
            "{file} cannot be written anew with its dub: it is damaged, or holds what no mp4 can.", file=info.path
        ) from error
    return plan.notes


class _Mux:
    """Composes the tracks of the result: what can live in its container is copied, the rest encoded or left out."""

    def __init__(self, info: MediaInfo, original: Track | None, names: tuple[Named, Named], softs: list[Soft]) -> None:
        self.info, self.original, self.names, self.softs = info, original, names, softs
        self.notes: list[str] = []

    def arguments(self) -> list[str]:
        container = "mp4" if self.info.video else "ipod"
        common = ["-map_metadata", "0", "-map_chapters", "0", "-movflags", "+faststart"]
        return [*self._picture(), *self._sound(), *self._text(), *self._covers(), *common, "-f", container]

    def limits(self, dub: Path, target: Path) -> ChildLimits:
        """Return what may be used to put the film together: little, unless its picture is encoded again."""
        size, seconds = self.info.path.stat().st_size, max(self.info.seconds, dub.stat().st_size / 8000)
        encodes = bool(self.info.video and self.info.video.codec not in _IN_MP4_VIDEO)
        a_second = (25 * MB if encodes else 0) + len(self.info.audio) * 32_000
        cpu = 300 + seconds * (100 if encodes else 1 + len(self.info.audio)) + size / MB
        room = _room(target)
        most = int(2 * size + 2 * dub.stat().st_size + 64 * MB + seconds * a_second)
        # The index of the packets is kept in memory, twice: about 20 kB for each second of a film with many tracks.
        memory = (_ENCODING_MEMORY if encodes else _MEMORY) + int(50_000 * seconds)
        return ChildLimits(_patience(cpu, size), cpu, memory, min(most, room))

    def _picture(self) -> list[str]:
        video = self.info.video
        if video is None:
            return []
        chosen = ["-map", f"0:{video.index}"]
        if video.codec in _IN_MP4_VIDEO:
            return [*chosen, "-c:v:0", "copy", *(["-tag:v:0", "hvc1"] if video.codec == "hevc" else [])]
        self.notes.append(
            Message(
                "The picture was {codec}, which cannot live in mp4: it was encoded again as H.264.", codec=video.codec
            )
        )
        even = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
        encoder = ["-c:v:0", "libx264", "-crf", "18", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
        encoder += ["-threads:v:0", str(_THREADS)]
        # Frames keep their times: none is doubled or dropped in order to make a constant rate.
        return [*chosen, *encoder, "-filter:v:0", even, "-fps_mode:v:0", "passthrough"]

    def _sound(self) -> list[str]:
        out = ["-map", "1:a:0", "-c:a:0", "copy", "-disposition:a:0", "default", *_named("a:0", self.names[0])]
        others = [track for track in self.info.audio if track is not self.original]
        for place, track in enumerate([*([self.original] if self.original else []), *others], 1):
            out += ["-map", f"0:{track.index}", *self._kept_sound(track, place), f"-disposition:a:{place}", "0"]
        return [*out, *(_named("a:1", self.names[1]) if self.original else [])]

    def _kept_sound(self, track: Track, place: int) -> list[str]:
        if track.codec in (_IN_MP4_AUDIO if self.info.video else _IN_M4A):
            return [f"-c:a:{place}", "copy"]
        self.notes.append(
            Message("An original sound track was {codec}: it was encoded again as AAC.", codec=track.codec)
        )
        return [f"-c:a:{place}", "aac", f"-b:a:{place}", "192k"]

    def _text(self) -> list[str]:
        out: list[str] = []
        for place, soft in enumerate(self.softs):
            out += ["-map", f"{place + 2}:s:0", *_named(f"s:{place}", Named(soft.language, soft.title))]
        kept = [track for track in self.info.subtitles if track.codec in _TEXT_SUBTITLES]
        for track in self.info.subtitles:
            if track not in kept:
                self.notes.append(
                    Message("A subtitle track ({codec}) was left out: mp4 holds only text.", codec=track.codec)
                )
        out += [part for track in kept for part in ("-map", f"0:{track.index}")]
        dispositions = [f"-disposition:s:{place}" for place in range(len(self.softs) + len(kept))]
        return [*out, "-c:s", "mov_text", *(part for option in dispositions for part in (option, "0"))]

    def _covers(self) -> list[str]:
        first = 1 if self.info.video else 0
        covers = [track for track in self.info.covers if track.codec in _IN_MP4_COVER and track.width]
        if any(not track.width for track in self.info.covers):
            self.notes.append("A cover was left out: it is too large, or damaged.")
        out: list[str] = []
        for place, track in enumerate(covers, first):
            out += ["-map", f"0:{track.index}", f"-c:v:{place}", "copy", f"-disposition:v:{place}", "attached_pic"]
        return out


def _named(stream: str, name: Named) -> list[str]:
    tags = {"language": name.language, "title": name.title, "handler_name": name.title}
    return [part for key, value in tags.items() for part in (f"-metadata:s:{stream}", f"{key}={value}")]
