"""What the outside sees of the inside: metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class Residency:
    """What is in memory at one moment; by kind of model where there is a mapping."""

    hits: int = 0
    misses: int = 0
    loads: int = 0
    budget_bytes: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    leases: Mapping[str, int] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """The counters of one factory, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._load_seconds = Histogram(
            "vt_model_load_seconds", "Time that loads took.", ["kind"], registry=self.registry, buckets=_SECONDS
        )
        self._wait_seconds = Histogram(
            "vt_model_wait_seconds",
            "Time that requests waited for a model that was not ready.",
            ["kind"],
            registry=self.registry,
            buckets=_SECONDS,
        )
        self._evictions = Counter(
            "vt_model_evictions", "Models that went, by reason.", ["kind", "reason"], registry=self.registry
        )
        self._failures = Counter(
            "vt_model_failures", "Loads and unloads that failed.", ["kind"], registry=self.registry
        )

    def watch(self, read: Callable[[], Residency]) -> None:
        """Ask `read` for the state at each scrape: what is counted already is not counted twice, lease by lease."""
        self.registry.register(_ResidencyCollector(read))

    def loaded(self, kind: str, seconds: float) -> None:
        """Count a load."""
        self._load_seconds.labels(kind).observe(seconds)

    def waited(self, kind: str, seconds: float) -> None:
        """Count the wait of a request."""
        self._wait_seconds.labels(kind).observe(seconds)

    def evicted(self, kind: str, reason: str) -> None:
        """Count a model that went."""
        self._evictions.labels(kind, reason).inc()

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._failures.labels(kind).inc()

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _ResidencyCollector(Collector):
    def __init__(self, read: Callable[[], Residency]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        now = self._read()
        yield CounterMetricFamily("vt_model_hits", "Leases that found their model ready.", now.hits)
        yield CounterMetricFamily("vt_model_misses", "Leases that had to wait or to load.", now.misses)
        yield CounterMetricFamily("vt_model_loads", "Models that were loaded.", now.loads)
        yield GaugeMetricFamily("vt_model_budget_bytes", "Memory that models may take.", now.budget_bytes)
        yield _by_kind("vt_models", "Models in memory.", now.models)
        yield _by_kind("vt_model_leases", "Models in use, counted by user.", now.leases)
        yield _by_kind("vt_model_bytes", "Memory that models take.", now.bytes)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: what is registered must not be read yet."""
        yield from ()


def _by_kind(name: str, help_text: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=["kind"])
    for kind, value in sorted(values.items()):
        family.add_metric([kind], value)
    return family
