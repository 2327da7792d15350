"""Programs of others, each in a virtual environment of its own, and what a command takes as a process of its own."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from benchmarks.talk import held

_POLL_SECONDS = 0.1, 0.5
"""At first, so that short commands are looked at, and later: to look takes the processor away from the command."""
_INSTALL_SECONDS = 300


class ProgramError(Exception):
    """A program cannot be installed, or fails: the last line that it printed."""


@dataclass(frozen=True)
class Program:
    """One of the package index, at the version that was tried."""

    name: str
    version: str

    @property
    def folder(self) -> Path:
        """Its virtual environment, in the user's cache."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return cache / "vt-benchmarks" / "peers" / f"{self.name}-{self.version}"

    def __str__(self) -> str:
        """Its name and version."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    seconds: float
    processor_seconds: float
    """Of the process and all that it started and waited for."""
    peak_bytes: int
    """Of the process and all that it started, at its largest; what they share counts once."""


def installed(program: Program) -> Path:
    """Return the program's command, which has its name; it is installed where it is not here yet.

    Only wheels are taken, so that nothing is built, and no code of a package runs while it is installed.

    Raises:
        ProgramError: it cannot be installed.
    """
    whole = program.folder / "whole"
    if not whole.exists():
        shutil.rmtree(program.folder, ignore_errors=True)
        _install(program)
        whole.touch()
    return program.folder / "bin" / program.name


def _install(program: Program) -> None:
    python = str(program.folder / "bin" / "python")
    wanted = f"{program.name}=={program.version}"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", wanted]
    program.folder.parent.mkdir(parents=True, exist_ok=True)
    for argv in ([sys.executable, "-m", "venv", str(program.folder)], pip):
        run(argv, program.folder.parent, _INSTALL_SECONDS)


def run(argv: Sequence[str], folder: Path, most_seconds: float, more: Mapping[str, str] | None = None) -> Cost:
    """Run a command in a folder, and return what it took.

    Args:
        argv: the command.
        folder: where it runs.
        most_seconds: after which it is ended with all that it started.
        more: variables of its environment, beside those of this process without PYTHONPATH.

    Raises:
        ProgramError: it fails, or takes too long.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | dict(more or {})
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(
            argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            cost = _watched(process, most_seconds)
        finally:
            end(process)
        if process.returncode:
            raise ProgramError(_last_line(output) or f"it ended with exit code {process.returncode}")
    return cost


def _watched(process: psutil.Popen, most_seconds: float) -> Cost:
    began, before, peak = time.monotonic(), _processor_seconds(), 0
    least, most = _POLL_SECONDS
    while (taken := time.monotonic() - began) < most_seconds:
        peak = max(peak, _held_by_all(process))
        with suppress(psutil.TimeoutExpired):
            process.wait(min(most, max(least, taken / 10)))
            return Cost(time.monotonic() - began, _processor_seconds() - before, peak)
    raise ProgramError(f"it was ended after {taken:.0f} s")


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _held_by_all(process: psutil.Popen) -> int:
    try:
        return held([process, *process.children(recursive=True)])
    except psutil.Error:  # it has just ended
        return 0


def end(process: psutil.Popen) -> None:
    """Kill a process that still runs, and its children."""
    if process.poll() is None:
        for one in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = [line.strip() for line in output.read().decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")
