"""The AI service factory: from a request to an engine, its cache key and a lease on it."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeVar

from vt import languages
from vt import settings as vt_settings
from vt.domain import NO_WISHES, Cancel, Wishes
from vt.engines.candidate import Candidate, Choice
from vt.engines.protocols import Engine, EngineInfo, Translator, Voice
from vt.errors import InputError, LanguageError, ModelUnavailable, SettingsError, VtError
from vt.languages import Language
from vt.model_files.hub import Hub
from vt.model_files.hub import of as hub_of
from vt.models.cache import CacheObserver, ClearResult, EntrySnapshot, MemorySnapshot, ModelCache
from vt.models.catalogue import Catalogue
from vt.models.fallback import FallbackChain, prepare
from vt.models.inventory import Inventory
from vt.models.language_grades import LanguageGrade
from vt.models.language_support import Offer
from vt.models.latest_choices import LatestChoices, Served, Wish
from vt.models.monitor import CacheMetrics, residency
from vt.models.preload import Preload, Preloaded, Task
from vt.models.remote_translation import RemoteTranslationService
from vt.models.services import (
    DiarizationService,
    Leases,
    OverlapService,
    Route,
    SeparationService,
    Service,
    SttService,
    TranslationService,
    TtsService,
)
from vt.models.speaking_rates import Paces
from vt.settings import Settings
from vt.system import graphics, machine
from vt.system.metrics import Metrics
from vt.translatable import Message, joined

__all__ = [
    "AIServiceFactory",
    "Choice",
    "DiarizationService",
    "OverlapService",
    "Preloaded",
    "SeparationService",
    "Service",
    "SttService",
    "TranslationService",
    "TtsService",
    "get_ai_factory",
]

E = TypeVar("E", bound=Engine)

MB = 2**20
_SWEEP_SECONDS, _SHORTEST_SWEEP_SECONDS = 15.0, 0.05
_MISSING_VALID_SECONDS = 30.0
_CLOSE_WAIT_SECONDS = 2.0

_log = logging.getLogger(__name__)


class AIServiceFactory:
    """Chooses engines and keeps their models warm. One for the process: see `get_ai_factory`."""

    def __init__(
        self,
        settings: Settings,
        *,
        catalogue: Catalogue | None = None,
        hub: Hub | None = None,
        make_cache: Callable[[Settings, CacheObserver], ModelCache] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.paces = Paces()
        self._catalogue = catalogue or Catalogue(settings)
        self._catalogue.load_libraries()
        self._cache_metrics = CacheMetrics(self.metrics)
        budgets = self._catalogue.card_budgets()
        self._cache = (make_cache or functools.partial(_cache, cards=budgets))(settings, self._cache_metrics)
        self._hub = hub or hub_of(settings)
        self._fallback_chain = FallbackChain(self._cache, self._hub.obstacle, fallback=settings.fallback)
        self._preload = Preload()
        self._end = Cancel()
        """Set at the end of the process: it cancels what has no cancel of its own."""
        self.troubles = self._cache_metrics.troubles
        self.inventory = Inventory(
            self._catalogue,
            self._cache,
            self._fallback_chain,
            metered=self._metered,
            hub_obstacle=self._hub.obstacle,
            end=self._end,
        )
        self._clock = clock
        self._device = self._catalogue.device
        self._latest = LatestChoices(self._generation, clock)
        self._choices: dict[str, Choice] = {}
        """The latest choice for each first candidate, by the label of that candidate."""
        self._missing: tuple[float, tuple[str, ...]] | None = None
        self._closing = threading.Event()
        self.metrics.watch(lambda: residency(self._cache.snapshot()))
        if settings.cache_enabled and settings.cache_idle_seconds:
            threading.Thread(target=self._sweep, name="vt-sweep", daemon=True).start()

    # Services.

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        """Raise, before any work is done, where a stage cannot be served.

        Args:
            source: what the film speaks; None: that is to be found out.
            target: what it is to speak; None: nothing is translated.
            hears: whether recognition is one of the stages.
            wishes: by whom it is to be translated and spoken.

        Raises:
            LanguageError: `source` cannot be heard, the pair not translated, or `target` not spoken here.
            UnknownModel: there is no such voice or engine.
            InputError: the voices are not of one engine, or not named as they have to be.
            ModelUnavailable: a stage has no model or engine.
        """
        with _with_remedy(self._catalogue.remedy_for_hearing):
            heard = self._choose(self._catalogue.stt(source)).language if hears else source
        if target is None:
            return
        if heard == target:
            raise LanguageError("The film speaks {language} already: choose another target language.", language=target)
        if heard:  # else recognition will detect it
            engine = wishes.translation_engine
            with _with_remedy(lambda: self._catalogue.remedy(heard, target)):
                self._choose(self._catalogue.translation(heard, target, engine=engine, listening=hears))
        else:
            self._catalogue.check_translation_engine(wishes.translation_engine)
        self._check_voices(target, wishes)

    def get_stt_service(self, language: str = "auto", model_size: str | None = None) -> SttService:
        """Return what hears `language`, by code or name, its model resident; see `stt_service`.

        Raises:
            LanguageError: there is no such language, or no model here hears it.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """
        return self.stt_service(languages.spoken(language), model_size)

    def get_translation_service(
        self, source: str | None = None, target: str | None = None, model: str | None = None
    ) -> TranslationService:
        """Return what translates from `source` (default English) to `target` (default Spanish), by code or name.

        Its model is resident; see `translation_service`.

        Raises:
            LanguageError: there is no such language, or nobody here translates that pair.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """
        pair = languages.get(source or "en"), languages.get(target or "es")
        return self.translation_service(*pair, model)

    def get_tts_service(self, language: str) -> TtsService:
        """Return what speaks `language`, by code or name, its model resident; see `tts_service`.

        Raises:
            LanguageError: there is no such language, or nobody here speaks it.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """
        return self.tts_service(languages.get(language))

    def stt_service(
        self,
        language: Language | None,
        model_size: str | None = None,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
    ) -> SttService:
        """Return what hears `language`, or tells which is spoken where that is None, its model resident.

        Setting `cancel` ends the waiting: for a download or a conversion, for a load of another request, or for memory.
        `after` is a choice whose work found too little memory: what is returned is a candidate below it in the list.

        Raises:
            LanguageError: no model here hears that language.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """
        with _with_remedy(self._catalogue.remedy_for_hearing):
            candidate, choice = self._serve_again(
                ("stt", language and language.code, model_size),
                lambda: self._catalogue.stt(language, model_size),
                configured=model_size is None,
                cancel=cancel,
                after=after,
            )
        return SttService(choice, self._leases(candidate, cancel), candidate.language, candidate.detects)

    def translation_service(
        self,
        source: Language,
        target: Language,
        model: str | None = None,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        engine: str = "",
        listening: bool = False,
    ) -> TranslationService:
        """Return what translates from `source` to `target`, its model resident.

        For `cancel` and `after` see `stt_service`; `engine` is the name of the one to be tried first; with
        `listening` it may be one that translates the sound of the film, as `choice.info.listens` tells.

        Raises:
            LanguageError: nobody here translates that pair.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """

        def candidates() -> Sequence[Candidate[Translator]]:
            return self._catalogue.translation(source, target, model, engine, listening=listening)

        with _with_remedy(lambda: self._catalogue.remedy(source, target)):
            candidate, choice = self._serve_again(
                ("translation", source.code, target.code, model, engine, listening),
                candidates,
                configured=model is None and not engine,
                cancel=cancel,
                after=after,
            )
        leases = self._route(candidate, cancel)
        if not choice.info.is_remote:
            return TranslationService(choice, leases)
        return RemoteTranslationService(
            choice,
            leases,
            lambda: self._stand_in(candidates(), cancel),
            observe=self.metrics.asked,
            fell=lambda count, why: self._fell(candidate.spec.key, count, why),
        )

    def _stand_in(self, candidates: Sequence[Candidate[Translator]], cancel: Cancel | None) -> TranslationService:
        """Return what translates here what another machine has left.

        Raises:
            LanguageError: nobody here translates that pair.
            ModelUnavailable: what could cannot be had, or nothing may stand in for the other machine.
        """
        if not self.settings.fallback:
            raise ModelUnavailable("VT_FALLBACK=false allows nothing in its place.")
        own = [self._metered(one) for one in candidates if not (one.info.is_remote or one.info.listens)]
        if not own:
            raise LanguageError("Nobody else here translates these languages.")
        candidate, choice = self._fallback_chain.choose(own, load=True, cancel=cancel or self._end)
        return TranslationService(choice, self._route(candidate, cancel))

    def _fell(self, key: str, count: int, why: Message | None) -> None:
        """Count sentences that another machine did not translate; where it does not serve, it is looked for anew."""
        self.metrics.fell(count)
        if why:
            self._cache_metrics.failed(key, why)
            self._cache.evict(key)

    def other_translations(self, choice: Choice, *, cancel: Cancel | None = None) -> Sequence[TranslationService]:
        """Return further ways to translate what `choice` does, best first; each loads its models when it is used.

        They are here, take little memory, and are nearly as good: for single sentences that are too long otherwise.
        """
        candidates = self._catalogue.other_translations(choice.route)
        return [TranslationService(one.choice(None), self._route(self._metered(one), cancel)) for one in candidates]

    def tts_service(
        self,
        language: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        voice: str = "",
        engine: str = "",
    ) -> TtsService:
        """Return what speaks `language`, its model resident.

        For `cancel` and `after` see `stt_service`; `voice` is the id of a voice, `engine` the name of the one to be
        tried first.

        Raises:
            LanguageError: nobody here speaks it.
            ModelUnavailable: the model cannot be had or loaded, nor what may stand in for it.
            ModelBusy: all memory for models stays in use.
        """
        candidate, choice = self._serve_again(
            ("tts", language.code, voice, engine),
            lambda: self._catalogue.tts(language, voice, engine),
            configured=not (voice or engine),
            cancel=cancel,
            after=after,
        )
        return TtsService(choice, self._leases(candidate, cancel))

    def is_voice_idle(self, language: Language, *, voice: str = "", engine: str = "") -> bool:
        """Tell whether what `tts_service` would return could speak at once: it is in memory, and nobody uses it.

        Raises:
            LanguageError: nobody here speaks it.
            ModelUnavailable: what does cannot be had.
        """
        candidate = self._choose(self._catalogue.tts(language, voice, engine))
        return candidate.is_process or self._cache.is_idle(candidate.spec.key)

    def get_diarization_service(self, cancel: Cancel | None = None, after: Choice | None = None) -> DiarizationService:
        """Return what tells speakers apart, its model resident; for `cancel` and `after` see `get_stt_service`.

        Raises:
            ModelUnavailable: the model is not here, or cannot be loaded.
            ModelBusy: all memory for models stays in use.
        """
        candidates = self._catalogue.diarization()
        if not candidates:
            raise ModelUnavailable("Nobody here tells speakers apart.")
        # That it is not here is no fault of this machine: a film then has one speaker.
        candidate, choice = self._serve(candidates, configured=False, cancel=cancel, after=after)
        return DiarizationService(choice, self._leases(candidate, cancel))

    def get_overlap_service(self, cancel: Cancel | None = None, after: Choice | None = None) -> OverlapService:
        """Return what hears where two speak at once, its model resident; for `cancel` and `after` see `stt_service`.

        Raises:
            ModelUnavailable: the model is not here, or cannot be loaded.
            ModelBusy: all memory for models stays in use.
        """
        candidates = self._catalogue.overlaps()
        if not candidates:
            raise ModelUnavailable("Nobody here hears where two speak at once.")
        candidate, choice = self._serve(candidates, configured=False, cancel=cancel, after=after)
        return OverlapService(choice, self._leases(candidate, cancel))

    def get_separation_service(self, cancel: Cancel | None = None, after: Choice | None = None) -> SeparationService:
        """Return what takes voices out of sound, its model resident; for `cancel` and `after` see `stt_service`.

        Raises:
            ModelUnavailable: the settings name no model, or it cannot be had or loaded.
            ModelBusy: all memory for models stays in use.
        """
        candidates = self._catalogue.separation()
        candidate, choice = self._serve(candidates, configured=False, cancel=cancel, after=after)
        return SeparationService(choice, self._leases(candidate, cancel))

    def check_separation(self) -> None:
        """Raise, before any work is done, where nothing here takes voices out of sound.

        Raises:
            ModelUnavailable: the settings name no model, or it cannot be had.
        """
        self._choose(self._catalogue.separation())

    def get_sample_service(self, voice: Voice, cancel: Cancel | None = None) -> TtsService:
        """Return what speaks in one voice and no other, its model resident, where nothing is to be downloaded for that.

        Raises:
            ModelUnavailable: the model is not here, or cannot be loaded.
            ModelBusy: all memory for models stays in use.
        """
        every = self._catalogue.tts(voice.language, voice.id)
        own = [one for one in every if one.info.name == voice.engine and not one.unfit]
        here = [replace(one, prepare=None) for one in own if not one.downloads]
        if not here:
            raise ModelUnavailable(
                "The voice {voice} cannot be heard yet: its model has not been downloaded here.", voice=voice.id
            )
        candidate, choice = self._serve(here, configured=False, cancel=cancel)
        return TtsService(choice, self._leases(candidate, cancel))

    def advice(self, choice: Choice) -> str:
        """Say in a sentence what somebody could fetch for a better translation; empty where that is nothing."""
        return self._catalogue.advice(choice.route)

    def voices(self) -> tuple[Voice, ...]:
        """List the voices that may be chosen here."""
        return self._catalogue.voices()

    def named_voice(self, voice_id: str) -> Voice:
        """Return the voice of an id.

        Raises:
            UnknownModel: there is none; the sentence names the nearest.
        """
        return self._catalogue.voice(voice_id)

    def left_out(self) -> str | None:
        """Say which engines the settings leave out for their licences, where they do."""
        return self._catalogue.left_out

    def voice(self, language: Language, wishes: Wishes = NO_WISHES) -> Choice:
        """Return what would speak a language; nothing is loaded.

        Raises:
            LanguageError: nobody here speaks it.
            ModelUnavailable: what does cannot be had.
        """
        first = next(iter(wishes.voices), "")
        return self._choose(self._catalogue.tts(language, first, wishes.tts_engine)).choice(None)

    def _check_voices(self, target: Language, wishes: Wishes) -> None:
        """Raise where the voices that are wished for, or the best one where none is, cannot speak a language."""
        named = wishes.voices or ("",)
        engines = {self._choose(self._catalogue.tts(target, one, wishes.tts_engine)).info.name for one in named}
        if len(engines) > 1:
            raise InputError(
                "The voices {voices} are those of several engines ({engines}): name voices of one of them.",
                voices=", ".join(named),
                engines=", ".join(sorted(engines)),
            )

    def _choose(self, candidates: Sequence[Candidate[E]]) -> Candidate[E]:
        return self._fallback_chain.choose(candidates, load=False)[0]

    def _generation(self) -> tuple[int, ...]:
        """Return numbers of which one grows with all that vt itself does to models, in memory or on the disk."""
        return self._cache.changes, self._catalogue.preparations.ended, self.inventory.removals

    def _serve_again(
        self,
        wish: Wish,
        candidates: Callable[[], Sequence[Candidate[E]]],
        *,
        configured: bool,
        cancel: Cancel | None,
        after: Choice | None,
    ) -> tuple[Candidate[E], Choice]:
        """Serve as `_serve` does, but without a look at the disk where what served the wish last still can."""
        known = None if after else self._latest.find(wish)
        if known and self._fallback_chain.serves_at_once(known.candidate, cancel or self._end):
            if configured:
                self._tell_health(known.first, known.choice)
            return known.candidate, known.choice
        since, listed = self._latest.now(), candidates()
        candidate, choice = self._serve(listed, configured=configured, cancel=cancel, after=after)
        if not after:
            self._latest.keep(wish, Served(candidate, choice, listed[0].label), since)
        return candidate, choice

    def _serve(
        self,
        candidates: Sequence[Candidate[E]],
        *,
        configured: bool = True,
        cancel: Cancel | None = None,
        after: Choice | None = None,
    ) -> tuple[Candidate[E], Choice]:
        """Load the first candidate that can be had; the health tells of those that no user has named (`configured`)."""
        cancel = cancel or self._end
        left = self._below(candidates, after) if after else candidates
        metered = [self._metered(candidate) for candidate in left]
        reason = _no_memory(after) if after else None
        candidate, choice = self._fallback_chain.choose(metered, load=True, cancel=cancel, reason=reason)
        if configured:
            self._tell_health(candidates[0].label, choice)
        return candidate, choice

    def _tell_health(self, first: str, choice: Choice) -> None:
        """Have the health tell of a choice, by the label of the candidate that was tried first."""
        # A translation from sound, where no text translator knows the language, is not a fault of this machine.
        if not choice.info.listens:
            self._choices[first] = choice

    def _metered(self, candidate: Candidate[E]) -> Candidate[E]:
        then = self._metered(candidate.then) if candidate.then else None
        if candidate.is_process:
            return replace(candidate, then=then)
        spec = self._cache_metrics.metered(candidate.spec)
        if candidate.prepare is None:
            return replace(candidate, spec=spec, then=then)
        observed = self._cache_metrics.observed(spec, lambda cancel: prepare(candidate, cancel))
        return replace(candidate, spec=spec, then=then, prepare=observed)

    def _below(self, candidates: Sequence[Candidate[E]], spent: Choice) -> Sequence[Candidate[E]]:
        """Free the model of a choice whose work found too little memory, and return the candidates below it.

        Raises:
            ModelUnavailable: there are none, or nothing may stand in for a model.
        """
        choice = replace(spent, fallback_reason=None)
        able = ((number, one) for number, one in enumerate(candidates) if not one.unfit)
        place = next(number for number, one in able if one.choice(None) == choice)
        for part in candidates[place].parts:
            if not part.is_process:
                self._cache.evict(part.spec.key)
        if not (self.settings.fallback and candidates[place + 1 :]):
            raise ModelUnavailable(joined(_no_memory(spent), "Choose a smaller model, or give it more memory."))
        return candidates[place + 1 :]

    def _route(self, candidate: Candidate[Translator], cancel: Cancel | None) -> Leases[Translator]:
        """Return how a translation is leased; where it takes several engines, each is leased only while it works."""
        hops = [self._leases(part, cancel) for part in candidate.parts]
        return hops[0] if len(hops) == 1 else lambda: nullcontext(Route(hops))

    def _leases(self, candidate: Candidate[E], cancel: Cancel | None) -> Leases[E]:
        if candidate.is_process:
            engine = candidate.spec.load()
            return lambda: nullcontext(engine)
        view, waits_until = candidate.view, cancel or self._end

        def lease() -> AbstractContextManager[E]:
            model = self._fallback_chain.lease(candidate, waits_until)
            return _viewed(model, view) if view else model

        return lease

    # Models.

    def preload_default_models(self) -> tuple[Preloaded, ...]:
        """Load what a default request needs, in the background, and return what is to come.

        A call while that runs joins it. Without caching nothing is loaded: there is nowhere to keep it.
        """
        if not self.settings.cache_enabled:
            _log.warning("nothing is preloaded: MODEL_CACHE_ENABLED is false, so no model would stay")
            return ()
        return self._preload.begin(self._defaults())

    def preload(self, names: Sequence[str]) -> tuple[Preloaded, ...]:
        """Load the models of these names in the background, each itself and nothing in its place.

        Raises:
            UnknownModel: a name stands neither in the engines' tables nor in the settings; then none is loaded.
        """
        asked = [self._catalogue.named(name) for name in names]
        if not self.settings.cache_enabled:
            return self.preload_default_models()
        return self._preload.begin([_itself(candidates, self._serve) for candidates in asked])

    def fetch(self, names: Sequence[str]) -> tuple[str, ...]:
        """Download and convert the models of these names, or what a default request wants, and return their names.

        Raises:
            UnknownModel: a name stands neither in the engines' tables nor in the settings; then nothing is fetched.
            ModelUnavailable: a model cannot be had.
            StorageError: the disk has no room for it.
        """
        wanted = [self._catalogue.named(name)[0] for name in names] if names else self._catalogue.wanted()
        for candidate in (part for whole in wanted for part in whole.parts):
            if candidate.unfit:
                raise ModelUnavailable(candidate.unfit)
            refusal = candidate.obstacle() or (self._hub.obstacle() if candidate.downloads else None)
            if refusal:
                raise ModelUnavailable(
                    "The model {model} cannot be had: {reason}.",
                    model=candidate.spec.name,
                    reason=refusal.rstrip("."),
                )
            prepare(candidate, self._end)
        return tuple(candidate.label for candidate in wanted if not candidate.is_process)

    def preload_status(self) -> tuple[Preloaded, ...]:
        """Return the models of the latest preload; none where there was none."""
        return self._preload.states()

    def wait_for_preload(self, seconds: float | None = None) -> bool:
        """Wait until a running preload has ended, and tell whether it has."""
        return self._preload.wait(seconds)

    def _defaults(self) -> list[Task]:
        spoken = self.settings.preload_languages
        tasks = [
            self._task("stt", lambda: self._catalogue.stt(None)),
            self._task("translation", lambda: self._catalogue.translation(*self._catalogue.usual_pair)),
        ]
        return tasks + [self._task("tts", lambda code=code: self._catalogue.preloaded_tts(code)) for code in spoken]  # type: ignore[misc]

    def _task(self, kind: str, candidates: Callable[[], Sequence[Candidate[Any]]]) -> Task:
        try:
            name = candidates()[0].label
        except VtError:  # said when its turn comes
            name = kind
        return Task(name, kind, lambda: self._serve(candidates())[0].label)

    def offers(self) -> tuple[Offer, ...]:
        """List every language with the engines that serve it here, now."""
        return self._catalogue.offers(reachable=self._hub.obstacle() is None)

    def grades(self) -> list[LanguageGrade]:
        """Return how good a dub from English into each language is here, now, the best first."""
        return self._catalogue.grades(reachable=self._hub.obstacle() is None)

    def recognisers(self) -> tuple[str, ...]:
        """List the recognition models that are here, by the names that `stt_service` takes."""
        return self._catalogue.recognisers()

    def targets(self) -> dict[str, frozenset[str]]:
        """Return into which languages texts are translated here, now, by the code of their own."""
        return self._catalogue.targets(reachable=self._hub.obstacle() is None)

    def engines(self) -> tuple[EngineInfo, ...]:
        """Return the facts about every engine, whether or not it is here."""
        return self._catalogue.engines

    def news(self) -> str | None:
        """Say in a sentence which model is downloaded or converted at this moment, and how far that is."""
        return self._catalogue.preparations.news

    def tell(self, hear: Callable[[str], object]) -> None:
        """Have `hear` told, in sentences, what is downloaded and converted; the log is told in any case."""
        self._catalogue.preparations.tell = hear

    def clear_cache(self) -> ClearResult:
        """Free every model: at once where it is idle, else with its last lease."""
        return self._cache.clear()

    def evict_model(self, cache_key: str) -> ClearResult:
        """Free one model, at once where it is idle, else with its last lease."""
        return self._cache.evict(cache_key)

    def close(self) -> None:
        """Free every model; the factory is not used afterwards."""
        self._closing.set()
        self._end.set()
        self._preload.stop()
        self._catalogue.preparations.close()
        self._cache.close()
        self._preload.wait(_CLOSE_WAIT_SECONDS)

    def _sweep(self) -> None:
        period = min(_SWEEP_SECONDS, max(_SHORTEST_SWEEP_SECONDS, self.settings.cache_idle_seconds / 4))
        while not self._closing.wait(period):
            self._cache.sweep()

    # Status.

    def health_check(self) -> dict[str, Any]:
        """Return the state of the factory; never waits for a load."""
        snapshot = self._cache.snapshot()
        return {
            "status": "unhealthy" if self._absent() else "degraded" if self._compromises() else "healthy",
            "cache_enabled": self.settings.cache_enabled,
            "device": self._device,
            "cached_models": _resident(snapshot.entries),
            "memory_usage_mb": _mb(snapshot.total_bytes),
            "torch_cuda_available": graphics.torch_has_cuda(),
        }

    def notes(self) -> tuple[str, ...]:
        """Say, in sentences, why the health is not better than it is, and what is on its way."""
        news = self.news()
        return (*self._absent(), *self._compromises(), *([news] if news else []))

    def get_model_status(self) -> dict[str, Any]:
        """Return the state of the model cache; never waits for a load."""
        snapshot = self._cache.snapshot()
        return {
            "cache_enabled": self.settings.cache_enabled,
            "preload_enabled": self.settings.preload_models and self.settings.cache_enabled,
            "total_cached_models": _resident(snapshot.entries),
            "total_memory_mb": _mb(snapshot.total_bytes),
            "device": self._device,
            "cpu_threads": self.settings.threads,
            "models": [_model(entry) for entry in snapshot.entries],
            "budget_mb": _mb(snapshot.budget_bytes),
            "memory": [_memory(memory) for memory in snapshot.memories],
            "hits": snapshot.hits,
            "misses": snapshot.misses,
            "loads": snapshot.loads,
            "evictions": snapshot.evictions,
        }

    def _absent(self) -> tuple[str, ...]:
        """Say for which stages there is no engine; looked up now and then, for looking takes a while."""
        now, known = self._clock(), self._missing
        if known is None or now - known[0] >= _MISSING_VALID_SECONDS:
            known = self._missing = (now, self._catalogue.missing() or self._refused())
        return known[1]

    def _refused(self) -> tuple[str, ...]:
        """Say why the recognition model that the settings ask for serves nobody, where it doesn't."""
        try:
            self._choose(self._catalogue.stt(None))
        except VtError as error:
            return (error.message,)
        return ()

    def _compromises(self) -> tuple[str, ...]:
        """Say what stands in for what, by the latest choice for each wish, and what was not preloaded."""
        reasons = [choice.fallback_reason for choice in list(self._choices.values())]
        failures = [item.why for item in self._preload.states() if item.state == "failed"]
        return tuple(dict.fromkeys(sentence for sentence in (*reasons, *failures) if sentence))


def _no_memory(spent: Choice) -> str:
    return Message("The memory did not suffice for the work of the model {model}.", model=spent.model)


@contextmanager
def _with_remedy(remedy: Callable[[], str]) -> Iterator[None]:
    """Have an error say as well what would help, where something is known that would."""
    try:
        yield
    except (LanguageError, ModelUnavailable) as error:
        help_for_it = remedy()
        if not help_for_it:
            raise
        raise type(error)(joined(error.message, help_for_it)) from error


@contextmanager
def _viewed(lease: AbstractContextManager[Any], view: Callable[[Any], E]) -> Iterator[E]:
    with lease as model:
        yield view(model)


def _itself(
    candidates: Sequence[Candidate[Any]], serve: Callable[[Sequence[Candidate[Any]]], tuple[Candidate[Any], Choice]]
) -> Task:
    """Return the task of loading one model, on whatever device it can be had."""
    first = candidates[0]
    same = [candidate for candidate in candidates if candidate.spec.name == first.spec.name]
    return Task(first.label, first.spec.kind, lambda: serve(same)[0].label)


def _resident(entries: Sequence[EntrySnapshot]) -> int:
    return sum(entry.state != "loading" for entry in entries)


def _model(entry: EntrySnapshot) -> dict[str, Any]:
    return {
        "cache_key": entry.key,
        "model_type": entry.kind,
        "model_name": entry.name,
        "device": entry.device,
        "load_time_seconds": round(entry.load_seconds, 3),
        "memory_usage_mb": _mb(entry.bytes),
        "state": entry.state,
        "leases": entry.leases,
        "idle_seconds": round(entry.idle_seconds, 3),
    }


def _memory(memory: MemorySnapshot) -> dict[str, Any]:
    used, budget = _mb(memory.used_bytes), _mb(memory.budget_bytes)
    return {"device": memory.device, "used_mb": used, "budget_mb": budget}


def _mb(size: int) -> float:
    return round(size / MB, 1)


def _cache(settings: Settings, observer: CacheObserver, cards: Mapping[str, int]) -> ModelCache:
    return ModelCache(
        machine.model_budget(settings.cache_budget_mb),
        cards=cards,
        enabled=settings.cache_enabled,
        idle_seconds=settings.cache_idle_seconds,
        observer=observer,
    )


_factory_lock = threading.Lock()
_factory: AIServiceFactory | None = None


def get_ai_factory(settings: Settings | None = None) -> AIServiceFactory:
    """Return the one factory of the process; the first call makes it, from `settings` or from the environment.

    Raises:
        SettingsError: it exists already, with other settings.
    """
    global _factory  # noqa: PLW0603 (the one process-wide object there is)
    with _factory_lock:
        if _factory is None:
            machine.share_arenas()
            machine.bound_primitives()
            machine.refuse_telemetry()
            _factory = AIServiceFactory(settings or vt_settings.load())
        elif settings is not None and settings != _factory.settings:
            raise SettingsError("The factory of this process was made with other settings already.")
        return _factory
