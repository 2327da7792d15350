"""Run all benchmarks one after the other, and write what they found: RESULTS.md and results.json.

Run, at rest: benchmarks/run [--quick | --all] [--only NAME ...] [--into FOLDER]

It takes about half an hour, --quick about five minutes, and --all, with those that take long by themselves, an hour and
a quarter. Figures of those that do not run stay as they are, but for --quick. Before and after each of them a second
goes by in which it is seen how busy the machine is with other work.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.programs import end
from benchmarks.results import KEPT, Result, Verdict, shown

ROOT = Path(__file__).parent.parent
KEPT_AS = Path(__file__).with_name("results.json")
BUSY = 0.1
"""From which share of the processors on, that others take before or after a benchmark, its figures are marked."""
HEARING = "Hearing, beside faster-whisper's own ways"
TRANSLATING = "Translation by NLLB-200, beside transformers"
SPEAKING = "Voices, beside a load for each line"
SOUND = "The sound of a long film, beside one array"
EDITING = "One line changed, beside the whole dub"
QUALITY = "How good a dub is"
LONGER = "Longer films"
DUB = 100
"""Lines of a dub, for which benchmarks.voices reckons."""
CLUSTER = "A cluster of two nodes on this machine"
QUICK_VOICE = ("--voice", "espeak-ng-es")
LIBRARIES = ("torch", "ctranslate2", "faster-whisper", "onnxruntime", "transformers", "gradio", "numpy")


@dataclass(frozen=True)
class Benchmark:
    """One of them, as it is run here."""

    module: str
    title: str
    arguments: tuple[str, ...] = ()
    quick: tuple[str, ...] | None = None
    """Its arguments with --quick; None: it takes too long for that, and is left out."""
    minutes: float = 15.0
    """After which it is stopped."""
    note: str = ""
    """What a reader of the figures has to know."""
    is_long: bool = False
    """Whether it runs only where it is named, or with --all: it takes as long as many others."""

    def command(self, *, quick: bool = False) -> str:
        """What a reader types to repeat it."""
        arguments = (self.quick or ()) if quick else self.arguments
        return " ".join((".venv/bin/python -m", f"benchmarks.{self.module}", *arguments))


BENCHMARKS = (
    Benchmark("recognition", HEARING, ("--runs", "2"), ("--seconds", "60", "--runs", "1")),
    Benchmark(
        "engines",
        TRANSLATING,
        ("--lines", "16"),
        note="The model has the true size of nllb-200-distilled-600M, and weights that the benchmark sets: it says "
        "every line again as it was, so that both sides say the same tokens. The weights of the hub are not needed.",
    ),
    Benchmark(
        "voices",
        SPEAKING,
        ("--spoken", "100", "--lines", "10", "--rounds", "3"),
        note="Kokoro is the real one. The voice of MMS has the true size, and so the true speed, and random weights: "
        f"what it says is noise. The {DUB} lines are reckoned from those that were spoken.",
    ),
    Benchmark("sound", SOUND, (), ("--minutes", "20")),
    Benchmark(
        "residency", "Models that stay in memory, beside a load for each use", (), ("--cycles", "5", "--dubs", "1")
    ),
    Benchmark("peers", "Programs of others, on the same film"),
    Benchmark("overhead", "What a dub costs beside its engines", ("--runs", "2"), ("--runs", "1", "--minutes", "2")),
    Benchmark("edits", EDITING, (), ("--minutes", "2", "--edits", "3")),
    Benchmark("quality", QUALITY, (), ()),
    Benchmark("translation", "How good translations are, by route", (), ("--lines", "10")),
    Benchmark("speakers", "Who speaks", ("--dialogues", "10")),
    Benchmark("talk", LONGER, (*QUICK_VOICE, "--minutes", "1", "10", "30"), (*QUICK_VOICE, "--minutes", "1", "2")),
    Benchmark(
        "talk",
        "Longer films, by their captions",
        (*QUICK_VOICE, "--captions", "--minutes", "1", "10", "60", "120"),
        minutes=45.0,
        is_long=True,
    ),
    Benchmark("store", "More jobs", (), ("--jobs", "1", "10", "100")),
    Benchmark("listeners", "More listeners"),
    Benchmark("load", "A crowd of visitors", ("--uploads", "60", "--jobs", "12", "--followers", "100")),
    Benchmark("http", "The server", ("--seconds", "20"), ("--seconds", "3")),
    Benchmark(
        "page",
        "The page, in Chromium",
        note="A key: the 95th percentile of 100, among 2,000 lines. The two keys of a typist, Ctrl and Enter, come "
        "0.56 s after the last one of the text.",
        is_long=True,
    ),
    Benchmark(
        "ray",
        CLUSTER,
        ("samples/sense_and_sensibility.mp4",),
        minutes=45.0,
        note="Each node has one processor, the first one shares it with the server and Ray's head; only for "
        '"one node / no cluster" the server has the other processor.',
        is_long=True,
    ),
)
"""In the order of the results."""


SHOWN = {
    (HEARING, "vt: times as fast as batched"): "hearing: {} times as fast as faster-whisper's batched pipeline",
    (
        TRANSLATING,
        "vt, greedy: times as fast as line by line",
    ): "NLLB-200: {} times as fast as transformers line by line",
    (SPEAKING, f"a load for each of {DUB} lines: times as slow as vt"): "MMS: {} times as fast as a load for each line",
    (SOUND, "vt: share of the array's memory"): "an hour's sound: {share} of the memory of one array",
    (EDITING, "one line changed / the whole dub"): "one line changed: {share} of the time of the whole dub",
    (
        QUALITY,
        "speech of a line within its original's time, overlap",
    ): "in time: {share} of a line overlaps its original",
    (QUALITY, "words of the dub that Whisper base hears otherwise"): "{} of the dub's words are heard otherwise",
}
"""By title and name, what the README says of it: the figure, or a ratio as a share."""


@dataclass(frozen=True)
class Outcome:
    """What came of one benchmark."""

    module: str
    title: str
    command: str
    seconds: float
    busy: float
    """The share of the processors that others took just before or after, whichever was more."""
    failed: str = ""
    """Why there is nothing, or not all."""
    left_out: Sequence[str] = ()
    """What could not be run here, and why."""
    results: Sequence[Result] = field(default_factory=tuple)
    when: str = ""
    """Date and time of its beginning, and the commit."""

    @property
    def is_loaded(self) -> bool:
        """Whether the figures are those of a machine that had other work."""
        return self.busy > BUSY

    def kept(self) -> dict[str, Any]:
        """Return this as JSON keeps it."""
        return {**asdict(self), "results": [one.kept() for one in self.results]}

    @classmethod
    def read(cls, kept: dict[str, Any]) -> Outcome:
        """Return what was kept as JSON."""
        results = tuple(Result.read(one) for one in kept["results"])
        return cls(**{**kept, "left_out": tuple(kept["left_out"]), "results": results})


def busy() -> float:
    """Return which share of the processors is at work during a second in which this process does nothing."""
    return psutil.cpu_percent(interval=1.0) / 100


def run(benchmark: Benchmark, *, quick: bool) -> Outcome:
    """Run one in a process of its own, what it prints shown."""
    arguments = (benchmark.quick or ()) if quick else benchmark.arguments
    print(f"\n== {benchmark.command(quick=quick)}", flush=True)
    before, began, when = busy(), time.monotonic(), f"{_now()}, {_commit()}"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "results"
        place.touch()
        argv = [sys.executable, "-m", f"benchmarks.{benchmark.module}", *arguments]
        # One that is stopped cannot remove what it keeps for itself, gigabytes of weights at times: it goes with this.
        failed = _failure(argv, {**os.environ, KEPT: str(place), "TMPDIR": name}, benchmark.minutes * 60)
        lines = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
    seconds = round(time.monotonic() - began, 1)
    results = tuple(Result.read(line) for line in lines if "left_out" not in line)
    left_out = tuple(line["left_out"] for line in lines if "left_out" in line)
    most = round(max(before, busy()), 2)
    command = benchmark.command(quick=quick)
    return Outcome(benchmark.module, benchmark.title, command, seconds, most, failed, left_out, results, when)


def _now() -> str:
    return datetime.datetime.now(tz=datetime.UTC).strftime("%d %B %Y, %H:%M UTC")


def _failure(argv: Sequence[str], environment: dict[str, str], seconds: float) -> str:
    process = psutil.Popen(argv, env=environment, cwd=ROOT)
    try:
        code = process.wait(seconds)
    except psutil.TimeoutExpired:
        return f"It was stopped after {seconds / 60:.0f} minutes."
    finally:
        end(process)  # with the servers that it may have started
    return f"It ended with exit code {code}." if code else ""


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")), "")
    found = {
        "processors": f"{os.cpu_count()} of {model or platform.processor() or 'a kind that does not tell'}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{_system()}, Linux {platform.release()}" if platform.system() == "Linux" else platform.platform(),
        "Python": platform.python_version(),
        "vt": f"{importlib.metadata.version('vt')}, {_commit()}",
    }
    return found | {name: _version(name) for name in LIBRARIES}


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    argv = ["git", "log", "-1", "--format=%h of %as"]
    found = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    return f"commit {found.stdout.strip()}" if found.stdout else "no clone"


def page(kept: dict[str, Any]) -> str:
    """Return RESULTS.md."""
    outcomes = [Outcome.read(one) for one in kept["benchmarks"]]
    lines = [
        "# What was measured",
        "",
        "`benchmarks/run` writes this page and `results.json`; what each benchmark does",
    ]
    lines += ["is told in [docs/BENCHMARKS.md](../docs/BENCHMARKS.md).", ""]
    how = " (quick)" if kept["quick"] else ""
    lines += [f"The last run began on {kept['began']}{how}, on the machine below. When each table was measured, and on"]
    lines += [f"which commit, stands below its command; all of them together took {kept['minutes']:.0f} minutes.", ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in kept["machine"].items()), ""]
    lines += [_summary(outcomes), ""]
    measured = {outcome.title for outcome in outcomes}
    if missing := [f"`{one.command()}`" for one in BENCHMARKS if one.title not in measured]:
        lines += [f"Not measured yet: {', '.join(missing)}.", ""]
    for outcome in outcomes:
        lines += _section(outcome)
    return "\n".join(lines).rstrip() + "\n"


def _summary(outcomes: Iterable[Outcome]) -> str:
    results = [(outcome, one) for outcome in outcomes for one in outcome.results if one.verdict != Verdict.NONE]
    short = [pair for pair in results if pair[1].verdict == Verdict.FLOOR and pair[1].goal is not None]
    missed = [pair for pair in results if pair[1].verdict == Verdict.MISSED]
    told = [f"{len(results) - len(short) - len(missed)} reach all that is wanted"]
    told += [f"{len(short)} hold their floor and miss their goal: {_named(short)}"] if short else []
    told += [f"{len(missed)} miss their floor: {_named(missed)}"] if missed else []
    return f"Of {len(results)} figures that have a floor or a goal, {'. '.join(told)}."


def _named(found: Iterable[tuple[Outcome, Result]]) -> str:
    return "; ".join(f"{one.name} ({outcome.module})" for outcome, one in found)


def readme(kept: dict[str, Any]) -> str:
    """Return the list of the README: of each thing that matters most to a reader one figure."""
    found = {
        (one["title"], result["name"]): Result.read(result) for one in kept["benchmarks"] for result in one["results"]
    }
    return "\n".join(f"- {_said(text, found[key])}" for key, text in SHOWN.items() if key in found)


def _said(text: str, one: Result) -> str:
    told = text.format(one.figure, share=f"{shown(100 * one.median)} %")
    return f"{told} (missed: {one.wanted.removeprefix('floor ')})" if one.verdict == Verdict.MISSED else told


def _section(outcome: Outcome) -> list[str]:
    lines = [f"## {outcome.title}", "", f"`{outcome.command}`", ""]
    lines += [line for one in BENCHMARKS if one.title == outcome.title and one.note for line in (one.note, "")]
    if outcome.when:
        lines += [f"{outcome.when}, {outcome.seconds / 60:.1f} minutes.", ""]
    if outcome.is_loaded:
        lines += [f"**Beside other work, which took {outcome.busy:.0%} of the processors.**", ""]
    if outcome.failed:
        lines += [f"**{outcome.failed}**", ""]
    if outcome.results:
        lines += ["| what | measured | from, to | wanted | reached |", "|---|---|---|---|---|"]
        for one in outcome.results:
            lines.append(f"| {one.name} | {one.figure} | {one.spread} | {one.wanted} | {one.verdict} |")
        lines.append("")
    return lines + [f"- Not run: {why}" for why in outcome.left_out] + [""] * bool(outcome.left_out)


def main() -> None:
    """Run them, and write after each, so that what is done stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="smaller, and not all of them")
    sizes.add_argument("--all", action="store_true", help="those too that take long by themselves")
    parser.add_argument("--only", nargs="+", choices=[one.module for one in BENCHMARKS], metavar="NAME")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    wanted = parser.parse_args()
    wanted.into.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("benchmarks/run was ended."))  # and what runs with it
    before = {} if wanted.quick and not wanted.only else _kept(wanted.into / "results.json")
    now = _now()
    done: dict[str, Outcome] = {one["title"]: Outcome.read(one) for one in before.get("benchmarks", ())}
    for benchmark in chosen(wanted.only, quick=wanted.quick, long=wanted.all):
        done[benchmark.title] = run(benchmark, quick=wanted.quick)
        minutes = sum(outcome.seconds for outcome in done.values()) / 60
        kept = {"began": now, "minutes": round(minutes, 1), "quick": wanted.quick, "machine": machine()}
        kept["benchmarks"] = [done[one.title].kept() for one in BENCHMARKS if one.title in done]
        (wanted.into / "results.json").write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        (wanted.into / "RESULTS.md").write_text(page(kept), encoding="utf-8")
    sys.exit(any(outcome.failed for outcome in done.values()))


def chosen(modules: Sequence[str] | None, *, quick: bool, long: bool = False) -> list[Benchmark]:
    """Return the benchmarks of these modules; or all but the long ones; with --quick those that are quick."""
    named = [one for one in BENCHMARKS if one.module in modules] if modules else []
    wanted = named or [one for one in BENCHMARKS if long or not one.is_long]
    return [one for one in wanted if not (quick and one.quick is None)]


def _kept(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


if __name__ == "__main__":
    main()
