"""For whom a request counts, and how much of anything may be at work at a time."""

from __future__ import annotations

import threading

import pytest

from vt.errors import TooManyRequests
from vt.web.visitors import SCOPE_KEY, ConcurrencyLimit, PerVisitorSemaphore, Visitor, of


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_a_request_counts_for_an_address_or_for_the_network_of_an_ipv6_one(address: str, key: str) -> None:
    assert Visitor(address).key == key


def test_what_stands_in_front_knows_better_than_the_peer() -> None:
    assert of({"client": ("192.0.2.1", 1)}) == Visitor("192.0.2.1")
    assert of({"client": None}) == Visitor()
    known = Visitor("192.0.2.9", is_local=False)
    assert of({"client": ("127.0.0.1", 1), SCOPE_KEY: known}) is known


def test_each_visitor_has_a_limit_and_so_have_all_together() -> None:
    limit = ConcurrencyLimit("uploads", each=2, total=3)
    with limit.held("a"), limit.held("a"):
        with pytest.raises(TooManyRequests, match=r"Too many uploads .*2 are the most") as caught, limit.held("a"):
            pass
        assert caught.value.retry_after > 0
        with limit.held("b"):
            with pytest.raises(TooManyRequests, match="This server has too many uploads"), limit.held("c"):
                pass
            assert limit.at_work == 3
    assert limit.at_work == 0
    with limit.held("c"):
        assert limit.at_work == 1


def test_a_visitor_waits_for_a_turn_of_their_own_and_never_for_one_of_another() -> None:
    turns, began = PerVisitorSemaphore(each=2), threading.Event()

    def third() -> None:
        with turns.one("a"):
            began.set()

    waiting = threading.Thread(target=third, daemon=True)
    with turns.one("a"):
        with turns.one("a"):
            waiting.start()
            assert not began.wait(0.2)
            with turns.one("b"), turns.one("b"):
                assert not began.is_set()
        assert began.wait(30)
    waiting.join(30)
