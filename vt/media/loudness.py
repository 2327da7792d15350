"""Loudness after EBU R128: of samples at several gains, and of an encoded track moment by moment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.errors import ToolError
from vt.media.audio import PRIMING, level_filters, raw_pcm_input, sound_limits
from vt.media.commands import url
from vt.media.probing import to_float
from vt.system.processes import Child, run_both
from vt.system.sandbox import MB

TARGET_LUFS = -16.0
TRUE_PEAK_DBTP = -1.0
LIMIT = 0.75
"""Of full scale, for samples: leaves the encoder 1.5 dB for the peaks that it adds."""
_SUMMARY = re.compile(r"^\[ebur128@(\w+) @ \w+\] Summary:\s+Integrated loudness:\s+I:\s+(-?[\d.]+) LUFS", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Loudness:
    """EBU R128: integrated loudness in LUFS and true peak in dBTP."""

    integrated: float
    true_peak: float


def loudness_at(samples: NDArray[np.int16], rate: int, gains: Sequence[float]) -> list[float]:
    """Return the integrated loudness in LUFS that `samples` would have at each gain in dB, limiter included."""
    # Each meter has a name: in which order they tell is ffmpeg's own business.
    names = [f"gain{number}" for number in range(len(gains))]
    graph = [f"asplit={len(gains)}{''.join(f'[{name}]' for name in names)}"]
    for name, gain in zip(names, gains, strict=True):
        graph.append(f"[{name}]{level_filters(rate, gain, LIMIT)},ebur128@{name}=framelog=verbose[{name}out]")
    argv = ["ffmpeg", "-hide_banner", "-nostats", *raw_pcm_input(rate), "-filter_complex", ";".join(graph)]
    for name in names:
        argv += ["-map", f"[{name}out]", "-f", "null", "-"]
    said = run_both(
        Child(
            argv,
            sound_limits(len(gains) * len(samples) / rate),
            samples.tobytes(),
            purpose="measure loudness at several gains",
        )
    )[1]
    told = dict(_SUMMARY.findall(said))
    return [float(told[name]) for name in names]


def momentary_loudness(path: Path, primed: bool, cancel: Cancel | None = None) -> dict[str, Any]:
    """Return the momentary loudness in LUFS of each 400 ms of an ADTS file, every 100 ms, and its true peak in dBTP.

    Where the file begins with the encoder's priming, that is left out: players skip it, and it would shift the blocks.
    """
    skip = f"atrim=start_sample={PRIMING}," if primed else ""
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "verbose", "-protocol_whitelist", "file"]
    argv += ["-f", "aac", "-i", url(path), "-af", f"{skip}ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    seconds = path.stat().st_size / 4000
    limits = replace(sound_limits(seconds), said_bytes=int(MB + seconds * 4000))  # ten lines a second, each read below
    said = run_both(Child(argv, limits, reads=[path], purpose="measure the loudness of the track"), cancel)[1]
    levels = [float(level) for level in re.findall(r" M:\s*(-?[\d.]+)\s", said)]
    peak = re.findall(r"^[ \t]+Peak:\s+(-?[\d.]+|-?inf|nan) dBFS", said, re.MULTILINE)
    if not peak:
        raise ToolError("ffmpeg measured no loudness.")
    return {"momentary": levels, "true_peak": to_float(peak[-1]) if peak[-1] not in ("-inf", "nan") else None}
