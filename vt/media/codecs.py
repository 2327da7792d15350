"""Which kinds of sound and text can be decoded here, and how many channels become one."""

from __future__ import annotations

import re
from functools import cache

from vt.media.commands import listed_codecs
from vt.media.probing import Track

_MOST_LABELLED = 8
"""ffmpeg knows how to mix the channels of the usual layouts, none of which has more."""
_DECODER = re.compile(r" D\S{5} (\S{1,60}) ")


def is_decodable(track: Track) -> bool:
    """Return whether the ffmpeg that is installed has a decoder for a track's kind.

    Raises:
        ToolError: ffmpeg is missing, or does not run.
    """
    return track.codec in _decoders()


@cache
def _decoders() -> frozenset[str]:
    return frozenset(match[1] for line in listed_codecs() if (match := _DECODER.match(line)))


def mixing_filter(track: Track) -> str:
    """Return the filter that mixes a track to mono where ffmpeg by itself would fail; empty elsewhere."""
    if not _is_mixed(track):
        return ""
    limits = ":".join(f"{key}={value}" for key, value in _LIMITER.items())
    return f"pan={_mean(track)},volume={_gain(track)},alimiter={limits}"


def labelling_filter(track: Track) -> str:
    """Return the filter that says of one or two channels which they are, which the encoder wants to know."""
    known = {1: "pan=mono|c0=c0", 2: "pan=stereo|c0=c0|c1=c1"}
    return "" if track.layout else known.get(track.channels, "")


_LIMITER = {"limit": "0.9", "level": "false", "latency": "true"}


def _is_mixed(track: Track) -> bool:
    return track.channels > (_MOST_LABELLED if track.layout else 2)


def _mean(track: Track) -> str:
    """Return that all channels count alike, for each may hold all that is said."""
    return "mono|c0<" + "+".join(f"c{channel}" for channel in range(track.channels))


def _gain(track: Track) -> str:
    """Return the gain behind the mean.

    What differs from channel to channel stays as loud as it was, because powers add; what is the same in all becomes
    louder, and the limiter keeps it in range.
    """
    return f"{track.channels**0.5:.4f}"
