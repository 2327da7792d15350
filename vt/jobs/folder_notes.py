"""Short notes in the data folder on its database, by which a new one goes on where another was lost."""

from __future__ import annotations

import re
from pathlib import Path

from vt.system import folders

_WORD = re.compile(r"[0-9a-fA-F]{32}")
_NUMBER = re.compile(r"[0-9]{1,15}")


class FolderNotes:
    """The notes. Each is a file of its own that is replaced in one step, and closed at once.

    A note that is damaged is read as an empty one. Every method may raise `OSError`.
    """

    def __init__(self, data_folder: Path) -> None:
        """`data_folder`: where they are; they need not be there."""
        self._folder = data_folder

    @property
    def owner(self) -> str | None:
        """The word of the database that was used last; None: none was ever used apart from the folder."""
        text = self._read("database-word")
        return None if text is None else _matching(_WORD, text)

    def name_owner(self, word: str) -> None:
        """Note which database is used from now on."""
        self._write("database-word", word)

    @property
    def secret(self) -> str:
        """The key of the hashes under which visitors are known; empty: not noted."""
        return _matching(_WORD, self._read("database-secret") or "")

    def keep_secret(self, secret: str) -> None:
        """Note the key of the hashes under which visitors are known."""
        self._write("database-secret", secret)

    @property
    def served_ms(self) -> int:
        """The served time (see `Store`) that was noted last, in ms."""
        return int(_matching(_NUMBER, self._read("served-time") or "") or 0)

    def note_served(self, served_ms: int) -> None:
        """Note the served time, in ms."""
        self._write("served-time", str(served_ms))

    def _read(self, name: str) -> str | None:
        try:
            return (self._folder / name).read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return None

    def _write(self, name: str, text: str) -> None:
        new = self._folder / f"{name}.new"
        new.touch(mode=0o600)
        new.write_text(text, encoding="ascii")
        folders.flush(new)
        new.replace(self._folder / name)
        folders.flush(self._folder)


def _matching(form: re.Pattern[str], text: str) -> str:
    return text if form.fullmatch(text) else ""
