"""The cues of a caption file as its format gives them, and what is said in them once they are cleaned."""

from __future__ import annotations

from dataclasses import dataclass, field

from vt.domain import Word


@dataclass(frozen=True, slots=True)
class RawCue:
    """One cue as it stands in a file; its parser has turned its own format's markup into plain text."""

    line: int
    """Where it stands in the file, from 1; for a format without lines: which cue it is."""
    start: float
    """In seconds; may be negative or behind `end`, as in the file."""
    end: float
    text: str
    """Plain, its lines apart by newlines; speakers, sounds and marks of a new speaker are still in it."""
    speaker: str = ""
    """Where the format itself names one."""
    words: tuple[Word, ...] = ()
    """One for each of `text.split()`, where the format gives times to words; else none."""
    unreadable: str = ""
    """The line of times, where it cannot be read: then nothing else is known of the cue."""
    is_spoken: bool = True
    """False where the format itself tells that nobody says it, as of signs on the picture."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker says in one cue."""

    start: float
    end: float
    text: str
    """On one line, without sounds, names and marks."""
    speaker: str = ""
    """As the file names them; empty where it does not."""
    begins_turn: bool = False
    """True where the file marks that another person begins to speak, named or not."""
    words: tuple[Word, ...] = ()
    """One for each of `text.split()`, where their times are known; else none."""
    overlaps: bool = False
    """True where somebody else, in another cue, is still speaking when it begins."""
    line: int = field(default=0, compare=False)
    """Of the cue, as its `RawCue` has it."""
