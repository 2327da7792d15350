"""vt beside programs of others, which are installed from the package index: the same film, each as a command.

Run by hand: .venv/bin/python -m benchmarks.peers [--minutes 5] [--runs 2]

Each program gets a virtual environment of its own, which is made on first use and kept in the user's cache (about
135 MB are fetched for all); nothing of it is loaded into vt. All ways begin with a process that has loaded nothing, and
take turns. What cannot be compared is told at the end, with the reason.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jiwer

from benchmarks import quality, talk, texts
from benchmarks.programs import Cost, Program, ProgramError, installed, run
from benchmarks.results import leave_out, tell
from vt import media
from vt.engines.whisper import Whisper
from vt.model_files import bundle
from vt.settings import load

WHISPER_CTRANSLATE2 = Program("whisper-ctranslate2", "0.5.8")
FASTDUB = Program("fastdub", "3.9.1")
_NO_HUB = "its Whisper is one of the hub's, it takes no folder"
LEFT_OUT: Mapping[Program, str] = {
    Program("open-dubbing", "0.2.3"): (
        "it needs torch, of 2.5 GB with its libraries, and demucs 4.0.1, which is no wheel. Installed by hand, it"
        " does not begin with the torchaudio that pip takes; with torchaudio 2.7.0 it asks for a token of the hub."
    ),
    Program("videopython[ai]", "0.62.2"): "it needs torch, of 2.5 GB with its libraries: not installed.",
    Program("mazinger[transcribe-faster,tts]", "2.3.3"): "it needs torch, of 2.5 GB with its libraries: not installed.",
    Program("argostranslate", "1.11.0"): "it needs torch, of 2.5 GB with its libraries: not installed.",
    Program("mtt-transcriber", "0.3.0"): f"{_NO_HUB}. It translates and speaks by services of others.",
    Program("translatedub[free]", "0.4.0"): f"{_NO_HUB}. It translates and speaks by services of others.",
    Program("piper-tts", "1.8.0"): "its package has no voice, and gets them from the hub.",
}
"""What was tried by hand in November 2026, without a hub, and what became of it."""
_VOICE = "Spanish (Spain)"
"""espeak-ng's, as fastdub calls it."""
_MODEL = bundle.ROOT / "whisper-base"
_MOST_SECONDS = 300
_MB = 2**20
_VT = (sys.executable, "-m", "vt")
_AS_VT = {"DEVICE": "cpu", "VT_ENGINES": "embedded", "PYTHONPATH": str(quality.ROOT)}


@dataclass
class Way:
    """One way to get something from a film."""

    name: str
    argv: Sequence[str]
    more: Mapping[str, str] = field(default_factory=dict)
    """Variables of its environment."""
    costs: list[Cost] = field(default_factory=list)
    """Of each run."""

    @property
    def seconds(self) -> list[float]:
        """Of each run."""
        return [cost.seconds for cost in self.costs]


def in_turns(ways: Sequence[Way], folder: Path, runs: int) -> list[Way]:
    """Run them in a folder, every other time in the opposite order, and return those that did not fail.

    A program of others that fails is left out; where vt fails, there is nothing to compare, and this process ends.
    """
    left = list(ways)
    for turn in range(runs):
        for way in left[:: -1 if turn % 2 else 1]:
            try:
                way.costs.append(run(way.argv, folder, _MOST_SECONDS, way.more))
            except ProgramError as error:
                if way.more is _AS_VT:
                    sys.exit(f"{way.name}: {error}")
                leave_out(f"{way.name}: {error}")
                left.remove(way)
    return left


def tell_costs(ways: Sequence[Way], of: str) -> None:
    """Tell what each way took."""
    for way in ways:
        tell(f"{way.name}: seconds for {of}", way.seconds, "s")
        tell(f"{way.name}: processor time for {of}", [cost.processor_seconds for cost in way.costs], "s")
        tell(f"{way.name}: most memory for {of}", [cost.peak_bytes / _MB for cost in way.costs], "MB")


def ratios(ours: Way, theirs: Way) -> list[float]:
    """Return how many times as fast the first is, run by run."""
    return [their / our for our, their in zip(ours.seconds, theirs.seconds, strict=True)]


def heard_by(film: Path, folder: Path, command: Path) -> list[Way]:
    """Return the ways to write down what is said: the same model, threads and kind of numbers, all words with times."""
    asked = ["--from", "en", "--speakers", "1", "--output-format", "json"]
    theirs = [str(command), str(film), "--model_directory", str(_MODEL), "--device", "cpu", "--compute_type", "int8"]
    theirs += ["--threads", str(load().threads), "--language", "en", "--word_timestamps", "True"]
    theirs += ["--output_format", "json", "--verbose", "False"]
    batched = ["--batched", "True", "-o", str(folder / f"{WHISPER_CTRANSLATE2}, batched")]
    return [
        Way("vt", [*_VT, "transcribe", str(film), *asked, "-o", str(folder / "vt")], _AS_VT),
        Way(str(WHISPER_CTRANSLATE2), [*theirs, "-o", str(folder / str(WHISPER_CTRANSLATE2))]),
        Way(f"{WHISPER_CTRANSLATE2}, batched", [*theirs, *batched]),
    ]


def hearing(minutes: float, runs: int, folder: Path) -> None:
    """Compare how a film of spoken sentences is written down."""
    film = talk.film(list(texts.sentences("en")), minutes * 60, folder / "talk.mp4", music=False)
    said = quality.plain(spoken(film.with_suffix(".srt")), "en")
    ways = in_turns(heard_by(film, folder, installed(WHISPER_CTRANSLATE2)), folder, runs)
    tell_costs(ways, f"hearing {minutes:g} min")
    wrong = {way.name: 100 * errors(folder / way.name / "talk.json", said) for way in ways}
    ours, *others = ways
    for name, share in wrong.items():
        tell(f"{name}: words heard wrong", share, "%")
    for other in others:
        tell(f"vt: times as fast as {other.name}", ratios(ours, other), floor=1, more=True)
        tell(f"vt: words wrong beyond {other.name}'s, points", wrong[ours.name] - wrong[other.name], floor=0.5, goal=0)


def spoken(captions: Path) -> str:
    """Return the text of a file of captions."""
    return re.sub(r"^\d+\n.* --> .*\n", "", captions.read_text(encoding="utf-8"), flags=re.MULTILINE)


def errors(transcript: Path, said: str) -> float:
    """Return the word error rate of a transcript in JSON."""
    heard = json.loads(transcript.read_text(encoding="utf-8"))["text"]
    return float(jiwer.wer(said, quality.plain(heard, "en")))


@dataclass(frozen=True)
class Original:
    """A film, and what a dub by vt left beside it."""

    film: Path
    folder: Path
    """Of the dub."""
    report: Mapping[str, Any]

    @property
    def said(self) -> str:
        """The words of the dub."""
        return quality.plain(" ".join(line["text"] for line in self.report["segments"]), "es")

    @property
    def captions(self) -> Path:
        """What is said in the film."""
        return self.folder / f"{self.film.stem}.en.srt"

    @property
    def translated(self) -> Path:
        """The captions of the dub."""
        return self.folder / f"{self.film.stem}.es.srt"


def dubbing(runs: int, folder: Path) -> None:
    """Compare how the sample is dubbed into Spanish, by the same voice, over the original's sound."""
    original = _dubbed(folder / "whole")
    theirs = folder / "theirs"
    theirs.mkdir()
    (theirs / "film.srt").symlink_to(original.translated)
    (theirs / "film.mp4").symlink_to(original.film)
    how = ["--from", "en", "--to", "es", "--subtitles", str(original.captions), "--tts-engine", "espeak-ng"]
    ours = [*_VT, "translate", str(original.film), *how, "--background", "duck", "-o", str(folder / "ours")]
    given = [str(installed(FASTDUB)), "-i", str(theirs), "-l", "es", "-v", _VOICE, "-y"]
    names = "vt, by captions", f"{FASTDUB}, by translated captions"
    ways = in_turns([Way(names[0], ours, _AS_VT), Way(names[1], given, {"COLUMNS": "300"})], folder, runs)
    tell_costs(ways, "dubbing the sample")
    made = {names[0]: folder / "ours" / f"{original.film.stem}.es.mp4", names[1]: theirs / "_result" / "film_es.mkv"}
    tell_quality({way.name: made[way.name] for way in ways}, original)


def _dubbed(folder: Path) -> Original:
    """Dub the sample from its sound, and tell what it takes."""
    argv = [*_VT, "translate", str(quality.SAMPLE), "--from", "en", "--to", "es", "--tts-engine", "espeak-ng"]
    way = Way("vt, from the sound", [*argv, "-o", str(folder)], _AS_VT)
    in_turns([way], quality.ROOT, 1)
    tell_costs([way], "dubbing the sample")
    report = (folder / f"{quality.SAMPLE.stem}.es.report.json").read_text(encoding="utf-8")
    return Original(quality.SAMPLE, folder, json.loads(report))


def tell_quality(made: Mapping[str, Path], original: Original) -> None:
    """Tell whether dubs keep time, and how well Whisper understands them."""
    whisper, length = Whisper(str(_MODEL), load().threads, vad=False), media.probe(original.film).seconds
    for name, film in made.items():
        heard = quality.plain(quality.heard(film, "es", whisper), "es")
        tell(f"{name}: length of the dub by the film's", media.probe(film).seconds / length)
        tell(f"{name}: words of the dub heard otherwise", 100 * float(jiwer.wer(original.said, heard)), "%")


def attempted(compare: Callable[[], None], program: Program) -> None:
    """Compare with a program, and leave it out where it cannot be installed or run."""
    try:
        compare()
    except ProgramError as error:
        leave_out(f"{program}: {error}")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="of the film that is heard")
    parser.add_argument("--runs", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        attempted(lambda: hearing(wanted.minutes, wanted.runs, Path(name)), WHISPER_CTRANSLATE2)
        attempted(lambda: dubbing(wanted.runs, Path(name)), FASTDUB)
    for program, why in LEFT_OUT.items():
        leave_out(f"{program}: {why}")


if __name__ == "__main__":
    main()
