"""The dubbed track: encoded in parts that are cut in pauses, so that after an edit only one part is encoded again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vt import media
from vt.domain import Cancel, Placement
from vt.dubbing.artifacts import Artifacts, Json, fingerprint
from vt.errors import StorageError
from vt.media import Loudness, SoundFormat, weighting
from vt.system import tracing
from vt.system.logs import carried

if TYPE_CHECKING:
    from numpy.typing import NDArray

PART_SECONDS = 60.0
"""About how long a part of the track is."""
_FRAME = 1024  # samples that one packet of AAC brings
_MARGIN = Fraction(5, 4)  # frames without a voice on each side of a cut
_CONTEXT = Fraction(3, 10)
"""Seconds that are encoded on each side of a part, and not kept: with them encoder and limiter come to the cut as if
there was none."""
_FADE_SECONDS = 0.008
"""At both ends of each line, so that none begins or ends with a click."""
_TOLERANCE_LU = 0.7
_PEAK_MARGIN_DB = 0.2
_CORRECTIONS = 3
_LARGEST_CORRECTION_DB = 12.0
_AT_ONCE = 2  # parts that are encoded here at a time, and as many measured; each takes one core


@dataclass(frozen=True, slots=True)
class Level:
    """How the voice is amplified and limited to get the loudness that is wanted."""

    gain: float
    """In dB."""
    limit: float = media.LIMIT
    """The highest sample, as a fraction of full scale."""
    background: float = 0.0
    """In dB: by how much the background is louder than it was."""

    def as_json(self) -> Json:
        """Return the level as it is kept, from which its arguments are read again."""
        return [self.gain, self.limit, self.background]


class Background(Protocol):
    """What is heard under the voice. Its times are samples of the track, from the start of the film."""

    @property
    def form(self) -> SoundFormat:
        """The format of the track."""

    def name(self, first: int, last: int) -> Json:
        """Return what decides the samples from `first` to `last`."""

    def samples(self, first: int, last: int) -> Iterator[NDArray[np.float32]]:
        """Yield these samples in pieces of shape (n, channels), full scale being 1.0; they go over the film's ends."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """Where a spoken line is placed, and which artifact holds its sound."""

    start: float
    seconds: float
    kind: str
    name: str
    """The fingerprint of the clip's artifact; `kind` is that artifact's kind."""
    gain: float = 0.0
    """In dB: what makes it as loud as the other lines of the dub."""

    @property
    def end(self) -> float:
        """When it ends."""
        return self.start + self.seconds


def cuts(plan: Sequence[Placement], film_seconds: float, rate: int, target_rate: int | None = None) -> list[int]:
    """Return where the track of a film is cut, in samples: at its start, about once a minute in a pause, at its end.

    Each cut is in the first pause after a full minute of the film. So it does not move when a line elsewhere is edited.

    Args:
        plan: the placements of all lines; no line may be longer than planned.
        film_seconds: the film's length.
        rate: the voice's sample rate, in hertz.
        target_rate: that of the track; None: what suits the voice.
    """
    target_rate = target_rate or media.output_rate(rate)
    frame = Fraction(_FRAME, target_rate)
    unit = _unit(rate, target_rate)
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


def _unit(rate: int, target_rate: int) -> int:
    """Return the smallest number of samples at the voice's rate that makes whole AAC frames at the track's rate."""
    frame = Fraction(_FRAME * rate, target_rate)
    return int(frame * frame.denominator)


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of the track, and the wider window that is encoded for it; in samples of the voice."""

    first: int
    last: int
    window_first: int
    window_last: int

    @classmethod
    def all_of(cls, borders: Sequence[int], rate: int, target_rate: int) -> list[_Span]:
        unit, end = _unit(rate, target_rate), borders[-1]
        context = math.ceil(_CONTEXT * rate / unit) * unit
        return [cls(at, to, max(0, at - context), min(end, to + context)) for at, to in pairwise(borders)]


class PartEncoder(Protocol):
    """Encodes parts of a track, here or elsewhere; any thread may call it."""

    @property
    def at_once(self) -> int:
        """How many parts it is given at a time."""

    def encoded(
        self, part: media.TrackPart, voice: NDArray[np.float32], bed: Path | None, cancel: Cancel | None
    ) -> tuple[bytes, dict[str, Any] | None]:
        """Return what `media.encoded_part` does, and its `media.momentary_loudness` where whoever encoded it knows."""


class _EncoderHere:
    """Encodes parts with programs of this process."""

    at_once = _AT_ONCE

    def encoded(
        self, part: media.TrackPart, voice: NDArray[np.float32], bed: Path | None, cancel: Cancel | None
    ) -> tuple[bytes, None]:
        """Return the packets, and no loudness: see `PartEncoder`."""
        return media.encoded_part(part, voice, bed, cancel), None


HERE: PartEncoder = _EncoderHere()
"""Encodes parts with programs of this process, and leaves their loudness to be measured later."""


class DubTrack:
    """The track while it is made. Its parts are encoded and measured in threads while the caller adds further lines.

    First `add` all lines. Then `write` the track and call `settle`; repeat both until `settle` returns the loudness.
    """

    def __init__(
        self,
        borders: Sequence[int],
        rate: int,
        level: Level,
        artifacts: Artifacts,
        cancel: Cancel | None = None,
        *,
        background: Background | None = None,
        target_lufs: float = media.TARGET_LUFS,
        voice_share: float = 1.0,
        encoder: PartEncoder = HERE,
    ) -> None:
        """Parts that `artifacts` has are not encoded again.

        Args:
            borders: come from `cuts`.
            rate: the voice's, in hertz.
            level: at which the parts are encoded.
            artifacts: keep the parts, and hold the lines.
            cancel: ends the work.
            background: is heard under the voice.
            target_lufs: how loud the track is to be.
            voice_share: how much of what is loud is the voice, 0..1: by so much the voice changes the track's loudness.
            encoder: encodes the parts.
        """
        self.level = level
        """The level of the parts that are being encoded; `settle` may correct it."""
        self._rate, self._artifacts, self._cancel = rate, artifacts, cancel
        self._background, self._target, self._share = background, target_lufs, voice_share
        self._form = background.form if background else SoundFormat(media.output_rate(rate), 1)
        self._spans = _Span.all_of(borders, rate, self._form.rate)
        self._lines: list[Spoken] = []
        self._encoded: list[Future[Path]] = []
        self._measured: list[Future[dict[str, Any]]] = []
        self._corrections = 0
        self._part_encoder = encoder
        self._encoder = ThreadPoolExecutor(encoder.at_once, "vt-encode")
        self._meter = ThreadPoolExecutor(_AT_ONCE, "vt-measure")

    def __enter__(self) -> DubTrack:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._encoder, self._meter):
            pool.shutdown(cancel_futures=True)

    def add(self, line: Spoken) -> None:
        """Add the next line; lines come in the order of their starts."""
        self._lines.append(line)
        # The last part waits for the end of the lines.
        while self._has_more and round(line.start * self._rate) >= self._spans[len(self._encoded)].window_last:
            self._begin_next()

    @property
    def _has_more(self) -> bool:
        return len(self._encoded) + 1 < len(self._spans)

    def write(self, target: Path) -> None:
        """Write the track to `target`, at the present `level`."""
        while len(self._encoded) < len(self._spans):
            self._begin_next()
        media.join_aac([made.result() for made in self._encoded], self._form.rate, target, self._cancel)

    def seems_right(self) -> bool:
        """Tell whether the parts that have been measured so far have the loudness that is wanted."""
        return self._is_right(_loudness([told.result() for told in self._measured if told.done()]))

    def settle(self) -> Loudness | None:
        """Return how loud the track is, or None where `level` was corrected and the track has to be written again."""
        loudness = _loudness([told.result() for told in self._measured])
        can_change = self._corrections < _CORRECTIONS and math.isfinite(loudness.integrated) and self._lines
        if self._is_right(loudness) or not can_change:
            return loudness
        self.level = self._corrected(loudness)
        self._corrections += 1
        self._encoded, self._measured = [], []
        return None

    def _is_right(self, loudness: Loudness) -> bool:
        near = abs(loudness.integrated - self._target) <= _TOLERANCE_LU
        return near and loudness.true_peak <= media.TRUE_PEAK_DBTP

    def _corrected(self, loudness: Loudness) -> Level:
        excess = max(0.0, loudness.true_peak - media.TRUE_PEAK_DBTP + _PEAK_MARGIN_DB)
        missing = (self._target - loudness.integrated) / max(self._share, 0.1)
        gain = self.level.gain + min(max(missing, -_LARGEST_CORRECTION_DB), _LARGEST_CORRECTION_DB)
        limit = self.level.limit * 10 ** (-excess / 20)
        return replace(self.level, gain=round(gain, 2), limit=round(limit, 4))

    def _begin_next(self) -> None:
        number = len(self._encoded)
        span, level = self._spans[number], self.level
        lines = [line for line in self._lines if self._is_in(line, span)]
        name = self._name(span, level, lines)

        def encoded() -> Path:
            def make(made: Path) -> None:
                with tracing.span("part of the track", "piece", lines=len(lines)):
                    self._encode(span, level, lines, name, made)

            return self._artifacts.file("stretch", name, ".aac", make)

        def measured() -> dict[str, Any]:
            path = encoding.result()
            made = self._artifacts.json("loudness", name, lambda: self._loudness_of(path, span))
            return dict(made)

        encoding = self._encoder.submit(carried(encoded))
        self._encoded.append(encoding)
        self._measured.append(self._meter.submit(carried(measured)))

    def _loudness_of(self, path: Path, span: _Span) -> dict[str, Any]:
        return media.momentary_loudness(path, span.first == 0, self._cancel)

    def _is_in(self, line: Spoken, span: _Span) -> bool:
        return round(line.start * self._rate) < span.window_last and line.end * self._rate > span.window_first

    def _at(self, sample: int) -> int:
        """Return which sample of the track is heard with a sample of the voice."""
        return round(Fraction(sample * self._form.rate, self._rate))

    def _name(self, span: _Span, level: Level, lines: Sequence[Spoken]) -> str:
        placed: list[Json] = [
            [round(line.start * self._rate) - span.window_first, line.name, line.gain] for line in lines
        ]
        ends: list[Json] = [end - span.window_first for end in (span.first, span.last, span.window_last)]
        form: list[Json] = [self._rate, self._form.rate, self._form.channels]
        window = self._at(span.window_first), self._at(span.window_last)
        under = self._background.name(*window) if self._background else None
        return fingerprint("stretch", form, ends, level.gain, level.limit, level.background, placed, under)

    # One part

    def _encode(self, span: _Span, level: Level, lines: Sequence[Spoken], name: str, made: Path) -> None:
        """Write a part to a file; keep its loudness where whoever encoded it has measured that."""
        bed = self._bed(span, level, made.with_suffix(".bed")) if self._background else None
        content, loudness = self._part_encoder.encoded(
            self._part(span, level), self._voice(span, lines), bed, self._cancel
        )
        if loudness:
            self._artifacts.put_json("loudness", name, loudness)
        made.write_bytes(content)

    def _part(self, span: _Span, level: Level) -> media.TrackPart:
        before, inside = (
            Fraction(samples * self._form.rate, self._rate * _FRAME)
            for samples in (span.first - span.window_first, span.last - span.first)
        )
        return media.TrackPart(
            self._rate,
            self._form.rate,
            level.gain,
            level.limit,
            self._form.channels if self._background else 0,
            round(before),
            None if span.last == self._spans[-1].last else math.ceil(inside),
            span.first == 0,
        )

    def _voice(self, span: _Span, lines: Sequence[Spoken]) -> NDArray[np.float32]:
        """Return what is said in a window, full scale being 1.0."""
        mixed = np.zeros(span.window_last - span.window_first, np.float32)
        for line in lines:
            clip = self._artifacts.get_clip(line.kind, line.name)
            if clip is None:  # removed or damaged since it was spoken
                raise StorageError("A spoken line is gone from the job's folder: start again.")
            start = round(line.start * self._rate) - span.window_first
            heard = _faded(clip.samples, self._rate)[max(0, -start) :]
            room = mixed[max(0, start) : max(0, start) + len(heard)]
            room[:] += heard[: len(room)] * np.float32(10 ** (line.gain / 20) / 32768)
        return mixed

    def _bed(self, span: _Span, level: Level, path: Path) -> Path:
        """Write what is heard under the voice in a window, in the encoder's temporary folder: see `media.Bed`."""
        assert self._background is not None  # noqa: S101 (or nobody would ask)
        factor = np.float32(10 ** (level.background / 20))
        with path.open("wb") as file:
            for piece in self._background.samples(self._at(span.window_first), self._at(span.window_last)):
                file.write((piece * factor).astype("<f4").tobytes())
        return path


def _faded(samples: NDArray[np.int16], rate: int) -> NDArray[np.float32]:
    """Return samples that begin and end softly."""
    faded = samples.astype(np.float32)
    count = min(round(_FADE_SECONDS * rate), len(faded) // 2)
    rising = (0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / max(1, count))).astype(np.float32)
    faded[:count] *= rising
    faded[len(faded) - count :] *= rising[::-1]
    return faded


def _loudness(measured: Sequence[dict[str, Any]]) -> Loudness:
    """Return the loudness of all parts together, from their blocks of 400 ms."""
    blocks = [level for part in measured for level in part["momentary"]]
    peak = max((part["true_peak"] for part in measured if part["true_peak"] is not None), default=-math.inf)
    return Loudness(weighting.integrated(blocks), peak)
