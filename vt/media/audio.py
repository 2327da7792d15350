"""Sound out of a film as samples, samples stretched, and samples as AAC."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.errors import EmptyTrack, MediaError, ToolError, ToolStopped
from vt.media.codecs import mixed
from vt.media.commands import MEMORY, command_line, media_source, patience, room_on_disk, unfit, url
from vt.media.probing import MediaInfo, Track, has_packets, why_unreadable
from vt.system.processes import Child, run, run_both
from vt.system.sandbox import MB, ChildLimits

SPEECH_RATE = 16_000
"""What recognisers want, in hertz."""
PRIMING = 1024  # samples that ffmpeg's AAC encoder puts in front
_MARGIN_SECONDS = 30.0
"""As much longer than allowed a film may be: no header is exact."""


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
    stream = mixed(media_source(info.path)[str(track.index)], track)
    # first_pts pads a track that starts late; async fills holes, so that time in the array is time in the film.
    stream = stream.filter("aresample", **{"async": 1, "first_pts": 0})
    until = {} if longest is None else {"t": longest + _MARGIN_SECONDS}
    argv = command_line(
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
        raise _nothing_decoded(info, track, cancel)
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


def _nothing_decoded(info: MediaInfo, track: Track, cancel: Cancel | None) -> MediaError:
    """Return what to raise for a track of which ffmpeg made no sound: there may have been none."""
    if not has_packets(info.path, track, cancel):
        return EmptyTrack(info.path)
    return MediaError("The sound of {file} cannot be decoded: the file is damaged.", file=info.path)


def _decoding(info: MediaInfo, target: Path, longest: float | None) -> ChildLimits:
    """Return what may be used to decode the sound of a film, whose header may promise too little."""
    size = info.path.stat().st_size
    seconds = max(info.seconds, size / 4000) if longest is None else longest
    room = room_on_disk(target)
    wanted = room if longest is None else int((longest + 2 * _MARGIN_SECONDS) * SPEECH_RATE * 2)
    cpu = 60 + seconds / 4  # of which it takes a hundredth, on a machine of today
    return ChildLimits(patience(cpu, size), cpu, MEMORY, min(room, wanted))


def extracted(path: Path) -> NDArray[np.int16]:
    """Return sound that `extract` wrote, as an array that stays on disk, shape (n,)."""
    return np.memmap(path, np.int16, mode="r")


def measured_seconds(info: MediaInfo, cancel: Cancel | None = None) -> float:
    """Return where the last packet of a file ends, whatever its header promises: it is read to its end.

    Raises:
        MediaError: it cannot be read.
    """
    # What else is in a file may be of a kind that nobody knows.
    tracks = [track for track in (info.video, *(track for track in info.audio if track.sample_rate)) if track]
    if not tracks:
        return 0.0
    source = media_source(info.path)
    stream = ffmpeg.output(*(source[str(track.index)] for track in tracks), "-", f="null", c="copy")
    argv = [str(part) for part in ffmpeg.compile(stream.global_args("-nostdin", "-hide_banner", "-loglevel", "info"))]
    size = info.path.stat().st_size
    cpu = 60 + size / MB
    limits = ChildLimits(patience(cpu, size), cpu, MEMORY)
    try:
        said = run_both(Child([*argv, "-stats"], limits, reads=[info.path]), cancel)[1]
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError as error:
        raise MediaError(why_unreadable(info.path, error.said)) from error
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


def stretched(samples: NDArray[np.int16], rate: int, tempo: float, cancel: Cancel | None = None) -> NDArray[np.int16]:
    """Return the samples spoken `tempo` times as fast, at the same pitch (rubberband)."""
    wanted = round(len(samples) / tempo)
    # The filter is a few milliseconds late: with silence behind it, the end of the sound is not lost.
    samples = np.pad(samples, (0, int(0.03 * rate)))
    pcm = {"f": "s16le", "ar": rate, "ac": 1}
    stream = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm).filter("rubberband", tempo=f"{tempo:.6f}")
    argv = command_line(stream.output("pipe:1", **pcm))
    output = run(Child(argv, sound_limits(len(samples) / rate, 4 * len(samples)), samples.tobytes()), cancel)
    return np.frombuffer(output, np.int16)[:wanted]


def sound_limits(seconds: float, output_bytes: int = 0) -> ChildLimits:
    """Return what may be used for work on so many seconds of sound; it takes a hundredth of that."""
    cpu = 60 + 2 * seconds
    return ChildLimits(patience(cpu), cpu, MEMORY, output_bytes=output_bytes + MB)


def output_rate(rate: int) -> int:
    """Return the sample rate in hertz of the dubbed track for a voice with the native `rate`."""
    return 24_000 if rate <= 24_000 else 48_000


def level_filters(rate: int, gain: float, limit: float) -> str:
    """Return the filters that bring samples at `rate` to a level: a gain in dB, then a limiter."""
    limiter = f"alimiter=limit={limit:.4f}:level=false:attack=3:release=60:latency=true"
    return f"aresample={output_rate(rate)},volume={gain:.2f}dB,{limiter}"


def raw_pcm_input(rate: int) -> list[str]:
    """Return the options by which ffmpeg reads mono 16-bit samples from stdin."""
    return ["-protocol_whitelist", "pipe", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]


def aac_packets(
    samples: NDArray[np.int16], rate: int, gain: float, limit: float, cancel: Cancel | None = None
) -> list[bytes]:
    """Return mono samples at `rate`, brought to a level and limited, as packets of AAC in ADTS (ISO/IEC 14496-3).

    One packet more than the samples fill comes first: the encoder's priming.
    """
    bits = "64k" if output_rate(rate) == 24_000 else "128k"
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", *raw_pcm_input(rate)]
    argv += ["-af", level_filters(rate, gain, limit), "-c:a", "aac", "-aac_coder", "fast", "-b:a", bits, "-f", "adts"]
    limits = sound_limits(len(samples) / rate, 4 * len(samples))
    return _packets(run(Child([*argv, "pipe:1"], limits, samples.tobytes()), cancel))


def _packets(stream: bytes) -> list[bytes]:
    found, here = [], 0
    while here < len(stream):
        length = (stream[here + 3] & 3) << 11 | stream[here + 4] << 3 | stream[here + 5] >> 5
        found.append(stream[here : here + length])
        here += length
    return found


def join_aac(paths: Sequence[Path], rate: int, target: Path, cancel: Cancel | None = None) -> None:
    """Put ADTS files that follow each other into one M4A, whose players skip the encoder's priming."""
    joined = target.with_name(f"{target.name}.aac")
    with joined.open("wb") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += ["-itsoffset", f"{-PRIMING / rate:.9f}", "-protocol_whitelist", "file", "-f", "aac", "-i", url(joined)]
    argv += ["-c", "copy", "-avoid_negative_ts", "disabled", "-f", "mp4", url(target)]
    size = joined.stat().st_size
    limits = replace(sound_limits(size / 4000), file_bytes=2 * size + MB)
    run(Child(argv, limits, reads=[joined], writes=[target]), cancel)
    joined.unlink()
