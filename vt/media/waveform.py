"""The outline of a sound track: how loud it is at its loudest in each of many equal parts of its film."""

from __future__ import annotations

import math
import re

from vt.domain import Cancel
from vt.errors import ToolError, ToolStopped
from vt.media.codecs import is_decodable
from vt.media.commands import MEMORY, opening_options, patience, unfit, url
from vt.media.probing import MediaInfo, Track
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_RATE = 8000
"""In hertz: enough for an outline of speech."""
_KEY = "lavfi.astats.Overall.Peak_level"
_PEAK = re.compile(rf"^{re.escape(_KEY)}=(\S{{1,30}})$", re.MULTILINE)
_MOST = 10_000


def peaks(info: MediaInfo, track: Track, count: int, cancel: Cancel | None = None) -> list[float]:
    """Return the peak of a track in each of about `count` equal parts of its film, 0..1.

    Where the track is silent or has ended, that is 0; of what cannot be decoded there is nothing.

    Raises:
        MediaError: the film takes more than is given to one.
    """
    if not is_decodable(track) or not track.sample_rate:
        return []
    size = max(1, math.ceil(info.seconds * _RATE / min(count, _MOST)))
    parts = math.ceil(info.seconds * _RATE / size)
    measured = "astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=Peak_level"
    # Holes are filled, so that a part of the samples is a part of the film, also where the sound begins late.
    placed = f"aresample={_RATE}:async=1:first_pts=0"
    chain = f"{placed},asetnsamples=n={size}:p=0,{measured},ametadata=print:key={_KEY}:file=-"
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
    argv += [
        "-t",
        f"{info.seconds + 1:.3f}",
        "-i",
        url(info.path),
        "-map",
        f"0:{track.index}",
        "-af",
        chain,
        "-f",
        "null",
        "-",
    ]
    cpu, room = 60 + info.seconds / 20, info.path.stat().st_size
    try:
        limits = ChildLimits(patience(cpu, room), cpu, MEMORY, output_bytes=4 * MB)
        said = run(Child(argv, limits, reads=[info.path], purpose="outline the sound"), cancel)
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolError:
        return []
    found = [_share(float(level)) for level in _PEAK.findall(said.decode(errors="replace"))]
    return found and [*found, *[0.0] * parts][:parts]


def _share(decibels: float) -> float:
    return min(1.0, 10 ** (decibels / 20)) if math.isfinite(decibels) else 0.0
