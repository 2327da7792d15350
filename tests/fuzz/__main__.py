"""`python -m tests.fuzz [--cases N] [--seconds S] [--seed S] [--first N]`: damaged files, by hand."""

from __future__ import annotations

import argparse
import sys

from tests.fuzz import run

parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
parser.add_argument("--cases", type=int)
parser.add_argument("--seconds", type=float)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--first", type=int, default=0, help="the number of the first case, to make one again")
parser.add_argument("--dubbed", type=float, default=0.1, help="the share that is dubbed, 0 to 1")
if __name__ == "__main__":
    given = parser.parse_args()
    many = 1000 if given.cases is None and given.seconds is None else given.cases
    summary = run(
        many, seconds=given.seconds, seed=given.seed, first=given.first, tell=lambda said: print(said, flush=True),  # noqa: T201
        dubbed=given.dubbed,
    )  # fmt: skip
    sys.exit(1 if summary.failures else 0)
