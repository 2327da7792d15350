"""Protocols of what dubbing needs from whoever serves models: the AI service factory, and the fakes of tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vt.domain import NO_WISHES, Cancel, Wishes
from vt.engines.candidate import Choice
from vt.engines.protocols import Voice
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


class RequestChecker(Protocol):
    """Tells, before any work is done, whether a request can be served."""

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        """Raise where a stage cannot be served; see `AIServiceFactory.check`."""
        ...

    def check_separation(self) -> None:
        """Raise where nothing takes voices out of sound; see `AIServiceFactory.check_separation`."""
        ...

    def voices(self) -> Sequence[Voice]:
        """List the voices that may be chosen."""
        ...


class DubbingServices(RequestChecker, Protocol):
    """Serves the models of all stages of a dub. Its methods raise what those of `AIServiceFactory` raise."""

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...

    @property
    def paces(self) -> Paces:
        """How fast each voice has spoken so far."""
        ...

    def stt_service(
        self,
        language: Language | None,
        model_size: str | None = None,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
    ) -> SttService:
        """Return what recognises speech in `language`, or tells which language it is where that is None."""
        ...

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
        """Return what translates from `source` to `target`; with `listening` also what translates the film's sound."""
        ...

    def other_translations(self, choice: Choice, *, cancel: Cancel | None = None) -> Sequence[TranslationService]:
        """Return further ways to translate what `choice` does, best first; none where there are none."""
        ...

    def get_diarization_service(
        self, *, cancel: Cancel | None = None, after: Choice | None = None
    ) -> DiarizationService:
        """Return what tells speakers apart; an error where it is not here."""
        ...

    def get_overlap_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> OverlapService:
        """Return what hears where two speak at once; an error where it is not here."""
        ...

    def get_separation_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> SeparationService:
        """Return what takes voices out of sound; an error where it is not here."""
        ...

    def tts_service(
        self,
        language: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        voice: str = "",
        engine: str = "",
    ) -> TtsService:
        """Return what speaks `language`."""
        ...

    def voice(self, language: Language, wishes: Wishes = NO_WISHES) -> Choice:
        """Return what would speak `language`; no model is loaded."""
        ...

    def advice(self, choice: Choice) -> str:
        """Say in a sentence what could be fetched for a better translation; empty where there is nothing."""
        ...
