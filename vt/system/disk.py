"""What several places do with a disk: tell that it is full, say so to the user, and give a file a second name."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vt.errors import StorageError, VtError


def is_full(error: OSError) -> bool:
    """Tell whether an error says that the disk, or what a user may have of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full() -> StorageError:
    """Return the error of a full disk. It names no path: that of a job's folder tells the job's id."""
    return StorageError("The disk is full: free some space and try again.")


@contextmanager
def translated(otherwise: Callable[[OSError], VtError] | None = None) -> Iterator[None]:
    """Turn the system's errors into ours while the block runs.

    Args:
        otherwise: makes the error of a disk that fails in another way than being full; None: that error passes as is.

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


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name, for no more space where both are on one disk; `target` appears whole or not at all.

    Raises:
        FileNotFoundError: `source` is not there.
        OSError: the disk is full, or fails.
    """
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one that knows no links
        half = target.with_name(f".new-{target.name}")
        try:
            shutil.copyfile(source, half)
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
