"""The pace of each voice in characters a second, learnt from what it has spoken."""

from __future__ import annotations

import threading

USUAL = 14.0
"""Of a voice that has not spoken yet. Voices of European languages, by espeak-ng and MMS alike, say 12 to 16."""


class Paces:
    """The known paces of voices. Any thread may call any method."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spoken: dict[str, tuple[int, float]] = {}

    def learn(self, voice: str, characters: int, seconds: float) -> None:
        """Learn how many characters a voice has spoken at its default rate, in how many seconds."""
        with self._lock:
            before = self._spoken.get(voice, (0, 0.0))
            self._spoken[voice] = before[0] + characters, before[1] + seconds

    def of(self, voice: str) -> float:
        """Return how many characters a voice says in a second at its default rate."""
        with self._lock:
            characters, seconds = self._spoken.get(voice, (0, 0.0))
        return characters / seconds if characters and seconds else USUAL
