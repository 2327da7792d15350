"""Films that no program would make are dubbed without models: each keeps its length, or is refused in a sentence."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.asking import asked
from tests.fakes import FakeFactory, ToneSynthesizer
from tests.fuzz import containers
from tests.fuzz.containers import Container
from tests.fuzz.harness import Summary, Tell, Within
from tests.test_jobs import SCRIPT
from vt import media
from vt.dubbing import pipeline
from vt.errors import InputError, VtError

LONGEST_SECONDS = 120.0
MOST_DIFFERENCE = 0.1
"""In seconds, between a dub and what ffmpeg decodes of the film."""
_UNIT = re.compile(r"^#tb (\d+): (\d+)/(\d+)$", re.MULTILINE)
_PACKET = re.compile(r"^(\d+), +-?\d+, +(-?\d+), +(\d+),", re.MULTILINE)
"""In ffmpeg's list of checksums: the unit of a track's times; a packet's track, time and length."""
_RATE = 16_000
_PLAYED = ("-af", f"aresample={_RATE}:async=1", "-ac", "1", "-f", "s16le")


def run(cases: int, *, seed: int = 0, first: int = 0, tell: Tell = lambda _: None) -> Summary:
    """Dub so many films that no program would make.

    Args:
        cases: how many.
        seed: of the run; each film has one of its own, made of this and its number.
        first: the number of the first: `run(1, seed=..., first=...)` makes a single one again.
        tell: is told of failures, and now and then of how it goes.
    """
    summary, began = Summary(seed), time.monotonic()
    with TemporaryDirectory(prefix="vt-containers-") as name:
        folder = Path(name)
        (folder / "sources").mkdir()
        sources = containers.make_sources(folder / "sources")
        for number in range(first, first + cases):
            _one(sources, folder / "case", number, summary, tell)
    summary.seconds = time.monotonic() - began
    tell(str(summary))
    return summary


def _one(sources: Sequence[Path], folder: Path, number: int, summary: Summary, tell: Tell) -> None:
    folder.mkdir()
    case = containers.make(sources, summary.seed, number, folder)
    outcome, wrong = ended(case)
    summary.cases += 1
    summary.outcomes[outcome] += 1
    for sentence in wrong:
        summary.failures.append(f"{case}: {sentence}")
        tell(f"--containers 1 --seed {case.seed} --first {number}: {', '.join(case.ways)}: {sentence}")
    shutil.rmtree(folder)
    if summary.cases % 50 == 0:
        tell(str(summary))


def ended(case: Container) -> tuple[str, list[str]]:
    """Return what the dub of a film ended in, and what is wrong with that."""
    work = case.path.parent / "work"
    work.mkdir()
    factory = FakeFactory(Within(SCRIPT), ToneSynthesizer())
    request = asked(case.path, "es", "en", longest_seconds=LONGEST_SECONDS)
    try:
        if pipeline.check(request, factory) > LONGEST_SECONDS:
            return "too long", []  # which a server refuses before it takes the job
        result = pipeline.dub(request, factory, work)
    except VtError as error:
        said = str(error)
        documented = isinstance(error, InputError) and "\n" not in said
        return type(error).__name__, [] if documented else [f"{type(error).__name__}: {said}"]
    except Exception as error:  # noqa: BLE001 (that is what is looked for)
        return "crash", [f"{type(error).__name__}: {error}"]
    return "dubbed", wrong_length(case.path, result.files[0])


def wrong_length(film: Path, dub: Path) -> list[str]:
    """Return what is wrong with the length of a dub: it lasts as long as what ffmpeg decodes of its film."""
    decoded, lasts = decoded_seconds(film), media.probe(dub).seconds
    is_right = abs(decoded - lasts) <= MOST_DIFFERENCE or abs(played_seconds(film) - lasts) <= MOST_DIFFERENCE
    return [] if is_right else [f"the dub lasts {lasts:.2f} s, and what ffmpeg decodes of the film {decoded:.2f} s"]


def decoded_seconds(path: Path) -> float:
    """Return when the last of what ffmpeg decodes of a film's picture and sound ends, but for other programmes."""
    info = media.probe(path)
    heard = [track for track in info.audio if track.sample_rate and track.channels and media.is_decodable(track)]
    kept = [track for track in heard if not info.is_foreign(track)]
    maps = [part for track in (info.video, *kept) if track for part in ("-map", f"0:{track.index}")]
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-nostats", "-i", f"file:{path}", *maps, "-f", "framecrc", "pipe:1"]
    said = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=120).stdout
    units = {track: int(part) / int(whole) for track, part, whole in _UNIT.findall(said)}
    return max(((int(start) + int(lasts)) * units[track] for track, start, lasts in _PACKET.findall(said)), default=0.0)


def played_seconds(path: Path) -> float:
    """Return when the last of a file of sound alone ends if it is played by its clock; 0 for a film with a picture.

    A live recording may give one time to many packets. They cannot all be heard at that time: they follow each other.
    """
    info = media.probe(path)
    if info.video or not info.audio:
        return 0.0
    track = ["-map", f"0:{info.audio[0].index}"]
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-nostats", "-i", f"file:{path}"]
    argv += [*track, "-f", "framecrc", "pipe:2", *track, *_PLAYED, "pipe:1"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=120)
    said = done.stderr.decode(errors="replace")
    units, begins = _UNIT.search(said), _PACKET.search(said)
    if not units or not begins:
        return 0.0
    return int(begins[2]) * int(units[2]) / int(units[3]) + len(done.stdout) / 2 / _RATE
