"""espeak-ng: speaks about 130 languages, as a command, with text over stdin."""

from __future__ import annotations

import io
import re
import shutil
import wave
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from vt import languages
from vt.domain import Cancel, Clip
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TtsEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Synthesizer, Voice
from vt.errors import EngineError
from vt.languages import Language
from vt.media import levels
from vt.system.lookahead import run_ahead
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits
from vt.text.normalization import names_numbers, normalized
from vt.translatable import Message

INFO = EngineInfo(
    name="espeak-ng",
    kind="tts",
    licence="GPL-3.0-or-later",
    source="https://github.com/espeak-ng/espeak-ng",
    needs="the Debian package espeak-ng",
    remark="The voice is espeak-ng's: clear, but plainly a machine's.",
    is_rough=True,
)
WORDS_PER_MINUTE = 175
"""espeak-ng's own default, the rate 1.0."""
SLOWEST, FASTEST = 80, 450
NATIVE_RATE = 22050
# espeak-ng does not shorten its pauses as much as its words: to be so many times as fast (below) it has to be told
# so many times the words a minute (above). Measured over Spanish, French and English sentences.
_TOLD = (0.46, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 2.57)
_SPOKEN = (0.5, 0.82, 0.91, 1.0, 1.085, 1.165, 1.25, 1.39, 1.63, 1.9)
_AHEAD = 2
_LIMITS = ChildLimits(seconds=120, cpu_seconds=60, memory=512 * MB, file_bytes=64 * MB, output_bytes=64 * MB)
"""Of one line: 64 MB are 25 minutes, which it also keeps beside its answer."""


class Espeak:
    """One voice. The library is process-global, so each line is a process of its own."""

    def __init__(self, voice: str, threads: int) -> None:
        self.voice = voice
        self.threads = threads

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate), in order, silence at both ends taken off."""
        ahead = _AHEAD * self.threads
        return run_ahead(
            lambda line: self._say(*line, cancel),
            lines,
            threads=self.threads,
            ahead=ahead,
            name="espeak",
            cancel=cancel,
        )

    def _say(self, text: str, rate: float, cancel: Cancel) -> Clip:
        told = WORDS_PER_MINUTE * float(np.interp(rate, _SPOKEN, _TOLD))
        pace = min(FASTEST, max(SLOWEST, round(told)))
        argv = ["espeak-ng", "-v", self.voice, "-s", str(pace), "-b", "1", "--stdin", "--stdout"]
        # Two brackets would begin a command in phonemes.
        plain = re.sub(r"\[(?=\[)", "[ ", _normalized(text, self.voice))
        return _clip(run(Child(argv, _LIMITS, plain.encode(), purpose="speak a line"), cancel))

    def close(self) -> None:
        """Nothing is held: every line was a process of its own."""


def _normalized(text: str, voice: str) -> str:
    """Return the text as it is spoken, where that is known; the voices bear their language's code."""
    return normalized(text, voice) if names_numbers(voice) else text


def _clip(output: bytes) -> Clip:
    if not output:  # for a text with nothing to say, espeak-ng writes not even a header
        return Clip(np.empty(0, np.int16), NATIVE_RATE)
    try:
        with wave.open(io.BytesIO(output)) as file:
            rate = file.getframerate()
            # The header written to a pipe promises 2 GB, so the data is taken as it came.
            samples = np.frombuffer(file.readframes(len(output)), "<i2")
    except (wave.Error, EOFError, ValueError) as error:
        raise EngineError("espeak-ng gave no sound for a line; check that its voices are installed.") from error
    return Clip(levels.trimmed(samples, rate), rate)


def _lack() -> str | None:
    return None if shutil.which("espeak-ng") else "Nothing here speaks: install espeak-ng."


class EspeakEngine(TtsEngine):
    """How espeak-ng is found: an installed program with a voice for each of its languages."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say so where the program is not installed."""
        del site
        return _lack()

    def voices(self, site: Site) -> Sequence[Voice]:
        """List one voice a language; none where the program is not installed."""
        rows = () if self.lack(site) else languages.ALL
        return [_voice(row) for row in rows if row.espeak]

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        """List the one voice that there is for a language."""
        del voice
        threads, name = site.settings.threads, language.espeak
        spec: ModelSpec[Synthesizer] = ModelSpec(
            key=INFO.name,
            kind="tts",
            name=name,
            device="cpu",
            load=lambda: Espeak(name, threads),
            estimated_bytes=0,
        )
        unfit = (
            None
            if name
            else Message("{language} cannot be spoken here: espeak-ng has no voice for it.", language=language)
        )
        return [Candidate(INFO, spec, is_process=True, unfit=unfit, obstacle=_lack)]

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of the languages that it has a voice for, where it is installed."""
        del reachable
        return {voice.language.code for voice in self.voices(site)}


def _voice(language: Language) -> Voice:
    return Voice(f"{INFO.name}-{language.code}", language, language.name, "", INFO.name, INFO.licence)
