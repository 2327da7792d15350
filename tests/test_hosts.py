"""The hosts of a cluster: who gets a piece of work, and what becomes of it where machines come, go or differ."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.clusters import (
    FACTS,
    STATE,
    Clock,
    InThread,
    ScriptedHost,
    ScriptedNodes,
    ask,
    cluster,
    cluster_of,
    comes,
    dies_after,
    ends_with,
    piece,
)
from tests.fakes import choice
from vt import languages
from vt.cluster.hosts import Hosts
from vt.cluster.nodes import HostLost, Node
from vt.cluster.pieces import Ended, Offer, Piece
from vt.domain import Cancel
from vt.errors import Cancelled, EngineError, LanguageError, MediaError, ModelBusy, ModelUnavailable

SPANISH, FRENCH = ask(languages.SPANISH), ask(languages.get("fr"))
LINES = tuple(range(5))
PIECE = piece(SPANISH, *LINES)
UNLIKE = ModelUnavailable("A machine of the cluster has another voice.")


def done(hosts: Hosts, asked: Piece = PIECE, cancel: Cancel | None = None) -> list[Any]:
    """Have a piece done, and return all of its answers."""
    return list(hosts.stream(asked, cancel or Cancel()))


def under_way(hosts: Hosts, asked: Piece = PIECE) -> Iterator[Any]:
    """Begin a piece, and leave it under way: a host works on it until the generator is closed."""
    answers = hosts.stream(asked, Cancel())
    assert next(answers) == 0
    return closing(answers).__enter__()


def loads(hosts: Hosts) -> list[int]:
    return [state.pieces for state in hosts.states()]


# Who gets a piece


def test_a_host_has_two_pieces_at_a_time_and_the_third_waits_for_room() -> None:
    host = ScriptedHost()
    with cluster_of(one=host) as hosts:
        first, second, cancel = under_way(hosts), under_way(hosts), Cancel()
        third = InThread(lambda: done(hosts, cancel=cancel))
        comes(lambda: cancel.beats >= 3)  # so often it looked for room
        assert (loads(hosts), len(host.done)) == ([2], 2)
        assert list(first) == [1, 2, 3, 4]
        assert third.result() == [*LINES]
        assert list(second) == [1, 2, 3, 4]
        assert host.most == 2
        assert [(state.pieces, state.done, state.processors) for state in hosts.states()] == [(0, 3, 4)]


def test_there_is_room_for_two_pieces_on_each_host_and_for_one_where_there_is_none() -> None:
    with cluster_of(one=ScriptedHost(), two=ScriptedHost(), three=ScriptedHost()) as hosts:
        assert hosts.room == 6
    with cluster_of() as hosts:
        assert hosts.room == 1


def test_of_hosts_that_are_equally_free_the_one_that_is_warm_gets_the_piece() -> None:
    one, two = ScriptedHost(), ScriptedHost()
    with cluster_of(one=one, two=two) as hosts:
        for _ in range(3):
            done(hosts, piece(SPANISH, 1))
        warm, cold = (one, two) if one.done else (two, one)
        assert (len(warm.done), len(cold.done)) == (3, 0)
        with_french = under_way(hosts, piece(FRENCH, 0, 1)), under_way(hosts, piece(FRENCH, 0, 1))
        assert (warm.at, cold.at) == (1, 1)
        done(hosts, piece(SPANISH, 1))
        assert len(warm.done) == 5
        assert [list(answers) for answers in with_french] == [[1], [1]]


def test_a_cold_host_that_is_free_gets_a_piece_before_a_warm_one_that_is_busy() -> None:
    one, two = ScriptedHost(), ScriptedHost()
    with cluster_of(one=one, two=two) as hosts:
        done(hosts, piece(SPANISH, 1))
        warm, cold = (one, two) if one.done else (two, one)
        first = under_way(hosts)
        second = under_way(hosts)
        assert (warm.at, cold.at) == (1, 1)
        assert [list(first), list(second)] == [[1, 2, 3, 4]] * 2


def test_many_pieces_at_once_are_all_done_and_no_host_has_more_than_two() -> None:
    all_there = threading.Barrier(4)

    def script(piece: Piece, cancel: Cancel) -> Iterator[Any]:
        del cancel
        all_there.wait(30)
        yield from piece.arguments[0]
        yield Ended()

    one, two = ScriptedHost(script), ScriptedHost(script)
    with cluster_of(one=one, two=two) as hosts:
        asked = [piece(SPANISH, number) for number in range(16)]
        pieces = [InThread(lambda one=one: done(hosts, one)) for one in asked]  # type: ignore[misc]
        assert [thread.result() for thread in pieces] == [[number] for number in range(16)]
        assert (one.most, two.most) == (2, 2)
        assert sum(state.done for state in hosts.states()) == 16


# Hosts that are lost


class Losing:
    """Nodes whose first host dies, after so many answers; those that come after it do their work."""

    def __init__(self, *after: int) -> None:
        self.after = [*after]
        self.hosts = {f"node {number}": ScriptedHost(self.script) for number in range(len(after) + 1)}

    def script(self, piece: Piece, cancel: Cancel) -> Iterator[Any]:
        if self.after:
            return dies_after(self.after.pop(0))(piece, cancel)
        return iter([*piece.arguments[0], Ended()])


@pytest.mark.parametrize("after", [(0,), (2,), (5,), (3, 1, 4), (1, 1, 1), (5, 0, 5)])
def test_where_a_host_is_lost_another_goes_on_and_every_answer_comes_once_and_in_order(after: Sequence[int]) -> None:
    losing = Losing(*after)
    with cluster_of(**losing.hosts) as hosts:
        assert done(hosts) == [*LINES]
        assert loads(hosts) == [0]
        lost = [host for host in losing.hosts.values() if host.stopped.is_set()]
        assert len(lost) == len(after)


def test_answers_that_break_off_without_their_end_are_those_of_a_lost_host() -> None:
    begun: list[int] = []

    def script(piece: Piece, cancel: Cancel) -> Iterator[Any]:
        del cancel
        begun.append(1)
        yield from piece.arguments[0] if len(begun) > 1 else piece.arguments[0][:3]
        if len(begun) > 1:
            yield Ended()

    one, two = ScriptedHost(script), ScriptedHost(script)
    with cluster_of(one=one, two=two) as hosts:
        assert done(hosts) == [*LINES]
        assert one.stopped.is_set() != two.stopped.is_set()


def test_a_piece_that_four_hosts_did_not_survive_is_given_up() -> None:
    there = {f"node {number}": ScriptedHost(dies_after(1)) for number in range(6)}
    with cluster_of(**there) as hosts:
        with pytest.raises(EngineError, match="one machine after the other died at it"):
            done(hosts)
        assert (loads(hosts), sum(host.stopped.is_set() for host in there.values())) == ([0, 0], 4)


def test_an_offer_that_four_hosts_did_not_survive_is_asked_of_no_other() -> None:
    there = {f"node {number}": ScriptedHost() for number in range(6)}
    for host in there.values():
        host.offer = HostLost("the memory is gone")
    with cluster_of(**there) as hosts:
        with pytest.raises(EngineError, match="one machine after the other died at it"):
            hosts.offer(SPANISH, Cancel())
        assert loads(hosts) == [0, 0]


def test_an_error_of_the_work_itself_is_raised_and_no_other_host_is_asked() -> None:
    one, two = (ScriptedHost(ends_with(Ended(MediaError("The sound is damaged.")))) for _ in range(2))
    with cluster_of(one=one, two=two) as hosts:
        with pytest.raises(MediaError, match="damaged"):
            done(hosts)
        assert len(one.done) + len(two.done) == 1
        assert [state.done for state in hosts.states()] == [0, 0]


def test_memory_that_runs_out_at_a_piece_comes_as_what_it_is() -> None:
    with cluster_of(one=ScriptedHost(ends_with(Ended(MemoryError())))) as hosts, pytest.raises(MemoryError):
        done(hosts)


def test_a_lost_host_gets_another_one_after_a_pause() -> None:
    clock = Clock()
    made: list[ScriptedHost] = []

    def make(node: Node) -> ScriptedHost:
        del node
        made.append(ScriptedHost(dies_after(0)) if not made else ScriptedHost())
        return made[-1]

    nodes = ScriptedNodes("one", make=make)
    with cluster(nodes, clock=clock) as hosts:
        cancel = Cancel()
        waiting = InThread(lambda: done(hosts, cancel=cancel))
        comes(made[0].stopped.is_set)
        comes(lambda: cancel.beats >= 5)
        assert len(made) == 1
        clock.forward(20)
        assert waiting.result() == [*LINES]
        assert len(made) == 2


def test_a_node_that_goes_away_takes_its_host_along() -> None:
    nodes = ScriptedNodes("one", "two")
    with cluster(nodes) as hosts:
        del nodes.there["one"]
        comes(lambda: [state.name for state in hosts.states()] == ["two"])
        gone = next(host for name, host in nodes.started if name == "one")
        assert isinstance(gone, ScriptedHost)
        comes(gone.stopped.is_set)


def test_a_node_that_comes_later_serves_too() -> None:
    nodes = ScriptedNodes("one")
    with cluster(nodes) as hosts:
        nodes.there["two"] = Node("two", "two", 16, 1)
        comes(lambda: [(state.name, state.processors) for state in hosts.states()] == [("one", 4), ("two", 16)])


# Where there is no host


def test_where_there_is_no_host_a_piece_waits_as_long_as_it_may_and_then_the_job_waits() -> None:
    clock = Clock()
    with cluster(ScriptedNodes(), clock=clock, patience=60.0) as hosts:
        cancel = Cancel()
        waiting = InThread(lambda: done(hosts, cancel=cancel))
        comes(lambda: cancel.beats >= 2)
        clock.forward(61)
        with pytest.raises(ModelBusy, match="No machine of the cluster is ready"):
            waiting.result()


def test_a_piece_that_waits_is_done_once_a_host_is_there() -> None:
    nodes, cancel = ScriptedNodes(), Cancel()
    with cluster(nodes) as hosts:
        waiting = InThread(lambda: done(hosts, cancel=cancel))
        comes(lambda: cancel.beats >= 2)
        nodes.there["late"] = Node("late", "late", 2)
        assert waiting.result() == [*LINES]


# Hosts that serve otherwise


def test_a_host_that_serves_otherwise_is_passed_over() -> None:
    unlike, alike = ScriptedHost(ends_with(Ended(UNLIKE, is_unlike=True))), ScriptedHost()
    with cluster_of(one=unlike, two=alike) as hosts:
        for _ in range(3):
            busy = under_way(hosts)  # the other host is free, and would get the next piece
            assert done(hosts) == [*LINES]
            assert list(busy) == [1, 2, 3, 4]
        assert (len(unlike.done), len(alike.done)) == (1, 6)
        assert not unlike.stopped.is_set()


def test_what_a_host_lacks_for_one_wish_keeps_it_from_no_other() -> None:
    def script(piece: Piece, cancel: Cancel) -> Iterator[Any]:
        del cancel
        return iter([Ended(UNLIKE, is_unlike=True)] if piece.ask == SPANISH else [*piece.arguments[0], Ended()])

    with cluster_of(one=ScriptedHost(script)) as hosts:
        with pytest.raises(ModelUnavailable):
            done(hosts)
        assert done(hosts, piece(FRENCH, 1, 2)) == [1, 2]


def test_where_all_hosts_serve_otherwise_one_says_so_and_after_a_while_they_are_asked_again() -> None:
    clock = Clock()
    hosts_there = [ScriptedHost(ends_with(Ended(UNLIKE, is_unlike=True))) for _ in range(2)]
    nodes = ScriptedNodes("one", "two", make=lambda node: hosts_there[node.name == "two"])
    with cluster(nodes, clock=clock) as hosts:
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match="has another voice"):
                done(hosts)
        assert [len(host.done) for host in hosts_there] == [1, 1]
        clock.forward(121)
        with pytest.raises(ModelUnavailable):
            done(hosts)
        assert [len(host.done) for host in hosts_there] == [2, 2]
        for host in hosts_there:
            host.script = lambda piece, _: iter([*piece.arguments[0], Ended()])
        clock.forward(121)
        assert done(hosts) == [*LINES]


def test_errors_that_say_the_same_keep_nothing_of_the_work_before() -> None:
    with cluster_of(one=ScriptedHost(ends_with(Ended(UNLIKE, is_unlike=True)))) as hosts:
        raised = []
        for _ in range(2):
            with pytest.raises(ModelUnavailable) as caught:
                done(hosts)
            raised.append(caught.value)
        assert raised[0] is not raised[1]
        assert str(raised[0]) == str(raised[1]) == str(UNLIKE)


# Offers


def test_an_offer_is_asked_for_once_and_known_for_a_while() -> None:
    clock, host = Clock(), ScriptedHost()
    with cluster(ScriptedNodes("one", make=lambda _: host), clock=clock) as hosts:
        assert [hosts.offer(SPANISH, Cancel()) for _ in range(3)] == [host.offer] * 3
        assert host.calls.count(("offer", SPANISH)) == 1
        hosts.offer(FRENCH, Cancel())
        assert host.calls.count(("offer", FRENCH)) == 1
        clock.forward(601)
        host.offer = Offer(choice("another", "tts"))
        assert hosts.offer(SPANISH, Cancel()) == host.offer
        assert loads(hosts) == [0]


def test_whoever_made_the_offer_is_warm() -> None:
    one, two = ScriptedHost(), ScriptedHost()
    with cluster_of(one=one, two=two) as hosts:
        hosts.offer(SPANISH, Cancel())
        asked = one if ("offer", SPANISH) in one.calls else two
        done(hosts)
        assert len(asked.done) == 1


@pytest.mark.parametrize("error", [LanguageError("Nobody translates these."), ModelUnavailable("There is no model.")])
def test_an_error_is_raised_where_no_host_offers_anything_else(error: LanguageError | ModelUnavailable) -> None:
    one, two = ScriptedHost(), ScriptedHost()
    one.offer = two.offer = error
    with cluster_of(one=one, two=two) as hosts:
        with pytest.raises(type(error), match=str(error)):
            hosts.offer(SPANISH, Cancel())
        assert [host.calls.count(("offer", SPANISH)) for host in (one, two)] == [1, 1]
        two.offer = Offer(choice("tone", "tts"))
        assert hosts.offer(FRENCH, Cancel()) == two.offer


def test_a_host_without_memory_at_this_time_has_the_job_wait() -> None:
    host = ScriptedHost()
    host.offer = ModelBusy("All memory is in use.")
    with cluster_of(one=host) as hosts:
        with pytest.raises(ModelBusy, match="All memory is in use"):
            hosts.offer(SPANISH, Cancel())
        host.offer = Offer(choice("tone", "tts"))
        assert hosts.offer(SPANISH, Cancel()) == host.offer


def test_an_offer_of_a_lost_host_is_made_by_another_one() -> None:
    one, two = ScriptedHost(), ScriptedHost()
    one.offer = HostLost("gone")
    with cluster_of(one=one, two=two) as hosts:
        assert hosts.offer(SPANISH, Cancel()) == two.offer
        assert hosts.offer(FRENCH, Cancel()) == two.offer


# Hosts that differ, or do not come up


@pytest.mark.parametrize(
    ("facts", "difference"),
    [
        (replace(FACTS, version="0.9"), "it has vt 0.9, and the server 1.0"),
        (replace(FACTS, python="3.13.1"), "it has Python 3.13.1, and the server 3.11.2"),
        (replace(FACTS, libraries={"numpy": "2.1"}), "it has numpy 2.1, and the server 2.0"),
        (replace(FACTS, libraries={}), "it has numpy -, and the server 2.0"),
        (replace(FACTS, code="other"), "its files of vt are not those of the server"),
    ],
)
def test_a_node_that_differs_is_refused_with_a_sentence_that_names_both(facts: Any, difference: str) -> None:  # noqa: ANN401
    differs = ScriptedHost(about=facts)
    nodes = ScriptedNodes("good", make=lambda node: differs if node.name == "old one" else ScriptedHost())
    with cluster(nodes) as hosts:
        nodes.there["old one"] = Node("old one", "old one", 4)
        comes(hosts.notes)
        (note,) = hosts.notes()
        assert note == f"The machine old one of the cluster does not serve: {difference}. Install the same there."
        assert note.values == {"name": "old one", "difference": difference}
        comes(differs.stopped.is_set)
        assert [state.name for state in hosts.states()] == ["good"]
        del nodes.there["old one"]
        comes(lambda: not hosts.notes())
        assert [name for name, _ in nodes.started] == ["good", "old one"]


def test_where_no_host_is_there_a_note_says_so() -> None:
    with cluster(ScriptedNodes()) as hosts:
        assert hosts.notes() == ["No machine of the cluster is ready: jobs wait for one."]


@pytest.mark.parametrize("about", [HostLost("it took too long"), RuntimeError("of the library")])
def test_a_host_that_does_not_come_up_is_stopped_and_tried_again_after_a_pause(about: Exception) -> None:
    clock = Clock()
    bad = ScriptedHost(about=about)
    nodes = ScriptedNodes(make=lambda _: ScriptedHost() if bad.stopped.is_set() else bad)
    with cluster(nodes, clock=clock) as hosts:
        nodes.there["one"] = Node("one", "one", 4)
        comes(bad.stopped.is_set)
        assert hosts.states() == []
        clock.forward(20)
        comes(hosts.states)
        assert len(nodes.started) == 2


def test_hosts_are_given_the_settings_and_load_the_default_models_where_that_is_wanted() -> None:
    for preload in (True, False):
        host = ScriptedHost()
        nodes = ScriptedNodes("one", make=lambda _, host=host: host)  # type: ignore[misc]
        with cluster(nodes, preload=preload) as hosts:
            if preload:
                comes(lambda host=host: ("preload", ()) in host.calls)  # type: ignore[misc]
            done(hosts)
            assert nodes.given == {"vad": True}
        assert (("preload", ()) in host.calls) == preload


# Cancelling


def test_a_cancel_ends_the_waiting_for_room_and_leaves_no_count() -> None:
    with cluster_of(one=ScriptedHost()) as hosts:
        busy, cancel = [under_way(hosts), under_way(hosts)], Cancel()
        waiting = InThread(lambda: done(hosts, cancel=cancel))
        comes(lambda: cancel.beats >= 2)
        cancel.set()
        with pytest.raises(Cancelled):
            waiting.result()
        assert loads(hosts) == [2]
        assert [list(answers) for answers in busy] == [[1, 2, 3, 4]] * 2
        assert loads(hosts) == [0]


def test_a_cancel_ends_the_waiting_for_any_host() -> None:
    with cluster(ScriptedNodes()) as hosts:
        cancel = Cancel()
        waiting = InThread(lambda: hosts.offer(SPANISH, cancel))
        comes(lambda: cancel.beats >= 2)
        cancel.set()
        with pytest.raises(Cancelled):
            waiting.result()


def test_a_cancel_ends_a_piece_that_runs_and_leaves_no_count() -> None:
    begun = threading.Event()

    def script(piece: Piece, cancel: Cancel) -> Iterator[Any]:
        ended = threading.Event()
        cancel.add(ended.set)
        yield piece.arguments[0][0]
        begun.set()
        assert ended.wait(30)
        cancel.remove(ended.set)
        yield piece.arguments[0][1]

    host, cancel = ScriptedHost(script), Cancel()
    with cluster_of(one=host) as hosts:
        running = InThread(lambda: done(hosts, cancel=cancel))
        assert begun.wait(30)
        assert loads(hosts) == [1]
        cancel.set()
        with pytest.raises(Cancelled):
            running.result()
        assert (loads(hosts), host.at, cancel.hook_count) == ([0], 0, 0)
        assert not host.stopped.is_set()


def test_whoever_closes_the_answers_early_leaves_no_count() -> None:
    host = ScriptedHost()
    with cluster_of(one=host) as hosts:
        answers = hosts.stream(PIECE, Cancel())
        assert next(answers) == 0
        answers.close()
        assert (loads(hosts), host.at) == ([0], 0)
        assert [state.done for state in hosts.states()] == [0]


# All hosts


def test_each_host_is_asked_and_who_does_not_answer_is_left_out() -> None:
    one, two, three = ScriptedHost(), ScriptedHost(), ScriptedHost()
    with cluster_of(one=one, two=two, three=three) as hosts:
        two.is_gone = True
        one.cleared = (("a model",), 5, ())
        assert hosts.each("clear", "key") == {"one": (("a model",), 5, ()), "three": ((), 0, ())}
        assert ("clear", "key") in one.calls
    with cluster_of() as hosts:
        assert hosts.each("clear", "") == {}


def test_the_models_of_each_host_are_known_without_a_wait_as_long_as_it_is_there() -> None:
    nodes = ScriptedNodes("one", "two")
    with cluster(nodes) as hosts:
        comes(lambda: hosts.models() == {"one": STATE, "two": STATE})
        del nodes.there["two"]
        comes(lambda: hosts.models() == {"one": STATE})


def test_closing_stops_all_hosts_and_leaves_the_cluster() -> None:
    nodes = ScriptedNodes("one", "two", "three")
    with cluster(nodes) as hosts:
        assert (hosts.room, nodes.has_begun, nodes.is_closed) == (6, True, False)
    assert (hosts.room, nodes.has_begun, nodes.is_closed) == (1, True, True)
    assert all(isinstance(host, ScriptedHost) and host.stopped.is_set() for _, host in nodes.started)
    with pytest.raises(ModelBusy):
        done(hosts)


def test_a_host_that_comes_up_while_the_server_closes_is_stopped() -> None:
    asked, goes_on, late = threading.Event(), threading.Event(), ScriptedHost()

    def make(node: Node) -> ScriptedHost:
        del node
        asked.set()
        assert goes_on.wait(30)
        return late

    nodes = ScriptedNodes(make=make)
    with cluster(nodes) as hosts:
        nodes.there["late"] = Node("late", "late", 4)
        assert asked.wait(30)
        ended = InThread(hosts.close)
        comes(lambda: hosts.is_closing)
        goes_on.set()
        ended.result()
        assert (late.stopped.is_set(), nodes.is_closed) == (True, True)
    assert hosts.states() == []


def test_nobody_asks_the_cluster_for_a_host_any_more_once_it_was_left() -> None:
    """A question to Ray after that would connect once more, and the server would not end."""
    asked, told = threading.Event(), list[bool]()

    class Late(ScriptedHost):
        def call(self, method: str, *arguments: Any, seconds: float, cancel: Cancel | None = None) -> Any:  # noqa: ANN401
            if method != "about":
                return super().call(method, *arguments, seconds=seconds, cancel=cancel)
            assert cancel is not None
            asked.set()
            while not cancel.is_set:
                time.sleep(0.01)
            told.append(nodes.is_closed)
            raise Cancelled("The work was stopped on request.")

    nodes = ScriptedNodes("one", make=lambda node: Late() if node.name == "late" else ScriptedHost())
    with cluster(nodes):
        nodes.there["late"] = Node("late", "late", 4)
        assert asked.wait(30)
    assert (told, nodes.is_closed) == ([False], True)
    (late,) = (host for name, host in nodes.started if name == "late")
    assert isinstance(late, Late)
    assert late.stopped.is_set()
