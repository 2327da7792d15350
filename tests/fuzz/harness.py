"""Thousands of damaged files sent the way of an upload: each ends in a documented error or a right result."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from numpy.typing import NDArray

from tests.fakes import ScriptedTranscriber
from tests.fuzz import mutations, seeds
from tests.test_jobs import SCRIPT, SPEC, Desk
from vt import media
from vt.domain import Cancel, Dropped, JobSpec, JobState
from vt.engines.protocols import Heard
from vt.errors import VtError
from vt.languages import Language
from vt.web.http_statuses import status_of

Tell = Callable[[str], object]

CASE_SECONDS = 150.0
"""Only what hangs takes so long: looking into a film may take 60 s, and each of a job's programs has its own limit."""
_WARM_CASES = 40
_NOTED_LATER = "served-time"
"""A note of the server's own, which it makes now and then."""
_SAMPLED = 10
GROWTH_BYTES = 80 * 2**20
_LONGEST_SENTENCE = 600
_UNEXPECTED = "An unexpected error"
_MINUTES = 2.0
"""Of the longest film: mutated headers promise years."""


@dataclass(frozen=True)
class Case:
    """One damaged file; its number and the seed of the run make it again."""

    seed: int
    number: int
    name: str
    ways: tuple[str, ...]
    content: bytes = field(repr=False)
    subtitles: bytes | None = field(repr=False)
    is_dubbed: bool


Act = Callable[[Case, list[str]], str]
"""Does something with a case, adds to the list what is wrong, and says what came of it."""


@dataclass
class Summary:
    """What came of a run."""

    seed: int
    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    """How often a case ended in what: a result, or an error by its class."""
    failures: list[str] = field(default_factory=list)
    """What must not be, each with what makes it again."""
    seconds: float = 0.0
    grown_bytes: int = 0
    """Of memory, from the first cases to the last."""

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        grown = self.grown_bytes / 2**20
        return (
            f"seed {self.seed}: {self.cases} cases in {self.seconds:.0f} s, {len(self.failures)} failures, "
            f"{grown:+.0f} MB: {told}"
        )


def run(
    cases: int | None = None,
    *,
    seconds: float | None = None,
    seed: int = 0,
    first: int = 0,
    tell: Tell = lambda _: None,
    dubbed: float = 0.1,
) -> Summary:
    """Send damaged files the way of an upload until there were enough of them, or the time is over.

    Args:
        cases: how many.
        seconds: for how long.
        seed: of the first case; each has one of its own, made of this and its number.
        first: the number of the first case: `run(1, seed=..., first=...)` makes a single one again.
        tell: is told of failures, and now and then of how it goes.
        dubbed: the share that is put into the queue, and dubbed where it can be, rather than only looked into.
    """
    summary, began = Summary(seed), time.monotonic()
    with TemporaryDirectory(prefix="vt-fuzz-") as folder, closing(Bench(Path(folder))) as bench:
        for number in count(first):
            if summary.cases == cases or (seconds is not None and time.monotonic() - began >= seconds):
                break
            _one(bench, bench.case(seed, number, dubbed), summary, began, tell)
        summary.grown_bytes = bench.grown
        if summary.grown_bytes > GROWTH_BYTES:
            summary.failures.append(f"memory has grown by {summary.grown_bytes / 2**20:.0f} MB")
    summary.seconds = time.monotonic() - began
    tell(str(summary))
    return summary


def _one(bench: Bench, case: Case, summary: Summary, began: float, tell: Tell) -> None:
    outcome, wrong = bench.ended(case)
    summary.cases += 1
    summary.seconds = time.monotonic() - began
    summary.outcomes[outcome] += 1
    for sentence in wrong:
        summary.failures.append(f"{case}: {sentence}")
        tell(f"run(1, seed={case.seed}, first={case.number}): {case.name} ({', '.join(case.ways)}): {sentence}")
    if summary.cases % 200 == 0:
        tell(str(summary))


class Within(ScriptedTranscriber):
    """Hears of its script what lies within the sound."""

    def transcribe(self, samples: NDArray[np.float32], language: Language, cancel: Cancel) -> Iterator[Heard | Dropped]:
        end = len(samples) / media.SPEECH_RATE
        for found in super().transcribe(samples, language, cancel):
            if isinstance(found, Heard):
                yield Heard(tuple(word for word in found.words if word.end <= end))


class Bench:
    """A desk that takes films in, with fakes in place of models, and what is looked at around it."""

    def __init__(self, folder: Path) -> None:
        (folder / "seeds").mkdir()
        self._seeds = [(path.name, path.read_bytes()) for path in seeds.make(folder / "seeds")]
        self._contents = [content for _, content in self._seeds]
        self._desk = Desk(folder / "data", max_duration_minutes=_MINUTES)
        self._desk.factory.heard = Within(SCRIPT)
        self._data = folder / "data"
        self._pool = ThreadPoolExecutor(1, "fuzz")
        self._process = psutil.Process()
        self._children = {child.pid for child in self._process.children(recursive=True)}
        self._left = self._listed()
        self._memory: list[int] = []
        self._ended = 0

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._desk.close()

    def case(self, seed: int, number: int, dubbed: float) -> Case:
        """Make a case, always the same one of the same numbers."""
        chance = Random(f"{seed} {number}")
        name, content = chance.choice(self._seeds)
        content, ways = mutations.mutated(content, self._contents, chance)
        is_dubbed = chance.random() < dubbed
        subtitles = None
        if is_dubbed and chance.random() < 0.5:
            text = chance.choice((seeds.SRT, seeds.VTT)).encode(chance.choice(("utf-8", "utf-16", "utf-16-le")))
            subtitles = mutations.mutated(text, [text, *self._contents], chance)[0] if chance.random() < 0.7 else text
        return Case(seed, number, name, tuple(ways), content, subtitles, is_dubbed)

    def ended(self, case: Case, act: Act | None = None) -> tuple[str, list[str]]:
        """Return what a case ended in, and what is wrong with that.

        `act` is what is done with it; None: it is dubbed or looked into, as the case says.
        """
        wrong: list[str] = []
        try:
            act = act or (self._dub if case.is_dubbed else self._inspect)
            outcome = self._pool.submit(act, case, wrong).result(CASE_SECONDS)
        except TimeoutError:
            return "hangs", [f"it takes longer than {CASE_SECONDS:.0f} s"]
        except VtError as error:
            outcome = type(error).__name__
            if status_of(error) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                wrong.append(f"{outcome} is no documented error: {error}")
            wrong += self._wrong_words(str(error))
        except Exception as error:  # noqa: BLE001 (that is what is looked for)
            outcome = "crash"
            wrong.append(f"{type(error).__name__}: {error}")
        return outcome, wrong + self._traces()

    def _inspect(self, case: Case, wrong: list[str]) -> str:
        with self._desk.jobs.draft() as draft:
            draft.film.write_bytes(case.content)
            found = self._desk.jobs.inspect(draft, f"my/../{case.name}")
        if found["file"] != case.name:
            wrong.append(f"the name became {found['file']}")
        return "inspected"

    def _dub(self, case: Case, wrong: list[str]) -> str:
        desk = self._desk
        with desk.jobs.draft() as draft:
            draft.film.write_bytes(case.content)
            if case.subtitles is not None:
                draft.subtitles.write_bytes(case.subtitles)
            named = None if case.subtitles is None else "talk.srt"
            order = JobSpec(file=case.name, target_language=SPEC.target_language, source_language="en", subtitles=named)
            job_id = desk.jobs.submit(draft, order).id
        try:
            return self._result(job_id, wrong)
        finally:
            desk.jobs.remove(job_id)

    def _result(self, job_id: str, wrong: list[str]) -> str:
        until = time.monotonic() + CASE_SECONDS - 10
        while not (job := self._desk.jobs.get(job_id)).state.is_over:
            if time.monotonic() > until:
                wrong.append(f"the job hangs in the stage {job.stage}")
                return "hangs"
            time.sleep(0.01)
        if job.state is JobState.DONE:
            wrong += self._wrong_film(job_id)
            return "dubbed"
        said = job.error or ""
        if not said or said.startswith(_UNEXPECTED):
            wrong.append(f"the job failed: {said}")
        wrong += self._wrong_words(said)
        return "failed"

    def _wrong_film(self, job_id: str) -> list[str]:
        """Return what is wrong with a dub: it can be read, and lasts as long as the film."""
        told = self._desk.jobs.report(job_id).source.duration_seconds
        there = media.measured_seconds(media.probe(self._desk.jobs.original(job_id).path))
        after = media.probe(self._desk.jobs.film(job_id).path).seconds
        is_right = min(told, there) - 0.5 <= after <= max(told, there) + 0.5  # damaged, a film may be of two minds
        return [] if is_right else [f"the dub lasts {after:.2f} s, the film {told:.2f} or {there:.2f} s"]

    def _wrong_words(self, said: str) -> list[str]:
        """Return what must not stand in a sentence that users see."""
        bad = [word for word in (str(self._data), "/tmp", "Traceback", 'File "', "\n") if word in said]  # noqa: S108
        return [f"the sentence holds {bad}: {said}"] if bad or len(said) > _LONGEST_SENTENCE else []

    def _traces(self) -> list[str]:
        """Return what a case has left behind: files, processes."""
        self._ended += 1
        if self._ended % _SAMPLED == 0:
            self._memory.append(self._process.memory_info().rss)
        left = self._listed() - self._left
        orphans = [child for child in self._process.children(recursive=True) if child.pid not in self._children]
        self._left |= left  # told once
        return [f"left behind: {sorted(left)}"] * bool(left) + [f"orphans: {orphans}"] * bool(orphans)

    def _listed(self) -> set[str]:
        jobs = {str(path.relative_to(self._data)) for path in (self._data / "jobs").rglob("*")}
        return jobs | {path.name for path in self._data.iterdir() if path.name.removesuffix(".new") != _NOTED_LATER}

    @property
    def grown(self) -> int:
        """By how much the memory of the last quarter's least is more than that of the first, once all is warm."""
        warm = self._memory[_WARM_CASES // _SAMPLED :]
        quarter = max(1, len(warm) // 4)
        return min(warm[-quarter:]) - min(warm[:quarter]) if len(warm) > 1 else 0
