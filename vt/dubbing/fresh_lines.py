"""The lines that an edit has spoken anew, as they will sound in the dub: heard while that is put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vt.dubbing import first_lines, line_takes
from vt.dubbing.artifacts import ArtifactReader
from vt.dubbing.line_takes import History, Sound

MOST = 50
"""So many lines are kept."""


@dataclass(slots=True)
class FreshLines:
    """Keeps the fresh lines of one run, as first lines are kept."""

    folder: Path
    artifacts: ArtifactReader
    before: History
    """What was spoken in earlier runs; where there was none, no line is fresh."""
    keys: Sequence[str]
    """What each line goes by in every version of the dub."""
    kept: int = 0

    def keep(self, line: int, sounds: Sequence[Sound]) -> None:
        """Keep a line, should it be spoken otherwise than in the last run that spoke it.

        Args:
            line: its number, from 0.
            sounds: its phrases.
        """
        if self.kept >= MOST or not self._is_fresh(line, sounds):
            return
        clip = line_takes.heard(sounds, self.artifacts)
        if clip is not None:
            self.kept += 1
            first_lines.put(self.folder, line, clip)

    def _is_fresh(self, line: int, sounds: Sequence[Sound]) -> bool:
        earlier = self.before.lines.get(self.keys[line], ())
        return bool(self.before.lines) and (not earlier or _names(earlier[-1].sounds) != _names(sounds))


def _names(sounds: Sequence[Sound]) -> list[str]:
    return [sound.name for sound in sounds]
