"""Loads models before they are needed: in the background and in order; a failure is reported, not raised."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from vt.errors import VtError

State = Literal["queued", "loading", "ready", "failed"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preloaded:
    """One model of a preload, and its state."""

    name: str
    """Its cache key; for an engine that holds no model in memory, the engine's name."""
    kind: str
    """stt, translation or tts."""
    state: State = "queued"
    why: str | None = None
    """Why it failed, as a sentence."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to load."""

    name: str
    kind: str
    load: Callable[[], str]
    """Loads it, and returns the name of the model that was really loaded."""


class Preload:
    """Runs one preload at a time; models that are asked for while it runs are added to its end.

    `_tasks_lock` protects all fields but the event; it is not held while a model loads.
    """

    def __init__(self) -> None:
        self._tasks_lock = threading.Lock()
        self._states: list[Preloaded] = []
        self._tasks: list[Task] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def begin(self, tasks: Sequence[Task]) -> tuple[Preloaded, ...]:
        """Load `tasks` in order, after those that wait already, and return the present states."""
        with self._tasks_lock:
            if not self._stopping.is_set():
                if self._thread is None:
                    self._states, self._tasks = [], []
                known = {task.name for task in self._tasks}
                added = [task for task in tasks if task.name not in known]
                self._tasks += added
                self._states += [Preloaded(task.name, task.kind) for task in added]
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="vt-preload", daemon=True)
                    self._thread.start()
            return tuple(self._states)

    def states(self) -> tuple[Preloaded, ...]:
        """Return the models of the latest preload; none where there was none."""
        with self._tasks_lock:
            return tuple(self._states)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until a running preload has ended, and tell whether it has."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return self._thread is None

    def stop(self) -> None:
        """Load no further model; the one that is loading is not interrupted."""
        self._stopping.set()

    def _run(self) -> None:
        place = 0
        while (task := self._task(place)) is not None:
            self._load(place, task)
            place += 1

    def _task(self, place: int) -> Task | None:
        """Return the task at a place; at the end of the list, end the preload in the same step and return None."""
        with self._tasks_lock:
            if place < len(self._tasks):
                return self._tasks[place]
            self._thread = None
            return None

    def _load(self, place: int, task: Task) -> None:
        if self._stopping.is_set():
            self._tell(place, state="failed", why="The service is shutting down.")
            return
        self._tell(place, state="loading")
        try:
            name = task.load()
        except VtError as error:
            self._fail(place, error.message)
        except Exception as error:  # noqa: BLE001 (a preload must not die of one model)
            self._fail(place, f"{task.name} cannot be loaded: {type(error).__name__}: {error}")
        else:
            self._tell(place, state="ready", name=name)

    def _fail(self, place: int, why: str) -> None:
        self._tell(place, state="failed", why=why)
        _log.warning("preload of %s failed: %s", self._states[place].name, why)

    def _tell(self, place: int, *, state: State, why: str | None = None, name: str | None = None) -> None:
        with self._tasks_lock:
            known = self._states[place]
            self._states[place] = replace(known, state=state, why=why, name=name or known.name)
