"""A text spoken: sentence by sentence, each encoded as soon as it is spoken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vt import media
from vt.domain import Cancel, Clip
from vt.engines.protocols import Voice
from vt.errors import InputError, ModelUnavailable
from vt.languages import Language
from vt.models.services import TtsService
from vt.text import identification, splitting

Take = Callable[[bytes], object]
"""Is given what is encoded, as it comes."""

SLOWEST, FASTEST = 0.25, 4.0
_OWN_SLOWEST, _OWN_FASTEST = 0.8, 1.5
"""How fast voices speak by themselves; beyond that their sound is stretched."""
_LONGEST = 300
"""Characters spoken at once: what has no end of a sentence for longer is divided at a comma or a space."""
_PAUSE_SECONDS = 0.3
"""Between two sentences."""


class VoiceServices(Protocol):
    """Serves a model for a voice; see the method of `AIServiceFactory` of the same name."""

    def get_sample_service(self, voice: Voice, cancel: Cancel | None = None) -> TtsService:
        """Return what speaks in one voice, where nothing is to be downloaded for that."""
        ...


@dataclass(frozen=True, slots=True)
class Speech:
    """What is to be spoken."""

    text: str
    voices: Sequence[Voice]
    """The first whose model is here speaks."""
    form: str
    """One of `media.FORMATS`."""
    speed: float = 1.0
    """A multiple of the voice's own, `SLOWEST`..`FASTEST`."""


def speak(asked: Speech, services: VoiceServices, cancel: Cancel, take: Take) -> None:
    """Speak a text, and have `take` given its sound while it is spoken.

    Raises:
        InputError: nothing in the text can be spoken.
        ModelUnavailable: the model of no voice is here.
        EngineError: the model failed.
        ToolError: it cannot be encoded.
        Cancelled: `cancel` was set.
    """
    speak_by(_first_here(asked.voices, services, cancel), asked.text, asked.form, asked.speed, cancel, take)


def speak_by(
    service: TtsService,
    text: str,
    form: str,
    speed: float,
    cancel: Cancel,
    take: Take,
    most_bytes: int = media.MOST_ENCODED_BYTES,
) -> None:
    """Speak a text by one service, and have `take` given its sound while it is spoken.

    Args:
        service: speaks.
        text: what is to be spoken.
        form: one of `media.FORMATS`.
        speed: a multiple of the voice's own, `SLOWEST`..`FASTEST`.
        cancel: ends it.
        take: is given what is encoded.
        most_bytes: of what is encoded.

    Raises:
        InputError: nothing in the text can be spoken.
        EngineError: the model failed.
        ToolError: it cannot be encoded, or takes more bytes.
        Cancelled: `cancel` was set.
    """
    own = min(_OWN_FASTEST, max(_OWN_SLOWEST, speed))
    lines = [(piece, own) for piece in splitting.pieces(text, lambda piece: len(piece) <= _LONGEST)]
    clips = (clip for clip in service.speak(lines, cancel) if len(clip.samples))
    first = next(clips, None)
    if first is None:
        raise InputError("Nothing in this text can be spoken.")
    sound = _paced(chain([first], clips), speed / own, _PAUSE_SECONDS / speed, cancel)
    media.encode(sound, first.sample_rate, form, take, cancel, most_bytes)


def language_of(text: str, voices: Iterable[Voice]) -> Language:
    """Return the likeliest language of a text, of those that some voices speak.

    Only those that Whisper hears count: others are hardly ever written. English, where the text is too short to tell.
    """
    spoken = {voice.language.code for voice in voices if voice.language.whisper}
    return identification.likeliest(text, spoken)[0]


def _first_here(voices: Sequence[Voice], services: VoiceServices, cancel: Cancel) -> TtsService:
    """Return what speaks in the first of some voices whose model is here."""
    trouble = ModelUnavailable("Nobody here speaks that language.")
    for voice in voices:
        try:
            return services.get_sample_service(voice, cancel)
        except ModelUnavailable as error:
            trouble = error
    raise trouble


def _paced(clips: Iterator[Clip], tempo: float, pause_seconds: float, cancel: Cancel) -> Iterator[NDArray[np.int16]]:
    """Yield clips at a tempo, with a pause between each and the next."""
    for number, clip in enumerate(clips):
        if number:
            yield np.zeros(round(pause_seconds * clip.sample_rate), np.int16)
        is_as_spoken = abs(tempo - 1) < 0.01
        yield clip.samples if is_as_spoken else media.stretched(clip.samples, clip.sample_rate, tempo, cancel)
