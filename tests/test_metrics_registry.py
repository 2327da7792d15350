"""Metrics: one line and one number for all that happens to a model."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.graphics_cards import FakeNvml
from vt.domain import Cancel
from vt.engines.candidate import Candidate
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo
from vt.errors import Cancelled, ModelUnavailable
from vt.model_files.preparation import Preparations
from vt.models.cache import EntrySnapshot, ModelCache
from vt.models.fallback import FallbackChain, prepare
from vt.models.monitor import CacheMetrics, residency
from vt.system.graphics import Cards
from vt.system.metrics import Metrics, Residency

MB = 2**20
PATIENCE = 20.0
KEY = "stt_whisper_tiny.en_cpu_2_false"


class Engine:
    """A model that is nothing."""

    def close(self) -> None:
        """Hold nothing."""


class Machine:
    """A clock and a memory that a load moves on."""

    def __init__(self) -> None:
        self.now, self.resident, self.metrics = 10.0, 500 * MB, Metrics()
        self.card = FakeNvml([8000 * MB])
        cards = Cards(lambda: self.card, {})
        self.cache_metrics = CacheMetrics(
            self.metrics,
            clock=lambda: self.now,
            resident=lambda: self.resident,
            trim=lambda: None,
            cards=lambda: cards,
            open_card=self.open_card,
        )
        self.cache = ModelCache(
            1000 * MB,
            cards={"cuda": 6400 * MB},
            clock=lambda: self.now,
            reclaim=lambda: None,
            observer=self.cache_metrics,
        )
        self.metrics.watch(lambda: residency(self.cache.snapshot()))

    def spec(self, *, grows_mb: int = 70, fails: bool = False, estimated_mb: int = 60) -> ModelSpec[Engine]:
        def load() -> Engine:
            self.now += 2.5
            self.resident += grows_mb * MB
            if fails:
                raise ValueError("bad header")
            return Engine()

        return self.cache_metrics.metered(ModelSpec(KEY, "stt", "tiny.en", "cpu", load, estimated_mb * MB))

    def open_card(self, device: str) -> None:
        """Take what CUDA takes of a card before any model is loaded."""
        assert device == "cuda"
        self.card.used.setdefault(0, 450 * MB)

    def spec_on_card(self, *, grows_mb: int) -> ModelSpec[Engine]:
        """Return a model of about 60 MB that takes so many of a card, and more of the process."""

        def load() -> Engine:
            self.card.used[0] += grows_mb * MB
            self.resident += 3000 * MB
            return Engine()

        return self.cache_metrics.metered(ModelSpec(KEY, "stt", "tiny.en", "cuda", load, 60 * MB))

    def use(self, spec: ModelSpec[Engine]) -> None:
        with self.cache.lease(spec):
            pass

    def candidate(self, download: Callable[[Cancel], None]) -> Candidate[Engine]:
        """Return a candidate whose files have to be downloaded."""
        return Candidate(EngineInfo("scripted", "stt", "MIT", "nowhere"), self.spec(), prepare=download)

    def choose(self, candidate: Candidate[Engine]) -> None:
        FallbackChain(self.cache, lambda: None, fallback=True).choose([candidate], load=True)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "vt.models"]


def test_a_load_and_an_eviction_have_a_line_each_with_key_seconds_and_megabytes(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    machine.use(machine.spec())
    machine.now += 60
    machine.cache.evict(KEY)
    assert lines(caplog) == [f"loaded {KEY} in 2.50 s, 70.0 MB", f"evicted {KEY} (cleared) after 60.00 s, 70.0 MB"]


def test_a_retirement_has_a_line_before_that_of_the_eviction(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with machine.cache.lease(machine.spec()):
        machine.now += 3
        machine.cache.evict(KEY)
        machine.now += 4
    assert lines(caplog)[1:] == [
        f"retiring {KEY} after 3.00 s, 70.0 MB",
        f"evicted {KEY} (cleared) after 7.00 s, 70.0 MB",
    ]


def test_a_failed_load_has_one_line_with_the_seconds_it_took_and_the_size_it_was_to_have(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelUnavailable):
        machine.use(machine.spec(fails=True))
    assert lines(caplog) == [f"failed {KEY} after 2.50 s, 60.0 MB: The model tiny.en cannot be loaded: bad header."]
    assert caplog.records[-1].levelno == logging.WARNING


def test_a_failed_preparation_has_one_line_with_the_seconds_it_took_and_is_counted(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(_: Cancel) -> None:
        machine.now += 4
        raise ModelUnavailable("The hub has none of that name.")

    with pytest.raises(ModelUnavailable):
        machine.cache_metrics.observed(machine.spec(), prepare)(Cancel())
    assert lines(caplog) == [f"failed {KEY} after 4.00 s, 60.0 MB: The hub has none of that name."]
    assert machine.metric("vt_model_failures_total", kind="stt") == 1


@pytest.mark.parametrize("error", [ModelUnavailable("The hub has none of that name."), ValueError("no such file")])
def test_one_failed_preparation_is_counted_once_however_many_wait_for_it(
    machine: Machine, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    preparations, begun, let_go = Preparations(), threading.Event(), threading.Event()

    def make(_: Cancel) -> None:
        begun.set()
        assert let_go.wait(PATIENCE)
        raise error

    candidate = machine.candidate(lambda cancel: preparations.run("files", make, cancel))
    observed = machine.cache_metrics.observed(candidate.spec, lambda cancel: prepare(candidate, cancel))
    with ThreadPoolExecutor() as threads:
        waits = [threads.submit(observed, Cancel())]
        assert begun.wait(PATIENCE)
        machine.now += 5
        waits += [threads.submit(observed, Cancel()) for _ in range(2)]
        while preparations.waiting("files") < 3:
            threading.Event().wait(0.01)
        machine.now += 4
        let_go.set()
        assert all(isinstance(wait.exception(PATIENCE), ModelUnavailable) for wait in waits)
    assert len(lines(caplog)) == 1, lines(caplog)
    assert lines(caplog)[0].startswith(f"failed {KEY} after 9.00 s, 60.0 MB: ")
    assert machine.metric("vt_model_failures_total", kind="stt") == 1
    with pytest.raises(ModelUnavailable):
        observed(Cancel())
    assert machine.metric("vt_model_failures_total", kind="stt") == 2


def test_a_model_whose_files_are_on_their_way_is_shown_as_loading_and_the_waiting_is_counted(machine: Machine) -> None:
    shown: list[EntrySnapshot] = []

    def download(_: Cancel) -> None:
        machine.now += 4
        shown.extend(machine.cache.snapshot().entries)

    machine.choose(machine.candidate(download))
    assert [(entry.key, entry.state, entry.bytes, entry.leases) for entry in shown] == [(KEY, "loading", 0, 0)]
    assert [entry.state for entry in machine.cache.snapshot().entries] == ["ready"]
    assert machine.metric("vt_model_wait_seconds_count", kind="stt") == 1
    assert machine.metric("vt_model_wait_seconds_sum", kind="stt") == pytest.approx(4 + 2.5)
    assert machine.metric("vt_model_misses_total") == 1


def test_who_waited_in_vain_for_a_models_files_is_counted_too(machine: Machine) -> None:
    def download(_: Cancel) -> None:
        machine.now += 4
        raise ModelUnavailable("The hub has none of that name.")

    with pytest.raises(ModelUnavailable):
        machine.choose(machine.candidate(download))
    assert machine.cache.snapshot().entries == ()
    assert machine.metric("vt_model_wait_seconds_sum", kind="stt") == pytest.approx(4)
    assert machine.metric("vt_model_misses_total") == 1


def test_a_cancelled_preparation_is_no_failure(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        machine.cache_metrics.observed(machine.spec(), Cancel.check)(cancel)
    assert lines(caplog) == []
    assert machine.metric("vt_model_failures_total", kind="stt") is None


def test_a_model_larger_than_all_memory_for_models_is_warned_of(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.use(machine.spec(estimated_mb=2000, grows_mb=2000))
    assert lines(caplog)[0] == f"oversized {KEY}, 2000.0 MB: more than the 1000.0 MB for models"


@pytest.mark.parametrize(
    ("grown", "taken"),
    [(70, 70), (119, 119), (5, 30), (-200, 30), (4000, 120)],
    ids=["near the estimate", "within bounds", "hidden by freed memory", "others freed", "others allocated"],
)
def test_a_model_takes_what_the_process_grew_by_within_what_its_files_allow(
    machine: Machine, grown: int, taken: int
) -> None:
    machine.use(machine.spec(grows_mb=grown))
    assert machine.cache.snapshot().total_bytes == taken * MB


@pytest.mark.parametrize(("grown", "taken"), [(70, 70), (0, 30), (4000, 120)])
def test_a_model_on_a_card_takes_what_the_use_of_the_card_grew_by(machine: Machine, grown: int, taken: int) -> None:
    machine.use(machine.spec_on_card(grows_mb=grown))
    memories = {one.device: one.used_bytes for one in machine.cache.snapshot().memories}
    assert memories == {"cpu": 0, "cuda": taken * MB}
    assert machine.metric("vt_device_bytes", device="cuda") == taken * MB
    assert machine.metric("vt_device_budget_bytes", device="cuda") == 6400 * MB


def test_an_engine_that_measures_itself_is_believed(machine: Machine) -> None:
    spec = ModelSpec(KEY, "stt", "tiny.en", "cuda", Engine, 60 * MB, lambda _: 777 * MB)
    machine.use(machine.cache_metrics.metered(spec))
    assert machine.cache.snapshot().total_bytes == 777 * MB


def test_the_metrics_count_hits_misses_loads_seconds_evictions_leases_bytes_and_waits(machine: Machine) -> None:
    spec = machine.spec()
    with machine.cache.lease(spec), machine.cache.lease(spec):
        assert machine.metric("vt_model_leases", kind="stt") == 2
        assert machine.metric("vt_model_bytes", kind="stt") == 70 * MB
        assert machine.metric("vt_models", kind="stt") == 1
    machine.cache.clear()
    assert machine.metric("vt_model_hits_total") == 1
    assert machine.metric("vt_model_misses_total") == 1
    assert machine.metric("vt_model_loads_total") == 1
    assert machine.metric("vt_model_budget_bytes") == 1000 * MB
    assert machine.metric("vt_model_load_seconds_sum", kind="stt") == 2.5
    assert machine.metric("vt_model_wait_seconds_count", kind="stt") == 1
    assert machine.metric("vt_model_evictions_total", kind="stt", reason="cleared") == 1
    assert machine.metric("vt_models", kind="stt") == 0


def test_a_failure_is_counted(machine: Machine) -> None:
    with pytest.raises(ModelUnavailable):
        machine.use(machine.spec(fails=True))
    assert machine.metric("vt_model_failures_total", kind="stt") == 1


def test_the_exposition_is_prometheus_text_with_a_help_line_for_each_metric() -> None:
    metrics = Metrics()
    metrics.watch(lambda: Residency(hits=3, bytes={"tts": 7}))
    text = metrics.exposition().decode()
    assert "vt_model_hits_total 3.0\n" in text
    assert 'vt_model_bytes{kind="tts"} 7.0\n' in text
    assert text.count("# HELP") == text.count("# TYPE")


def test_two_factories_do_not_share_their_counters() -> None:
    first, second = Metrics(), Metrics()
    first.failed("stt")
    assert second.registry.get_sample_value("vt_model_failures_total", {"kind": "stt"}) is None
