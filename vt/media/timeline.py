"""How long a film lasts: which headers say it, and what its packets say where a header only estimates."""

from __future__ import annotations

import functools
import io
import math
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path

from vt.domain import Cancel
from vt.media.commands import MEMORY, Part, input_of, opening_options, patience
from vt.system.processes import WORK, Child, Slots, run
from vt.system.sandbox import MB, ChildLimits

_ESTIMATED = "Estimating duration from bitrate"
"""What ffprobe warns of where a header says no length: it divides the file's size by the first bit rate."""
_EXACT = frozenset({"mov", "matroska"})
"""Containers whose header tells the length to the packet, where it tells one at all."""
_COUNTED = frozenset({"mov", "matroska", "avi", "asf", "flac", "mp3", "wav", "w64", "aiff", "caf", "mxf"})
"""Containers whose header counts what its writer wrote: a file that holds far less of it has lost its end."""
_JUMPING = frozenset({"mpegts", "mpeg", "ogg"})
"""Containers whose clock may jump, as where two recordings were put together."""
_NO_CLOCK = frozenset({"mp3", "aac", "ac3", "eac3", "flac", "amr"})
"""Containers of sound without times: a packet begins where the one before it ends."""
_MOST_BOXES = 64
_MOST_MEASURED = 8
"""Streams: each is an output of its own, because the list of segments goes by one stream only."""
# The list of segments tells when each ends; here one segment is the whole film, and of it only a checksum is kept.
_SEGMENT = "-f segment -segment_time 100000000 -strftime 1 -segment_format crc -segment_list pipe:1"
# Where frames come in another order than they are shown, some containers keep only the time of decoding.
# Where times come twice, each packet is put one unit behind the one before it: that must not be a whole frame.
_COPIED = (
    r"-c copy -bsf:0 setts=pts=max(PTS\,DTS){unit}:dts=DTS{unit}:"
    r"duration=if(gt(DURATION*TB\,{longest})\,0\,DURATION{unit})"
)
_DECODED = (
    r"-ac 1 -ar 16000 -c:a pcm_s16le "
    r"-bsf:0 setts=ts=if(N\,PREV_OUTPTS+PREV_INDURATION{unit}\,0):duration=DURATION{unit}"
)
_OTHER_UNIT = "*TB*90000"
"""What a time is multiplied by where ffmpeg leaves that to who sets another unit of time."""
_TELL_THE_END = f":time_base=1/90000 -avoid_negative_ts disabled {_SEGMENT} -segment_list_type csv pipe:1"
_SOUND_RATE, _PATIENCE = 8_000, 60.0
_LONGEST_PACKET = 36_000.0
_LONGEST_OGG_PACKET = 10.0


def _is_one_of(container: str, kinds: frozenset[str]) -> bool:
    return not kinds.isdisjoint(container.split(","))


def may_jump(container: str) -> bool:
    """Return whether the clock of a container, as ffprobe names it, may jump within a file."""
    return _is_one_of(container, _JUMPING)


def has_clock(container: str) -> bool:
    """Return whether a container, as ffprobe names it, says when each packet is played."""
    return not _is_one_of(container, _NO_CLOCK)


def header_counts(path: Path, container: str, said: str) -> bool:
    """Return whether the length in the header of a file was counted by who wrote it; `said` is ffprobe's stderr."""
    return _is_one_of(container, _COUNTED) and _ESTIMATED not in said and not _is_fragmented(path, container)


def header_is_exact(path: Path, container: str, said: str) -> bool:
    """Return whether that length may be taken as it is."""
    return _is_one_of(container, _EXACT) and header_counts(path, container, said)


def _is_fragmented(path: Path, container: str) -> bool:
    """Return whether an MP4 comes in fragments, which are written one by one after the header (ISO/IEC 14496-12)."""
    if not _is_one_of(container, frozenset({"mov"})):
        return False
    here, end = 0, path.stat().st_size
    with path.open("rb") as file:
        for _ in range(_MOST_BOXES):
            file.seek(here)
            head = file.read(16)
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind == b"moof":
                return True
            size = int.from_bytes(head[8:16], "big") if size == 1 else size
            here += size
            if size < 8 or here >= end:  # the last box, or none at all
                return False
    return False


def read_along(indexes: Sequence[int]) -> list[str]:
    """Return an output of ffmpeg that reads these streams of its first input and writes nothing.

    Where clocks jump, ffmpeg goes by the first packet that comes after the jump. So all that is to agree in time has
    to read the same streams: the sound that is heard, the film that is written, and the packets that are measured.
    """
    maps = [part for index in indexes for part in ("-map", f"0:{index}")]
    return [*maps, "-c", "copy", "-f", "null", "-"] if maps else []


def longest_packet(container: str, is_sound: bool) -> float:
    """Return how many seconds a packet may be said to last and be believed.

    Ogg tells only when a page ends: where the packets before it are missing or the rate changes, one is said to last
    as long as all of them. The longest that there are, of FLAC at 8 kHz, last 8.2 s.
    """
    return _LONGEST_OGG_PACKET if is_sound and _is_one_of(container, frozenset({"ogg"})) else _LONGEST_PACKET


def last_packets_end(
    path: Path, longest: Mapping[int, float], cancel: Cancel | None = None, slots: Slots = WORK
) -> float:
    """Return when the last packet of some streams ends, in seconds from the start of the film: all is read.

    Jumps of the clock are taken out as ffmpeg does whenever it copies such a file.

    Args:
        path: the film.
        longest: the streams, each with the seconds that one of its packets may last; what claims more lasts 0 s.
        cancel: ends it.
        slots: limit how many files are read at a time.

    Raises:
        ToolError: the file cannot be read.
        TooManyRequests: no slot became free in time.
    """
    unit = _unit(slots)
    outputs = [(index, _COPIED.format(longest=seconds, unit=unit)) for index, seconds in longest.items()]
    return _ends(path, outputs, cancel, slots)


def decoded_end(
    path: Path,
    indexes: Sequence[int],
    cancel: Cancel | None = None,
    slots: Slots = WORK,
    parts: Sequence[Part | None] = (None,),
    decoded_by: Sequence[str] = (),
) -> float:
    """Return when some streams of sound end where each packet follows the one before it: all is decoded.

    Args:
        path: the file.
        indexes: the streams.
        cancel: ends it.
        slots: limit how many files are read at a time.
        parts: of the file, which are read by themselves, one after the other; None: all of it.
        decoded_by: the options in front of the file that choose decoders.

    Raises:
        ToolError: the file cannot be read.
        TooManyRequests: no slot became free in time.
    """
    options = _DECODED.format(unit=_unit(slots))
    outputs = [(index, options) for index in indexes]
    return math.fsum(_ends(path, outputs, cancel, slots, part, decoded_by) for part in parts)


@functools.cache
def _unit(slots: Slots) -> str:
    """Return what the times of packets have to be multiplied by, as a second of sound shows.

    Before ffmpeg 7 or so, times are still in the unit of the file where a filter of packets sets another one; after it,
    they are taken as they are.
    """
    with io.BytesIO() as sound:
        with wave.open(sound, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(_SOUND_RATE)
            file.writeframes(bytes(2 * _SOUND_RATE))
        content = sound.getvalue()
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-protocol_whitelist", "pipe"]
    argv += ["-f", "wav", "-i", "pipe:0", "-map", "0:0", *(_COPIED.format(longest=9, unit="") + _TELL_THE_END).split()]
    output = run(
        Child(argv, ChildLimits(_PATIENCE, _PATIENCE, MEMORY), stdin=content, purpose="learn the unit of times"),
        slots=slots,
    )
    return "" if _latest(output) > 0.5 else _OTHER_UNIT


def _ends(
    path: Path,
    outputs: Sequence[tuple[int, str]],
    cancel: Cancel | None,
    slots: Slots,
    part: Part | None = None,
    decoded_by: Sequence[str] = (),
) -> float:
    """Return the latest end of some streams of a file, or of a part of it, each read as its options say."""
    if not outputs:
        return 0.0
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += [*decoded_by, *input_of(path, part)]
    for index, options in outputs[:_MOST_MEASURED]:
        argv += ["-map", f"0:{index}", *(options + _TELL_THE_END).split()]
    argv += read_along([index for index, _ in outputs[_MOST_MEASURED:]])
    size = path.stat().st_size
    cpu = 60 + size / MB
    output = run(
        Child(argv, ChildLimits(patience(cpu, size), cpu, MEMORY), reads=[path], purpose="measure the length"),
        cancel,
        slots=slots,
    )
    return _latest(output)


def _latest(output: bytes) -> float:
    """Return the latest end in ffmpeg's lists of segments."""
    ends = [float(line.rpartition(b",")[2]) for line in output.splitlines() if line.startswith(b"pipe:1,")]
    return max((end for end in ends if math.isfinite(end)), default=0.0)
