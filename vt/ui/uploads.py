"""What browsers and clients upload: how it gets into a job, and how it goes where no job came of it."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from gradio.utils import get_upload_folder

from vt.errors import InputError
from vt.jobs import Jobs

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


def remove(jobs: Jobs, job_id: str) -> None:
    """Remove a job with all that is kept of it, and what was uploaded for it.

    Raises:
        JobNotFound: there is no such job.
    """
    drop(Path(get_upload_folder()), jobs.original(job_id).path)
    jobs.remove(job_id)


def drop(folder: Path, film: Path) -> None:
    """Remove from the uploads' folder what is the same file as a job's film, which is about to go."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            with suppress(OSError):  # gone by itself
                if path.samefile(film):
                    path.unlink()


def sweep(folder: Path, now: float, kept_seconds: float = KEPT_SECONDS) -> None:
    """Remove what lies in the uploads' folder for longer than it may, and the folders that it leaves empty."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            with suppress(OSError):  # gone by itself
                _remove_old(Path(parent, name), now, kept_seconds)
        if Path(parent) != folder:
            with suppress(OSError):  # something is in it, or will be
                Path(parent).rmdir()


def _remove_old(path: Path, now: float, kept_seconds: float) -> None:
    known = path.lstat()
    may = min(TAKEN_SECONDS, kept_seconds) if known.st_nlink > 1 else kept_seconds
    # When its entry changed, by coming here or by a link: a file's own time may be of long ago.
    if known.st_ctime < now - may:
        path.unlink()
