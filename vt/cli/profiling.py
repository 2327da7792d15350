"""The file that tells where the time of a command went: checked before the work begins, written however it ends."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from vt.errors import InputError, VtError
from vt.system import folders, tracing


def inputs(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that a command reads, none of which may be written over."""
    named = [*arguments.sources, *(getattr(arguments, name, None) for name in ("subtitles", "glossary", "cookies"))]
    return [Path(one) for one in named if one]


@contextmanager
def written(file: Path | None, inputs: Sequence[Path], say: Callable[[str], object]) -> Iterator[None]:
    """Trace the block from the start of this process on, and write the trace, also where the block raises.

    Args:
        file: is written; None: nothing is traced.
        inputs: are not written over.
        say: is told where the trace is.

    Raises:
        InputError: the file cannot be written; the block has not begun.
    """
    if file is None:
        yield
        return
    _check(file, inputs)
    with folders.work_folder(file.parent) as folder:
        trace = tracing.Trace(began := _process_began_ns())
        trace.complete("start", "process", began, {})
        try:
            with tracing.into(trace):
                yield
        except BaseException:
            with suppress(VtError, OSError):  # what ended the work is to be told
                _write(trace, folder, file, inputs)
            raise
        _write(trace, folder, file, inputs)
        say(_told(file, trace.left_out))


def _check(file: Path, inputs: Sequence[Path]) -> None:
    if file.is_dir():
        raise InputError("The file {file} cannot be written: a folder of that name is in the way.", file=file)
    if file.exists() and any(path.exists() and path.samefile(file) for path in inputs):
        raise InputError("{file} is to be read: name another file for where the time goes.", file=file)


def _write(trace: tracing.Trace, folder: Path, file: Path, inputs: Sequence[Path]) -> None:
    made = folder / file.name
    made.write_text(trace.as_json(), encoding="ascii")
    folders.deliver([made], file.parent, inputs)


def _told(file: Path, left_out: int) -> str:
    less = f", without {left_out} events for which there was no room" if left_out else ""
    return f"{file}: where the time went{less}."


def _process_began_ns() -> int:
    """Return when this process began, by `time.perf_counter_ns`."""
    age = max(0.0, time.time() - psutil.Process().create_time())
    return time.perf_counter_ns() - int(age * 1e9)
