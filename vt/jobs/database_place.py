"""Decides where the jobs' database lies: in the data folder, unless that is on a mounted bucket."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from vt.errors import StorageError
from vt.jobs.store import DATABASE
from vt.settings import Settings
from vt.system import disk

_DIGITS = 16


def database(settings: Settings) -> Path:
    """Return the file of the jobs' database; neither it nor its folder need be there.

    A bucket that is mounted as a folder may keep of a file only what was there when it was closed last, and SQLite
    keeps its file open. So the database of a data folder there lies on the machine's own disk, which may be lost with
    the machine: all jobs are restored from the records in their folders, each of which is closed at once.
    """
    data = settings.data_folder.absolute()
    if settings.database_dir is None and not disk.is_of_a_program(data):
        return data / DATABASE
    # Several servers may share the folder, each with a data folder of its own.
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:_DIGITS]
    return (settings.database_dir or _own_folder()) / f"{name}.db"


def prepare(database: Path, settings: Settings) -> None:
    """Make the folder of a database where it is missing.

    Raises:
        StorageError: it cannot be made; or others, who share the folder for temporary files, have made it.
    """
    folder = database.parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = folder.lstat()
    except OSError as error:
        raise StorageError(
            "The folder of the jobs' database cannot be made ({reason}): name another one in VT_DATABASE_DIR.",
            where=folder,
            reason=str(error.strerror),
        ) from error
    is_private = stat.S_ISDIR(known.st_mode) and known.st_uid == os.getuid()
    if folder == _own_folder() and settings.database_dir is None and not is_private:
        raise StorageError(
            "The folder of the jobs' database belongs to somebody else: name another one in VT_DATABASE_DIR.",
            where=folder,
        )


def _own_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"vt-database-{os.getuid()}"
