"""Whether the model hub answers: the answer is kept for some minutes and then renewed in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from vt.settings import Settings

PATIENCE_SECONDS = 5.0
KEPT_SECONDS = 120.0
_PROBE_SECONDS = 4.0

Start = Callable[[Callable[[], None]], None]
"""Runs a function without waiting for its end."""


def in_background(work: Callable[[], None]) -> None:
    """Run `work` in a thread that ends with the process."""
    threading.Thread(target=work, name="vt-hub", daemon=True).start()


def answers(endpoint: str, seconds: float = _PROBE_SECONDS) -> bool:
    """Tell whether the hub at `endpoint` (http or https) answers; a refusal or a redirection is an answer, too."""
    import httpx

    try:
        return httpx.head(endpoint, timeout=seconds).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return False


class Hub:
    """Knows whether the hub answers. Only the first question waits for an answer, at most `patience_seconds`."""

    def __init__(
        self,
        probe: Callable[[], bool],
        *,
        forbidden: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        start: Start = in_background,
        patience_seconds: float = PATIENCE_SECONDS,
        kept_seconds: float = KEPT_SECONDS,
    ) -> None:
        """`forbidden` is why the network is not to be tried at all."""
        self._probe = probe
        self._forbidden = forbidden
        self._clock = clock
        self._start = start
        self._patience_seconds = patience_seconds
        self._kept_seconds = kept_seconds
        self._asking_lock = threading.Lock()
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
            # No answer in time counts as "no"; an answer that comes later replaces it.
            self._decided.set()
        return None if self._answers else "the model hub does not answer"

    def _is_due(self) -> bool:
        """Tell whether it is time to ask the hub; of several callers only one is told so."""
        now = self._clock()
        with self._asking_lock:
            fresh = self._asked_at is not None and now - self._asked_at < self._kept_seconds
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
    """Return the hub that the settings name; no request is made before the first question."""
    return Hub(lambda: answers(settings.hub_endpoint), forbidden=forbidden(settings))
