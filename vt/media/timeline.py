"""How long a film lasts: which headers say it, and what its packets say where a header only estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from vt.domain import Cancel
from vt.media.commands import MEMORY, opening_options, patience, url
from vt.system.processes import Child, run
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
# Where the rate changes in a chain of Ogg recordings, the last packet is said to last for a day.
_NO_DAY = r"duration=if(gt(DURATION*TB\,36000)\,0\,DURATION)"
_TIMES = rf"-bsf:0 setts=pts=max(PTS\,DTS):{_NO_DAY}:time_base=1/90000 -avoid_negative_ts disabled"
_TELL_THE_END = f"-c copy {_TIMES} {_SEGMENT} -segment_list_type csv pipe:1".split()


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


def last_packets_end(path: Path, indexes: Sequence[int], cancel: Cancel | None = None) -> float:
    """Return when the last packet of some streams ends, in seconds from the start of the film: all is read.

    Jumps of the clock are taken out as ffmpeg does whenever it copies such a file.

    Raises:
        ToolError: the file cannot be read.
    """
    if not indexes:
        return 0.0
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += ["-i", url(path)]
    for index in indexes[:_MOST_MEASURED]:
        argv += ["-map", f"0:{index}", *_TELL_THE_END]
    argv += read_along(indexes[_MOST_MEASURED:])
    size = path.stat().st_size
    cpu = 60 + size / MB
    output = run(Child(argv, ChildLimits(patience(cpu, size), cpu, MEMORY), reads=[path]), cancel)
    ends = [float(line.rpartition(b",")[2]) for line in output.splitlines() if line.startswith(b"pipe:1,")]
    return max((end for end in ends if math.isfinite(end)), default=0.0)
