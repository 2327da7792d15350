"""Which candidates are tried, in which order, and what is said where the engine that was asked for cannot serve.

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
    """The names of the engines that have a part in it."""
    candidates: Sequence[Candidate[E]]
    """Best first."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """The sentences for a request that cannot be served as it was asked for."""

    wanted_cannot: str
    """Why the engine that was asked for does not serve the languages."""
    nobody_can: str
    """That no engine here serves the languages."""
    no_text_translator: str = ""
    """Of translation: that no engine here translates text between the languages."""
    left_out: str | None = None
    """Which engines the settings leave out: that may be why nobody serves the languages."""


def select(listings: Sequence[Listing[E]], wanted: str, refusals: Refusals) -> Sequence[Candidate[E]]:
    """Return the candidates to try, best first.

    Args:
        listings: what all engines offer, best first.
        wanted: the name of the engine that was asked for, or "auto".
        refusals: what to say where it, or every engine, cannot serve.

    Raises:
        LanguageError: no engine offers anything.
    """
    usable = usable_candidates(listings, wanted, refusals.no_text_translator)
    if not usable:
        raise LanguageError(with_left_out(refusals.nobody_can, refusals.left_out))
    if not offers_anything(listings, wanted):
        # Another engine serves instead: the reason for that has to be said.
        usable = [replace(usable[0], unfit=refusals.wanted_cannot), *usable]
    if all(candidate.unfit for candidate in usable):
        last = usable[-1]
        why = with_left_out(last.unfit or refusals.nobody_can, refusals.left_out)
        return [*usable[:-1], replace(last, unfit=why)]
    return usable


def wanted_first(listings: Iterable[Listing[E]], wanted: str) -> list[Listing[E]]:
    """Put first what the engine that was asked for does alone, then what it has a part in; the rest keeps its order."""

    def rank(listing: Listing[E]) -> int:
        if wanted == AUTO or listing.engines == {wanted}:
            return 0
        return 1 if wanted in listing.engines else 2

    return sorted(listings, key=rank)


def usable_candidates(listings: Sequence[Listing[E]], wanted: str, no_text_translator: str = "") -> list[Candidate[E]]:
    """Return the candidates that know the languages, and those of the engine that was asked for even if they do not.

    Where none knows the languages, the last candidate is returned: its sentence says so. An engine that translates
    sound is a last resort: unless it was asked for, `no_text_translator` is given as the reason why it serves.
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
    """Tell whether the engine that was asked for offers a candidate, or none was asked for."""
    return wanted == AUTO or any(wanted in listing.engines and listing.candidates for listing in listings)


def without_sound(candidate: Candidate[E]) -> Candidate[E]:
    """Return a candidate for a request without sound: one that translates sound cannot serve it."""
    if not candidate.info.listens:
        return candidate
    unfit = Message("{engine} translates what it hears, and here nothing is heard.", engine=candidate.info.name)
    return replace(candidate, unfit=unfit)


def with_left_out(sentence: str, left_out: str | None) -> str:
    """Return a refusal followed by the sentence on the engines that the settings leave out, where there is one."""
    return joined(sentence, left_out) if left_out else sentence
