"""What browsers and clients upload: how it gets into a job, and how it goes where no job came of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from vt.errors import InputError

KEPT_SECONDS = 6 * 3600.0
"""How long an upload waits to become a job."""
TAKEN_SECONDS = 600.0
"""How long one stays that has become a job, which has the film by a link of its own. Gradio keeps files by what is in
them: somebody else may be about to take the same one."""


class UploadGone(InputError):
    """The uploaded file has been swept, or never came."""

    def __init__(self) -> None:
        super().__init__("The uploaded file is no longer here: upload it again.")


def take(upload: str | Path, place: Path) -> None:
    """Put an uploaded file into its place in a job's folder, for no more space where both are on one disk.

    Raises:
        UploadGone: it is no longer there.
    """
    try:
        try:
            os.link(upload, place)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one that knows no links
            shutil.copyfile(upload, place)
    except FileNotFoundError:
        raise UploadGone from None


def sweep(folder: Path, now: float) -> None:
    """Remove what lies in the uploads' folder for longer than it may, and the folders that it leaves empty."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with suppress(OSError):  # gone by itself
                _remove_old(Path(parent, name), now)
        if Path(parent) != folder:
            with suppress(OSError):  # something is in it, or will be
                Path(parent).rmdir()


def _remove_old(path: Path, now: float) -> None:
    known = path.lstat()
    may = TAKEN_SECONDS if known.st_nlink > 1 else KEPT_SECONDS
    # When its entry changed, by coming here or by a link: a file's own time may be of long ago.
    if known.st_ctime < now - may:
        path.unlink()
