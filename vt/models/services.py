"""Services: handles on engines, which lease their model while a method runs, or within `with`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel, Clip, Dropped
from vt.engines.candidate import Choice
from vt.engines.protocols import (
    Context,
    Engine,
    Heard,
    OverlapFinder,
    Promptable,
    SoundTranslator,
    Synthesizer,
    Transcriber,
    Translator,
    VoiceEmbedder,
    VoiceRemover,
)
from vt.errors import EngineError
from vt.languages import Language
from vt.models.spent import NOTHING_SPENT, Spent
from vt.system import machine

E = TypeVar("E", bound=Engine)
Leases = Callable[[], AbstractContextManager[E]]
"""Takes a lease on a model, and loads it where it is not in memory."""


class _SharedLease(Generic[E]):
    """A lease that one thread has taken: all users of the model in that thread share it, and the last gives it back."""

    def __init__(self, lease: AbstractContextManager[E]) -> None:
        self._lease = lease
        # Re-entrant: the garbage collector may close a generator, which is a user too, while this thread has the lock.
        self._users_lock = threading.RLock()
        self._users = 1
        self.engine = lease.__enter__()

    def join(self) -> bool:
        """Count one more user; False where the lease has been given back."""
        with self._users_lock:
            self._users += self._users > 0
            return self._users > 0

    def leave(self) -> None:
        """Count one user less; after the last one the lease is given back."""
        with self._users_lock:
            self._users -= 1
            last = not self._users
        if last:
            # The thread still refers to this object, which must not keep an evicted model in memory.
            del self.engine
            self._lease.__exit__(None, None, None)


class Service(Generic[E]):
    """A handle on a model. It holds no lease itself: `with service as engine:` takes one, and so does each method."""

    def __init__(self, choice: Choice, lease: Leases[E]) -> None:
        self.choice = choice
        self._lease = lease
        # A method that is called inside `with` uses the same lease. Each thread has a lease of its own.
        self._of_thread = threading.local()

    def __enter__(self) -> E:
        shared = self._shared_lease()
        self._of_thread.__dict__.setdefault("entered", []).append(shared)
        return shared.engine

    def __exit__(self, *_: object) -> None:
        self._of_thread.entered.pop().leave()

    @contextmanager
    def _using(self) -> Iterator[E]:
        # A generator may be closed by another thread than the one that began it, so the lease is kept in a variable.
        shared = self._shared_lease()
        try:
            yield shared.engine
        finally:
            shared.leave()

    def _shared_lease(self) -> _SharedLease[E]:
        shared: _SharedLease[E] | None = getattr(self._of_thread, "lease", None)
        if shared is None or not shared.join():
            shared = self._of_thread.lease = _SharedLease(self._lease())
        return shared


class SttService(Service[Transcriber]):
    """Recognises speech."""

    def __init__(
        self,
        choice: Choice,
        lease: Leases[Transcriber],
        language: Language | None,
        detects: bool,
        *,
        at_once: int = 1,
    ) -> None:
        super().__init__(choice, lease)
        self.language = language
        """The language that it recognises: the requested one, or the model's only one; None: the detected one."""
        self.detects = detects
        self.at_once = at_once
        """How many sounds it recognises at the same time, each for a thread of its own."""

    def detect(self, samples: NDArray[Any]) -> tuple[Language, float]:
        """Return the language that is spoken in mono 16 kHz samples, and its probability."""
        with self._using() as engine:
            return engine.detect(samples)

    def hearing(self, language: Language) -> SttService:
        """Return the same model's service for one language."""
        return SttService(self.choice, self._lease, language, self.detects, at_once=self.at_once)

    def prompted(self, prompt: str) -> SttService:
        """Return the same model's service, told of words that it may meet; an empty prompt tells nothing."""

        @contextmanager
        def lease() -> Iterator[Transcriber]:
            with self._lease() as engine:
                yield engine.prompted(prompt) if isinstance(engine, Promptable) else engine

        return SttService(self.choice, lease, self.language, self.detects) if prompt else self

    def transcribe(self, samples: NDArray[Any], cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield what is heard in mono 16 kHz samples; see `Transcriber.transcribe`."""
        with self._using() as engine:
            try:
                yield from engine.transcribe(samples, self.language or engine.detect(samples)[0], cancel)
            finally:
                # Else the process would keep the memory that recognition took beside the model.
                machine.trim()


class TranslationService(Service[Translator]):
    """Translates sentences, or the sound in which they are said."""

    def translate(
        self,
        sentences: Sequence[str],
        cancel: Cancel,
        budgets: Sequence[float] | None = None,
        context: Context | None = None,
    ) -> Iterator[str]:
        """Yield a translation for each sentence; see `Translator.translate`.

        `context` is where the sentences stand in their film, for who can make use of that.
        """
        del context
        with self._using() as engine:
            yield from engine.translate(sentences, cancel, budgets)

    def take_spent(self) -> Spent:
        """Return what another machine took since this was asked last: nothing, where all is done here."""
        return NOTHING_SPENT

    def translate_sound(
        self, samples: NDArray[Any], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        """Yield a translation for each stretch of mono 16 kHz samples; see `SoundTranslator.translate_sound`.

        Raises:
            EngineError: the engine translates text.
        """
        with self._using() as engine:
            if not isinstance(engine, SoundTranslator):
                raise EngineError("{engine} translates text, not sound.", engine=self.choice.info.name)
            try:
                yield from engine.translate_sound(samples, stretches, cancel)
            finally:
                machine.trim()


class Route:
    """A translator that goes through other languages, one model after the other; it leases one model at a time."""

    def __init__(self, hops: Sequence[Leases[Translator]]) -> None:
        """`hops`: the leases of the models, in their order."""
        self._hops = hops

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield a translation for each sentence; each model translates all sentences before the next one begins."""
        texts = list(sentences)
        for hop in self._hops:
            last = hop is self._hops[-1]
            with hop() as engine:
                texts = list(engine.translate(texts, cancel, budgets if last else None))
        yield from texts

    def close(self) -> None:
        """Do nothing: no lease is held between two calls."""


class TtsService(Service[Synthesizer]):
    """Speaks lines of text."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate); see `Synthesizer.speak`."""
        with self._using() as engine:
            yield from engine.speak(lines, cancel)


class DiarizationService(Service[VoiceEmbedder]):
    """Tells voices apart."""

    def embed(
        self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a vector for the voice of each moment of mono 16 kHz samples; see `VoiceEmbedder.embed`."""
        with self._using() as engine:
            try:
                yield from engine.embed(samples, moments, cancel)
            finally:
                machine.trim()


class OverlapService(Service[OverlapFinder]):
    """Hears where two speak at once."""

    def overlaps(
        self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        """Yield the stretches in which two speak at once, for each window; see `OverlapFinder.overlaps`."""
        with self._using() as engine:
            try:
                yield from engine.overlaps(samples, starts, cancel)
            finally:
                machine.trim()


class SeparationService(Service[VoiceRemover]):
    """Takes voices out of sound."""

    def without_voices(self, pieces: Iterable[NDArray[np.float32]], cancel: Cancel) -> Iterator[NDArray[np.float32]]:
        """Yield as much sound as comes in, without its voices; see `VoiceRemover.without_voices`."""
        with self._using() as engine:
            try:
                yield from engine.without_voices(pieces, cancel)
            finally:
                machine.trim()
