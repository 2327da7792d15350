"""Lines made longer or shorter at the same pitch, several by one program: to start takes longer than to stretch one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel
from vt.media.audio import RUBBERBAND_LATE, sound_limits
from vt.media.commands import command_line
from vt.system.processes import Child, run

PROGRAMS_AT_ONCE = 2
"""Of one `Stretcher`; each takes one core."""
_MOST_LINES = 16
"""Of one program; each has a filter of its own, which takes some megabytes."""


@dataclass(eq=False, slots=True)
class _Line:
    """A line that waits."""

    samples: NDArray[np.int16]
    rate: int
    tempo: float
    made: Future[NDArray[np.int16]] = field(default_factory=Future)


class Stretcher:
    """Stretches lines for several threads: those that wait while programs run share the next one."""

    def __init__(self, cancel: Cancel) -> None:
        """`cancel` ends the programs, and with them what all threads wait for."""
        self._cancel = cancel
        self._programs = threading.BoundedSemaphore(PROGRAMS_AT_ONCE)
        self._lock = threading.Lock()
        self._waiting: list[_Line] = []

    @property
    def waiting(self) -> int:
        """How many lines wait for a program."""
        with self._lock:
            return len(self._waiting)

    def stretched(self, samples: NDArray[np.int16], rate: int, tempo: float) -> NDArray[np.int16]:
        """Return the samples `tempo` times as fast, at the same pitch, as `media.stretched` does; shape (n,).

        Raises:
            ToolError: ffmpeg failed, for this line or for one that went with it.
            Cancelled: the cancel of this stretcher was set.
        """
        line = _Line(samples, rate, tempo)
        with self._lock:
            self._waiting.append(line)
        with self._programs:
            self._stretch(self._taken_with(line))
        return line.made.result()

    def _taken_with(self, line: _Line) -> Sequence[_Line]:
        """Return a line and those that wait and may go with it; none where another thread has taken it along."""
        with self._lock:
            if line not in self._waiting:
                return ()
            others = [one for one in self._waiting if one.rate == line.rate and one is not line]
            taken = [line, *others[: _MOST_LINES - 1]]
            self._waiting = [one for one in self._waiting if one not in taken]
        return taken

    def _stretch(self, lines: Sequence[_Line]) -> None:
        if not lines:
            return
        try:
            made = all_stretched([(one.samples, one.tempo) for one in lines], lines[0].rate, self._cancel)
        except BaseException as error:  # noqa: BLE001 (each thread raises it for its own line; none waits for ever)
            for one in lines:
                one.made.set_exception(copy(error))  # an error that is raised keeps what the frames on its way hold
        else:
            for one, sound in zip(lines, made, strict=True):
                one.made.set_result(sound)


def all_stretched(
    lines: Sequence[tuple[NDArray[np.int16], float]], rate: int, cancel: Cancel | None = None
) -> list[NDArray[np.int16]]:
    """Return some lines, each `tempo` times as fast, to the sample as if each were stretched alone (rubberband).

    Args:
        lines: samples of shape (n,) and tempo of each; at least one.
        rate: of all of them, in hertz.
        cancel: ends the program.

    Raises:
        ToolError: ffmpeg failed.
        Cancelled: `cancel` was set.
    """
    late = np.zeros(int(RUBBERBAND_LATE * rate), np.int16)
    sound = np.concatenate([part for samples, _ in lines for part in (samples, late)])
    pcm: dict[str, Any] = {"f": "s16le", "ar": rate, "ac": 1}
    parts = ffmpeg.input("pipe:0", protocol_whitelist="pipe", **pcm).filter_multi_output("asplit", len(lines))
    wanted = [round(len(samples) / tempo) for samples, tempo in lines]
    made, at = [], 0
    for number, (samples, tempo) in enumerate(lines):
        end = at + len(samples) + len(late)
        part = parts[number].filter("atrim", start_sample=at, end_sample=end).filter("asetpts", "PTS-STARTPTS")
        part = part.filter("rubberband", tempo=f"{tempo:.6f}").filter("apad", whole_len=wanted[number])
        made.append(part.filter("atrim", end_sample=wanted[number]))
        at = end
    argv = command_line(ffmpeg.concat(*made, v=0, a=1).output("pipe:1", **pcm))
    limits = sound_limits(len(sound) / rate, 4 * sound.size)
    output = run(Child(argv, limits, sound.tobytes(), purpose="stretch lines"), cancel)
    return np.split(np.frombuffer(output, np.int16), np.cumsum(wanted)[:-1])
