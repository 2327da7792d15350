"""Sound out of a film as samples whose time is the film's, whatever changes on the way."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.errors import EmptyTrack, MediaError, ToolError, ToolStopped
from vt.media import ogg, timeline
from vt.media.codecs import mixing_filter
from vt.media.commands import MEMORY, Part, decoders, input_of, opening_options, patience, room_on_disk, unfit, url
from vt.media.probing import MediaInfo, Track, has_packets, packets_end, recordings
from vt.system.processes import Child, run
from vt.system.sandbox import ChildLimits

SPEECH_RATE = 16_000
"""What recognisers want, in hertz."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How samples lie in memory and in files: of 16 bits, the channels of one moment beside each other."""

    rate: int
    """In hertz."""
    channels: int
    """1 or 2."""

    def size(self, seconds: float) -> int:
        """Return how many bytes so much sound takes."""
        return 2 * self.channels * round(seconds * self.rate)


FULL_RATE = 48_000
"""At which sound is kept that is to be heard, in hertz."""
_SPEECH = SoundFormat(SPEECH_RATE, 1)
_MARGIN_SECONDS = 30.0
"""As much longer than allowed a film may be: no header is exact."""
_WINDOW = SPEECH_RATE // 2
_CANCELLED_DB = 12.0
"""As much quieter than a channel their mix is only where one of them is more or less the other one inverted."""
_QUIET = 10.0
"""Power of samples (their mean square) that hold nothing to be heard: 70 dB below full scale."""


def extract(
    info: MediaInfo, track: Track, target: Path, cancel: Cancel | None = None, longest: float | None = None
) -> NDArray[np.int16]:
    """Decode one track to mono 16 kHz, sample 0 at the film's start, and return it as `extracted` does.

    Where two channels cancel each other out, the left one is heard in place of their mix.

    Args:
        info: of the film.
        track: which one.
        target: where the samples go; further files are made beside it, and removed.
        cancel: ends it.
        longest: how many seconds a film may last, whatever its header promises; None: as long as the disk has room.

    Raises:
        MediaError: it cannot be decoded, is too long, or breaks off before 90 % of the length that its header promises.
    """
    _Extraction(info, track, target, _SPEECH, cancel, longest).write()
    decoded = target.stat().st_size / 2 / SPEECH_RATE
    if not decoded:
        raise _nothing_decoded(info, track, cancel)
    if longest is not None and decoded >= longest + _MARGIN_SECONDS - 1:
        raise MediaError(
            "{file} is too long: it promises {minutes:.1f} minutes, but it holds more than {limit:g}, and "
            "longer films are not taken here (VT_MAX_DURATION_MINUTES).",
            file=info.path,
            minutes=info.seconds / 60,
            limit=longest / 60,
        )
    _check_whole(info, track, decoded, cancel)
    return extracted(target)


def extract_in(
    form: SoundFormat,
    info: MediaInfo,
    track: Track,
    target: Path,
    cancel: Cancel | None = None,
    longest: float | None = None,
) -> None:
    """Decode one track in a format, sample 0 at the film's start; the other arguments are those of `extract`.

    The sound may end before the film does.

    Raises:
        MediaError: it cannot be decoded.
    """
    _Extraction(info, track, target, form, cancel, longest).write()


def full_format(track: Track) -> SoundFormat:
    """Return the format in which a track loses nothing that is heard: 48 kHz, and no more than two channels.

    A track of one channel has one, and so has one whose channels nobody has named: these are mixed.
    """
    return SoundFormat(FULL_RATE, 1 if track.channels < 2 or mixing_filter(track) else 2)


def extracted(path: Path) -> NDArray[np.int16]:
    """Return sound that `extract` wrote, as an array that stays on disk, shape (n,)."""
    return np.memmap(path, np.int16, mode="r")


class StoredSamples:
    """Mono samples of 16 bits in a file. A slice is read when it is asked for, and nothing stays in memory."""

    def __init__(self, path: Path) -> None:
        """`path` is what `extract` wrote."""
        self._path = path

    def __len__(self) -> int:
        """Return how many there are."""
        return self._path.stat().st_size // 2

    def __getitem__(self, part: slice) -> NDArray[np.int16]:
        """Return the samples of a slice."""
        first, last, _ = part.indices(len(self))
        return np.fromfile(self._path, np.int16, max(0, last - first), offset=2 * first)


@dataclass(frozen=True, slots=True)
class _Source:
    """What is decoded: a film, or the copy of its sound in one format."""

    path: Path
    index: int
    mixing: str
    """A filter in front of the mix, or nothing."""
    has_two_channels: bool
    has_clock: bool
    """Whether its times are kept; without, each packet follows the one before it."""
    along: tuple[int, ...]
    """Further streams that are read for the sake of time."""
    part: Part | None = None
    """Of the file, which is decoded alone."""


@dataclass(frozen=True, slots=True)
class _Extraction:
    """Decodes one track of one film."""

    info: MediaInfo
    track: Track
    target: Path
    form: SoundFormat
    cancel: Cancel | None
    longest: float | None

    def write(self) -> None:
        """Write the samples; a track whose format changes on the way is decoded twice."""
        info, track = self.info, self.track
        is_chain = info.may_be_chain and ogg.is_chain(info.path, self.cancel)
        # In a chain of recordings the times of all go by the first one: those of the others are wrong.
        has_clock = timeline.has_clock(info.container) and not is_chain
        along = info.timed if info.video or len(info.timed) > 1 else ()
        film = _Source(info.path, track.index, mixing_filter(track), track.channels == 2, has_clock, along)
        if is_chain:
            self._write_chain(film)
            return
        begins = self._placed(film)
        if has_clock and len(begins) > 1:
            second = self._in_one_format(film)
            begins = self._placed(second)
            second.path.unlink()
        if has_clock and begins:
            _shift(self.target, begins[0] * self.form.channels)

    def _write_chain(self, film: _Source) -> None:
        """Write recordings that stand one behind the other."""
        parts = recordings(self.info, self.cancel)
        if parts == [None]:
            self._placed(film)
            return
        one = replace(self, target=self.target.with_name(f"{self.target.name}.part"))
        with self.target.open("wb") as whole:
            for part in parts:
                one._placed(replace(film, part=part))
                with one.target.open("rb") as found:
                    shutil.copyfileobj(found, whole)
                if self.longest is not None and whole.tell() > self.form.size(self.longest + _MARGIN_SECONDS):
                    break
        one.target.unlink()

    def _placed(self, source: _Source) -> list[int]:
        """Write what one source holds, and return when each stretch of one format begins, in samples."""
        is_mixed = source.has_two_channels and self.form.channels == 1
        left = self.target.with_name(f"{self.target.name}.left") if is_mixed else None
        outputs = _filters(source, self.form, left is not None)
        outputs += ["-map", "[mix]", "-f", "s16le", url(self.target), *_first_of_each(source, self.form)]
        outputs += ["-map", "[left]", "-f", "s16le", url(left)] if left else []
        written = [self.target, *([left] if left else [])]
        told = self._run(source, [*outputs, *timeline.read_along(source.along)], written)
        if left:
            _hear_left_where_cancelled(self.target, left)
            left.unlink()
        return [int(line.split(b",")[2]) for line in told.splitlines() if not line.startswith(b"#")]

    def _in_one_format(self, film: _Source) -> _Source:
        """Return the sound of a film as one format, stereo, with its times.

        ffmpeg begins its filters anew wherever channels, rate or sample format change, so that they do not see what
        was before: not how long it was, nor the gap in between.
        """
        copy = self.target.with_name(f"{self.target.name}.nut")
        options = ["-map", f"0:{film.index}", *(["-af", film.mixing] if film.mixing else [])]
        options += ["-ac", "2", "-ar", str(self.form.rate), "-c:a", "pcm_s16le", "-f", "nut"]
        self._run(film, [*options, url(copy), *timeline.read_along(film.along)], [copy])
        return _Source(copy, 0, "", has_two_channels=True, has_clock=True, along=())

    def _run(self, source: _Source, outputs: list[str], writes: list[Path]) -> bytes:
        argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
        if self.longest is not None:
            argv += ["-t", str(self.longest + _MARGIN_SECONDS)]
        path = self.info.path
        try:
            argv += decoders(self.info.kinds) if source.path == path else []
            argv += [*input_of(source.path, source.part), *outputs]
            return run(
                Child(argv, self._limits(), reads=[source.path], writes=writes, purpose="read the sound"), self.cancel
            )
        except ToolStopped as error:
            raise unfit(path, error) from error
        except ToolError as error:
            raise MediaError("The sound of {file} cannot be decoded: the file is damaged.", file=path) from error

    def _limits(self) -> ChildLimits:
        """Return what may be used to decode the sound of a film, whose header may promise too little."""
        size = self.info.path.stat().st_size
        seconds = max(self.info.seconds, size / 4000) if self.longest is None else self.longest
        room = room_on_disk(self.target)
        # The copy in one format has two channels, and some bytes for each of its packets.
        wanted = room if self.longest is None else int((self.longest + 2 * _MARGIN_SECONDS) * self.form.rate * 5)
        cpu = 60 + seconds / 4  # of which it takes a hundredth, on a machine of today
        return ChildLimits(patience(cpu, size), cpu, MEMORY, min(room, wanted))


def _filters(source: _Source, form: SoundFormat, with_left: bool) -> list[str]:
    """Return the filters that make [mix], and perhaps [left]."""
    placed = _placing(source, form)
    both, left = "", ""
    if with_left:
        both = "asplit=2[both][other];[both]"
        left = f";[other]aformat=channel_layouts=stereo,pan=mono|c0=c0,{placed},aformat=sample_fmts=s16[left]"
    return ["-filter_complex", f"[0:{source.index}]{both}{_mixed(source, form)}[mix]{left}"]


def _first_of_each(source: _Source, form: SoundFormat) -> list[str]:
    """Return an output with one packet for each stretch of one format.

    Its filters are its own: where ffmpeg 7 has others that wait for this one, it drops what comes after a change.
    """
    only = rf"{_mixed(source, form)},aselect=eq(n\,0)"
    return ["-map", f"0:{source.index}", "-af", only, "-f", "framecrc", "pipe:1"]


def _mixed(source: _Source, form: SoundFormat) -> str:
    mixing = f"{source.mixing}," if source.mixing else ""
    layout = "mono" if form.channels == 1 else "stereo"
    return f"{mixing}{_placing(source, form)},aformat=sample_fmts=s16:channel_layouts={layout}"


def _placing(source: _Source, form: SoundFormat) -> str:
    # async fills holes and leaves out what comes twice, so that time in the samples is time in the film.
    return f"aresample={form.rate}{':async=1' if source.has_clock else ''}"


def _shift(path: Path, begin: int) -> None:
    """Have samples begin at the film's start, where the first one of the file belongs to the sample `begin` of it."""
    if not begin:
        return
    moved = path.with_name(f"{path.name}.moved")
    with path.open("rb") as source, moved.open("wb") as file:
        source.seek(max(0, -2 * begin))
        file.truncate(max(0, 2 * begin))
        file.seek(0, os.SEEK_END)
        while part := source.read(1 << 20):
            file.write(part)
    moved.replace(path)


def _hear_left_where_cancelled(mix: Path, left: Path) -> None:
    """Replace the mix of two channels by the left one, half a second at a time, where they cancel each other out."""
    windows = min(mix.stat().st_size, left.stat().st_size) // 2 // _WINDOW
    if not windows:
        return
    shape = (windows, _WINDOW)
    mixed = np.memmap(mix, np.int16, mode="r+", shape=shape)
    alone = np.memmap(left, np.int16, mode="r", shape=shape)
    for first in range(0, windows, 120):
        there = slice(first, first + 120)
        loud = _power(alone[there])
        lost = (loud > _QUIET) & (_power(mixed[there]) * 10 ** (_CANCELLED_DB / 10) < loud)
        mixed[there][lost] = alone[there][lost]
    mixed.flush()


def _power(windows: NDArray[np.int16]) -> NDArray[np.float64]:
    samples = windows.astype(np.float32)
    return np.asarray(np.einsum("ij,ij->i", samples, samples) / _WINDOW, np.float64)


def _nothing_decoded(info: MediaInfo, track: Track, cancel: Cancel | None) -> MediaError:
    """Return what to raise for a track of which ffmpeg made no sound: there may have been none."""
    if not has_packets(info.path, track, cancel):
        return EmptyTrack(info.path)
    return MediaError("The sound of {file} cannot be decoded: the file is damaged.", file=info.path)


def _check_whole(info: MediaInfo, track: Track, decoded: float, cancel: Cancel | None) -> None:
    """Raise where a film holds less than its header promises: that is measured, for sound may end before its film."""
    promised = track.seconds or (0.0 if info.is_measured else info.seconds)
    if decoded >= 0.9 * promised:
        return
    there = packets_end(info, [track.index] if track.seconds else info.timed, cancel)
    if there < 0.9 * promised:
        raise MediaError(
            "{file} is incomplete: it promises {promised:.1f} s, but only {there:.1f} s are there. Copy or "
            "download it again.",
            file=info.path,
            promised=promised,
            there=there,
        )
