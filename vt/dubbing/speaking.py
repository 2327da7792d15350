"""One voice of a dub: its clips, each of which is spoken once, and its pace and loudness."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter

from vt import media
from vt.domain import Cancel, Clip, Placement
from vt.dubbing import evenness, timing
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.dubbing.run import Run
from vt.dubbing.track import Spoken
from vt.engines.protocols import Synthesizer
from vt.media import levels, weighting

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE_SECONDS = 20.0  # of speech, from which the loudness of the voice is measured
_GAINS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0)
# A line is requested a little faster than needed, up to the fastest that it may be. So it nearly always fits, and need
# not be stretched afterwards.
_HASTE = 1.005
_SHORTEST = 0.99
"""Of the planned length: what is shorter is stretched, as each hundredth makes a dub cover its film less well."""
_PACE_LINES = 24
"""How many lines the pace is measured from; their median is within 2 % of that of a thousand lines."""
_SAME_PACE = 0.03
"""A base rate so near to the engine's default is the default."""
_UNHEARD = (0.95, 1.08)
"""Tempos that listeners do not notice: a slow engine does not speak such a line again, it is stretched instead."""

_SILENCE = Clip(np.empty(0, np.int16), media.SPEECH_RATE)
"""For a line whose text the user has removed."""

OnLine = Callable[[float], None]
"""Is called with the share (0..1) of the lines that are done."""
OnClip = Callable[[int, Clip], None]
"""Is called with the place of a line among those of its voice, and with the line as it is spoken at the base rate."""


@dataclass(frozen=True, slots=True)
class Take:
    """One line to be spoken at one rate."""

    text: str
    rate: float
    """Of the engine's default."""


class ClipCache:
    """The clips of an engine: each take is spoken once, and kept as an artifact."""

    def __init__(
        self, engine: Synthesizer, identity: str, artifacts: Artifacts, cancel: Cancel, *, is_dear: bool = False
    ) -> None:
        """`identity`: what the sound depends on, in addition to text and rate: engine, model, language.

        `is_dear`: the engine is slow, so lines are stretched a little instead of being spoken again.
        """
        self.is_dear = is_dear
        self.identity = identity
        self._engine, self._artifacts, self._cancel = engine, artifacts, cancel
        self._stretcher = media.Stretcher(cancel)

    def name(self, take: Take) -> str:
        """Return the fingerprint of a take."""
        return fingerprint("take", self.identity, take.text, round(take.rate, 4))

    def clips(self, takes: Sequence[Take]) -> Generator[Clip, None, None]:
        """Yield a clip for each take, in order; a missing one is spoken when its turn comes."""
        wanted = {self.name(take): take for take in takes if take.text}
        missing = {name: take for name, take in wanted.items() if self._artifacts.get_clip("take", name) is None}
        lines = [(take.text, take.rate) for take in missing.values()]
        with _closed(self._engine.speak(lines, self._cancel)) as sounds:
            spoken = zip(missing, sounds, strict=True)
            for take in takes:
                yield self._found(self.name(take), spoken) if take.text else _SILENCE

    def _found(self, name: str, spoken: Iterator[tuple[str, Clip]]) -> Clip:
        while (clip := self._artifacts.get_clip("take", name)) is None:
            made, sound = next(spoken)
            # Pauses are where the original pauses; in between, every text is said in one breath.
            one_breath = levels.in_one_breath(sound.samples, sound.sample_rate)
            self._artifacts.put_clip("take", made, Clip(one_breath, sound.sample_rate))
        return clip

    def fitted(self, take: Take, clip: Clip, planned: Placement) -> Spoken:
        """Return a take at its planned place; where its length does not fit, a stretched clip, which is kept too."""
        name = self.name(take)
        tempo = stretch_of(clip, planned)
        if tempo is None:
            return Spoken(planned.start, clip.seconds, "take", name)
        name = fingerprint("fitted", name, tempo)
        found = self._artifacts.get_clip("fitted", name)
        if found is None:
            found = Clip(self._stretcher.stretched(clip.samples, clip.sample_rate, tempo), clip.sample_rate)
            self._artifacts.put_clip("fitted", name, found)
        return Spoken(planned.start, found.seconds, "fitted", name)


@contextmanager
def _closed(sounds: Iterator[Clip]) -> Iterator[Iterator[Clip]]:
    """End an engine's work with the block: what is raised while its generator is found to be garbage is lost."""
    try:
        yield sounds
    finally:
        close = getattr(sounds, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True, slots=True)
class VoiceCalibration:
    """What is measured of the voice before any line is placed."""

    base_rate: float
    natural_seconds: tuple[float, ...]
    """Of each line, at the base rate."""
    sample_rate: int
    """Of the voice, in hertz."""
    gain: float
    """In dB: brings the voice to `media.TARGET_LUFS`, as measured from a sample of its speech."""
    reached: tuple[float, ...] = ()
    """The loudness in LUFS of that sample at each of `_GAINS`."""
    line_lufs: float | None = None
    """The median loudness of its lines, before any gain; None where nothing is known of it."""

    def gain_for(self, target_lufs: float) -> float:
        """Return the gain in dB that brings the voice to a loudness."""
        if not self.reached:
            return self.gain + target_lufs - media.TARGET_LUFS
        return _gain_for(target_lufs, self.reached)

    def evening(self, loudness: float, original: float) -> float:
        """Return the gain in dB that makes a line about as loud as the others.

        Args:
            loudness: of the line, in LUFS; minus infinity where it is silent.
            original: by how many LU the line that it stands for is louder than the others of the original.
        """
        if self.line_lufs is None or not np.isfinite(loudness):
            return 0.0
        return evenness.gain(loudness - self.line_lufs, original)


_CALIBRATION = TypeAdapter(VoiceCalibration)


def calibrated(
    run: Run,
    cache: ClipCache,
    texts: Sequence[str],
    slots: Sequence[tuple[float, float]],
    on_line: OnLine,
    on_clip: OnClip,
) -> VoiceCalibration:
    """Return the calibration of a voice for its lines in a film, from the run's artifacts where it is kept there.

    `texts` are the lines as they were translated, before any edit: so neither pace nor loudness changes with an edit.
    """

    def made() -> VoiceCalibration:
        calibration = calibrate(cache, texts, slots, on_line, on_clip)
        seconds = sum(calibration.natural_seconds) * calibration.base_rate
        run.services.paces.learn(cache.identity, sum(map(len, texts)), seconds)
        return calibration

    name = fingerprint(cache.identity, texts, slots)
    calibration: VoiceCalibration = run.kept("rehearsal", name, _CALIBRATION, made)
    return calibration


def calibrate(
    cache: ClipCache,
    texts: Sequence[str],
    slots: Sequence[tuple[float, float]],
    on_line: OnLine,
    on_clip: OnClip = lambda *_: None,
) -> VoiceCalibration:
    """Speak some lines at the default rate, find the base rate from them, and speak all lines at that rate."""
    some = _spread([line for line, text in enumerate(texts) if text], _PACE_LINES)
    default = []
    for clip in cache.clips([Take(texts[line], 1.0) for line in some]):
        default.append(clip.seconds)
        on_line(len(default) / (len(some) + len(texts)))
    base = round(timing.base_rate(default, [slots[line] for line in some]), 4)
    if abs(base - 1.0) < _SAME_PACE:
        base = 1.0
    naturals: list[float] = []
    sample: list[NDArray[np.int16]] = []
    levels: list[float] = []
    rate = 0
    for clip in cache.clips([Take(text, base) for text in texts]):
        if len(clip.samples) or not rate:
            rate = clip.sample_rate
        if sum(map(len, sample)) < _SAMPLE_SECONDS * rate:
            sample.append(clip.samples)
        levels.append(weighting.loudness(clip.samples, clip.sample_rate))
        on_clip(len(naturals), clip)
        naturals.append(clip.seconds)
        on_line((len(some) + len(naturals)) / (len(some) + len(texts)))
    reached = _reached(sample, levels, rate)
    gain = _gain_for(media.TARGET_LUFS, reached) if reached else 0.0
    audible = [level for level in levels if np.isfinite(level)]
    return VoiceCalibration(base, tuple(naturals), rate, gain, reached, median(audible) if audible else None)


def _spread(lines: Sequence[int], most: int) -> list[int]:
    """Return at most so many of the lines, evenly spread."""
    step = max(1.0, len(lines) / most)
    return [lines[int(place * step)] for place in range(min(most, len(lines)))]


def _reached(sample: Sequence[NDArray[np.int16]], levels: Sequence[float], rate: int) -> tuple[float, ...]:
    """Return how loud the first lines are at each of `_GAINS`, evened out; nothing where they are silent.

    `levels` are the loudness of these and of all other lines.
    """
    gains = (evenness.gain(off) for off in evenness.deviations(levels))
    lines = [samples * 10 ** (gain / 20) for samples, gain in zip(sample, gains, strict=False)]
    whole = np.concatenate([np.empty(0), *lines])
    if not whole.any():
        return ()
    return tuple(media.loudness_at(np.clip(whole, -32768, 32767).astype(np.int16), rate, _GAINS))


def _gain_for(target_lufs: float, reached: Sequence[float]) -> float:
    """Return the gain in dB for a loudness, from that at each of `_GAINS`; there is none that is too small."""
    below = min(0.0, target_lufs - reached[0])
    return round(float(np.interp(target_lufs, reached, _GAINS)) + below, 2)


def take_of(spoken: Take, planned: Placement, base_rate: float, dear: bool) -> Take:
    """Return how a line is to be spoken so that it has its planned length, or nearly so.

    Args:
        spoken: how it was spoken to measure it.
        planned: its place.
        base_rate: of its voice.
        dear: whether speaking is slow.
    """
    slowest, fastest = _UNHEARD if dear else (1.0, 1.0)
    if slowest <= planned.tempo * base_rate / spoken.rate <= fastest:
        return spoken
    hurried = min(planned.tempo * _HASTE, _fastest(planned) + timing.UNSEEN_TEMPO / 2)
    return Take(spoken.text, round(base_rate * hurried, 4))


def _fastest(planned: Placement) -> float:
    """Return the tempo that a line at this place may have at most."""
    return max(timing.COMFORTABLE_TEMPO, planned.tempo)


def stretch_of(clip: Clip, planned: Placement) -> float | None:
    """Return the tempo that brings a clip to its planned length, or None where it may stay as it is."""
    if not len(clip.samples) or planned.seconds <= 0:
        return None
    tempo = clip.seconds / planned.seconds
    too_fast = planned.natural_seconds / clip.seconds > _fastest(planned) + timing.UNSEEN_TEMPO and planned.tempo != 1.0
    return None if _SHORTEST <= tempo <= 1.0 + 1e-6 and not too_fast else round(tempo, 6)
