"""How good a dub into each language is here, in grades: its voice, and its translation from one language."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vt.engines import translation_routes
from vt.engines.protocols import EngineInfo
from vt.engines.translation_routes import Hop
from vt.models.language_support import Offer

_FAIR = 50.0
"""chrF from which a translation by rules counts as fair, as the table of routes has it measured."""


class Grade(StrEnum):
    """How good something is, best first."""

    GOOD = "good"
    """Of a voice: natural. Of a translation: by a neural model."""
    FAIR = "fair"
    """Of a translation: by rules, and measured to be better than most of these."""
    ROUGH = "rough"
    """Plainly a machine's."""


@dataclass(frozen=True, slots=True)
class LanguageGrade:
    """How good a dub into one language is."""

    code: str
    voice: Grade
    translation: Grade


def graded(
    offers: Sequence[Offer], engines: Mapping[str, EngineInfo], hops: Collection[Hop], source: str
) -> list[LanguageGrade]:
    """Return the grades of all languages that can be dubbed into from one, best first.

    Args:
        offers: who serves each language here, now; each engine before those that come after it in choice.
        engines: by their names.
        hops: the directions of engines that may be joined to routes.
        source: the code of the language that the films speak.
    """
    heard = next((offer.translate_from for offer in offers if offer.language.code == source), ())
    found = []
    for offer in offers:
        ways = [engines[name] for name in offer.translate_to if name in heard]
        if offer.language.code != source and ways and offer.speak:
            voice = _of(engines[offer.speak[0]])
            translation = _translation(ways, engines, hops, (source, offer.language.code))
            found.append(LanguageGrade(offer.language.code, voice, translation))
    order = list(Grade)
    return sorted(found, key=lambda one: (order.index(one.voice), order.index(one.translation)))


def _of(engine: EngineInfo) -> Grade:
    return Grade.ROUGH if engine.is_rough else Grade.GOOD


def _translation(
    ways: Sequence[EngineInfo], engines: Mapping[str, EngineInfo], hops: Collection[Hop], ends: tuple[str, str]
) -> Grade:
    """Return how good the best translation is: by a single engine that comes first, or by a route over several."""
    routes = translation_routes.find(hops, *ends)
    if not routes or ways[0].name not in {hop.engine for hop in hops}:
        return _of(ways[0])
    best = routes[0]
    if not any(engines[hop.engine].is_rough for hop in best.hops):
        return Grade.GOOD
    return Grade.FAIR if best.measured and best.score >= _FAIR else Grade.ROUGH
