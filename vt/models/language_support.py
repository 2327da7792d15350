"""Which engines can recognise, translate and speak one language, here and now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vt.languages import Language


@dataclass(frozen=True, slots=True)
class Offer:
    """One language, and the names of the engines that serve it; an empty tuple where none does."""

    language: Language
    hear: tuple[str, ...] = ()
    translate_from: tuple[str, ...] = ()
    translate_to: tuple[str, ...] = ()
    speak: tuple[str, ...] = ()

    @property
    def serves(self) -> bool:
        """Whether anything can be done with it."""
        return any((self.hear, self.translate_from, self.translate_to, self.speak))

    def as_json(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {
            "code": self.language.code,
            "name": self.language.name,
            "native_name": self.language.native_name,
            "hear": self.hear,
            "translate_from": self.translate_from,
            "translate_to": self.translate_to,
            "speak": self.speak,
        }
