"""Programs that are fed while they run: what comes of them is taken at once, and none outlives whoever feeds it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from vt.domain import Cancel
from vt.errors import Cancelled, ToolError, ToolMissing, ToolStopped
from vt.system.piping import pipe
from vt.system.processes import TALLY, TOOL, Child, Slots

SLOTS = Slots(2, patience=60.0)
PATIENCE = 60


def running() -> int:
    return sum(TALLY.counts()[0].values())


def test_what_a_program_makes_of_a_piece_is_taken_before_the_next_piece_is_made() -> None:
    taken, came = list[bytes](), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one "
        assert came.wait(PATIENCE)
        yield b"two"

    def take(chunk: bytes) -> None:
        taken.append(chunk)
        came.set()

    pipe(Child(["cat"]), pieces(), take, Cancel(), SLOTS)
    assert (b"".join(taken), running()) == (b"one two", 0)


def test_more_than_any_pipe_holds_goes_through() -> None:
    taken = list[int]()
    pipe(Child(["cat"]), [b"x" * 2**20] * 3, lambda chunk: taken.append(len(chunk)), Cancel(), SLOTS)
    assert sum(taken) == 3 * 2**20


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 4096


@pytest.mark.parametrize(
    ("child", "error", "said"),
    [
        (Child(["sh", "-c", "echo no good >&2; exit 3"]), ToolError, "no good"),
        (Child(["no-such-program"]), ToolMissing, "no-such-program"),
        (Child(["cat"], replace(TOOL, output_bytes=2**20)), ToolStopped, "more than 1 MB"),
        (Child(["sh", "-c", "exec >&- 2>&-; sleep 60"], replace(TOOL, seconds=0.2)), ToolStopped, "took longer"),
    ],
)
def test_a_program_that_fails_says_why_however_long_it_would_have_been_fed(
    child: Child, error: type[Exception], said: str
) -> None:
    pieces = [b"x"] if "sleep" in " ".join(child.argv) else endless()
    with pytest.raises(error, match=said):
        pipe(child, pieces, lambda _: None, Cancel(), SLOTS)
    assert running() == 0


def test_what_goes_wrong_with_the_pieces_or_with_what_is_made_of_them_ends_the_program() -> None:
    def fails(_: bytes) -> None:
        raise ZeroDivisionError

    def breaks_off() -> Iterator[bytes]:
        yield b"x"
        raise ValueError

    with pytest.raises(ZeroDivisionError):
        pipe(Child(["cat"]), endless(), fails, Cancel(), SLOTS)
    with pytest.raises(ValueError, match=r"^$"):
        pipe(Child(["cat"]), breaks_off(), lambda _: None, Cancel(), SLOTS)
    assert running() == 0


def test_a_cancel_kills_it() -> None:
    cancel = Cancel()
    with pytest.raises(Cancelled):
        pipe(Child(["cat"]), endless(), lambda _: cancel.set(), cancel, SLOTS)
    assert (running(), cancel.hook_count) == (0, 0)
