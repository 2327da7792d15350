"""A slow file system that keeps of each file only what was there when it was closed last, as a mounted bucket may.

`python -m tests.forgetful KEPT MOUNTED` serves it until it is killed, which loses what is open. It takes the Python
package mfusepy and Debian's libfuse2.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import mfusepy  # type: ignore[import-not-found, unused-ignore]

_SLOW_SECONDS = 0.002


class Forgetful(mfusepy.Operations):  # type: ignore[misc, unused-ignore]
    """Serves a folder. An open file that is written lies elsewhere until it is closed."""

    use_ns = True

    def __init__(self, kept: Path) -> None:
        self._kept, self._open = kept, Path(tempfile.mkdtemp(prefix="forgetful-"))
        self._pending: dict[str, tuple[Path, int]] = {}
        """By path: where the content of an open file lies, and how many have it open."""

    def _at(self, path: str) -> Path:
        time.sleep(_SLOW_SECONDS)
        return self._kept / path.lstrip("/")

    def _now(self, path: str) -> Path:
        """Return where the present content of a file is."""
        return self._pending[path][0] if path in self._pending else self._at(path)

    def _begin(self, path: str) -> int:
        place, users = self._pending.get(path, (self._open / str(time.monotonic_ns()), 0))
        if not users:
            if self._at(path).exists():
                shutil.copyfile(self._at(path), place)
            else:
                self._at(path).touch()  # its name is there at once, its content when it is closed
                place.touch()
        self._pending[path] = place, users + 1
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        """Tell of a file."""
        del fh
        known = self._at(path).lstat()
        names = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_ino")
        found = {name.removesuffix("_ns") if "time" in name else name: getattr(known, name) for name in names}
        return {**found, "st_size": self._now(path).lstat().st_size}

    def readdir(self, path: str, fh: int) -> list[str]:
        """List a folder."""
        del fh
        return [".", "..", *os.listdir(self._at(path))]  # noqa: PTH208

    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ANN401 (the library's)
        """Make a file."""
        del fi
        self._begin(path)
        self._at(path).chmod(mode)
        return 0

    def open(self, path: str, flags: int) -> int:
        """Open a file; one that is only read needs no place of its own, unless somebody writes it."""
        if flags & (os.O_WRONLY | os.O_RDWR) or path in self._pending:
            self._begin(path)
        return 0

    def release(self, path: str, fh: int) -> int:
        """Keep the content of a file that nobody has open any more."""
        del fh
        if path in self._pending:
            place, users = self._pending[path]
            self._pending[path] = place, users - 1
            if users == 1:
                del self._pending[path]
                shutil.copyfile(place, self._at(path))
                place.unlink()
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """Read a part of a file."""
        del fh
        with self._now(path).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        """Write a part of a file."""
        del fh
        with self._pending[path][0].open("r+b") as file:
            file.seek(offset)
            return file.write(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """Cut a file."""
        del fh
        os.truncate(self._now(path), length)
        return 0

    def rename(self, old: str, new: str) -> int:
        """Rename a file or a folder, with what is open in it."""
        self._at(old).rename(self._at(new))
        self._pending.pop(new, None)
        for path in [path for path in self._pending if path == old or path.startswith(f"{old}/")]:
            self._pending[new + path.removeprefix(old)] = self._pending.pop(path)
        return 0

    def unlink(self, path: str) -> int:
        """Remove a file."""
        self._at(path).unlink()
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        """Make a folder."""
        self._at(path).mkdir(mode)
        return 0

    def rmdir(self, path: str) -> int:
        """Remove a folder."""
        self._at(path).rmdir()
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        """Tell of no size, as a bucket has none."""
        del path
        return {}

    def chmod(self, path: str, mode: int) -> int:
        """Set the rights of a file."""
        self._at(path).chmod(mode)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        """Set the times of a file."""
        os.utime(self._at(path), ns=times or (time.time_ns(),) * 2)
        return 0


if __name__ == "__main__":
    mfusepy.FUSE(Forgetful(Path(sys.argv[1])), sys.argv[2], foreground=True, nothreads=True)
