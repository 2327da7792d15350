"""From language to language over all translation engines: which routes of at most three hops there are, best first.

What a route is worth is its chrF where `routes.tsv` has it measured, whole. Of any other it is estimated: every hop has
a cost, costs add up, and a route keeps exp(-cost) of what there is to gain between the two languages: the most that a
measured route between them lets one expect, its chrF / exp(-cost); where none was measured 100, and then scores only
serve to compare. The costs are fitted to all measured routes together; a hop that is not among them has its engine's.

Source of the table: benchmarks/translation.py, which prints it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vt import languages
from vt.languages import Language
from vt.translatable import Message

LONGEST = 3
_TABLE = Path(__file__).with_name("translation_routes.tsv")
_CLOSE = (
    {"es", "ca", "pt", "gl", "oc", "an", "ast", "fr", "it", "ro", "sc"},
    {"no", "nn", "da", "sv", "is", "fo"},
    {"hr", "sr", "bs", "sl", "mk", "bg"},
    {"cs", "sk", "pl"},
    {"ru", "uk", "be"},
    {"kk", "tt", "ky", "tr", "uz", "crh"},
    {"hi", "ur"},
    {"id", "ms"},
    {"af", "nl"},
)
"""Families of languages with much the same grammar, where rules do well."""
_WORTH = 0.3
"""chrF that each further hop has to bring: it takes time, and adds mistakes that chrF does not see."""
_NEARLY_AS_GOOD = 0.85
"""Of a route's chrF: a route that has so much translates single sentences that would be too long by the other one."""
_COST = {"firefox": 0.0, "nllb": 0.0}
"""Of neural engines: the costs of the others are measured against theirs."""
_CLOSE_COST, _FAR_COST = 0.05, 0.20
"""Of an engine that translates by rules."""


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    """One step that an engine can do; languages by their codes, as the tables and the folders of models have them."""

    engine: str
    source: str
    target: str

    @property
    def ends(self) -> tuple[Language, Language]:
        """From which language to which."""
        return languages.get(self.source), languages.get(self.target)

    def __str__(self) -> str:
        return f"{self.engine}:{self.source}-{self.target}"


@dataclass(frozen=True, slots=True)
class Route:
    """Hops, each of which begins where the one before it ends."""

    hops: tuple[Hop, ...]
    score: float
    """chrF, 0..100: measured, or estimated."""
    measured: bool

    @property
    def rank(self) -> float:
        """By which routes are chosen: the score, less what its length has to bring."""
        return self.score - _WORTH * len(self.hops)

    def __str__(self) -> str:
        steps = (f"{hop.target} ({hop.engine})" for hop in self.hops)
        return " > ".join((self.hops[0].source, *steps))


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured."""

    costs: Mapping[Hop, float]
    scores: Mapping[tuple[Hop, ...], float]
    """chrF of whole routes."""

    def cost(self, hop: Hop) -> float:
        """Return what a hop costs, measured or usual."""
        return self.costs.get(hop, usual_cost(hop))

    def route(self, hops: tuple[Hop, ...]) -> Route:
        """Return a route with its worth."""
        if hops in self.scores:
            return Route(hops, self.scores[hops], True)
        gain = self._to_gain(hops[0].source, hops[-1].target)
        return Route(hops, gain * math.exp(-sum(map(self.cost, hops))), False)

    def _to_gain(self, source: str, target: str) -> float:
        return max(
            (
                score * math.exp(sum(map(self.cost, hops)))
                for hops, score in self.scores.items()
                if (hops[0].source, hops[-1].target) == (source, target)
            ),
            default=100.0,
        )


def usual_cost(hop: Hop) -> float:
    """Return what a hop costs that nobody has measured."""
    close = any({hop.source, hop.target} <= family for family in _CLOSE)
    return _COST.get(hop.engine, _CLOSE_COST if close else _FAR_COST)


@cache
def measured() -> Table:
    """Return the table of the project."""
    rows = [line.split("\t") for line in _TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    routes = {tuple(map(_hop, row[0].split(" "))): row for row in rows}
    return Table(
        {hops[0]: float(row[2]) for hops, row in routes.items() if row[2]},
        {hops: float(row[1]) for hops, row in routes.items() if row[1]},
    )


def _hop(text: str) -> Hop:
    engine, _, pair = text.partition(":")
    source, _, target = pair.partition("-")
    return Hop(engine, source, target)


def find(hops: Iterable[Hop], source: str, target: str, table: Table | None = None) -> list[Route]:
    """Return the routes from `source` to `target` over the hops that there are, best first.

    Where there is a direct hop, a way round is listed only if it was measured and is better than the best direct one.
    No route goes through a language twice.
    """
    known = table or measured()
    routes = [known.route(way) for way in ways(frozenset(hops), source, target)]
    direct = max((route.rank for route in routes if len(route.hops) == 1), default=None)
    kept = [one for one in routes if len(one.hops) == 1 or direct is None or (one.measured and one.rank > direct)]
    return sorted(kept, key=lambda route: (-route.rank, route.hops))


def others(hops: Iterable[Hop], taken: tuple[Hop, ...], table: Table | None = None) -> list[Route]:
    """Return routes beside the one that is taken, best first: those that were measured and are not much worse."""
    known = table or measured()
    least = _NEARLY_AS_GOOD * known.route(taken).score
    found = [known.route(way) for way in ways(frozenset(hops), taken[0].source, taken[-1].target) if way != taken]
    near = [route for route in found if route.measured and route.score >= least]
    return sorted(near, key=lambda route: (-route.rank, route.hops))


def ways(hops: Collection[Hop], source: str, target: str) -> Iterator[tuple[Hop, ...]]:
    """Yield every way of at most three hops, in no order, through no language twice."""
    waiting: list[tuple[Hop, ...]] = [(hop,) for hop in hops if hop.source == source != target]
    while waiting:
        way = waiting.pop()
        if way[-1].target == target:
            yield way
        elif len(way) < LONGEST:
            seen = {hop.source for hop in way}
            waiting += [(*way, hop) for hop in hops if hop.source == way[-1].target and hop.target not in seen]


def reached(hops: Collection[Hop], source: str) -> set[str]:
    """Return the languages to which there is a way of at most three hops."""
    found, last = {source}, {source}
    for _ in range(LONGEST):
        last = {hop.target for hop in hops if hop.source in last} - found
        found |= last
    return found - {source}


def worth_fetching(
    hops: Iterable[Hop], fetchable: Iterable[Hop], source: str, target: str, table: Table | None = None
) -> tuple[Hop, ...]:
    """Return the hops that are not here and would make the best route better, or the only one; often none."""
    here = frozenset(hops)
    now, then = find(here, source, target, table), find(here | frozenset(fetchable), source, target, table)
    if not then or (now and then[0].rank <= now[0].rank):
        return ()
    return tuple(hop for hop in then[0].hops if hop not in here)


def advice(missing: Iterable[Hop]) -> str:
    """Say in a sentence how hops that are worth fetching are fetched; empty where there are none."""
    names = " ".join(map(str, missing))
    return Message("A better translation is one download away: vt fetch {models}.", models=names) if names else ""


def remedy(missing: Iterable[Hop]) -> str:
    """Say the same of hops without which there is no translation at all."""
    names = " ".join(map(str, missing))
    return Message("This translation is one download away: vt fetch {models}.", models=names) if names else ""
