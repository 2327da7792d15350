"""Copies of dubs that every browser can show: each made once, when somebody asks for it, one at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from vt.domain import Cancel
from vt.errors import VtError
from vt.system import folders
from vt.web.visitors import ConcurrencyLimit

_log = logging.getLogger(__name__)

_MOST_WAITING, _MOST_OF_ONE = 8, 2
_MOST_FAILED = 8

Make = Callable[[Path, float, Path, Cancel], None]
"""Writes the copy of a film of so many seconds to a place, unless it is cancelled."""


@dataclass(slots=True)
class _Copy:
    """A copy on its way."""

    film: Path
    seconds: float
    place: Path
    cancel: Cancel = field(default_factory=Cancel)
    counted: ExitStack = field(default_factory=ExitStack)
    """Closed when it has ended: it counts for its visitor until then."""


class PageCopies:
    """The copies that are being made. Any thread may call any method."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._turn = threading.Semaphore(1)
        self._limit = ConcurrencyLimit("copies of films", each=_MOST_OF_ONE, total=_MOST_WAITING)
        self._at_work: dict[Path, _Copy] = {}
        self._failed: set[Path] = set()
        self._is_closed = False

    def begin(self, film: Path, seconds: float, place: Path, visitor: str = "") -> None:
        """Have a copy made in the background, unless it is there or on its way.

        Args:
            film: the dub.
            seconds: how long it is.
            place: where the copy will be.
            visitor: the key of the one who asks.

        Raises:
            TooManyRequests: too many are on their way.
        """
        copy = _Copy(film, seconds, place)
        with self._lock:
            if self._is_closed or place in self._at_work or place.exists():
                return
            copy.counted.enter_context(self._limit.held(visitor))
            self._at_work[place] = copy
            self._failed.discard(place)
        threading.Thread(target=self._run, args=(copy,), name="vt-page-copy", daemon=True).start()

    def state(self, place: Path) -> str:
        """Return `done`, `running`, `failed`, or `none`: nobody has asked for it."""
        if place.exists():
            return "done"
        with self._lock:
            return "running" if place in self._at_work else "failed" if place in self._failed else "none"

    def stop(self, folder: Path) -> None:
        """Stop what is being made for a folder, which is about to be removed."""
        with self._lock:
            theirs = [copy for place, copy in self._at_work.items() if place.parent == folder]
        for copy in theirs:
            copy.cancel.set()

    def close(self) -> None:
        """Stop what is being made; nothing more is begun."""
        with self._lock:
            self._is_closed = True
            copies = [*self._at_work.values()]
        for copy in copies:
            copy.cancel.set()

    def _run(self, copy: _Copy) -> None:
        new = copy.place.with_suffix(".new")
        made = False
        try:
            with self._turn:
                copy.cancel.check()
                self._make(copy.film, copy.seconds, new, copy.cancel)
                new.replace(copy.place)
            made = True
        except (VtError, OSError) as error:
            _log.warning("a copy for the page was not made: %s", error)
        finally:
            with self._lock:
                del self._at_work[copy.place]
                if not made and len(self._failed) < _MOST_FAILED:
                    self._failed.add(copy.place)
            copy.counted.close()
            folders.remove(new)
