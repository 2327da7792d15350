"""How well each route of translation does: chrF by sacrebleu on lines with their translations.

Run by hand: .venv/bin/python -m benchmarks.translation [FOLDER] [--models FOLDER] [--table]

FOLDER holds pairs of files of as many lines, such as flores-dev.200.en-es.en and flores-dev.200.en-es.es. Files whose
first language has the same lines give pairs of their second languages, too. Without it the lines are those of the
Declaration of Human Rights (see texts.py), which are harder: long, and solemn. --table prints
vt/engines/translation_routes.tsv.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sacrebleu

from benchmarks.results import tell
from benchmarks.texts import parallel
from vt import languages
from vt.domain import Cancel
from vt.engines import apertium, firefox, translation_routes
from vt.engines.protocols import Translator
from vt.engines.translation_routes import Hop, Table

MODELS = Path(sys.prefix) / "share" / "vt" / "models" / "firefox"
FLOORS = {("en", "es"): 50.0, ("en", "ca"): 59.0, ("en", "fr"): 51.0, ("es", "en"): 54.0, ("ca", "en"): 62.0}
_RIDGE = 0.03
"""How much a fitted cost is drawn to the usual one."""
_LEAST = 0.01
PAIRS = (("en", "es"), ("en", "fr"), ("en", "ca"), ("es", "en"), ("fr", "en"), ("ca", "en"))
"""Of which the Declaration is translated."""
Pair = tuple[str, str]
Lines = tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """One route over one pair's lines."""

    hops: tuple[Hop, ...]
    chrf: float
    bleu: float


@dataclass
class Engines:
    """Every hop that is here; what was translated once is kept."""

    models: Path
    loaded: dict[Hop, Translator] = field(default_factory=dict)
    done: dict[tuple[tuple[Hop, ...], Lines], Lines] = field(default_factory=dict)

    def hops(self) -> list[Hop]:
        """Load what is here."""
        for pair, mode in apertium.pairs().items():
            self.loaded[Hop("apertium", *pair)] = apertium.Apertium(mode)
        for folder in sorted(self.models.glob("*-*")):
            source, _, target = folder.name.partition("-")
            if firefox.missing(folder) is None:
                self.loaded[Hop("firefox", source, target)] = firefox.Firefox(folder, languages.get(target))
        return sorted(self.loaded)

    def translated(self, hops: tuple[Hop, ...], lines: Lines) -> Lines:
        """Translate hop after hop."""
        if not hops:
            return lines
        if (hops, lines) not in self.done:
            before = self.translated(hops[:-1], lines)
            self.done[hops, lines] = tuple(self.loaded[hops[-1]].translate(before, Cancel()))
        return self.done[hops, lines]


def texts(folder: Path) -> dict[Pair, tuple[Lines, Lines]]:
    """Return the lines of every pair, in both directions."""
    found: dict[Pair, tuple[Lines, Lines]] = {}
    beside: dict[Lines, dict[str, Lines]] = {}
    for file in sorted(folder.glob("*.*-*.*")):
        stem, _, language = file.name.rpartition(".")
        first, _, second = stem.rpartition(".")[2].partition("-")
        if language == first:
            lines = tuple(file.read_text(encoding="utf-8").splitlines())
            other = tuple(file.with_name(f"{stem}.{second}").read_text(encoding="utf-8").splitlines())
            beside.setdefault(lines, {first: lines})[second] = other
    for group in beside.values():
        found |= {(one, two): (group[one], group[two]) for one, two in itertools.permutations(group, 2)}
    return found


def results(engines: Engines, pairs: dict[Pair, tuple[Lines, Lines]]) -> Iterator[Result]:
    """Yield every route over every pair, best first."""
    here = engines.hops()
    for (source, target), (lines, wanted) in sorted(pairs.items()):
        found = []
        for hops in translation_routes.ways(here, source, target):
            said = engines.translated(hops, lines)
            scores = sacrebleu.corpus_chrf(said, [wanted]).score, sacrebleu.corpus_bleu(said, [wanted]).score
            found.append(Result(hops, round(scores[0], 2), round(scores[1], 1)))
        yield from sorted(found, key=lambda one: (-one.chrf, one.hops))


def fitted(found: list[Result]) -> dict[Hop, float]:
    """Return the costs by which measured scores are explained best: log chrF = what there is to gain - the costs.

    No hop costs less than `_LEAST`: what would, is held there while the others are fitted again.
    """
    hops = sorted({hop for one in found for hop in one.hops})
    pairs = sorted({(one.hops[0].source, one.hops[-1].target) for one in found})
    usual = np.array([translation_routes.usual_cost(hop) for hop in hops])
    known = np.array([[-one.hops.count(hop) for hop in hops] for one in found], float)
    gains = np.array([[(one.hops[0].source, one.hops[-1].target) == pair for pair in pairs] for one in found], float)
    scores = np.log([one.chrf for one in found])
    costs, free = np.full(len(hops), _LEAST), np.full(len(hops), True)
    while True:
        drawn = np.hstack([_RIDGE * np.eye(len(hops))[free][:, free], np.zeros((free.sum(), len(pairs)))])
        rows = np.vstack([np.hstack([known[:, free], gains]), drawn])
        wanted = np.concatenate([scores - known[:, ~free] @ costs[~free], _RIDGE * usual[free]])
        costs[free] = np.linalg.lstsq(rows, wanted, rcond=None)[0][: free.sum()]
        if not (costs < _LEAST).any():
            return {hop: round(float(cost), 3) for hop, cost in zip(hops, costs, strict=True)}
        free &= costs >= _LEAST
        costs[~free] = _LEAST


def table(found: list[Result], source: str) -> Iterator[str]:
    """Yield the lines of vt/engines/translation_routes.tsv."""
    costs = fitted(found)
    scores = {one.hops: f"{one.chrf:.2f}" for one in found}
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    yield "route\tchrF\tcost\ton\twhen"
    for hops in sorted({*scores, *((hop,) for hop in costs)}):
        cost = f"{costs[hops[0]]:.3f}" if len(hops) == 1 else ""
        yield "\t".join((" ".join(map(str, hops)), scores.get(hops, ""), cost, source, today))


def _shown(found: list[Result], pairs: dict[Pair, tuple[Lines, Lines]]) -> Iterator[str]:
    yield "| from, to | Apertium alone | best route | chrF (BLEU) | floor |\n| --- | --- | --- | --- | --- |"
    costs = Table({}, {one.hops: one.chrf for one in found})
    for pair in sorted(pairs):
        mine = [one for one in found if (one.hops[0].source, one.hops[-1].target) == pair]
        if mine:
            own = next((f"{one.chrf:.1f}" for one in mine if {hop.engine for hop in one.hops} == {"apertium"}), "none")
            best, floor = mine[0], FLOORS.get(pair)
            told = f"{floor:.0f}" if floor else ""
            route = costs.route(best.hops)
            yield f"| {pair[0]}, {pair[1]} | {own} | {route} | {best.chrf:.1f} ({best.bleu:.1f}) | {told} |"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--lines", type=int, default=1000, help="at most so many of each pair")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    began, engines = time.monotonic(), Engines(options.models)
    pairs = texts(options.folder) if options.folder else declared(PAIRS)
    pairs = {pair: (lines[: options.lines], wanted[: options.lines]) for pair, (lines, wanted) in pairs.items()}
    found = list(results(engines, pairs))
    for engine in engines.loaded.values():
        engine.close()
    name = next(options.folder.glob("*.*-*.*")).name.rsplit(".", 2)[0] if options.folder else "udhr"
    for line in table(found, name) if options.table else _shown(found, pairs):
        print(line)
    print(f"{len(found)} routes in {time.monotonic() - began:.0f} s", file=sys.stderr)
    if not options.table:
        gains(found, pairs)


def declared(wanted: Iterable[Pair]) -> dict[Pair, tuple[Lines, Lines]]:
    """Return the lines of the Declaration of Human Rights for each pair."""
    found = {}
    for pair in wanted:
        lines, translations = zip(*parallel(pair), strict=True)
        found[pair] = (tuple(lines), tuple(translations))
    return found


def gains(found: list[Result], pairs: Iterable[Pair]) -> None:
    """Print how good the route is that vt takes, beside the best of all and beside Apertium alone."""
    here = {hop for one in found for hop in one.hops}
    for source, target in sorted(pairs):
        mine = [one for one in found if (one.hops[0].source, one.hops[-1].target) == (source, target)]
        taken = translation_routes.find(here, source, target)[0]
        (chrf,) = (one.chrf for one in mine if one.hops == taken.hops)
        tell(f"{source} to {target}: chrF of {taken}", chrf, more=True)
        tell(
            f"{source} to {target}: its chrF / that of the best route",
            chrf / mine[0].chrf,
            floor=0.95,
            goal=1,
            more=True,
        )
        alone = [one.chrf for one in mine if {hop.engine for hop in one.hops} == {"apertium"}]
        if alone:
            tell(f"{source} to {target}: its chrF / that of Apertium alone", chrf / alone[0], floor=1, more=True)


if __name__ == "__main__":
    main()
