"""What is on offer for one language here, now: by which engines it is heard, translated and spoken."""

from __future__ import annotations

from dataclasses import dataclass

from vt.languages import Language


@dataclass(frozen=True, slots=True)
class Offer:
    """One language, and the names of the engines that serve it; an empty tuple where none does."""

    language: Language
    hear: tuple[str, ...] = ()
    translate_from: tuple[str, ...] = ()
    translate_to: tuple[str, ...] = ()
    speak: tuple[str, ...] = ()
