"""Parts of dubbed tracks, encoded here while a processor is free for that, and otherwise by hosts that have room."""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt import media
from vt.cluster.hosts import Hosts
from vt.cluster.pieces import Ask, Piece
from vt.domain import Cancel
from vt.errors import Cancelled, ModelBusy, VtError
from vt.system.sandbox import CORES

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_AT_HAND = 2
"""Parts of one track that wait here, beside those for which the hosts have room."""
_MOST_AT_ONCE = 16
"""Parts of one track: each has its sound in memory, some 30 MB a minute."""
MOST_BYTES = 128 * 2**20
"""Of the sound of a part that is sent away."""
_LOOK_SECONDS = 0.2
_TRACK = Ask("track")


class RemoteEncoder:
    """Encodes parts of tracks; see `vt.dubbing.track.PartEncoder`. One serves all jobs.

    A minute of a track is 30 MB before it is encoded, and half a second of one processor's work. So as many parts are
    encoded here as there are processors, and hosts get others only while they have nothing else to do.
    """

    def __init__(self, hosts: Hosts, processors: int = CORES) -> None:
        """Make one.

        Args:
            hosts: of the cluster.
            processors: of this machine: how many parts are encoded here at a time.
        """
        self._hosts = hosts
        self._here = threading.BoundedSemaphore(processors)

    @property
    def at_once(self) -> int:
        """How many parts of one track may be under way at a time."""
        return min(_MOST_AT_ONCE, _AT_HAND + self._hosts.room)

    def encoded(
        self, part: media.TrackPart, voice: NDArray[np.float32], bed: Path | None, cancel: Cancel | None
    ) -> tuple[bytes, dict[str, Any] | None]:
        """Return a part's packets, and its loudness where a host has measured that.

        Raises:
            VtError: as `media.encoded_part`.
            Cancelled: `cancel` was set.
        """
        wanted = cancel or Cancel()
        may_be_sent = voice.nbytes + (bed.stat().st_size if bed else 0) <= MOST_BYTES
        while not self._here.acquire(timeout=_LOOK_SECONDS):
            wanted.check()
            if not (may_be_sent and self._hosts.has_room(_TRACK)):
                continue
            try:
                return self._elsewhere(part, voice, bed, wanted)
            except Cancelled:
                raise
            except ModelBusy:  # another piece was faster
                continue
            except (VtError, MemoryError) as error:
                _log.info("a part of a track is encoded here, since a host could not: %s", error)
                may_be_sent = False
        try:
            return media.encoded_part(part, voice, bed, wanted), None
        finally:
            self._here.release()

    def _elsewhere(
        self, part: media.TrackPart, voice: NDArray[np.float32], bed: Path | None, cancel: Cancel
    ) -> tuple[bytes, dict[str, Any]]:
        sounds = voice, np.fromfile(bed, "<f4") if bed else None
        with ExitStack() as held:
            sent = [None if one is None else held.enter_context(self._hosts.storage.held(one)) for one in sounds]
            piece = Piece(_TRACK, media.encoder_version(), "encode", (part, *sent))
            with closing(self._hosts.stream(piece, cancel, waits=False)) as answers:
                ((packets, loudness),) = answers
        return packets, loudness
