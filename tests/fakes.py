"""Public fakes of the three engines: a voice of tones, a recogniser with a script, a translator that shouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from vt.domain import Cancel, Clip, Dropped
from vt.engines.base import Heard

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

    def transcribe(self, samples: NDArray[np.float32], language: str, cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield the script."""
        del samples, language
        self.calls += 1
        for found in self.script:
            cancel.check()
            yield found

    def detect(self, samples: NDArray[np.float32]) -> tuple[str, float]:
        """Take everything for English."""
        del samples
        return "en", 0.75

    def close(self) -> None:
        self.closed = True


class UpperCaseTranslator:
    """Translates into upper case, and so shows whether every sentence came back in its place."""

    def __init__(self) -> None:
        self.closed = False

    def translate(self, sentences: Sequence[str], cancel: Cancel) -> Iterator[str]:
        """Yield each sentence in upper case."""
        for sentence in sentences:
            cancel.check()
            yield sentence.upper()

    def close(self) -> None:
        self.closed = True
