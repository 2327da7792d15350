"""`python -m tests.fuzz [--cases N | --containers N] [--seconds S] [--seed S] [--first N]`: damaged files, by hand."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import container_harness, run


def tell(said: str) -> None:
    """Print a line at once."""
    print(said, flush=True)  # noqa: T201


parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
parser.add_argument("--cases", type=int)
parser.add_argument("--containers", type=int, help="so many films put together as no program would, all dubbed")
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--first", type=int, default=0, help="the number of the first case, to make one again")
parser.add_argument("--dubbed", type=float, default=0.1, help="the share that is dubbed, 0 to 1")
if __name__ == "__main__":
    given = parser.parse_args()
    if given.containers:
        summary = container_harness.run(given.containers, seed=given.seed, first=given.first, tell=tell)
    else:
        many = 1000 if given.cases is None and given.seconds is None else given.cases
        summary = run(
            many, seconds=given.seconds, seed=given.seed, first=given.first, tell=tell, dubbed=given.dubbed
        )  # fmt: skip
    sys.exit(1 if summary.failures else 0)
