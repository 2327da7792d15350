"""Which models are in memory: leases, one load at a time, a byte budget, and nothing closed under a user.

The cache does not know what a model is. Loader, sizes, clock, waiting and reclaiming are given to it.

What protects what:

- `_lock` (with `_changed`, the condition on it, and `_gate`, the quick way in) protects every field of `ModelCache`,
  `_Entry` and `_Flight`. It is held for bookkeeping alone: never while something loads, downloads or closes, nor while
  the observer or a caller is told.
- `_turn` is the lock on loading: the one flight, over all keys, that may make room and load. It is a field rather than
  a lock of its own, so that whoever waits for it is woken by the same condition as whoever waits for memory, and is
  served in order of arrival: a large model is not starved by small ones.
- Downloads and conversions (`ModelSpec.prepare`) run before the turn is asked for: one at a time for each key, side by
  side for different ones.

The life of a key: nobody > flight (loading) > entry (ready) > entry that leaves (retiring, then closed) > nobody. A key
never has two of these at once, so it is never in memory twice. Bytes are counted until `close()` and reclaiming are
done.
"""

from __future__ import annotations

import errno
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from vt import machine
from vt.errors import Cancelled, ModelBusy, ModelUnavailable, VtError
from vt.messages import Message
from vt.specs import Closable, ModelSpec

Reason = Literal["lru", "idle", "cleared", "memory", "uncached"]
"""Why a model went: for room, for being idle, on request, for want of memory, or since nothing is to be kept."""
State = Literal["loading", "ready", "retiring"]
Outcome = Literal["freed", "retiring", "unknown"]
Check = Callable[[], None]
"""Called now and then while somebody waits; whatever it raises ends that one's waiting and nobody else's."""

_POLL_SECONDS = 0.1
_TRIES = 100
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "bad_alloc", "bad allocation")


T = TypeVar("T", bound=Closable)
R = TypeVar("R")
Wait = Callable[[threading.Condition, "float | None"], object]


@dataclass(frozen=True, slots=True)
class EntrySnapshot:
    """One model as it stood at one moment."""

    key: str
    kind: str
    name: str
    device: str
    state: State
    leases: int
    """Of a loading model: how many wait for it in order to use it."""
    bytes: int
    """Of a loading model: what is set aside for it; 0 while it is prepared or waits for room."""
    load_seconds: float
    idle_seconds: float
    """Since the last release; 0.0 in use."""
    pinned: bool


@dataclass(frozen=True, slots=True)
class CacheSnapshot:
    """The cache as it stood at one moment."""

    entries: tuple[EntrySnapshot, ...]
    hits: int
    misses: int
    """Leases that had to wait or to load."""
    loads: int
    evictions: int
    total_bytes: int
    """The sum over the entries."""
    budget_bytes: int


@dataclass(frozen=True, slots=True)
class ClearResult:
    """What went at once, and what goes with its last lease."""

    freed: tuple[str, ...]
    freed_bytes: int
    retiring: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """What became of it, in a word; of nothing at all, unknown."""
        if self.retiring:
            return "retiring"
        return "freed" if self.freed else "unknown"


class CacheObserver:
    """Is told what happens; override what is of interest.

    Every call comes outside the cache's lock, from the thread that it concerns; it should be quick and must not raise.
    """

    def hit(self, key: str) -> None:
        """Note that a lease found its model ready."""

    def miss(self, key: str) -> None:
        """Note that a lease has to wait or to load."""

    def waited(self, key: str, seconds: float) -> None:
        """Note how long it took, with success or without, where no model was ready."""

    def loaded(self, key: str, seconds: float, size: int) -> None:
        """Note that a model of `size` bytes has become resident."""

    def failed(self, key: str, message: str) -> None:
        """Note that a load, a measurement or a close did not succeed."""

    def over_budget(self, key: str, size: int, budget: int) -> None:
        """Warn that a model larger than the whole budget is loaded alone, or turned out to be so large."""

    def retired(self, key: str) -> None:
        """Note that a model in use takes no new lease, and goes with its last one."""

    def evicted(self, key: str, reason: Reason, size: int) -> None:
        """Note that a model was closed and its memory given back."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Held:
    """What there is of a key. Compared by identity: another one may come by the same key."""

    spec: ModelSpec[Any]
    bytes: int = 0
    leases: int = 0
    leaving: Reason | None = None
    """Takes no newcomers any more, and why."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Entry(_Held):
    """A resident model."""

    model: Any
    load_seconds: float
    released: float
    order: int = 0
    """Counts releases: the smallest is the least recently used."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Flight(_Held):
    """A load under way, shared by all who ask for its key.

    Its leases are those that its passengers will hold: counted into the entry when that is published, so that it cannot
    go before they have woken up.
    """

    pilot: int
    """The thread that loads."""
    landed: bool = False
    entry: _Entry | None = None
    failure: tuple[type[VtError], str] | None = None
    """Type and sentence, never the exception: its traceback would pin the model. None too where the pilot gave up."""


class _Lease(Generic[T]):
    """Holds a model in memory from enter to exit; for use once."""

    __slots__ = ("_cache", "_check", "_entry", "_spec")

    def __init__(self, cache: ModelCache, spec: ModelSpec[T], check: Check | None) -> None:
        self._cache = cache
        self._spec = spec
        self._check = check
        self._entry: _Entry | None = None

    def __enter__(self) -> T:
        if self._entry is not None:
            raise RuntimeError("A lease is entered once; take another one.")
        self._entry = entry = self._cache._lease_entry(self._spec, self._check)
        model: T = entry.model
        return model

    def __exit__(self, *_: object) -> None:
        entry, self._entry = self._entry, None
        if entry is not None:
            self._cache._release(entry)


class _Gate:
    """The cache's lock, entered by a few tries before queueing for it.

    A thread that queues gets the lock while another one runs, and all others then queue behind it: once begun, such a
    convoy lasts, and makes every lease of busy threads a hundred times slower than the work done under the lock.
    """

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        for _ in range(_TRIES):
            if self._lock.acquire(blocking=False):
                return
            time.sleep(0)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def reclaim_memory() -> None:
    """Hand memory that nobody uses any more back to the system and to the GPU."""
    gc.collect()
    # Looked up, never imported: where nobody has loaded torch there is nothing of its to free.
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None and cuda.is_initialized():
        cuda.empty_cache()
    machine.trim()


class ModelCache:
    """Keeps models in memory within a budget, and lends them out."""

    def __init__(
        self,
        budget_bytes: int,
        *,
        enabled: bool = True,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
        reclaim: Callable[[], None] = reclaim_memory,
        patience_seconds: float = 30.0,
        idle_seconds: float = 0.0,
        observer: CacheObserver | None = None,
    ) -> None:
        self.budget_bytes = budget_bytes
        self.enabled = enabled
        self._clock = clock
        self._wait = wait
        self._reclaim = reclaim
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._observer = observer or CacheObserver()
        # Re-entrant: the garbage collector may close a forgotten generator, and with it a lease, in the very thread
        # that is in here.
        self._lock = threading.RLock()
        self._gate = _Gate(self._lock)
        self._changed = threading.Condition(self._lock)
        self._entries: dict[str, _Entry] = {}
        self._flights: dict[str, _Flight] = {}
        self._queue: list[_Flight] = []
        self._turn: _Flight | None = None
        self._pins: set[str] = set()
        self._closed = False
        self._used = self._sleepers = self._order = 0
        self._hits = self._misses = self._loads = self._evictions = 0

    # What callers do.

    def lease(self, spec: ModelSpec[T], *, check: Check | None = None) -> AbstractContextManager[T]:
        """Hold the model of `spec` for the length of a `with`, loading it where it is not in memory.

        Raises ModelBusy when memory stays in use for longer than the cache's patience, ModelUnavailable when the model
        cannot be had. Without caching it is shared by those who use it at the same time, and goes with the last one.
        Take one lease at a time: two nested ones under a tight budget can lock each other out until patience ends.
        """
        return _Lease(self, spec, check)

    def ensure(self, spec: ModelSpec[Any], *, check: Check | None = None) -> None:
        """Have the model of `spec` loaded, without holding it. Without caching this does nothing."""
        if not self.enabled:
            return
        with self._lock:
            entry = self._entries.get(spec.key)
            ready = entry is not None and entry.leaving is None
        if not ready:
            self._obtain(spec, check, leases=0)

    def evict(self, key: str) -> ClearResult:
        """Free one model, at once where it is idle, else with its last lease."""
        return self._dismiss(key)

    def clear(self) -> ClearResult:
        """Free every model, pinned ones too: at once where it is idle, else with its last lease."""
        return self._dismiss(None)

    def pin(self, key: str) -> None:
        """Keep the model of `key`, now or once it is loaded, until somebody evicts it by name or clears."""
        with self._lock:
            self._pins.add(key)

    def unpin(self, key: str) -> None:
        """Let the model of `key` go for room or idleness again."""
        with self._lock:
            self._pins.discard(key)
            self._changed.notify_all()

    def sweep(self) -> tuple[str, ...]:
        """Free what has been idle for `idle_seconds`; 0 keeps everything."""
        now = self._clock()
        with self._lock:
            due = [entry for entry in self._idle() if 0 < self._idle_seconds <= now - entry.released]
            _mark(due, "idle")
        self._dispose(due)
        return tuple(entry.spec.key for entry in due)

    def close(self) -> None:
        """Free everything and lease nothing from now on; models in use go with their last lease."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
        self._dismiss(None)

    def snapshot(self) -> CacheSnapshot:
        """Copy the state; never waits for a load."""
        now = self._clock()
        with self._lock:
            held: list[_Held] = [*self._entries.values(), *self._flights.values()]
            return CacheSnapshot(
                entries=tuple(self._copy(one, now) for one in held),
                hits=self._hits,
                misses=self._misses,
                loads=self._loads,
                evictions=self._evictions,
                total_bytes=self._used,
                budget_bytes=self.budget_bytes,
            )

    def _copy(self, held: _Held, now: float) -> EntrySnapshot:
        entry = held if isinstance(held, _Entry) else None
        state: State = "loading" if entry is None else "ready" if entry.leaving is None else "retiring"
        return EntrySnapshot(
            key=held.spec.key,
            kind=held.spec.kind,
            name=held.spec.name,
            device=held.spec.device,
            state=state,
            leases=held.leases,
            bytes=held.bytes,
            load_seconds=entry.load_seconds if entry else 0.0,
            idle_seconds=max(0.0, now - entry.released) if entry and not entry.leases else 0.0,
            pinned=held.spec.key in self._pins,
        )

    # Taking and giving back.

    def _lease_entry(self, spec: ModelSpec[Any], check: Check | None) -> _Entry:
        """Count a lease on the entry of `spec`; for a ready one this is all that happens."""
        with self._gate:
            entry = self._entries.get(spec.key)
            if entry is None or entry.leaving is not None:
                entry = None
                self._misses += 1
            else:
                entry.leases += 1
                self._hits += 1
        if entry is None:
            self._observer.miss(spec.key)
            return self._obtain(spec, check, leases=1)
        self._observer.hit(spec.key)
        return entry

    def _release(self, entry: _Entry) -> None:
        """Give one lease back; the last one takes along a model that was to leave."""
        now = self._clock()
        with self._gate:
            entry.leases -= 1
            if entry.leases:
                return
            entry.released = now
            self._order += 1
            entry.order = self._order
            if entry.leaving is None and not self.enabled:
                entry.leaving = "uncached"
            leaving = [entry] if entry.leaving is not None else self._surplus(keep=None)
            if self._sleepers:
                self._changed.notify_all()
        self._dispose(leaving)

    def _obtain(self, spec: ModelSpec[Any], check: Check | None, leases: int) -> _Entry:
        """Wait for the model or load it, and count `leases` (1 or 0) on it."""
        asked = self._clock()
        found: _Held | None = None
        try:
            while not isinstance(found, _Entry):
                found = self._until(
                    lambda last: self._board(spec, leases, last), lambda: spec.key in self._entries, check
                )
                if isinstance(found, _Flight):
                    mine = found.pilot == threading.get_ident()
                    found = self._fly(found, check) if mine else self._ride(found, leases, check)
        finally:
            self._observer.waited(spec.key, self._clock() - asked)
        return found

    def _board(self, spec: ModelSpec[Any], leases: int, last: bool) -> _Held | None:
        """Join what there is of this key, or begin a flight; None while something of this key is on its way out."""
        me = threading.get_ident()
        entry, flight = self._entries.get(spec.key), self._flights.get(spec.key)
        if me in [other.pilot for other in (flight, self._turn) if other is not None]:
            raise RuntimeError("A loader asked the cache for a model, and would wait for itself for ever.")
        self._refuse_if_closed()
        found = entry or flight or _Flight(spec=spec, pilot=me)
        if found.leaving is not None:
            if last and entry is not None:
                raise self._busy(spec)
            return None
        if isinstance(found, _Flight):
            self._flights[spec.key] = found
        found.leases += leases
        return found

    def _ride(self, flight: _Flight, leases: int, check: Check | None) -> _Entry | None:
        """Wait for somebody else's load and share what comes of it; None where its pilot gave up."""
        try:
            self._until(lambda _: flight.landed or None, lambda: False, check)
        except BaseException:
            with self._lock:
                entry = flight.entry
                flight.leases -= leases
            if entry is not None and leases:
                self._release(entry)
            raise
        if flight.failure is not None:
            kind, sentence = flight.failure
            raise kind(sentence)
        return flight.entry

    def _until(self, attempt: Callable[[bool], R | None], counts: Callable[[], bool], check: Check | None) -> R:
        """Return the first answer of `attempt`, which is asked again, under the lock, after every change.

        It is told whether patience has run out. Only time in which `counts()` is true tries patience: a load under way
        comes to its end by itself.
        """
        left = self._patience_seconds
        while True:
            with self._lock:
                answer = attempt(left <= 0)
                if answer is not None:
                    return answer
                counting, began = counts(), self._clock()
                self._sleep(left if counting and left > 0 else None, check)
                if counting:
                    left -= self._clock() - began
            if check is not None:
                check()

    def _sleep(self, seconds: float | None, check: Check | None) -> None:
        """Wait for a change; no longer than a moment where there is something to check."""
        if check is not None:
            seconds = _POLL_SECONDS if seconds is None else min(seconds, _POLL_SECONDS)
        self._sleepers += 1
        try:
            self._wait(self._changed, seconds)
        finally:
            self._sleepers -= 1

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ModelUnavailable("The service is shutting down and loads no more models.")

    def _busy(self, spec: ModelSpec[Any]) -> ModelBusy:
        """Say what holds the memory."""
        held = [
            entry for entry in self._entries.values() if entry.leases or entry.leaving or entry.spec.key in self._pins
        ]
        holders = ", ".join(_holding(entry) for entry in held)
        if spec.key in self._entries:
            return ModelBusy(
                "The model {model} is being unloaded ({holders}). Please try again in a moment.",
                model=spec.name,
                holders=holders,
            )
        return ModelBusy(
            "There is no room for the model {model} ({size}) in the {budget} for models, "
            "held by {holders}. Please try again in a moment.",
            model=spec.name,
            size=_mb(spec.estimated_bytes),
            budget=_mb(self.budget_bytes),
            holders=holders,
        )

    # Loading.

    def _fly(self, flight: _Flight, check: Check | None) -> _Entry:
        """Load, and share the result or the error with all aboard."""
        spec = flight.spec
        try:
            if spec.prepare is not None:
                spec.prepare()
            self._take_turn(flight, check)
            entry = self._load(spec)
        except VtError as error:
            # A cancel is the pilot's own affair: those aboard try again.
            self._crash(flight, error, None if isinstance(error, Cancelled) else (type(error), error.message))
            raise
        except Exception as error:
            sentence = Message("The model {model} cannot be loaded: {reason}.", model=spec.name, reason=_detail(error))
            self._crash(flight, error, (ModelUnavailable, sentence))
            raise ModelUnavailable(sentence) from error
        except BaseException as error:
            self._crash(flight, error, None)
            raise
        self._land(flight, entry)
        return entry

    def _take_turn(self, flight: _Flight, check: Check | None) -> None:
        """Wait until `flight` may load, and make room for it."""
        needed = flight.spec.estimated_bytes
        with self._lock:
            self._queue.append(flight)
        victims = self._until(lambda last: self._admit(flight, last), lambda: self._turn is None, check)
        self._dispose(victims)
        with self._lock:
            # Nobody else can have filled the room in between: that takes the turn.
            flight.bytes = needed
            self._used += needed
        if needed > self.budget_bytes:
            self._observer.over_budget(flight.spec.key, needed, self.budget_bytes)

    def _admit(self, flight: _Flight, last: bool) -> list[_Entry] | None:
        """Take the turn, in order of arrival; None while it has to wait.

        All have the same patience, so whoever stands before this one gives up before it.
        """
        self._refuse_if_closed()
        if self._turn is not None or self._queue[0] is not flight:
            return None
        victims = self._plan(flight.spec.estimated_bytes)
        if victims is None:
            if last:
                raise self._busy(flight.spec)
            return None
        _mark(victims, "lru")
        self._queue.remove(flight)
        self._turn = flight
        # Those who wait for the turn must know that from now on they wait for a load.
        self._changed.notify_all()
        return victims

    def _plan(self, needed: int) -> list[_Entry] | None:
        """List the idle models that must go for `needed` bytes; None where not even all of them would do."""
        idle = self._idle()
        if needed > self.budget_bytes:
            return idle if len(idle) == len(self._entries) else None
        victims: list[_Entry] = []
        missing = self._used + needed - self.budget_bytes
        for entry in idle:
            if missing <= 0:
                break
            victims.append(entry)
            missing -= entry.bytes
        return victims if missing <= 0 else None

    def _load(self, spec: ModelSpec[Any]) -> _Entry:
        """Load and measure; out of memory, once more with all idle models gone."""
        began = self._clock()
        model = _load_unless_out_of_memory(spec)
        if model is None:
            with self._lock:
                idle = self._idle()
                _mark(idle, "memory")
            self._dispose(idle)
            if not idle:
                self._reclaim_for(spec.key)
            model = self._load_again(spec)
        now = self._clock()
        size = self._measure(spec, model)
        return _Entry(spec=spec, bytes=size, model=model, load_seconds=now - began, released=now)

    def _load_again(self, spec: ModelSpec[Closable]) -> Closable:
        try:
            return spec.load()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            with self._lock:
                others = sum(entry.bytes for entry in self._entries.values())
            raise ModelUnavailable(
                "The memory does not suffice for the model {model}: it needs about {size}, and "
                "{others} are held by other models, of {budget} for all models.",
                model=spec.name,
                size=_mb(spec.estimated_bytes),
                others=_mb(others),
                budget=_mb(self.budget_bytes),
            ) from error

    def _measure(self, spec: ModelSpec[Any], model: object) -> int:
        """Ask what the model takes; one that works is not refused for want of a number."""
        sizes: list[int] = []
        measured = spec.measured
        problem = None if measured is None else _problem_of(lambda: sizes.append(measured(model)))
        if problem is not None:
            self._observer.failed(spec.key, f"The size of the model {spec.name} cannot be measured: {problem}.")
        return sizes[0] if sizes else spec.estimated_bytes

    def _land(self, flight: _Flight, entry: _Entry) -> None:
        """Publish what was loaded, with the leases of all aboard counted in the same step."""
        key = flight.spec.key
        with self._lock:
            entry.leases = flight.leases
            # Evicted while it was loading: those aboard still share it, newcomers load anew.
            entry.leaving = flight.leaving
            self._order += 1
            entry.order = self._order
            self._entries[key] = flight.entry = entry
            self._used += entry.bytes
            self._loads += 1
            self._end(flight)
            leaving = self._surplus(keep=entry)
            if entry.leaving is not None and not entry.leases:
                leaving.append(entry)
        self._observer.loaded(key, entry.load_seconds, entry.bytes)
        if entry.bytes > self.budget_bytes >= flight.spec.estimated_bytes:
            self._observer.over_budget(key, entry.bytes, self.budget_bytes)
        self._dispose(leaving)

    def _crash(self, flight: _Flight, error: BaseException, failure: tuple[type[VtError], str] | None) -> None:
        """Leave nothing of a flight behind, and share its failure with all aboard; without one they try again."""
        forget(error)
        if self._turn is flight:
            # What was half loaded goes before the next one tries.
            self._reclaim_for(flight.spec.key)
        with self._lock:
            flight.failure = failure
            self._end(flight)
        if failure is not None:
            self._observer.failed(flight.spec.key, failure[1])

    def _end(self, flight: _Flight) -> None:
        """Take a flight off the books and wake all who wait for it, for its turn or for its memory."""
        del self._flights[flight.spec.key]
        if flight in self._queue:
            self._queue.remove(flight)
        if self._turn is flight:
            self._turn = None
        self._used -= flight.bytes
        flight.landed = True
        self._changed.notify_all()

    # Letting go. Whoever marks an entry with a reason, under the lock and without leases, has to dispose of it.

    def _idle(self) -> list[_Entry]:
        """List what may be evicted, least recently used first."""
        idle = [
            entry
            for entry in self._entries.values()
            if not entry.leases and entry.leaving is None and entry.spec.key not in self._pins
        ]
        return sorted(idle, key=lambda entry: entry.order)

    def _surplus(self, keep: _Entry | None) -> list[_Entry]:
        """Mark the idle models that must go since a measured size broke the budget; a last one stays at any size."""
        if self._used <= self.budget_bytes:
            return []
        staying = [entry for entry in self._entries.values() if entry.leases or entry.leaving is None]
        over = sum(entry.bytes for entry in staying) + (self._turn.bytes if self._turn else 0) - self.budget_bytes
        victims: list[_Entry] = []
        for entry in self._idle():
            if over <= 0 or len(victims) + 1 >= len(staying):
                break
            if entry is not keep:
                victims.append(entry)
                over -= entry.bytes
        _mark(victims, "memory")
        return victims

    def _dismiss(self, key: str | None) -> ClearResult:
        """Free the model of `key`, or all; those in use or still loading retire."""
        leaving: list[_Entry] = []
        retiring: list[str] = []
        newly: list[str] = []
        with self._lock:
            held: list[_Held] = [*self._entries.values(), *self._flights.values()]
            for one in held:
                if key not in (None, one.spec.key):
                    continue
                if isinstance(one, _Entry) and not one.leases and one.leaving is None:
                    leaving.append(one)
                else:
                    retiring.append(one.spec.key)
                    newly += [one.spec.key] if one.leaving is None else []
                one.leaving = one.leaving or "cleared"
        for name in newly:
            self._observer.retired(name)
        freed = ClearResult(tuple(e.spec.key for e in leaving), sum(e.bytes for e in leaving), tuple(retiring))
        self._dispose(leaving)
        return freed

    def _dispose(self, entries: Sequence[_Entry]) -> None:
        """Close marked entries, reclaim, and only then take them off the books: until then their memory is not free."""
        if not entries:
            return
        try:
            for entry in entries:
                self._close_model(entry)
            self._reclaim_for(entries[0].spec.key)
        finally:
            with self._lock:
                for entry in entries:
                    self._remove(entry)
                self._changed.notify_all()
        for entry in entries:
            self._observer.evicted(entry.spec.key, entry.leaving or "cleared", entry.bytes)

    def _close_model(self, entry: _Entry) -> None:
        problem = _problem_of(entry.model.close)
        # The last reference of ours, so that reclaiming finds it gone.
        entry.model = None
        if problem is not None:
            self._observer.failed(entry.spec.key, f"The model {entry.spec.name} did not close properly: {problem}.")

    def _reclaim_for(self, key: str) -> None:
        problem = _problem_of(self._reclaim)
        if problem is not None:
            self._observer.failed(key, f"Memory could not be given back to the system: {problem}.")

    def _remove(self, entry: _Entry) -> None:
        """By identity: another entry may have come by the same key."""
        if self._entries.get(entry.spec.key) is entry:
            del self._entries[entry.spec.key]
            self._used -= entry.bytes
            self._evictions += 1


def _mark(entries: Iterable[_Entry], reason: Reason) -> None:
    for entry in entries:
        entry.leaving = reason


def _load_unless_out_of_memory(spec: ModelSpec[Closable]) -> Closable | None:
    """Load; None where memory ran out. By then the exception is gone, and with it what had been loaded halfway."""
    try:
        return spec.load()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget(error)
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Libraries say it in many ways: as MemoryError, as ENOMEM, or as a RuntimeError's text; and wrap it."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def forget(error: BaseException | None) -> None:
    """Empty the frames of an exception that others may keep: where it was raised stays, what was loaded goes."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _problem_of(action: Callable[[], object]) -> str | None:
    """Run what must not stop the bookkeeping; say what went wrong."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - every caller reports it to the observer
        forget(error)
        return _detail(error)
    return None


def _detail(error: BaseException) -> str:
    """Say in a few words what a foreign exception means."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def _holding(entry: _Entry) -> str:
    leases = f"{entry.leases} {'lease' if entry.leases == 1 else 'leases'}" if entry.leases else "pinned"
    if not entry.leases and entry.leaving is not None:
        leases = "closing"
    return f"{entry.spec.key} ({leases}, {_mb(entry.bytes)})"


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
