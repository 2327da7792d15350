"""Public fakes: a voice of tones, a recogniser with a script, a translator that shouts, and their factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray

from vt import languages
from vt.domain import NO_WISHES, Cancel, Clip, Dropped, Wishes
from vt.engines.candidate import Choice
from vt.engines.protocols import EngineInfo, Heard, OverlapFinder, Voice, VoiceEmbedder, VoiceRemover
from vt.errors import LanguageError, ModelUnavailable
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

Timbre = Callable[[int, int], NDArray[np.float64]]
"""Makes so many samples, within -1..1, at a sample rate."""


class ToneSynthesizer:
    """Speaks every line as sound whose length grows with the text and shrinks with the rate."""

    def __init__(
        self,
        seconds_a_character: float = 0.05,
        sample_rate: int = 22_050,
        timbre: Timbre | None = None,
        pace: Callable[[float], float] = lambda rate: rate,
    ) -> None:
        """`pace` makes of the rate that is asked for the one that is spoken: engines do not always obey."""
        self.sample_rate = sample_rate
        self.asked: list[tuple[str, float]] = []
        """Every (text, rate) so far, in order."""
        self.closed = False
        self._seconds_a_character = seconds_a_character
        self._timbre = timbre or tone
        self._pace = pace

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate); an empty text has an empty one."""
        for text, rate in lines:
            cancel.check()
            self.asked.append((text, rate))
            count = round(len(text) * self._seconds_a_character / self._pace(rate) * self.sample_rate)
            sound = self._timbre(count, self.sample_rate) if count else np.empty(0)
            yield Clip((sound * 32767).astype(np.int16), self.sample_rate)

    def close(self) -> None:
        self.closed = True


def tone(count: int, rate: int) -> NDArray[np.float64]:
    """Return a tone of 220 Hz at -12 dBFS."""
    return 0.25 * np.sin(2 * np.pi * 220 * np.arange(count) / rate)


class ScriptedTranscriber:
    """Hears what its script says, whatever the sound."""

    def __init__(self, script: Sequence[Heard | Dropped]) -> None:
        self.script = tuple(script)
        self.calls = 0
        self.closed = False

    def transcribe(self, samples: NDArray[np.float32], language: Language, cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield the script."""
        del samples, language
        self.calls += 1
        for found in self.script:
            cancel.check()
            yield found

    def detect(self, samples: NDArray[np.float32]) -> tuple[Language, float]:
        """Take everything for English."""
        del samples
        return languages.ENGLISH, 0.75

    def close(self) -> None:
        self.closed = True


class UpperCaseTranslator:
    """Translates into upper case, and so shows whether every sentence came back in its place."""

    def __init__(self) -> None:
        self.closed = False
        self.budgets: list[Sequence[float] | None] = []
        """What each call was told of the lines' lengths."""

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield each sentence in upper case."""
        self.budgets.append(budgets)
        for sentence in sentences:
            cancel.check()
            yield sentence.upper()

    def close(self) -> None:
        self.closed = True


class ScriptedVoices:
    """Tells voices apart by a script: who speaks from when on."""

    def __init__(self, script: Sequence[tuple[float, int]]) -> None:
        """`script`: a second and the number of the voice that is heard from there, in order."""
        self.script = script
        self.moments: list[tuple[float, float]] = []
        """What was listened to."""

    def embed(
        self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a vector that is the same for all moments of a voice, but for a little."""
        del samples
        for start, end in moments:
            cancel.check()
            self.moments.append((start, end))
            middle = (start + end) / 2
            number = [who for second, who in self.script if second <= middle][-1]
            vector = np.random.default_rng(len(self.moments)).normal(0, 0.03, 64)
            vector[number] += 1
            yield (vector / np.linalg.norm(vector)).astype(np.float32)

    def close(self) -> None:
        """Do nothing."""


class ScriptedOverlaps:
    """Hears two at once where its script says so, cut at the edges of the windows."""

    def __init__(self, script: Sequence[tuple[float, float]]) -> None:
        self.script = script
        self.starts: list[float] = []
        """Of the windows that were listened to."""

    def overlaps(
        self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        """Yield the parts of the script in each window."""
        del samples
        for start in starts:
            cancel.check()
            self.starts.append(start)
            cut = [(max(begin, start), min(end, start + 10)) for begin, end in self.script]
            yield [(begin, end) for begin, end in cut if begin < end]

    def close(self) -> None:
        """Do nothing."""


class FakeFactory:
    """Serves the fakes as the real factory serves engines, without their models and without a cache."""

    def __init__(
        self,
        heard: ScriptedTranscriber,
        spoken: ToneSynthesizer,
        settings: Settings | None = None,
        heeds: bool = False,
        detects: bool = True,
    ) -> None:
        """`heeds`: the translator can choose by length; `detects`: the recogniser can tell languages apart."""
        self.settings = settings or Settings()
        self._translation, self._detects = choice("upper case", "translation", heeds), detects
        self.heard, self.translated, self.spoken = heard, UpperCaseTranslator(), spoken
        self.paces, self.metrics = Paces(), Metrics()
        self.embedder: VoiceEmbedder | None = None
        """What tells speakers apart; None: nothing does."""
        self.overlap_finder: OverlapFinder | None = None
        """What hears where two speak at once; None: nothing does."""
        self.remover: VoiceRemover | None = None
        """What takes voices out of sound; None: nothing does."""
        self.others: list[TranslationService] = []
        """Further ways to translate."""
        self.is_idle = True
        """Whether the voice is in memory, and used by nobody."""
        self.wished: list[Wishes] = []
        """By whom each film was to be served that was checked."""

    def check(
        self, source: Language | None, target: Language | None, *, hears: bool = True, wishes: Wishes = NO_WISHES
    ) -> None:
        """Refuse English, which the fakes hear, and nothing else."""
        del source, hears
        self.wished.append(wishes)
        if target == languages.ENGLISH:
            raise LanguageError("The film speaks English already: choose another target language.")

    def stt_service(
        self,
        language: Language | None,
        model_size: str | None = None,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
    ) -> SttService:
        del language, model_size, cancel, after
        return SttService(choice("scripted", "stt"), lambda: nullcontext(self.heard), languages.ENGLISH, self._detects)

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
        del source, target, cancel, after, engine, listening
        return TranslationService(self._translation, lambda: nullcontext(self.translated))

    def other_translations(self, choice: Choice, *, cancel: Cancel | None = None) -> Sequence[TranslationService]:
        del choice, cancel
        return self.others

    def get_diarization_service(
        self, *, cancel: Cancel | None = None, after: Choice | None = None
    ) -> DiarizationService:
        del cancel, after
        if self.embedder is None:
            raise ModelUnavailable("There is no model that tells speakers apart.")
        voices = self.embedder
        return DiarizationService(choice("scripted voices", "diarization"), lambda: nullcontext(voices))

    def get_overlap_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> OverlapService:
        del cancel, after
        if self.overlap_finder is None:
            raise ModelUnavailable("There is no model that hears where two speak at once.")
        finder = self.overlap_finder
        return OverlapService(choice("scripted overlaps", "diarization"), lambda: nullcontext(finder))

    def check_separation(self) -> None:
        """Refuse, where nothing takes voices out of sound."""
        self.get_separation_service()

    def get_separation_service(self, *, cancel: Cancel | None = None, after: Choice | None = None) -> SeparationService:
        del cancel, after
        if self.remover is None:
            raise ModelUnavailable("There is no model that takes voices out.")
        remover = self.remover
        return SeparationService(choice("scripted silence", "separation"), lambda: nullcontext(remover))

    def voices(self) -> Sequence[Voice]:
        """List one voice, whose gender nobody knows."""
        return [Voice("tone-es", languages.SPANISH, "Tone", "", "tone", "none")]

    def advice(self, choice: Choice) -> str:
        del choice
        return ""

    def voice(self, language: Language, wishes: Wishes = NO_WISHES) -> Choice:
        del language, wishes
        return choice("tone", "tts")

    def is_voice_idle(self, language: Language, *, voice: str = "", engine: str = "") -> bool:
        del language, voice, engine
        return self.is_idle

    def tts_service(
        self,
        language: Language,
        *,
        cancel: Cancel | None = None,
        after: Choice | None = None,
        voice: str = "",
        engine: str = "",
    ) -> TtsService:
        del language, cancel, after, voice, engine
        return TtsService(choice("tone", "tts"), lambda: nullcontext(self.spoken))


def choice(name: str, kind: str, heeds: bool = False) -> Choice:
    """Return that a fake engine serves."""
    return Choice(EngineInfo(name, kind, licence="none", source="tests", heeds_lengths=heeds), name)
