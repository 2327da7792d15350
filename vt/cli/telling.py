"""What the command line tells of films that it works on: as text for people, or as one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from vt.cli import display
from vt.cli.display import OnProgress
from vt.domain import JobRequest, Progress
from vt.dubbing.report import DubReport, Report


class State(StrEnum):
    """How a request ended."""

    DONE = "done"
    KEPT = "kept"
    """An earlier run of the same command had done it."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    """The command was stopped before it was done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended, and what there is of it."""

    request: JobRequest
    state: State
    seconds: float = 0.0
    files: tuple[Path, ...] = ()
    report: Report | None = None
    sentence: str = ""
    """Why it failed."""

    def as_json(self) -> dict[str, Any]:
        """Return it as programs read it."""
        values = {**_named(self.request), "state": self.state, "seconds": round(self.seconds, 3)}
        told = {"files": list(map(str, self.files)), "notes": list(self.report.notes if self.report else ())}
        return {**values, **told, **({"error": self.sentence} if self.sentence else {})}


class Teller(Protocol):
    """Tells whoever ran the command how far it is."""

    def say(self, sentence: str) -> None:
        """Tell a sentence, as on what is being downloaded."""
        ...

    def begins(self, request: JobRequest, number: int, count: int) -> None:
        """Tell which of several requests begins; `number` is from 0."""
        ...

    def progress(self, request: JobRequest) -> display.Shown:
        """Show how far a request is while the block runs."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Tell how a request ended."""
        ...

    def result(self, outcomes: Sequence[Outcome]) -> None:
        """Tell at last how all of them ended."""
        ...

    def stopped(self, requests: Sequence[JobRequest]) -> None:
        """Tell at last that somebody has stopped the command; `requests` is all that it was to do, as far as known."""
        ...


class Text:
    """Tells people."""

    def say(self, sentence: str) -> None:
        """Print a sentence."""
        print(sentence, flush=True)  # noqa: T201

    def begins(self, request: JobRequest, number: int, count: int) -> None:
        """Print a line that names the film and the language."""
        self.say(f"\n{number + 1} of {count}: {' '.join(_named(request).values())}")

    def progress(self, request: JobRequest) -> display.Shown:
        """Show bars on a terminal, and lines elsewhere."""
        del request
        return display.progress_display()

    def ended(self, outcome: Outcome) -> None:
        """Print what there is to know of a result, and its files."""
        if outcome.report is None:
            return
        told = outcome.report
        spent = f"{told.total_seconds:.1f} s for " if isinstance(told, DubReport) else ""
        lines = [f"{spent}{told.source.duration_seconds:.1f} s of film.", *told.notes]
        lines += ["", *map(str, outcome.files[1:]), *map(str, outcome.files[:1])]
        self.say("\n".join(lines))

    def result(self, outcomes: Sequence[Outcome]) -> None:
        """Print a table of several outcomes."""
        if len(outcomes) > 1:
            self.say(f"\n{display.outcomes([_row(outcome) for outcome in outcomes])}")

    def stopped(self, requests: Sequence[JobRequest]) -> None:
        """Print nothing: the line on stderr says it."""


class Json:
    """Tells programs."""

    def __init__(self) -> None:
        self._ended: list[Outcome] = []

    def say(self, sentence: str) -> None:
        """Print a sentence as a message."""
        self._print("message", {"text": sentence})

    def begins(self, request: JobRequest, number: int, count: int) -> None:
        """Print nothing: its progress says which it is."""

    @contextmanager
    def progress(self, request: JobRequest) -> Iterator[OnProgress]:
        """Print each hundredth of a stage."""
        last: tuple[str, int] | None = None

        def show(progress: Progress) -> None:
            nonlocal last
            if (now := (progress.stage, int(100 * progress.fraction))) != last:
                last = now
                self._print("progress", {**_named(request), "stage": progress.stage, "fraction": now[1] / 100})

        yield show

    def ended(self, outcome: Outcome) -> None:
        """Print an outcome."""
        self._ended.append(outcome)
        self._print("film", outcome.as_json())

    def result(self, outcomes: Sequence[Outcome]) -> None:
        """Print all outcomes."""
        is_done = all(outcome.state != State.FAILED for outcome in outcomes)
        self._result(State.DONE if is_done else State.FAILED, outcomes)

    def stopped(self, requests: Sequence[JobRequest]) -> None:
        """Print all outcomes; what had not ended is cancelled."""
        left = requests[len(self._ended) :]
        self._result(State.CANCELLED, [*self._ended, *(Outcome(request, State.CANCELLED) for request in left)])

    def _result(self, state: State, outcomes: Sequence[Outcome]) -> None:
        self._print("result", {"state": state, "films": [outcome.as_json() for outcome in outcomes]})

    def _print(self, event: str, values: dict[str, Any]) -> None:
        print(json.dumps({"event": event, **values}, ensure_ascii=False), flush=True)  # noqa: T201


def _named(request: JobRequest) -> dict[str, str]:
    """Return the film and the language of a request; what is only written down has none."""
    target = request.target_language
    return {"film": str(request.source), **({"language": target.code} if target else {})}


def _row(outcome: Outcome) -> tuple[str, str, str, str]:
    """Return an outcome as a row of a table: the film, the language, how it ended, and its main file or the error."""
    named, took = _named(outcome.request), f" {outcome.seconds:.0f} s" if outcome.seconds else ""
    what = outcome.sentence or str(outcome.files[0])
    return Path(named["film"]).name, named.get("language", ""), f"{outcome.state}{took}", " ".join(what.split())
