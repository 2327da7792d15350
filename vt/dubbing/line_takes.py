"""The takes of each line: what was spoken for it in this run and in earlier ones, kept among the artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter, ValidationError

from vt import media
from vt.domain import Added, Clip, Edits
from vt.dubbing.artifacts import ArtifactReader, Artifacts, fingerprint
from vt.languages import Language

if TYPE_CHECKING:
    from vt.dubbing.track import Spoken

MOST_TAKES = 8
"""Of a line, the present one among them."""
_MOST_CHARACTERS = 1_000_000
"""Of all takes of a film together: the oldest go first."""
SOUNDS = ("take", "fitted", "rehearsal")
"""The kinds of artifacts that an earlier take is heard from, and spoken with again without a synthesizer."""
_FULL_SCALE = 32767
_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a phrase; of a line in one breath, of all of it."""

    kind: str
    name: str
    """The fingerprint of the clip's artifact; `kind` is that artifact's kind."""
    offset: float
    """When it begins, in seconds from the start of the line."""
    gain: float
    """In dB: how much louder it is in the dub."""


@dataclass(frozen=True, slots=True)
class LineTake:
    """What was spoken for a line."""

    text: str
    voice: str
    """The id of the voice, as reports have it."""
    speaker: int | None
    """The id of who says it; None where only one person speaks."""
    seconds: float
    sounds: tuple[Sound, ...]
    run: int
    """The number of the last run that spoke it so, from 1."""

    @property
    def id(self) -> str:
        """What tells it from the other takes of its line: the same words by the same voice are one take."""
        return fingerprint("line take", self.text, self.voice)[:_ID_DIGITS]

    def is_there(self, artifacts: ArtifactReader) -> bool:
        """Return whether its sound is still kept."""
        return all(artifacts.has(sound.kind, sound.name) for sound in self.sounds)

    def clip(self, artifacts: ArtifactReader) -> Clip | None:
        """Return how it sounds in the dub, without what is heard under it; None where its sound is kept no longer."""
        return heard(self.sounds, artifacts)


def heard(sounds: Sequence[Sound], artifacts: ArtifactReader) -> Clip | None:
    """Return how a line of these sounds is heard; None where there are none, or one is kept no longer."""
    clips = [artifacts.get_clip(sound.kind, sound.name) for sound in sounds]
    found = [clip for clip in clips if clip is not None]
    if not found or len(found) < len(clips):
        return None
    rate = found[0].sample_rate
    begins = [round(sound.offset * rate) for sound in sounds]
    whole = np.zeros(max(at + len(clip.samples) for at, clip in zip(begins, found, strict=True)))
    for at, clip, sound in zip(begins, found, sounds, strict=True):
        whole[at : at + len(clip.samples)] += clip.samples * 10 ** (sound.gain / 20)
    most = _FULL_SCALE * media.LIMIT
    return Clip(np.clip(whole, -most, most).astype(np.int16), rate)


def sounds(spoken: Sequence[Spoken], start: float, gain: float) -> tuple[Sound, ...]:
    """Return the sound of a line that starts at `start`; the whole track is amplified by `gain` dB."""
    return tuple(Sound(one.kind, one.name, round(one.start - start, 4), round(one.gain + gain, 2)) for one in spoken)


@dataclass(frozen=True, slots=True)
class History:
    """The takes of all lines of a dub, in the order in which they were spoken last; the present one is the last."""

    heard: str = ""
    """The fingerprint of what was heard: of other words, no take is of use."""
    lines: Mapping[str, tuple[LineTake, ...]] = field(default_factory=dict)
    """By the key of the line."""

    def of(self, heard: str) -> History:
        """Return the same where it is of these words; of others, an empty one. `heard` is their fingerprint."""
        return self if self.heard == heard else History(heard)

    def after(self, takes: Mapping[str, LineTake]) -> History:
        """Return the history with the takes of one more run."""
        lines = dict(self.lines)
        for key, take in takes.items():
            earlier = (one for one in lines.get(key, ()) if one.id != take.id)
            lines[key] = (*earlier, take)[-MOST_TAKES:]
        return History(self.heard, _bounded(lines))

    @property
    def runs(self) -> int:
        """How many runs there were."""
        return max((take.run for takes in self.lines.values() for take in takes), default=0)


def keys(edits: Edits, count: int) -> list[str]:
    """Return what each of `count` lines goes by in every version of a dub, whichever lines are added before it.

    `edits` say which of the lines were added by hand.
    """
    added = iter(edits.added)
    return [_key(number, added) for number in edits.heard(count - len(edits.added))[:count]]


def read(artifacts: ArtifactReader, target: Language) -> History:
    """Return the history of a dub into a language; an empty one where there is none, or it is of another version."""
    kept = artifacts.get_json(_KIND, _name(target))
    try:
        return _HISTORY.validate_python(kept or {})
    except ValidationError:
        return History()


def keep(artifacts: Artifacts, target: Language, heard: str, takes: Mapping[str, LineTake]) -> None:
    """Add the takes of a run to the history; `heard` is the fingerprint of what was heard."""
    known = read(artifacts, target).of(heard)
    artifacts.put_json(_KIND, _name(target), _HISTORY.dump_python(known.after(takes), mode="json"))


_KIND = "takes"
_HISTORY = TypeAdapter(History)


def _name(target: Language) -> str:
    return fingerprint(_KIND, target.code)


def _key(number: int | None, added: Iterator[Added]) -> str:
    if number is not None:
        return str(number)
    # When a line was added, and behind which, never changes: later edits of its times stand beside that.
    one = next(added)
    return f"{one.after}+{one.start}-{one.end}"


def _bounded(lines: Mapping[str, tuple[LineTake, ...]]) -> dict[str, tuple[LineTake, ...]]:
    """Return the takes without the oldest ones, where there are too many."""
    room = _MOST_CHARACTERS
    gone = set[tuple[str, str]]()
    newest = sorted(((take.run, key, take) for key, takes in lines.items() for take in takes), key=lambda one: -one[0])
    for _, key, take in newest:
        room -= len(take.text)
        if room < 0:
            gone.add((key, take.id))
    return {key: tuple(take for take in takes if (key, take.id) not in gone) for key, takes in lines.items()}
