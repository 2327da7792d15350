"""Samples stretched, and samples as AAC."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.media.commands import MEMORY, command_line, patience, url
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_GLIDE_SECONDS = 0.02  # from one step of a rising pitch to the next
PRIMING = 1024  # samples that ffmpeg's AAC encoder puts in front


def stretched(samples: NDArray[np.int16], rate: int, tempo: float, cancel: Cancel | None = None) -> NDArray[np.int16]:
    """Return the samples spoken `tempo` times as fast, at the same pitch (rubberband)."""
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
    output = run(Child(argv, sound_limits(len(padded) / rate, 4 * len(padded)), padded.tobytes()), cancel)
    return np.frombuffer(output, np.int16)[: len(samples)]


def _rubberband(
    samples: NDArray[np.int16], rate: int, wanted: int, cancel: Cancel | None, **options: str
) -> NDArray[np.int16]:
    """Return the first `wanted` samples of what ffmpeg's filter makes of some."""
    # The filter is a few milliseconds late: with silence behind it, the end of the sound is not lost.
    samples = np.pad(samples, (0, int(0.03 * rate)))
    pcm = {"f": "s16le", "ar": rate, "ac": 1}
    stream = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm).filter("rubberband", **options)
    argv = command_line(stream.output("pipe:1", **pcm))
    output = run(Child(argv, sound_limits(len(samples) / rate, 4 * len(samples)), samples.tobytes()), cancel)
    return np.frombuffer(output, np.int16)[:wanted]


def sound_limits(seconds: float, output_bytes: int = 0) -> ChildLimits:
    """Return what may be used for work on so many seconds of sound; it takes a hundredth of that."""
    cpu = 60 + 2 * seconds
    return ChildLimits(patience(cpu), cpu, MEMORY, output_bytes=output_bytes + MB)


def output_rate(rate: int) -> int:
    """Return the sample rate in hertz of the dubbed track for a voice with the native `rate`."""
    return 24_000 if rate <= 24_000 else 48_000


def level_filters(rate: int, gain: float, limit: float) -> str:
    """Return the filters that bring samples at `rate` to a level: a gain in dB, then a limiter."""
    limiter = f"alimiter=limit={limit:.4f}:level=false:attack=3:release=60:latency=true"
    return f"aresample={output_rate(rate)},volume={gain:.2f}dB,{limiter}"


def raw_pcm_input(rate: int) -> list[str]:
    """Return the options by which ffmpeg reads mono 16-bit samples from stdin."""
    return ["-protocol_whitelist", "pipe", "-f", "s16le", "-ar", str(rate), "-ac", "1", "-i", "pipe:0"]


def aac_packets(
    samples: NDArray[np.int16], rate: int, gain: float, limit: float, cancel: Cancel | None = None
) -> list[bytes]:
    """Return mono samples at `rate`, brought to a level and limited, as packets of AAC in ADTS (ISO/IEC 14496-3).

    One packet more than the samples fill comes first: the encoder's priming.
    """
    bits = "64k" if output_rate(rate) == 24_000 else "128k"
    argv = ["ffmpeg", "-hide_banner", "-nostats", "-loglevel", "error", *raw_pcm_input(rate)]
    argv += ["-af", level_filters(rate, gain, limit), "-c:a", "aac", "-aac_coder", "fast", "-b:a", bits, "-f", "adts"]
    limits = sound_limits(len(samples) / rate, 4 * len(samples))
    return _packets(run(Child([*argv, "pipe:1"], limits, samples.tobytes()), cancel))


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
    run(Child(argv, limits, reads=[joined], writes=[target]), cancel)
    joined.unlink()
