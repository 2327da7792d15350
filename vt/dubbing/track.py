"""The dubbed track: encoded in parts that are cut in pauses, so that after an edit only one part is encoded again."""

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

PART_SECONDS = 60.0
"""About how long a part of the track is."""
_FRAME = 1024  # samples that one packet of AAC brings
_MARGIN = Fraction(5, 4)  # frames of silence on each side of a cut: the packet that both parts share is silent
_TOLERANCE_LU = 0.7
_PEAK_MARGIN_DB = 0.2
_CORRECTIONS = 3
_AT_ONCE = 2  # parts that are encoded at a time, and as many measured; each takes one core
_FLOOR_LUFS, _GATE_LU = -70.0, -10.0


@dataclass(frozen=True, slots=True)
class Level:
    """How the voice is amplified and limited to get the loudness that is wanted."""

    gain: float
    """In dB."""
    limit: float = media.LIMIT
    """The highest sample, as a fraction of full scale."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where a spoken line is placed, and which artifact holds its sound."""

    start: float
    seconds: float
    kind: str
    name: str
    """The fingerprint of the clip's artifact; `kind` is that artifact's kind."""
    gain: float = 0.0
    """In dB, at most 0: what makes a loud voice as loud as the others of the dub."""


def cuts(plan: Sequence[Placement], film_seconds: float, rate: int) -> list[int]:
    """Return where the track of a film is cut, in samples: at its start, about once a minute in a pause, at its end.

    Each cut is in the first pause after a full minute of the film. So it does not move when a line elsewhere is edited.

    Args:
        plan: the placements of all lines; no line may be longer than planned.
        film_seconds: the film's length.
        rate: the voice's sample rate, in hertz.
    """
    frame = Fraction(_FRAME, media.output_rate(rate))
    unit = _unit(rate)
    found, due = [0], PART_SECONDS
    for silent_from, silent_to in _pauses(plan, film_seconds):
        first = max(Fraction(silent_from), Fraction(due)) + _MARGIN * frame
        cut = math.ceil(first * rate / unit) * unit
        if Fraction(cut, rate) <= Fraction(silent_to) - _MARGIN * frame:
            found.append(cut)
            due = (cut / rate // PART_SECONDS + 1) * PART_SECONDS
    end = max(film_seconds, max((placed.end for placed in plan), default=0.0))
    return [*found, max(round(end * rate), found[-1] + 1)]


def _pauses(plan: Sequence[Placement], film_seconds: float) -> Iterator[tuple[float, float]]:
    """Yield the pauses between lines as (start, end); a long pause comes in several parts, each of which may be cut."""
    here = 0.0
    for placed in [*sorted(plan, key=lambda placed: placed.start), None]:
        until = placed.start if placed else film_seconds
        while until - here > 2 * PART_SECONDS:
            yield here, until
            here += PART_SECONDS
        yield here, until
        here = max(here, placed.end if placed else 0.0)


def _unit(rate: int) -> int:
    """Return the smallest number of samples at the voice's rate that makes whole AAC frames at the track's rate."""
    frame = Fraction(_FRAME * rate, media.output_rate(rate))
    return int(frame * frame.denominator)


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the track while it is made."""

    first: int
    last: int
    lines: list[Spoken]

    def name(self, rate: int, level: Level) -> str:
        # The gain is told only where there is one: tracks of one voice are found under the names they have always had.
        placed: list[Json] = [
            [round(line.start * rate) - self.first, line.name, *([line.gain] if line.gain else [])]
            for line in self.lines
        ]
        return fingerprint("stretch", rate, self.last - self.first, level.gain, level.limit, placed, self.first == 0)

    def samples(self, rate: int, artifacts: Artifacts) -> NDArray[np.int16]:
        mixed = np.zeros(self.last - self.first, np.int16)
        for line in self.lines:
            clip = artifacts.get_clip(line.kind, line.name)
            if clip is None:  # removed or damaged since it was spoken
                raise StorageError("A spoken line is gone from the job's folder: start again.")
            start = round(line.start * rate) - self.first
            room = mixed[start : start + len(clip.samples)]
            heard = clip.samples[: len(room)]
            room[:] = heard * 10 ** (line.gain / 20) if line.gain else heard
        return mixed


class DubTrack:
    """The track while it is made. Its parts are encoded and measured in threads while the caller adds further lines.

    First `add` all lines. Then `write` the track and call `settle`; repeat both until `settle` returns the loudness.
    """

    def __init__(
        self, borders: Sequence[int], rate: int, level: Level, artifacts: Artifacts, cancel: Cancel | None = None
    ) -> None:
        """`borders` come from `cuts`, `rate` is the voice's; parts that `artifacts` has are not encoded again."""
        self.level = level
        """The level of the parts that are being encoded; `settle` may correct it."""
        self._rate, self._artifacts, self._cancel = rate, artifacts, cancel
        self._parts = [_Part(*ends, []) for ends in pairwise(borders)]
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
        """Add the next line; lines come in the order of their starts."""
        while round(line.start * self._rate) >= self._parts[len(self._encoded)].last and self._has_more:
            self._begin_next()
        self._parts[len(self._encoded)].lines.append(line)

    @property
    def _has_more(self) -> bool:
        return len(self._encoded) + 1 < len(self._parts)

    def write(self, target: Path) -> None:
        """Write the track to `target`, at the present `level`."""
        while len(self._encoded) < len(self._parts):
            self._begin_next()
        media.join_aac([made.result() for made in self._encoded], media.output_rate(self._rate), target, self._cancel)

    def seems_right(self) -> bool:
        """Tell whether the parts that have been measured so far have the loudness that is wanted."""
        measured = [told.result() for told in self._measured if told.done()]
        return _is_right(_loudness(measured))

    def settle(self) -> Loudness | None:
        """Return how loud the track is, or None where `level` was corrected and the track has to be written again."""
        loudness = _loudness([told.result() for told in self._measured])
        if not np.isfinite(loudness.integrated) or _is_right(loudness) or self._corrections == _CORRECTIONS:
            return loudness
        self.level = _corrected(self.level, loudness)
        self._corrections += 1
        self._encoded, self._measured = [], []
        return None

    def _begin_next(self) -> None:
        first = not self._encoded
        part, level = self._parts[len(self._encoded)], self.level
        name = part.name(self._rate, level)

        def encoded() -> Path:
            return self._artifacts.file("stretch", name, ".aac", lambda made: self._encode(part, level, first, made))

        def measured() -> dict[str, Any]:
            path = encoding.result()
            told = self._artifacts.json("loudness", name, lambda: media.momentary_loudness(path, first, self._cancel))
            return dict(told)

        encoding = self._encoder.submit(carried(encoded))
        self._encoded.append(encoding)
        self._measured.append(self._meter.submit(carried(measured)))

    def _encode(self, part: _Part, level: Level, first: bool, made: Path) -> None:
        samples = part.samples(self._rate, self._artifacts)
        packets = media.aac_packets(samples, self._rate, level.gain, level.limit, self._cancel)
        # Each packet overlaps with the next. The first packet is also the last one of the part before; it is silent.
        frames = math.ceil(len(samples) * media.output_rate(self._rate) / self._rate / _FRAME)
        kept = packets if part is self._parts[-1] else packets[: frames + 1]
        made.write_bytes(b"".join(kept if first else kept[1:]))


def _corrected(level: Level, loudness: Loudness) -> Level:
    excess = max(0.0, loudness.true_peak - media.TRUE_PEAK_DBTP + _PEAK_MARGIN_DB)
    gain = level.gain + media.TARGET_LUFS - loudness.integrated
    return Level(round(gain, 2), round(level.limit * 10 ** (-excess / 20), 4))


def _is_right(loudness: Loudness) -> bool:
    near = abs(loudness.integrated - media.TARGET_LUFS) <= _TOLERANCE_LU
    return near and loudness.true_peak <= media.TRUE_PEAK_DBTP


def _loudness(measured: Sequence[dict[str, Any]]) -> Loudness:
    """Return the loudness of all parts together, from their blocks of 400 ms (ITU-R BS.1770-4, with both gates)."""
    blocks = np.array([level for part in measured for level in part["momentary"]], float)
    peak = max((part["true_peak"] for part in measured if part["true_peak"] is not None), default=-math.inf)
    heard = blocks[blocks > _FLOOR_LUFS]
    if not len(heard):
        return Loudness(-math.inf, peak)
    loud = heard[heard > _mean(heard) + _GATE_LU]
    return Loudness(_mean(loud), peak)


def _mean(levels: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))
