"""How many connections there are at a time and how slow each may be: by a clock that is put forward, and by sockets."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from vt.api import connections
from vt.api.connections import Limits
from vt.web.visitors import Proxies

HEAD = b"POST /x HTTP/1.1\r\nHost: vt\r\nContent-Length: 1000000\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: vt\r\n\r\n"
PATIENCE = 60.0


async def silent(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    """Never answer, and never read."""
    del scope, receive, send
    await asyncio.Event().wait()


class Clock:
    """A loop whose timers go off when it is told how much later it is; the rest is a real loop's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.now = 0.0
        self._timers: list[tuple[float, asyncio.Handle, Callable[[], object]]] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._loop, name)

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.Handle:  # noqa: ANN401
        handle = asyncio.Handle(callback, arguments, self._loop)
        self._timers.append((self.now + delay, handle, lambda: callback(*arguments)))
        return handle

    def forward(self, seconds: float) -> None:
        until = self.now + seconds
        while due := [timer for timer in self._timers if timer[0] <= until]:
            first = min(due, key=lambda timer: timer[0])
            self._timers.remove(first)
            self.now = first[0]
            _, handle, run = first
            if not handle.cancelled():
                run()
        self.now = until


class Transport(asyncio.Transport):
    """The server's end of a line, as far as a protocol sees it."""

    def __init__(self, address: str) -> None:
        super().__init__({"peername": (address, 1), "sockname": ("127.0.0.1", 2)})
        self.said, self.left = b"", 0
        self.is_closed = self.is_aborted = False

    def write(self, data: Any) -> None:  # noqa: ANN401
        self.said += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: Any) -> None:  # noqa: ANN401
        pass

    def get_write_buffer_size(self) -> int:
        return self.left


class House:
    """A server's connections, without the network."""

    def __init__(self, limits: Limits, app: Any = silent) -> None:  # noqa: ANN401
        self.clock = Clock()
        self._config = uvicorn.Config(app, http=connections.bounded(limits), log_config=None)
        self._config.load()
        self.state = ServerState()

    def line(self, *pieces: bytes, address: str = "192.0.2.1") -> tuple[Any, Transport]:
        made: Any = self._config.http_protocol_class
        protocol = made(config=self._config, server_state=self.state, app_state={}, _loop=self.clock)
        transport = Transport(address)
        protocol.connection_made(transport)
        for piece in pieces:
            protocol.data_received(piece)
        return protocol, transport


def in_a_house(scene: Callable[[House], None], **limits: Any) -> None:  # noqa: ANN401
    """Play a scene in a house that is torn down afterwards."""

    async def played() -> None:
        house = House(Limits(**{"connections": 100, **limits}))
        try:
            scene(house)
        finally:
            for line in list(house.state.connections):
                line.connection_lost(None)  # or uvicorn would have an answer for whoever does not read
            for task in house.state.tasks:
                task.cancel()
            await asyncio.gather(*house.state.tasks, return_exceptions=True)

    asyncio.run(played())


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    def scene(house: House) -> None:
        _, idle = house.line()
        slow, half = house.line(b"GET /x HTTP/1.1\r\n")
        house.clock.forward(9.0)
        slow.data_received(b"Host: vt\r\n")  # a byte now and then gains no time
        assert (idle.is_closed, half.is_closed) == (False, False)
        house.clock.forward(1.0)
        assert (idle.is_closed, idle.said) == (True, b"")
        assert half.is_closed is True
        assert half.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"application/problem+json" in half.said

    in_a_house(scene)


def test_a_head_that_has_come_has_as_long_for_its_answer_as_that_takes() -> None:
    def scene(house: House) -> None:
        _, line = house.line(GET)
        house.clock.forward(10_000.0)
        assert not line.is_closed

    in_a_house(scene)


def test_a_body_that_stands_still_is_not_waited_for() -> None:
    def scene(house: House) -> None:
        slow, line = house.line(HEAD)
        for _ in range(5):
            slow.data_received(b"x" * 40_000)
            slow.cycle.body.clear()  # as an application reads
            slow.flow.resume_reading()
            house.clock.forward(30.0)
            assert not line.is_closed
        house.clock.forward(30.0)
        assert (line.is_closed, line.said[:12]) == (True, b"HTTP/1.1 408")

    in_a_house(scene)


def test_a_body_may_be_slow_but_not_for_ever() -> None:
    def at(rate: int) -> Callable[[House], None]:
        def scene(house: House) -> None:
            slow, line = house.line(HEAD)
            looks = 0
            while not line.is_closed and looks < 8:
                slow.data_received(b"x" * (30 * rate))
                slow.cycle.body.clear()
                slow.flow.resume_reading()
                house.clock.forward(30.0)
                looks += 1
            assert (line.is_closed, looks) == ((True, 4) if rate < 1000 else (False, 8))

        return scene

    in_a_house(at(900))
    in_a_house(at(1100))


def test_a_body_has_so_long_as_a_whole_however_steadily_it_comes() -> None:
    def scene(house: House) -> None:
        steady, line = house.line(HEAD)
        looks = 0
        while not line.is_closed and looks < 12:
            steady.data_received(b"x" * 60_000)
            steady.cycle.body.clear()
            steady.flow.resume_reading()
            house.clock.forward(30.0)
            looks += 1
        assert (line.is_closed, looks, line.said[:12]) == (True, 10, b"HTTP/1.1 408")

    in_a_house(scene, whole_body_seconds=300.0)


def test_a_client_that_is_kept_waiting_is_not_blamed() -> None:
    def scene(house: House) -> None:
        _, full = house.line(HEAD, b"x" * 100_000)  # which nobody reads
        polite = HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        _, waiting = house.line(polite)
        house.clock.forward(3600.0)
        assert not (full.is_closed or waiting.is_closed)

    in_a_house(scene)


async def _hasty(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    del scope, receive
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def test_of_a_body_that_nobody_wants_the_rest_is_not_taken_for_ever() -> None:
    async def scene() -> None:
        house = House(Limits(connections=9), _hasty)
        eager, line = house.line(HEAD)
        await asyncio.gather(*house.state.tasks)
        for _ in range(29):
            eager.data_received(b"x" * 100)
            house.clock.forward(1.0)
        assert (line.is_closed, line.said[:12]) == (False, b"HTTP/1.1 413")
        house.clock.forward(1.0)
        assert line.is_closed

    asyncio.run(scene())


def test_an_answer_that_nobody_reads_is_given_up_and_one_that_is_read_slowly_is_not() -> None:
    def scene(house: House) -> None:
        protocol, line = house.line(GET)
        line.left = 1000
        protocol.pause_writing()
        for line.left in range(900, 100, -100):
            house.clock.forward(300.0)
            assert not line.is_aborted
        house.clock.forward(300.0)
        assert line.is_aborted

    in_a_house(scene)


def test_there_are_so_many_connections_and_no_more() -> None:
    def scene(house: House) -> None:
        lines = [house.line(address=f"192.0.2.{number}") for number in range(5)]
        refused = lines[-1][1]
        assert [line.is_closed for _, line in lines] == [False, False, False, False, True]
        assert refused.said.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in refused.said.lower()
        lines[0][0].connection_lost(None)
        lines[-1][0].connection_lost(None)
        assert not house.line(address="192.0.2.9")[1].is_closed

    in_a_house(scene, connections=4)


def test_each_address_has_so_many_connections_but_for_proxies_that_are_believed() -> None:
    def scene(house: House) -> None:
        for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
            lines = [house.line(address=address)[1] for _ in range(4)]
            assert [line.is_closed for line in lines] == [False, False, False, True]
            assert lines[-1].said.startswith(b"HTTP/1.1 429 ")
        assert house.line(address="2001:db8::2")[1].is_closed  # of the same household
        assert not any(house.line(address="10.0.0.1")[1].is_closed for _ in range(9))

    in_a_house(scene, each=3, proxies=Proxies(["10.0.0.0/8"]))


@pytest.mark.parametrize(("most", "each"), [(16, 16), (100, 50), (384, 192), (2048, 1024), (9999, 1024)])
def test_one_address_has_no_more_than_half_of_few_connections(most: int, each: int) -> None:
    assert connections.of_each(most) == each


def test_a_process_gets_as_many_files_as_it_may_have_and_keeps_some_for_itself() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = connections.connections()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert soft >= min(before[0], hard)
        assert 16 <= found <= 2048
        assert 2 * found + 256 <= soft
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


# By sockets


async def _patient(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    """Answer when the whole body has come."""
    if scope["type"] == "http":
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.request":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})


@contextlib.contextmanager
def served(limits: Limits) -> Iterator[tuple[str, int]]:
    """Run a server on a thread."""
    config = uvicorn.Config(
        _patient, http=connections.bounded(limits), lifespan="off", log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            server.should_exit = True
            thread.join()


def _answered(address: tuple[str, int], said: bytes, peer: str = "127.0.0.1") -> bytes:
    """Say something, wait until the server has closed the line, and return what it said."""
    with socket.create_connection(address, PATIENCE, source_address=(peer, 0)) as line:
        line.sendall(said)
        found = b""
        while piece := line.recv(4096):
            found += piece
    return found


def test_half_a_head_and_half_a_body_are_cut_off_on_a_real_line() -> None:
    with served(Limits(9, head_seconds=0.3, body_seconds=0.3)) as address:
        for half in (GET[:-2], HEAD, HEAD + b"x" * 10):
            assert _answered(address, half).startswith(b"HTTP/1.1 408 ")
        assert _answered(address, b"") == b""
        whole = HEAD.replace(b"1000000", b"1").replace(b"Host", b"Connection: close\r\nHost") + b"x"
        assert _answered(address, whole).startswith(b"HTTP/1.1 204 ")


def test_one_address_that_takes_all_its_connections_leaves_others_theirs() -> None:
    with served(Limits(9, each=3)) as address, contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(socket.create_connection(address, PATIENCE, source_address=("127.0.0.2", 0)))
        assert _answered(address, b"", "127.0.0.2").startswith(b"HTTP/1.1 429 ")
        whole = GET.replace(b"Host", b"Connection: close\r\nHost")
        assert _answered(address, whole, "127.0.0.3").startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize("said", [b"\x16\x03\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"])
def test_what_is_no_http_is_a_bad_request(said: bytes) -> None:
    with served(Limits(9, head_seconds=0.3)) as address:
        assert _answered(address, said + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_head_that_never_ends_is_a_bad_request() -> None:
    with served(Limits(9)) as address:
        assert _answered(address, b"GET / HTTP/1.1\r\nHost: vt\r\nX: " + b"x" * 20_000).startswith(b"HTTP/1.1 400 ")
