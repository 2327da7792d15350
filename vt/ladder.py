"""The fallback ladder: of all that could serve a request, the first that can be had, and why not the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from vt.cache import ModelCache, ModelSpec
from vt.domain import Cancel
from vt.engines.base import Engine, EngineInfo
from vt.errors import LanguageError, ModelUnavailable, StorageError, VtError

E = TypeVar("E", bound=Engine)
_MB = 2**20


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine serves a request, and why not the one that was configured."""

    info: EngineInfo
    model: str
    device: str = "cpu"
    fallback_reason: str | None = None

    def as_report(self) -> dict[str, str | None]:
        """Return the choice as it stands in a report."""
        return {
            "engine": self.info.name,
            "model": self.model,
            "device": self.device,
            "fallback_reason": self.fallback_reason,
        }


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Rung(Generic[E]):
    """One way to serve a request."""

    info: EngineInfo
    spec: ModelSpec[Any]
    """Its name stands in reports."""
    is_process: bool = False
    """Runs as a program of its own: holds no memory, and is not among the cached models."""
    unfit: str | None = None
    """A sentence where it cannot serve the languages of this request, whatever is done."""
    obstacle: Callable[[], str | None] = _nothing
    """Gives a sentence where it cannot be had now; asked only while it is not in memory."""
    downloads: bool = False
    """Needs the hub."""
    insists: bool = False
    """May load alone where it is larger than all memory for models: the configured one, and the last resort."""
    prepare: Callable[[Cancel], None] | None = None
    """Downloads and converts what the model is loaded from, as far as that is not here."""
    download_bytes: int = 0
    """About what has to come from the hub where it is not here; 0 where that is not known beforehand."""
    language: str = ""
    """Of recognition: what it will hear."""
    detects: bool = False
    """Of recognition: it finds out the language."""
    view: Callable[[Any], E] | None = None
    """Makes of the model in memory, which serves many languages, the engine for those of this request."""

    def until(self, cancel: Cancel) -> Rung[E]:
        """Return this rung for somebody who waits for its model until `cancel` is set."""
        prepare = self.prepare
        if prepare is None:
            return self
        return replace(self, spec=replace(self.spec, prepare=lambda: prepare(cancel)))

    @property
    def label(self) -> str:
        """What it is called where several are listed: its cache key, or engine and voice or pair."""
        return f"{self.info.name} {self.spec.name}".strip() if self.is_process else self.spec.key

    def choice(self, reason: str | None) -> Choice:
        """Return this rung as a choice that was made for `reason`."""
        return Choice(self.info, self.spec.name, self.spec.device, reason)


class Ladder:
    """Climbs down from rung to rung."""

    def __init__(self, cache: ModelCache, hub: Callable[[], str | None], *, fallback: bool) -> None:
        """`hub` gives half a sentence where nothing can be downloaded; without `fallback` there is only one rung."""
        self._cache = cache
        self._hub = hub
        self._fallback = fallback

    def choose(
        self, rungs: Sequence[Rung[E]], *, load: bool, cancel: Cancel | None = None, reason: str | None = None
    ) -> tuple[Rung[E], Choice]:
        """Return the first rung that can be had; with `load`, its model is resident, unless `cancel` is set before.

        `reason` is a sentence on why these rungs are not all, where that is so.

        Raises:
            LanguageError: none of them serves the languages that are asked for.
            ModelUnavailable: none of them can be had.
            ModelBusy: it can be had, but not now.
            Cancelled: `cancel` was set while the model was waited for.
        """
        reasons = _Reasons()
        if reason:
            reasons.add(reason)
        for rung in rungs if self._fallback else rungs[:1]:
            refusal = self._refusal(rung, reasons) or (self._failure(rung, cancel) if load else None)
            if refusal is None:
                return rung, rung.choice(reasons.told or None)
            reasons.add(refusal)
        if not self._fallback and len(rungs) > 1:
            reasons.add("VT_FALLBACK=false allows nothing in its place.")
        raise _error(rungs, reasons.told)

    def _refusal(self, rung: Rung[E], reasons: _Reasons) -> str | None:
        """Say why a rung is not even tried. What is in memory already needs neither files nor hub."""
        if rung.unfit:
            return rung.unfit
        hindrance = rung.obstacle() or self._excess(rung)
        if not (hindrance or rung.downloads) or self._is_resident(rung):
            return None
        missing = None if hindrance else self._hub()
        return reasons.of_downloads(rung.spec.name, missing) if missing else hindrance

    def _excess(self, rung: Rung[E]) -> str | None:
        needed, budget = rung.spec.estimated_bytes, self._cache.budget_bytes
        if needed <= budget or rung.insists:
            return None
        return (
            f"The model {rung.spec.name} needs about {needed / _MB:.0f} MB, "
            f"more than the {budget / _MB:.0f} MB for models."
        )

    def _is_resident(self, rung: Rung[E]) -> bool:
        entries = self._cache.snapshot().entries
        return any(entry.key == rung.spec.key and entry.state == "ready" for entry in entries)

    def _failure(self, rung: Rung[E], cancel: Cancel | None) -> str | None:
        """Load, or say why that did not succeed."""
        if rung.is_process or not self._cache.enabled:
            return None
        try:
            # A lease rather than `ensure`: who asks for a model uses it, and counts as a hit or a miss.
            with self._cache.lease(rung.spec, check=cancel.check if cancel else None):
                pass
        except (ModelUnavailable, StorageError) as error:
            # Its sentence, never the exception: the next rung's memory may be pinned by its traceback.
            return str(error)
        return None


class _Reasons:
    """Why rungs were passed over: each sentence once, and one for all models that cannot be downloaded."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._absent: list[str] = []
        self._on_absent = ""

    def of_downloads(self, model: str, why: str) -> str:
        """Return the sentence on all models so far that cannot be downloaded; it takes the place of the one before."""
        if model not in self._absent:
            self._absent.append(model)
        *others, last = self._absent
        models = f"models {', '.join(others)} and {last}" if others else f"model {last}"
        before, self._on_absent = self._on_absent, f"The {models} cannot be downloaded: {why}."
        if before in self._sentences:
            self._sentences[self._sentences.index(before)] = self._on_absent
        return self._on_absent

    def add(self, sentence: str) -> None:
        """Take a sentence in."""
        if sentence not in self._sentences:
            self._sentences.append(sentence)

    @property
    def told(self) -> str:
        """All of them, in order."""
        return " ".join(self._sentences)


def _error(rungs: Sequence[Rung[E]], sentences: str) -> VtError:
    """Return what to raise: where languages are at fault, other settings alone do not help."""
    return LanguageError(sentences) if any(rung.unfit for rung in rungs) else ModelUnavailable(sentences)
