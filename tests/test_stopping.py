"""Ctrl-C and SIGTERM end a command, wherever Python is when they come."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.test_batch import SAID, Noted, two_films, wanted
from vt.cli import batch, stopping
from vt.domain import Cancel, Clip
from vt.errors import Cancelled


class Ending(ToneSynthesizer):
    """A voice that does something at the end of its work."""

    def __init__(self, ends: Callable[[], object]) -> None:
        super().__init__()
        self._ends = ends

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        try:
            yield from super().speak(lines, cancel)
        finally:
            self._ends()


def lost(number: signal.Signals) -> None:
    """Have a signal come while Python ends a generator that nobody holds: it drops what the handler raises."""

    def abandoned() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(number)

    next(abandoned())


def stopped(folder: Path, voice: ToneSynthesizer, cancel: Cancel | None = None) -> list[str]:
    """Run a batch of four dubs that is stopped, and return how those ended that did."""
    teller, factory = Noted(), FakeFactory(ScriptedTranscriber([SAID]), voice)
    with pytest.raises(Cancelled, match="goes on where it was"):
        batch.run(wanted(two_films(folder)), (), factory, folder / "out", teller, lambda *_: [], cancel=cancel)
    return teller.states


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Have Ctrl-C end what is run, also where whoever runs the tests ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_python_drops_ends_a_batch_all_the_same(
    number: signal.Signals, tmp_path: Path
) -> None:
    with stopping.heard() as cancel:
        assert len(stopped(tmp_path, Ending(lambda: lost(number)), cancel)) < 4


def test_what_comes_while_a_voice_ends_its_work_is_not_dropped(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert stopped(tmp_path, Ending(interrupted)) == []


def test_ctrl_c_that_is_ignored_stays_so_and_handlers_are_put_back() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    with stopping.heard() as cancel:
        assert signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGINT)
        assert not cancel.is_set
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is before
