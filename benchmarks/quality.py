"""How good a dub is: its timing by the report, and how well it is understood, heard by Whisper.

Run by hand: .venv/bin/python -m benchmarks.quality [--from en] [--to es] [--keep FOLDER] [FILM ...]; without a film the
sample is dubbed. Films are dubbed one by one with the engines that need no download; the last row is of all lines
together. --keep leaves the dubs in a folder, so that one can listen to them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import jiwer
import numpy as np

from benchmarks.results import tell
from vt import languages, media
from vt.domain import Cancel
from vt.dubbing import timing
from vt.engines.protocols import Heard
from vt.engines.whisper import Whisper
from vt.model_files import bundle
from vt.settings import load
from vt.text.normalization import normalized

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"


@dataclass(frozen=True)
class Dub:
    """The lines of one dub, or of several, as their reports have them."""

    name: str
    groups: Sequence[Sequence[dict[str, Any]]]
    """By breath group: the lines that are spoken."""
    errors: float
    """Word errors of the dub as it is heard, against the text that was to be spoken."""
    words: int
    """How many were to be spoken."""
    loudness: Sequence[float]
    """Of each mix, in LUFS."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines."""
        return [line for group in self.groups for line in group]

    @property
    def jump(self) -> float:
        """The largest change of tempo from one line of a breath group to the next."""
        steps = [abs(a["tempo"] - b["tempo"]) for group in self.groups for a, b in pairwise(group)]
        return max(steps, default=0.0)

    def figures(self) -> dict[str, float]:
        """Return what is measured: shares of the lines in per cent."""
        lines = self.lines
        return {
            "overlap": fmean(_overlap(line) for line in lines),
            "above": 100 * fmean(line["tempo"] > timing.COMFORTABLE_TEMPO + 0.0005 for line in lines),
            "fastest": max(line["tempo"] for line in lines),
            "off": 100
            * fmean(abs(line["placed_start"] - line["start"]) > timing.SHIFT_SECONDS + 0.001 for line in lines),
            "errors": 100 * self.errors / max(1, self.words),
        }

    def row(self) -> str:
        """Return what is measured as a row of a table."""
        told = self.figures()
        shorter = sum("shortened" in line for line in self.lines)
        timed = (
            f"{told['overlap']:8.3f} {told['above']:6.1f} {told['fastest']:8.2f} {told['off']:6.1f} {self.jump:6.2f}"
        )
        return f"{self.name[:34]:<34} {len(self.lines):5} {timed} {shorter:8} {told['errors']:8.1f}"


def _overlap(line: dict[str, Any]) -> float:
    lengths = line["end"] - line["start"], line["placed_end"] - line["placed_start"]
    return min(lengths) / max(lengths) if max(lengths) > 0 else 1.0


def dubbed(film: Path, source: str, target: str, folder: Path) -> tuple[dict[str, Any], Path]:
    """Dub a film in a process of its own, and return the report and the film."""
    argv = [sys.executable, "-m", "vt", "translate", str(film), "--from", source, "--to", target, "-o", str(folder)]
    environment = {**os.environ, "VT_ENGINES": "embedded", "PYTHONPATH": str(ROOT)}
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    report = folder / f"{film.stem}.{target}.report.json"
    (made,) = (path for path in folder.glob(f"{film.stem}.{target}.*") if path.suffix in (".mp4", ".m4a"))
    return json.loads(report.read_text(encoding="utf-8")), made


def grouped(lines: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the lines of each breath group that are spoken."""
    group: list[dict[str, Any]] = []
    for line in lines:
        if group and line["start"] - group[-1]["end"] >= timing.BREATH_GROUP_SECONDS:
            yield group
            group = []
        if line["text"]:
            group.append(line)
    if group:
        yield group


def heard(film: Path, language: str, whisper: Whisper) -> str:
    """Return what is said on the first sound track of a dub."""
    info = media.probe(film)
    with tempfile.TemporaryDirectory() as folder:
        samples = np.array(media.extract(info, info.audio[0], Path(folder) / "speech.pcm"))
    found = whisper.transcribe(samples, languages.get(language), Cancel())
    words = [word for one in found if isinstance(one, Heard) for word in one.words]
    return "".join(word.text for word in sorted(words, key=lambda word: word.start))


def plain(text: str, language: str) -> str:
    """Return the words of a text, without case and marks, numbers written out."""
    return " ".join(re.findall(r"[^\W\d_]+", normalized(text, language).lower()))


def measured(film: Path, source: str, target: str, folder: Path, whisper: Whisper) -> Dub:
    """Dub a film and measure it."""
    report, made = dubbed(film, source, target, folder)
    wanted = plain(" ".join(line["text"] for line in report["segments"]), target)
    errors = jiwer.wer(wanted, plain(heard(made, target, whisper), target))
    count = len(wanted.split())
    return Dub(
        film.name, list(grouped(report["segments"])), errors * count, count, [report["loudness"]["integrated_lufs"]]
    )


def main() -> None:
    """Measure, and print a row for each film and one for all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--from", dest="source", default="en")
    parser.add_argument("--to", dest="target", default="es")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--model", default=str(bundle.ROOT / "whisper-base"), help="a folder; default: Whisper base")
    wanted = parser.parse_args()
    whisper = Whisper(wanted.model, load().threads, vad=False)
    dubs = []
    print(f"{'film':<34} lines  overlap  > 1.2  fastest    off   jump  shorter   errors")
    with tempfile.TemporaryDirectory() as name:
        for film in wanted.films:
            dubs.append(measured(film, wanted.source, wanted.target, wanted.keep or Path(name), whisper))
            print(dubs[-1].row(), flush=True)
    groups = [group for dub in dubs for group in dub.groups]
    everything = Dub("all", groups, sum(dub.errors for dub in dubs), sum(dub.words for dub in dubs), [])
    print(everything.row())
    found = everything.figures()
    tell("speech of a line within its original's time, overlap", found["overlap"], floor=0.9, more=True)
    tell("lines above 1.2 times their natural tempo", found["above"], "%", floor=2)
    tell("fastest line", found["fastest"], floor=1.5, goal=1.2)
    tell("lines that start more than 0.3 s from their original", found["off"], "%", floor=2)
    tell("words of the dub that Whisper base hears otherwise", found["errors"], "%", floor=15)
    if wanted.films == [SAMPLE]:
        words = plain(heard(SAMPLE, wanted.source, whisper), wanted.source)
        read = plain(SAMPLE.with_suffix(".txt").read_text(encoding="utf-8"), wanted.source)
        tell(
            "words of the sample that Whisper base hears otherwise", 100 * float(jiwer.wer(read, words)), "%", floor=10
        )
    loudest = max(abs(loud + 16) for dub in dubs for loud in dub.loudness)
    tell("loudness of the mix, away from -16 LUFS", loudest, "LU", floor=1)


if __name__ == "__main__":
    main()
