"""What changed by more than the noise between two runs of benchmarks/run.

Run: benchmarks/compare OLD.json NEW.json; the exit code is 1 where something got worse.

A figure has changed where its values of both runs lie apart, and its medians by more than 3 %. Of what was measured
once, the noise is not known; there it counts as a tenth.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Result, shown
from benchmarks.run import Outcome

LEAST = 0.03
UNKNOWN = 0.1


@dataclass(frozen=True)
class Change:
    """A figure of both runs."""

    name: str
    old: Result
    new: Result

    @property
    def factor(self) -> float:
        """The new figure, as a multiple of the old one; not a number where that says nothing."""
        return self.new.median / self.old.median if self.old.median * self.new.median > 0 else math.nan

    @property
    def is_real(self) -> bool:
        """Whether it is more than the noise."""
        change = abs(self.new.median - self.old.median)
        is_apart = _low(self.new) > _high(self.old) or _high(self.new) < _low(self.old)
        return is_apart and change > LEAST * abs(self.old.median)

    @property
    def is_worse(self) -> bool:
        """Whether it is a real change in the wrong direction."""
        return self.is_real and (self.new.median < self.old.median) == self.new.more

    def __str__(self) -> str:
        """One line for a reader."""
        word = "worse" if self.is_worse else "better"
        factor = "" if math.isnan(self.factor) else f"  (x {shown(self.factor)})"
        return f"{word:<7} {self.name:<80} {self.old.figure:>12} -> {self.new.figure:>12}{factor}"


def _low(result: Result) -> float:
    return min(result.values) - (UNKNOWN / 2 * abs(result.median) if len(result.values) == 1 else 0.0)


def _high(result: Result) -> float:
    return max(result.values) + (UNKNOWN / 2 * abs(result.median) if len(result.values) == 1 else 0.0)


def read(file: Path) -> dict[str, Result]:
    """Return the results of a run by the title of the benchmark and their name.

    Raises:
        SystemExit: the file cannot be read, or is none of benchmarks/run.
    """
    try:
        outcomes = [Outcome.read(one) for one in json.loads(file.read_text(encoding="utf-8"))["benchmarks"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"{file} is no results.json of benchmarks/run: {error}")
    return {f"{outcome.title}: {one.name}": one for outcome in outcomes for one in outcome.results}


def changes(old: dict[str, Result], new: dict[str, Result]) -> Iterator[Change]:
    """Yield what both runs have."""
    yield from (Change(name, old[name], new[name]) for name in new if name in old)


def main() -> None:
    """Print what changed, what is new and what is gone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    wanted = parser.parse_args()
    old, new = read(wanted.old), read(wanted.new)
    found = list(changes(old, new))
    real = [change for change in found if change.is_real]
    for change in sorted(real, key=lambda change: not change.is_worse):
        print(change)
    for word, names in (("new", new.keys() - old.keys()), ("gone", old.keys() - new.keys())):
        for name in sorted(names):
            print(f"{word:<7} {name}")
    print(f"{len(real)} of {len(found)} figures changed by more than the noise.")
    sys.exit(any(change.is_worse for change in real))


if __name__ == "__main__":
    main()
