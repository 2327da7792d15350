"""Clusters without Ray: nodes that come and go as a test says, and hosts on them that do what it says."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, cast

from numpy.typing import NDArray

from tests.fakes import FakeFactory, choice
from vt.cluster.host import Host
from vt.cluster.hosts import Hosts
from vt.cluster.nodes import HostLost, Node, RemoteHost
from vt.cluster.pieces import Ask, Ended, Facts, Offer, Piece
from vt.cluster.storage import ObjectStore
from vt.domain import Cancel
from vt.factory import AIServiceFactory
from vt.languages import Language

PATIENCE = 30.0
"""In seconds: only what hangs takes so long."""
FACTS = Facts("1.0", "code", "3.11.2", {"numpy": "2.0"})
STATE: Mapping[str, Any] = {
    "total_cached_models": 1,
    "total_memory_mb": 10.5,
    "budget_mb": 100.0,
    "hits": 3,
    "misses": 2,
    "loads": 2,
    "evictions": 1,
    "models": [{"cache_key": "tts_tone"}],
    "memory": [{"device": "cpu", "used_mb": 10.5}],
}
"""Of a host's models, as far as anybody reads it."""
Script = Callable[[Piece, Cancel], Iterator[Any]]


def ask(language: Language, voice: str = "") -> Ask:
    """Return what asks for speech."""
    return Ask("tts", target=language, voice=voice)


def piece(asked: Ask, *items: object) -> Piece:
    """Return a piece of work whose answers are the items that it brings."""
    return Piece(asked, choice("tone", "tts"), "speak", (items,))


def whole(piece: Piece, cancel: Cancel) -> Iterator[Any]:
    """Answer with every item of a piece."""
    del cancel
    yield from piece.arguments[0]
    yield Ended()


def dies_after(count: int) -> Script:
    """Return what a host does that is lost after so many answers."""

    def script(piece: Piece, cancel: Cancel) -> Iterator[Any]:
        del cancel
        yield from piece.arguments[0][:count]
        raise HostLost("the machine is gone")

    return script


def ends_with(ended: Ended) -> Script:
    """Return what a host does that ends every piece so."""
    return lambda *_: iter([ended])


class ScriptedHost:
    """Does what its script says; see `RemoteHost`."""

    def __init__(self, script: Script = whole, about: Facts | Exception = FACTS) -> None:
        self.script, self.about = script, about
        self.offer: object = Offer(choice("tone", "tts"))
        """What it answers where it is asked for one; an exception of Python's own is raised."""
        self.cleared: tuple[tuple[str, ...], int, tuple[str, ...]] = ((), 0, ())
        self.is_gone = False
        """Whether it answers nobody any more."""
        self.calls: list[tuple[object, ...]] = []
        self.done: list[Piece] = []
        """The pieces that it was given, in order."""
        self.at, self.most = 0, 0
        """How many pieces it works on, and the most that it has at a time."""
        self.stopped = threading.Event()
        self._lock = threading.Lock()

    def call(self, method: str, *arguments: Any, seconds: float, cancel: Cancel | None = None) -> Any:  # noqa: ANN401
        """Answer; see `RemoteHost.call`."""
        assert seconds > 0
        if cancel:
            cancel.check()
        self.calls.append((method, *arguments))
        answers = {"about": self.about, "offer": self.offer, "models": STATE, "clear": self.cleared}
        answer = answers.get(method)
        if self.is_gone or isinstance(answer, HostLost):
            raise HostLost("it does not answer")
        if isinstance(answer, RuntimeError):
            raise answer
        return answer

    def stream(self, number: str, piece: Piece, cancel: Cancel) -> Generator[Any, None, None]:
        """Answer by the script; see `RemoteHost.stream`."""
        assert number
        with self._lock:
            self.done.append(piece)
            self.at += 1
            self.most = max(self.most, self.at)
        try:
            for answer in self.script(piece, cancel):
                cancel.check()
                yield answer
            cancel.check()
        finally:
            with self._lock:
                self.at -= 1

    def stop(self) -> None:
        """Write down that it was stopped."""
        self.stopped.set()


class LocalHost:
    """A real `Host` in this process; what travels is pickled as it would be."""

    def __init__(self, factory: FakeFactory | AIServiceFactory) -> None:
        self.host = Host({}, factory=cast(AIServiceFactory, factory))
        self.cancelled: list[str] = []

    def call(self, method: str, *arguments: Any, seconds: float, cancel: Cancel | None = None) -> Any:  # noqa: ANN401
        """Call the host; see `RemoteHost.call`."""
        del seconds, cancel
        return FACTS if method == "about" else _travelled(getattr(self.host, method)(*_travelled(arguments)))

    def stream(self, number: str, piece: Piece, cancel: Cancel) -> Generator[Any, None, None]:
        """Yield what the host yields; see `RemoteHost.stream`."""

        def end() -> None:
            self.cancelled.append(number)
            self.host.cancel(number)

        cancel.add(end)
        try:
            for answer in self.host.work(number, _travelled(piece)):
                cancel.check()
                yield _travelled(answer)
        finally:
            cancel.remove(end)

    def stop(self) -> None:
        """Do nothing: it is this process."""


def _itself(reference: Any) -> Any:  # noqa: ANN401
    return reference


def _travelled(value: Any) -> Any:  # noqa: ANN401
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (our own)


class ScriptedNodes:
    """Nodes that are there as long as they are in `there`; see `Nodes`."""

    def __init__(self, *names: str, make: Callable[[Node], RemoteHost] | None = None) -> None:
        self.there = {name: Node(name, name, 4) for name in names}
        self.started: list[tuple[str, RemoteHost]] = []
        """Every host so far, with the name of its node."""
        self.given: Mapping[str, Any] = {}
        self.stored: list[int] = []
        """The lengths of the sounds that were put into the store."""
        self.has_begun = self.is_closed = False
        self._make = make or (lambda _: ScriptedHost())

    def begin(self) -> None:
        """Write it down."""
        self.has_begun = True

    def alive(self) -> Mapping[str, Node]:
        """Return who is there."""
        return dict(self.there)

    def start(self, node: Node, given: Mapping[str, Any]) -> RemoteHost:
        """Make a host."""
        self.given = given
        host = self._make(node)
        self.started.append((node.id, host))
        return host

    def store(self) -> ObjectStore:
        """Return a store whose references are the sounds themselves."""

        def put(samples: NDArray[Any]) -> NDArray[Any]:
            self.stored.append(len(samples))
            return samples

        return ObjectStore(put, _itself)

    def close(self) -> None:
        """Write it down."""
        self.is_closed = True


class Clock:
    """Time that passes only when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def comes(seen: Callable[[], object]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < until, "that never came"
        time.sleep(0.005)


@contextmanager
def cluster(nodes: ScriptedNodes, **more: Any) -> Iterator[Hosts]:  # noqa: ANN401 (arguments of `Hosts`)
    """Yield hosts on these nodes, all of them up."""
    hosts = Hosts(nodes, {"vad": True}, **{"own": lambda: FACTS, "look_seconds": 0.01, **more})
    with closing(hosts):
        hosts.begin()
        comes(lambda: len(hosts.states()) == len(nodes.there))
        yield hosts


@contextmanager
def cluster_of(**hosts: ScriptedHost) -> Iterator[Hosts]:
    """Yield hosts that are up; each name is that of the node whose host it is."""
    with cluster(ScriptedNodes(*hosts, make=lambda node: hosts[node.name])) as running:
        yield running


class InThread:
    """Runs something in a thread, and tells what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._made: list[Any] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made.append(self._work())
        except BaseException as error:  # noqa: BLE001 (whatever it is, `result` raises it)
            self._error = error

    def result(self) -> Any:  # noqa: ANN401 (whatever the work returns)
        """Wait for the end, and return or raise what came of it."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "it never ended"
        if self._error:
            raise self._error
        return self._made[0]
