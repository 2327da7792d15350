"""A film that is slowed in some places: its new times, and its picture, sound, subtitles and chapters at these.

The picture is not encoded for that: each of its frames is shown a little longer.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from math import ceil, fsum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vt.domain import Cancel
from vt.errors import ToolError, ToolMissing
from vt.media.audio import sound_limits, stretched
from vt.media.commands import MEMORY, opening_options, room_on_disk, url
from vt.media.extraction import SoundFormat, extract_in, full_format
from vt.media.probing import MediaInfo, Track
from vt.system import disk, folders
from vt.system.processes import Child, run
from vt.system.sandbox import ChildLimits

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PIECE_SECONDS = 10.0
_FADE_SECONDS = 0.01
"""To each side of where two pieces of sound meet."""
_LEAST_SECONDS = 0.05
"""No piece of sound is shorter."""
_LOOK = ChildLimits(seconds=60, cpu_seconds=10, memory=MEMORY)
_MOST_CHAPTERS = 2_000
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Slowed:
    """A stretch of a film that lasts longer than it did."""

    start: float
    """In seconds of the film as it was, as the end."""
    end: float
    factor: float
    """How many times as long it lasts."""

    @property
    def added(self) -> float:
        """By how many seconds it is longer."""
        return (self.end - self.start) * (self.factor - 1.0)


@dataclass(frozen=True, slots=True)
class Slowing:
    """Where a film is slowed: stretches in order, of which none overlaps another."""

    stretches: tuple[Slowed, ...] = ()
    _added_before: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """By how many seconds the film is longer before each stretch."""

    def __post_init__(self) -> None:
        """Count once what `at` needs for each word of a film."""
        sums = accumulate((stretch.added for stretch in self.stretches), initial=0.0)
        object.__setattr__(self, "_added_before", tuple(sums))

    @property
    def added(self) -> float:
        """By how many seconds the film is longer."""
        return fsum(stretch.added for stretch in self.stretches)

    def at(self, seconds: float) -> float:
        """Return when something comes in the slowed film that came at `seconds` before."""
        begun = bisect_right(self.stretches, seconds, key=lambda stretch: stretch.start)
        if not begun:
            return seconds
        last = self.stretches[begun - 1]
        inside = min(seconds, last.end) - last.start
        return seconds + self._added_before[begun - 1] + inside * (last.factor - 1.0)

    def expression(self, variable: str) -> str:
        """Return the same for ffmpeg, for a time in units of `TB`; its commas are escaped."""
        terms = (
            rf"{part.factor - 1.0:.9f}*clip(({variable})*TB-{part.start:.6f}\,0\,{part.end - part.start:.6f})"
            for part in self.stretches
        )
        return f"({variable})+({'+'.join(terms)})/TB"

    @property
    def packets(self) -> str:
        """The bitstream filter that moves the packets of a picture or of subtitles."""
        at, end = self.expression("PTS"), self.expression("PTS+DURATION")
        return f"setts=pts={at}:dts={self.expression('DTS')}:duration={end}-({at})"

    @property
    def frames(self) -> str:
        """The filter that moves the frames of a picture which is encoded again."""
        return f"setpts={self.expression('PTS')}"


# Sound


def slowed_track(info: MediaInfo, track: Track, slowing: Slowing, target: Path, cancel: Cancel | None = None) -> None:
    """Write a sound track of a film as M4A, at the times of the slowed film and at the pitch that it had.

    Raises:
        MediaError: it cannot be decoded.
        StorageError: the disk has no room for it.
    """
    form = full_format(track)
    with folders.work_folder(target.parent) as folder:
        _write_slowed(info, track, form, slowing, folder, target, cancel)


def _write_slowed(
    info: MediaInfo,
    track: Track,
    form: SoundFormat,
    slowing: Slowing,
    folder: Path,
    target: Path,
    cancel: Cancel | None,
) -> None:
    before, after = folder / "before", folder / "after"
    extract_in(form, info, track, before, cancel)
    _check_room(_count(before, form) / form.rate + slowing.added, form, after)
    slowed_samples(before, form, slowing, after, cancel)
    before.unlink()
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += ["-protocol_whitelist", "file", "-f", "s16le", "-ar", str(form.rate), "-ac", str(form.channels)]
    argv += ["-i", url(after), "-c:a", "aac", "-b:a", "192k", "-f", "ipod", url(target)]
    limits = replace(sound_limits(_count(after, form) / form.rate), file_bytes=room_on_disk(target))
    run(Child(argv, limits, reads=[after], writes=[target], purpose="slow the picture"), cancel)


def _check_room(seconds: float, form: SoundFormat, target: Path) -> None:
    """Raise where the samples of so many seconds find no room beside what is on the disk of a file."""
    if 2 * form.channels * form.rate * seconds > room_on_disk(target):
        raise disk.full()


def slowed_samples(
    source: Path, form: SoundFormat, slowing: Slowing, target: Path, cancel: Cancel | None = None
) -> None:
    """Write raw samples of 16 bits at the times of the slowed film; what is not slowed stays as it is."""
    margin = round(_FADE_SECONDS * form.rate)
    rise = np.linspace(0.0, 1.0, 2 * margin, dtype=np.float32)[:, None]
    # What a piece has beyond its end, fading out, is added to the beginning of the next one, which fades in.
    beyond = np.zeros((2 * margin, form.channels), np.float32)
    pieces = list(_pieces(slowing, _count(source, form), form.rate))
    with target.open("wb") as file:
        for number, piece in enumerate(pieces):
            if cancel:
                cancel.check()
            sound = _at_new_times(source, form, slowing, piece, margin, cancel)
            if number:
                sound[: 2 * margin] = rise * sound[: 2 * margin] + beyond
            beyond = rise[::-1] * sound[-2 * margin :]
            is_last = number + 1 == len(pieces)
            kept = sound[0 if number else margin : -margin if is_last else -2 * margin]
            file.write(np.clip(np.rint(kept), -32768, 32767).astype("<i2").tobytes())


@dataclass(frozen=True, slots=True)
class _Piece:
    """Samples that are slowed evenly, or not at all."""

    first: int
    last: int
    factor: float


def _pieces(slowing: Slowing, count: int, rate: int) -> Iterator[_Piece]:
    """Yield a sound in pieces that fit into memory."""
    here = 0
    for part in (*slowing.stretches, None):
        first, last = (round(part.start * rate), round(part.end * rate)) if part else (count, count)
        for until, factor in ((min(first, count), 1.0), (min(last, count), part.factor if part else 1.0)):
            if until - here > _LEAST_SECONDS * rate or (until == count > here):
                steps = ceil((until - here) / rate / _PIECE_SECONDS)
                edges = [here + (until - here) * step // steps for step in range(steps + 1)]
                yield from (_Piece(*edge, factor) for edge in pairwise(edges))
                here = until


def _at_new_times(
    source: Path, form: SoundFormat, slowing: Slowing, piece: _Piece, margin: int, cancel: Cancel | None
) -> NDArray[np.float32]:
    """Return a piece and `margin` samples on each side, shape (n + 2 margin, channels)."""
    samples = _read(source, form, piece.first - margin, piece.last + margin)
    if piece.factor == 1.0:
        return samples.astype(np.float32)
    first, last = (round(slowing.at(sample / form.rate) * form.rate) for sample in (piece.first, piece.last))
    longer = stretched(samples, form.rate, 1 / piece.factor, cancel)
    early = round(margin * piece.factor) - margin
    wanted = last - first + 2 * margin
    found = longer[early : early + wanted].astype(np.float32)
    return np.pad(found, ((0, wanted - len(found)), (0, 0)))


def _read(path: Path, form: SoundFormat, first: int, last: int) -> NDArray[np.int16]:
    """Return samples of a file, shape (n, channels); beyond its ends is silence."""
    start, result = max(first, 0), np.zeros((last - first, form.channels), np.int16)
    found = np.fromfile(path, "<i2", (last - start) * form.channels, offset=2 * form.channels * start)
    whole = found[: len(found) // form.channels * form.channels].reshape(-1, form.channels)
    result[start - first : start - first + len(whole)] = whole
    return result


def _count(path: Path, form: SoundFormat) -> int:
    return path.stat().st_size // (2 * form.channels)


# Chapters


def write_chapters(info: MediaInfo, slowing: Slowing, target: Path, cancel: Cancel | None = None) -> None:
    """Write the chapters of a film at their new times, in ffmpeg's format of metadata; none, where it has none."""
    argv = ["ffprobe", "-v", "error", *opening_options(), "-show_chapters", "-show_entries", "format=start_time"]
    argv += ["-of", "json", "-i", url(info.path)]
    try:
        found = json.loads(run(Child(argv, _LOOK, reads=[info.path], purpose="read chapters"), cancel))
        began = float(found.get("format", {}).get("start_time", 0.0))
        chapters = [
            (
                float(one["start_time"]) - began,
                float(one["end_time"]) - began,
                str(one.get("tags", {}).get("title", "")),
            )
            for one in found.get("chapters", [])[:_MOST_CHAPTERS]
        ]
    except ToolMissing:
        raise
    except (ToolError, ValueError, KeyError):
        chapters = []
    target.write_text(_metadata(chapters, slowing), encoding="utf-8")


def _metadata(chapters: Sequence[tuple[float, float, str]], slowing: Slowing) -> str:
    lines = [";FFMETADATA1"]
    for start, end, title in chapters:
        times = (round(1000 * max(0.0, slowing.at(moment))) for moment in (start, end))
        escaped = "".join(f"\\{sign}" if sign in "=;#\\" else sign for sign in " ".join(title[:_LONGEST_TITLE].split()))
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", *map("=".join, zip(("START", "END"), map(str, times), strict=True))]
        lines += [f"title={escaped}"]
    return "\n".join([*lines, ""])
