"""Runs a module of vt in a Python child process, and gets its error message back."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import vt
from vt.errors import ToolError
from vt.system.processes import Child
from vt.system.sandbox import ChildLimits

_LONGEST_REASON = 300
"""Characters."""


def child(
    module: str,
    arguments: Sequence[str],
    limits: ChildLimits,
    variables: Mapping[str, str],
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path] = (),
) -> Child:
    """Return a child process that runs a module of vt, as `python -m` does.

    Args:
        module: its full name.
        arguments: of the module's command line.
        limits: of the process.
        variables: of its environment, in addition to PYTHONPATH.
        reads: see `Child`.
        writes: see `Child`.
    """
    path = os.pathsep.join(filter(None, (str(Path(vt.__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    argv = [sys.executable, "-m", module, *arguments]
    return Child(
        argv,
        limits,
        reads=reads,
        writes=writes,
        environment={**variables, "PYTHONPATH": path},
        purpose=module.rpartition(".")[2],
    )


def reason(error: ToolError) -> str:
    """Return why the child failed: the last line of its stderr, which was written by `exit_code`."""
    lines = error.said.strip().splitlines()
    return lines[-1][:_LONGEST_REASON] if lines else str(error)


def exit_code(work: Callable[[], None]) -> int:
    """Call `work` in the child, and return the exit code; an error becomes the last line of stderr."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 (told to the parent, which raises)
        print(" ".join(str(error).split()) or type(error).__name__, file=sys.stderr)  # noqa: T201
        return 1
    return 0
