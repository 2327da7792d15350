"""Programs of vt in a process that is forked from one which has imported the libraries: those take most of a start."""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_IMPORTED = (
    *("vt.ui.page", "gradio.routes", "fastapi", "uvicorn", "jinja2", "babel", "httpx", "sqlalchemy.dialects.sqlite"),
    *("prometheus_client", "pydantic_settings", "numpy", "py3langid", "num2words", "rich", "psutil", "filelock"),
    *("faster_whisper", "torch", "pysubs2", "pynvml"),
    *(
        "vt.api",
        "vt.cli.main",
        "vt.dubbing.pipeline",
        "vt.engines.registry",
        "vt.services",
        "vt.web.admin",
    ),
)
_READ_LATE = re.compile(r"VT_\w+|HOST|PORT|PATH|PRELOAD_MODELS|LOG_LEVEL|CPU_THREADS|HF_TOKEN|TMPDIR|RAY_ADDRESS")
"""The variables that nothing reads while it is imported."""
_TEMPLATE = multiprocessing.get_context("forkserver")
_TEMPLATE.set_forkserver_preload(list(_IMPORTED))


def is_possible(settings: Mapping[str, str]) -> bool:
    """Tell whether a program with these variables is the same if it is forked."""
    return all(map(_READ_LATE.fullmatch, settings))


class Forked:
    """A forked program, with the methods of `subprocess.Popen`."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, environment: Mapping[str, str], said: Path, complained: Path
    ) -> None:
        """Start it.

        Args:
            argv: a file of Python, or `-m` and a module, and the arguments.
            cwd: in which it works.
            environment: of it.
            said: gets what it writes to stdout.
            complained: gets what it writes to stderr; it may be the same file.
        """
        for file in (said, complained):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
        self._process = _TEMPLATE.Process(
            target=_become, args=(list(argv), cwd, dict(environment), (Path(os.devnull), said, complained))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        found = self._process.pid
        assert found
        return found

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self.poll()
        assert code is not None, "it has not ended"
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_forked(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], patience: float
) -> subprocess.CompletedProcess[str]:
    """Run a program as `subprocess.run` does, but forked; for the arguments see `Forked`.

    Args:
        argv: as for `Forked`.
        cwd: as for `Forked`.
        environment: as for `Forked`.
        patience: it fails where the program takes more seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        said, complained = Path(folder, "stdout"), Path(folder, "stderr")
        program = Forked(argv, cwd, environment, said, complained)
        try:
            code = program.wait(patience)
        finally:
            program.kill()
        return subprocess.CompletedProcess(
            list(argv), code, said.read_text(encoding="utf-8"), complained.read_text(encoding="utf-8")
        )


def _become(argv: list[str], cwd: Path, environment: dict[str, str], files: tuple[Path, Path, Path]) -> None:
    """Become a program, as `python` would with these arguments."""
    gc.freeze()  # or each collection looks through all the libraries, of which every page would be copied
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # is looked up again: TMPDIR may be another now
    for number, file in enumerate(files):
        opened = os.open(file, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(cwd)
    if argv[0] == "-m":
        sys.argv = argv[1:]
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = argv
        runpy.run_path(argv[0], run_name="__main__")
