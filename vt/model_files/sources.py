"""Where the files of a model are and how they are got: from a folder of this machine, or a repository of the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vt.domain import Cancel
from vt.model_files import download
from vt.translatable import Message

HUB_ID = re.compile(r"\A[\w-][\w.-]*/[\w-][\w.-]*")
Tell = Callable[[Message], object]


def _nothing() -> None:
    return None


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
    )


def is_local(wanted: str) -> bool:
    """Tell whether what somebody named is meant to be a folder, and no hub id."""
    return not HUB_ID.fullmatch(wanted) or is_folder(wanted)


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
