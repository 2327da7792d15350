"""A folder that is made once, by whoever asks first, and is there whole or not at all."""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vt import folders
from vt.domain import Cancel
from vt.errors import StorageError

_POLL_SECONDS = 0.2
GB = 10**9

Tell = Callable[[str], object]
"""Takes a sentence for the user on what goes on."""


def free_bytes(folder: Path) -> int:
    """Return how much room there is on the disk of a folder."""
    return shutil.disk_usage(folder).free


def folder(
    target: Path,
    make: Callable[[Path], None],
    *,
    is_whole: Callable[[Path], bool],
    needed_bytes: int,
    tell: Tell,
    cancel: Cancel,
    free: Callable[[Path], int] = free_bytes,
) -> None:
    """Have `make` fill a folder beside `target`, which then takes the name `target` in one step.

    Of several processes one makes it, and the others wait. What a killed one has left is thrown away, and said.

    Raises:
        StorageError: the disk has no room, before or while it is made.
        InputError: the folder around `target` cannot be written.
        Cancelled: `cancel` was set.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(target, tell, cancel):
            if not is_whole(target):
                _make(target, make, needed_bytes, tell, free)
    except OSError as error:
        raise folders.unwritable(target.parent, error) from error


def _make(
    target: Path, make: Callable[[Path], None], needed_bytes: int, tell: Tell, free: Callable[[Path], int]
) -> None:
    half = target.with_name(f".{target.name}.half")
    for left in (half, target):
        if left.exists():
            tell(f"{target.name} was left half made: it is made again.")
            shutil.rmtree(left)
    _check_room(target.parent, needed_bytes, free(target.parent))
    try:
        half.mkdir()
        make(half)
        for path in (*half.rglob("*"), half):
            folders.flush(path)
        half.rename(target)
        folders.flush(target.parent)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _check_room(parent: Path, needed: int, free: int) -> None:
    if free < needed:
        raise StorageError(
            "The disk of the data folder has {free:.1f} GB free, and {needed:.1f} GB are needed: free some "
            "space, or choose another folder with VT_DATA_DIR.",
            where=parent,
            free=free / GB,
            needed=needed / GB,
        )


@contextmanager
def _locked(target: Path, tell: Tell, cancel: Cancel) -> Iterator[None]:
    # The lock file stays: were it removed, two processes could hold a lock each, on two files of one name.
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        if not _taken(lock):
            tell(f"Another process is making {target.name}: waiting for it.")
            while not _taken(lock):
                cancel.check()
                threading.Event().wait(_POLL_SECONDS)
        cancel.check()
        yield


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
