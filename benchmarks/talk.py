"""A whole talk, dubbed with the engines that need no download: how fast, what takes the time, and in what memory.

Run by hand: .venv/bin/python -m benchmarks.talk TEXT [--minutes 10] [--to es] [--background duck] [--long 120]
             [--captions]

TEXT holds English sentences, one a line. espeak-ng speaks them into a film of which four fifths are speech; the rest is
pauses. With --background there is soft music under all of it. --long dubs a longer film as well, whose lines come again
in another order, and compares memory and time of both. With --captions the sentences come as subtitles, and nothing is
recognised: two hours take some minutes then.
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

from vt.domain import Background, Cancel
from vt.engines.espeak import NATIVE_RATE, Espeak

ROOT = Path(__file__).parent.parent
_SPEECH = 0.8
_CORE = ("transcribe", "translate", "speak")
_MUSIC = "0.02*(sin(2*PI*196*t)+sin(2*PI*247*t)+sin(2*PI*294*t))*(0.6+0.4*sin(2*PI*0.2*t))"
"""Three notes that swell, about 20 dB below the voice."""
_POLL_SECONDS = 0.5
_MB = 2**20


@dataclass(frozen=True)
class Run:
    """One dub, measured."""

    film_seconds: float
    seconds: float
    peak_bytes: int
    """Of the process and all that it started, at its largest; what they share counts once."""
    report: dict[str, Any]


def lines(text: Path) -> Iterator[str]:
    """Yield the sentences for ever, each time in another order, and with a number so that none is said twice."""
    sentences = [line.strip() for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
    for turn in count():
        order = random.Random(turn).sample(sentences, len(sentences))  # noqa: S311
        yield from order if not turn else (f"Part {turn + 1}: {sentence}" for sentence in order)


def film(text: Path, seconds: float, path: Path, *, music: bool) -> Path:
    """Make a film that lasts so long, with or without music, and its subtitles beside it."""
    spoken: list[NDArray[np.int16]] = []
    cues: list[str] = []
    length = 0
    voice = Espeak("en-us", os.cpu_count() or 1)
    source = lines(text)
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


def dubbed(path: Path, seconds: float, target: str, background: str, folder: Path, *, captions: bool) -> Run:
    """Dub a film in a process of its own."""
    argv = [sys.executable, "-m", "vt", "translate", str(path), "--to", target, "-o", str(folder)]
    argv += ["--background", background]
    argv += ["--subtitles", str(path.with_suffix(".srt")), "--from", "en"] if captions else []
    environment = {**os.environ, "VT_ENGINES": "embedded", "VT_MAX_DURATION_MINUTES": "600", "PYTHONPATH": str(ROOT)}
    began, peak = time.monotonic(), 0
    process = psutil.Popen(argv, env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, _held([process, *process.children(recursive=True)]))
        time.sleep(_POLL_SECONDS)
    taken = time.monotonic() - began
    if process.returncode:
        raise SystemExit("the dub failed")
    report = json.loads((folder / f"{path.stem}.{target}.report.json").read_text(encoding="utf-8"))
    return Run(seconds, taken, peak, report)


def _held(processes: Sequence[psutil.Process]) -> int:
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
    print(f"{run.film_seconds / 60:.0f} minutes by {engines}")
    for stage in run.report["stages"]:
        print(f"  {stage['name']:<12} {stage['seconds']:8.1f} s")
    rest = 1 - sum(stage["seconds"] for stage in run.report["stages"] if stage["name"] in _CORE) / run.seconds
    print(f"  all but recognising, translating and speaking: {rest:.1%} of the run (at most 8 %)")
    ratio = run.film_seconds / run.seconds
    print(f"  {run.seconds:.0f} s: {ratio:.2f} times as fast as the film (floor 1.5, goal 2.5)")
    print(f"  peak {run.peak_bytes / _MB:.0f} MB; {run.report['timing']}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("text", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--to", default="es")
    parser.add_argument("--background", default=Background.NONE, choices=[*Background])
    parser.add_argument("--long", type=float, default=0.0)
    parser.add_argument("--captions", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = []
        for minutes in filter(None, (wanted.minutes, wanted.long)):
            has_music = wanted.background != Background.NONE
            path = film(wanted.text, minutes * 60, folder / f"talk{minutes:.0f}.mp4", music=has_music)
            how = {"captions": wanted.captions}
            runs.append(dubbed(path, minutes * 60, wanted.to, wanted.background, folder / "out", **how))
            told(runs[-1])
        if len(runs) > 1:
            print(f"peak of the long film: {runs[1].peak_bytes / runs[0].peak_bytes:.2f} (at most 1.10)")
            pace = runs[1].seconds / runs[0].seconds / (runs[1].film_seconds / runs[0].film_seconds)
            print(f"time of the long film for its length: {pace:.3f} (at most 1.017: 12.2 for 12 times the length)")


if __name__ == "__main__":
    main()
