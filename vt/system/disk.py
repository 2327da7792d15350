"""Disks: recognises a full disk, turns its errors into ours, and links or copies files."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from vt.errors import StorageError, VtError

_OF_DISKS = ("fuse.fuse-overlayfs", "fuse.lxcfs")
"""File systems of programs that show disks of the machine."""
_UNTOLD = 2**50
"""Bytes: a petabyte."""
_USUAL_NAME = 255


def is_full(error: OSError) -> bool:
    """Tell whether an error says that the disk is full, or the user's quota."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder; without an end where it tells no size, as some buckets.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    usage = shutil.disk_usage(folder)
    return usage.free if usage.total else _UNTOLD


def longest_name(folder: Path) -> int:
    """Return how many bytes the name of a file in a folder may have."""
    return os.pathconf(folder, "PC_NAME_MAX") or _USUAL_NAME


def is_of_a_program(path: Path) -> bool:
    """Tell whether a path lies on a file system that a program serves (FUSE), as mounted buckets do.

    Those of containers and of Windows' disks, which are disks of the machine, do not count.
    """
    here, kind, depth = path.resolve(), "", -1
    for mount in psutil.disk_partitions(all=True):
        place = Path(mount.mountpoint)
        if here.is_relative_to(place) and len(place.parts) >= depth:  # of two in one place the later one is seen
            kind, depth = mount.fstype, len(place.parts)
    return kind.partition(".")[0] == "fuse" and kind not in _OF_DISKS


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
