"""Try for a long time what must never be lost, never hang and never be left behind. See scripts/soak."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts import window_sweep
from tests import expressions
from tests.conftest import SAMPLE, TOLD
from tests.films import ffmpeg
from tests.sieges import FAULTS, Toll, besiege
from tests.test_expressions import FOUND

ROOT = Path(__file__).parent.parent
_LONGEST_LIVES = (2.0, 4.0, 10.0)
_JOBS = 8
_CONTAINERS = 300
_PAIRS = 600
_FAULT_TESTS = ("tests/test_faults.py", "tests/test_recovery.py")
_TEST = (sys.executable, "-m", "pytest", "-q", "--no-header")


class Log:
    """Prints what happens, with its time, and remembers what went wrong."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self.failures: list[str] = []

    def tell(self, line: str) -> None:
        """Print a line."""
        print(f"{time.monotonic() - self._began:6.0f} s  {line}", flush=True)

    def fail(self, line: str) -> None:
        """Print a line that must not be there, and remember it for the end."""
        self.failures.append(line)
        self.tell(f"FAILED: {line}")

    def left(self, seconds: float) -> float:
        """Return how much is left of so many seconds."""
        return seconds - (time.monotonic() - self._began)


@contextmanager
def fuzzed(log: Log, seconds: float, seed: int) -> Iterator[None]:
    """Have damaged files sent the way of an upload, beside all else, by a process of its own."""
    argv = [sys.executable, "-m", "tests.fuzz", "--seconds", f"{seconds:.0f}", "--seed", str(seed)]
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen(argv, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT) as fuzzer:
            try:
                yield
                code = fuzzer.wait(seconds + 600)
            finally:
                fuzzer.kill()
        said.seek(0)
        lines = said.read().splitlines()
    for line in lines[-1:] if code == 0 else lines:
        log.tell(f"damaged files: {line}")
    if code:
        log.fail(f"damaged files: exit code {code}")


def try_containers(log: Log, seed: int) -> None:
    """Have films dubbed that are put together as no program would."""
    argv = [sys.executable, "-m", "tests.fuzz", "--containers", str(_CONTAINERS), "--seed", str(seed)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    for line in lines[-1:] if done.returncode == 0 else lines:
        log.tell(f"strange containers: {line}")
    if done.returncode:
        log.fail(f"strange containers: exit code {done.returncode} {done.stderr}")


def try_faults(log: Log) -> None:
    """Have every stage meet every fault once."""
    _test(log, "faults", _FAULT_TESTS)


def try_further_cases(log: Log) -> None:
    """Run the tests that the suite leaves out: further cases of a kind of which it tries one."""
    _test(log, "further cases", ("--soak",))


def _test(log: Log, what: str, arguments: Sequence[str]) -> None:
    done = subprocess.run([*_TEST, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    *lines, last = done.stdout.strip().splitlines()
    for line in (*(line.removeprefix(TOLD) for line in lines if line.startswith(TOLD)), last):
        log.tell(f"{what}: {line}")
    if done.returncode:
        log.fail(f"{what}: {done.stdout}")


def try_expressions(log: Log) -> None:
    """Have every regular expression meet many more texts than in the suite."""
    for each in FOUND.values():
        if piece := expressions.slow(each.pattern, _PAIRS):
            log.fail(f"the expression of {each.where} is slow for {piece}")
    log.tell(f"expressions: {len(FOUND)} tried")


def try_windows(log: Log) -> None:
    """Have a recording heard in windows that are cut at every second."""
    if window_sweep.try_windows(log.tell, SAMPLE, 60.0):
        log.fail("windows of recognition: words were lost or added at a cut")


def kill(log: Log, seconds: float, chance: random.Random) -> Toll:
    """Besiege servers until the time is over, and return what was done to them."""
    toll = Toll()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder, "film.mp4")
        ffmpeg("-t", "12", "-i", SAMPLE, "-c", "copy", film)
        siege = 0
        while log.left(seconds) > 0:
            siege += 1
            seed, longest = chance.randrange(10**9), chance.choice(_LONGEST_LIVES)
            try:
                toll += besiege(Path(folder, str(siege)), film, _JOBS, seed, longest, log.tell, FAULTS)
            except AssertionError as error:
                log.fail(f"siege of seed {seed}: {error}")
    return toll


def main() -> int:
    """Print what happens and a summary, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    arguments = parser.parse_args()
    log, seconds = Log(), arguments.minutes * 60
    log.tell(f"seed {arguments.seed}, {arguments.minutes:g} minutes")
    with fuzzed(log, seconds, arguments.seed):
        try_faults(log)
        try_further_cases(log)
        try_containers(log, arguments.seed)
        try_expressions(log)
        try_windows(log)
        toll = kill(log, seconds, random.Random(arguments.seed))  # noqa: S311
    log.tell(f"servers: {toll}")
    log.tell("FAILED: see above" if log.failures else "nothing was lost, nothing hung, nothing was left behind")
    return 1 if log.failures else 0


if __name__ == "__main__":
    sys.exit(main())
