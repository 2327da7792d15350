"""Speech encoded while it is made, in the formats that players and programs take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.media.audio import raw_pcm_input
from vt.media.commands import MEMORY, room_on_disk, url
from vt.system.piping import pipe
from vt.system.processes import Child, Slots, run
from vt.system.sandbox import CORES, MB, ChildLimits

ENCODED_RATE = 24_000
"""Of whatever is encoded here, in hertz."""


@dataclass(frozen=True, slots=True)
class SpeechFormat:
    """One format for speech of one voice."""

    media_type: str
    options: tuple[str, ...]
    """Those of ffmpeg."""


FORMATS: Mapping[str, SpeechFormat] = {
    "mp3": SpeechFormat("audio/mpeg", ("-c:a", "libmp3lame", "-b:a", "64k", "-write_xing", "0", "-f", "mp3")),
    "opus": SpeechFormat("audio/ogg", ("-c:a", "libopus", "-b:a", "32k", "-page_duration", "200000", "-f", "ogg")),
    "aac": SpeechFormat("audio/aac", ("-c:a", "aac", "-b:a", "64k", "-f", "adts")),
    "flac": SpeechFormat("audio/flac", ("-c:a", "flac", "-f", "flac")),
    "wav": SpeechFormat("audio/wav", ("-c:a", "pcm_s16le", "-bitexact", "-f", "wav")),
    "pcm": SpeechFormat("audio/pcm", ("-c:a", "pcm_s16le", "-f", "s16le")),
}
"""By name; pcm is samples of 16 bits, little-endian, without a header."""
_WITH_LENGTH = {"wav", "flac"}
"""Their headers tell how long they are, which nobody knows while they are made."""
MOST_ENCODED_BYTES = 96 * MB
"""Half an hour of samples."""
_LIMITS = ChildLimits(seconds=30, cpu_seconds=300, memory=MEMORY)
"""The seconds are for the end, once all has been fed."""
_ENCODERS = Slots(2 * CORES + 2, patience=30.0)
"""Apart from the work of jobs and from voices that are programs: an encoder waits for those."""


def encode(
    pieces: Iterable[NDArray[np.int16]],
    rate: int,
    form: str,
    take: Callable[[bytes], object],
    cancel: Cancel,
    most_bytes: int = MOST_ENCODED_BYTES,
) -> None:
    """Encode mono sound piece by piece; `take` is given what comes of it, from another thread, as soon as it is there.

    Args:
        pieces: of samples, which follow each other without a gap; asked for one after the other.
        rate: of the samples, in hertz.
        form: one of `FORMATS`.
        take: is given the encoded bytes.
        cancel: ends it.
        most_bytes: of what is encoded.

    Raises:
        ToolError: ffmpeg is missing or failed, or there were more bytes.
        TooManyRequests: too much is being encoded.
        Cancelled: `cancel` was set.
    """
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", "-probesize", "32", "-analyzeduration", "0"]
    argv += [*raw_pcm_input(rate), "-ar", str(ENCODED_RATE), *FORMATS[form].options, "-flush_packets", "1", "pipe:1"]
    limits = replace(_LIMITS, output_bytes=most_bytes)
    pipe(Child(argv, limits, purpose="encode speech"), (piece.tobytes() for piece in pieces), take, cancel, _ENCODERS)


def with_its_length(source: Path, form: str, target: Path, cancel: Cancel | None = None) -> None:
    """Make a file of what `encode` gave: its header tells how long it is, in a format whose header does.

    Args:
        source: all that was given; it is gone afterwards.
        form: one of `FORMATS`.
        target: on the same disk; it is replaced.
        cancel: ends it.

    Raises:
        ToolError: ffmpeg is missing, or failed.
        Cancelled: `cancel` was set.
    """
    if form in _WITH_LENGTH:
        argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
        argv += ["-protocol_whitelist", "file", "-f", form, "-i", url(source), *FORMATS[form].options, url(target)]
        limits = replace(_LIMITS, seconds=300, file_bytes=room_on_disk(target))
        run(Child(argv, limits, reads=[source], writes=[target], purpose="write the length"), cancel)
        source.unlink()
    else:
        source.replace(target)
