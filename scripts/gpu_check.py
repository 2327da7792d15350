"""Run the steps of scripts/gpu-check, each in a process of its own, and write the report. See scripts/gpu-check."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from scripts import gpu_pack
from scripts.gpu_pack import FOLDER
from vt.model_files import bundle
from vt.system import graphics

ROOT = Path(__file__).parent.parent
NO_GPU = 3
"""The exit code where there is no card."""
SECONDS = 480.0
REPORT, LOG = "gpu-report.json", "gpu-check.log"
_UNPACKING_SECONDS, _MAKING_SECONDS = 90.0, 150.0
_LEAST_SECONDS = 5.0
"""With less time left no step is begun."""
_CUBLAS = ("libcublas.so", "libcublasLt.so")
_LONGEST_LINE = 400


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a step of `scripts.gpu_steps` before it is taken."""

    seconds: float
    """After which it is ended."""
    models: tuple[str, ...] = ()
    """Of `scripts.gpu_models` that it needs."""
    archives: tuple[str, ...] = ()
    """Of `scripts.gpu_pack` that it needs, unless set-up has put their models here."""


_TRUE = ("mms-spa", "nllb-600M")
STEPS = {
    "card": Step(120),
    "hearing": Step(120, (), ("whisper",)),
    "mms": Step(60, ("mms-spa",)),
    "speakers": Step(60),
    "kokoro": Step(90, (), ("kokoro",)),
    "dub": Step(90, (), ("whisper", "kokoro")),
    "counting": Step(60, _TRUE, ("whisper",)),
    "evicting": Step(60, _TRUE, ("whisper",)),
    "running_out": Step(60, _TRUE, ("whisper",)),
    "two_at_once": Step(120, _TRUE, ("whisper",)),
    "auto": Step(45, _TRUE, ("whisper",)),
    "translating": Step(150, ("nllb-600M", "nllb-1.3B")),
}
"""In their order: the largest models are made meanwhile."""
_BUNDLED = {"whisper": "whisper-base", "kokoro": "kokoro-82m"}
"""Which of the bundled models is in which archive."""


@dataclass(slots=True)
class Outcome:
    """What became of one step."""

    name: str
    state: Literal["ok", "failed", "skipped"]
    seconds: float = 0.0
    figures: dict[str, float | str] = field(default_factory=dict)
    says: list[str] = field(default_factory=list)
    """Why it failed, or was skipped."""


def outcome(name: str, seconds: float, code: int | None, told: Mapping[str, Any], log: str) -> Outcome:
    """Return what became of a step.

    Args:
        name: of the step.
        seconds: that it took.
        code: the exit code of its process; None: it was ended because its time was over.
        told: its findings as it wrote them down; empty where it did not come to that.
        log: what its process wrote to stderr.
    """
    says = list(told.get("faults", ()))
    if code is None:
        says.append(f"it was ended after {seconds:.0f} s")
    elif code or not told:
        says.append(f"its process ended with {code}: {' '.join(log.split())[-_LONGEST_LINE:]}")
    figures = dict(told.get("figures", {}))
    if not says and told.get("skipped"):
        return Outcome(name, "skipped", seconds, figures, [told["skipped"]])
    return Outcome(name, "failed" if says else "ok", seconds, figures, says)


class Run:
    """One run of the check: its place, its time, and what came of it."""

    def __init__(self, folder: Path, out: Path, seconds: float) -> None:
        self._folder, self._out = folder, out
        self._end = time.monotonic() + seconds
        self._archives: dict[str, str] = {}
        self._makers: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = _environment(folder)
        self.outcomes: list[Outcome] = []

    @property
    def _left(self) -> float:
        return self._end - time.monotonic()

    def take(self, names: Sequence[str]) -> None:
        """Take the steps, each whatever became of those before."""
        self._archives = gpu_pack.wait(min(_UNPACKING_SECONDS, self._left), self._folder)
        place_models(self._folder, bundle.ROOT)
        self._make(sorted({model for name in names for model in STEPS[name].models}))
        for name in names:
            self._note(self._taken(name, STEPS[name]))
        for maker in self._makers.values():
            maker.kill()

    def _taken(self, name: str, step: Step) -> Outcome:
        missing = [archive for archive in step.archives if not self._is_here(archive)]
        if missing:
            return Outcome(name, "skipped", says=[f"{', '.join(missing)} not brought"])
        for model in step.models:
            if says := self._unmade(model):
                return Outcome(name, "failed", says=[says])
        if self._left < _LEAST_SECONDS:
            return Outcome(name, "skipped", says=["no time was left"])
        return self._stepped(name, step)

    def _is_here(self, archive: str) -> bool:
        return self._archives[archive] == "here" or bundle.folder(_BUNDLED[archive]) is not None

    def _stepped(self, name: str, step: Step) -> Outcome:
        result = self._folder / f"{name}.json"
        result.unlink(missing_ok=True)
        argv = [sys.executable, "-m", "scripts.gpu_steps", name, str(self._folder / "made"), str(result)]
        began = time.monotonic()
        code: int | None = None
        log = self._out / LOG
        with log.open("ab") as stream:
            stream.write(f"=== {name}\n".encode())
            stream.flush()
            at = stream.tell()
            child = subprocess.Popen(argv, cwd=ROOT, env=self._environment, stdout=stream, stderr=stream)
            try:
                code = child.wait(min(step.seconds, self._left))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        told = json.loads(result.read_text(encoding="utf-8")) if result.is_file() else {}
        said = log.read_bytes()[at:].decode("utf-8", "replace")
        return outcome(name, time.monotonic() - began, code, told, said)

    def _make(self, models: Sequence[str]) -> None:
        """Have the models made in the background, each by a process of its own."""
        (self._folder / "made").mkdir(parents=True, exist_ok=True)
        for model in models:
            self._makers[model] = making(model, self._folder, self._environment)

    def _unmade(self, model: str) -> str:
        """Wait for a model, and say why it is not there."""
        try:
            code = self._makers[model].wait(min(_MAKING_SECONDS, max(0.0, self._left)))
        except subprocess.TimeoutExpired:
            return f"{model} was not made in time"
        log = self._folder / gpu_pack.LOGS / model
        return "" if not code else f"{model} could not be made: {log.read_text('utf-8', 'replace')[-_LONGEST_LINE:]}"

    def _note(self, found: Outcome) -> None:
        self.outcomes.append(found)
        print(line(found), flush=True)
        report = {
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "archives": self._archives,
            "cublas": self._environment["LD_LIBRARY_PATH"],
            "driver": _driver(),
            "steps": [asdict(one) for one in self.outcomes],
        }
        (self._out / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def line(found: Outcome) -> str:
    """Return the line that is printed of a step."""
    figures = ", ".join(f"{name} {value}" for name, value in found.figures.items())
    says = "".join(f"\n        {sentence}" for sentence in found.says)
    title = found.state if found.state == "ok" else found.state.upper()
    return f"{title:8}{found.name} ({found.seconds:.0f} s): {figures}{says}"


def table(report: Mapping[str, Any] | None) -> str:
    """Return the table of docs/GPU.md; `report`: as a run wrote it, None where there was none."""
    if report is None:
        return "No run has been made yet: no machine with a graphics card was at hand."
    rows = [f"{report['driver']}, on {report['when'][:10]}:", "", "| step | what | figure |", "|---|---|---|"]
    for step in report["steps"]:
        result = ": ".join([f"**{step['state']}**" if step["says"] else step["state"], *step["says"]])
        rows.append(f"| **{step['name']}** | | {result} |".replace("\n", " "))
        rows += [f"| | {name} | {_shown(value)} |".replace("\n", " ") for name, value in step["figures"].items()]
    return "\n".join(rows)


def _shown(value: float | str) -> str:
    """Return a figure with as many digits as it was measured to."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def making(model: str, folder: Path, environment: Mapping[str, str], *, apart: bool = False) -> subprocess.Popen[bytes]:
    """Have a model of true size made in the background; `apart`: also when this process has ended."""
    (folder / gpu_pack.LOGS).mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "scripts.gpu_models", str(folder / "made"), model]
    with (folder / gpu_pack.LOGS / model).open("wb") as log:
        return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=apart)


def _environment(folder: Path) -> dict[str, str]:
    """Return the variables of the steps: no hub is asked, and the libraries of NVIDIA's Python packages are found."""
    found = [*map(str, _linked_cublas(folder / "lib-cuda")), *map(str, _nvidia_folders())]
    found += filter(None, [os.environ.get("LD_LIBRARY_PATH")])
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**os.environ, **quiet, "LD_LIBRARY_PATH": os.pathsep.join(found)}


def _nvidia_folders() -> Iterator[Path]:
    """Yield the folders with libraries of NVIDIA's Python packages."""
    found = importlib.util.find_spec("nvidia")
    for root in (found.submodule_search_locations or ()) if found else ():
        yield from sorted(Path(root).glob("*/lib"))


def _linked_cublas(folder: Path) -> Iterator[Path]:
    """Yield a folder in which the cuBLAS of CUDA 13 has the names of CUDA 12's, where there is no other.

    For this check alone: what CTranslate2 calls is the same in both, as far as is known; users are told to install 12.
    """
    folders = list(_nvidia_folders())
    if any((place / f"{_CUBLAS[0]}.12").is_file() for place in folders):
        return
    for place in folders:
        if (place / f"{_CUBLAS[0]}.13").is_file():
            folder.mkdir(parents=True, exist_ok=True)
            for name in _CUBLAS:
                (folder / f"{name}.12").unlink(missing_ok=True)
                (folder / f"{name}.12").symlink_to(place / f"{name}.13")
            yield folder


def _driver() -> str:
    import pynvml

    try:
        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        return f"{name}, driver {pynvml.nvmlSystemGetDriverVersion()}"
    except pynvml.NVMLError as error:
        return f"unknown: {error}"


def place_models(folder: Path, root: Path) -> None:
    """Have the models that were brought stand where the product looks for them; what is there already stays."""
    for model in sorted((folder / "models").glob("*")):
        if not (root / model.name).exists():
            root.mkdir(parents=True, exist_ok=True)
            (root / model.name).symlink_to(model)


def main(arguments: Sequence[str], gpus: int | None = None, folder: Path = FOLDER) -> int:
    """Check, and return the exit code.

    Args:
        arguments: of the command.
        gpus: how many cards there are; None: as the driver says.
        folder: where what was brought is unpacked, and models are made.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--only", default="", help="names of steps, separated by commas")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--models", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.models:
        return _make_all(folder)
    if not (graphics.cards().count if gpus is None else gpus):
        print("no GPU here")
        return NO_GPU
    given.out.mkdir(parents=True, exist_ok=True)
    run = Run(folder, given.out, given.seconds)
    run.take(given.only.split(",") if given.only else list(STEPS))
    failed = sum(one.state == "failed" for one in run.outcomes)
    skipped = sum(one.state == "skipped" for one in run.outcomes)
    print(f"{len(run.outcomes)} steps: {failed} failed, {skipped} skipped; see {given.out / REPORT}")
    return 1 if failed else 0


def _make_all(folder: Path) -> int:
    """Begin to make all models, in processes that go on when this one has ended."""
    from scripts.gpu_models import MMS, NLLB

    for model in (MMS, *NLLB):
        making(model, folder, _environment(folder), apart=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
