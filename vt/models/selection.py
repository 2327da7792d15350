"""Which candidates are tried, in which order, and the reasons where the requested engine cannot serve.

Pure functions: they know neither the settings nor the engines. A candidate that cannot serve a request at all carries a
sentence on that in `unfit`; the fallback chain passes it over and gives that sentence as the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from vt.engines.candidate import Candidate
from vt.engines.definition import AUTO
from vt.engines.protocols import Engine
from vt.errors import LanguageError
from vt.translatable import Message, joined

E = TypeVar("E", bound=Engine)


@dataclass(frozen=True, slots=True)
class Listing(Generic[E]):
    """What one engine, or one route over several engines, offers for a request."""

    engines: frozenset[str]
    """The names of its engines; a route has several."""
    candidates: Sequence[Candidate[E]]
    """Best first."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The sentences for a request that cannot be served as requested."""

    wanted_cannot: str
    """Why the requested engine does not serve the languages."""
    nobody_can: str
    """That no engine here serves the languages."""
    no_text_translator: str = ""
    """For translation: that no engine here translates text between the languages."""
    left_out: str | None = None
    """Which engines the settings leave out: that may be why nobody serves the languages."""


def select(listings: Sequence[Listing[E]], wanted: str, refusals: Refusals) -> Sequence[Candidate[E]]:
    """Return the candidates to try, best first.

    Args:
        listings: what all engines offer, best first.
        wanted: the name of the requested engine, or "auto".
        refusals: the reasons where this engine, or every engine, cannot serve.

    Raises:
        LanguageError: no engine offers anything.
    """
    usable = usable_candidates(listings, wanted, refusals.no_text_translator)
    if not usable:
        raise LanguageError(with_left_out(refusals.nobody_can, refusals.left_out))
    if not offers_anything(listings, wanted):
        # Another engine serves instead, and the user has to be told why.
        usable = [replace(usable[0], unfit=refusals.wanted_cannot), *usable]
    if all(candidate.unfit for candidate in usable):
        last = usable[-1]
        why = with_left_out(last.unfit or refusals.nobody_can, refusals.left_out)
        return [*usable[:-1], replace(last, unfit=why)]
    return usable


def wanted_first(listings: Iterable[Listing[E]], wanted: str) -> list[Listing[E]]:
    """Put the requested engine alone first, then routes that use it, then the others in their old order."""

    def rank(listing: Listing[E]) -> int:
        if wanted == AUTO or listing.engines == {wanted}:
            return 0
        return 1 if wanted in listing.engines else 2

    return sorted(listings, key=rank)


def usable_candidates(listings: Sequence[Listing[E]], wanted: str, no_text_translator: str = "") -> list[Candidate[E]]:
    """Return the candidates that serve the languages, and those of the requested engine even if they do not.

    Where none serves them, the last candidate is returned, whose `unfit` gives the reason. An engine that translates
    sound is the last resort: unless it was requested, `no_text_translator` is the reason why it serves.
    """
    every = [candidate for listing in listings for candidate in listing.candidates]
    translating_text = [candidate for candidate in every if not candidate.info.listens]
    usable = [
        candidate
        for listing in listings
        for candidate in listing.candidates
        if not candidate.unfit or wanted in listing.engines
    ]
    if not usable:
        return (translating_text or every)[-1:]
    best = next((candidate for candidate in usable if not candidate.unfit), usable[0])
    if translating_text and best.info.listens and best.info.name != wanted:
        translating_sound = [candidate for candidate in usable if candidate.info.listens]
        return [replace(translating_text[-1], unfit=no_text_translator), *translating_sound]
    return usable


def offers_anything(listings: Iterable[Listing[E]], wanted: str) -> bool:
    """Tell whether the requested engine offers a candidate; True for "auto"."""
    return wanted == AUTO or any(wanted in listing.engines and listing.candidates for listing in listings)


def without_sound(candidate: Candidate[E]) -> Candidate[E]:
    """Return a candidate for a request without sound, in which one that translates sound is unfit."""
    if not candidate.info.listens:
        return candidate
    unfit = Message("{engine} translates what it hears, and here nothing is heard.", engine=candidate.info.name)
    return replace(candidate, unfit=unfit)


def with_left_out(sentence: str, left_out: str | None) -> str:
    """Return a refusal, followed by the sentence on left-out engines where there is one."""
    return joined(sentence, left_out) if left_out else sentence
