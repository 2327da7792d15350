"""The fallback chain: finds the first candidate that can serve a request, and why those before it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from vt.domain import Cancel
from vt.engines.candidate import Candidate, Choice
from vt.engines.protocols import Engine
from vt.errors import LanguageError, ModelUnavailable, StorageError, VtError
from vt.models.cache import ModelCache, in_a_few_words
from vt.translatable import Message, joined

E = TypeVar("E", bound=Engine)
_MB = 2**20


class FallbackChain:
    """Tries candidates in order. It gets their files ready, and then has the cache load them."""

    def __init__(self, cache: ModelCache, hub_obstacle: Callable[[], str | None], *, fallback: bool) -> None:
        """Make a chain.

        Args:
            cache: where the models are loaded.
            hub_obstacle: returns why nothing can be downloaded now, as half a sentence; None where the hub answers.
            fallback: False: only the first candidate is tried.
        """
        self._cache = cache
        self._hub_obstacle = hub_obstacle
        self._fallback = fallback

    def choose(
        self, candidates: Sequence[Candidate[E]], *, load: bool, cancel: Cancel | None = None, reason: str | None = None
    ) -> tuple[Candidate[E], Choice]:
        """Return the first candidate that can serve, with the reasons why those before it cannot.

        Args:
            candidates: best first.
            load: whether its models are to be in memory when this returns.
            cancel: ends the waiting for files, for another's load or for memory.
            reason: why better candidates are not among these, as a sentence; it comes first among the reasons.

        Raises:
            LanguageError: no candidate serves the languages that are asked for.
            ModelUnavailable: no candidate can be loaded.
            ModelBusy: the memory for the model stays in use.
            Cancelled: `cancel` was set.
        """
        reasons = _Reasons()
        if reason:
            reasons.add(reason)
        for candidate in candidates if self._fallback else candidates[:1]:
            parts = list(candidate.parts)
            refusal = next((why for part in parts if (why := self._refusal(part, reasons))), None)
            if refusal is None and load:
                refusal = next((why for part in parts if (why := self._load_failure(part, cancel))), None)
            if refusal is None:
                return candidate, candidate.choice(reasons.told)
            reasons.add(refusal)
        if not self._fallback and len(candidates) > 1:
            reasons.add("VT_FALLBACK=false allows nothing in its place.")
        raise _error(candidates, reasons.told or "")

    def serves_at_once(self, candidate: Candidate[E], cancel: Cancel | None = None) -> bool:
        """Tell whether all models of a candidate are in memory, and count a use of each, as `choose` does.

        Raises:
            ModelBusy: as `choose`, where a model goes in this very moment.
            Cancelled: `cancel` was set meanwhile.
        """
        parts = [part for part in candidate.parts if not part.is_process]
        if not all(self._cache.is_ready(part.spec.key) for part in parts):
            return False
        return not any(self._load_failure(part, cancel) for part in parts)

    def lease(self, candidate: Candidate[E], cancel: Cancel | None = None) -> AbstractContextManager[Any]:
        """Get the files of a candidate ready, where its model is not in memory, and return a lease of the model.

        Raises:
            ModelUnavailable: the files cannot be downloaded or converted.
            StorageError: the disk has no room for them.
            Cancelled: `cancel` was set.
        """
        cancel, preparation = cancel or Cancel(), None
        if candidate.prepare is not None and not self._cache.is_ready(candidate.spec.key):
            with self._cache.preparing(candidate.spec) as preparation:
                prepare(candidate, cancel)
        return self._cache.lease(candidate.spec, check=cancel.check, preparation=preparation)

    def _refusal(self, candidate: Candidate[E], reasons: _Reasons) -> str | None:
        """Say why a candidate is not even tried. A model in memory needs neither its files nor the hub."""
        if candidate.unfit:
            return candidate.unfit
        hindrance = candidate.obstacle() or self._excess(candidate)
        if not (hindrance or candidate.downloads) or self._cache.is_ready(candidate.spec.key):
            return None
        missing = None if hindrance else self._hub_obstacle()
        return reasons.of_downloads(candidate.spec.name, missing) if missing else hindrance

    def _excess(self, candidate: Candidate[E]) -> str | None:
        """Say that a model is larger than the budget, where it is."""
        needed, budget = candidate.spec.estimated_bytes, self._cache.budget_of(candidate.spec.device)
        if needed <= budget or candidate.insists:
            return None
        return Message(
            "The model {model} needs about {needed:.0f} MB, more than the {budget:.0f} MB for models.",
            model=candidate.spec.name,
            needed=needed / _MB,
            budget=budget / _MB,
        )

    def _load_failure(self, candidate: Candidate[E], cancel: Cancel | None) -> str | None:
        """Load the model, or say why it could not be loaded. Without caching, only its use loads it."""
        if candidate.is_process or not self._cache.enabled:
            return None
        try:
            with self.lease(candidate, cancel):
                pass
        except (ModelUnavailable, StorageError) as error:
            # Only its sentence is kept: the traceback of the exception could keep a model in memory.
            return error.message
        return None


def prepare(candidate: Candidate[E], cancel: Cancel) -> None:
    """Download and convert the files that a candidate is loaded from, as far as they are not here.

    Raises:
        ModelUnavailable: they cannot be downloaded or converted.
        StorageError: the disk has no room for them.
        Cancelled: `cancel` was set.
    """
    if candidate.prepare is None:
        return
    try:
        candidate.prepare(cancel)
    except VtError:
        raise
    except Exception as error:
        raise ModelUnavailable(
            "The model {model} cannot be loaded: {reason}.", model=candidate.spec.name, reason=in_a_few_words(error)
        ) from error


class _Reasons:
    """Why candidates were passed over: each sentence once, and one for all models that cannot be downloaded."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._not_downloaded: list[str] = []
        self._on_downloads = ""

    def of_downloads(self, model: str, why: str) -> str:
        """Return one sentence on all models so far that cannot be downloaded; it replaces the one before it."""
        if model not in self._not_downloaded:
            self._not_downloaded.append(model)
        *others, last = self._not_downloaded
        before = self._on_downloads
        self._on_downloads = (
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
            self._sentences[self._sentences.index(before)] = self._on_downloads
        return self._on_downloads

    def add(self, sentence: str) -> None:
        """Add a sentence, unless it is there already."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    @property
    def told(self) -> Message | None:
        """All sentences, in order."""
        return joined(*self._sentences) if self._sentences else None


def _error(candidates: Sequence[Candidate[E]], sentences: str) -> VtError:
    """Return the error to raise: a LanguageError where a candidate does not serve the languages."""
    return LanguageError(sentences) if any(candidate.unfit for candidate in candidates) else ModelUnavailable(sentences)
