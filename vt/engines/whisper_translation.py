"""Whisper's own translation into English, from the sound: the last resort for what no text translator knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vt import languages
from vt.domain import Cancel
from vt.engines import whisper
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TranslationEngine
from vt.engines.protocols import EngineInfo, Translator
from vt.engines.translation_routes import Hop
from vt.engines.whisper import Whisper
from vt.errors import LanguageError
from vt.languages import Language
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFO = EngineInfo(
    name=whisper.INFO.name,
    kind="translation",
    licence=whisper.INFO.licence,
    source=whisper.INFO.source,
    is_rough=True,
    remark=(
        "Whisper translated what it heard, without a text translator: the English is rough. "
        "Read it through before you publish."
    ),
    listens=True,
    needs="a multilingual Whisper model, and a film that is heard rather than read from subtitles",
)
_NEVER_TRAINED = ("turbo", "large-v3-turbo")
"""Sizes that hear many languages but were not taught to translate (the README of OpenAI's Whisper)."""


class WhisperTranslation:
    """A Whisper in memory, as the translator of what is said in one language."""

    def __init__(self, model: Whisper, language: Language) -> None:
        self._model, self._language = model, language

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Refuse: it knows no written words.

        Raises:
            LanguageError: always.
        """
        del sentences, cancel, budgets
        raise LanguageError("Whisper translates what it hears, not text: choose another translation engine.")

    def translate_sound(
        self, samples: NDArray[Any], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        """Yield the English for each stretch of the sound; see `SoundTranslator.translate_sound`."""
        yield from self._model.translate(samples, self._language, stretches, cancel)

    def close(self) -> None:
        """Nothing is held: the model is that of recognition."""


class WhisperTranslationEngine(TranslationEngine):
    """How it is found: wherever a multilingual Whisper is, and with the same model in memory."""

    info = INFO

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List the models that could hear the source, where English is wanted; `model` names none of them."""
        del model
        return [_candidate(heard, source, target) for heard in _engine().candidates(site, source)]

    def translated(self, site: Site, *, reachable: bool) -> tuple[Collection[str], Collection[str]]:
        """Return all that a multilingual model hears, and English."""
        target = languages.ENGLISH.code
        sources = {*_engine().heard(site, reachable=reachable)} - {target}
        return sources, {target} if sources else ()


def _engine() -> whisper.WhisperEngine:
    return whisper.WhisperEngine()


def _candidate(heard: Candidate[Any], source: Language, target: Language) -> Candidate[Translator]:
    unfit = heard.unfit
    if heard.spec.name in _NEVER_TRAINED:
        unfit = Message("The recognition model {model} was not taught to translate.", model=heard.spec.name)
    if target != languages.ENGLISH:
        unfit = Message("Whisper translates what it hears into English only, not into {language}.", language=target)
    return replace(
        heard,
        info=INFO,
        unfit=unfit,
        route=(Hop(INFO.name, source.code, target.code),),
        view=lambda model: WhisperTranslation(model, source),
    )
