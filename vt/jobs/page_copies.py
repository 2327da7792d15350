"""Copies of dubs that every browser can show: each made once, when somebody asks for it, one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from vt.domain import Cancel
from vt.errors import QueueFull, VtError

_log = logging.getLogger(__name__)

_MOST_WAITING = 8

Make = Callable[[Path, float, Path, Cancel], None]
"""Writes the copy of a film of so many seconds to a place, unless it is cancelled."""


class PageCopies:
    """The copies that are being made. Any thread may call any method."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(1)
        self._at_work: set[Path] = set()
        self._failed: set[Path] = set()
        self._cancel = Cancel()

    def begin(self, film: Path, seconds: float, place: Path) -> None:
        """Have a copy made in the background, unless it is there or on its way.

        Raises:
            QueueFull: too many are on their way.
        """
        with self._lock:
            if place in self._at_work or place.exists():
                return
            if len(self._at_work) >= _MOST_WAITING:
                raise QueueFull
            self._at_work.add(place)
            self._failed.discard(place)
        threading.Thread(target=self._run, args=(film, seconds, place), name="vt-page-copy", daemon=True).start()

    def state(self, place: Path) -> str:
        """Return `done`, `running`, `failed`, or `none`: nobody has asked for it."""
        if place.exists():
            return "done"
        with self._lock:
            return "running" if place in self._at_work else "failed" if place in self._failed else "none"

    def close(self) -> None:
        """Stop what is being made."""
        self._cancel.set()

    def _run(self, film: Path, seconds: float, place: Path) -> None:
        new = place.with_suffix(".new")
        made = False
        try:
            with self._turn:
                self._make(film, seconds, new, self._cancel)
                new.replace(place)
            made = True
        except (VtError, OSError) as error:
            _log.warning("a copy for the page was not made: %s", error)
        finally:
            new.unlink(missing_ok=True)
            with self._lock:
                self._at_work.discard(place)
                if not made and len(self._failed) < _MOST_WAITING:
                    self._failed.add(place)
