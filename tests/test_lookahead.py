"""Work that runs ahead of its results: never too far, in order, and gone when nobody wants it any more."""

from __future__ import annotations

import threading

import pytest

from vt.domain import Cancel
from vt.errors import Cancelled
from vt.system.lookahead import run_ahead, run_groups_ahead

PATIENCE = 30.0


def test_results_come_in_order_and_no_item_is_taken_too_far_ahead() -> None:
    taken: list[int] = []

    def items() -> list[int]:
        return list(range(9))

    source = (taken.append(number) or number for number in items())  # type: ignore[func-returns-value]
    made = run_ahead(str, source, threads=2, ahead=3, name="test", cancel=Cancel())
    for number in range(9):
        assert next(made) == str(number)
        assert taken == list(range(min(9, number + 4)))
    assert list(made) == []


def test_a_group_without_items_has_its_place_too() -> None:
    groups = [[1, 2], [], [3], []]
    made = run_groups_ahead(str, groups, threads=2, ahead=2, name="test", cancel=Cancel())
    assert list(made) == [["1", "2"], [], ["3"], []]


def test_whoever_cancels_is_told_and_leaves_no_thread_behind() -> None:
    cancel, begun = Cancel(), threading.Event()
    cancel.add(begun.set)

    def work(number: int) -> int:
        return number if number == 0 or begun.wait(PATIENCE) else -1

    made = run_ahead(work, range(100), threads=2, ahead=2, name="vt-test-ahead", cancel=cancel)
    assert next(made) == 0
    cancel.set()
    with pytest.raises(Cancelled):
        next(made)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vt-test-ahead")]


def test_who_leaves_early_ends_what_is_at_work() -> None:
    left = threading.Event()

    def work(number: int) -> int:
        return number if number == 0 or left.wait(PATIENCE) else -1

    groups = ([number] for number in range(9))
    made = run_groups_ahead(work, groups, threads=1, ahead=2, name="test", cancel=Cancel(), leave=left.set)
    assert next(made) == [0]
    made.close()
    assert left.is_set()


def test_an_error_in_a_thread_comes_where_its_result_would_have_come() -> None:
    made = run_ahead(lambda number: 1 // number, (1, 0, 1), threads=2, ahead=2, name="test", cancel=Cancel())
    assert next(made) == 1
    with pytest.raises(ZeroDivisionError):
        next(made)
