"""The voices of a dub together: who speaks which line, all equally loud, planned and spoken into one track."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from pydantic import TypeAdapter

from vt import media
from vt.domain import Cancel, Clip, Line, Placement, Segment, Stage, Timed
from vt.dubbing import casting, hearing, phrases, speaking, timing
from vt.dubbing.artifacts import Json, fingerprint
from vt.dubbing.casting import Parts, Role, Speaker, Voicing
from vt.dubbing.hearing import Examined, slots_of
from vt.dubbing.known_voices import Person
from vt.dubbing.line_levels import LineLevels
from vt.dubbing.phrases import Phrase, Phrased
from vt.dubbing.recognition import Heard
from vt.dubbing.report import Script
from vt.dubbing.run import Run
from vt.dubbing.speaking import ClipCache, OnClip, Take, VoiceCalibration
from vt.dubbing.track import DubTrack, Spoken
from vt.dubbing.translating import voice_name
from vt.engines.candidate import Choice
from vt.engines.protocols import ManyVoiced, Synthesizer, Voice
from vt.errors import MediaError
from vt.languages import Language
from vt.system.lookahead import run_ahead
from vt.text import subtitles
from vt.text.normalization import normalized
from vt.translatable import Message

_MOST_NAMED = 12
"""Speakers that a note lists."""
_PACE_LINES = 24
"""So many lines tell the pace by which the length of an edited one is guessed."""
_FITTED_AT_ONCE = 8
"""Lines that are brought to their lengths at a time, while further ones are spoken: those of a voice share programs."""
_Loud = tuple[int, list[tuple[Take, Clip]], float]
"""A line, how its parts were spoken, and the gain in dB that makes it as loud as the others."""
_ROLES = TypeAdapter(tuple[Role, ...])
_PITCHES = TypeAdapter(tuple[float | None, ...])


@dataclass(frozen=True, slots=True)
class Shifted:
    """A voice that speaks higher or lower than its engine made it."""

    engine: Synthesizer
    semitones: int

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate), in order."""
        for clip in self.engine.speak(lines, cancel):
            yield Clip(media.shifted(clip.samples, clip.sample_rate, self.semitones, cancel), clip.sample_rate)

    def close(self) -> None:
        """Do nothing: the engine is somebody else's."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The voices of one dub, and which of them speaks each line."""

    caches: tuple[ClipCache, ...]
    """By voice."""
    needed: Voicing
    voices: tuple[str, ...]
    """The id of each speaker's voice, by the id of the speaker."""
    choice: Choice
    """Which engine speaks; its voice is that of the only speaker, or of the one that was chosen for all."""
    notes: tuple[Message, ...] = ()

    @property
    def identity(self) -> Json:
        """What all of the sound depends on before any edit, in addition to texts and rates."""
        if len(set(self.needed.before)) <= 1:
            return self.caches[0].identity
        return [self.caches[place].identity for place in self.needed.before]

    def is_dear(self, line: int) -> bool:
        """Tell whether a line's voice is slow to speak."""
        return self.caches[self.needed.who[line]].is_dear

    def clips(self, takes: Sequence[tuple[int, Take]], who: Sequence[int] | None = None) -> Iterator[Clip]:
        """Yield a clip for each take, in order.

        Args:
            takes: each with its line.
            who: by line, the place of the voice that speaks it; as it is now, where none is given.
        """
        speaks = self.needed.who if who is None else who
        with ExitStack() as stack:
            streams = [
                stack.enter_context(closing(cache.clips([take for line, take in takes if speaks[line] == place])))
                for place, cache in enumerate(self.caches)
            ]
            for line, _ in takes:
                yield next(streams[speaks[line]])


@dataclass(frozen=True, slots=True)
class Calibration:
    """What is measured of all voices before any line is placed."""

    voices: tuple[VoiceCalibration, ...]
    needed: Voicing

    @property
    def _main(self) -> VoiceCalibration:
        first = self.voices[: max(self.needed.before, default=0) + 1]
        return max(first, key=lambda voice: sum(voice.natural_seconds))

    @property
    def base_rate(self) -> float:
        """That of the voice that speaks most."""
        return self._main.base_rate

    @property
    def sample_rate(self) -> int:
        """Of the voices, in hertz."""
        return self._main.sample_rate

    @property
    def gain(self) -> float:
        """In dB: what brings the quietest voice to the loudness that is wanted."""
        return max(voice.gain for voice in self.voices if any(voice.natural_seconds) or voice is self._main)

    def gain_for(self, target_lufs: float) -> float:
        """Return the gain in dB that brings the quietest voice to a loudness."""
        quietest = max(self.voices, key=lambda voice: (any(voice.natural_seconds) or voice is self._main, voice.gain))
        return quietest.gain_for(target_lufs)

    def rate(self, line: int) -> float:
        """Return the base rate of a line's voice."""
        return self.voices[self.needed.who[line]].base_rate

    def rate_before(self, line: int) -> float:
        """Return the base rate of the voice that a line has before any edit."""
        return self.voices[self.needed.before[line]].base_rate

    def trim(self, line: int) -> float:
        """Return by how many dB a line has to be less amplified than the quietest voice."""
        return min(0.0, round(self.voices[self.needed.who[line]].gain - self.gain, 2))

    def line_gain(self, line: int, loudness: float, original: float) -> float:
        """Return the gain in dB that makes a line as loud as those of all voices.

        Args:
            line: which one.
            loudness: of its sound, in LUFS; minus infinity where it is silent.
            original: by how many LU the line that it stands for is louder than the others of the original.
        """
        return round(self.trim(line) + self.voices[self.needed.who[line]].evening(loudness, original), 2)

    def natural_seconds(self) -> list[float]:
        """Return the length of each line before any edit, at the base rate of its voice."""
        lengths = [iter(voice.natural_seconds) for voice in self.voices]
        return [next(lengths[place]) for place in self.needed.before]


# Who speaks


@dataclass(frozen=True, slots=True)
class Cast:
    """Finds the voices of one dub."""

    run: Run
    examined: Examined
    heard: Heard
    heard_name: str
    """The fingerprint of what is heard."""
    choice: Choice
    """Which engine speaks, and with what voice where one is enough."""
    target: Language

    def gathered(self, engine: Synthesizer, parts: Parts) -> Ensemble:
        """Return the voices.

        Args:
            engine: the model that speaks.
            parts: who speaks which line, after all edits.
        """
        segments, edits = self.heard.transcript.segments, self.run.request.edits
        found, speakers, voices = casting.parts_of(segments), casting.speakers_of(segments), self._voices(engine)
        roles = self._roles(speakers, voices) if speakers else (self._only_role(voices),)
        now = casting.recast(roles, len(parts.labels), voices, edits.speakers)
        needed = casting.voicing(found, roles, parts, now)
        is_other = not parts.are_several and now[0].voice != voices[0].id
        return Ensemble(
            caches=tuple(self._cache(engine, role, voices[0]) for role in needed.roles),
            needed=needed,
            voices=tuple(role.voice for role in now),
            choice=replace(self.choice, voice=now[0].voice) if is_other else self.choice,
            notes=tuple(self._strangers(speakers)),
        )

    def _strangers(self, speakers: Sequence[Speaker]) -> Iterator[Message]:
        """Yield a note where a voice is wished for somebody who does not speak."""
        wishes = self.run.request.wishes.voices_of_speakers
        if wishes and not speakers:
            yield Message("Voices were named for several speakers, but only one was told apart.")
        elif absent := [name for name in wishes if not casting.wished_for(speakers, {name: ""})]:
            known = ", ".join(f"{number} ({speaker.label})" for number, speaker in enumerate(speakers[:_MOST_NAMED], 1))
            yield Message("No speaker goes by {names}; there are {known}.", names=", ".join(absent), known=known)

    def _cache(self, engine: Synthesizer, role: Role, own: Voice) -> ClipCache:
        """Return the clips of a role; `own` is the voice that the engine speaks with as it is."""
        run, choice = self.run, self.choice
        if role.voice != own.id and isinstance(engine, ManyVoiced):
            engine, choice = engine.speaking(role.voice), replace(choice, voice=role.voice)
        identity = voice_name(choice, self.target)
        if role.semitones:
            engine, identity = Shifted(engine, role.semitones), f"{identity} {role.semitones:+d}"
        return ClipCache(engine, identity, run.artifacts, run.cancel, is_dear=choice.info.is_dear)

    def _voices(self, engine: Synthesizer) -> list[Voice]:
        """Return what the engine can speak the language with, at least one voice; the chosen one first."""
        choice, wanted = self.choice, (self.choice.info.name, self.target)
        listed = [one for one in self.run.services.voices() if (one.engine, one.language) == wanted]
        unlisted = Voice(choice.voice or choice.model, self.target, "", "", choice.info.name, choice.info.licence)
        own = next((one for one in listed if choice.voice in ("", one.id)), unlisted)
        return [own, *(one for one in listed if one is not own)] if isinstance(engine, ManyVoiced) else [own]

    def _roles(self, speakers: Sequence[Speaker], voices: Sequence[Voice]) -> tuple[Role, ...]:
        """Return the role of each speaker. They are kept, so that speakers keep theirs when others become known."""
        pitches, wishes = self._pitches(), self.run.request.wishes
        wished = casting.wished_for(speakers, wishes.voices_of_speakers)
        if wishes.voice and not wishes.voices_of_speakers:
            wished = dict.fromkeys(range(len(speakers)), voices[0].id)

        def made() -> tuple[Role, ...]:
            people = [self._person(speaker.label) for speaker in speakers]
            choose = functools.partial(casting.cast, speakers, pitches, voices, wished)
            return self.run.known_voices.cast(self._spoken_by, people, choose)

        used = self.target.code, self.choice.info.name, self.choice.model, wishes.voice
        roles: tuple[Role, ...] = self.run.kept("cast", fingerprint("cast", self.heard_name, *used), _ROLES, made)
        return roles if {role.voice for role in roles} <= {voice.id for voice in voices} else made()

    def _only_role(self, voices: Sequence[Voice]) -> Role:
        """Return the role that the only speaker had in a film before, else that of the chosen voice."""
        own, known = Role(voices[0].id), {voice.id for voice in voices}
        names = (segment.speaker for segment in self.heard.transcript.segments if segment.speaker)

        def chosen(kept: Mapping[int, Role]) -> tuple[Role]:
            had = None if self.run.request.wishes.voice else kept.get(0)
            return (had if had and had.voice in known else own,)

        (role,) = self.run.known_voices.cast(self._spoken_by, [self._person(next(names, ""))], chosen)
        return role

    @property
    def _spoken_by(self) -> tuple[str, str]:
        return self.target.code, self.choice.info.name

    def _person(self, label: str) -> Person:
        """Return by what a speaker may be known again: the voice, or the name that captions give."""
        is_name = self.heard.choice is None and not subtitles.is_number(label)
        return Person(label if is_name else "", self.heard.voiceprints.get(label, ()))

    def _pitches(self) -> tuple[float | None, ...]:
        """Return how high each speaker's voice is, in hertz; None where the film has no sound to tell."""
        name = fingerprint("pitches", self.heard_name)
        found: tuple[float | None, ...] = self.run.kept("pitches", name, _PITCHES, self._measured)
        return found

    def _measured(self) -> tuple[float | None, ...]:
        segments = self.heard.transcript.segments
        stretches: dict[str, list[tuple[float, float]]] = {}
        for label, slot in zip(casting.labels_of(segments), slots_of(segments), strict=True):
            stretches.setdefault(label, []).append(slot)
        if self.examined.track is None:
            return (None,) * len(stretches)
        try:
            samples, _ = hearing.sound(self.run, self.examined.info, self.examined.track)
        except MediaError:  # subtitles say what is said: the film may be silent
            return (None,) * len(stretches)
        return tuple(media.median_pitch(samples, media.SPEECH_RATE, slots) for slots in stretches.values())


# What they speak


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """A line as it was spoken into the track."""

    placement: Placement
    """Where it really is."""
    sounds: tuple[Spoken, ...]
    """Its phrases; none where nothing is spoken."""


def calibrated(
    run: Run, ensemble: Ensemble, segments: Sequence[Segment], texts: Sequence[str], hear: OnClip = lambda *_: None
) -> Calibration:
    """Return the calibration of each voice for its lines, as they were translated, before any edit.

    `hear` is called with the number of each line that is spoken for it, and with its sound.
    """
    slots = slots_of(segments)
    voices: list[VoiceCalibration] = []
    for place, cache in enumerate(ensemble.caches):
        lines = ensemble.needed.measured_on[place]

        def on_line(share: float, before: int = place) -> None:
            run.tell(Stage.SPEAK, (before + share) / len(ensemble.caches) / 2)

        def on_clip(line: int, clip: Clip, lines: Sequence[int] = lines) -> None:
            hear(lines[line], clip)

        own = [texts[line] for line in lines], [slots[line] for line in lines]
        voices.append(speaking.calibrated(run, cache, *own, on_line, on_clip))
    return Calibration(tuple(voices), ensemble.needed)


@dataclass(frozen=True, slots=True)
class Worded:
    """What is spoken of each line, before any edit."""

    texts: tuple[str, ...]
    natural_seconds: tuple[float, ...]
    """At the base rate of the line's voice, in one breath."""


@dataclass(frozen=True, slots=True)
class Part:
    """A phrase of a line that is spoken by itself, as the original pauses around it."""

    text: str
    placement: Placement


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything is spoken."""

    placements: list[Placement]
    """By line."""
    parts: Mapping[int, Sequence[Part]]
    """By line: its phrases, where it is spoken in several."""
    spoken: Mapping[int, Take] = field(default_factory=dict)
    """By edited line: what was spoken to measure it."""

    def phrases(self, placements: Sequence[Placement]) -> tuple[tuple[Timed, ...], ...]:
        """Return when the phrases of each line are said, where it has several; `placements`: the true ones by line."""
        return tuple(
            tuple(
                Timed.of(part.text, part.placement.start, min(part.placement.end, placed.end))
                for part in self.parts.get(line, ())
            )
            for line, placed in enumerate(placements)
        )


def planned(ensemble: Ensemble, calibration: Calibration, heard: Heard, worded: Worded, script: Script) -> Plan:
    """Place the lines as they were translated, and then the edited ones anew, so that the others stay where they are.

    Args:
        ensemble: speaks the edited lines, to measure them.
        calibration: of its voices.
        heard: the film's transcript, before any edit.
        worded: the lines, before any edit.
        script: the lines as they are now.
    """
    slots, film, texts = slots_of(heard.transcript.segments), heard.film_seconds, worded.texts
    lines, plan, phrased = _in_phrases(ensemble, calibration, heard, worded, script.target_language)
    now = slots_of(script.transcript.segments)
    voices = [*zip(ensemble.needed.before, ensemble.needed.who, strict=True)]
    changed = [
        line
        for line, (before, after) in enumerate(voices)
        if before != after or texts[line] != script.texts[line] or slots[line] != now[line]
    ]
    takes = [(line, Take(script.texts[line], calibration.rate(line))) for line in changed]
    if changed:
        if any(ensemble.is_dear(line) and take.text for line, take in takes):
            pace = _pace(worded, script.target_language)
            for line, take in takes:
                lines[line] = Line(*now[line], pace * _spoken_length(take.text, script.target_language))
            guessed = timing.amended(plan, lines, changed, film)
            takes = [(line, _first_take(ensemble, line, take, guessed[line])) for line, take in takes]
        for (line, take), clip in zip(takes, ensemble.clips(takes), strict=True):
            lines[line] = Line(*now[line], clip.seconds * take.rate / calibration.rate(line))
        plan = timing.amended(plan, lines, changed, film)
    unchanged = {line: one for line, one in phrased.items() if line not in changed}
    return replace(_with_parts(plan, unchanged, worded), spoken=dict(takes))


def _first_take(ensemble: Ensemble, line: int, take: Take, guessed: Placement) -> Take:
    """Return how an edited line is spoken first: at the base rate, from which its length is measured exactly.

    Where speaking is slow, the line is spoken at the rate that it will probably have, so that this is mostly not done
    twice; its length at the base rate is then known to 5 % or so.

    Args:
        ensemble: speaks it.
        line: which one.
        take: at the base rate.
        guessed: where it would be placed.
    """
    is_guessed = bool(take.text) and ensemble.is_dear(line)
    return speaking.take_of(take, guessed, take.rate, dear=True) if is_guessed else take


def _pace(worded: Worded, language: Language) -> float:
    """Return about how many seconds at the base rate a character of what is spoken takes, before any edit."""
    some = slice(None, None, math.ceil(len(worded.texts) / _PACE_LINES))
    characters = sum(_spoken_length(text, language) for text in worded.texts[some])
    return sum(worded.natural_seconds[some]) / max(1, characters)


def _spoken_length(text: str, language: Language) -> int:
    """Return how many characters a text has once its numbers and abbreviations are written out."""
    return len(normalized(text, language.code))


def _in_phrases(
    ensemble: Ensemble, calibration: Calibration, heard: Heard, worded: Worded, language: Language
) -> tuple[list[Line], list[Placement], dict[int, Phrased]]:
    """Return the lines before any edit, their placements, and those of them that are spoken in several phrases."""
    slots = slots_of(heard.transcript.segments)
    divided = (
        phrases.divided(text, segment, language)
        for text, segment in zip(worded.texts, heard.transcript.segments, strict=True)
    )
    phrased = _phrased(ensemble, calibration, divided)
    while True:
        naturals = [
            phrased[line].natural_seconds if line in phrased else alone
            for line, alone in enumerate(worded.natural_seconds)
        ]
        lines = [Line(*slot, natural) for slot, natural in zip(slots, naturals, strict=True)]
        plan = timing.place(lines, heard.film_seconds)
        fit = {line: one for line, one in phrased.items() if one.placed(plan[line])}
        if len(fit) == len(phrased):
            return lines, plan, phrased
        phrased = fit


def _phrased(ensemble: Ensemble, calibration: Calibration, divided: Iterable[tuple[Phrase, ...]]) -> dict[int, Phrased]:
    """Return those of the lines that have several phrases, with these measured."""
    several = {line: parts for line, parts in enumerate(divided) if len(parts) > 1}
    takes = [
        (line, Take(part.text, calibration.rate_before(line))) for line, parts in several.items() for part in parts
    ]
    lengths: dict[int, list[float]] = {line: [] for line in several}
    for (line, _), clip in zip(takes, ensemble.clips(takes, ensemble.needed.before), strict=True):
        lengths[line].append(clip.seconds)
    return {line: Phrased(parts, tuple(lengths[line])) for line, parts in several.items()}


def _with_parts(plan: list[Placement], phrased: Mapping[int, Phrased], worded: Worded) -> Plan:
    """Return the plan with the phrases of its lines; one whose phrases fit no longer is spoken in one breath."""
    placements, parts = list(plan), dict[int, list[Part]]()
    for line, one in phrased.items():
        placed = one.placed(plan[line])
        if placed:
            texts = (phrase.text for phrase in one.phrases)
            parts[line] = [Part(*part) for part in zip(texts, placed, strict=True)]
        else:
            alone, whole = worded.natural_seconds[line], plan[line]
            end = min(whole.end, whole.start + alone / timing.SLOWEST_TEMPO)
            placements[line] = replace(whole, end=end, natural_seconds=alone)
    return Plan(placements, parts)


def speak(
    ensemble: Ensemble,
    calibration: Calibration,
    track: DubTrack,
    texts: Sequence[str],
    plan: Plan,
    originals: Sequence[float],
    levels: LineLevels,
) -> Iterator[tuple[int, SpokenLine]]:
    """Speak the lines into the track, and yield each, by its number, as it was spoken.

    They come in order, but for the edited ones, which come first: somebody may be waiting to hear them.

    Args:
        ensemble: the voices.
        calibration: of the voices.
        track: takes the lines.
        texts: of the lines.
        plan: where they are placed.
        originals: by how many LU each line of the original is louder than the others.
        levels: tell how loud each line is.
    """
    lines = _parts(texts, plan)
    order = [*plan.spoken, *(line for line in range(len(lines)) if line not in plan.spoken)]
    takes = _takes(ensemble, calibration, lines, plan, order)
    clips = zip(takes, ensemble.clips(takes), strict=True)

    def loud(line: int) -> _Loud:
        own = [(take, clip) for (_, take), clip in islice(clips, len(lines[line]))]
        cache = ensemble.caches[ensemble.needed.who[line]]
        loudness = levels.level([cache.name(take) for take, _ in own], [clip for _, clip in own])
        return line, own, calibration.line_gain(line, loudness, originals[line])

    def placed(one: _Loud) -> tuple[int, SpokenLine]:
        line, own, gain = one
        cache = ensemble.caches[ensemble.needed.who[line]]
        return line, _spoken(cache, plan.placements[line], lines[line], own, gain)

    first, others = order[: len(plan.spoken)], order[len(plan.spoken) :]
    early: dict[int, SpokenLine] = {}
    due = 0
    # What is stretched is cancelled by the cancel of its clips. Edited lines wait for none behind them.
    at_once = _FITTED_AT_ONCE
    ahead = run_ahead(placed, map(loud, others), threads=at_once, ahead=at_once, name="fit", cancel=Cancel())
    with closing(ahead):
        for line, spoken in chain((placed(loud(line)) for line in first), ahead):
            early[line] = spoken
            yield line, spoken
            while due in early:  # the track takes them in the order of their starts
                for sound in early.pop(due).sounds:
                    track.add(sound)
                due += 1


def speak_ahead(ensemble: Ensemble, calibration: Calibration, texts: Sequence[str], plan: Plan) -> None:
    """Speak the edited lines as `speak` does, and keep them: what is not edited has been spoken before."""
    lines = _parts(texts, plan)
    takes = _takes(ensemble, calibration, lines, plan, [*plan.spoken])
    parts = (part for line in plan.spoken for part in lines[line])
    for (line, take), clip, part in zip(takes, ensemble.clips(takes), parts, strict=True):
        ensemble.caches[ensemble.needed.who[line]].fitted(take, clip, part.placement)


def _parts(texts: Sequence[str], plan: Plan) -> list[Sequence[Part]]:
    """Return what is spoken of each line in one breath."""
    whole = ([Part(text, placed)] for text, placed in zip(texts, plan.placements, strict=True))
    return [plan.parts.get(line, alone) for line, alone in enumerate(whole)]


def _takes(
    ensemble: Ensemble,
    calibration: Calibration,
    lines: Sequence[Sequence[Part]],
    plan: Plan,
    order: Sequence[int],
) -> list[tuple[int, Take]]:
    """Return the takes of some lines in an order, each with its line."""
    return [
        (line, _take_of(ensemble, calibration, line, part, plan.spoken.get(line)))
        for line in order
        for part in lines[line]
    ]


def _spoken(
    cache: ClipCache, planned: Placement, parts: Sequence[Part], clips: Sequence[tuple[Take, Clip]], gain: float
) -> SpokenLine:
    """Return a line as it was spoken, each of its phrases at its place."""
    fitted = [cache.fitted(take, clip, part.placement) for part, (take, clip) in zip(parts, clips, strict=True)]
    ends = [planned.start, *(part.placement.start + sound.seconds for part, sound in zip(parts, fitted, strict=True))]
    sounds = tuple(replace(sound, gain=gain) for sound in fitted if sound.seconds)
    return SpokenLine(replace(planned, end=ends[-1]), sounds)


def _take_of(ensemble: Ensemble, calibration: Calibration, line: int, part: Part, spoken: Take | None) -> Take:
    rate = calibration.rate(line)
    return speaking.take_of(spoken or Take(part.text, rate), part.placement, rate, ensemble.is_dear(line))
