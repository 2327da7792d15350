"""Metrics for Prometheus: which there are, and how they are counted or read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vt import __version__

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_ANSWER_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_WORK_SECONDS = (0.5, 1.0, 2.5, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 7200.0)
_FACTORS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


@dataclass(frozen=True, slots=True)
class Described:
    """The description of one metric, for Prometheus and the documentation."""

    name: str
    """Its exposed name; histograms add suffixes to it."""
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Of a histogram."""


COUNTED: tuple[Described, ...] = (
    Described("vt_http_requests_total", "counter", "answers to requests", ("method", "route", "status")),
    Described("vt_http_seconds", "histogram", "time until an answer began", ("route",), _ANSWER_SECONDS),
    Described("vt_http_connections", "gauge", "requests under way, and web sockets that are open"),
    Described("vt_refusals_total", "counter", "requests that were sent away, by reason", ("reason",)),
    Described("vt_job_wait_seconds", "histogram", "time that jobs waited for their turn", (), _WORK_SECONDS),
    Described("vt_jobs_ended_total", "counter", "jobs that are over: done, failed or cancelled", ("state",)),
    Described(
        "vt_stage_seconds", "histogram", "time that a stage took, of jobs that are done", ("stage",), _WORK_SECONDS
    ),
    Described("vt_realtime_factor", "histogram", "seconds of film dubbed in one second", (), _FACTORS),
    Described("vt_model_load_seconds", "histogram", "time that loads took", ("kind",), _SECONDS),
    Described("vt_model_wait_seconds", "histogram", "time waited for models that were not ready", ("kind",), _SECONDS),
    Described(
        "vt_model_evictions_total",
        "counter",
        "models that went: lru, idle, cleared, memory, uncached",
        ("kind", "reason"),
    ),
    Described("vt_model_failures_total", "counter", "loads and unloads that failed", ("kind",)),
    Described("vt_llm_calls_total", "counter", "questions to the language model of VT_LLM_URL"),
    Described(
        "vt_llm_tokens_total", "counter", "tokens of these, as its server counts them: prompt, completion", ("kind",)
    ),
    Described("vt_llm_fallen_lines_total", "counter", "lines that it did not translate, and another engine had to"),
)
"""Metrics that are counted when something happens."""
READ: tuple[Described, ...] = (
    Described("vt_info", "gauge", "1; its label is the version", ("version",)),
    Described("vt_jobs", "gauge", "jobs that wait (queued) or run (running)", ("state",)),
    Described(
        "vt_at_work",
        "gauge",
        "uploads, looks into films, and followers of jobs (server-sent events, web sockets, open pages with a job at "
        "work, calls of gradio_client) at this moment",
        ("what",),
    ),
    Described("vt_at_work_limit", "gauge", "how many of these there may be at a time", ("what",)),
    Described("vt_children", "gauge", "programs that run for it, such as ffmpeg", ("program",)),
    Described(
        "vt_children_ended_total",
        "counter",
        "programs that have ended: well, failed, stopped (at a limit, or by the system), cancelled, not started",
        ("program", "how"),
    ),
    Described("vt_cluster_machines", "gauge", "machines of the cluster that are ready, where jobs run on one"),
    Described("vt_cluster_pieces", "gauge", "pieces of jobs that a machine works on", ("machine",)),
    Described("vt_cluster_pieces_total", "counter", "pieces of jobs that a machine has done", ("machine",)),
    Described("vt_free_disk_bytes", "gauge", "room on the disk of the data folder"),
    Described("vt_model_hits_total", "counter", "leases that found their model ready"),
    Described("vt_model_misses_total", "counter", "leases that had to wait or to load"),
    Described("vt_model_loads_total", "counter", "models that were loaded"),
    Described("vt_model_budget_bytes", "gauge", "memory that models may take"),
    Described("vt_device_budget_bytes", "gauge", "memory of a device that models may take", ("device",)),
    Described("vt_device_bytes", "gauge", "memory of a device that models take", ("device",)),
    Described("vt_models", "gauge", "models in memory", ("kind",)),
    Described("vt_model_leases", "gauge", "models in use, counted by user", ("kind",)),
    Described("vt_model_bytes", "gauge", "memory that models take", ("kind",)),
)
"""Metrics that are read at each scrape."""

Reading = float | Mapping[str, float] | Mapping[tuple[str, str], float]
"""A value, or one for each value of the metric's label or labels."""


@dataclass(frozen=True, slots=True)
class Residency:
    """The state of the model cache at one moment; mappings are by kind of model."""

    hits: int = 0
    misses: int = 0
    loads: int = 0
    budget_bytes: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    leases: Mapping[str, int] = field(default_factory=dict)
    bytes: Mapping[str, int] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    """Both by device: cpu, and the graphics cards."""

    def readings(self) -> dict[str, Reading]:
        """Return it by the names of the metrics."""
        return {
            "vt_model_hits_total": self.hits,
            "vt_model_misses_total": self.misses,
            "vt_model_loads_total": self.loads,
            "vt_model_budget_bytes": self.budget_bytes,
            "vt_models": self.models,
            "vt_model_leases": self.leases,
            "vt_model_bytes": self.bytes,
            "vt_device_budget_bytes": self.budgets,
            "vt_device_bytes": self.used,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """How busy a server is at one moment."""

    jobs: Mapping[str, int] = field(default_factory=dict)
    """By state; empty where the store cannot be read."""
    at_work: Mapping[str, int] = field(default_factory=dict)
    """By the name of the limit."""
    limits: Mapping[str, int] = field(default_factory=dict)
    children: Mapping[str, int] = field(default_factory=dict)
    """By program."""
    children_ended: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By program, and by way of ending."""
    free_disk_bytes: int | None = None
    """None where it is not known."""
    pieces: Mapping[str, int] | None = None
    """Under way on each machine of the cluster, by name; None where there is none."""
    pieces_done: Mapping[str, int] = field(default_factory=dict)

    def readings(self) -> dict[str, Reading]:
        """Return it by the names of the metrics."""
        found: dict[str, Reading] = {
            "vt_jobs": self.jobs,
            "vt_at_work": self.at_work,
            "vt_at_work_limit": self.limits,
            "vt_children": self.children,
            "vt_children_ended_total": self.children_ended,
        }
        if self.pieces is not None:
            found["vt_cluster_machines"] = len(self.pieces)
            found |= {"vt_cluster_pieces": self.pieces, "vt_cluster_pieces_total": self.pieces_done}
        return found if self.free_disk_bytes is None else found | {"vt_free_disk_bytes": self.free_disk_bytes}


class Metrics:
    """The metrics of one factory and of its process, in their own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Any] = {one.name: _made(one, self.registry) for one in COUNTED}
        self._readers: dict[str, Callable[[], Mapping[str, Reading]]] = {
            "version": lambda: {"vt_info": {__version__: 1}}
        }
        self.registry.register(_Reader(self._readers))
        ProcessCollector(registry=self.registry)

    # What is looked up

    def watch(self, read: Callable[[], Residency]) -> None:
        """Call `read` for the state of the models at each scrape."""
        self._readers["models"] = lambda: read().readings()

    def watch_load(self, read: Callable[[], Load]) -> None:
        """Call `read` for how busy the server is at each scrape."""
        self._readers["load"] = lambda: read().readings()

    # What is counted

    def loaded(self, kind: str, seconds: float) -> None:
        """Count a load."""
        self._made["vt_model_load_seconds"].labels(kind).observe(seconds)

    def waited(self, kind: str, seconds: float) -> None:
        """Count the wait of a request."""
        self._made["vt_model_wait_seconds"].labels(kind).observe(seconds)

    def evicted(self, kind: str, reason: str) -> None:
        """Count a model that was evicted."""
        self._made["vt_model_evictions_total"].labels(kind, reason).inc()

    def failed(self, kind: str) -> None:
        """Count a failure."""
        self._made["vt_model_failures_total"].labels(kind).inc()

    def asked(self, calls: int, prompt_tokens: int, completion_tokens: int) -> None:
        """Count questions to a language model, and the tokens that they took."""
        self._made["vt_llm_calls_total"].inc(calls)
        self._made["vt_llm_tokens_total"].labels("prompt").inc(prompt_tokens)
        self._made["vt_llm_tokens_total"].labels("completion").inc(completion_tokens)

    def fell(self, lines: int) -> None:
        """Count lines that a language model did not translate."""
        self._made["vt_llm_fallen_lines_total"].inc(lines)

    def connected(self, change: int) -> None:
        """Count a request that begins (1) or ends (-1)."""
        self._made["vt_http_connections"].inc(change)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer by the template of its route, once it has begun."""
        self._made["vt_http_requests_total"].labels(method, route, str(status)).inc()
        self._made["vt_http_seconds"].labels(route).observe(seconds)

    def refused(self, reason: str) -> None:
        """Count a request that was sent away."""
        self._made["vt_refusals_total"].labels(reason).inc()

    def job_begun(self, waited_seconds: float) -> None:
        """Count the wait of a job that begins."""
        self._made["vt_job_wait_seconds"].observe(waited_seconds)

    def job_ended(self, state: str) -> None:
        """Count a job that is over."""
        self._made["vt_jobs_ended_total"].labels(state).inc()

    def finished(self, stages: Iterable[tuple[str, float]]) -> None:
        """Count the stages of a finished run: their names, and the seconds that each took."""
        for name, seconds in stages:
            self._made["vt_stage_seconds"].labels(name).observe(seconds)

    def dubbed(self, film_seconds: float, total_seconds: float) -> None:
        """Count the speed of a dub: the film's length by the time that the dub took."""
        if total_seconds:
            self._made["vt_realtime_factor"].observe(film_seconds / total_seconds)

    def exposition(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


def _made(one: Described, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name, text = one.name.removesuffix("_total"), _sentence(one)
    if one.kind == "histogram":
        return Histogram(name, text, one.labels, registry=registry, buckets=one.buckets)
    made = Counter if one.kind == "counter" else Gauge
    return made(name, text, one.labels, registry=registry)


def _sentence(one: Described) -> str:
    return f"{one.text[:1].upper()}{one.text[1:]}."


class _Reader(Collector):
    def __init__(self, readers: Mapping[str, Callable[[], Mapping[str, Reading]]]) -> None:
        self._readers = readers

    def collect(self) -> Iterator[Metric]:
        found: dict[str, Reading] = {}
        for read in tuple(self._readers.values()):
            found |= read()
        for one in READ:
            yield _family(one, found.get(one.name, {}))

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: nothing may be read at registration."""
        yield from ()


def _family(one: Described, reading: Reading) -> Metric:
    """Return a metric with the value that was read, or without one."""
    made = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
    family = made(one.name.removesuffix("_total"), _sentence(one), labels=one.labels)
    for labels, value in _labelled(reading):
        family.add_metric(labels, value)
    return family


def _labelled(reading: Reading) -> list[tuple[list[str], float]]:
    if not isinstance(reading, Mapping):
        return [([], reading)]
    return sorted(([key] if isinstance(key, str) else list(key), value) for key, value in reading.items())
