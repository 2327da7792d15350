"""What served each wish last, kept for as long as nothing is known to have changed: so a warm model asks no disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vt.engines.candidate import Candidate, Choice

KEPT_SECONDS = 3.0
"""What vt itself changes ends what is kept at once. This is for what others change on the disk, such as a package that
is installed: three seconds are less than anybody takes from there to the next request, and one look at the disk (some
milliseconds) every three seconds costs next to nothing."""
_MOST = 256
"""Wishes that are kept: more than a server meets within those seconds."""

Wish = tuple[object, ...]
"""What is asked for: the stage, the languages, and who is named."""
Generation = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What served a wish."""

    candidate: Candidate[Any]
    choice: Choice
    first: str
    """The label of the candidate that was tried first."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When a wish was asked for, and after how many changes."""

    generation: Generation
    seconds: float


class LatestChoices:
    """The latest choice for each wish. Any thread may call any method: each is one step on a dictionary."""

    def __init__(self, generation: Callable[[], Generation], clock: Callable[[], float]) -> None:
        """`generation`: returns another value after each change that vt itself has made to models."""
        self._generation, self._clock = generation, clock
        self._kept: dict[Wish, tuple[Served, Moment]] = {}

    def now(self) -> Moment:
        """Return this moment. It is taken before candidates are looked for: what changes meanwhile is noticed then."""
        return Moment(self._generation(), self._clock())

    def find(self, wish: Wish) -> Served | None:
        """Return what served a wish last; None where that may be another one by now."""
        served, since = self._kept.get(wish, (None, None))
        if since is None or since.generation != self._generation():
            return None
        return served if self._clock() - since.seconds < KEPT_SECONDS else None

    def keep(self, wish: Wish, served: Served, since: Moment) -> None:
        """Keep what serves a wish; a later `find` does not return it, where something has changed since that moment."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[wish] = served, since
