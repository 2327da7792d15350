"""The services of a dub whose models are on the hosts of a cluster; what is known without a model is asked for here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from vt.cluster.engines import (
    RemoteEmbedder,
    RemoteOverlaps,
    RemoteSynthesizer,
    RemoteTranscriber,
    RemoteTranslator,
    RemoteVoices,
)
from vt.cluster.hosts import Hosts
from vt.cluster.pieces import Ask, Offer
from vt.domain import NO_WISHES, Cancel, Wishes
from vt.engines.candidate import Choice
from vt.engines.protocols import Voice
from vt.factory import AIServiceFactory
from vt.languages import Language
from vt.models.services import (
    DiarizationService,
    OverlapService,
    SeparationService,
    SttService,
    TranslationService,
    TtsService,
)
from vt.models.speaking_rates import Paces
from vt.settings import Settings
from vt.system.metrics import Metrics

_LANGUAGE_MODEL = "llm"


class ClusterServices:
    """Serves the stages of a dub as the AI service factory does, whose methods tell what each raises."""

    def __init__(self, factory: AIServiceFactory, hosts: Hosts) -> None:
        """`factory` is this process's: it checks requests, lists voices, and serves what no host does."""
        self._factory, self._hosts = factory, hosts

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self._factory.settings

    @property
    def paces(self) -> Paces:
        """How fast each voice has spoken so far."""
        return self._factory.paces

    @property
    def metrics(self) -> Metrics:
        """The metrics of the process."""
        return self._factory.metrics

    # On the hosts

    def stt_service(
        self,
        language: Language | None,
        model_size: str | None = None,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
    ) -> SttService:
        """Return what recognises speech."""
        ask = Ask("stt", language, model=model_size, after=after)
        offer = self._offer(ask, cancel)
        lease = self._lease(RemoteTranscriber, ask, offer)
        return SttService(offer.choice, lease, offer.language, offer.detects, at_once=self._hosts.room)

    def translation_service(
        self,
        source: Language,
        target: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        engine: str = "",
        listening: bool = False,
    ) -> TranslationService:
        """Return what translates; a language model's server is asked from here."""
        if _LANGUAGE_MODEL in (engine, self.settings.translation_engine):
            return self._factory.translation_service(
                source, target, cancel=cancel, after=after, engine=engine, listening=listening
            )
        ask = Ask("translation", source, target, engine=engine, listening=listening, after=after)
        offer = self._offer(ask, cancel)
        return TranslationService(offer.choice, self._lease(RemoteTranslator, ask, offer))

    def tts_service(
        self,
        language: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        voice: str = "",
        engine: str = "",
    ) -> TtsService:
        """Return what speaks."""
        ask = Ask("tts", target=language, voice=voice, engine=engine, after=after)
        offer = self._offer(ask, cancel)
        make = RemoteVoices if offer.has_many_voices else RemoteSynthesizer
        return TtsService(offer.choice, self._lease(make, ask, offer))

    def get_diarization_service(
        self, *, cancel: Cancel | None = None, after: Choice | None = None
    ) -> DiarizationService:
        """Return what tells speakers apart."""
        ask = Ask("diarization", after=after)
        offer = self._offer(ask, cancel)
        return DiarizationService(offer.choice, self._lease(RemoteEmbedder, ask, offer))

    def get_overlap_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> OverlapService:
        """Return what hears where two speak at once."""
        ask = Ask("overlap", after=after)
        offer = self._offer(ask, cancel)
        return OverlapService(offer.choice, self._lease(RemoteOverlaps, ask, offer))

    def _offer(self, ask: Ask, cancel: Cancel | None) -> Offer:
        return self._hosts.offer(ask, cancel or Cancel())

    def _lease(
        self, make: Callable[[Hosts, Ask, Offer], Any], ask: Ask, offer: Offer
    ) -> Callable[[], AbstractContextManager[Any]]:
        """Return how the engine is leased: not at all, for the hosts lease their models, piece by piece."""
        engine = make(self._hosts, ask, offer)
        return lambda: nullcontext(engine)

    # Here

    def other_translations(self, choice: Choice, *, cancel: Cancel | None = None) -> Sequence[TranslationService]:
        """Return further ways to translate: small models, for single sentences, which are used here."""
        return self._factory.other_translations(choice, cancel=cancel)

    def get_separation_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> SeparationService:
        """Return what takes voices out of sound, here: it hears a film from its start to its end."""
        return self._factory.get_separation_service(cancel, after)

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        """Raise where a stage cannot be served."""
        self._factory.check(source, target, hears=hears, wishes=wishes)

    def check_separation(self) -> None:
        """Raise where nothing takes voices out of sound."""
        self._factory.check_separation()

    def voices(self) -> Sequence[Voice]:
        """List the voices that may be chosen."""
        return self._factory.voices()

    def voice(self, language: Language, wishes: Wishes = NO_WISHES) -> Choice:
        """Return what would speak a language."""
        return self._factory.voice(language, wishes)

    def advice(self, choice: Choice) -> str:
        """Say what could be fetched for a better translation."""
        return self._factory.advice(choice)
