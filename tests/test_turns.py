"""Turns of work: so many side by side, and now and then none at all."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from vt.system.turns import Turns


def test_no_more_work_runs_side_by_side_than_is_allowed() -> None:
    turns, free = Turns(2, 99, 10.0), list[bool]()
    with turns.one(1.0):
        free.append(turns.has_room(1.0))
        with turns.one(1.0):
            free.append(turns.has_room(1.0))
        free.append(turns.has_room(1.0))
    assert free == [True, False, True]


def test_after_a_round_nothing_begins_before_all_of_it_has_ended() -> None:
    turns = Turns(2, 3, 10.0)
    first, second, third = ExitStack(), ExitStack(), ExitStack()
    first.enter_context(turns.one(1.0))
    second.enter_context(turns.one(1.0))
    first.close()
    third.enter_context(turns.one(1.0))
    second.close()
    assert not turns.has_room(1.0)  # the third is the last of its round, and still runs
    begun = threading.Event()

    def fourth() -> None:
        with turns.one(1.0):
            begun.set()

    waiting = threading.Thread(target=fourth)
    waiting.start()
    third.close()
    waiting.join(60)
    assert begun.is_set()
    assert turns.has_room(1.0)


def test_work_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, 1, 10.0)
    with pytest.raises(ZeroDivisionError), turns.one(1.0):
        raise ZeroDivisionError
    assert turns.has_room(1.0)


def test_work_that_is_large_together_runs_one_after_the_other_and_larger_work_alone() -> None:
    turns, room = Turns(2, 99, 10.0), list[bool]()
    with turns.one(6.0):
        room += [turns.has_room(4.0), turns.has_room(5.0)]
    with turns.one(20.0):
        room.append(turns.has_room(0.5))
    assert [*room, turns.has_room(20.0)] == [True, False, False, True]
