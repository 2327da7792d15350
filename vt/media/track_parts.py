"""Parts of a dubbed track: each is encoded with what is around it, so that together they sound like one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from vt.media.audio import Bed, aac_packets
from vt.system.processes import TOOL, Child, run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vt.domain import Cancel


@dataclass(frozen=True, slots=True)
class TrackPart:
    """How a part is encoded, and which packets of AAC are kept of it."""

    rate: int
    """Of the voice, in hertz."""
    target_rate: int
    """Of the track, in hertz."""
    gain: float
    """Of the voice, in dB."""
    limit: float
    """Of what is heard in the end, as a fraction of full scale."""
    channels: int
    """Of what sounds under the voice; 0: nothing does."""
    before: int
    """How many packets of what is around it come before it, and are not kept."""
    count: int | None
    """How many are kept; None: all to the end."""
    is_first: bool
    """Whether the track begins with it, and so with the encoder's priming."""


def encoded_part(part: TrackPart, voice: NDArray[np.float32], bed: Path | None, cancel: Cancel | None = None) -> bytes:
    """Return a part in ADTS (ISO/IEC 14496-3), to be put between those before and behind it.

    Args:
        part: how it is encoded.
        voice: what is said in it and around it, full scale being 1.0.
        bed: what sounds under the voice: see `Bed`.
        cancel: ends it.
    """
    under = Bed(bed, part.channels) if bed else None
    packets = aac_packets(voice, part.rate, part.gain, part.limit, cancel, target_rate=part.target_rate, bed=under)
    # The first packet is the encoder's priming. Each packet overlaps with the next: so one of those around the part is
    # needed at its end, and none at its beginning.
    kept = packets[part.before + 1 :][: None if part.count is None else part.count]
    return b"".join([*packets[:1], *kept] if part.is_first else kept)


@cache
def encoder_version() -> str:
    """Return which ffmpeg encodes here; others make other bytes of the same sound.

    Raises:
        ToolError: it is missing, or does not run.
    """
    told = run(Child(["ffmpeg", "-nostdin", "-hide_banner", "-version"], TOOL, purpose="tell its version"))
    return told.decode(errors="replace").partition("\n")[0].strip()
