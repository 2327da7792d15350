"""The watchdog of a running job: tells when it makes no progress, or takes longer than any film needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vt.domain import Cancel, Progress
from vt.translatable import Message

_STOOD_STILL = "Nothing went on for {minutes:.0f} minutes, so the job was stopped: try it again."
_TOO_LONG = "The job took longer than {hours:.0f} hours and was stopped: try a shorter film."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a job may take, in seconds."""

    standstill: float = 30 * 60.0
    """Without progress and without a child process that uses the processor: the largest models load for minutes."""
    at_least: float = 12 * 3600.0
    """In total, for a film of any length: the largest models take hours to download over a slow line."""
    a_second: float = 30.0
    """In total, in addition for each second of film: a slow machine needs 10."""
    to_heed: float = 60.0
    """Until it ends after it was told to."""


class Watchdog:
    """Watches one job. Signs of life are its progress, and each time that it checks whether it is cancelled."""

    def __init__(
        self, cancel: Cancel, patience: Patience | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cancel, self._patience, self._clock = cancel, patience or Patience(), clock
        self._began = self._last = clock()
        self._beats = cancel.beats
        self._film_seconds = 0.0
        self._stopped_at: float | None = None

    def hear(self, progress: Progress) -> None:
        """Take progress of the job."""
        self._film_seconds = max(self._film_seconds, progress.film_seconds)
        self._last = self._clock()

    def trouble(self) -> Message | None:
        """Return why the job has to be stopped, in a sentence, or None; to be called regularly."""
        now = self._clock()
        if self._cancel.beats != self._beats:
            self._beats, self._last = self._cancel.beats, now
        longest = self._patience.at_least + self._patience.a_second * self._film_seconds
        if now - self._last >= self._patience.standstill:
            minutes = self._patience.standstill / 60
            return self._stopped(now, Message(_STOOD_STILL, minutes=minutes))
        if now - self._began >= longest:
            return self._stopped(now, Message(_TOO_LONG, hours=longest / 3600))
        return None

    def _stopped(self, now: float, sentence: Message) -> Message:
        self._stopped_at = now
        return sentence

    @property
    def is_overdue(self) -> bool:
        """Whether the job was told to end (`trouble`) and should have ended by now."""
        return self._stopped_at is not None and self._clock() - self._stopped_at >= self._patience.to_heed
