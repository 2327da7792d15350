"""What an engine is: three protocols, and the facts about each engine as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vt.domain import Cancel, Clip, Dropped, Word
from vt.languages import Language
from vt.text.glossary.matching import Match
from vt.translatable import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_commercial(licence: str) -> bool:
    """Tell whether a licence, an SPDX expression, allows use in trade."""
    return "-NC-" not in licence


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Facts about an engine, known without importing its library."""

    name: str
    """As it stands in the report: whisper, apertium, espeak-ng."""
    kind: str
    """stt, translation, tts, diarization or separation."""
    licence: str
    """Of the weights or data, as an SPDX expression."""
    source: str
    """Where they come from."""
    remark: str = ""
    """A sentence that the user should know when this engine was used; empty where there is none."""
    heeds_lengths: bool = False
    """Of a translation engine: it can choose among several translations by their lengths."""
    is_dear: bool = False
    """Of speech: a line takes it long, so nothing is spoken twice that need not be."""
    is_rough: bool = False
    """What it makes is plainly a machine's: a voice of formants, a translation by rules or by ear; `remark` says so."""
    listens: bool = False
    """Of a translation engine: it translates the sound of a sentence, not its words, and is a last resort."""
    is_remote: bool = False
    """It asks another machine: text leaves this one, and it serves only where it is named."""
    needs: str = ""
    """What it takes to have it, as half a sentence: the Debian package espeak-ng, a download of 145 MB."""

    @property
    def commercial(self) -> bool:
        """Whether the licence allows use in trade."""
        return is_commercial(self.licence)


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice that can be chosen by its id."""

    id: str
    """What a request names: af_heart, mms-tts-spa, espeak-ng-es."""
    language: Language
    name: str
    """For people: Heart (American)."""
    gender: str
    """female, male, or empty where that is not known."""
    engine: str
    licence: str

    @property
    def commercial(self) -> bool:
        """Whether the licence allows use in trade."""
        return is_commercial(self.licence)

    def as_json(self) -> dict[str, str]:
        """Return it as one JSON object."""
        return {
            "id": self.id,
            "language": self.language.code,
            "name": self.name,
            "gender": self.gender,
            "engine": self.engine,
            "licence": self.licence,
        }


@dataclass(frozen=True, slots=True)
class Heard:
    """A run of words that the recogniser took from one stretch of sound."""

    words: tuple[Word, ...]


class Engine(Protocol):
    """What the cache and the factory know of any loaded engine."""

    def close(self) -> None:
        """Give the memory back; no method is called afterwards."""


class Transcriber(Engine, Protocol):
    """Hears: sound in, words out."""

    def transcribe(self, samples: NDArray[np.float32], language: Language, cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield what was heard in `samples` (mono, 16 kHz), in seconds from its start; second looks come last."""
        ...

    def detect(self, samples: NDArray[np.float32]) -> tuple[Language, float]:
        """Return the language that is spoken, and its probability."""
        ...


@runtime_checkable
class Promptable(Transcriber, Protocol):
    """Hears, and spells by what it is told beforehand."""

    def prompted(self, prompt: str) -> Transcriber:
        """Return the same model, told of words that it may meet, or of what was said before.

        It serves no longer than this one is open.
        """
        ...


class Translator(Engine, Protocol):
    """Translates: sentences in, as many sentences out, in the same order."""

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield one translation for each sentence.

        `budgets`, one for each, are the characters that there is time for; who `heeds_lengths` tries to keep to them.
        """
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a translator may be told of a film beside the sentences that it is to translate."""

    lines: tuple[str, ...]
    """All that is said, in order."""
    places: tuple[int, ...]
    """For each sentence, where it stands in `lines`; each place once."""
    terms: tuple[tuple[Match, ...], ...] = ()
    """For each sentence, the terms of a glossary that are in it; empty: there are none, or they need not be known."""

    def of(self, part: slice) -> Context:
        """Return the same for a part of the sentences."""
        return Context(self.lines, self.places[part], self.terms[part])


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of some sentences that another machine was asked to translate, and what that took."""

    texts: tuple[str | None, ...]
    """One for each sentence; None where no translation came that is believed."""
    why: Message | None = None
    """Why there is None among them."""
    is_down: bool = False
    """The other machine does not serve at this time: no sentence behind these was asked for."""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@runtime_checkable
class RemoteTranslator(Translator, Protocol):
    """Has another machine translate, which may fail with some sentences or with all."""

    def attempts(
        self,
        sentences: Sequence[str],
        cancel: Cancel,
        budgets: Sequence[float] | None = None,
        context: Context | None = None,
    ) -> Iterator[Attempt]:
        """Yield what became of the sentences, in order, several at a time; for `budgets` see `Translator.translate`.

        It ends early behind an attempt that `is_down`.
        """
        ...


@runtime_checkable
class SoundTranslator(Engine, Protocol):
    """Translates what it hears: the sound of sentences in, as many sentences out, in the same order."""

    def translate_sound(
        self, samples: NDArray[np.float32], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        """Yield one translation for each stretch of `samples` (mono, 16 kHz), given by its start and end in seconds.

        It is empty where nothing was understood that is to be believed.
        """
        ...


class Synthesizer(Engine, Protocol):
    """Speaks: lines in, clips out, in the same order."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield one clip for each line, a text and a speaking rate (a multiple of the engine's default, 1.0)."""
        ...


@runtime_checkable
class ManyVoiced(Synthesizer, Protocol):
    """Speaks with any of several voices by the same model."""

    def speaking(self, voice_id: str) -> Synthesizer:
        """Return the same model with another of its voices; it serves no longer than this one is open."""
        ...


class VoiceRemover(Engine, Protocol):
    """Takes voices out of sound."""

    def without_voices(self, pieces: Iterable[NDArray[np.float32]], cancel: Cancel) -> Iterator[NDArray[np.float32]]:
        """Yield as much sound as comes in, without its voices, in pieces of another length.

        Pieces are of shape (n, 2), at 44.1 kHz, full scale being 1.0. Of a sound of any length, seconds are held.
        """
        ...


class VoiceEmbedder(Engine, Protocol):
    """Tells voices apart: moments of sound in, as many vectors out, in the same order."""

    def embed(
        self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a vector for each moment of `samples` (mono, 16 kHz), given by its start and end in seconds.

        Vectors are of length 1. Those of two moments of one voice have a large scalar product, those of two voices a
        small one. Of a moment of more than 1.5 s only so much is heard.
        """
        ...


class OverlapFinder(Engine, Protocol):
    """Hears where two speak at once: windows of sound in, as many lists of stretches out, in the same order."""

    def overlaps(
        self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        """Yield the stretches in which two or more speak at once, for each window of 10 s of `samples`.

        The sound is mono, at 16 kHz; windows are given by their starts. Stretches are in seconds from the start of the
        sound, in order of time.
        """
        ...
