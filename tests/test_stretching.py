"""Lines that are stretched together come out to the sample as if each were stretched alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.clusters import PATIENCE, comes
from vt import media
from vt.domain import Cancel
from vt.errors import Cancelled, ToolError
from vt.media import stretching

RATE = 24_000


def line(seconds: float, pitch: float) -> NDArray[np.int16]:
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(int(pitch)).standard_normal(len(time))
    sound = np.sin(2 * np.pi * pitch * time * (1 + 0.05 * np.sin(6 * time))) + 0.2 * noise
    return (6000 * sound).astype(np.int16)


LINES = [(line(0.3, 150.0), 1.3), (line(2.0, 220.0), 0.97), (line(1.1, 180.0), 1.004), (line(0.05, 300.0), 0.8)]


@pytest.mark.slow
def test_lines_of_one_program_are_to_the_sample_those_of_programs_of_their_own() -> None:
    together = stretching.all_stretched(LINES, RATE)
    for (samples, tempo), made in zip(LINES, together, strict=True):
        assert np.array_equal(made, media.stretched(samples, RATE, tempo))
    assert np.array_equal(stretching.all_stretched(LINES[1:2], RATE)[0], together[1])


class Programs:
    """In place of ffmpeg: takes its time until it is told to go on, and gives back what it is given."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun: list[list[float]] = []
        """The tempos of the lines of each."""
        self.error: Exception | None = None

    def __call__(
        self, lines: Sequence[tuple[NDArray[np.int16], float]], rate: int, cancel: Cancel
    ) -> list[NDArray[np.int16]]:
        del rate
        self.begun.append([tempo for _, tempo in lines])
        assert self.go_on.wait(PATIENCE)
        cancel.check()
        if self.error:
            raise self.error
        return [samples + round(tempo) for samples, tempo in lines]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs()
    monkeypatch.setattr(stretching, "all_stretched", made)
    return made


def many(stretcher: stretching.Stretcher, programs: Programs, count: int, pool: ThreadPoolExecutor) -> list[int]:
    """Have lines stretched, all of which wait but those of the first programs; return what came of each."""
    first = [
        pool.submit(stretcher.stretched, np.full(3, 100, np.int16), RATE, float(number))
        for number in range(stretching.PROGRAMS_AT_ONCE)
    ]
    comes(lambda: len(programs.begun) == len(first))
    others = [
        pool.submit(stretcher.stretched, np.full(3, 100, np.int16), RATE if number % 2 else 2 * RATE, float(number))
        for number in range(len(first), count)
    ]
    comes(lambda: stretcher.waiting == len(others))
    programs.go_on.set()
    return [int(one.result(PATIENCE)[0]) for one in (*first, *others)]


def test_lines_that_wait_share_programs_and_each_comes_back_to_who_gave_it(programs: Programs) -> None:
    with ThreadPoolExecutor(12) as pool:
        assert many(stretching.Stretcher(Cancel()), programs, 12, pool) == [100 + number for number in range(12)]
    assert sorted(map(len, programs.begun)) == [1, 1, 5, 5]  # those of one rate go together
    assert sorted(tempo for program in programs.begun for tempo in program) == [float(number) for number in range(12)]


@pytest.mark.parametrize("error", [ToolError("It does not run."), None])
def test_what_ends_a_program_is_told_to_all_whose_lines_it_had(programs: Programs, error: Exception | None) -> None:
    cancel = Cancel()
    programs.error = error
    if error is None:
        cancel.set()
    with ThreadPoolExecutor(8) as pool:
        stretcher = stretching.Stretcher(cancel)
        with pytest.raises(ToolError if error else Cancelled):
            many(stretcher, programs, 8, pool)
    assert stretcher.waiting == 0
