"""What it costs to change one line of a finished dub: time of the edit / time of the whole dub, with warm models.

Run by hand: .venv/bin/python -m benchmarks.edits [--edits 5] [--minutes 10] [RECORDING ...]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.overhead import SAMPLE, talk
from benchmarks.results import tell
from vt.domain import Edit, Edits, JobSpec, JobState
from vt.jobs.job_service import Jobs
from vt.services import Services, build
from vt.settings import Settings

TEXT = "Esto es lo que alguien quiere que se diga aquí."


def ended(jobs: Jobs, job_id: str, began: float) -> tuple[float, dict[str, Any]]:
    """Wait for a job's end; return the seconds since `began`, and the report."""
    while not (job := jobs.get(job_id)).state.is_over:
        time.sleep(0.01)
    seconds = time.monotonic() - began
    if job.state != JobState.DONE:
        sys.exit(f"{job.state}: {job.error}")
    return seconds, jobs.report(job_id).as_json()


def shown(name: str, seconds: float, report: dict[str, Any]) -> None:
    """Print one line on a run."""
    stages = {stage["name"]: round(stage["seconds"], 2) for stage in report["stages"]}
    print(f"{name:<24} {seconds:6.2f} s  {stages}", flush=True)


def dubbed(jobs: Jobs, film: Path) -> tuple[str, float, dict[str, Any]]:
    """Dub a film; return the job, its seconds, and the report."""
    with jobs.draft() as draft:
        shutil.copyfile(film, draft.film)
        began = time.monotonic()
        job_id = jobs.submit(draft, JobSpec("talk.mp4", "es")).id
    return job_id, *ended(jobs, job_id, began)


def edited(jobs: Jobs, job_id: str, line: int, edit: Edit) -> tuple[float, dict[str, Any]]:
    """Change one line; return the seconds that this takes, and the report."""
    began = time.monotonic()
    jobs.edit(job_id, jobs.lines(job_id).version, Edits({line: edit}))
    return ended(jobs, job_id, began)


def measure(services: Services, film: Path, edits: int) -> None:
    """Dub, edit, and print the ratio."""
    services.preload()
    services.factory.wait_for_preload()
    jobs = services.jobs
    job_id, whole, report = dubbed(jobs, film)
    shown(f"whole, {len(report['segments'])} lines", whole, report)
    loads = services.factory.get_model_status()["loads"]
    taken, repeated = [], False
    for number in range(edits):
        line = (number * 2 + 1) * len(report["segments"]) // (2 * edits)
        # In turn what is said, and what was said: that is translated, too.
        edit = Edit(text=f"{TEXT} {number}") if number % 2 == 0 else Edit(source_text=f"This is number {number}.")
        seconds, found = edited(jobs, job_id, line, edit)
        repeated |= any(stage["name"] == "transcribe" for stage in found["stages"])
        taken.append(seconds)
        shown(f"line {line}", seconds, found)
    loads = services.factory.get_model_status()["loads"] - loads
    tell("one line changed / the whole dub", [seconds / whole for seconds in taken], floor=0.1)
    tell("models loaded again", loads, floor=0)
    tell("films heard again", int(repeated), floor=0)


def main() -> None:
    """Print a line for the whole dub and for each edit, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--edits", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        film = talk(arguments.recordings, arguments.minutes * 60, Path(name))
        services = build(Settings(engines="embedded", data_dir=Path(name) / "data", preload_models=False))
        services.begin()
        try:
            measure(services, film, arguments.edits)
        finally:
            services.close()


if __name__ == "__main__":
    main()
