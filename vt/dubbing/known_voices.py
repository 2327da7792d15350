"""The voices that speakers had in earlier films of a batch, so that the same people keep them in the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from vt.dubbing.casting import Role

_SAME = 0.5
"""Two voiceprints whose cosine is as large as this are one person's, as within a film.

Measured between two halves of what each says: eight people 0.57 to 0.96, a ninth with 3 s a half 0.33, and different
people 0.33 at most; fourteen voices of Kokoro 0.89 and more, and different ones 0.72 at most, above 0.5 in 10 of 182.
"""
_MOST = 200
"""So many people are known at most; those whom no film had for longest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who speaks in a film, by what may be found again in another one."""

    name: str = ""
    """As captions have it; empty where they name nobody."""
    voiceprint: tuple[float, ...] = ()
    """The mean vector of their voice, of length 1; empty where nobody listened."""

    def likeness(self, other: Person) -> float:
        """Return the cosine of both voiceprints, or 1 for the same name and -1 where nothing can be compared."""
        if self.name or other.name:
            return 1.0 if self.name.casefold() == other.name.casefold() else -1.0
        if len(self.voiceprint) != len(other.voiceprint) or not self.voiceprint:
            return -1.0
        return float(np.dot(self.voiceprint, other.voiceprint))


@dataclass(frozen=True, slots=True)
class _Known:
    spoken_by: tuple[str, str]
    person: Person
    role: Role


_SHAPE = TypeAdapter(list[_Known])


class KnownVoices:
    """Who had which voice in the films so far. Only one thread may use it."""

    def __init__(self) -> None:
        """Know nobody."""
        self._known: list[_Known] = []

    @classmethod
    def from_json(cls, value: Any) -> KnownVoices:  # noqa: ANN401 (what `as_json` has given)
        """Return those that `as_json` gave; nobody is known where it is something else."""
        made = cls()
        with suppress(ValidationError):
            made._known = _SHAPE.validate_python(value)[-_MOST:]
        return made

    def as_json(self) -> Any:  # noqa: ANN401 (lists and objects)
        """Return who is known, for a batch that goes on later."""
        return _SHAPE.dump_python(self._known, mode="json")

    def cast(
        self,
        spoken_by: tuple[str, str],
        people: Sequence[Person],
        choose: Callable[[Mapping[int, Role]], Sequence[Role]],
    ) -> tuple[Role, ...]:
        """Return the roles of the people of a film, and keep them for the next films.

        Args:
            spoken_by: the code of the language and the name of the engine that speaks it; their voices are their own.
            people: of the film.
            choose: returns all roles, given those that people had before, by their places; no two have the same.
        """
        met = self._met(spoken_by, people)
        roles = tuple(choose({place: self._known[number].role for place, number in met.items()}))
        before, there = list(self._known), set(met.values())
        self._known = [known for number, known in enumerate(before) if number not in there]
        for place, (person, role) in enumerate(zip(people, roles, strict=True)):
            known = before[met[place]] if place in met else _Known(spoken_by, person, role)
            if known.person != Person():
                self._known.append(replace(known, role=role))
        del self._known[:-_MOST]
        return roles

    def _met(self, spoken_by: tuple[str, str], people: Sequence[Person]) -> dict[int, int]:
        """Return who of the people is known, the most alike first: their places, and the numbers among the known."""
        pairs = [
            (known.person.likeness(person), place, number)
            for number, known in enumerate(self._known)
            if known.spoken_by == spoken_by
            for place, person in enumerate(people)
        ]
        met: dict[int, int] = {}
        roles: set[Role] = set()
        for likeness, place, number in sorted(pairs, key=lambda pair: -pair[0]):
            role = self._known[number].role
            if likeness >= _SAME and place not in met and role not in roles:
                met[place] = number
                roles.add(role)
        return met
