"""Work folders that are removed even after a crash, and delivery of files, each in one step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from vt.errors import InputError, StorageError
from vt.system import disk

_PREFIX = ".vt-work-"
_UNLOCKED = ".vt-new-"
"""The prefix of a folder that is not locked yet, so that no other process removes it as left behind."""
_LOCK = "lock"
_TRIES = 10


@contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Make a work folder in `parent`, and remove it at the end. A missing `parent` is made too; it stays if not empty.

    Work folders that killed processes left behind are removed first: their locks are free.

    Raises:
        InputError: `parent` cannot be written.
        StorageError: the disk is full.
    """
    made: list[Path] = []
    try:
        made = _missing(parent)
        folder, lock = _make(parent)
    except OSError as error:
        _remove_empty(made)
        raise unwritable(parent, error) from error
    with lock:
        try:
            yield folder
        except OSError as error:
            if disk.is_full(error):
                raise unwritable(parent, error) from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _remove_empty(made)


def obstacle(folder: Path) -> str | None:
    """Make `folder` where it is missing; return a sentence on why it cannot be written, or None."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"0")
    except OSError as error:
        return f"The data folder cannot be written: {error.strerror}."
    return None


def deliver(files: Iterable[Path], target: Path, inputs: Iterable[Path] = ()) -> list[Path]:
    """Move files into `target`, a folder on the same disk; each replaces a file of the same name in one step.

    A file of `inputs` is never replaced: it stays as it is, and its path is among those that are returned.

    Raises:
        InputError: a folder is in the way of a file; then none has been moved.
    """
    wanted = {target / file.name: file for file in files}
    for place in wanted:
        if place.is_dir():
            raise InputError("The file {file} cannot be written: a folder of that name is in the way.", file=place)
    given = [path for path in inputs if path.exists()]
    moved = []
    for place, file in wanted.items():
        if place.exists() and any(place.samefile(path) for path in given):
            moved.append(place)
            continue
        try:
            file.replace(place)
        except OSError as error:
            raise unwritable(target, error) from error
        moved.append(place)
    return moved


def flush(path: Path) -> None:
    """Sync a file, or the list of names in a folder, to the disk, so that it survives a power cut."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, as far as possible."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def unwritable(folder: Path, error: OSError) -> InputError | StorageError:
    """Return the error that says why `folder` cannot be written."""
    if disk.is_full(error):
        return StorageError("The disk of {folder} is full: free some space and try again.", folder=folder)
    return InputError(
        "The folder {folder} cannot be written ({reason}): choose another one.",
        folder=folder,
        reason=str(error.strerror),
    )


def _make(parent: Path) -> tuple[Path, IO[str]]:
    """Make a work folder, and return it with its lock file; the lock is held as long as the file is open."""
    for remaining in reversed(range(_TRIES)):
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _sweep(parent)
            return _locked(Path(tempfile.mkdtemp(prefix=_UNLOCKED, dir=parent)))
        # Another process has just removed the parent, which was empty: before something was made in it, or between the
        # two looks by which mkdir tells a folder that is there from a file.
        except (FileNotFoundError, FileExistsError):
            if not remaining:
                raise
    raise AssertionError("unreachable")


def _locked(folder: Path) -> tuple[Path, IO[str]]:
    try:
        lock = (folder / _LOCK).open("w")
        lock_descriptor(lock.fileno())
        return folder.rename(folder.with_name(folder.name.replace(_UNLOCKED, _PREFIX, 1))), lock
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _missing(folder: Path) -> list[Path]:
    """Return the folders that making `folder` would make, innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty, or was never made
            folder.rmdir()


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        if _is_orphan(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_orphan(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open() as lock:
            return lock_descriptor(lock.fileno(), blocking=False)  # False: its owner is alive
    except FileNotFoundError:  # another process is removing it; a complete one has a lock file
        return True
    except OSError:  # not one of our folders
        return False
