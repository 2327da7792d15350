"""Whether the model hub answers: asked once, remembered, and asked again in the background when that is old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vt.settings import Settings

PATIENCE_SECONDS = 5.0
MEMORY_SECONDS = 120.0
_PROBE_SECONDS = 4.0

Start = Callable[[Callable[[], None]], None]
"""Runs a function without keeping the caller waiting."""


def in_background(work: Callable[[], None]) -> None:
    """Run `work` in a thread that ends with the process."""
    threading.Thread(target=work, name="vt-hub", daemon=True).start()


def answers(endpoint: str, seconds: float = _PROBE_SECONDS) -> bool:
    """Ask the hub at `endpoint` (http or https) whether it is there; a refusal or a redirection is an answer, too."""
    import httpx

    try:
        return httpx.head(endpoint, timeout=seconds).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return False


class Hub:
    """Knows whether the hub answers. Only the very first question waits, and for no longer than its patience."""

    def __init__(
        self,
        probe: Callable[[], bool],
        *,
        forbidden: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        start: Start = in_background,
        patience_seconds: float = PATIENCE_SECONDS,
        memory_seconds: float = MEMORY_SECONDS,
    ) -> None:
        """`forbidden` is why the network is not to be tried at all."""
        self._probe = probe
        self._forbidden = forbidden
        self._clock = clock
        self._start = start
        self._patience_seconds = patience_seconds
        self._memory_seconds = memory_seconds
        self._lock = threading.Lock()
        self._decided = threading.Event()
        self._asking = False
        self._asked_at: float | None = None
        self._answers = False

    def obstacle(self) -> str | None:
        """Return why nothing can be downloaded now, as half a sentence; None where the hub answers."""
        if self._forbidden:
            return self._forbidden
        if self._is_due():
            self._start(self._ask)
        if not self._decided.wait(self._patience_seconds):
            # No answer in time is taken for a no. A real answer that comes later counts from then on.
            self._decided.set()
        return None if self._answers else "the model hub does not answer"

    def _is_due(self) -> bool:
        """Tell, to one caller only, that it is time to ask."""
        now = self._clock()
        with self._lock:
            fresh = self._asked_at is not None and now - self._asked_at < self._memory_seconds
            if self._asking or fresh:
                return False
            self._asking, self._asked_at = True, now
            return True

    def _ask(self) -> None:
        try:
            self._answers = self._probe()
        finally:
            self._asking = False
            self._decided.set()


def forbidden(settings: Settings) -> str | None:
    """Return why the settings allow no downloads, as half a sentence; None where they do."""
    if settings.engines == "embedded":
        return "VT_ENGINES=embedded allows no downloads"
    return "HF_HUB_OFFLINE allows no downloads" if settings.hub_offline else None


def of(settings: Settings) -> Hub:
    """Return the hub that the settings name; it asks nothing before somebody asks it."""
    return Hub(lambda: answers(settings.hub_endpoint), forbidden=forbidden(settings))
