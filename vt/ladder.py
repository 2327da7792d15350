"""The fallback ladder: of all that could serve a request, the first that can be had, and why not the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from vt.cache import ModelCache
from vt.domain import Cancel
from vt.engines.base import Engine
from vt.engines.candidate import Candidate, Choice
from vt.errors import LanguageError, ModelUnavailable, StorageError, VtError
from vt.messages import Message, joined

E = TypeVar("E", bound=Engine)
_MB = 2**20


class Ladder:
    """Climbs down from candidate to candidate."""

    def __init__(self, cache: ModelCache, hub: Callable[[], str | None], *, fallback: bool) -> None:
        """`hub` gives half a sentence where nothing can be downloaded; without `fallback` only the first counts."""
        self._cache = cache
        self._hub = hub
        self._fallback = fallback

    def choose(
        self, candidates: Sequence[Candidate[E]], *, load: bool, cancel: Cancel | None = None, reason: str | None = None
    ) -> tuple[Candidate[E], Choice]:
        """Return the first that can be had; with `load`, its models are resident, unless `cancel` is set before.

        `reason` is a sentence on why these candidates are not all, where that is so.

        Raises:
            LanguageError: none of them serves the languages that are asked for.
            ModelUnavailable: none of them can be had.
            ModelBusy: it can be had, but not now.
            Cancelled: `cancel` was set while the model was waited for.
        """
        reasons = _Reasons()
        if reason:
            reasons.add(reason)
        for candidate in candidates if self._fallback else candidates[:1]:
            parts = list(candidate.parts)
            refusal = next((why for part in parts if (why := self._refusal(part, reasons))), None)
            if refusal is None and load:
                refusal = next((why for part in parts if (why := self._failure(part, cancel))), None)
            if refusal is None:
                return candidate, candidate.choice(reasons.told)
            reasons.add(refusal)
        if not self._fallback and len(candidates) > 1:
            reasons.add("VT_FALLBACK=false allows nothing in its place.")
        raise _error(candidates, reasons.told or "")

    def _refusal(self, candidate: Candidate[E], reasons: _Reasons) -> str | None:
        """Say why a candidate is not even tried. What is in memory already needs neither files nor hub."""
        if candidate.unfit:
            return candidate.unfit
        hindrance = candidate.obstacle() or self._excess(candidate)
        if not (hindrance or candidate.downloads) or self._is_resident(candidate):
            return None
        missing = None if hindrance else self._hub()
        return reasons.of_downloads(candidate.spec.name, missing) if missing else hindrance

    def _excess(self, candidate: Candidate[E]) -> str | None:
        needed, budget = candidate.spec.estimated_bytes, self._cache.budget_bytes
        if needed <= budget or candidate.insists:
            return None
        return Message(
            "The model {model} needs about {needed:.0f} MB, more than the {budget:.0f} MB for models.",
            model=candidate.spec.name,
            needed=needed / _MB,
            budget=budget / _MB,
        )

    def _is_resident(self, candidate: Candidate[E]) -> bool:
        entries = self._cache.snapshot().entries
        return any(entry.key == candidate.spec.key and entry.state == "ready" for entry in entries)

    def _failure(self, candidate: Candidate[E], cancel: Cancel | None) -> str | None:
        """Load, or say why that did not succeed."""
        if candidate.is_process or not self._cache.enabled:
            return None
        try:
            # A lease rather than `ensure`: who asks for a model uses it, and counts as a hit or a miss.
            with self._cache.lease(candidate.spec, check=cancel.check if cancel else None):
                pass
        except (ModelUnavailable, StorageError) as error:
            # Its sentence, never the exception: the next candidate's memory may be pinned by its traceback.
            return error.message
        return None


class _Reasons:
    """Why candidates were passed over: each sentence once, and one for all models that cannot be downloaded."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._absent: list[str] = []
        self._on_absent = ""

    def of_downloads(self, model: str, why: str) -> str:
        """Return the sentence on all models so far that cannot be downloaded; it takes the place of the one before."""
        if model not in self._absent:
            self._absent.append(model)
        *others, last = self._absent
        before = self._on_absent
        self._on_absent = (
            Message(
                "The models {models} and {last} cannot be downloaded: {reason}.",
                models=", ".join(others),
                last=last,
                reason=why,
            )
            if others
            else Message("The model {model} cannot be downloaded: {reason}.", model=last, reason=why)
        )
        if before in self._sentences:
            self._sentences[self._sentences.index(before)] = self._on_absent
        return self._on_absent

    def add(self, sentence: str) -> None:
        """Take a sentence in."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    @property
    def told(self) -> Message | None:
        """All of them, in order."""
        return joined(*self._sentences) if self._sentences else None


def _error(candidates: Sequence[Candidate[E]], sentences: str) -> VtError:
    """Return what to raise: where languages are at fault, other settings alone do not help."""
    return LanguageError(sentences) if any(candidate.unfit for candidate in candidates) else ModelUnavailable(sentences)
