"""Where the files of a model are and how they are got: from a folder of this machine, or a repository of the hub."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vt.domain import Cancel
from vt.model_files import download
from vt.system import atomic_dirs, disk
from vt.translatable import Message

HUB_ID = re.compile(r"\A[\w-][\w.-]*/[\w-][\w.-]*")
Tell = Callable[[Message], object]


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Own:
    """What vt itself has downloaded or made of a model, and so may remove."""

    size: Callable[[], int]
    """Returns how many bytes of the disk it takes, unfinished files included."""
    remove: Callable[[], None]
    """Removes it; raises StorageError where that fails."""

    def __add__(self, other: Own) -> Own:
        """Return both as one; what is removed first is this one."""

        def remove() -> None:
            self.remove()
            other.remove()

        return Own(lambda: self.size() + other.size(), remove)


def built(folder: Path) -> Own:
    """Return what vt has made in a folder of its own, which appears whole or not at all."""
    is_ours = functools.partial(atomic_dirs.was_built, folder)
    return Own(
        lambda: disk.size(folder) if is_ours() else 0, lambda: atomic_dirs.remove_dir(folder) if is_ours() else None
    )


_NOTHING = Own(lambda: 0, _nothing)


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of one model."""

    name: str
    """In cache keys and reports."""
    here: Callable[[], Path | None]
    """Returns their folder; None where they are not on this machine."""
    lack: Callable[[], str | None] = _nothing
    """Returns why the folder that was named cannot be used, as a sentence; None where it can."""
    obtain: Callable[[Cancel], object] | None = None
    """Downloads or converts them; None for a folder, which needs neither."""
    own: Own = _NOTHING
    """What vt has downloaded or made of them; nothing of what is bundled or in a folder that the settings name."""

    def prepare(self, cancel: Cancel) -> None:
        """Download or convert them, where they are not here.

        Raises:
            Cancelled: `cancel` was set; what has come stays.
        """
        if self.obtain and self.here() is None:
            self.obtain(cancel)

    @property
    def folder(self) -> Path:
        """Their folder; to be asked for once they are here."""
        folder = self.here()
        if folder is None:
            raise FileNotFoundError(self.name)
        return folder

    @property
    def size(self) -> int:
        """How many bytes of the disk they take, whoever put them there; of an unfinished download, what has come."""
        folder = self.here()
        return max(disk.size(folder) if folder else 0, self.own.size())  # what it was converted from may be kept too

    @property
    def downloads(self) -> bool:
        """Whether the hub is needed for them."""
        return self.obtain is not None and self.here() is None


def local(wanted: str, lack: Callable[[Path], str | None]) -> Weights:
    """Return the files in a folder of this machine."""
    folder = _at_home(wanted)
    return Weights(marked(str(folder.resolve())), lambda: folder, lambda: lack(folder))


def of_hub(repository: str, name: str, patterns: Sequence[str], source: download.Source, tell: Tell) -> Weights:
    """Return the files of a repository of the hub."""
    return Weights(
        name,
        lambda: download.present(repository, patterns, source),
        obtain=lambda cancel: download.download(repository, patterns, source, tell=tell, cancel=cancel),
        own=Own(lambda: download.own_bytes(repository, source), lambda: download.remove(repository, source)),
    )


def is_local(wanted: str) -> bool:
    """Tell whether what somebody named is meant to be a folder, and no hub id."""
    return not HUB_ID.fullmatch(wanted) or is_folder(wanted)


def is_path(wanted: str) -> bool:
    """Tell whether what somebody named says where a folder lies on this machine."""
    return is_folder(wanted) or ("/" in wanted and not HUB_ID.fullmatch(wanted))


def is_folder(wanted: str) -> bool:
    """Tell whether what somebody named is a folder of this machine."""
    return _at_home(wanted).is_dir()


def _at_home(wanted: str) -> Path:
    try:
        return Path(wanted).expanduser()
    except RuntimeError:  # there is no such user
        return Path(wanted)


def marked(whole: str) -> str:
    """Return a name for a cache key: the end of a path or hub id, and a mark of the whole."""
    last = re.sub(r"[^A-Za-z0-9._-]", "-", Path(whole).name)
    return f"{last}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
