"""Films that are named by links: downloaded first, into a folder that goes again, and called by their titles."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from vt import links, settings
from vt.cli.telling import Teller
from vt.errors import InputError
from vt.system import folders

Obtain = Callable[..., tuple[Path, str]]
"""As `links.obtain`."""
_MB = 2**20
_STEPS = 10
"""So often is told how far a download of known size is."""
_BYTES_A_STEP = 20 * _MB
"""And so often of one whose size nobody knows."""


@contextmanager
def brought(arguments: argparse.Namespace, teller: Teller, obtain: Obtain = links.obtain) -> Iterator[None]:
    """Have the films behind links among the sources lie on the disk while the block runs.

    Raises:
        LinkError: a film cannot be had.
        ToolMissing: yt-dlp is not installed.
    """
    named: list[Path | str] = arguments.sources
    if not any(isinstance(source, str) for source in named):
        yield
        return
    if arguments.cookies and not arguments.cookies.is_file():
        raise InputError("There is no file {file}.", file=arguments.cookies)
    known = settings.load()
    bounds = links.Bounds(known.max_upload_mb, known.max_duration_minutes)
    how = partial(obtain, bounds=bounds, cookies=arguments.cookies, cancel=arguments.cancel)
    with folders.work_folder(arguments.out) as folder:
        arguments.sources = [
            _film(source, folder / str(number), how, teller) if isinstance(source, str) else source
            for number, source in enumerate(named)
        ]
        yield


def _film(link: str, folder: Path, obtain: Obtain, teller: Teller) -> Path:
    folder.mkdir()
    teller.say(f"{link} is being downloaded ...")
    film, name = obtain(link, folder, on_bytes=_Told(teller))
    return film.rename(folder / name)


class _Told:
    """Tells how far a download is, now and then."""

    def __init__(self, teller: Teller) -> None:
        self._teller, self._step = teller, 0

    def __call__(self, came: int, whole: int) -> None:
        step = int(came / whole * _STEPS) if whole else came // _BYTES_A_STEP
        if step > self._step:
            self._step = step
            share = f", {min(came / whole, 1.0):.0%}" if whole else ""
            self._teller.say(f"{came / _MB:.0f} MB{share}")
