"""What keeping models warm is worth: leases against loads, one load for many, and memory that goes back.

Run by hand: .venv/bin/python -m benchmarks.residency [--cycles 50]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.results import tell
from vt import languages
from vt.domain import Cancel, JobRequest
from vt.engines.model_spec import ModelSpec
from vt.factory import AIServiceFactory, SttService
from vt.jobs.executors.local import LocalExecutor
from vt.models.cache import ModelCache
from vt.settings import Settings
from vt.system import machine

ROOT = Path(__file__).parent.parent
MB = 2**20
LEASES = 5000
THREADS = 16
SLOW_SECONDS = 4.0
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"


class Nothing:
    """A model without weight."""

    def close(self) -> None:
        """Hold nothing."""


def timed(action: Callable[[], object], times: int) -> list[float]:
    """Return the seconds of each of so many calls."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return taken


def leases(service: SttService, factory: AIServiceFactory) -> None:
    """Cold loads against warm leases, alone and from many threads."""
    cache, (key,) = factory._cache, [entry.key for entry in factory._cache.snapshot().entries]
    spec: ModelSpec[Any] = ModelSpec(key, "stt", "tiny.en", "cpu", Nothing, 0)

    def lease() -> None:
        with cache.lease(spec):
            pass

    def use() -> None:
        with service:
            pass

    def load() -> None:
        factory.clear_cache()
        factory.get_stt_service()

    clear = statistics.median(timed(factory.clear_cache, 5))
    cold = statistics.median(timed(load, 5)) - clear
    warm = timed(lease, LEASES)
    tell("cold load", cold, "s")
    tell("warm lease", statistics.median(warm) * 1e6, "us", floor=50, goal=20)
    tell("warm lease: times as fast as a load", cold / statistics.median(warm), floor=1000, goal=10_000, more=True)
    tell("`with service`", statistics.median(timed(use, LEASES)) * 1e6, "us")
    wishes: dict[str, Callable[[], object]] = {
        "get_stt_service()": factory.get_stt_service,
        "get_translation_service()": factory.get_translation_service,
        "get_tts_service('es')": lambda: factory.get_tts_service("es"),
    }
    asked = {name: warm_wish(wish) for name, wish in wishes.items()}
    for name, seconds in asked.items():
        tell(f"{name}, warm", seconds * 1e6, "us", floor=30, goal=10)
    bare = asked["get_stt_service()"]
    tell("get_stt_service(): times as fast as a load", cold / bare, more=True)
    many: list[float] = []
    together(lambda: many.extend(timed(lease, LEASES)), THREADS)
    p99 = statistics.quantiles(many, n=100)[-1]
    tell(f"warm lease with {THREADS} threads, p99", p99 * 1e3, "ms", floor=2)


def warm_wish(wish: Callable[[], object]) -> float:
    """Return the seconds that it takes to have a service whose models are in memory: the median of many."""
    for _ in range(2):  # the first loads them
        wish()
    return statistics.median(timed(wish, 1000))


def together(work: Callable[[], object], times: int) -> None:
    """Run `work` in so many threads that begin at once."""
    barrier = threading.Barrier(times)

    def run() -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def dubs(factory: AIServiceFactory, times: int) -> None:
    """Dub the sample with models that stay, in turns with models that are loaded for each job, so many times."""
    executor, cold, warm = LocalExecutor(factory), list[float](), list[float]()

    def dub() -> float:
        with tempfile.TemporaryDirectory() as folder:
            request = JobRequest(SAMPLE, languages.SPANISH, languages.ENGLISH)
            return timed(lambda: executor.run(request, Path(folder), lambda _: None, Cancel()), 1)[0]

    for _ in range(times):
        factory.clear_cache()
        cold.append(dub())
        warm.append(dub())
    tell("the sample, dubbed with a load of all models for it", cold, "s")
    tell("the sample, dubbed with models that stay", warm, "s")
    ratios = [one / other for one, other in zip(cold, warm, strict=True)]
    tell("a load for each job: times as slow", ratios, floor=1, more=True)


def stampede(factory: AIServiceFactory) -> None:
    """Many threads that want the same cold model."""
    factory.clear_cache()
    before = factory.get_model_status()["loads"]
    together(factory.get_stt_service, 64)
    loads = factory.get_model_status()["loads"] - before
    tell("loads for 64 threads that ask for one cold model", loads, floor=1)


def memory(factory: AIServiceFactory, cycles: int) -> None:
    """What a load adds, what the status says of it, and what comes back; then many times over."""
    standing = []
    for cycle in range(max(3, cycles)):
        before = machine.resident_bytes()
        factory.get_stt_service()
        added = machine.resident_bytes() - before
        said = factory.get_model_status()["total_memory_mb"] * MB
        factory.clear_cache()
        standing.append(machine.resident_bytes())
        back = (before + added - standing[-1]) / added
        if cycle == 0:
            print(f"first load: {added / MB:.1f} MB added, status / growth {said / added:.2f}, back {back:.0%}")
        elif cycle == 1:
            tell("a model: memory as the status says / as the process grew", said / added, floor=1.25)
            tell("a model: share of its memory that comes back", 100 * back, "%", floor=80, goal=95, more=True)
    drift = standing[-1] / standing[2] - 1
    tell(f"memory after {len(standing)} loads, beyond that after the third", 100 * drift, "%", floor=10)


def health() -> None:
    """How fast the health is told while a slow load is under way."""
    cache = ModelCache(machine.model_budget(0))
    factory = AIServiceFactory(Settings(), make_cache=lambda _settings, _observer: cache)

    def load() -> Nothing:
        time.sleep(SLOW_SECONDS)
        return Nothing()

    spec = ModelSpec("stt_slow", "stt", "slow", "cpu", load, MB)

    def lease() -> None:
        with cache.lease(spec):
            pass

    thread = threading.Thread(target=lease)
    thread.start()
    taken = []
    while thread.is_alive():
        taken += timed(factory.health_check, 1)
        time.sleep(0.002)
    thread.join()
    tell(f"health_check() in a load of {SLOW_SECONDS:.0f} s", statistics.median(taken) * 1e3, "ms", floor=5)
    taken = []
    thread = threading.Thread(target=factory.get_stt_service)
    thread.start()
    while thread.is_alive():
        taken += timed(factory.health_check, 1)
    thread.join()
    tell("health_check() in real loads", statistics.median(taken) * 1e3, "ms", floor=5)
    factory.close()


def main() -> None:
    """Print one line a result; memory in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--dubs", type=int, default=3)
    parser.add_argument("--memory-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    factory = AIServiceFactory(Settings(engines="embedded"))
    if arguments.memory_only:
        memory(factory, arguments.cycles)
        return
    leases(factory.get_stt_service(), factory)
    stampede(factory)
    dubs(factory, arguments.dubs)
    factory.close()
    health()
    sys.stdout.flush()
    subprocess.run(
        [sys.executable, "-m", "benchmarks.residency", "--memory-only", "--cycles", str(arguments.cycles)],
        check=True,
        cwd=ROOT,
    )


if __name__ == "__main__":
    main()
