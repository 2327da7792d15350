"""Dub on a server that is killed at random moments. See scripts/soak."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.conftest import SAMPLE  # noqa: E402 (the project is no installed package)
from tests.sieges import besiege  # noqa: E402

_LONGEST_LIFE = 10.0


def main() -> int:
    """Print a line for each kill, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    arguments = parser.parse_args()
    began = time.monotonic()

    def tell(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        try:
            besiege(Path(folder) / "siege", SAMPLE, arguments.jobs, arguments.seed, _LONGEST_LIFE, tell)
        except AssertionError as error:
            tell(f"FAILED: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
