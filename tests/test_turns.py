"""Turns of work: so many side by side, and now and then none at all."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from tests.servers import wait_for
from vt.domain import Cancel
from vt.errors import Cancelled
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


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, began = Turns(1, 99, 1.0), list[str]()

    def work(name: str) -> None:
        with turns.one(1.0):
            began.append(name)

    with turns.one(1.0):
        waiting = []
        for number, name in enumerate(("a", "b", "c")):
            waiting.append(threading.Thread(target=work, args=(name,)))
            waiting[-1].start()
            wait_for(lambda: turns.waiting > number)  # noqa: B023
    for thread in waiting:
        thread.join(60)
    assert began == ["a", "b", "c"]


def test_who_gives_up_waiting_leaves_the_place_to_the_next() -> None:
    turns, cancel, ends = Turns(1, 99, 1.0), Cancel(), list[str]()

    def work(name: str, cancel: Cancel) -> None:
        try:
            with turns.one(1.0, cancel):
                ends.append(name)
        except Cancelled:
            ends.append(f"{name} gave up")

    with turns.one(1.0):
        first = threading.Thread(target=work, args=("first", cancel))
        second = threading.Thread(target=work, args=("second", Cancel()))
        for number, thread in enumerate((first, second)):
            thread.start()
            wait_for(lambda: turns.waiting > number)  # noqa: B023
        cancel.set()
        first.join(60)
        assert ends == ["first gave up"]
    second.join(60)
    assert (ends, cancel.hook_count, turns.waiting) == (["first gave up", "second"], 0, 0)
