"""What browsers and clients upload: how it gets into a job, and how it goes where no job came of it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from vt.errors import InputError

KEPT_SECONDS = 6 * 3600.0
"""How long an upload waits to become a job. A job has its film by a link of its own, whatever becomes of the upload."""


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


def drop(*taken: str | None) -> None:
    """Remove uploads that a job has by now."""
    for path in filter(None, taken):
        Path(path).unlink(missing_ok=True)


def sweep(folder: Path, now: float, kept_seconds: float = KEPT_SECONDS) -> None:
    """Remove what lies in the uploads' folder for longer than it may, and folders that are empty by then."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            _remove_old(path, now - kept_seconds)
        if Path(parent) != folder:
            _remove_old_folder(Path(parent), now - kept_seconds)


def _remove_old(path: Path, before: float) -> None:
    try:
        # The time of the last change of the file's entry: a copied file's own time may be of long ago.
        if path.lstat().st_ctime < before:
            path.unlink()
    except OSError:  # gone by itself
        return


def _remove_old_folder(folder: Path, before: float) -> None:
    try:
        if folder.stat().st_mtime < min(before, time.time()):
            folder.rmdir()
    except OSError:  # something is in it
        return
