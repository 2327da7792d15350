"""How each voice sounds: one sentence, spoken for whoever wants to hear it before choosing, and kept for the next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Protocol

from vt import media
from vt.domain import Cancel, Clip
from vt.engines.protocols import Voice
from vt.errors import Cancelled, ModelBusy, ModelUnavailable, VtError
from vt.languages import Language
from vt.models.services import TtsService
from vt.translatable import Message

_TABLE = Path(__file__).with_name("voice_samples.tsv")
_KEPT_BYTES = 16 * 2**20
"""Of samples: about 70 of them."""
_REFUSALS = 64
"""So many of the latest are known, for a page that says them in another language than the route did."""
_LONGEST_SECONDS = 15
_PATIENCE_SECONDS = 60.0
"""For the model to come into memory and for the sentence to be spoken, beside whatever else is at work."""


class VoiceServices(Protocol):
    """Knows the voices, and serves a model for each; see the methods of `AIServiceFactory` of the same names."""

    def named_voice(self, voice_id: str) -> Voice:
        """Return the voice of an id."""
        ...

    def get_sample_service(self, voice: Voice, cancel: Cancel | None = None) -> TtsService:
        """Return what speaks in one voice, where nothing is to be downloaded for that."""
        ...


class Samples:
    """The samples of a server. Any thread may call any method.

    One voice speaks at a time: films need the processor, and whoever asks for the same voice meanwhile finds it spoken.
    """

    def __init__(
        self,
        services: VoiceServices,
        *,
        patience_seconds: float = _PATIENCE_SECONDS,
        kept_bytes: int = _KEPT_BYTES,
    ) -> None:
        self._services, self._patience_seconds, self._kept_bytes = services, patience_seconds, kept_bytes
        self._speaking, self._lock = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._refusals: OrderedDict[str, Message] = OrderedDict()

    def kept(self, voice_id: str) -> bytes | None:
        """Return a sample that was spoken before, as a WAV file; it waits for nobody."""
        with self._lock:
            if voice_id in self._kept:
                self._kept.move_to_end(voice_id)
            return self._kept.get(voice_id)

    def of(self, voice_id: str) -> bytes:
        """Return the sample of a voice as a WAV file, spoken first where it was not.

        Raises:
            UnknownModel: there is no such voice; the sentence names the nearest.
            ModelUnavailable: its model is not here, for nothing is downloaded for a sample, or it gives no sound.
            ModelBusy: the machine has no time or memory for it now.
        """
        voice = self._services.named_voice(voice_id)
        with self._speaking:
            known = self.kept(voice_id)
            if known is None:
                known = wav(self._spoken(voice))
                self._keep(voice_id, known)
        return known

    @contextmanager
    def refusals_noted(self) -> Iterator[None]:
        """Note an error that leaves the block, for `refusal`; the block answers somebody who wants to hear a voice."""
        try:
            yield
        except VtError as error:
            self._note(error.message.with_file_names({}))
            raise

    def refusal(self, sentence: str) -> Message | None:
        """Return the message whose English sentence somebody was told when a voice could not be heard, lately.

        It names no place of this machine, as the sentence that was told.
        """
        with self._lock:
            return self._refusals.get(sentence)

    def _note(self, message: Message) -> None:
        with self._lock:
            self._refusals[str(message)] = message
            if len(self._refusals) > _REFUSALS:
                self._refusals.popitem(last=False)

    def _spoken(self, voice: Voice) -> Clip:
        cancel = Cancel()
        timer = threading.Timer(self._patience_seconds, cancel.set)
        timer.daemon = True
        timer.start()
        try:
            service = self._services.get_sample_service(voice, cancel)
            (clip,) = service.speak([(sentence(voice.language), 1.0)], cancel)
        except Cancelled as error:
            raise ModelBusy(
                "The voice {voice} cannot be heard now: too much else is at work here.", voice=voice.id
            ) from error
        finally:
            timer.cancel()
        if not len(clip.samples):
            raise ModelUnavailable("The voice {voice} cannot be heard: it gave no sound.", voice=voice.id)
        return clip

    def _keep(self, voice_id: str, sample: bytes) -> None:
        with self._lock:
            self._kept[voice_id] = sample
            while sum(map(len, self._kept.values())) > self._kept_bytes:
                self._kept.popitem(last=False)


def sentence(language: Language) -> str:
    """Return what is spoken in a language: a sentence, or where nobody has written one, the language's own name."""
    return sentences().get(language.code) or language.native_name


@cache
def sentences() -> dict[str, str]:
    """Return the sentence of each language that has one, by the language's code."""
    return dict(line.partition("\t")[::2] for line in _TABLE.read_text(encoding="utf-8").splitlines())


def wav(clip: Clip) -> bytes:
    """Return a clip as a file, cut where it is too long."""
    return media.wav(clip.samples[: _LONGEST_SECONDS * clip.sample_rate], clip.sample_rate)
