"""Whole talks, dubbed with the engines that need no download: how fast, what takes the time, and in what memory.

Run by hand: .venv/bin/python -m benchmarks.talk [--minutes 10 120] [--to es] [--background duck] [--captions]
             [--voice espeak-ng-es] [--text FILE]

espeak-ng speaks sentences into films of which four fifths are speech; the rest is pauses. They are those of the
Declaration of Human Rights (see texts.py), or of FILE, one a line. With --background there is soft music under all of
it. Of several lengths, time and memory are compared: the exponent says how they grow, 1 as the film does. With
--captions the sentences come as subtitles, and nothing is recognised: two hours take some minutes then.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks import texts
from benchmarks.fits import exponent
from benchmarks.results import tell
from vt.domain import Background, Cancel
from vt.engines.espeak import NATIVE_RATE, Espeak

ROOT = Path(__file__).parent.parent
_SPEECH = 0.8
_CORE = ("transcribe", "translate", "speak")
_MUSIC = "0.02*(sin(2*PI*196*t)+sin(2*PI*247*t)+sin(2*PI*294*t))*(0.6+0.4*sin(2*PI*0.2*t))"
"""Three notes that swell, about 20 dB below the voice."""
_WINDOWS_SECONDS = 600
"""From so long a film on two windows are heard, which is the most that is held at a time."""
_POLL_SECONDS = 0.1
"""Apertium holds 300 MB for less than a second while it begins."""
_MB = 2**20


@dataclass(frozen=True)
class Run:
    """One dub, measured."""

    film_seconds: float
    seconds: float
    peak_bytes: int
    """Of the process and all that it started, at its largest; what they share counts once."""
    report: dict[str, Any]


def lines(sentences: Sequence[str]) -> Iterator[str]:
    """Yield the sentences for ever, each time in another order, and with a number so that none is said twice."""
    for turn in count():
        order = random.Random(turn).sample(sentences, len(sentences))  # noqa: S311
        yield from order if not turn else (f"Part {turn + 1}: {sentence}" for sentence in order)


def film(sentences: Sequence[str], seconds: float, path: Path, *, music: bool) -> Path:
    """Make a film that lasts so long, with or without music, and its subtitles beside it."""
    spoken: list[NDArray[np.int16]] = []
    cues: list[str] = []
    length = 0
    voice = Espeak("en-us", os.cpu_count() or 1)
    source = lines(sentences)
    while length < seconds * NATIVE_RATE:
        some = [(next(source), 1.0) for _ in range(20)]
        for (sentence, _), clip in zip(some, voice.speak(some, Cancel()), strict=True):
            begins, ends = (_stamp(at / NATIVE_RATE) for at in (length, length + len(clip.samples)))
            if length + len(clip.samples) < seconds * NATIVE_RATE:
                cues.append(f"{len(cues) + 1}\n{begins} --> {ends}\n{sentence}\n")
            pause = np.zeros(int(len(clip.samples) * (1 - _SPEECH) / _SPEECH), np.int16)
            spoken += [clip.samples, pause]
            length += len(clip.samples) + len(pause)
    path.with_suffix(".srt").write_text("\n".join(cues), encoding="utf-8")
    argv = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"color=c=gray:s=320x180:r=25:d={seconds}"]
    argv += ["-f", "s16le", "-ar", str(NATIVE_RATE), "-ac", "1", "-i", "-", "-t", str(seconds), "-c:v", "libx264"]
    if music:
        argv += ["-filter_complex", f"aevalsrc={_MUSIC}:s=44100:d={seconds}[m];[1:a][m]amix=normalize=0[a]"]
        argv += ["-map", "0:v", "-map", "[a]"]
    sound = np.concatenate(spoken).tobytes()
    subprocess.run([*argv, "-preset", "ultrafast", "-c:a", "aac", path], input=sound, check=True)
    return path


def _stamp(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{int(1000 * (seconds - whole)):03d}"


def dubbed(path: Path, seconds: float, wanted: argparse.Namespace, folder: Path) -> Run:
    """Dub a film as the arguments say, in a process of its own."""
    argv = [sys.executable, "-m", "vt", "translate", str(path), "--to", wanted.to, "-o", str(folder)]
    argv += ["--background", wanted.background, *(["--voice", wanted.voice] if wanted.voice else [])]
    argv += ["--subtitles", str(path.with_suffix(".srt")), "--from", "en"] if wanted.captions else []
    environment = {**os.environ, "VT_ENGINES": "embedded", "VT_MAX_DURATION_MINUTES": "600", "PYTHONPATH": str(ROOT)}
    began, peak = time.monotonic(), 0
    process = psutil.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, held([process, *process.children(recursive=True)]))
        time.sleep(_POLL_SECONDS)
    taken = time.monotonic() - began
    if process.returncode:
        raise SystemExit("the dub failed")
    report = json.loads((folder / f"{path.stem}.{wanted.to}.report.json").read_text(encoding="utf-8"))
    return Run(seconds, taken, peak, report)


def held(processes: Sequence[psutil.Process]) -> int:
    """Return the memory of a command and its children, what they share once.

    A child that has not begun its own program yet has its parent's memory, and would count as much again.
    """
    total, own = 0, _command(processes[0])
    for number, process in enumerate(processes):
        try:
            if not number or _command(process) != own:
                total += process.memory_full_info().pss
        except psutil.Error:  # it has just ended
            continue
    return total


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def told(run: Run) -> None:
    """Print what a run took."""
    engines = {kind: engine["engine"] for kind, engine in run.report["engines"].items() if engine}
    print(f"{run.film_seconds / 60:g} minutes by {engines}")
    for stage in run.report["stages"]:
        print(f"  {stage['name']:<12} {stage['seconds']:8.1f} s")
    print(f"  {run.report['timing']}")
    rest = 1 - sum(stage["seconds"] for stage in run.report["stages"] if stage["name"] in _CORE) / run.seconds
    tell(f"{name_of(run)}: share of all but recognising, translating and speaking", 100 * rest, "%")
    tell(f"{name_of(run)}: times as fast as the film", run.film_seconds / run.seconds, floor=1.5, goal=2.5, more=True)
    tell(f"{name_of(run)}: seconds a minute of film", run.seconds / run.film_seconds * 60, "s")
    tell(f"{name_of(run)}: most memory", run.peak_bytes / _MB, "MB")


def name_of(run: Run) -> str:
    """How a run is called among the results."""
    return f"{run.film_seconds / 60:g} min"


def growth(runs: Sequence[Run]) -> None:
    """Print how time and memory grow with the film: memory from ten minutes on, since shorter films fill no window."""
    sizes = [run.film_seconds for run in runs]
    tell("time: exponent of the film's length", exponent(sizes, [run.seconds for run in runs]), floor=1.05, goal=1.0)
    whole = [run for run in runs if run.film_seconds >= _WINDOWS_SECONDS]
    if len(whole) > 1:
        steps = exponent([run.film_seconds for run in whole], [float(run.peak_bytes) for run in whole])
        tell(f"memory: exponent of the film's length, from {name_of(whole[0])} on", steps, floor=0.1)
    long, short = runs[-1], runs[-2]
    more = (long.peak_bytes - short.peak_bytes) / _MB / ((long.film_seconds - short.film_seconds) / 60)
    tell(f"memory added a minute of film, from {name_of(short)} to {name_of(long)}", more, "MB")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0])
    parser.add_argument("--to", default="es")
    parser.add_argument("--background", default=Background.NONE, choices=[*Background])
    parser.add_argument("--voice", default="", help="such as espeak-ng-es, which is quick; default: the best")
    parser.add_argument("--captions", action="store_true")
    wanted = parser.parse_args()
    sentences = wanted.text.read_text(encoding="utf-8").splitlines() if wanted.text else list(texts.sentences("en"))
    runs = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for minutes in wanted.minutes:
            has_music = wanted.background != Background.NONE
            path = film(
                [line for line in sentences if line.strip()], minutes * 60, folder / "talk.mp4", music=has_music
            )
            runs.append(dubbed(path, minutes * 60, wanted, folder / "out"))
            told(runs[-1])
    if len(runs) > 1:
        growth(runs)


if __name__ == "__main__":
    main()
