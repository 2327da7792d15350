"""Downloads and conversions run once for all who wait; a cancel frees one of them, and the last one's ends the work."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from vt.domain import Cancel
from vt.errors import Cancelled, ModelUnavailable
from vt.model_files.preparation import Preparations
from vt.translatable import Message

PATIENCE = 20.0


class Site:
    """A preparation that goes on until it is let go or cancelled, and those who wait for it, each in a thread."""

    def __init__(self) -> None:
        self.preparations = Preparations()
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Event()
        self.stopped = threading.Event()
        self.times = 0

    def make(self, cancel: Cancel) -> None:
        self.times += 1
        cancel.add(self.stopped.set)
        cancel.add(self.let_go.set)
        self.begun.release()
        assert self.let_go.wait(PATIENCE)
        cancel.check()

    def ask(self, cancel: Cancel) -> Visitor:
        visitor = Visitor(self, cancel)
        visitor.thread.start()
        return visitor

    def waiting(self) -> int:
        return self.preparations.waiting("model")


class Visitor:
    """Somebody who waits."""

    def __init__(self, site: Site, cancel: Cancel) -> None:
        self.cancel = cancel
        self.outcome: object = None
        self.thread = threading.Thread(target=self._wait, args=(site,))

    def _wait(self, site: Site) -> None:
        try:
            site.preparations.run("model", site.make, self.cancel)
            self.outcome = "ready"
        except Cancelled:
            self.outcome = "cancelled"
        except ModelUnavailable as error:
            self.outcome = str(error)

    def told(self) -> object:
        self.thread.join(PATIENCE)
        return self.outcome


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.let_go.set()


def pair(site: Site) -> tuple[Visitor, Visitor]:
    first = site.ask(Cancel())
    assert site.begun.acquire(timeout=PATIENCE)
    second = site.ask(Cancel())
    while site.waiting() < 2:
        threading.Event().wait(0.01)
    return first, second


def test_it_is_done_once_for_all_who_wait(site: Site) -> None:
    first, second = pair(site)
    site.let_go.set()
    assert (first.told(), second.told(), site.times) == ("ready", "ready", 1)


def test_who_leaves_is_free_while_it_goes_on_for_the_others(site: Site) -> None:
    first, second = pair(site)
    first.cancel.set()
    assert first.told() == "cancelled"
    assert (site.waiting(), site.stopped.is_set()) == (1, False)
    site.let_go.set()
    assert (second.told(), site.times) == ("ready", 1)


def test_it_is_cancelled_when_the_last_has_left(site: Site) -> None:
    for visitor in pair(site):
        assert not site.stopped.is_set()
        visitor.cancel.set()
        assert visitor.told() == "cancelled"
    assert site.stopped.is_set()


def test_who_comes_after_that_begins_anew_once_the_cancelled_one_has_ended() -> None:
    preparations, ending, go, events = Preparations(), threading.Event(), threading.Event(), list[str]()
    cancel = Cancel()

    def slow_to_end(cancelled: Cancel) -> None:
        events.append("first begins")
        cancelled.add(ending.set)
        cancel.set()
        assert go.wait(PATIENCE)
        events.append("first ends")

    with pytest.raises(Cancelled):
        preparations.run("model", slow_to_end, cancel)
    assert ending.wait(PATIENCE)
    second = threading.Thread(
        target=preparations.run, args=("model", lambda _: events.append("second begins"), Cancel())
    )
    second.start()
    while not preparations.waiting("model"):
        threading.Event().wait(0.01)
    go.set()
    second.join(PATIENCE)
    assert events == ["first begins", "first ends", "second begins"]


def test_all_hear_why_it_failed_and_the_next_tries_again(site: Site) -> None:
    def fail(_: Cancel) -> None:
        raise ModelUnavailable("The hub has none of that name.")

    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="none of that name"):
            site.preparations.run("model", fail, Cancel())
    site.let_go.set()
    assert site.ask(Cancel()).told() == "ready"


def test_nothing_begins_for_somebody_who_has_left_already(site: Site) -> None:
    cancel = Cancel()
    cancel.set()
    assert (site.ask(cancel).told(), site.times) == ("cancelled", 0)


def test_what_is_under_way_is_news_until_it_ends(site: Site) -> None:
    heard: list[str] = []
    site.preparations.tell = heard.append
    visitor = site.ask(Cancel())
    assert site.begun.acquire(timeout=PATIENCE)
    site.preparations.told(Message("half of it"))
    assert (heard, site.preparations.news) == (["half of it"], "half of it")
    site.let_go.set()
    visitor.told()
    assert site.preparations.news is None
    site.preparations.told(Message("too late to be news"))
    assert site.preparations.news is None


def test_closing_ends_all_of_it(site: Site) -> None:
    visitor = site.ask(Cancel())
    assert site.begun.acquire(timeout=PATIENCE)
    site.preparations.close()
    assert site.stopped.is_set()
    assert visitor.told() == "cancelled"
