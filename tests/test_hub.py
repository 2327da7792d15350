"""Whether the hub answers: decided once, quickly, remembered, and never asked where that is forbidden."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from vt.model_files import hub
from vt.model_files.hub import Hub

LONG = 10.0


class Line:
    """A scripted way to the hub; what runs in the background waits until somebody lets it."""

    def __init__(self) -> None:
        self.up = True
        self.asked = 0
        self.now = 0.0
        self.waiting: list[Callable[[], None]] = []
        self.at_once = True

    def probe(self) -> bool:
        self.asked += 1
        return self.up

    def start(self, work: Callable[[], None]) -> None:
        if self.at_once:
            work()
        else:
            self.waiting.append(work)

    def hub(self, patience_seconds: float = 0.0) -> Hub:
        return Hub(
            self.probe,
            clock=lambda: self.now,
            start=self.start,
            patience_seconds=patience_seconds,
            kept_seconds=120.0,
        )


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_hub_that_answers_is_no_obstacle_and_is_asked_once(line: Line) -> None:
    hub = line.hub()
    assert [hub.obstacle() for _ in range(3)] == [None] * 3
    assert line.asked == 1


def test_a_hub_that_does_not_answer_is_said_so_and_asked_once(line: Line) -> None:
    line.up = False
    hub = line.hub()
    assert [hub.obstacle() for _ in range(3)] == ["the model hub does not answer"] * 3
    assert line.asked == 1


def test_after_a_while_it_is_asked_again_behind_a_caller_who_gets_the_old_answer(line: Line) -> None:
    hub = line.hub()
    assert hub.obstacle() is None
    line.up, line.at_once, line.now = False, False, 120.0
    assert hub.obstacle() is None
    assert hub.obstacle() is None
    assert len(line.waiting) == 1
    line.waiting.pop()()
    assert hub.obstacle() == "the model hub does not answer"


def test_a_hub_that_comes_back_is_noticed(line: Line) -> None:
    line.up = False
    hub = line.hub()
    assert hub.obstacle()
    line.up, line.now = True, 200.0
    hub.obstacle()
    assert hub.obstacle() is None


def test_silence_is_taken_for_a_no_once_patience_is_over_and_a_late_answer_counts_from_then_on(line: Line) -> None:
    line.at_once = False
    hub = line.hub()
    assert hub.obstacle() == "the model hub does not answer"
    assert hub.obstacle() == "the model hub does not answer"
    line.waiting.pop()()
    assert hub.obstacle() is None


def test_all_who_ask_while_it_is_being_asked_share_one_answer() -> None:
    go, asked, answers = threading.Event(), [], []

    def probe() -> bool:
        asked.append(1)
        return go.wait(LONG)

    hub = Hub(probe, patience_seconds=LONG)
    threads = [threading.Thread(target=lambda: answers.append(hub.obstacle())) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(LONG)
    assert answers == [None] * 8
    assert len(asked) == 1


def test_a_probe_that_dies_is_a_no() -> None:
    def broken() -> bool:
        raise RuntimeError("no resolver")

    def start(work: Callable[[], None]) -> None:
        with pytest.raises(RuntimeError):
            work()

    assert Hub(broken, start=start, patience_seconds=0).obstacle() == "the model hub does not answer"


def test_where_the_network_is_forbidden_nobody_is_asked(line: Line) -> None:
    hub = Hub(line.probe, forbidden="HF_HUB_OFFLINE allows no downloads", start=line.start)
    assert hub.obstacle() == "HF_HUB_OFFLINE allows no downloads"
    assert line.asked == 0


class Answering(BaseHTTPRequestHandler):
    """Answers with the status that its address names."""

    def do_HEAD(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(LONG)


@pytest.mark.parametrize(("status", "there"), [(200, True), (401, True), (404, True), (500, False), (503, False)])
def test_a_refusal_is_an_answer_and_a_breakdown_is_none(address: str, status: int, there: bool) -> None:
    assert hub.answers(f"{address}/{status}") is there


def test_a_closed_port_and_a_name_that_nobody_knows_are_no_answer() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert hub.answers(f"http://127.0.0.1:{port}") is False
    assert hub.answers("http://hub.invalid", seconds=1) is False


def test_a_server_that_keeps_silent_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        assert hub.answers(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.1) is False
        assert time.monotonic() - began < hub.PATIENCE_SECONDS
