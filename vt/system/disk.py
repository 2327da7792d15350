"""Disks: recognises a full disk, turns its errors into ours, and links or copies files."""

from __future__ import annotations

import errno
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vt.errors import StorageError, VtError


def is_full(error: OSError) -> bool:
    """Tell whether an error says that the disk is full, or the user's quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full() -> StorageError:
    """Return the error of a full disk. It names no path: the path of a job's folder contains the job's id."""
    return StorageError("The disk is full: free some space and try again.")


@contextmanager
def translated(otherwise: Callable[[OSError], VtError] | None = None) -> Iterator[None]:
    """Turn the system's errors into ours while the block runs.

    Args:
        otherwise: makes our error from any other `OSError`; None: those are raised as they are.

    Raises:
        StorageError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if is_full(error):
            raise full() from error
        if otherwise is None:
            raise
        raise otherwise(error) from error


def size(path: Path) -> int:
    """Return how many bytes a file has, or all files below a folder together, links followed; 0 for what is not there.

    A file that two links lead to counts once.
    """
    files = path.rglob("*") if path.is_dir() else (path,)
    found = {}
    for file in files:
        with suppress(OSError):
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())


def link_or_copy(source: Path, target: Path) -> None:
    """Link a file to `target`, or copy it where links are not possible; `target` appears whole or not at all.

    Raises:
        FileNotFoundError: `source` is not there.
        OSError: the disk is full, or fails.
    """
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or a file system without links
        half = target.with_name(f".new-{target.name}")
        try:
            shutil.copyfile(source, half)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
