"""Every rule of residency, each with a test that fails where the rule is broken."""

from __future__ import annotations

import contextlib
import gc
import statistics
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from vt.engines.model_spec import ModelSpec
from vt.errors import Cancelled, MediaError, ModelBusy, ModelUnavailable, StorageError
from vt.models.cache import (
    CacheObserver,
    CacheSnapshot,
    EntrySnapshot,
    MemorySnapshot,
    ModelCache,
    Preparation,
    Reason,
    Wait,
    reclaim_memory,
)

MB = 2**20
LONG = 10.0
"""No test waits that long, unless it fails."""


class Engine:
    """A model that knows whether it was closed."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Unclosable(Engine):
    """A model whose library fails on the way out."""

    def close(self) -> None:
        super().close()
        raise OSError("the device is gone")


class Workshop:
    """Makes specs whose loaders remember what they made."""

    def __init__(self) -> None:
        self.made: list[Engine] = []

    def spec(
        self,
        key: str,
        mb: int = 100,
        *,
        load: Callable[[], object] = lambda: None,
        make: type[Engine] = Engine,
        measured: int | None = None,
        device: str = "cpu",
    ) -> ModelSpec[Engine]:
        """`load` runs before the engine is made: it may wait or raise."""

        def loader() -> Engine:
            load()
            engine = make(key)
            self.made.append(engine)
            return engine

        measure = None if measured is None else (lambda _: measured * MB)
        return ModelSpec(key, "stt", key.upper(), device, loader, mb * MB, measure)

    def count(self, key: str) -> int:
        return sum(engine.key == key for engine in self.made)


class Clock:
    """Time that passes only when somebody says so, or waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, _: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody is there to wake this thread"
        self.now += seconds


class Recorder(CacheObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []

    def hit(self, key: str) -> None:
        self.events.append(("hit", key))

    def miss(self, key: str) -> None:
        self.events.append(("miss", key))

    def waited(self, key: str, seconds: float) -> None:
        self.events.append(("waited", key, seconds))

    def loaded(self, key: str, seconds: float, size: int) -> None:
        self.events.append(("loaded", key, seconds, size // MB))

    def failed(self, key: str, message: str) -> None:
        self.events.append(("failed", key, message))

    def over_budget(self, key: str, size: int, budget: int) -> None:
        self.events.append(("over_budget", key, size // MB, budget // MB))

    def retired(self, key: str) -> None:
        self.events.append(("retired", key))

    def evicted(self, key: str, reason: Reason, size: int) -> None:
        self.events.append(("evicted", key, reason, size // MB))

    def of(self, kind: str) -> list[tuple[object, ...]]:
        return [event[1:] for event in self.events if event[0] == kind]


class Crew:
    """Threads that are all waited for; what they return or raise is kept in order of their start."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.results: list[Any] = []

    def start(self, work: Callable[[], object], times: int = 1) -> None:
        for _ in range(times):
            place = len(self.results)
            self.results.append(None)
            self.threads.append(threading.Thread(target=self._run, args=(place, work), daemon=True))
            self.threads[-1].start()

    def _run(self, place: int, work: Callable[[], object]) -> None:
        try:
            self.results[place] = work()
        except Exception as error:  # noqa: BLE001 - it is the result
            self.results[place] = error

    def join(self) -> list[Any]:
        deadline = time.monotonic() + LONG
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self.threads), "a thread is stuck"
        return self.results


@pytest.fixture
def shop() -> Workshop:
    return Workshop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def seen() -> Recorder:
    return Recorder()


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew()
    yield crew
    crew.join()


def still(
    budget_mb: int,
    clock: Clock,
    observer: CacheObserver | None = None,
    *,
    enabled: bool = True,
    reclaim: Callable[[], None] = lambda: None,
    patience_seconds: float = 30.0,
    idle_seconds: float = 0.0,
) -> ModelCache:
    """Build a cache for one thread, in which waiting is only a matter of the clock."""
    return ModelCache(
        budget_mb * MB,
        enabled=enabled,
        clock=clock,
        wait=clock.wait,
        reclaim=reclaim,
        patience_seconds=patience_seconds,
        idle_seconds=idle_seconds,
        observer=observer,
    )


def busy(
    budget_mb: int,
    observer: CacheObserver | None = None,
    *,
    reclaim: Callable[[], None] = lambda: None,
    patience_seconds: float = 10 * LONG,
    wait: Wait = threading.Condition.wait,
    clock: Callable[[], float] = time.monotonic,
) -> ModelCache:
    """Build a cache for many threads."""
    return ModelCache(
        budget_mb * MB, reclaim=reclaim, patience_seconds=patience_seconds, wait=wait, clock=clock, observer=observer
    )


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.001)


def entry(cache: ModelCache, key: str) -> EntrySnapshot | None:
    return next((one for one in cache.snapshot().entries if one.key == key), None)


def state(cache: ModelCache, key: str) -> str | None:
    found = entry(cache, key)
    return found.state if found else None


def waiting(cache: ModelCache, key: str, leases: int = 1) -> Callable[[], bool]:
    def reached() -> bool:
        found = entry(cache, key)
        return found is not None and found.state == "loading" and found.leases == leases

    return reached


def keys(cache: ModelCache) -> list[str]:
    return [one.key for one in cache.snapshot().entries]


def use(cache: ModelCache, spec: ModelSpec[Engine]) -> Engine:
    with cache.lease(spec) as engine:
        assert engine.closed == 0
        return engine


# Leases


def test_a_model_is_loaded_once_and_found_again_by_the_next_lease(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    assert use(cache, shop.spec("a")) is use(cache, shop.spec("a"))
    snapshot = cache.snapshot()
    assert (snapshot.hits, snapshot.misses, snapshot.loads, snapshot.evictions) == (1, 1, 1, 0)


def test_leases_are_counted_from_enter_to_exit_also_when_the_user_fails(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    with cache.lease(shop.spec("a")), cache.lease(shop.spec("a")):
        found = entry(cache, "a")
        assert found is not None
        assert found.leases == 2
    with pytest.raises(ZeroDivisionError), cache.lease(shop.spec("a")):
        _ = 1 / 0
    found = entry(cache, "a")
    assert found is not None
    assert found.leases == 0


def test_a_lease_is_counted_before_anybody_else_can_act(shop: Workshop) -> None:
    class Evicting(CacheObserver):
        def hit(self, key: str) -> None:
            answers.append(cache.evict(key).outcome)

    answers: list[str] = []
    cache = busy(1000, Evicting())
    use(cache, shop.spec("a"))
    with cache.lease(shop.spec("a")) as engine:
        assert engine.closed == 0
    assert answers == ["retiring"]
    assert engine.closed == 1


def test_a_lease_object_is_for_use_once_at_a_time(shop: Workshop, clock: Clock) -> None:
    lease = still(1000, clock).lease(shop.spec("a"))
    with lease, pytest.raises(RuntimeError, match="entered once"), lease:
        pass


def test_a_snapshot_is_a_copy_with_every_fact_about_the_model(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)

    def load() -> None:
        clock.now += 2.5

    use(cache, shop.spec("a", 100, load=load, measured=120))
    clock.now += 7
    before = cache.snapshot()
    cache.clear()
    expected = EntrySnapshot("a", "stt", "A", "cpu", "ready", 0, 120 * MB, 2.5, 7.0)
    memory = MemorySnapshot("cpu", 120 * MB, 1000 * MB)
    assert before == CacheSnapshot((expected,), 0, 1, 1, 0, 120 * MB, 1000 * MB, (memory,))


def test_a_warm_lease_takes_microseconds_also_with_sixteen_threads(shop: Workshop, crew: Crew) -> None:
    cache, spec = busy(1000), shop.spec("a")
    use(cache, spec)
    taken: list[float] = []

    def work() -> None:
        own = []
        for _ in range(1000):
            began = time.perf_counter()
            with cache.lease(spec):
                pass
            own.append(time.perf_counter() - began)
        taken.extend(own)

    crew.start(work, times=16)
    crew.join()
    assert len(taken) == 16000
    assert statistics.median(taken) < 50e-6
    assert statistics.quantiles(taken, n=100)[-1] < 2e-3


# One load for all who ask


def test_sixty_four_threads_asking_for_one_cold_model_cause_one_load(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(1000), threading.Event()
    crew.start(lambda: use(cache, shop.spec("a", load=lambda: go.wait(LONG))), times=64)
    eventually(waiting(cache, "a", 64))
    go.set()
    assert crew.join() == [shop.made[0]] * 64
    assert len(shop.made) == 1


def test_all_who_waited_hold_the_model_although_the_memory_is_wanted_at_once(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(100), threading.Event()
    crew.start(lambda: use(cache, shop.spec("a", load=lambda: go.wait(LONG))), times=8)
    eventually(waiting(cache, "a", 8))
    crew.start(lambda: use(cache, shop.spec("b")))
    eventually(waiting(cache, "b"))
    go.set()
    crew.join()
    assert (shop.count("a"), shop.count("b")) == (1, 1)


def missing_file() -> None:
    raise FileNotFoundError(2, "No such file or directory", "/models/a.bin")


def truncated() -> None:
    raise ValueError("unexpected end of file.\nat byte 17")


def out_of_memory() -> None:
    raise MemoryError


def wordless() -> None:
    raise KeyError


FAILURES = [
    (missing_file, "The model A cannot be loaded: No such file or directory: /models/a.bin."),
    (truncated, "The model A cannot be loaded: unexpected end of file."),
    (wordless, "The model A cannot be loaded: KeyError."),
    (
        out_of_memory,
        "The memory does not suffice for the model A: it needs about 100 MB, and 0 MB are held by other models, "
        "of 1000 MB for all models.",
    ),
]


@pytest.mark.parametrize(("fail", "sentence"), FAILURES)
def test_every_waiter_gets_the_same_clear_error_of_its_own_and_nothing_stays(
    shop: Workshop, crew: Crew, seen: Recorder, fail: Callable[[], None], sentence: str
) -> None:
    cache, go, tries = busy(1000, seen), threading.Event(), []

    def load() -> None:
        go.wait(LONG)
        tries.append(1)
        fail()

    crew.start(lambda: use(cache, shop.spec("a", load=load)), times=8)
    eventually(waiting(cache, "a", 8))
    go.set()
    errors = crew.join()
    assert [(type(error), str(error)) for error in errors] == [(ModelUnavailable, sentence)] * 8
    assert len({id(error) for error in errors}) == 8
    assert len(tries) == (2 if fail is out_of_memory else 1)
    assert seen.of("failed") == [("a", sentence)]
    assert (cache.snapshot().entries, cache.snapshot().total_bytes) == ((), 0)


def test_after_a_failed_load_the_next_newcomer_tries_anew(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    with pytest.raises(ModelUnavailable) as caught:
        use(cache, shop.spec("a", load=missing_file))
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert use(cache, shop.spec("a")).key == "a"


def test_an_error_of_our_own_passes_with_its_type_and_sentence(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(1000), threading.Event()

    def load() -> None:
        go.wait(LONG)
        raise StorageError("The disk is full.")

    crew.start(lambda: use(cache, shop.spec("a", load=load)), times=2)
    eventually(waiting(cache, "a", 2))
    go.set()
    assert [(type(error), str(error)) for error in crew.join()] == [(StorageError, "The disk is full.")] * 2


def test_a_waiter_that_is_cancelled_leaves_the_load_to_the_others(shop: Workshop, crew: Crew) -> None:
    cache, go, cancelled = busy(1000), threading.Event(), threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise Cancelled("The work was stopped on request.")

    def cancellable() -> None:
        with cache.lease(shop.spec("a"), check=check):
            pass

    crew.start(lambda: use(cache, shop.spec("a", load=lambda: go.wait(LONG))))
    eventually(waiting(cache, "a"))
    crew.start(cancellable)
    crew.start(lambda: use(cache, shop.spec("a")))
    eventually(waiting(cache, "a", 3))
    cancelled.set()
    eventually(waiting(cache, "a", 2))
    go.set()
    first, second, third = crew.join()
    assert first is third is shop.made[0]
    assert isinstance(second, Cancelled)
    found = entry(cache, "a")
    assert found is not None
    assert found.leases == 0


def test_where_the_loading_thread_is_cancelled_a_waiting_one_loads(shop: Workshop, crew: Crew) -> None:
    cache, cancelled = busy(200), threading.Event()

    def check() -> None:
        if cancelled.is_set():
            raise Cancelled("The work was stopped on request.")

    def cancellable() -> None:
        with cache.lease(shop.spec("a"), check=check):
            pass

    with cache.lease(shop.spec("held", 200)):
        crew.start(cancellable)
        eventually(waiting(cache, "a"))
        crew.start(lambda: use(cache, shop.spec("a")), times=3)
        eventually(waiting(cache, "a", 4))
        cancelled.set()
        eventually(waiting(cache, "a", 3))
    first, *others = crew.join()
    assert isinstance(first, Cancelled)
    assert others == [shop.made[1]] * 3


def test_it_is_told_whether_a_lease_would_find_its_model_in_memory(shop: Workshop, clock: Clock) -> None:
    cache, seen = still(1000, clock), list[bool]()
    with cache.lease(shop.spec("a", load=lambda: seen.append(cache.is_ready("a")))):
        assert cache.is_ready("a")
        cache.evict("a")
        assert not cache.is_ready("a")
    assert seen == [False]


def test_an_interrupted_load_leaves_nothing_behind(shop: Workshop, clock: Clock) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    cache = still(1000, clock)
    with pytest.raises(KeyboardInterrupt):
        use(cache, shop.spec("a", load=interrupted))
    assert cache.snapshot().entries == ()
    assert use(cache, shop.spec("a")).key == "a"


def test_a_loader_that_asks_the_cache_for_a_model_is_told_so_rather_than_stuck(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    for other in ("a", "b"):
        inner = shop.spec(other)
        with pytest.raises(ModelUnavailable, match="A loader asked the cache for a model"):
            use(cache, shop.spec("a", load=lambda inner=inner: use(cache, inner)))  # type: ignore[misc]
    assert cache.snapshot().entries == ()


# One load at a time


def test_two_models_are_never_loaded_at_once(shop: Workshop, crew: Crew) -> None:
    cache, go, order = busy(1000), threading.Event(), []

    def first() -> None:
        order.append("a begins")
        go.wait(LONG)
        order.append("a ends")

    crew.start(lambda: use(cache, shop.spec("a", load=first)))
    eventually(lambda: order)
    crew.start(lambda: use(cache, shop.spec("b", load=lambda: order.append("b begins"))))
    eventually(waiting(cache, "b"))
    go.set()
    crew.join()
    assert order == ["a begins", "a ends", "b begins"]


def test_a_snapshot_does_not_wait_for_a_load_and_shows_it(shop: Workshop, crew: Crew) -> None:
    cache, go, begun = busy(1000), threading.Event(), threading.Event()

    def load() -> None:
        begun.set()
        go.wait(LONG)

    crew.start(lambda: use(cache, shop.spec("a", load=load)))
    assert begun.wait(LONG)
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        snapshot = cache.snapshot()
        taken.append(time.perf_counter() - began)
    assert statistics.median(taken) < 0.005
    assert [(one.state, one.leases, one.bytes) for one in snapshot.entries] == [("loading", 1, 100 * MB)]
    assert snapshot.total_bytes == 100 * MB
    go.set()


# Room


def test_the_least_recently_used_idle_models_make_room_and_no_more_of_them_than_needed(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(300, clock, seen)
    for key in ("a", "b", "c", "a"):
        use(cache, shop.spec(key))
    use(cache, shop.spec("d", 150))
    assert keys(cache) == ["a", "d"]
    assert seen.of("evicted") == [("b", "lru", 100), ("c", "lru", 100)]
    assert cache.snapshot().total_bytes == 250 * MB


def test_use_counts_from_the_release_and_not_from_the_lease(shop: Workshop, clock: Clock) -> None:
    cache = still(200, clock)
    with cache.lease(shop.spec("a")):
        use(cache, shop.spec("b"))
    use(cache, shop.spec("c"))
    assert keys(cache) == ["a", "c"]


def test_where_all_idle_models_would_not_suffice_none_is_evicted(shop: Workshop, clock: Clock) -> None:
    cache = still(300, clock)
    use(cache, shop.spec("idle"))
    with cache.lease(shop.spec("held")), pytest.raises(ModelBusy):
        use(cache, shop.spec("big", 250))
    assert keys(cache) == ["idle", "held"]


def test_the_old_models_are_closed_before_the_new_one_is_loaded(shop: Workshop, clock: Clock) -> None:
    cache = still(100, clock)
    old = use(cache, shop.spec("a"))
    closed: list[int] = []
    use(cache, shop.spec("b", load=lambda: closed.append(old.closed)))
    assert closed == [1]


def test_a_model_larger_than_the_budget_is_loaded_alone_with_a_warning(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(100, clock, seen)
    use(cache, shop.spec("a", 40))
    use(cache, shop.spec("b", 40))
    with cache.lease(shop.spec("giant", 500)):
        assert keys(cache) == ["giant"]
        with pytest.raises(ModelBusy):
            use(cache, shop.spec("a", 40))
    use(cache, shop.spec("giant", 500))
    assert shop.count("giant") == 1
    use(cache, shop.spec("a", 40))
    assert keys(cache) == ["a"]
    assert seen.of("over_budget") == [("giant", 500, 100)]


def test_a_model_larger_than_the_budget_waits_for_those_in_use(shop: Workshop, crew: Crew) -> None:
    cache = busy(100)
    use(cache, shop.spec("idle", 30))
    with cache.lease(shop.spec("held", 30)) as held:
        crew.start(lambda: use(cache, shop.spec("giant", 500)))
        eventually(waiting(cache, "giant"))
        assert state(cache, "idle") == "ready"
        assert held.closed == 0
    crew.join()
    assert keys(cache) == ["giant"]


def test_a_budget_smaller_than_any_model_still_serves_them_one_by_one(shop: Workshop, clock: Clock) -> None:
    cache = still(1, clock)
    for key in ("a", "b", "a"):
        use(cache, shop.spec(key))
    assert keys(cache) == ["a"]
    assert [engine.closed for engine in shop.made] == [1, 1, 0]


def test_a_budget_for_one_model_serves_two_by_turns(shop: Workshop, clock: Clock) -> None:
    cache = still(150, clock)
    for key in ("a", "b", "a", "b"):
        use(cache, shop.spec(key))
        assert cache.snapshot().total_bytes == 100 * MB
    assert len(shop.made) == 4


def test_with_everything_in_use_patience_ends_in_an_error_that_names_the_holders(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(200, clock, seen, patience_seconds=30)
    with (
        cache.lease(shop.spec("c", 50)),
        cache.lease(shop.spec("a")),
        cache.lease(shop.spec("a")),
        pytest.raises(ModelBusy) as caught,
    ):
        use(cache, shop.spec("b"))
    assert str(caught.value) == (
        "There is no room for the model B (100 MB) in the 200 MB for models, held by c (1 lease, 50 MB), "
        "a (2 leases, 100 MB). Please try again in a moment."
    )
    assert clock.now == 130
    assert seen.of("waited")[-1] == ("b", 30.0)
    assert shop.count("b") == 0


def test_whoever_waits_for_room_goes_on_with_the_release_that_gives_it(shop: Workshop, crew: Crew) -> None:
    cache = busy(100)
    with cache.lease(shop.spec("a")):
        crew.start(lambda: use(cache, shop.spec("b")))
        eventually(waiting(cache, "b"))
    assert crew.join() == [shop.made[1]]
    assert keys(cache) == ["b"]


def test_whoever_waits_for_room_can_be_cancelled(shop: Workshop, clock: Clock) -> None:
    def check() -> None:
        raise Cancelled("The work was stopped on request.")

    cache = still(100, clock)
    with cache.lease(shop.spec("a")), pytest.raises(Cancelled), cache.lease(shop.spec("b"), check=check):
        pass
    assert clock.now < 101
    assert keys(cache) == ["a"]


def test_looking_for_a_cancel_takes_nothing_from_patience(shop: Workshop, clock: Clock) -> None:
    cache, looks = still(100, clock, patience_seconds=30), []
    with cache.lease(shop.spec("a")), pytest.raises(ModelBusy):
        cache.lease(shop.spec("b"), check=lambda: looks.append(clock.now)).__enter__()
    assert clock.now == pytest.approx(130)
    assert len(looks) >= 300


def test_room_is_given_in_order_of_arrival_so_that_a_large_model_is_not_starved(shop: Workshop, crew: Crew) -> None:
    cache = busy(300)
    with cache.lease(shop.spec("held")):
        crew.start(lambda: use(cache, shop.spec("large", 250)))
        eventually(waiting(cache, "large"))
        crew.start(lambda: use(cache, shop.spec("small", 100)))
        eventually(waiting(cache, "small"))
        assert shop.count("small") == 0
    crew.join()
    assert [engine.key for engine in shop.made] == ["held", "large", "small"]


def test_a_model_that_fits_is_loaded_as_soon_as_the_one_before_it_gives_up(shop: Workshop, crew: Crew) -> None:
    cache = busy(300, patience_seconds=0.1)
    with cache.lease(shop.spec("held")):
        crew.start(lambda: use(cache, shop.spec("large", 250)))
        eventually(waiting(cache, "large"))
        crew.start(lambda: use(cache, shop.spec("small", 100)))
        large, small = crew.join()
    assert isinstance(large, ModelBusy)
    assert small.key == "small"


def test_the_time_of_another_load_does_not_try_patience(shop: Workshop, clock: Clock, crew: Crew) -> None:
    loading, loaded, done = threading.Event(), threading.Event(), threading.Event()
    waits: list[float | None] = []

    def wait(condition: threading.Condition, seconds: float | None) -> None:
        waits.append(seconds)
        condition.wait(LONG)

    def load() -> None:
        loading.set()
        loaded.wait(LONG)

    def hold() -> None:
        with cache.lease(shop.spec("a", load=load)):
            done.wait(LONG)

    cache = busy(100, patience_seconds=30, wait=wait, clock=clock)
    crew.start(hold)
    assert loading.wait(LONG)
    crew.start(lambda: use(cache, shop.spec("b")))
    eventually(lambda: waits)
    clock.now += 100
    loaded.set()
    eventually(lambda: len(waits) == 2 or crew.results[1])
    done.set()
    assert crew.join() == [None, shop.made[1]]
    assert waits == [None, 30]


def test_the_measured_size_replaces_the_estimate(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    cache = still(1000, clock, seen)
    use(cache, shop.spec("a", 100, measured=70))
    assert cache.snapshot().total_bytes == 70 * MB
    assert seen.of("loaded") == [("a", 0.0, 70)]


def test_a_measured_size_that_breaks_the_budget_costs_idle_models_their_place(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(300, clock, seen)
    for key in ("a", "b"):
        use(cache, shop.spec(key))
    use(cache, shop.spec("c", 100, measured=180))
    assert keys(cache) == ["b", "c"]
    assert seen.of("evicted") == [("a", "memory", 100)]


def test_a_measured_size_that_breaks_the_budget_under_leases_is_made_good_with_the_next_release(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(300, clock, seen)
    with cache.lease(shop.spec("c", 100, measured=400)):
        assert seen.of("over_budget") == [("c", 400, 300)]
        with pytest.raises(ModelBusy):
            use(cache, shop.spec("a"))
    assert keys(cache) == ["c"]
    cache.clear()
    with cache.lease(shop.spec("b", 200)):
        with cache.lease(shop.spec("c", 100, measured=250)):
            assert keys(cache) == ["b", "c"]
        assert keys(cache) == ["b"]


def test_a_model_that_cannot_be_measured_counts_as_estimated(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    def measured(_: Engine) -> int:
        raise OSError("no /proc here")

    cache = still(1000, clock, seen)
    plain = shop.spec("a")
    use(cache, ModelSpec("a", "stt", "A", "cpu", plain.load, 100 * MB, measured))
    assert cache.snapshot().total_bytes == 100 * MB
    assert seen.of("failed") == [("a", "The size of the model A cannot be measured: no /proc here.")]


# Out of memory


def gpu_is_full() -> None:
    raise RuntimeError("CUDA failed with error Out of memory")


def mmap_fails() -> None:
    raise OSError(12, "Cannot allocate memory")


def wrapped() -> None:
    raise ModelUnavailable("The weights could not be read.") from MemoryError()


@pytest.mark.parametrize("fail", [out_of_memory, gpu_is_full, mmap_fails, wrapped])
def test_out_of_memory_frees_all_idle_models_and_tries_once_more(
    shop: Workshop, clock: Clock, seen: Recorder, fail: Callable[[], None]
) -> None:
    cache = still(1000, clock, seen)
    for key in ("idle", "idle too"):
        use(cache, shop.spec(key))

    def load() -> None:
        if not all(engine.closed for engine in shop.made if engine.key != "held"):
            fail()

    with cache.lease(shop.spec("held")) as held:
        use(cache, shop.spec("a", load=load))
        assert held.closed == 0
    assert keys(cache) == ["held", "a"]
    assert seen.of("evicted") == [("idle", "memory", 100), ("idle too", "memory", 100)]
    assert seen.of("failed") == []


def test_out_of_memory_twice_fails_with_the_sizes(shop: Workshop, clock: Clock) -> None:
    cache, tries = still(1000, clock), []

    def load() -> None:
        tries.append(1)
        gpu_is_full()

    with cache.lease(shop.spec("held", 300)), pytest.raises(ModelUnavailable, match=r"100 MB.* 300 MB .* of 1000 MB"):
        use(cache, shop.spec("a", load=load))
    assert len(tries) == 2
    assert keys(cache) == ["held"]
    assert cache.snapshot().total_bytes == 300 * MB


def test_memory_is_reclaimed_before_the_second_try_and_after_a_failure(shop: Workshop, clock: Clock) -> None:
    steps: list[str] = []
    cache = still(1000, clock, reclaim=lambda: steps.append("reclaim"))

    def load() -> None:
        steps.append("load")
        out_of_memory()

    with pytest.raises(ModelUnavailable):
        use(cache, shop.spec("a", load=load))
    assert steps == ["load", "reclaim", "load", "reclaim"]


def test_what_was_half_loaded_is_gone_even_while_the_caller_keeps_the_error(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    weights: list[weakref.ref[Engine]] = []
    alive_at_retry: list[bool] = []

    def load() -> None:
        alive_at_retry.append(any(ref() is not None for ref in weights))
        half = Engine("half")
        weights.append(weakref.ref(half))
        out_of_memory()

    with pytest.raises(ModelUnavailable) as caught:
        use(cache, shop.spec("a", load=load))
    assert caught.value.__cause__ is not None
    assert alive_at_retry == [False, False]
    assert [ref() for ref in weights] == [None, None]


def test_the_cache_keeps_no_exception_once_the_callers_have_let_go_of_theirs(shop: Workshop, clock: Clock) -> None:
    class CorruptError(Exception):
        """Can be watched by a weak reference."""

    refs: list[weakref.ref[CorruptError]] = []

    def load() -> None:
        error = CorruptError("bad header")
        refs.append(weakref.ref(error))
        raise error

    cache = still(1000, clock)
    with contextlib.suppress(ModelUnavailable):
        use(cache, shop.spec("a", load=load))
    gc.collect()
    assert refs[0]() is None


# Letting go


def test_idle_models_go_after_their_time_which_begins_with_the_last_release(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(1000, clock, seen, idle_seconds=60)
    with cache.lease(shop.spec("a")):
        clock.now += 100
        assert cache.sweep() == ()
    clock.now += 59
    assert cache.sweep() == ()
    clock.now += 1
    assert cache.sweep() == ("a",)
    assert seen.of("evicted") == [("a", "idle", 100)]
    assert keys(cache) == []


def test_without_an_idle_time_nothing_is_swept(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    use(cache, shop.spec("a"))
    clock.now += 1e9
    assert cache.sweep() == ()


def test_evicting_tells_freed_from_retiring_from_unknown(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    cache = still(1000, clock, seen)
    assert cache.evict("a").outcome == "unknown"
    with cache.lease(shop.spec("a")) as engine:
        assert cache.evict("a").outcome == "retiring"
        assert cache.evict("a").outcome == "retiring"
        assert state(cache, "a") == "retiring"
        assert engine.closed == 0
        assert cache.snapshot().total_bytes == 100 * MB
    assert engine.closed == 1
    assert cache.evict("a").outcome == "unknown"
    use(cache, shop.spec("a"))
    assert cache.evict("a").outcome == "freed"
    assert seen.of("retired") == [("a",)]
    assert seen.of("evicted") == [("a", "cleared", 100)] * 2


def test_a_newcomer_for_a_retiring_model_waits_until_it_has_gone_and_loads_anew(shop: Workshop, crew: Crew) -> None:
    waits = threading.Event()

    def wait(condition: threading.Condition, seconds: float | None) -> None:
        waits.set()
        condition.wait(seconds)

    cache = busy(1000, wait=wait)
    with cache.lease(shop.spec("a")), cache.lease(shop.spec("a")) as old:
        cache.evict("a")
        crew.start(lambda: use(cache, shop.spec("a", load=lambda: old.closed or pytest.fail("both in memory"))))
        assert waits.wait(LONG)
        assert shop.count("a") == 1
        found = entry(cache, "a")
        assert found is not None
        assert found.leases == 2
    (new,) = crew.join()
    assert new is not old
    assert shop.count("a") == 2


def test_a_newcomer_for_a_retiring_model_waits_with_bounded_patience(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock, patience_seconds=30)
    with cache.lease(shop.spec("a")):
        cache.evict("a")
        with pytest.raises(ModelBusy, match=r"The model A is being unloaded \(a \(1 lease, 100 MB\)\)"):
            use(cache, shop.spec("a"))
    assert clock.now == 130


def test_a_newcomer_while_the_old_model_closes_waits_for_its_memory(shop: Workshop, crew: Crew) -> None:
    closing, go = threading.Event(), threading.Event()

    class Slow(Engine):
        def close(self) -> None:
            closing.set()
            go.wait(LONG)
            super().close()

    cache = busy(1000)
    use(cache, shop.spec("a", make=Slow))
    crew.start(lambda: cache.evict("a").outcome)
    assert closing.wait(LONG)
    assert (state(cache, "a"), cache.snapshot().total_bytes) == ("retiring", 100 * MB)
    old = shop.made[0]
    crew.start(lambda: use(cache, shop.spec("a", load=lambda: old.closed or pytest.fail("both in memory"))))
    go.set()
    freed, new = crew.join()
    assert (freed, new.closed) == ("freed", 0)


def test_a_model_evicted_while_it_loads_serves_those_who_wait_and_goes_with_them(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(1000), threading.Event()
    crew.start(lambda: use(cache, shop.spec("a", load=lambda: go.wait(LONG))), times=3)
    eventually(waiting(cache, "a", 3))
    assert cache.evict("a").outcome == "retiring"
    crew.start(lambda: use(cache, shop.spec("a")))
    time.sleep(0.01)
    go.set()
    *old, new = crew.join()
    assert old == [shop.made[0]] * 3
    assert shop.made[0].closed == 1
    assert new is shop.made[1]
    assert keys(cache) == ["a"]


def test_a_model_evicted_while_its_files_are_made_ready_serves_those_who_wait_and_goes_with_them(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache, spec = still(1000, clock, seen), shop.spec("a")
    with cache.preparing(spec) as first, cache.preparing(spec) as second:
        assert (cache.evict("a").outcome, cache.evict("a").outcome) == ("retiring", "retiring")
        assert cache.clear().retiring == ("a",)
    assert seen.of("retired") == [("a",)]
    with cache.lease(spec, preparation=first) as old:
        assert state(cache, "a") == "retiring"
        assert old.closed == 0
    assert old.closed == 1
    assert keys(cache) == []
    with cache.lease(spec, preparation=second):
        pass
    assert keys(cache) == []
    use(cache, spec)
    assert keys(cache) == ["a"]


def test_threads_that_waited_for_files_share_one_load_after_the_model_was_evicted(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(1000), threading.Event()
    spec = shop.spec("a", load=lambda: go.wait(LONG))
    with cache.preparing(spec) as first, cache.preparing(spec) as second:
        assert cache.evict("a").outcome == "retiring"

    def used(preparation: Preparation) -> Engine:
        with cache.lease(spec, preparation=preparation) as engine:
            return engine

    crew.start(lambda: used(first))
    crew.start(lambda: used(second))
    eventually(waiting(cache, "a", 2))
    go.set()
    assert crew.join() == [shop.made[0]] * 2
    assert shop.made[0].closed == 1
    assert keys(cache) == []


def test_clearing_frees_idle_models_and_retires_those_in_use(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    for key in ("a", "b"):
        use(cache, shop.spec(key))
    with cache.lease(shop.spec("held")) as held:
        result = cache.clear()
        assert (result.freed, result.freed_bytes, result.retiring) == (("a", "b"), 200 * MB, ("held",))
        assert held.closed == 0
        again = cache.clear()
        assert (again.freed, again.freed_bytes, again.retiring) == ((), 0, ("held",))
    assert held.closed == 1
    assert cache.clear().retiring == ()
    assert cache.snapshot().total_bytes == 0


def test_a_model_is_closed_and_let_go_before_memory_is_reclaimed(shop: Workshop, clock: Clock) -> None:
    left: list[object] = []
    refs: list[weakref.ref[Engine]] = []

    def reclaim() -> None:
        left.extend(ref() for ref in refs)

    cache = still(1000, clock, reclaim=reclaim)
    use(cache, shop.spec("a"))
    refs.append(weakref.ref(shop.made.pop()))
    cache.evict("a")
    assert left == [None]


def test_a_model_that_fails_to_close_is_reported_and_off_the_books(
    shop: Workshop, clock: Clock, seen: Recorder
) -> None:
    cache = still(1000, clock, seen)
    for key in ("a", "b"):
        use(cache, shop.spec(key, make=Unclosable))
    assert cache.clear().freed == ("a", "b")
    assert seen.of("failed") == [
        (key, f"The model {key.upper()} did not close properly: the device is gone.") for key in ("a", "b")
    ]
    assert (keys(cache), cache.snapshot().total_bytes, cache.snapshot().evictions) == ([], 0, 2)
    assert use(cache, shop.spec("a")).key == "a"


def test_a_reclaim_that_fails_is_reported_and_nothing_is_stuck(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    cache = still(1000, clock, seen, reclaim=gpu_is_full)
    use(cache, shop.spec("a"))
    assert cache.evict("a").outcome == "freed"
    assert keys(cache) == []
    assert len(seen.of("failed")) == 1


def test_neither_closing_nor_reclaiming_nor_the_observer_runs_under_the_lock(shop: Workshop) -> None:
    free: list[bool] = []

    def lock_is_free() -> None:
        done = threading.Event()

        def look() -> None:
            cache.snapshot()
            done.set()

        threading.Thread(target=look, daemon=True).start()
        free.append(done.wait(1))

    class Closing(Engine):
        def close(self) -> None:
            lock_is_free()

    class Watching(CacheObserver):
        def hit(self, key: str) -> None:  # noqa: ARG002
            lock_is_free()

        def loaded(self, key: str, seconds: float, size: int) -> None:  # noqa: ARG002
            lock_is_free()

        def evicted(self, key: str, reason: Reason, size: int) -> None:  # noqa: ARG002
            lock_is_free()

    cache = busy(100, Watching(), reclaim=lock_is_free)
    for key in ("a", "a", "b"):
        use(cache, shop.spec(key, make=Closing, load=lock_is_free))
    assert len(free) == 8
    assert all(free)


# Shutting down, and doing without


def test_closing_frees_what_is_idle_and_refuses_new_leases_with_a_sentence(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    use(cache, shop.spec("a"))
    with cache.lease(shop.spec("held")) as held:
        cache.close()
        cache.close()
        assert keys(cache) == ["held"]
        assert held.closed == 0
        for key in ("a", "held"):
            with pytest.raises(ModelUnavailable, match="shutting down"):
                use(cache, shop.spec(key))
    assert [engine.closed for engine in shop.made] == [1, 1]
    with pytest.raises(ModelUnavailable, match="shutting down"):
        use(cache, shop.spec("a"))
    assert cache.snapshot().entries == ()


def test_closing_releases_those_who_wait_for_room(shop: Workshop, crew: Crew) -> None:
    cache = busy(100)
    with cache.lease(shop.spec("a")):
        crew.start(lambda: use(cache, shop.spec("b")))
        eventually(waiting(cache, "b"))
        cache.close()
        (error,) = crew.join()
    assert isinstance(error, ModelUnavailable)
    assert shop.made[0].closed == 1


def test_a_load_under_way_at_the_close_is_used_and_freed(shop: Workshop, crew: Crew) -> None:
    cache, go = busy(100), threading.Event()
    crew.start(lambda: use(cache, shop.spec("a", load=lambda: go.wait(LONG))))
    eventually(waiting(cache, "a"))
    eventually(lambda: cache.snapshot().total_bytes)
    cache.close()
    go.set()
    assert crew.join() == shop.made
    assert shop.made[0].closed == 1
    assert cache.snapshot().entries == ()


def test_without_caching_each_lease_loads_and_frees(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    cache = still(1000, clock, seen, enabled=False)
    for _ in range(2):
        with cache.lease(shop.spec("a")) as engine:
            assert engine.closed == 0
        assert engine.closed == 1
    assert seen.of("evicted") == [("a", "uncached", 100)] * 2
    assert keys(cache) == []


def test_without_caching_those_who_use_a_model_at_the_same_time_share_it(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock, enabled=False)
    with cache.lease(shop.spec("a")) as first:
        with cache.lease(shop.spec("a")) as second:
            assert first is second
        assert first.closed == 0
    assert first.closed == 1


# What happens is told, and memory is handed back


def test_the_observer_hears_of_hits_misses_and_waits(shop: Workshop, clock: Clock, seen: Recorder) -> None:
    cache = still(1000, clock, seen)

    def load() -> None:
        clock.now += 3

    use(cache, shop.spec("a", load=load))
    use(cache, shop.spec("a"))
    assert seen.events == [("miss", "a"), ("loaded", "a", 3.0, 100), ("waited", "a", 3.0), ("hit", "a")]


def test_a_lease_that_the_garbage_collector_drops_while_its_thread_is_inside_is_released(
    shop: Workshop, crew: Crew
) -> None:
    class Forgotten:
        """A stage that nobody finished, in a circle of references."""

        def __init__(self, cache: ModelCache) -> None:
            self.me = self
            self.stage = self.work(cache)
            next(self.stage)

        @staticmethod
        def work(cache: ModelCache) -> Iterator[Engine]:
            with cache.lease(shop.spec("a")) as engine:
                yield engine

    def wait(condition: threading.Condition, _: float | None) -> None:
        gc.collect()
        condition.wait(0.001)

    def work() -> Engine:
        cache = busy(100, wait=wait)
        Forgotten(cache)
        return use(cache, shop.spec("b"))

    crew.start(work)
    assert crew.join() == [shop.made[1]]
    assert shop.made[0].closed == 1


def test_reclaiming_empties_the_gpu_cache_only_of_a_torch_that_is_there_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emptied: list[int] = []
    cuda = SimpleNamespace(is_initialized=lambda: True, empty_cache=lambda: emptied.append(1))
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    reclaim_memory()
    assert emptied == [1]
    monkeypatch.delitem(sys.modules, "torch")
    reclaim_memory()
    assert emptied == [1]
    assert "torch" not in sys.modules


def test_a_foreign_error_of_the_user_is_not_touched_by_the_lease(shop: Workshop, clock: Clock) -> None:
    cache = still(1000, clock)
    with pytest.raises(MediaError, match="not a film"), cache.lease(shop.spec("a")):
        raise MediaError("This is not a film.")
    assert state(cache, "a") == "ready"


# Graphics cards


def with_cards(clock: Clock, **cards_mb: int) -> ModelCache:
    """Build a cache for one thread, with 300 MB of the machine's memory and so many of each card's."""
    budgets = {device: size * MB for device, size in cards_mb.items()}
    return ModelCache(300 * MB, cards=budgets, clock=clock, wait=clock.wait, reclaim=lambda: None, patience_seconds=1.0)


def used(cache: ModelCache) -> dict[str, tuple[int, int]]:
    return {memory.device: (memory.used_bytes // MB, memory.budget_bytes // MB) for memory in cache.snapshot().memories}


def test_a_model_on_a_card_counts_in_the_memory_of_the_card_and_nowhere_else(shop: Workshop, clock: Clock) -> None:
    cache = with_cards(clock, cuda=500)
    for spec in (shop.spec("ear", 250), shop.spec("words", 400, device="cuda", measured=450)):
        with cache.lease(spec):
            pass
    assert used(cache) == {"cpu": (250, 300), "cuda": (450, 500)}
    assert cache.snapshot().total_bytes == 700 * MB
    cache.clear()
    assert used(cache) == {"cpu": (0, 300), "cuda": (0, 500)}


def test_room_on_a_card_is_made_by_eviction_on_that_card_alone(shop: Workshop, clock: Clock) -> None:
    cache = with_cards(clock, **{"cuda:0": 500, "cuda:1": 500})
    specs = [shop.spec(f"{device} {n}", 240, device=device) for n in "12" for device in ("cuda:0", "cuda:1")]
    for spec in (*specs, shop.spec("ear", 240), shop.spec("cuda:0 3", 240, device="cuda:0")):
        with cache.lease(spec):
            pass
    assert {one.key for one in cache.snapshot().entries} == {"cuda:0 2", "cuda:0 3", "cuda:1 1", "cuda:1 2", "ear"}


def test_a_model_larger_than_its_card_loads_alone_there_beside_others_elsewhere(shop: Workshop, clock: Clock) -> None:
    cache = with_cards(clock, cuda=500)
    with cache.lease(shop.spec("ear", 100)), cache.lease(shop.spec("huge", 900, device="cuda")):
        assert used(cache) == {"cpu": (100, 300), "cuda": (900, 500)}
    assert {one.key for one in cache.snapshot().entries} == {"ear", "huge"}


def test_a_card_that_is_in_use_is_told_of_with_its_own_budget(shop: Workshop, clock: Clock) -> None:
    cache = with_cards(clock, cuda=500)
    asked = shop.spec("more", 200, device="cuda")
    with (
        cache.lease(shop.spec("ear", 100)),
        cache.lease(shop.spec("words", 400, device="cuda")),
        pytest.raises(ModelBusy, match=r"in the 500 MB for models, held by words \(1 lease, 400 MB\)"),
        cache.lease(asked),
    ):
        pass


def test_out_of_memory_on_a_card_evicts_the_idle_models_of_that_card_and_tries_again(
    shop: Workshop, clock: Clock
) -> None:
    cache = with_cards(clock, cuda=900)
    failures = [RuntimeError("CUDA failed with error out of memory")]

    def load() -> None:
        if failures:
            raise failures.pop()

    for spec in (shop.spec("ear", 100), shop.spec("words", 100, device="cuda")):
        with cache.lease(spec):
            pass
    with cache.lease(shop.spec("voice", 100, device="cuda", load=load)):
        assert {one.key for one in cache.snapshot().entries} == {"ear", "voice"}
