"""The dubbed track: encoded in stretches that meet where nothing is said, so that a changed line costs one stretch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt import media
from vt.domain import Cancel, Placement
from vt.dubbing.artifacts import Artifacts, Json, fingerprint
from vt.errors import StorageError
from vt.media import Loudness
from vt.system.logs import carried

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRETCH_SECONDS = 60.0
_FRAME = 1024  # samples that one packet of AAC brings
_MARGIN = Fraction(5, 4)  # frames of silence on each side of a cut: the packet that both sides share holds nothing
_TOLERANCE_LU = 0.7
_PEAK_MARGIN_DB = 0.2
_CORRECTIONS = 3
_AT_ONCE = 2  # stretches are encoded, and as many measured: each takes one core, and the voice is nearly always slower
_FLOOR_LUFS, _GATE_LU = -70.0, -10.0


@dataclass(frozen=True, slots=True)
class Level:
    """How a voice is brought to the loudness that is wanted."""

    gain: float
    """In dB."""
    limit: float = media.LIMIT
    """Of full scale, for samples."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line as it sounds, where it sounds; the sound itself stays on the disk."""

    start: float
    seconds: float
    kind: str
    name: str
    """With its kind, of the piece that holds the clip: the fingerprint of what made it."""


def cuts(plan: Sequence[Placement], film_seconds: float, rate: int) -> list[int]:
    """Return where the track of a film is cut, in samples: its ends, and about once in a minute, in a pause.

    A cut is the first chance after a full minute of the film, so that it stays when something is changed elsewhere.

    Args:
        plan: of all lines; none sounds for longer than it is planned.
        film_seconds: how long the film is.
        rate: of the voice, in hertz.
    """
    frame = Fraction(_FRAME, media.output_rate(rate))
    unit = _unit(rate)
    found, due = [0], STRETCH_SECONDS
    for silent_from, silent_to in _pauses(plan, film_seconds):
        first = max(Fraction(silent_from), Fraction(due)) + _MARGIN * frame
        cut = math.ceil(first * rate / unit) * unit
        if Fraction(cut, rate) <= Fraction(silent_to) - _MARGIN * frame:
            found.append(cut)
            due = (cut / rate // STRETCH_SECONDS + 1) * STRETCH_SECONDS
    end = max(film_seconds, max((placed.end for placed in plan), default=0.0))
    return [*found, max(round(end * rate), found[-1] + 1)]


def _pauses(plan: Sequence[Placement], film_seconds: float) -> Iterator[tuple[float, float]]:
    """Yield where nothing is said, between two lines; a long pause may be cut more than once."""
    here = 0.0
    for placed in [*sorted(plan, key=lambda placed: placed.start), None]:
        until = placed.start if placed else film_seconds
        while until - here > 2 * STRETCH_SECONDS:
            yield here, until
            here += STRETCH_SECONDS
        yield here, until
        here = max(here, placed.end if placed else 0.0)


def _unit(rate: int) -> int:
    """Return the fewest samples at a voice's rate that are a whole number of AAC frames at the track's."""
    frame = Fraction(_FRAME * rate, media.output_rate(rate))
    return int(frame * frame.denominator)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the track while it is made."""

    first: int
    last: int
    lines: list[Spoken]

    def name(self, rate: int, level: Level) -> str:
        placed: list[Json] = [[round(line.start * rate) - self.first, line.name] for line in self.lines]
        return fingerprint("stretch", rate, self.last - self.first, level.gain, level.limit, placed, self.first == 0)

    def samples(self, rate: int, artifacts: Artifacts) -> NDArray[np.int16]:
        mixed = np.zeros(self.last - self.first, np.int16)
        for line in self.lines:
            clip = artifacts.get_clip(line.kind, line.name)
            if clip is None:  # taken away, or damaged, since it was spoken
                raise StorageError("A spoken line is gone from the job's folder: start again.")
            start = round(line.start * rate) - self.first
            room = mixed[start : start + len(clip.samples)]
            room[:] = clip.samples[: len(room)]
        return mixed


class DubTrack:
    """The track while it is made: stretches are encoded and measured beside the caller as their lines come, in order.

    First `add` all lines; then `write` it and `settle`, again and again until that tells how loud it is.
    """

    def __init__(
        self, borders: Sequence[int], rate: int, level: Level, artifacts: Artifacts, cancel: Cancel | None = None
    ) -> None:
        """`borders` come from `cuts`, `rate` is the voice's, and what was encoded before is found in `artifacts`."""
        self.level = level
        """For now."""
        self._rate, self._pieces, self._cancel = rate, artifacts, cancel
        self._stretches = [_Stretch(*ends, []) for ends in pairwise(borders)]
        self._encoded: list[Future[Path]] = []
        self._measured: list[Future[dict[str, Any]]] = []
        self._corrections = 0
        self._encoder = ThreadPoolExecutor(_AT_ONCE, "vt-encode")
        self._meter = ThreadPoolExecutor(_AT_ONCE, "vt-measure")

    def __enter__(self) -> DubTrack:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._encoder, self._meter):
            pool.shutdown(cancel_futures=True)

    def add(self, line: Spoken) -> None:
        """Add the next line, in the order of the starts."""
        while round(line.start * self._rate) >= self._stretches[len(self._encoded)].last and self._has_more:
            self._begin_next()
        self._stretches[len(self._encoded)].lines.append(line)

    @property
    def _has_more(self) -> bool:
        return len(self._encoded) + 1 < len(self._stretches)

    def write(self, target: Path) -> None:
        """Write the track to `target`, at the level that it has for now."""
        while len(self._encoded) < len(self._stretches):
            self._begin_next()
        media.join_aac([made.result() for made in self._encoded], media.output_rate(self._rate), target, self._cancel)

    def seems_right(self) -> bool:
        """Tell whether the track is as loud as it has to be, as far as it has been measured by now."""
        measured = [told.result() for told in self._measured if told.done()]
        return _is_right(_loudness(measured))

    def settle(self) -> Loudness | None:
        """Return how loud the track is; None where that is not right, so that it has to be written anew."""
        loudness = _loudness([told.result() for told in self._measured])
        if not np.isfinite(loudness.integrated) or _is_right(loudness) or self._corrections == _CORRECTIONS:
            return loudness
        self.level = _corrected(self.level, loudness)
        self._corrections += 1
        self._encoded, self._measured = [], []
        return None

    def _begin_next(self) -> None:
        first = not self._encoded
        stretch, level = self._stretches[len(self._encoded)], self.level
        name = stretch.name(self._rate, level)

        def encoded() -> Path:
            return self._pieces.file("stretch", name, ".aac", lambda made: self._encode(stretch, level, first, made))

        def measured() -> dict[str, Any]:
            path = encoding.result()
            told = self._pieces.json("loudness", name, lambda: media.momentary_loudness(path, first, self._cancel))
            return dict(told)

        encoding = self._encoder.submit(carried(encoded))
        self._encoded.append(encoding)
        self._measured.append(self._meter.submit(carried(measured)))

    def _encode(self, stretch: _Stretch, level: Level, first: bool, made: Path) -> None:
        samples = stretch.samples(self._rate, self._pieces)
        packets = media.aac_packets(samples, self._rate, level.gain, level.limit, self._cancel)
        # Each packet overlaps with the next. The first is the last one of the stretch before, and both are silent.
        frames = math.ceil(len(samples) * media.output_rate(self._rate) / self._rate / _FRAME)
        kept = packets if stretch is self._stretches[-1] else packets[: frames + 1]
        made.write_bytes(b"".join(kept if first else kept[1:]))


def _corrected(level: Level, loudness: Loudness) -> Level:
    excess = max(0.0, loudness.true_peak - media.TRUE_PEAK_DBTP + _PEAK_MARGIN_DB)
    gain = level.gain + media.TARGET_LUFS - loudness.integrated
    return Level(round(gain, 2), round(level.limit * 10 ** (-excess / 20), 4))


def _is_right(loudness: Loudness) -> bool:
    near = abs(loudness.integrated - media.TARGET_LUFS) <= _TOLERANCE_LU
    return near and loudness.true_peak <= media.TRUE_PEAK_DBTP


def _loudness(measured: Sequence[dict[str, Any]]) -> Loudness:
    """Return the loudness of all stretches together, from each one's blocks of 400 ms: ITU-R BS.1770-4, gated twice."""
    blocks = np.array([level for stretch in measured for level in stretch["momentary"]], float)
    peak = max((stretch["true_peak"] for stretch in measured if stretch["true_peak"] is not None), default=-math.inf)
    heard = blocks[blocks > _FLOOR_LUFS]
    if not len(heard):
        return Loudness(-math.inf, peak)
    loud = heard[heard > _mean(heard) + _GATE_LU]
    return Loudness(_mean(loud), peak)


def _mean(levels: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))
