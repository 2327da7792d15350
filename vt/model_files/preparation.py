"""Downloads and conversions in progress: each runs once, in a thread of its own, for all who wait for its result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vt.domain import Cancel
from vt.errors import Cancelled, ModelUnavailable
from vt.system.atomic_dirs import Tell
from vt.system.logs import carried
from vt.translatable import Message

_POLL_SECONDS = 0.1
_CLEAN_UP_SECONDS = 2.0
"""How long the end of the process waits for a preparation to remove what it has begun."""


@dataclass(slots=True, eq=False)
class _Preparation:
    """One download or conversion in progress."""

    cancel: Cancel = field(default_factory=Cancel)
    ended: threading.Event = field(default_factory=threading.Event)
    waiting: int = 0
    """How many threads wait for it."""
    ending: bool = False
    """Nobody joins it any more, because it is being cancelled."""
    failure: Exception | None = None
    news: Message | None = None
    """The latest sentence about it."""
    stopped: bool = False
    """Whether somebody has ended it for all who wait."""


class Preparations:
    """The downloads and conversions of a process. Any thread may call any method.

    Whoever asks for files that are being prepared waits for that preparation; there is never a second one of the same
    name. It goes on until nobody waits for it any more.

    `_preparations_lock` protects all fields, those of `_Preparation` included. It is never held while something is
    downloaded, converted, cancelled or waited for.
    """

    def __init__(self) -> None:
        self.tell: Tell = lambda _: None
        """Is called with sentences about the progress."""
        self._preparations_lock = threading.Lock()
        self._preparations: dict[str, _Preparation] = {}
        self._news: Message | None = None
        self.ended = 0
        """How many have ended so far: one may begin and end between two looks at what is running."""
        self._of_thread = threading.local()
        """In a thread that prepares: its preparation."""

    @property
    def news(self) -> Message | None:
        """The latest sentence about what is in progress; None where nothing is."""
        return self._news

    def told(self, sentence: Message) -> None:
        """Take a sentence about the progress of a preparation, and pass it on."""
        own: _Preparation | None = getattr(self._of_thread, "preparation", None)
        with self._preparations_lock:
            self._news = sentence if self._preparations else None
            if own is not None:
                own.news = sentence
        self.tell(sentence)

    def running(self) -> dict[str, Message | None]:
        """Return what is being prepared, by name, each with the latest sentence about it."""
        with self._preparations_lock:
            return {name: one.news for name, one in self._preparations.items() if not one.ending}

    def stop(self, name: str) -> bool:
        """End a preparation for all who wait for it; they get an error. False where there is none of that name."""
        with self._preparations_lock:
            found = self._preparations.get(name)
            if found is None or found.ending:
                return False
            found.stopped = True
        self._end(found)
        return True

    def waiting(self, name: str) -> int:
        """Return how many threads wait for the preparation of a name; 0 where there is none."""
        with self._preparations_lock:
            found = self._preparations.get(name)
            return found.waiting if found else 0

    def run(self, name: str, make: Callable[[Cancel], object], cancel: Cancel) -> None:
        """Wait until `make` has been done: by a preparation of that name in progress, or by a new one.

        Setting `cancel` ends the caller's waiting at once, also while the hub is silent. The preparation goes on for
        the others who wait for it, and is cancelled when the last of them has left.

        Raises:
            Cancelled: `cancel` was set.
            ModelUnavailable: the preparation was stopped for all.
            VtError: as `make` raises it.
        """
        cancel.check()
        preparation = self._join(name, make)
        try:
            while not preparation.ended.wait(_POLL_SECONDS):
                cancel.check()
        except Cancelled:
            self._leave(preparation)
            raise
        except BaseException:  # the process is about to end
            self._end(preparation)
            preparation.ended.wait(_CLEAN_UP_SECONDS)
            raise
        if preparation.failure is not None:
            raise preparation.failure

    def close(self) -> None:
        """Cancel all preparations, and give them a moment to remove what they have begun."""
        with self._preparations_lock:
            running = list(self._preparations.values())
        for preparation in running:
            self._end(preparation)
        for preparation in running:
            preparation.ended.wait(_CLEAN_UP_SECONDS / len(running))

    def _join(self, name: str, make: Callable[[Cancel], object]) -> _Preparation:
        """Return the preparation of this name with one more waiting for it; one that was cancelled gets a successor."""
        with self._preparations_lock:
            preparation = earlier = self._preparations.get(name)
            if preparation is None or preparation.ending:
                preparation = self._preparations[name] = _Preparation()
                work = carried(self._run)
                arguments = name, preparation, make, earlier
                threading.Thread(target=work, args=arguments, name="vt-prepare", daemon=True).start()
            preparation.waiting += 1
        return preparation

    def _run(
        self, name: str, preparation: _Preparation, make: Callable[[Cancel], object], earlier: _Preparation | None
    ) -> None:
        """Prepare, once an earlier preparation that was cancelled has ended: both would write the same files."""
        try:
            if earlier is not None:
                earlier.ended.wait()
            preparation.cancel.check()
            self._of_thread.preparation = preparation
            make(preparation.cancel)
        except Exception as error:  # noqa: BLE001 (raised in the threads that wait)
            preparation.failure = _stopped(name) if preparation.stopped else error
        finally:
            with self._preparations_lock:
                if self._preparations.get(name) is preparation:
                    del self._preparations[name]
                self._news = self._news if self._preparations else None
                self.ended += 1
            preparation.ended.set()

    def _leave(self, preparation: _Preparation) -> None:
        with self._preparations_lock:
            preparation.waiting -= 1
            # Decided under the same lock as joining: nobody joins a preparation that is about to be cancelled.
            preparation.ending = ends = not preparation.waiting
        if ends:
            preparation.cancel.set()

    def _end(self, preparation: _Preparation) -> None:
        with self._preparations_lock:
            preparation.ending = True
        preparation.cancel.set()


def _stopped(name: str) -> ModelUnavailable:
    return ModelUnavailable("The download of the model {model} was cancelled by whoever runs this server.", model=name)
