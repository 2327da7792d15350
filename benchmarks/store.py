"""What jobs cost that lie in the store, and pieces that lie in a folder: milliseconds each, and how they grow.

Run by hand: .venv/bin/python -m benchmarks.store [--jobs 1 10 100 1000]

The exponent says how a time grows with the number of jobs: 0 not at all, 1 as much.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np

from benchmarks.fits import exponent
from benchmarks.results import tell
from vt.domain import Cancel, Clip, Edit, Edits, JobRequest, JobSpec, Progress, Stage, Wishes
from vt.dubbing.artifacts import Artifacts, count, fingerprint
from vt.jobs import records
from vt.jobs.store import DataFolder, Store, new_id
from vt.jobs.worker import Worker

SPEC = JobSpec("a talk of ten minutes.mp4", "es", wishes=Wishes("espeak-ng-es"))
EDITS = Edits({number: Edit("Una línea que alguien ha escrito de nuevo.") for number in range(20)})
GROWTH = {"start": 1.0, "get": 0.2, "page": 1.0, "counts": 1.0, "create": 0.2, "claim": 0.2, "progress": 0.2}
"""How the time of each may grow at most."""
PIECES = 3000
PIECES_OF_A_JOB = 20


def told(name: str, action: Callable[[], object], times: int) -> float:
    """Do something so many times, print how long it takes, and return the median in ms."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1000)
    taken.sort()
    p99 = taken[min(len(taken) - 1, len(taken) * 99 // 100)]
    print(f"{name:<52} median {statistics.median(taken):8.2f} ms   p99 {p99:8.2f} ms   worst {taken[-1]:8.2f} ms")
    return statistics.median(taken)


class Nobody:
    """Runs no job."""

    def run(
        self, request: JobRequest, folder: Path, on_progress: Callable[[Progress], None], cancel: Cancel
    ) -> Sequence[Path]:
        """Refuse."""
        raise NotImplementedError


def fill(data: DataFolder, jobs: int) -> None:
    """Finish so many jobs, each edited once, and give each the folder that it has then."""
    store = Store(data.database)
    for _ in range(jobs):
        job_id = store.create(new_id(), SPEC, jobs).id
        store.claim()
        store.finish(job_id)
        store.edit(job_id, 1, EDITS, jobs)
        store.claim()
        job = store.finish(job_id)
        for folder, files in ((data.artifacts(job_id), PIECES_OF_A_JOB), (data.results(job_id, 2), 6)):
            folder.mkdir(parents=True)
            for number in range(files):
                (folder / str(number)).touch()
        data.input(job_id).touch()
        records.write(data.job(job_id), records.of(job), lasting=False)
    store.close()


def queries(data: DataFolder, jobs: int) -> dict[str, float]:
    """Time the start and every query; return the medians in ms."""
    found = {"start": told("start: open, check, migrate, sweep, recover", lambda: _start(data), 10)}
    store = Store(data.database)
    one = store.page(1)[0].id
    found["get"] = told("get", lambda: store.get(one), 200)
    found["page"] = told("page of 100, the last", lambda: store.page(100, max(0, jobs - 100)), 50)
    found["counts"] = told("counts", store.counts, 200)
    told("versions", store.versions, 50)
    told("expired, all", lambda: store.expired(timedelta()), 50)
    found["create"] = told("create (synced)", lambda: store.create(new_id(), SPEC, 10**6), 100)
    found["claim"] = told("claim (synced)", store.claim, 50)
    running = store.claim()
    if running:
        found["progress"] = told("progress", lambda: store.progress(running.id, Stage.SPEAK, 0.5), 500)
    told("obstacle, alone", store.obstacle, 500)
    ticking(store)
    store.close()
    return found


def ticking(store: Store) -> None:
    """Ask for health while two jobs tell their progress 50 times a second each, and a third comes and goes."""
    over = threading.Event()

    def work() -> None:
        store.create(new_id(), SPEC, 10**6)
        job = store.claim()
        while job and not over.wait(0.02):
            store.progress(job.id, Stage.SPEAK, 0.5)

    def churn() -> None:
        while not over.wait(0.1):
            job_id = store.create(new_id(), SPEC, 10**6).id
            store.cancel(job_id)

    threads = [threading.Thread(target=target) for target in (work, work, churn)]
    for thread in threads:
        thread.start()
    told("obstacle, beside two running jobs and a third", store.obstacle, 5000)
    over.set()
    for thread in threads:
        thread.join()


def _start(data: DataFolder) -> None:
    store = Store(data.database)
    worker = Worker(store, data, Nobody(), retention=timedelta(days=1))
    worker.begin()
    worker.close()
    store.close()


def artifacts(folder: Path) -> None:
    """Time pieces of three seconds of speech, kept and found."""
    clip = Clip(np.zeros(66150, np.int16), 22050)
    marks = iter(fingerprint(number) for number in range(10**9))
    lasting, fleeting = Artifacts(folder / "lasting"), Artifacts(folder / "fleeting", lasting=False)
    told("keep a clip of 3 s (synced)", lambda: lasting.put_clip("spoken", next(marks), clip), 200)
    told("keep a clip of 3 s (fleeting)", lambda: fleeting.put_clip("spoken", next(marks), clip), PIECES)
    lasting.put_clip("spoken", fingerprint("one"), clip)
    told("find a clip of 3 s", lambda: lasting.get_clip("spoken", fingerprint("one")), 500)
    told(f"count {PIECES} pieces", lambda: count(folder / "fleeting"), 20)
    told(f"open {PIECES} pieces", lambda: Artifacts(folder / "fleeting"), 20)
    told(f"adopt {PIECES} pieces", lambda: lasting.adopt(folder / "fleeting"), 1)


def main() -> None:
    """Print one line for each thing, and how the times grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 10, 100, 1000])
    counts = parser.parse_args().jobs
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        for jobs in counts:
            print(f"with {jobs:,} jobs:")
            with DataFolder(Path(name) / f"data{jobs}") as data:
                fill(data, jobs)
                found.append(queries(data, jobs))
        artifacts(Path(name))
    for what, most in GROWTH.items():
        taken = [medians[what] for medians in found]
        tell(f"{what}, with {counts[-1]:,} jobs", taken[-1], "ms")
        if len(counts) > 1:
            tell(f"{what}: exponent", exponent(counts, taken), floor=most)


if __name__ == "__main__":
    main()
