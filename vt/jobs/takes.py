"""The takes of a finished dub's lines, as they are shown and heard: which is spoken now, and which can be had again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vt import media
from vt.domain import Edits
from vt.dubbing import line_takes
from vt.dubbing.artifacts import ArtifactReader
from vt.dubbing.line_takes import LineTake
from vt.dubbing.report import DubReport
from vt.errors import NoSuchResult


@dataclass(frozen=True, slots=True)
class KeptTake:
    """One of the takes of a line."""

    take: LineTake
    is_present: bool
    """Whether the dub says it so now."""
    has_sound: bool
    """Whether its sound is still kept: it can be heard, and chosen without being spoken again."""


@dataclass(frozen=True, slots=True)
class DubTakes:
    """The takes of all lines of a dub."""

    report: DubReport
    artifacts: ArtifactReader
    lines: Sequence[Sequence[LineTake]]
    """By line: in the order in which they were spoken last."""

    @classmethod
    def of(cls, report: DubReport, edits: Edits, artifacts: ArtifactReader) -> DubTakes:
        """Return the takes of a dub; `edits` are those that its results hold."""
        history = line_takes.read(artifacts, report.target_language)
        keys = line_takes.keys(edits, len(report.segments))
        return cls(report, artifacts, [history.lines.get(key, ()) for key in keys])

    def of_line(self, line: int) -> list[KeptTake]:
        """Return the takes of a line, the one that was spoken last first.

        Raises:
            NoSuchResult: there is no such line.
        """
        if not 0 <= line < len(self.lines):
            last = len(self.lines) - 1
            raise NoSuchResult("There is no line {number}: the lines are 0 to {last}.", number=line, last=last)
        kept = [KeptTake(take, is_present=False, has_sound=take.is_there(self.artifacts)) for take in self.lines[line]]
        if self._has_present(line):
            kept[-1] = KeptTake(kept[-1].take, is_present=True, has_sound=kept[-1].has_sound)
        return kept[::-1]

    def counts(self) -> list[int]:
        """Return how many takes each line has beside the one that is spoken now."""
        return [len(takes) - self._has_present(line) for line, takes in enumerate(self.lines)]

    def sound(self, line: int, take_id: str) -> bytes:
        """Return how a take sounds, as a WAV file.

        Raises:
            NoSuchResult: there is no such line or take, or its sound is kept no longer.
        """
        found = next((kept.take for kept in self.of_line(line) if kept.take.id == take_id), None)
        clip = found.clip(self.artifacts) if found else None
        if clip is None:
            raise NoSuchResult("This take of the line is not kept any longer.")
        return media.wav(clip.samples, clip.sample_rate)

    def _has_present(self, line: int) -> bool:
        """Return whether a line is spoken now, as in its latest take; a line that was removed is not."""
        takes = self.lines[line]
        return bool(takes) and takes[-1].text == self.report.segments[line].text
