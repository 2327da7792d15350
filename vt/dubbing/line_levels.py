"""How loud each spoken line is: measured once, and kept for the next run, which measures only what it speaks anew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vt.domain import Clip
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.languages import Language
from vt.media import weighting

_KIND = "levels"


class LineLevels:
    """The loudness of a dub's lines, all in one artifact: a file for each line would take longer than to measure it."""

    def __init__(self, artifacts: Artifacts, target: Language) -> None:
        """Read what an earlier run into `target` kept."""
        self._artifacts, self._name = artifacts, fingerprint(_KIND, target.code)
        self._known: dict[str, float | None] = artifacts.get_json(_KIND, self._name) or {}
        self._told: dict[str, float | None] = {}

    def level(self, names: Sequence[str], clips: Sequence[Clip]) -> float:
        """Return the loudness of a line in LUFS; minus infinity where it is silent.

        Args:
            names: the fingerprints of its clips.
            clips: its sound, phrase by phrase: a phrase may be louder than another, as in a line of one breath.
        """
        name = names[0] if len(names) == 1 else fingerprint(*names)
        level = self._known[name] if name in self._known else _measured(clips)
        self._told[name] = level
        return -np.inf if level is None else level

    def keep(self) -> None:
        """Keep the loudness of the lines that were asked for, and forget that of all others."""
        if self._told != self._known:
            self._artifacts.put_json(_KIND, self._name, self._told)


def _measured(clips: Sequence[Clip]) -> float | None:
    """Return the loudness of clips that follow one another; None, which JSON can hold, where they are silent."""
    whole = np.concatenate([clip.samples for clip in clips])
    level = float(weighting.loudness(whole, clips[0].sample_rate))
    return level if np.isfinite(level) else None
