"""Turns of work: so many side by side, and now and then none at all."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from vt.system.turns import Turns


def test_no_more_work_runs_side_by_side_than_is_allowed() -> None:
    turns, free = Turns(2, 99), list[bool]()
    with turns.one():
        free.append(turns.is_free)
        with turns.one():
            free.append(turns.is_free)
        free.append(turns.is_free)
    assert free == [True, False, True]


def test_after_a_round_nothing_begins_before_all_of_it_has_ended() -> None:
    turns = Turns(2, 3)
    first, second, third = ExitStack(), ExitStack(), ExitStack()
    first.enter_context(turns.one())
    second.enter_context(turns.one())
    first.close()
    third.enter_context(turns.one())
    second.close()
    assert not turns.is_free  # the third is the last of its round, and still runs
    begun = threading.Event()

    def fourth() -> None:
        with turns.one():
            begun.set()

    waiting = threading.Thread(target=fourth)
    waiting.start()
    third.close()
    waiting.join(60)
    assert begun.is_set()
    assert turns.is_free


def test_work_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, 1)
    with pytest.raises(ZeroDivisionError), turns.one():
        raise ZeroDivisionError
    assert turns.is_free
