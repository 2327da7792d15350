"""What a dub costs beyond hearing, translating and speaking: whole run / those stages, on a ten-minute talk.

Run by hand: .venv/bin/python -m benchmarks.overhead [--runs 3] [RECORDING ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.results import tell

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"
CORE = ("transcribe", "translate", "speak")


def talk(recordings: list[Path], seconds: float, folder: Path) -> Path:
    """Repeat recordings until they are `seconds` long, under a picture."""
    length = sum(_seconds(recording) for recording in recordings)
    playlist = folder / "talk.txt"
    names = [str(recording.absolute()).replace("'", "'\\''") for recording in recordings]
    playlist.write_text("".join(f"file '{name}'\n" for name in names) * int(seconds / length + 1))
    film = folder / "talk.mp4"
    argv = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(playlist)]
    argv += ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-map", "0:a", "-map", "1:v", "-t", str(seconds)]
    subprocess.run([*argv, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(film)], check=True)
    return film


def _seconds(recording: Path) -> float:
    argv = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(recording)]
    return float(subprocess.run(argv, check=True, capture_output=True).stdout)


def measure(film: Path, out: Path) -> tuple[float, dict[str, float]]:
    """Dub once; return the seconds of the whole process and those of each stage."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "vt", "translate", str(film), "--to", "es", "-o", str(out)]
    subprocess.run(argv, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - began
    report = json.loads((out / "talk.es.report.json").read_text(encoding="utf-8"))
    return whole, {stage["name"]: stage["seconds"] for stage in report["stages"]}


def main() -> None:
    """Print one line a run, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=10.0)
    arguments = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        film = talk(arguments.recordings, arguments.minutes * 60, Path(name))
        for _ in range(arguments.runs):
            whole, stages = measure(film, Path(name) / "out")
            ratios.append(whole / sum(stages[stage] for stage in CORE))
            print(f"{whole:6.1f} s, ratio {ratios[-1]:.3f}", {stage: round(s, 1) for stage, s in stages.items()})
    tell("whole run / recognising, translating and speaking", ratios, floor=1.10, goal=1.05)


if __name__ == "__main__":
    main()
