"""Output for people: progress as bars on a terminal and as lines elsewhere, and tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from vt.domain import Progress, Stage

if TYPE_CHECKING:
    from vt.cli.licences import Part
    from vt.engines.protocols import Voice
    from vt.models.language_support import Offer

OnProgress = Callable[[Progress], None]
Shown: TypeAlias = AbstractContextManager[OnProgress]
"""Shows how far something is while its block runs."""


@contextmanager
def progress_display() -> Iterator[OnProgress]:
    """Show progress on stdout while the block runs."""
    if not sys.stdout.isatty():
        yield _Lines().show
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = TextColumn("{task.description:>10}"), BarColumn(), TextColumn("{task.percentage:3.0f} %")
    with Bars(*columns, TimeElapsedColumn(), console=Console(file=sys.stdout)) as bars:
        stages = list(Stage)
        tasks = {stage: bars.add_task(stage, total=1.0, start=False) for stage in stages}

        def show(progress: Progress) -> None:
            # Stages come in order, so those before this one are done.
            for stage in stages[: stages.index(progress.stage)]:
                bars.update(tasks[stage], completed=1.0)
            bars.start_task(tasks[progress.stage])
            bars.update(tasks[progress.stage], completed=progress.fraction)

        yield show
        for task in tasks.values():
            bars.update(task, completed=1.0)


class _Lines:
    """Prints a line when a stage begins, and at each quarter of it."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None

    def show(self, progress: Progress) -> None:
        """Print a line if a new stage or quarter has begun."""
        quarter = int(progress.fraction * 4) * 25
        if (progress.stage, quarter) != self._said and (quarter == 0 or quarter < 100):
            self._said = (progress.stage, quarter)
            print(f"{progress.stage}: {quarter} %" if quarter else f"{progress.stage} ...", flush=True)  # noqa: T201


def models(state: dict[str, Any]) -> str:
    """Return the state of a server's models as lines for people."""
    cache = state["model_cache"]
    lines = [
        f"{model['cache_key']}  {model['state']}  {model['memory_usage_mb']:.1f} MB  "
        f"{model['leases']} in use  idle {model['idle_seconds']:.0f} s  {model.get('node', '')}".rstrip()
        for model in cache["models"]
    ]
    machine, *cards = cache["memory"]
    totals = [f"{machine['used_mb']:.1f} of {machine['budget_mb']:.0f} MB"]
    totals += [f"{card['device']} {card['used_mb']:.1f} of {card['budget_mb']:.0f} MB" for card in cards]
    counts = f"{cache['hits']} hits, {cache['misses']} misses, {cache['loads']} loads, {cache['evictions']} evictions"
    return "\n".join([*(lines or ["No model is in memory."]), f"{', '.join(totals)}; {counts}."])


def preloaded(started: dict[str, Any]) -> str:
    """Return what a preload has begun with as lines for people."""
    lines = [f"{model['cache_key']}  {model['state']}" for model in started["models"]]
    return "\n".join(lines) or "Nothing is preloaded: that server keeps no models (MODEL_CACHE_ENABLED=false)."


def cleared(result: dict[str, Any]) -> str:
    """Return what went from a server's memory as lines for people."""
    lines = [f"freed {key}" for key in result["freed"]]
    lines += [f"in use, goes with its last user: {key}" for key in result["retiring"]]
    return "\n".join([*(lines or ["No model was in memory."]), f"{result['freed_mb']:.1f} MB freed."])


def licences(parts: Sequence[Part]) -> str:
    """Return the parts of vt as a table for people; those without commercial use are marked."""
    # The licence comes last, because some are as long as a line.
    return _table(
        (part.kind, part.name, part.version, part.needed_for, _licence(part.licence, part.commercial)) for part in parts
    )


def voices(found: Sequence[Voice], left_out: str | None) -> str:
    """Return voices as a table for people; `left_out`: a sentence on engines that the settings leave out."""
    table = _table(
        (one.id, one.language.code, one.name, one.gender, one.engine, _licence(one.licence, one.commercial))
        for one in found
    )
    return "\n".join(filter(None, (table or "No voice speaks that here.", left_out)))


def languages(offers: Sequence[Offer], left_out: str | None) -> str:
    """Return the engines of each language as a table for people; `left_out`: a sentence on those left out."""
    head = ("code", "language", "heard by", "translated from by", "translated to by", "spoken by")
    rows = (
        (
            offer.language.code,
            offer.language.name,
            *(", ".join(names) for names in (offer.hear, offer.translate_from, offer.translate_to, offer.speak)),
        )
        for offer in offers
    )
    return "\n".join(filter(None, (_table([head, *rows]), left_out)))


def jobs(found: Sequence[dict[str, Any]]) -> str:
    """Return jobs of a server as a table for people."""
    return _table(
        (
            job["id"],
            job["state"],
            f"{job['fraction']:.0%}",
            job["request"]["target_language"],
            job["request"]["file"],
            job["error"] or "",
        )
        for job in found
    )


def outcomes(rows: Sequence[tuple[str, ...]]) -> str:
    """Return how several requests ended as a table for people."""
    return _table(rows)


def _licence(licence: str, commercial: bool) -> str:
    return licence + ("" if commercial else " (no commercial use)")


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Return rows as lines, with their columns aligned."""
    listed = list(rows)
    wide = [max(map(len, column)) for column in list(zip(*listed, strict=True))[:-1]]
    padded = ([*(cell.ljust(width) for cell, width in zip(row, wide, strict=False)), row[-1]] for row in listed)
    return "\n".join("  ".join(row).rstrip() for row in padded)
