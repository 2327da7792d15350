"""Builds a folder once for all who ask for it; it exists either completely or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from vt.domain import Cancel
from vt.errors import StorageError
from vt.system import disk, folders
from vt.translatable import Message

_POLL_SECONDS = 0.2
GB = 10**9

Tell = Callable[[Message], object]
"""Is called with a sentence for the user about the progress."""


def build_dir_atomically(
    target: Path,
    build: Callable[[Path], None],
    *,
    is_complete: Callable[[Path], bool],
    needed_bytes: int,
    tell: Tell,
    cancel: Cancel,
    free: Callable[[Path], int] = disk.free_bytes,
) -> None:
    """Have `build` fill a folder beside `target`, and rename it to `target` when it is complete.

    One process builds it; others that ask at the same time wait. An incomplete folder of a killed process is removed
    first, and `tell` gets a sentence about that. Nothing is done where `target` is complete already.

    Raises:
        StorageError: the disk has no room, or becomes full.
        InputError: the parent folder of `target` cannot be written.
        Cancelled: `cancel` was set.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _build_lock(target, tell, cancel):
            if not is_complete(target):
                _build(target, build, needed_bytes, tell, free)
    except OSError as error:
        raise folders.unwritable(target.parent, error) from error


def was_built(target: Path) -> bool:
    """Tell whether a folder is here that was built by `build_dir_atomically`, and not put there by somebody."""
    return target.is_dir() and _lock_of(target).exists()


def remove_dir(target: Path) -> None:
    """Remove a folder that was built: in one step for whoever looks for it, then file by file.

    Raises:
        StorageError: it is being built at this moment, or cannot be removed.
    """
    lock, gone = FileLock(_lock_of(target), fallback_to_soft=False), _unfinished(target)
    try:
        with lock.acquire(blocking=False):
            shutil.rmtree(gone, ignore_errors=True)
            target.rename(gone)  # what a killed process leaves of it is removed before the next is built
            shutil.rmtree(gone)
    except Timeout as error:
        raise StorageError("Another process is making {model}.", where=target, model=target.name) from error
    except OSError as error:
        raise StorageError(
            "The files of the model {model} cannot be removed ({reason}).",
            where=target,
            model=target.name,
            reason=str(error.strerror),
        ) from error


def _unfinished(target: Path) -> Path:
    return target.with_name(f".{target.name}.half")


def _lock_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.lock")


def _build(
    target: Path, build: Callable[[Path], None], needed_bytes: int, tell: Tell, free: Callable[[Path], int]
) -> None:
    unfinished = _unfinished(target)
    for left in (unfinished, target):
        if left.exists():
            tell(Message("{model} was left half made: it is made again.", model=target.name))
            shutil.rmtree(left)
    _check_room(target.parent, needed_bytes, free(target.parent))
    try:
        unfinished.mkdir()
        build(unfinished)
        for path in (*unfinished.rglob("*"), unfinished):
            folders.flush(path)
        unfinished.rename(target)
        folders.flush(target.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


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
def _build_lock(target: Path, tell: Tell, cancel: Cancel) -> Iterator[None]:
    """Hold the lock on building `target`: against other processes, and against other threads of this one.

    The system releases it when the process ends, however it ends. Children do not inherit it: the file is closed in
    them (close-on-exec). The file itself stays: if it were removed, two processes could each lock a file of that name.
    """
    lock = FileLock(_lock_of(target), poll_interval=_POLL_SECONDS, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        tell(Message("Another process is making {model}: waiting for it.", model=target.name))
        _wait_for(lock, cancel)
    try:
        cancel.check()
        yield
    finally:
        lock.release()


def _wait_for(lock: FileLock, cancel: Cancel) -> None:
    def is_cancelled() -> bool:
        cancel.beat()
        return cancel.is_set

    try:
        lock.acquire(cancel_check=is_cancelled)
    except Timeout:
        cancel.check()
        raise
