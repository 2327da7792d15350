"""The table of engines, best first: whoever stands in it serves, and nobody else knows them by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from vt.engines import (
    apertium,
    campplus,
    demucs,
    espeak,
    firefox,
    kokoro,
    llm,
    mms,
    nllb,
    pyannet,
    whisper,
    whisper_translation,
)
from vt.engines.definition import (
    DiarizationEngine,
    OverlapEngine,
    SeparationEngine,
    SttEngine,
    TranslationEngine,
    TtsEngine,
)
from vt.engines.protocols import EngineInfo

AnyEngine: TypeAlias = SttEngine | TranslationEngine | TtsEngine | DiarizationEngine | OverlapEngine | SeparationEngine


@dataclass(frozen=True, slots=True)
class Table:
    """The engines by what they do, in the order in which they are tried."""

    stt: tuple[SttEngine, ...] = ()
    translation: tuple[TranslationEngine, ...] = ()
    tts: tuple[TtsEngine, ...] = ()
    diarization: tuple[DiarizationEngine, ...] = ()
    overlaps: tuple[OverlapEngine, ...] = ()
    separation: tuple[SeparationEngine, ...] = ()

    @property
    def infos(self) -> tuple[EngineInfo, ...]:
        """The facts about all of them."""
        every = (*self.stt, *self.translation, *self.tts, *self.diarization, *self.overlaps, *self.separation)
        return tuple(engine.info for engine in every)

    def with_first(self, *engines: AnyEngine) -> Table:
        """Return a table in which these engines are tried before all others of their kind."""
        return Table(
            (*(engine for engine in engines if isinstance(engine, SttEngine)), *self.stt),
            (*(engine for engine in engines if isinstance(engine, TranslationEngine)), *self.translation),
            (*(engine for engine in engines if isinstance(engine, TtsEngine)), *self.tts),
            (*(engine for engine in engines if isinstance(engine, DiarizationEngine)), *self.diarization),
            (*(engine for engine in engines if isinstance(engine, OverlapEngine)), *self.overlaps),
            (*(engine for engine in engines if isinstance(engine, SeparationEngine)), *self.separation),
        )


BUILT_IN = Table(
    stt=(whisper.WhisperEngine(),),
    translation=(
        llm.LlmEngine(),
        nllb.NllbEngine(),
        firefox.FirefoxEngine(),
        apertium.ApertiumEngine(),
        whisper_translation.WhisperTranslationEngine(),
    ),
    tts=(kokoro.KokoroEngine(), mms.MmsEngine(), espeak.EspeakEngine()),
    diarization=(campplus.CamPlusPlusEngine(),),
    overlaps=(pyannet.PyanNetEngine(),),
    separation=(demucs.DemucsEngine(),),
)
