"""The watchdog: what it takes for life, and what for standstill."""

from __future__ import annotations

import pytest

from vt.domain import Cancel, Progress, Stage
from vt.jobs.watchdog import Patience, Watchdog


class Clock:
    """Goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cancel() -> Cancel:
    return Cancel()


@pytest.fixture
def dog(clock: Clock, cancel: Cancel) -> Watchdog:
    return Watchdog(cancel, Patience(standstill=600.0, at_least=3600.0, a_second=30.0, to_heed=60.0), clock)


def test_work_that_stands_still_is_in_trouble_and_not_before(clock: Clock, dog: Watchdog) -> None:
    clock.now += 599
    assert dog.trouble() is None
    clock.now += 1
    assert dog.trouble() == "Nothing went on for 10 minutes, so the job was stopped: try it again."


def test_a_step_of_progress_is_a_sign_of_life(clock: Clock, dog: Watchdog) -> None:
    clock.now += 599
    dog.hear(Progress(Stage.SPEAK, 0.5))
    clock.now += 599
    assert dog.trouble() is None


def test_work_that_asks_whether_it_is_cancelled_lives(clock: Clock, cancel: Cancel, dog: Watchdog) -> None:
    for _ in range(3):
        clock.now += 500
        cancel.check()
        assert dog.trouble() is None


def test_work_that_never_ends_is_in_trouble_though_it_lives(clock: Clock, cancel: Cancel, dog: Watchdog) -> None:
    for _ in range(35):
        clock.now += 100
        cancel.check()
        assert dog.trouble() is None
    clock.now += 100
    cancel.check()
    assert dog.trouble() == "The job took longer than 1 hours and was stopped: try a shorter film."


def test_a_longer_film_has_more_time(clock: Clock, cancel: Cancel, dog: Watchdog) -> None:
    dog.hear(Progress(Stage.TRANSCRIBE, 0.1, film_seconds=120.0))
    clock.now += 3600 + 120 * 30 - 1
    cancel.check()
    assert dog.trouble() is None
    clock.now += 1
    cancel.check()
    assert dog.trouble()


def test_work_that_does_not_heed_is_told_apart_after_a_while(clock: Clock, dog: Watchdog) -> None:
    assert not dog.is_overdue
    clock.now += 600
    assert dog.trouble()
    clock.now += 59
    assert not dog.is_overdue
    clock.now += 1
    assert dog.is_overdue
