"""The services of a dub that is only spoken ahead: no model is loaded for it, and none is used that others use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, Protocol

from vt.domain import NO_WISHES, Cancel, Wishes
from vt.dubbing.services import DubbingServices
from vt.engines.candidate import Choice
from vt.engines.protocols import Voice
from vt.errors import Cancelled
from vt.languages import Language
from vt.models.services import TranslationService, TtsService
from vt.models.speaking_rates import Paces
from vt.settings import Settings


class VoiceServices(DubbingServices, Protocol):
    """Serves the models of a dub, and tells which voices could speak at once."""

    def is_voice_idle(self, language: Language, *, voice: str = "", engine: str = "") -> bool:
        """Tell whether what speaks `language` is in memory, and used by nobody."""
        ...


class IdleServices:
    """Serves a voice whose model is in memory and idle. Whatever else would take a model ends the work."""

    def __init__(self, services: VoiceServices) -> None:
        self._services = services

    # What is known without a model

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        return self._services.settings

    @property
    def paces(self) -> Paces:
        """How fast each voice has spoken so far."""
        return self._services.paces

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        """Raise where a stage cannot be served."""
        self._services.check(source, target, hears=hears, wishes=wishes)

    def check_separation(self) -> None:
        """Raise where nothing takes voices out of sound."""
        self._services.check_separation()

    def voices(self) -> Sequence[Voice]:
        """List the voices that may be chosen."""
        return self._services.voices()

    def voice(self, language: Language, wishes: Wishes = NO_WISHES) -> Choice:
        """Return what would speak `language`."""
        return self._services.voice(language, wishes)

    def advice(self, choice: Choice) -> str:
        """Say nothing: no report is made."""
        del choice
        return ""

    # What takes a model

    def tts_service(
        self,
        language: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        voice: str = "",
        engine: str = "",
    ) -> TtsService:
        """Return what speaks `language`.

        Raises:
            Cancelled: it is not in memory, or others use it, or its memory did not suffice.
        """
        if after or not self._services.is_voice_idle(language, voice=voice, engine=engine):
            _call_off()
        return self._services.tts_service(language, cancel=cancel, voice=voice, engine=engine)

    def other_translations(self, choice: Choice, *, cancel: Cancel | None = None) -> Sequence[TranslationService]:
        """Call the work off."""
        del choice, cancel
        _call_off()

    def _refused(self, *_: object, **__: object) -> NoReturn:
        """Call the work off: it would take a model."""
        _call_off()

    stt_service = translation_service = _refused
    get_diarization_service = get_overlap_service = get_separation_service = _refused


def _call_off() -> NoReturn:
    raise Cancelled("The work was stopped on request.")
