"""What is heard under the voice: the original, turned down where somebody speaks, or the tone of its room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from vt import domain, media
from vt.domain import Placement, Segment, Stage
from vt.dubbing import between_lines, ducking, hearing, track
from vt.dubbing.artifacts import Json, fingerprint
from vt.dubbing.balance import Balance, balanced
from vt.dubbing.between_lines import UNHEARD, Between
from vt.dubbing.ducking import Region
from vt.dubbing.hearing import Examined, slots_of
from vt.dubbing.recognition import Heard
from vt.dubbing.run import Run, with_model
from vt.errors import MediaError
from vt.media import Slowing, SoundFormat, levels, room_tone, weighting
from vt.models.services import SeparationService
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

DUCKED_DB = 18.0
"""How far down the original is where somebody speaks, at least."""
_BELOW_VOICE_DB = 14.0
"""How far it is then below the dub, too, as loud as it is in nearly all of its lines."""
ACCOMPANIMENT_DB, _ACCOMPANIMENT_BELOW_VOICE_DB = 6.0, 10.0
"""The same of the original without its voices: no model takes all of them out, and a dub is harder to understand."""
_SEPARATED = SoundFormat(44_100, 2)
"""What a separation model takes and gives (`VoiceRemover`)."""
_NEARLY_ALL = 95
"""Of a hundred blocks of its lines."""
_BOTH_SIDES_DB = 3.01
"""By how much a sound in two channels is louder than the same in one."""
_PIECE_SECONDS = 10.0
_EDGE_SECONDS = 0.01
"""What is heard fades in where the film begins, and out where it ends."""
_BETWEEN = TypeAdapter(Between)
_BLOCKS = TypeAdapter(tuple[float, ...])


# What is known of the original


@dataclass(frozen=True, slots=True)
class Original:
    """The sound of the film, kept as it is to be heard."""

    path: Path
    form: SoundFormat
    name: str
    """Its fingerprint."""
    blocks: tuple[float, ...]
    """How loud each 400 ms of it are, in LUFS."""
    ducked_db: float = DUCKED_DB
    """How far down it is where somebody speaks, at least."""
    below_voice_db: float = _BELOW_VOICE_DB
    """How far it is below the dub there, at least."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A film's sound beside its speech. It is the same whatever is edited in the dub."""

    slots: tuple[Region, ...]
    """When each line begins and ends, before any edit."""
    film_seconds: float
    room: tuple[float, ...] = ()
    """The spectrum of its quiet; empty: it is silent there."""
    original: Original | None = None
    """What is heard under the dub; None: nothing but the room."""
    louder_lines: tuple[float, ...] = ()
    """By how many LU each line is louder than their median; 0 where nobody can tell."""
    notes: tuple[Message, ...] = ()

    @property
    def spread_db(self) -> float:
        """By how much a voice is louder where it sounds in all channels of the track."""
        return _BOTH_SIDES_DB if self.original and self.original.form.channels == 2 else 0.0

    @property
    def identity(self) -> Json:
        """What decides how loud the voice has to be beside it."""
        return self.original.name if self.original else None

    def slowed(self, run: Run, slowing: Slowing) -> Surroundings:
        """Return the same of the slowed film."""
        slots = tuple((slowing.at(start), slowing.at(end)) for start, end in self.slots)
        original = _slowed(run, self.original, slowing) if self.original else None
        return replace(self, slots=slots, film_seconds=slowing.at(self.film_seconds), original=original)

    def target_rate(self, voice_rate: int) -> int:
        """Return the sample rate of the track, in hertz, for a voice of this one."""
        return self.original.form.rate if self.original else media.output_rate(voice_rate)

    def balance(self, target_lufs: float, voice_seconds: float) -> Balance:
        """Return how loud the voice and the original have to be.

        Args:
            target_lufs: how loud the dub is to be.
            voice_seconds: how long the voice speaks, before any edit.
        """
        if self.original is None:
            return Balance(target_lufs)
        moments = self._moments(self.original)
        full = np.full(len(moments), weighting.BLOCK_SECONDS)
        for start, end in ducking.stretches([], self.slots):
            full[(moments > start) & (moments < end)] = 0.0
        return balanced(target_lufs, voice_seconds, np.array(self.original.blocks), full)

    def under(
        self, plan: Sequence[Placement], segments: Sequence[Segment], balance: Balance, voice_rate: int
    ) -> track.Background | None:
        """Return what is heard under the voice; None: nothing.

        Args:
            plan: where the lines are placed.
            segments: where they are in the original, after all edits.
            balance: as `balance` told it.
            voice_rate: in hertz.
        """
        if self.original:
            regions = ducking.stretches(((at.start, at.end) for at in plan), slots_of(segments))
            return Ducked(self.original, tuple(regions), self._depth(self.original, balance), self.film_seconds)
        if not self.room:
            return None
        rate = media.output_rate(voice_rate)
        tone = room_tone.tone(self.room, media.SPEECH_RATE, rate)
        return Room(tone, fingerprint("room", self.room), SoundFormat(rate, 1), self.film_seconds)

    def _depth(self, original: Original, balance: Balance) -> float:
        """Return by how many dB the original is turned down."""
        blocks, moments = np.array(original.blocks), self._moments(original)
        spoken = np.zeros(len(blocks), bool)
        for start, end in self.slots:
            spoken |= (moments > start) & (moments < end)
        loud = float(np.percentile(blocks[spoken], _NEARLY_ALL)) if spoken.any() else weighting.SILENT_LUFS
        below_voice = loud + balance.background_db - balance.voice_lufs + original.below_voice_db
        return round(max(original.ducked_db + max(balance.background_db, 0.0), below_voice), 1)

    def _moments(self, original: Original) -> NDArray[np.float64]:
        return (np.arange(len(original.blocks), dtype=np.float64) + 0.5) * weighting.BLOCK_SECONDS


def surroundings(run: Run, examined: Examined, heard: Heard, name: str) -> Surroundings:
    """Find out what is heard beside the speech, and get it ready where it is to be kept under the dub.

    Args:
        run: the dub.
        examined: the film, with the track that was heard.
        heard: what is said in it.
        name: the fingerprint of what is heard.
    """
    slots, wanted = tuple(slots_of(heard.transcript.segments)), run.request.finish.background
    found = Surroundings(slots, heard.film_seconds, louder_lines=(0.0,) * len(slots))
    with run.stage(Stage.EXTRACT):
        between = _between(run, examined, heard, name)
        if between == UNHEARD:
            asked = wanted in (domain.Background.DUCK, domain.Background.KEEP)
            return replace(found, notes=(Message("The film has no sound to keep under the dub."),) if asked else ())
        found = replace(found, louder_lines=between.louder_lines)
        if wanted == domain.Background.NONE or (wanted is None and not between.has_sound):
            return replace(found, room=between.room)
        original = _accompaniment(run, examined) if wanted == domain.Background.KEEP else _original(run, examined)
    return replace(found, original=original, notes=() if wanted else (_KEPT,))


_KEPT = Message(
    "There is more to hear between the lines than a quiet room, so the original sound is kept under the dub, turned "
    "down where somebody speaks. It can be left out."
)


def _between(run: Run, examined: Examined, heard: Heard, name: str) -> Between:
    """Return what is heard between the lines."""

    def made() -> Between:
        if examined.track is None:
            return UNHEARD
        try:
            samples = media.StoredSamples(hearing.sound_file(run, examined.info, examined.track))
        except MediaError:  # subtitles say what is said: the film may be silent, or its sound of an unknown kind
            return UNHEARD
        return between_lines.heard_between(samples, slots_of(heard.transcript.segments), heard.film_seconds)

    found: Between = run.kept("between", fingerprint("between", name), _BETWEEN, made)
    return found


def _original(run: Run, examined: Examined) -> Original:
    """Return the sound of the film as it is to be heard, decoded once."""
    name, sound = _name("original", run, examined), _track(examined)
    form, longest = media.full_format(sound), run.request.longest_seconds
    path = run.artifacts.file(
        "original",
        name,
        ".pcm",
        lambda made: media.extract_in(form, examined.info, sound, made, run.cancel, longest),
    )
    return Original(path, form, name, _blocks(run, path, form, name))


def _accompaniment(run: Run, examined: Examined) -> Original:
    """Return the sound of the film without its voices, separated once."""
    model = run.services.settings.separation_model
    name, form = _name(f"accompaniment {model}", run, examined), media.full_format(_track(examined))

    def separate(made: Path) -> None:
        mixed, apart = made.with_suffix(".mixed"), made.with_suffix(".apart")
        longest = run.request.longest_seconds
        media.extract_in(_SEPARATED, examined.info, _track(examined), mixed, run.cancel, longest)
        with_model(
            lambda after: run.services.get_separation_service(cancel=run.cancel, after=after),
            lambda service: _without_voices(run, service, mixed, apart),
        )
        media.converted(apart, _SEPARATED, made, form, run.cancel)

    path = run.artifacts.file("accompaniment", name, ".pcm", separate)
    blocks = _blocks(run, path, form, name)
    return Original(path, form, name, blocks, ACCOMPANIMENT_DB, _ACCOMPANIMENT_BELOW_VOICE_DB)


def _without_voices(run: Run, service: SeparationService, mixed: Path, apart: Path) -> None:
    """Write a sound without its voices."""
    count, done = _length(mixed, _SEPARATED), 0
    pieces = (piece.astype(np.float32) / np.float32(32768) for piece in _pieces(mixed, _SEPARATED, 0, count))
    with apart.open("wb") as file:
        for part in service.without_voices(pieces, run.cancel):
            file.write(levels.to_int16(part).astype("<i2").tobytes())
            done += len(part)
            run.tell(Stage.EXTRACT, done / count)


def _track(examined: Examined) -> media.Track:
    assert examined.track is not None  # noqa: S101 (or nothing would have been heard between the lines)
    return examined.track


def _name(what: str, run: Run, examined: Examined) -> str:
    return fingerprint(what, run.artifacts.identity(examined.info.path), _track(examined).index)


def _blocks(run: Run, path: Path, form: SoundFormat, name: str) -> tuple[float, ...]:
    """Return how loud each 400 ms of a sound are."""

    def measured() -> tuple[float, ...]:
        found: list[float] = []
        for piece in _pieces(path, form, 0, _length(path, form)):
            run.cancel.check()
            found += (round(float(level), 1) for level in weighting.blocks(piece, form.rate))
        return tuple(found)

    found: tuple[float, ...] = run.kept("blocks", name, _BLOCKS, measured)
    return found


def _slowed(run: Run, original: Original, slowing: Slowing) -> Original:
    """Return a sound as it is in the slowed film."""
    stretches: Json = [[part.start, part.end, part.factor] for part in slowing.stretches]
    name, form = fingerprint("slowed", original.name, stretches), original.form

    def slow(made: Path) -> None:
        media.slowed_samples(original.path, form, slowing, made, run.cancel)

    path = run.artifacts.file("slowed", name, ".pcm", slow)
    return replace(original, path=path, name=name, blocks=_blocks(run, path, form, name))


def _length(path: Path, form: SoundFormat) -> int:
    """Return how many samples of each channel a file holds."""
    return path.stat().st_size // (2 * form.channels)


def _pieces(path: Path, form: SoundFormat, first: int, last: int) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a file from one to another, in pieces of shape (n, channels); behind its end is silence."""
    step = round(_PIECE_SECONDS * form.rate)
    with path.open("rb") as file:
        file.seek(2 * form.channels * first)
        for at in range(first, last, step):
            count = min(step, last - at)
            there = np.fromfile(file, "<i2", count * form.channels)
            whole = np.zeros(count * form.channels, np.int16)
            whole[: len(there)] = there
            yield whole.reshape(count, form.channels)


# Under the voice


@dataclass(frozen=True, slots=True)
class Ducked:
    """The original, turned down where somebody speaks."""

    original: Original
    regions: tuple[Region, ...]
    """Where it is down."""
    depth: float
    """In dB: how far."""
    film_seconds: float

    @property
    def form(self) -> SoundFormat:
        """That of the original."""
        return self.original.form

    def name(self, first: int, last: int) -> Json:
        """Return what decides the samples from `first` to `last`."""
        rate = self.form.rate
        down = [[round(end, 6) for end in region] for region in ducking.within(self.regions, first / rate, last / rate)]
        return [self.original.name, first, self.depth, self.film_seconds, down]

    def samples(self, first: int, last: int) -> Iterator[NDArray[np.float32]]:
        """Yield these samples in pieces of shape (n, channels), full scale being 1.0."""
        at, rate = first, self.form.rate
        for piece in _pieces(self.original.path, self.form, first, last):
            factors = ducking.gains(self.regions, self.depth, at / rate, len(piece), rate)
            factors *= _edges(at, len(piece), rate, self.film_seconds)
            yield piece * (factors / np.float32(32768))[:, None]
            at += len(piece)


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The tone of a room, again and again."""

    tone: NDArray[np.float32]
    """Shape (n,)."""
    identity: str
    """The fingerprint of its spectrum."""
    form: SoundFormat
    film_seconds: float

    def name(self, first: int, last: int) -> Json:
        """Return what decides the samples from `first` to `last`."""
        del last
        return [self.identity, first, self.film_seconds]

    def samples(self, first: int, last: int) -> Iterator[NDArray[np.float32]]:
        """Yield these samples in pieces of shape (n, 1), full scale being 1.0."""
        step, rate = round(_PIECE_SECONDS * self.form.rate), self.form.rate
        for at in range(first, last, step):
            count = min(step, last - at)
            again = self.tone[np.arange(at, at + count) % len(self.tone)]
            yield (again * _edges(at, count, rate, self.film_seconds))[:, None]


def _edges(first: int, count: int, rate: int, film_seconds: float) -> NDArray[np.float32]:
    """Return the factors that fade a sound in at the start of a film and out at its end, and leave out the rest."""
    moments = (first + np.arange(count)) / rate
    inside = np.minimum(moments, film_seconds - moments) / _EDGE_SECONDS
    return np.asarray(np.clip(inside, 0.0, 1.0), np.float32)
