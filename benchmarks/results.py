"""What a benchmark finds: a figure with its spread, beside the floor that has to hold and the goal that is wanted."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

KEPT = "BENCHMARK_RESULTS"
"""The variable that names the file to which results are added, a line of JSON each, beside what is printed."""


class Verdict(StrEnum):
    """What a figure reaches."""

    GOAL = "goal"
    FLOOR = "floor"
    MISSED = "missed"
    NONE = ""


@dataclass(frozen=True)
class Result:
    """One thing that was measured, once or several times."""

    name: str
    """What, unlike all other names of the same benchmark; the same in each run."""
    values: tuple[float, ...]
    unit: str = ""
    """None: a ratio, or a count."""
    floor: float | None = None
    """What has to hold: at most this, or at least, where `more` is better."""
    goal: float | None = None
    """What is wanted."""
    more: bool = False

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    @property
    def noise(self) -> float:
        """Half of the way from the least to the greatest value, as a share of the median; 0 where there is but one."""
        return (max(self.values) - min(self.values)) / 2 / abs(self.median) if self.median else 0.0

    @property
    def verdict(self) -> Verdict:
        """What the median reaches."""
        if self.goal is None and self.floor is None:
            return Verdict.NONE
        if self._reaches(self.goal):
            return Verdict.GOAL
        return Verdict.FLOOR if self._reaches(self.floor) else Verdict.MISSED

    def _reaches(self, bound: float | None) -> bool:
        return bound is not None and (self.median >= bound if self.more else self.median <= bound)

    @property
    def spread(self) -> str:
        """From where to where the values lie, and how many they are; nothing where there is but one."""
        if len(self.values) == 1:
            return ""
        return f"{shown(min(self.values))} to {shown(max(self.values))} in {len(self.values)}"

    @property
    def figure(self) -> str:
        """The figure with its unit; where it misses a bound by less than the usual places show, with more of them."""
        text = shown(self.median)
        bounds = (bound for bound in (self.floor, self.goal) if bound is not None and not self._reaches(bound))
        if text in map(shown, bounds):
            text = f"{self.median:.6g}"
        return f"{text} {self.unit}".rstrip()

    @property
    def wanted(self) -> str:
        """The floor and the goal, in words."""
        bound = "at least" if self.more else "at most"
        named = {"floor": self.floor, "goal": self.goal}
        return ", ".join(f"{name} {bound} {value:g}" for name, value in named.items() if value is not None)

    def __str__(self) -> str:
        """One line for a reader."""
        spread = f"({self.spread})" if self.spread else ""
        return f"{self.name:<64} {self.figure:>12} {spread:<26} {self.wanted} {self.verdict.upper()}".rstrip()

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Result:
        """Return what was kept as JSON."""
        return cls(**{**kept, "values": tuple(kept["values"])})

    def kept(self) -> dict[str, Any]:
        """Return this as JSON keeps it: what says nothing is left out."""
        plain = {name: field.default for name, field in self.__dataclass_fields__.items()}
        return {name: value for name, value in asdict(self).items() if value != plain[name]}


def shown(value: float) -> str:
    """Return a figure with as many places as say something."""
    size = abs(value)
    places = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 0.1 or not size else 4
    text = f"{value:z,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def tell(
    name: str,
    values: float | Sequence[float],
    unit: str = "",
    *,
    floor: float | None = None,
    goal: float | None = None,
    more: bool = False,
) -> None:
    """Print a result, and keep it where `benchmarks.run` wants it."""
    found = Result(name, tuple(values) if isinstance(values, Sequence) else (values,), unit, floor, goal, more)
    print(found, flush=True)
    if place := os.environ.get(KEPT):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(found.kept()) + "\n")


def leave_out(why: str) -> None:
    """Print what cannot be run here and why, and keep it beside the results, without whose home it was."""
    why = why.replace(str(Path.home()), "~")
    print(f"Not run: {why}", flush=True)
    if place := os.environ.get(KEPT):
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"left_out": why}) + "\n")
