"""Samples stretched, and samples as AAC."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.media.commands import MEMORY, command_line, patience, room_on_disk, url
from vt.media.extraction import SoundFormat
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_GLIDE_SECONDS = 0.02  # from one step of a rising pitch to the next
RUBBERBAND_LATE = 0.03
"""By so many seconds at most ffmpeg's filter is late: with silence behind it, the end of the sound is not lost."""
PRIMING = 1024  # samples that ffmpeg's AAC encoder puts in front


def stretched(samples: NDArray[np.int16], rate: int, tempo: float, cancel: Cancel | None = None) -> NDArray[np.int16]:
    """Return the samples `tempo` times as fast, at the same pitch (rubberband); shape (n,), or (n, channels)."""
    return _rubberband(samples, rate, round(len(samples) / tempo), cancel, tempo=f"{tempo:.6f}")


def shifted(samples: NDArray[np.int16], rate: int, semitones: float, cancel: Cancel | None = None) -> NDArray[np.int16]:
    """Return the samples as a higher voice would speak them at the same tempo; a lower one where it is below zero.

    The formants move too (rubberband), as with a shorter vocal tract: so it sounds like somebody else.
    """
    return _rubberband(samples, rate, len(samples), cancel, pitch=f"{2 ** (semitones / 12):.6f}")


def raised_at_end(
    samples: NDArray[np.int16], rate: int, semitones: float, seconds: float, cancel: Cancel | None = None
) -> NDArray[np.int16]:
    """Return the samples with a pitch that rises towards the end, evenly over the last `seconds` (rubberband)."""
    begin = max(0.0, len(samples) / rate - seconds)
    count = max(1, round(seconds / _GLIDE_SECONDS))
    glide = ";".join(
        f"{begin + step * _GLIDE_SECONDS:.3f} rubberband pitch {2 ** (semitones * (step + 1) / count / 12):.5f}"
        for step in range(count)
    )
    padded = np.pad(samples, (0, int(0.1 * rate)))
    pcm = {"f": "s16le", "ar": rate, "ac": 1}
    stream = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm)
    stream = stream.filter("asetnsamples", n=rate // 100).filter("asendcmd", commands=glide)
    stream = stream.filter("rubberband", pitch=1, formant="preserved")
    argv = command_line(stream.output("pipe:1", **pcm))
    output = run(
        Child(
            argv,
            sound_limits(len(padded) / rate, 4 * len(padded)),
            padded.tobytes(),
            purpose="raise the end of a question",
        ),
        cancel,
    )
    return np.frombuffer(output, np.int16)[: len(samples)]


def _rubberband(
    samples: NDArray[np.int16], rate: int, wanted: int, cancel: Cancel | None, **options: str
) -> NDArray[np.int16]:
    """Return the first `wanted` samples of what ffmpeg's filter makes of some."""
    form = samples.shape[1:]
    samples = np.concatenate([samples, np.zeros((int(RUBBERBAND_LATE * rate), *form), np.int16)])
    pcm = {"f": "s16le", "ar": rate, "ac": form[0] if form else 1}
    stream = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm).filter("rubberband", **options)
    argv = command_line(stream.output("pipe:1", **pcm))
    output = run(
        Child(argv, sound_limits(len(samples) / rate, 4 * samples.size), samples.tobytes(), purpose="stretch a line"),
        cancel,
    )
    return np.frombuffer(output, np.int16).reshape(-1, *form)[:wanted]


def sound_limits(seconds: float, output_bytes: int = 0) -> ChildLimits:
    """Return what may be used for work on so many seconds of sound; it takes a hundredth of that."""
    cpu = 60 + 2 * seconds
    return ChildLimits(patience(cpu), cpu, MEMORY, output_bytes=output_bytes + MB)


def converted(source: Path, form: SoundFormat, target: Path, wanted: SoundFormat, cancel: Cancel | None = None) -> None:
    """Write raw samples of 16 bits in another format; of two channels that become one, that is the mean."""
    before, after = (["-f", "s16le", "-ar", str(one.rate), "-ac", str(one.channels)] for one in (form, wanted))
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += ["-protocol_whitelist", "file", *before, "-i", url(source)]
    argv += [*(["-af", "pan=mono|c0=0.5*c0+0.5*c1"] if wanted.channels < form.channels else []), *after, url(target)]
    seconds = source.stat().st_size / (2 * form.rate * form.channels)
    limits = replace(sound_limits(seconds), file_bytes=room_on_disk(target))
    run(Child(argv, limits, reads=[source], writes=[target], purpose="convert sound"), cancel)


def output_rate(rate: int) -> int:
    """Return the sample rate in hertz of the dubbed track for a voice with the native `rate`."""
    return 24_000 if rate <= 24_000 else 48_000


def level_filters(rate: int, gain: float, limit: float) -> str:
    """Return the filters that bring samples at `rate` to a level: a gain in dB, then a limiter."""
    return f"{_amplified(output_rate(rate), gain)},{_limited(limit)}"


def _amplified(target_rate: int, gain: float) -> str:
    return f"aresample={target_rate},volume={gain:.2f}dB"


def _limited(limit: float) -> str:
    return f"alimiter=limit={limit:.4f}:level=false:attack=3:release=60:latency=true"


def raw_pcm_input(rate: int, kind: str = "s16le") -> list[str]:
    """Return the options by which ffmpeg reads mono samples from stdin, of 16 bits or of another kind."""
    return ["-protocol_whitelist", "pipe", "-f", kind, "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]


@dataclass(frozen=True, slots=True)
class Bed:
    """What sounds under a voice: raw samples in a file, floats of 32 bits, at the rate of the track."""

    path: Path
    channels: int
    """1 or 2; the track has as many."""


_BITS = {(24_000, 1): "64k", (48_000, 1): "128k", (24_000, 2): "96k", (48_000, 2): "160k"}
"""A second, by rate and channels."""


def aac_packets(
    samples: NDArray[Any],
    rate: int,
    gain: float,
    limit: float,
    cancel: Cancel | None = None,
    *,
    target_rate: int | None = None,
    bed: Bed | None = None,
) -> list[bytes]:
    """Return a voice, brought to a level and limited, as packets of AAC in ADTS (ISO/IEC 14496-3).

    One packet more than the samples fill comes first: the encoder's priming.

    Args:
        samples: of the voice, mono: of 16 bits, or floats of 32 bits, 1.0 being full scale.
        rate: of the voice, in hertz.
        gain: of the voice, in dB.
        limit: of what is heard in the end, as a fraction of full scale.
        cancel: ends it.
        target_rate: of the track, in hertz; None: what suits the voice.
        bed: is heard with it, unchanged but for the limit; as long as the voice, or the rest is silent.
    """
    wanted, channels = target_rate or output_rate(rate), bed.channels if bed else 1
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += raw_pcm_input(rate, "s16le" if samples.dtype.kind == "i" else "f32le")
    voice = _amplified(wanted, gain)
    if bed:
        argv += ["-protocol_whitelist", "file", "-f", "f32le", "-ar", str(wanted), "-ac", str(channels)]
        argv += ["-i", url(bed.path), "-filter_complex", _mix(voice, channels, limit), "-map", "[mix]"]
    else:
        argv += ["-af", f"{voice},{_limited(limit)}"]
    argv += ["-c:a", "aac", "-aac_coder", "fast", "-b:a", _BITS[wanted, channels], "-f", "adts", "pipe:1"]
    limits = sound_limits(2 * len(samples) / rate, 4 * channels * len(samples))
    return _packets(
        run(Child(argv, limits, samples.tobytes(), reads=[bed.path] if bed else [], purpose="encode the track"), cancel)
    )


def _mix(voice: str, channels: int, limit: float) -> str:
    # Each channel gets the whole voice: ffmpeg's own change of channels would make it quieter.
    spread = "pan=mono|c0=c0" if channels == 1 else "pan=stereo|c0=c0|c1=c0"
    return f"[0:a]{voice},{spread}[voice];[voice][1:a]amix=inputs=2:normalize=0:duration=longest,{_limited(limit)}[mix]"


def _packets(stream: bytes) -> list[bytes]:
    found, here = [], 0
    while here < len(stream):
        length = (stream[here + 3] & 3) << 11 | stream[here + 4] << 3 | stream[here + 5] >> 5
        found.append(stream[here : here + length])
        here += length
    return found


def join_aac(paths: Sequence[Path], rate: int, target: Path, cancel: Cancel | None = None) -> None:
    """Put ADTS files that follow each other into one M4A, whose players skip the encoder's priming."""
    joined = target.with_name(f"{target.name}.aac")
    with joined.open("wb") as whole:
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)
    argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
    argv += ["-itsoffset", f"{-PRIMING / rate:.9f}", "-protocol_whitelist", "file", "-f", "aac", "-i", url(joined)]
    argv += ["-c", "copy", "-avoid_negative_ts", "disabled", "-f", "mp4", url(target)]
    size = joined.stat().st_size
    limits = replace(sound_limits(size / 4000), file_bytes=2 * size + MB)
    run(Child(argv, limits, reads=[joined], writes=[target], purpose="join the track"), cancel)
    joined.unlink()
