"""The hosts of a cluster: which there are, what each is at, and which of them gets the next piece."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from vt.cluster.nodes import HostLost, Node, Nodes, RemoteHost
from vt.cluster.pieces import Ask, Ended, Facts, Offer, Piece, facts
from vt.cluster.ray_nodes import PIECES_AT_ONCE
from vt.cluster.storage import Storage, UrlStorage
from vt.domain import Cancel
from vt.errors import Cancelled, EngineError, ModelBusy, VtError
from vt.translatable import Message

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
"""How often the nodes are looked at."""
_MODELS_SECONDS = 3.0
"""How often they are asked which models they have."""
_START_SECONDS = 120.0
"""A host that is not up after that is given up; its Python has to load, and its node may be busy."""
_CALL_SECONDS = 10.0
_CHECK_SECONDS = 0.2
"""How often a piece that waits looks whether it is wanted still."""
_OFFER_SECONDS = 1800.0
"""An offer comes once the model is loaded, which may have to be downloaded."""
_PATIENCE_SECONDS = 60.0
"""So long a piece waits where there is no host at all; then the job goes back into the queue."""
_LACKING_SECONDS = 120.0
"""How long a host that could not serve something is not asked for that again."""
_KNOWN_SECONDS = 600.0
"""How long an offer holds: so that all pieces of a job are served alike."""
_MOST_LOST = 4
"""A piece that so many hosts did not survive is not given to another one: it may be what they died of."""
_AGAIN_SECONDS = 15.0
"""How long a node whose host was lost, or did not come up, waits for the next one."""


@dataclass(slots=True, eq=False)
class _Running:
    """A host that is up."""

    node: Node
    remote: RemoteHost
    at: int = 0
    """How many pieces it works on."""
    warm: set[Ask] = field(default_factory=set)
    """What it has served: its models are probably in memory."""
    lacks: dict[Ask, tuple[float, VtError]] = field(default_factory=dict)
    """Until when it is not asked for something, and why."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A piece that waits for a host."""

    ask: Ask
    placed: threading.Event = field(default_factory=threading.Event)
    """Set once one of these two is there."""
    host: _Running | None = None
    error: VtError | None = None
    """Why no host can serve it."""

    def result(self) -> _Running:
        """Return the host, or raise the error."""
        if self.error:
            raise self.error
        assert self.host is not None  # noqa: S101 (what `placed` says)
        return self.host


@dataclass(frozen=True, slots=True)
class HostState:
    """What a host is at."""

    name: str
    processors: int
    pieces: int
    """Under way at this moment."""
    done: int
    """In all."""


class Hosts:
    """Keeps a host on every node, and gives pieces to them. Any thread may call any method.

    Its lock is held for moments only: never while a host is asked for something.
    """

    def __init__(
        self,
        nodes: Nodes,
        given: Mapping[str, Any],
        *,
        storage_url: str = "",
        preload: bool = False,
        own: Callable[[], Facts] = facts,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _PATIENCE_SECONDS,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        """Make it; `begin` connects.

        Args:
            nodes: the cluster.
            given: the server's settings, for the hosts.
            storage_url: where sound travels; empty: in the cluster's own store.
            preload: whether a host that comes up loads the default models.
            own: the facts about this server, which those of the hosts have to equal.
            clock: in seconds.
            patience: for how many seconds a piece waits where there is no host.
            look_seconds: how often the nodes are looked at.
        """
        self._nodes, self._given, self._storage_url, self._preload = nodes, given, storage_url, preload
        self._own, self._clock, self._patience, self._look_seconds = own, clock, patience, look_seconds
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._refused: dict[str, str] = {}
        """By node: why it may not serve."""
        self._later: dict[str, float] = {}
        """By node: when it may be tried again."""
        self._starting: set[str] = set()
        self._queue: deque[_Waiting] = deque()
        self._offers: dict[Ask, tuple[float, Offer]] = {}
        self._done: Counter[str] = Counter()
        self._closing = threading.Event()
        self._ending = Cancel()
        """Ends what is asked of hosts while this is closed: whoever asked afterwards might connect once more."""
        self._starters = ThreadPoolExecutor(8, "vt-host")
        self._models: dict[str, Any] = {}
        self._threads = [
            threading.Thread(target=self._watch, name="vt-nodes", daemon=True),
            threading.Thread(target=self._ask_for_models, name="vt-models", daemon=True),
        ]

    def begin(self) -> None:
        """Connect to the cluster, and have hosts started.

        Raises:
            SettingsError: there is no cluster.
        """
        self._nodes.begin()
        self.storage: Storage = UrlStorage(self._storage_url) if self._storage_url else self._nodes.store()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the hosts, and leave the cluster."""
        self._closing.set()
        self._ending.set()
        self._starters.shutdown(cancel_futures=True)
        with self._lock:
            running = list(self._running.values())
            self._running.clear()
        for host in running:
            host.remote.stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(2 * _LOOK_SECONDS)
        self._nodes.close()

    # What there is

    @property
    def is_closing(self) -> bool:
        """Whether it was told to end."""
        return self._closing.is_set()

    @property
    def room(self) -> int:
        """How many pieces may be under way at a time; at least 1."""
        with self._lock:
            return max(1, PIECES_AT_ONCE * len(self._running))

    def has_room(self, ask: Ask) -> bool:
        """Whether a host could begin a piece at once."""
        with self._lock, suppress(VtError):
            return not self._queue and any(host.at < PIECES_AT_ONCE for host in self._able(ask))
        return False

    def states(self) -> list[HostState]:
        """Return what each host is at, by name."""
        with self._lock:
            found = [
                HostState(one.node.name, one.node.processors, one.at, self._done[one.node.id])
                for one in self._running.values()
            ]
        return sorted(found, key=lambda state: state.name)

    def notes(self) -> list[Message]:
        """Say in sentences which nodes do not serve, and why; and that there are none, where that is so."""
        with self._lock:
            notes = [Message(sentence) for sentence in self._refused.values()]
            if not self._running:
                notes.append(Message("No machine of the cluster is ready: jobs wait for one."))
        return notes

    def models(self) -> dict[str, Any]:
        """Return the state of each host's model cache as it was seen last, by the host's name; never waits."""
        with self._lock:
            there = {host.node.name for host in self._running.values()}
            return {name: state for name, state in self._models.items() if name in there}

    def each(self, method: str, *arguments: object) -> dict[str, Any]:
        """Call a method of every host, all at the same time, and return what each returned, by its name.

        Who does not answer is left out.
        """
        with self._lock:
            running = list(self._running.values())
        if not running:
            return {}

        def asked(host: _Running) -> tuple[str, Any] | None:
            try:
                told = host.remote.call(method, *arguments, seconds=_CALL_SECONDS, cancel=self._ending)
            except (HostLost, Cancelled):
                return None
            return host.node.name, told

        with ThreadPoolExecutor(min(32, len(running)), "vt-ask") as pool:
            return dict(found for found in pool.map(asked, running) if found)

    # Pieces

    def offer(self, ask: Ask, cancel: Cancel) -> Offer:
        """Return how something is served by this cluster.

        Raises:
            LanguageError: no host serves that.
            ModelUnavailable: no host has a model for it.
            ModelBusy: there is no host at this time, or no memory.
            EngineError: hosts died of it.
            Cancelled: `cancel` was set.
        """
        with self._lock:
            until, known = self._offers.get(ask, (0.0, None))
            if known and self._clock() < until:
                return known
        lost = 0
        while True:
            with self._one(ask, cancel) as host:
                try:
                    found = host.remote.call("offer", ask, seconds=_OFFER_SECONDS, cancel=cancel)
                except HostLost as error:
                    lost += 1
                    self._lose(host, lost, error)
                    continue
            if isinstance(found, ModelBusy):
                raise found
            if isinstance(found, VtError):
                self._lacks(host, ask, found)
                continue
            with self._lock:
                host.warm.add(ask)
                self._offers[ask] = self._clock() + _KNOWN_SECONDS, found
            offer: Offer = found
            return offer

    def stream(self, piece: Piece, cancel: Cancel, *, waits: bool = True) -> Generator[Any, None, None]:
        """Yield what a piece gives, whichever host does it; one whose host is lost is done again by another.

        Args:
            piece: the work.
            cancel: ends it.
            waits: whether the piece waits for a host that has room.

        Raises:
            VtError: as the service that is asked for.
            ModelBusy: there is no host at this time, or none that has room for a piece that does not wait.
            Cancelled: `cancel` was set.
        """
        told, lost = 0, 0
        while True:
            with self._one(piece.ask, cancel, waits=waits) as host:
                try:
                    for answer in self._answers(host, piece, cancel, told):
                        told += 1
                        yield answer
                except HostLost as error:
                    lost += 1
                    self._lose(host, lost, error)
                except _Unlike as unlike:
                    self._lacks(host, piece.ask, unlike.error)
                else:
                    return

    def _answers(self, host: _Running, piece: Piece, cancel: Cancel, told: int) -> Iterator[Any]:
        """Yield what a host gives, without the first `told` answers, which another one gave before it was lost."""
        with closing(host.remote.stream(uuid.uuid4().hex, piece, cancel)) as answers:
            for place, answer in enumerate(answers):
                cancel.beat()
                if isinstance(answer, Ended):
                    if answer.is_unlike and isinstance(answer.error, VtError) and not place:
                        raise _Unlike(answer.error)
                    if answer.error:
                        raise answer.error
                    with self._lock:
                        host.warm.add(piece.ask)
                        self._done[host.node.id] += 1
                    return
                if place >= told:
                    yield answer
        raise HostLost("its answers broke off")

    @contextmanager
    def _one(self, ask: Ask, cancel: Cancel, *, waits: bool = True) -> Iterator[_Running]:
        """Wait for a host that has room, and count the piece while the block runs."""
        host = self._awaited(_Waiting(ask), cancel, waits=waits)
        try:
            yield host
        finally:
            with self._lock:
                host.at -= 1
                self._place()

    def _awaited(self, waiting: _Waiting, cancel: Cancel, *, waits: bool) -> _Running:
        """Return the host that the piece is given to, counted there already."""
        until, is_wanted = self._clock() + self._patience, False
        with self._lock:
            self._queue.append(waiting)
            self._place()
        try:
            while not waiting.placed.wait(_CHECK_SECONDS if waits else 0.0):
                cancel.check()
                if not waits:
                    raise ModelBusy("No machine of the cluster is ready: try again later.")
                with self._lock:
                    if self._running:
                        until = self._clock() + self._patience
                    elif self.is_closing or self._clock() > until:
                        raise ModelBusy("No machine of the cluster is ready: try again later.")
            cancel.check()
            is_wanted = True
        finally:
            if not is_wanted:
                self._leave(waiting)
        return waiting.result()

    def _leave(self, waiting: _Waiting) -> None:
        """Take a piece out that waits no longer; a host that it was given to meanwhile gets another."""
        with self._lock:
            with suppress(ValueError):
                self._queue.remove(waiting)
            if waiting.host:
                waiting.host.at -= 1
                self._place()

    def _place(self) -> None:
        """Give hosts with room to the pieces that wait, those first that came first. The lock is held."""
        for waiting in list(self._queue):
            if all(host.at >= PIECES_AT_ONCE for host in self._running.values()):
                return  # each piece that ends calls again: so no waiting piece has to look by itself
            try:
                free = [host for host in self._able(waiting.ask) if host.at < PIECES_AT_ONCE]
            except VtError as error:
                waiting.error = error
                self._offers.pop(waiting.ask, None)  # who made it may be gone, and others may offer something else
            else:
                if not free:
                    continue
                waiting.host = min(free, key=lambda one: (one.at, waiting.ask not in one.warm))
                waiting.host.at += 1
            self._queue.remove(waiting)
            waiting.placed.set()

    def _able(self, ask: Ask) -> Sequence[_Running]:
        """Return the hosts that are not known to lack something; raise why, where all do."""
        now, why = self._clock(), None
        able = []
        for host in self._running.values():
            until, error = host.lacks.get(ask, (0.0, None))
            if now < until:
                why = error
            else:
                able.append(host)
        if not able and why:
            raise copy(why)  # an error that is raised keeps what the frames on its way hold
        return able

    def _lacks(self, host: _Running, ask: Ask, error: VtError) -> None:
        _log.warning("%s does not serve a piece: %s", host.node.name, error)
        with self._lock:
            host.lacks[ask] = self._clock() + _LACKING_SECONDS, error
            self._place()

    def _lose(self, host: _Running, lost: int, error: HostLost) -> None:
        """Take out a host that did not survive a piece, as the so-manieth; raise where no other one is to die of it."""
        self._take_out(host)
        if lost == _MOST_LOST:
            raise EngineError("A piece of work was given up: one machine after the other died at it.") from error
        _log.info("a piece that was at %s is done again", host.node.name)

    def _take_out(self, host: _Running) -> None:
        """Take a host out; where its node is there, it gets another."""
        with self._lock:
            if self._running.get(host.node.id) is not host:
                return
            del self._running[host.node.id]
            self._later[host.node.id] = self._clock() + _AGAIN_SECONDS
            self._place()
        _log.warning("%s is lost: its pieces are done by others", host.node.name)
        host.remote.stop()

    # Nodes

    def _watch(self) -> None:
        while not self.is_closing:
            with suppress(Exception):  # the cluster's head does not answer: the next round asks again
                self._look()
            self._closing.wait(self._look_seconds)

    def _ask_for_models(self) -> None:
        while not self._closing.wait(_MODELS_SECONDS):
            found = self.each("models")
            with self._lock:
                self._models = found

    def _look(self) -> None:
        there = self._nodes.alive()
        with self._lock:
            gone = [host for id, host in self._running.items() if id not in there]
            self._refused = {id: why for id, why in self._refused.items() if id in there}
            taken = {*self._running, *self._starting, *self._refused}
            new = [one for id, one in there.items() if id not in taken and self._clock() >= self._later.get(id, 0.0)]
            self._starting.update(one.id for one in new)
        for host in gone:
            self._take_out(host)
        for node in new:
            self._starters.submit(self._start, node)

    def _start(self, node: Node) -> None:
        """Start a host on a node, and let it serve if it is of this server's kind; any other is stopped."""
        refusal, running = "", None
        with ExitStack() as unused:
            try:
                remote = self._nodes.start(node, self._given)
                unused.callback(remote.stop)
                told = remote.call("about", seconds=_START_SECONDS, cancel=self._ending)
                difference = told.difference(self._own())
            except HostLost as error:
                _log.warning("%s does not come up: %s", node.name, error)
            except Cancelled:
                _log.debug("%s is not waited for any more", node.name)
            except Exception:  # noqa: BLE001 (whatever the cluster's library raises)
                _log.exception("%s does not come up", node.name)
            else:
                if difference:
                    refusal = _refusal(node, difference)
                else:
                    running = _Running(node, remote)
            if self._started(node, running, refusal):
                unused.pop_all()

    def _started(self, node: Node, running: _Running | None, refusal: str) -> bool:
        """Take down what became of a node, and tell whether it serves."""
        with self._lock:
            self._starting.discard(node.id)
            if self.is_closing:
                running, refusal = None, ""
            if running:
                self._running[node.id] = running
            elif refusal:
                self._refused[node.id] = refusal
            else:
                self._later[node.id] = self._clock() + _AGAIN_SECONDS
            self._place()
        if refusal:
            _log.warning("%s", refusal)
        elif running:
            _log.info("%s is ready: %d processors", node.name, node.processors)
            if self._preload:
                with suppress(HostLost, Cancelled):
                    running.remote.call("preload", (), seconds=_CALL_SECONDS, cancel=self._ending)
        return running is not None


class _Unlike(Exception):
    """A host does not serve a piece as it has to be served."""

    def __init__(self, error: VtError) -> None:
        super().__init__()
        self.error = error


def _refusal(node: Node, difference: Message) -> Message:
    return Message(
        "The machine {name} of the cluster does not serve: {difference}. Install the same there.",
        name=node.name,
        difference=difference,
    )
