"""Pure: the speakers of a film, and who of them gets which voice."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vt.domain import Edits, Segment, SpeakerEdit
from vt.engines.protocols import Voice

_MALE_BELOW_HZ, _FEMALE_ABOVE_HZ = 150.0, 180.0
"""Between them a pitch tells little of the gender."""
_MIDDLE_HZ = 165.0
"""Where nothing else decides between them, this does."""
_MOST_ROLES = 12
"""In one dub; in a film of more speakers some share one."""
_SHIFTS = (0, -2, 2, -4, 4, -3, 3, -5, 5, -1, 1)
"""Semitones by which a voice is shifted for the speakers after the first: two can be told apart, five sound human."""
_LOWER_FIRST = (0, -3, -5, -2, -4, -1, 2, 4, 3, 5, 1)
_HIGHER_FIRST = tuple(-shift for shift in _LOWER_FIRST)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks in a film."""

    label: str
    """As captions name them, or their number as recognition found it."""
    seconds: float
    """How long they speak."""


@dataclass(frozen=True, slots=True)
class Role:
    """With what voice somebody speaks."""

    voice: str
    """Its id."""
    semitones: int = 0
    """How much higher than its own it is."""


def labels_of(segments: Sequence[Segment]) -> list[str]:
    """Return who speaks each line; all are empty where only one person is named.

    A line without a name is said by whoever spoke before; one in front of the first name, by that one.
    """
    named = list(dict.fromkeys(segment.speaker for segment in segments if segment.speaker))
    if len(named) < 2:
        return [""] * len(segments)
    found, speaking = [], named[0]
    for segment in segments:
        speaking = segment.speaker or speaking
        found.append(speaking)
    return found


def speakers_of(segments: Sequence[Segment]) -> tuple[Speaker, ...]:
    """Return the speakers in the order in which they begin to speak; none where it is only one."""
    seconds: dict[str, float] = {}
    for label, segment in zip(labels_of(segments), segments, strict=True):
        seconds[label] = seconds.get(label, 0.0) + segment.end - segment.start
    return tuple(Speaker(*each) for each in seconds.items()) if len(seconds) > 1 else ()


@dataclass(frozen=True, slots=True)
class Parts:
    """Who speaks in a film, and which lines."""

    labels: tuple[str, ...]
    """By the id of the speaker: as captions or somebody by hand name them, else a number; at least one."""
    who: tuple[int, ...]
    """By line: the id of its speaker."""

    @property
    def are_several(self) -> bool:
        """Whether more than one person speaks."""
        return len(self.labels) > 1

    def edited(self, edits: Edits) -> Parts:
        """Return the parts as they are after edits, which may name a speaker who is not known so far."""
        changed = {line: edit.speaker for line, edit in edits.lines.items() if edit.speaker is not None}
        count = max(len(self.labels), *(speaker + 1 for speaker in (*changed.values(), *edits.speakers)), 1)
        given = {speaker: edit.label for speaker, edit in edits.speakers.items() if edit.label}
        labels = _labels(self.labels, given, count)
        return Parts(tuple(labels), tuple(changed.get(line, who) for line, who in enumerate(self.who)))


def _labels(found: Sequence[str], given: Mapping[int, str], count: int) -> list[str]:
    """Return the labels of so many speakers: given by hand, else as found, else a number that nobody is called by."""
    by_hand = {label.casefold() for label in given.values()}
    taken, labels = by_hand.union(map(str.casefold, found)), list[str]()
    for speaker in range(count):
        label = given.get(speaker, "".join(found[speaker : speaker + 1]))
        if not label or (speaker not in given and label.casefold() in by_hand):
            label = next(number for number in map(str, itertools.count(speaker + 1)) if number not in taken)
            taken.add(label)
        labels.append(label)
    return labels


def parts_of(segments: Sequence[Segment]) -> Parts:
    """Return who speaks which line of a transcript. The ids are in the order in which speakers begin to speak."""
    labels = labels_of(segments)
    known = list(dict.fromkeys(labels))
    only = next((segment.speaker for segment in segments if segment.speaker), "") or "1"
    return Parts(tuple(known) if len(known) > 1 else (only,), tuple(known.index(label) for label in labels))


def wished_for(speakers: Sequence[Speaker], wishes: Mapping[str, str]) -> dict[int, str]:
    """Return the voices that somebody wishes for, by the place of the speaker.

    Args:
        speakers: of the film.
        wishes: the ids of voices, by the label of the speaker, or by their number from 1 on.
    """
    places = {str(number): number - 1 for number in range(1, len(speakers) + 1)}
    places |= {speaker.label.casefold(): place for place, speaker in enumerate(speakers)}
    return {places[name.casefold()]: voice for name, voice in wishes.items() if name.casefold() in places}


def cast(
    speakers: Sequence[Speaker],
    pitches: Sequence[float | None],
    voices: Sequence[Voice],
    wished: Mapping[int, str],
    kept: Mapping[int, Role] | None = None,
) -> tuple[Role, ...]:
    """Return the role of each speaker.

    It is a voice of the speaker's gender where there is one, as the pitch tells it; one that nobody has so far, as long
    as there is one; then one that is shifted. Who speaks most chooses first, and those whose gender is in doubt choose
    after the others: they take what is left of both. A wish counts whatever the pitch is, and moves nobody else but
    those who had the same role.

    Args:
        speakers: in any order.
        pitches: the median of each one's fundamental frequency in hertz; None where that is not known.
        voices: what may be chosen, at least one; the best first.
        wished: ids of voices, by the place of the speaker.
        kept: the roles that speakers had in an earlier film, by their place; no two have the same.
    """
    known = {voice.id for voice in voices}
    had = {place: role for place, role in (kept or {}).items() if role.voice in known}
    wishes = {place: Role(voice) for place, voice in wished.items() if voice in known}
    free = _filled(had, speakers, pitches, voices)
    others = {place: role for place, role in free.items() if role not in wishes.values()}
    roles = _filled(others | wishes, speakers, pitches, voices)
    return tuple(roles[place] for place in range(len(speakers)))


def recast(
    roles: Sequence[Role], count: int, voices: Sequence[Voice], edits: Mapping[int, SpeakerEdit]
) -> tuple[Role, ...]:
    """Return the roles after edits.

    Args:
        roles: before any edit.
        count: how many speakers there are now; of those who were added nothing is known.
        voices: what may be chosen. A voice that was chosen once and is gone since is not missed.
        edits: by the id of the speaker.
    """
    unknown = [Speaker("", 0.0)] * count
    found = _filled(dict(enumerate(roles)), unknown, [None] * count, voices)
    known = {voice.id for voice in voices}
    found |= {one: Role(edit.voice) for one, edit in edits.items() if edit.voice is not None and edit.voice in known}
    return tuple(found[place] for place in range(count))


@dataclass(frozen=True, slots=True)
class Voicing:
    """The voices that a dub needs, and which of them speaks each line."""

    roles: tuple[Role, ...]
    """By voice; those that speak before any edit come first."""
    measured_on: tuple[tuple[int, ...], ...]
    """By voice: the lines that its pace and loudness are measured on. No edit changes those of another voice."""
    before: tuple[int, ...]
    """By line: the place of its voice before any edit."""
    who: tuple[int, ...]
    """By line: the place of its voice."""


def voicing(found: Parts, roles: Sequence[Role], parts: Parts, now: Sequence[Role]) -> Voicing:
    """Return which voices are needed.

    Args:
        found: who speaks which line before any edit.
        roles: theirs, by the id of the speaker.
        parts: who speaks which line now.
        now: the roles after all edits, by the id of the speaker.
    """
    # A role that somebody gets by hand is another voice than the same role of somebody who had it before: so the pace
    # of those who keep theirs stays as it is.
    changes = [(roles[one] if one < len(roles) else None, role) for one, role in enumerate(now)]
    voiced = [*dict.fromkeys([*((role, role) for role in roles), *(changes[one] for one in parts.who)])]

    def measured_on(change: tuple[Role | None, Role]) -> tuple[int, ...]:
        before, after = change
        if before is None:  # somebody who was not known before speaks only what was given to them by hand
            return tuple(line for line, one in enumerate(parts.who) if changes[one] == change)
        theirs = {one for one, role in enumerate(roles) if role == before and after in (before, now[one])}
        return tuple(line for line, one in enumerate(found.who) if one in theirs)

    return Voicing(
        tuple(role for _, role in voiced),
        tuple(map(measured_on, voiced)),
        tuple(voiced.index((roles[one], roles[one])) for one in found.who),
        tuple(voiced.index(changes[one]) for one in parts.who),
    )


def _filled(
    roles: Mapping[int, Role], speakers: Sequence[Speaker], pitches: Sequence[float | None], voices: Sequence[Voice]
) -> dict[int, Role]:
    """Return the roles of all speakers, of whom some have theirs already."""
    found, uses = dict(roles), Counter(roles.values())
    rest = [place for place in range(len(speakers)) if place not in found]
    for place in sorted(rest, key=lambda one: (_doubt(pitches[one]), -speakers[one].seconds, one)):
        found[place] = _chosen(pitches[place], voices, uses)
        uses[found[place]] += 1
    return found


def _gender(pitch: float | None) -> str:
    """Return female or male, or nothing where that is in doubt."""
    if pitch is None or _MALE_BELOW_HZ <= pitch <= _FEMALE_ABOVE_HZ:
        return ""
    return "male" if pitch < _MALE_BELOW_HZ else "female"


def _doubt(pitch: float | None) -> int:
    return 2 if pitch is None else int(not _gender(pitch))


def _chosen(pitch: float | None, voices: Sequence[Voice], uses: Counter[Role]) -> Role:
    """Return the role that suits a speaker best beside those that are in use."""
    gender, of_voice = _gender(pitch), {voice.id: voice.gender for voice in voices}
    likely = "" if pitch is None else "male" if pitch < _MIDDLE_HZ else "female"
    heard = Counter(of_voice[role.voice] for role in uses)

    def unfitness(role: Role) -> tuple[int, ...]:
        """Return what counts against a role, the weightiest first."""
        own = of_voice[role.voice]
        misfit = 0 if not gender or gender == own else 2 if own else 1
        rank = _shifts(gender, own).index(role.semitones)
        return misfit, uses[role], rank, heard[own], int(bool(likely) and own != likely)

    roles = [Role(voice.id, semitones) for voice in voices for semitones in _SHIFTS]
    return min([*uses] if len(uses) >= _MOST_ROLES else roles, key=unfitness)


def _shifts(wanted: str, gender: str) -> tuple[int, ...]:
    """Return by how much a voice is shifted for a speaker, the best first, where it is not known to be of the same."""
    if not wanted or wanted == gender:
        return _SHIFTS
    shifts = _LOWER_FIRST if wanted == "male" else _HIGHER_FIRST
    return shifts if not gender else (*shifts[2:], *shifts[:2])
