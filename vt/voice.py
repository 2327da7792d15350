"""The voice of a dub: rehearsed for its pace and loudness, then spoken line by line into the dubbed track."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vt import media, timing
from vt.domain import Cancel, Clip, Placement
from vt.engines.base import Synthesizer
from vt.media import DubWriter, Loudness

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SAMPLE_SECONDS = 20.0  # of speech tell how loud the voice is
_GAINS = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0)
_TOLERANCE_LU = 0.7
_PEAK_MARGIN_DB = 0.2
_CORRECTIONS = 3
# Asked to be a little faster than needed, a line nearly always fits without being stretched afterwards.
_HASTE = 1.012
_SHORTEST = 0.97

OnLine = Callable[[float], None]
"""Is told the share (0..1) of the lines that are done."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is known of the voice before any line is placed."""

    base_rate: float
    natural_seconds: tuple[float, ...]
    """Of each line, at the base rate."""
    sample_rate: int
    gain: float
    """In dB, that brings the voice to the target loudness."""


def rehearse(
    engine: Synthesizer, texts: Sequence[str], slots: Sequence[tuple[float, float]], on_line: OnLine, cancel: Cancel
) -> Rehearsal:
    """Speak every line once at the default rate and once at the base rate that follows from it."""
    default = []
    for clip in engine.speak([(text, 1.0) for text in texts], cancel):
        default.append(clip.seconds)
        on_line(len(default) / len(texts) / 2)
    base = timing.base_rate(default, slots)
    naturals: list[float] = []
    sample: list[NDArray[np.int16]] = []
    rate = 0
    for clip in engine.speak([(text, base) for text in texts], cancel):
        rate = clip.sample_rate
        if sum(map(len, sample)) < _SAMPLE_SECONDS * rate:
            sample.append(clip.samples)
        naturals.append(clip.seconds)
        on_line(0.5 + len(naturals) / len(texts) / 2)
    return Rehearsal(base, tuple(naturals), rate, _gain(np.concatenate(sample), rate))


def _gain(sample: NDArray[np.int16], rate: int) -> float:
    if not len(sample):
        return 0.0
    reached = media.loudness_at(sample, rate, _GAINS)
    return float(np.interp(media.TARGET_LUFS, reached, _GAINS))


class Recording:
    """The dubbed track while it is made: encoded as the lines come, its loudness put right at the end."""

    def __init__(self, target: Path, rehearsal: Rehearsal, film_seconds: float, cancel: Cancel) -> None:
        self._target, self._rehearsal, self._film, self._cancel = target, rehearsal, film_seconds, cancel
        self._raw = target.with_suffix(".pcm")
        self._writer = DubWriter(target, self._raw, rehearsal.sample_rate, rehearsal.gain, cancel=cancel)
        self.placements: list[Placement] = []
        """Of the lines spoken so far, as they really are."""

    def __enter__(self) -> Recording:
        self._writer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.__exit__()

    def speak(self, engine: Synthesizer, texts: Sequence[str], plan: Sequence[Placement]) -> Iterator[Placement]:
        """Speak the lines in the order of their placements, and yield each line's true one."""
        base = self._rehearsal.base_rate
        lines = [(text, base * _asked(planned)) for text, planned in zip(texts, plan, strict=True)]
        for planned, clip in zip(plan, engine.speak(lines, self._cancel), strict=True):
            fitted = fit(clip, planned, self._cancel)
            self._writer.silence_until(planned.start)
            self._writer.write(fitted.samples)
            placed = replace(planned, end=planned.start + fitted.seconds)
            self.placements.append(placed)
            yield placed

    def finish(self) -> Loudness:
        """Fill up to the film's end, and encode again as often as the loudness that was measured asks for."""
        self._writer.silence_until(self._film)
        loudness, gain, limit = self._writer.finish(), self._rehearsal.gain, media.LIMIT
        for _ in range(_CORRECTIONS):
            if not np.isfinite(loudness.integrated) or _is_right(loudness):
                break
            gain += media.TARGET_LUFS - loudness.integrated
            excess = max(0.0, loudness.true_peak - media.TRUE_PEAK_DBTP + _PEAK_MARGIN_DB)
            limit *= 10 ** (-excess / 20)
            loudness = self._encode_again(gain, limit)
        return loudness

    def _encode_again(self, gain: float, limit: float) -> Loudness:
        raw = np.memmap(self._raw, np.int16, mode="r")
        with DubWriter(self._target, None, self._rehearsal.sample_rate, gain, limit, self._cancel) as writer:
            writer.write(raw)
            return writer.finish()


def _is_right(loudness: Loudness) -> bool:
    near = abs(loudness.integrated - media.TARGET_LUFS) <= _TOLERANCE_LU
    return near and loudness.true_peak <= media.TRUE_PEAK_DBTP


def _asked(planned: Placement) -> float:
    return 1.0 if planned.tempo == 1.0 else planned.tempo * _HASTE


def fit(clip: Clip, planned: Placement, cancel: Cancel) -> Clip:
    """Return the clip as it is where it fits the planned length, else stretched to it, with the pitch kept."""
    if not len(clip.samples) or planned.seconds <= 0:
        return clip
    tempo = clip.seconds / planned.seconds
    fastest = max(timing.COMFORTABLE_TEMPO, planned.tempo)
    too_fast = planned.natural_seconds / clip.seconds > fastest and planned.tempo != 1.0
    if _SHORTEST <= tempo <= 1.0 + 1e-6 and not too_fast:
        return clip
    return Clip(media.stretched(clip.samples, clip.sample_rate, tempo, cancel), clip.sample_rate)
