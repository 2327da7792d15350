"""The models in memory: leases, one load at a time, budgets in bytes, and no model is closed while it is used.

The cache does not know what a model is. How a model is loaded, how large it is, the clock, the waiting and the return
of memory to the system are all given to it. It does no downloads and conversions either: the model's files have to
be ready before a lease is taken (see `vt.models.fallback`). The cache is only told of these preparations, by
`preparing`, so that its status and its counts include the models that somebody waits for.

A graphics card has its own memory, and so its own budget: a model counts in the memory of the device that it is on, and
makes room by eviction there alone. Devices that are not named share the memory of the machine.

Two locks:

- `_state_lock` protects every field of `ModelCache`, `_Entry` and `_Load`. `_state_changed` is the condition on it, and
  `_fast_state_lock` a quicker way to acquire it. It is held for bookkeeping only: never while a model is loaded or
  closed, and never while the observer or a caller is called.
- `_permitted` works as the lock on loading: it is the one load, over all keys, that may free memory and load now. It is
  a field and not a lock, so that the same condition wakes those who wait for the permission and those who wait for
  memory. Loads get the permission in the order in which they asked for it, so that a large model is not kept waiting
  for ever by small ones.

The states of a key: absent, then loading (`_Load`), then resident (`_Entry`), then leaving (an `_Entry` that takes no
new leases and is closed after its last one), then absent again. A key is never in two of these states at once, so no
model is in memory twice. The bytes of a model are counted until it is closed and its memory has been given back.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from vt.engines.model_spec import Closable, ModelSpec
from vt.errors import Cancelled, ModelBusy, ModelUnavailable, VtError
from vt.system import machine, tracing
from vt.translatable import Message

Reason = Literal["lru", "idle", "cleared", "memory", "uncached"]
"""Why a model was evicted: another one needed the room, it was idle for too long, somebody asked for it, the memory ran
out, or the cache is not enabled and so keeps nothing."""
State = Literal["loading", "ready", "retiring"]
Outcome = Literal["freed", "retiring", "unknown"]
Check = Callable[[], None]
"""Called now and then while a thread waits; what it raises ends the waiting of this thread, and of no other."""

_MACHINE = "cpu"
"""The device whose memory is that of the machine."""
_POLL_SECONDS = 0.1
_SPINS = 100
_OUT_OF_MEMORY = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "bad_alloc",
    "bad allocation",
    "alloc_failed",
)


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
    """Of a model that is loading: how many wait for it in order to use it."""
    bytes: int
    """Of a model that is loading: what is reserved for it; 0 while it waits for room."""
    load_seconds: float
    idle_seconds: float
    """Since the last lease was given back; 0.0 while the model is in use."""


@dataclass(frozen=True, slots=True)
class MemorySnapshot:
    """The memory of one device as it stood at one moment."""

    device: str
    """cpu: that of the machine."""
    used_bytes: int
    budget_bytes: int


@dataclass(frozen=True, slots=True)
class CacheSnapshot:
    """The cache as it stood at one moment."""

    entries: tuple[EntrySnapshot, ...]
    hits: int
    misses: int
    """Leases that did not find their model ready."""
    loads: int
    evictions: int
    total_bytes: int
    """The sum over the entries."""
    budget_bytes: int
    """Of the machine's memory."""
    memories: tuple[MemorySnapshot, ...] = ()
    """The machine's, then those of the graphics cards."""


@dataclass(frozen=True, slots=True)
class ClearResult:
    """Which models were freed at once, and which will be freed after their last lease."""

    freed: tuple[str, ...]
    freed_bytes: int
    retiring: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """The result in one word; "unknown" where there was no such model."""
        if self.retiring:
            return "retiring"
        return "freed" if self.freed else "unknown"


class CacheObserver:
    """Is called for everything that happens; override the methods that you need.

    The cache's lock is not held during the calls. They should be quick and must not raise.
    """

    def hit(self, key: str) -> None:
        """A lease found its model ready."""

    def miss(self, key: str) -> None:
        """A lease did not find its model ready: it loads it, or waits for it."""

    def waited(self, key: str, seconds: float) -> None:
        """A lease that did not find its model ready has it now, or failed, after so many seconds."""

    def loaded(self, key: str, seconds: float, size: int) -> None:
        """A model of `size` bytes was loaded in so many seconds."""

    def failed(self, key: str, message: str) -> None:
        """A model could not be loaded, measured or closed."""

    def over_budget(self, key: str, size: int, budget: int) -> None:
        """A model larger than its device's whole budget is loaded alone, or turned out to be so once it was loaded."""

    def retired(self, key: str) -> None:
        """A model that is in use or not ready yet takes no new leases, and will be closed after its last one."""

    def evicted(self, key: str, reason: Reason, size: int) -> None:
        """A model was closed and its memory given back."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Record:
    """What the cache knows of a key. Compared by identity: a later record may have the same key."""

    spec: ModelSpec[Any]
    bytes: int = 0
    leases: int = 0
    leaving: Reason | None = None
    """Set once it takes no new leases: the reason why it is evicted."""


@dataclass(slots=True, eq=False, kw_only=True)
class Preparation(_Record):
    """A thread that waits until the files of a model are ready. It may be evicted meanwhile, as a load may."""

    began: float
    """When the waiting began, by the cache's clock."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Entry(_Record):
    """A model in memory."""

    model: Any
    load_seconds: float
    released: float
    """When its last lease was given back."""
    release_number: int = 0
    """Grows with every release of any model: the model with the smallest number is the least recently used."""


@dataclass(slots=True, eq=False, kw_only=True)
class _Load(_Record):
    """A load in progress, shared by all threads that ask for its key.

    It counts the leases of the thread that loads and of those that wait. The entry takes them over in the step that
    publishes it, so that it cannot be evicted before the waiting threads have woken up.
    """

    thread: int
    """The thread that loads."""
    ended: bool = False
    entry: _Entry | None = None
    failure: tuple[type[VtError], str] | None = None
    """Class and sentence of the error, but never the exception itself: its traceback would keep the model in memory.
    None also where the loading thread was cancelled: then a waiting thread loads."""


class _Lease(Generic[T]):
    """Holds a model in memory from enter to exit; for use once."""

    __slots__ = ("_cache", "_check", "_entry", "_preparation", "_spec", "_use")

    def __init__(
        self, cache: ModelCache, spec: ModelSpec[T], check: Check | None, preparation: Preparation | None
    ) -> None:
        self._cache = cache
        self._spec = spec
        self._check = check
        self._preparation = preparation
        self._entry: _Entry | None = None
        self._use: tracing.Use | None = None

    def __enter__(self) -> T:
        if self._entry is not None:
            raise RuntimeError("A lease is entered once; take another one.")
        self._entry = entry = self._cache._lease_entry(self._spec, self._check, self._preparation)
        self._use = tracing.use(self._spec.name)
        model: T = entry.model
        return model

    def __exit__(self, *_: object) -> None:
        entry, self._entry = self._entry, None
        if self._use is not None:
            self._use.end()
        if entry is not None:
            self._cache._release(entry)


class _SpinningLock:
    """Acquires a lock by trying a few times, and blocks only where that does not succeed.

    A thread that blocks on a lock needs a switch of threads to go on, and meanwhile all others block behind it. Such a
    lock convoy does not end by itself, and makes each lease a hundred times slower than the work done under the lock.
    """

    __slots__ = ("_lock",)

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        for _ in range(_SPINS):
            if self._lock.acquire(blocking=False):
                return
            time.sleep(0)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def reclaim_memory() -> None:
    """Give memory that is no longer used back to the system and to the graphics card."""
    gc.collect()
    # Torch is not imported here: if no engine has imported it, it holds no memory.
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
        cards: Mapping[str, int] | None = None,
    ) -> None:
        """`budget_bytes` is of the machine's memory; `cards` has the bytes of each device with a memory of its own."""
        self.budget_bytes = budget_bytes
        self.enabled = enabled
        self._clock = clock
        self._wait = wait
        self._reclaim = reclaim
        self._patience_seconds = patience_seconds
        self._idle_seconds = idle_seconds
        self._observer = observer or CacheObserver()
        # Re-entrant: at any time the garbage collector can close an abandoned generator, and with it a lease, in a
        # thread that holds this lock already.
        self._state_lock = threading.RLock()
        self._fast_state_lock = _SpinningLock(self._state_lock)
        self._state_changed = threading.Condition(self._state_lock)
        self._entries: dict[str, _Entry] = {}
        self._loads: dict[str, _Load] = {}
        self._load_queue: list[_Load] = []
        self._preparations: list[Preparation] = []
        self._permitted: _Load | None = None
        self._closed = False
        self._budgets = {_MACHINE: budget_bytes, **(cards or {})}
        self._used_bytes = dict.fromkeys(self._budgets, 0)
        self._waiters = self._releases = 0
        self._hits = self._misses = self._load_count = self._evictions = 0
        self.changes = 0
        """Grows with every model that came, went, or could not be loaded: the same number means the same models."""

    # What callers do.

    def budget_of(self, device: str) -> int:
        """Return how many bytes the models on a device may take together."""
        return self._budgets[self._memory_of(device)]

    def _memory_of(self, device: str) -> str:
        """Return the device whose memory the models on `device` take."""
        return device if device in self._budgets else _MACHINE

    @contextmanager
    def preparing(self, spec: ModelSpec[Any]) -> Iterator[Preparation]:
        """Show the model of `spec` as loading for the length of a `with`, in which its files are made ready.

        What it yields is for `lease`. Where the block raises, no lease follows: then it is counted here that somebody
        waited and did not find the model ready.
        """
        preparation = Preparation(spec=spec, began=self._clock())
        with self._state_lock:
            self._preparations.append(preparation)
        try:
            yield preparation
        except BaseException:
            with self._state_lock:
                self._misses += 1
                self.changes += 1
            self._observer.miss(spec.key)
            self._observer.waited(spec.key, self._clock() - preparation.began)
            raise
        finally:
            with self._state_lock:
                self._preparations.remove(preparation)

    def lease(
        self, spec: ModelSpec[T], *, check: Check | None = None, preparation: Preparation | None = None
    ) -> AbstractContextManager[T]:
        """Hold the model of `spec` for the length of a `with`, loading it where it is not in memory.

        The files that `spec.load` reads have to be there. Where the cache is not enabled, a model is shared by those
        who use it at the same time, and freed after the last of them. Hold one lease at a time: two threads that each
        hold one and wait for another can block each other until `patience_seconds` are over.

        Args:
            spec: the model.
            check: is called while the thread waits; what it raises ends the waiting.
            preparation: what `preparing` yielded, where that came before.

        Raises:
            ModelBusy: the memory stayed in use for longer than `patience_seconds`.
            ModelUnavailable: the model cannot be loaded.
        """
        return _Lease(self, spec, check, preparation)

    def is_ready(self, key: str) -> bool:
        """Tell whether a lease of this model would find it in memory now."""
        with self._fast_state_lock:
            return self._ready_entry(key) is not None

    def is_idle(self, key: str) -> bool:
        """Tell whether a model is in memory now, and nobody uses it."""
        with self._fast_state_lock:
            entry = self._ready_entry(key)
            return entry is not None and not entry.leases

    def evict(self, key: str) -> ClearResult:
        """Free one model: at once where it is idle, else after its last lease."""
        return self._evict_or_retire(key)

    def clear(self) -> ClearResult:
        """Free every model: at once where it is idle, else after its last lease."""
        return self._evict_or_retire(None)

    def sweep(self) -> tuple[str, ...]:
        """Free the models that have been idle for `idle_seconds`, and return their keys; with 0 none are freed."""
        now = self._clock()
        with self._state_lock:
            due = [entry for entry in self._idle() if 0 < self._idle_seconds <= now - entry.released]
            _mark(due, "idle")
        self._close_and_remove(due)
        return tuple(entry.spec.key for entry in due)

    def close(self) -> None:
        """Free every model and refuse new leases; models in use are freed after their last lease."""
        with self._state_lock:
            self._closed = True
            self._state_changed.notify_all()
        self._evict_or_retire(None)

    def snapshot(self) -> CacheSnapshot:
        """Return a copy of the state; never waits for a load."""
        now = self._clock()
        with self._state_lock:
            preparations = {preparation.spec.key: preparation for preparation in self._preparations}
            records: dict[str, _Record] = {**preparations, **self._entries, **self._loads}
            return CacheSnapshot(
                entries=tuple(self._copy(record, now) for record in records.values()),
                hits=self._hits,
                misses=self._misses,
                loads=self._load_count,
                evictions=self._evictions,
                total_bytes=sum(self._used_bytes.values()),
                budget_bytes=self.budget_bytes,
                memories=tuple(
                    MemorySnapshot(memory, used, self._budgets[memory]) for memory, used in self._used_bytes.items()
                ),
            )

    def _copy(self, record: _Record, now: float) -> EntrySnapshot:
        entry = record if isinstance(record, _Entry) else None
        state: State = "loading" if entry is None else "ready" if entry.leaving is None else "retiring"
        return EntrySnapshot(
            key=record.spec.key,
            kind=record.spec.kind,
            name=record.spec.name,
            device=record.spec.device,
            state=state,
            leases=record.leases,
            bytes=record.bytes,
            load_seconds=entry.load_seconds if entry else 0.0,
            idle_seconds=max(0.0, now - entry.released) if entry and not entry.leases else 0.0,
        )

    # Taking a lease and giving it back.

    def _lease_entry(self, spec: ModelSpec[Any], check: Check | None, preparation: Preparation | None) -> _Entry:
        """Count a lease on the entry of `spec`. Where the model is ready, the lock is acquired only once."""
        with self._fast_state_lock:
            entry = self._ready_entry(spec.key)
            if entry is None:
                self._misses += 1
            else:
                entry.leases += 1
                self._hits += 1
        if entry is None:
            self._observer.miss(spec.key)
            return self._find_or_load(spec, check, preparation or Preparation(spec=spec, began=self._clock()))
        self._observer.hit(spec.key)
        if preparation is not None:
            self._observer.waited(spec.key, self._clock() - preparation.began)
        return entry

    def _ready_entry(self, key: str) -> _Entry | None:
        entry = self._entries.get(key)
        return entry if entry is not None and entry.leaving is None else None

    def _release(self, entry: _Entry) -> None:
        """Give one lease back; with the last one, a model that is leaving is closed."""
        now = self._clock()
        with self._fast_state_lock:
            entry.leases -= 1
            if entry.leases:
                return
            entry.released = now
            self._releases += 1
            entry.release_number = self._releases
            if entry.leaving is None and not self.enabled:
                entry.leaving = "uncached"
            leaving = [entry] if entry.leaving is not None else self._mark_surplus(entry.spec.device)
            if self._waiters:
                self._state_changed.notify_all()
        self._close_and_remove(leaving)

    def _find_or_load(self, spec: ModelSpec[Any], check: Check | None, preparation: Preparation) -> _Entry:
        """Wait for the model or load it, and count a lease on it."""
        found: _Record | None = None
        try:
            while not isinstance(found, _Entry):
                found = self._wait_until(
                    lambda patience_over: self._join(spec, patience_over, preparation.leaving),
                    lambda: spec.key in self._entries,
                    check,
                )
                if isinstance(found, _Load):
                    is_ours = found.thread == threading.get_ident()
                    found = self._load_and_publish(found, check) if is_ours else self._wait_for(found, check)
        finally:
            self._observer.waited(spec.key, self._clock() - preparation.began)
        return found

    def _join(self, spec: ModelSpec[Any], patience_over: bool, leaving: Reason | None) -> _Record | None:
        """Count a lease on the entry or the load of this key, or begin a load; None while the old model is leaving.

        `leaving`: why the model was evicted while its files were made ready. It serves the threads that waited for
        them, and is closed after the last one.
        """
        me = threading.get_ident()
        entry, load = self._entries.get(spec.key), self._loads.get(spec.key)
        if me in [one.thread for one in (load, self._permitted) if one is not None]:
            raise RuntimeError("A loader asked the cache for a model, and would wait for itself for ever.")
        self._refuse_if_closed()
        found = entry or load or _Load(spec=spec, thread=me, leaving=leaving)
        if found.leaving is not None and (entry is not None or leaving is None):
            if patience_over and entry is not None:
                raise self._busy(spec)
            return None
        if isinstance(found, _Load):
            self._loads[spec.key] = found
        found.leases += 1
        return found

    def _wait_for(self, load: _Load, check: Check | None) -> _Entry | None:
        """Wait for the load of another thread and share its result; None where that thread was cancelled."""
        try:
            self._wait_until(lambda _: load.ended or None, lambda: False, check)
        except BaseException:
            with self._state_lock:
                entry = load.entry
                load.leases -= 1
            if entry is not None:
                self._release(entry)
            raise
        if load.failure is not None:
            kind, sentence = load.failure
            raise kind(sentence)
        return load.entry

    def _wait_until(
        self, attempt: Callable[[bool], R | None], uses_patience: Callable[[], bool], check: Check | None
    ) -> R:
        """Call `attempt` under the lock, now and after every change, and return its first result that is not None.

        Its argument tells whether patience is over. Only the time during which `uses_patience()` is true counts: a load
        in progress ends by itself, so there is no limit on waiting for one.
        """
        seconds_left = self._patience_seconds
        while True:
            with self._state_lock:
                result = attempt(seconds_left <= 0)
                if result is not None:
                    return result
                counts, began = uses_patience(), self._clock()
                self._wait_for_change(seconds_left if counts and seconds_left > 0 else None, check)
                if counts:
                    seconds_left -= self._clock() - began
            if check is not None:
                check()

    def _wait_for_change(self, seconds: float | None, check: Check | None) -> None:
        """Wait until something has changed, at most `seconds`; shortly where `check` has to be called in between."""
        if check is not None:
            seconds = _POLL_SECONDS if seconds is None else min(seconds, _POLL_SECONDS)
        self._waiters += 1
        try:
            self._wait(self._state_changed, seconds)
        finally:
            self._waiters -= 1

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise ModelUnavailable("The service is shutting down and loads no more models.")

    def _busy(self, spec: ModelSpec[Any]) -> ModelBusy:
        """Return the error that says which models hold the memory."""
        holders = ", ".join(_holding(entry) for entry in self._beside(spec.device) if entry.leases or entry.leaving)
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
            budget=_mb(self.budget_of(spec.device)),
            holders=holders,
        )

    # Loading.

    def _load_and_publish(self, load: _Load, check: Check | None) -> _Entry:
        """Load, and share the result or the error with all threads that wait for it."""
        spec = load.spec
        try:
            self._reserve(load, check)
            entry = self._load(spec)
        except VtError as error:
            # A cancel concerns this thread alone: one of those that wait loads in its place.
            self._abort(load, error, None if isinstance(error, Cancelled) else (type(error), error.message))
            raise
        except Exception as error:
            reason = in_a_few_words(error)
            sentence = Message("The model {model} cannot be loaded: {reason}.", model=spec.name, reason=reason)
            self._abort(load, error, (ModelUnavailable, sentence))
            raise ModelUnavailable(sentence) from error
        except BaseException as error:
            self._abort(load, error, None)
            raise
        self._publish(load, entry)
        return entry

    def _reserve(self, load: _Load, check: Check | None) -> None:
        """Wait until `load` may begin, and make and reserve the room for it."""
        needed, memory = load.spec.estimated_bytes, self._memory_of(load.spec.device)
        with self._state_lock:
            self._load_queue.append(load)
        victims = self._wait_until(
            lambda patience_over: self._permit(load, patience_over), lambda: self._permitted is None, check
        )
        self._close_and_remove(victims)
        with self._state_lock:
            # No other load can have taken the room meanwhile: only the permitted one may.
            load.bytes = needed
            self._used_bytes[memory] += needed
        if needed > self._budgets[memory]:
            self._observer.over_budget(load.spec.key, needed, self._budgets[memory])

    def _permit(self, load: _Load, patience_over: bool) -> list[_Entry] | None:
        """Give `load` the permission to load and return the models to close before; None while it has to wait.

        All loads have the same patience, so those that asked earlier also give up earlier.
        """
        self._refuse_if_closed()
        if self._permitted is not None or self._load_queue[0] is not load:
            return None
        victims = self._victims_for(load.spec)
        if victims is None:
            if patience_over:
                raise self._busy(load.spec)
            return None
        _mark(victims, "lru")
        self._load_queue.remove(load)
        self._permitted = load
        # Those who wait for the permission have to notice that from now on they wait for a load, without a limit.
        self._state_changed.notify_all()
        return victims

    def _victims_for(self, spec: ModelSpec[Any]) -> list[_Entry] | None:
        """List the idle models to close to make room for a model; None where all of them would not be enough."""
        needed, budget = spec.estimated_bytes, self.budget_of(spec.device)
        idle = self._idle(spec.device)
        if needed > budget:
            return idle if len(idle) == len(self._beside(spec.device)) else None
        victims: list[_Entry] = []
        missing = self._used_bytes[self._memory_of(spec.device)] + needed - budget
        for entry in idle:
            if missing <= 0:
                break
            victims.append(entry)
            missing -= entry.bytes
        return victims if missing <= 0 else None

    def _load(self, spec: ModelSpec[Any]) -> _Entry:
        """Load and measure; where memory runs out, close the idle models in it and try once more."""
        with tracing.span(spec.name, "load", stage=spec.kind, device=spec.device):
            return self._timed_load(spec)

    def _timed_load(self, spec: ModelSpec[Any]) -> _Entry:
        began = self._clock()
        model = _load_unless_out_of_memory(spec)
        if model is None:
            with self._state_lock:
                idle = self._idle(spec.device)
                _mark(idle, "memory")
            self._close_and_remove(idle)
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
            with self._state_lock:
                others = sum(entry.bytes for entry in self._beside(spec.device))
            raise ModelUnavailable(
                "The memory does not suffice for the model {model}: it needs about {size}, and "
                "{others} are held by other models, of {budget} for all models.",
                model=spec.name,
                size=_mb(spec.estimated_bytes),
                others=_mb(others),
                budget=_mb(self.budget_of(spec.device)),
            ) from error

    def _measure(self, spec: ModelSpec[Any], model: object) -> int:
        """Return the size of the model in bytes; where measuring fails, that is reported, and the estimate counts."""
        sizes: list[int] = []
        measured = spec.measured
        problem = None if measured is None else _problem_of(lambda: sizes.append(measured(model)))
        if problem is not None:
            self._observer.failed(spec.key, f"The size of the model {spec.name} cannot be measured: {problem}.")
        return sizes[0] if sizes else spec.estimated_bytes

    def _publish(self, load: _Load, entry: _Entry) -> None:
        """Make the loaded model available; the leases of all threads that wait for it are counted in the same step."""
        key = load.spec.key
        with self._state_lock:
            entry.leases = load.leases
            # If it was evicted while it was loading, those who wait share it nevertheless, and newcomers load anew.
            entry.leaving = load.leaving
            self._releases += 1
            entry.release_number = self._releases
            self._entries[key] = load.entry = entry
            self._used_bytes[self._memory_of(entry.spec.device)] += entry.bytes
            self._load_count += 1
            self.changes += 1
            self._finish(load)
            surplus = self._mark_surplus(entry.spec.device)
        self._observer.loaded(key, entry.load_seconds, entry.bytes)
        budget = self.budget_of(entry.spec.device)
        if entry.bytes > budget >= load.spec.estimated_bytes:
            self._observer.over_budget(key, entry.bytes, budget)
        self._close_and_remove(surplus)

    def _abort(self, load: _Load, error: BaseException, failure: tuple[type[VtError], str] | None) -> None:
        """Remove a load that failed and share `failure` with all who wait; if it is None, one of them loads instead."""
        forget(error)
        if self._permitted is load:
            # The memory of a half loaded model is given back before the next load begins.
            self._reclaim_for(load.spec.key)
        with self._state_lock:
            load.failure = failure
            self.changes += 1
            self._finish(load)
        if failure is not None:
            self._observer.failed(load.spec.key, failure[1])

    def _finish(self, load: _Load) -> None:
        """Remove a load from the bookkeeping, and wake all who wait for it, for the permission or for memory."""
        del self._loads[load.spec.key]
        if load in self._load_queue:
            self._load_queue.remove(load)
        if self._permitted is load:
            self._permitted = None
        self._used_bytes[self._memory_of(load.spec.device)] -= load.bytes
        load.ended = True
        self._state_changed.notify_all()

    # Evicting. Whoever marks an entry without leases as leaving, under the lock, has to close and remove it afterwards.

    def _beside(self, device: str) -> list[_Entry]:
        """List the models in the memory of a device."""
        memory = self._memory_of(device)
        return [entry for entry in self._entries.values() if self._memory_of(entry.spec.device) == memory]

    def _idle(self, device: str | None = None) -> list[_Entry]:
        """List the models that may be evicted, least recently used first; those beside `device`, where it is given."""
        known = self._entries.values() if device is None else self._beside(device)
        idle = [entry for entry in known if not entry.leases and entry.leaving is None]
        return sorted(idle, key=lambda entry: entry.release_number)

    def _mark_surplus(self, device: str) -> list[_Entry]:
        """Mark idle models as leaving until the measured sizes fit the device's budget; the last stays at any size."""
        memory, budget = self._memory_of(device), self.budget_of(device)
        if self._used_bytes[memory] <= budget:
            return []
        staying = [entry for entry in self._beside(device) if entry.leases or entry.leaving is None]
        permitted = self._permitted
        reserved = permitted.bytes if permitted and self._memory_of(permitted.spec.device) == memory else 0
        excess = sum(entry.bytes for entry in staying) + reserved - budget
        victims: list[_Entry] = []
        for entry in self._idle(device):
            if excess <= 0 or len(victims) + 1 >= len(staying):
                break
            victims.append(entry)
            excess -= entry.bytes
        _mark(victims, "memory")
        return victims

    def _evict_or_retire(self, key: str | None) -> ClearResult:
        """Free the model of `key`, or all of them; those in use, still loading or being prepared are retired."""
        leaving: list[_Entry] = []
        retiring: list[str] = []
        newly_retired: list[str] = []
        with self._state_lock:
            records: list[_Record] = [*self._entries.values(), *self._loads.values(), *self._preparations]
            for record in records:
                if key not in (None, record.spec.key):
                    continue
                if isinstance(record, _Entry) and not record.leases and record.leaving is None:
                    leaving.append(record)
                else:
                    retiring.append(record.spec.key)
                    newly_retired += [record.spec.key] if record.leaving is None else []
                record.leaving = record.leaving or "cleared"
        for name in dict.fromkeys(newly_retired):  # several threads may prepare one model
            self._observer.retired(name)
        freed_keys, retiring_keys = tuple(e.spec.key for e in leaving), tuple(dict.fromkeys(retiring))
        freed = ClearResult(freed_keys, sum(e.bytes for e in leaving), retiring_keys)
        self._close_and_remove(leaving)
        return freed

    def _close_and_remove(self, entries: Sequence[_Entry]) -> None:
        """Close entries that are marked, give their memory back, and only then stop counting it as used."""
        if not entries:
            return
        try:
            for entry in entries:
                self._close_model(entry)
            self._reclaim_for(entries[0].spec.key)
        finally:
            with self._state_lock:
                for entry in entries:
                    self._remove(entry)
                self._state_changed.notify_all()
        for entry in entries:
            self._observer.evicted(entry.spec.key, entry.leaving or "cleared", entry.bytes)

    def _close_model(self, entry: _Entry) -> None:
        problem = _problem_of(entry.model.close)
        # This is the cache's last reference; without it the memory can be given back.
        entry.model = None
        if problem is not None:
            self._observer.failed(entry.spec.key, f"The model {entry.spec.name} did not close properly: {problem}.")

    def _reclaim_for(self, key: str) -> None:
        problem = _problem_of(self._reclaim)
        if problem is not None:
            self._observer.failed(key, f"Memory could not be given back to the system: {problem}.")

    def _remove(self, entry: _Entry) -> None:
        # By identity: a later entry may have the same key.
        if self._entries.get(entry.spec.key) is entry:
            del self._entries[entry.spec.key]
            self._used_bytes[self._memory_of(entry.spec.device)] -= entry.bytes
            self._evictions += 1
            self.changes += 1


def _mark(entries: Iterable[_Entry], reason: Reason) -> None:
    for entry in entries:
        entry.leaving = reason


def _load_unless_out_of_memory(spec: ModelSpec[Closable]) -> Closable | None:
    """Load; None where memory ran out. Then the exception is gone, and the half loaded model that it referred to."""
    try:
        return spec.load()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget(error)
        return None


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out.

    Libraries raise MemoryError, an OSError with ENOMEM, or an error with a text, some of them (ONNX Runtime) of a class
    of their own; some wrap it in another error.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    if not isinstance(error, VtError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY):
        return True
    return error.__cause__ is not None and is_out_of_memory(error.__cause__)


def forget(error: BaseException | None) -> None:
    """Clear the local variables in an exception's traceback, so that keeping the exception does not keep a model."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _problem_of(action: Callable[[], object]) -> str | None:
    """Run an action whose failure must not stop the bookkeeping, and say what went wrong, if anything."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - every caller reports it to the observer
        forget(error)
        return in_a_few_words(error)
    return None


def in_a_few_words(error: BaseException) -> str:
    """Describe an exception of a library or of the system, as the end of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        if isinstance(error.filename, str | bytes) and error.filename:
            # A path as a value: a face that must not tell where files lie leaves its folder out.
            return Message("{reason}: {file}", reason=error.strerror, file=Path(os.fsdecode(error.filename)))
        return error.strerror
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(". ") if lines else type(error).__name__


def _holding(entry: _Entry) -> str:
    leases = f"{entry.leases} {'lease' if entry.leases == 1 else 'leases'}" if entry.leases else "closing"
    return f"{entry.spec.key} ({leases}, {_mb(entry.bytes)})"


def _mb(size: int) -> str:
    return f"{size / 2**20:.0f} MB"
