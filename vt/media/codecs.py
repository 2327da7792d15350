"""Which kinds of sound and text can be decoded here, and how many channels become one."""

from __future__ import annotations

import re
from functools import cache

from vt.media.probing import Track
from vt.system.processes import TOOL, Child, run

_MOST_LABELLED = 8
"""ffmpeg knows how to mix the channels of the usual layouts, none of which has more."""
_DECODER = re.compile(rb" D\S{5} (\S{1,60}) ")


def is_decodable(track: Track) -> bool:
    """Return whether the ffmpeg that is installed has a decoder for a track's kind.

    Raises:
        ToolError: ffmpeg is missing, or does not run.
    """
    return track.codec in _decoders()


@cache
def _decoders() -> frozenset[str]:
    listed = run(Child(["ffmpeg", "-nostdin", "-hide_banner", "-codecs"], TOOL)).splitlines()
    return frozenset(match[1].decode() for line in listed if (match := _DECODER.match(line)))


def mixing_filter(track: Track) -> str:
    """Return the filter that mixes a track to mono where ffmpeg by itself would fail; empty elsewhere."""
    if not _is_mixed(track):
        return ""
    limits = ":".join(f"{key}={value}" for key, value in _LIMITER.items())
    return f"pan={_weights(track)},alimiter={limits}"


_LIMITER = {"limit": "0.9", "level": "false", "latency": "true"}


def _is_mixed(track: Track) -> bool:
    return track.channels > (_MOST_LABELLED if track.layout else 2)


def _weights(track: Track) -> str:
    """Return how each channel counts: alike, for each may hold all that is said.

    What differs from channel to channel stays as loud as it was, because powers add; what is the same in all becomes
    louder, and a limiter keeps it in range.
    """
    weight = track.channels**-0.5
    return "mono|c0=" + "+".join(f"{weight:.4f}*c{channel}" for channel in range(track.channels))
