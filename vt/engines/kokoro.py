"""Kokoro-82M on ONNX Runtime: a small voice model of good sound (StyleTTS 2 with an iSTFT decoder), six languages."""

from __future__ import annotations

import shutil
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, suppress
from copy import copy
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt import languages
from vt.domain import Cancel, Clip
from vt.engines import onnx_session, protocols
from vt.engines.candidate import Candidate
from vt.engines.definition import AUTO, Site, TtsEngine
from vt.engines.kokoro_parts import divided
from vt.engines.kokoro_phonemes import phonemes
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Synthesizer
from vt.errors import EngineError, ModelUnavailable
from vt.languages import Language
from vt.media import audio, levels
from vt.model_files import bundle, sources
from vt.model_files.sources import Weights
from vt.system import machine
from vt.system.lookahead import run_groups_ahead
from vt.system.turns import Turns
from vt.text import questions
from vt.text.normalization import normalized
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFO = EngineInfo(
    name="kokoro",
    kind="tts",
    licence="Apache-2.0",
    source="https://huggingface.co/hexgrad/Kokoro-82M",
    is_dear=True,
    needs="the bundled model, or a download of 92 MB, and the Debian package espeak-ng",
)
REPOSITORY = "onnx-community/Kokoro-82M-v1.0-ONNX"
"""On the hub: the weights in ONNX's format, in several precisions."""
FILES = {"int8": "onnx/model_quantized.onnx", "fp16": "onnx/model_fp16.onnx", "fp32": "onnx/model.onnx"}
"""By precision. int8 is what to take: on a processor with VNNI it needs 0.86 of float32's time and a third of its
memory; float16 is computed as float32 by ONNX Runtime's processor kernels."""
DOWNLOAD_BYTES = {"int8": 92_400_000, "fp16": 163_000_000, "fp32": 326_000_000}
"""About."""
SAMPLE_RATE = 24_000
ROWS, STYLE = 510, 256
"""Of a voice: one vector for each number of tokens."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One voice of the model: a name for its style vectors."""

    id: str
    """Its first letter is the language, its second f for a woman, m for a man."""
    language_code: str
    """In the table of languages."""
    name: str
    accent: str = ""
    """American or British; empty where a language has one."""

    @property
    def language(self) -> Language:
        """What it speaks."""
        return languages.get(self.language_code)

    @property
    def gender(self) -> str:
        """Female or male."""
        return "female" if self.id[1] == "f" else "male"

    @property
    def espeak(self) -> str:
        """The voice of espeak-ng that knows the pronunciation."""
        return "en-gb" if self.accent == "British" else self.language.espeak


VOICES = (
    Voice("af_heart", "en", "Heart", "American"),
    Voice("af_bella", "en", "Bella", "American"),
    Voice("am_fenrir", "en", "Fenrir", "American"),
    Voice("am_michael", "en", "Michael", "American"),
    Voice("bf_emma", "en", "Emma", "British"),
    Voice("bm_george", "en", "George", "British"),
    Voice("ef_dora", "es", "Dora"),
    Voice("em_alex", "es", "Alex"),
    Voice("em_santa", "es", "Santa"),
    Voice("ff_siwis", "fr", "Siwis"),
    Voice("hf_alpha", "hi", "Alpha"),
    Voice("hm_omega", "hi", "Omega"),
    Voice("if_sara", "it", "Sara"),
    Voice("im_nicola", "it", "Nicola"),
    Voice("pf_dora", "pt", "Dora"),
    Voice("pm_alex", "pt", "Alex"),
    Voice("pm_santa", "pt", "Santa"),
)
"""The first of each language is its default. `kokoro-voices.bin` has their vectors in this order."""

_VOICES = Path(__file__).with_name("kokoro-voices.bin")
_SIGNS = Path(__file__).with_name("kokoro-signs.tsv")
_LONGEST = 200
"""Tokens spoken at once, 13 s or so: work and memory grow with them, and beyond 400 the voice begins to hurry."""
_USUAL = 150
"""Tokens that nearly every part has at most. When two are longer, they are spoken one after the other: otherwise the
memory of a film would be that of its two longest parts."""
_AT_ONCE = 4
"""Parts spoken side by side, at most: each needs its memory. More threads than that share their work."""
_PARTS_A_ROUND = 16
"""Parts that begin before all of them have to end: a round costs half a part's time of a core, 3 % of all."""
_LINES_A_PROCESS = 16
"""Lines whose phonemes are asked for at once: a process costs more than a line."""
_PAUSES = {".": 0.35, "!": 0.35, "?": 0.35, "…": 0.35, ";": 0.25, ":": 0.25, "—": 0.2, ",": 0.15}
"""Seconds between the parts of a long line, by the mark at its end."""
_PAUSE = 0.05
_RISE_SEMITONES, _RISE_SECONDS = 8.0, 0.4
"""How far, and from when before its end, a question rises. By itself the voice falls by 4 to 6 semitones there, with a
question mark as with a point; sentences raised by so much were understood by Whisper as well as before."""
# The model's input for its speed (first row), and how much faster it then speaks (second row). Measured over Spanish,
# English and French sentences. The model rounds each sound to whole frames, and beyond 1.33 all those of two frames
# become one: so no speed between 1.25 and 1.49 can be had.
_SPEED_INPUTS = (0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.35, 1.5, 1.75, 2.0, 2.5)
_SPEEDS_MEASURED = (0.47, 0.67, 0.81, 0.935, 1.0, 1.06, 1.12, 1.23, 1.49, 1.6, 1.73, 1.88, 2.1)
_BYTES_A_TOKEN = 1_500_000
"""What speaking takes, as measured, until the part is spoken."""
_LOADED = ((120_000_000, 1.45), (250_000_000, 3.0))
"""What is in memory for each byte of a file of up to so many: int8, measured; float16, which is computed as float32 and
was not measured."""
_LOADED_ELSE = 1.2
_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def voice(voice_id: str) -> Voice:
    """Return the voice of an id, such as ef_dora; any other, which the catalogue lets nobody ask for, is a KeyError."""
    return {one.id: one for one in VOICES}[voice_id]


def default_voice(language_code: str) -> Voice | None:
    """Return the voice that speaks a language where nobody has chosen one; None where none does."""
    return next((one for one in VOICES if one.language_code == language_code), None)


def estimated_bytes(file: str | Path, threads: int, device: str = "cpu") -> int:
    """Return what the model in a file takes in memory while all its threads speak; 0 where there is no file."""
    file = Path(file)
    if not file.is_file():
        return 0
    return needed_bytes(file.stat().st_size, threads, device)


def needed_bytes(size: int, threads: int, device: str = "cpu") -> int:
    """Return what a model whose file has so many bytes takes in memory while all its threads speak."""
    factor = next((factor for most, factor in _LOADED if size <= most), _LOADED_ELSE)
    at_once = _workers(threads)[0]
    sessions = 2 if _has_wide(at_once, device) else 1
    return round(size * factor * sessions) + _tokens_at_once(at_once) * _BYTES_A_TOKEN


def _has_wide(at_once: int, device: str) -> bool:
    """Tell whether a line that is spoken alone gets a session of its own: on a card one run has all of it anyway."""
    return at_once > 1 and device == "cpu"


def _tokens_at_once(at_once: int) -> int:
    """Return how many tokens are spoken side by side, at most, in so many parts."""
    return max(_LONGEST, at_once * _USUAL)


def _workers(threads: int) -> tuple[int, int]:
    """Return how many parts are spoken side by side, and the threads of each."""
    at_once = max(1, min(threads, _AT_ONCE))
    return at_once, max(1, threads // at_once)


class Kokoro:
    """One voice. Several threads share one session: each speaks a part of a line by itself, from start to end.

    That is faster than to have several threads work on one part, which wait for each other at each of its 2,500 steps.
    Only a line that is spoken alone, as after an edit, gets all threads, from a session of its own: somebody waits for
    it, and the other threads would rest.
    """

    def __init__(self, file: str | Path, voice_id: str, threads: int, device: str = "cpu") -> None:
        """Load the model.

        Args:
            file: of ONNX's format, as exported by any of the usual tools and in any precision.
            voice_id: one of `VOICES`.
            threads: of the processor.
            device: cpu or cuda.

        Raises:
            ModelUnavailable: the file is missing, broken, or no such model; or the device cannot be used.
        """
        self._voice, self._arenas = voice(voice_id), onnx_session.arenas(device)
        self._style, self._signs = styles(self._voice), signs()
        self._at_once, inside = _workers(threads)
        # However many requests there are: memory was counted for so many parts.
        self._turns = Turns(self._at_once, _PARTS_A_ROUND, _tokens_at_once(self._at_once))
        self._session = onnx_session.load("Kokoro", Path(file), inside, device)
        self._wide = _Wide(Path(file), threads) if _has_wide(self._at_once, device) else None
        self._tokens, self._types, self._output = _interface(self._session, Path(file))

    def speaking(self, voice_id: str) -> Kokoro:
        """Return the same model with another voice; it serves no longer than this one is open."""
        other = copy(self)
        other._voice = voice(voice_id)
        other._style = styles(other._voice)
        return other

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield a clip for each (text, rate), in order, silence at both ends taken off.

        A line with nothing to say (punctuation, emoji, a foreign script) is an empty clip.

        Raises:
            EngineError: the model failed.
            ToolError: espeak-ng, which knows the pronunciation, is missing or failed.
            Cancelled: `cancel` was set.
        """
        stopping = Cancel()
        cancel.add(stopping.set)
        groups = self.parts(lines, cancel)
        alone = ([(*part, len(lines) == len(parts) == 1) for part in parts] for parts in groups)
        lines_of_parts = run_groups_ahead(
            lambda part: self._spoken(*part, stopping),
            alone,
            threads=self._at_once,
            ahead=2 * self._at_once,
            name="kokoro",
            cancel=cancel,
            leave=stopping.set,
        )
        try:
            with closing(lines_of_parts):
                for (text, _), parts in zip(lines, lines_of_parts, strict=True):
                    clip = _clip(parts)
                    yield _asked(clip, cancel) if questions.rises(text, self._voice.language_code) else clip
        finally:
            cancel.remove(stopping.set)

    def parts(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[list[tuple[str, float]]]:
        """Yield each line as parts of phonemes that can be spoken at once, with the model's input for its speed."""
        for first in range(0, len(lines), _LINES_A_PROCESS):
            some = lines[first : first + _LINES_A_PROCESS]
            texts = [normalized(text, self._voice.language_code) for text, _ in some]
            for phoneme_text, (_, rate) in zip(phonemes(texts, self._voice.espeak, cancel), some, strict=True):
                speed = float(np.interp(rate, _SPEEDS_MEASURED, _SPEED_INPUTS))
                known = "".join(sign for sign in phoneme_text if sign in self._signs)
                # Slower speech is longer, and memory grows with the length of the sound.
                yield [(part, speed) for part in divided(known, int(_LONGEST * min(1.0, speed)))]

    def _spoken(self, phoneme_text: str, speed: float, is_alone: bool, stopping: Cancel) -> NDArray[np.int16]:
        """Return the sound of a part, and the pause behind it; `is_alone`: it is all that is asked for."""
        session, size, most = self._session, len(phoneme_text) / min(1.0, speed), _tokens_at_once(self._at_once)
        if is_alone and self._wide and self._turns.has_room(most):
            session, size = self._wide.session() or session, most
        with self._turns.one(size, stopping):
            wave = self._inferred(session, self._inputs(phoneme_text, speed), stopping)
        machine.trim()  # what the library has freed lies between what others hold, and would stay with the process
        samples = levels.trimmed(levels.to_int16(np.asarray(wave, np.float32).reshape(-1)), SAMPLE_RATE)
        pause = _PAUSES.get(phoneme_text.rstrip('"”) ')[-1:], _PAUSE) / speed
        return np.concatenate([samples, np.zeros(round(pause * SAMPLE_RATE), np.int16)])

    def _inputs(self, phoneme_text: str, speed: float) -> dict[str, NDArray[Any]]:
        """Return the model's inputs for a part."""
        tokens = [self._signs[sign] for sign in phoneme_text]
        # Some exports take whole numbers only; they speak at one rate.
        is_whole = np.issubdtype(_TYPES[self._types["speed"]], np.integer)
        fed = {
            self._tokens: [[0, *tokens, 0]],
            "style": self._style[len(tokens) - 1][None],
            "speed": [1 if is_whole else speed],
        }
        return {name: np.asarray(value, _TYPES[self._types[name]]) for name, value in fed.items()}

    def _inferred(self, session: Any, arrays: dict[str, NDArray[Any]], stopping: Cancel) -> NDArray[Any]:  # noqa: ANN401
        try:
            return onnx_session.run(session, self._output, arrays, self._arenas, stopping)
        except Exception as error:  # the library raises classes of its own that it does not name
            stopping.check()
            reason = " ".join(str(error).split())[:300]
            raise EngineError("The Kokoro voice failed at a line: {reason}", reason=reason) from error

    def close(self) -> None:
        """Let go of the model; whoever closes it collects the garbage."""
        self._session = self._wide = None


class _Wide:
    """The same model once more, all threads of which work on one part. It is loaded when it is needed first."""

    def __init__(self, file: Path, threads: int) -> None:
        self._file, self._threads = file, threads
        self._session: Any = None
        self._loading = threading.Lock()

    def session(self) -> Any:  # noqa: ANN401 (onnxruntime's)
        """Return the session; None where it cannot be loaded, as when the file was removed meanwhile."""
        with self._loading, suppress(ModelUnavailable):
            self._session = self._session or onnx_session.load("Kokoro", self._file, self._threads, "cpu")
        return self._session


@lru_cache(maxsize=8)
def styles(one: Voice) -> NDArray[np.float32]:
    """Return the style vectors of a voice, shape (510, 256): row n for a text of n + 1 tokens."""
    size = ROWS * STYLE * 2
    whole = zlib.decompressobj().decompress(_VOICES.read_bytes(), size * len(VOICES))
    at = VOICES.index(one) * size
    return np.frombuffer(whole[at : at + size], "<f2").reshape(ROWS, STYLE).astype(np.float32)


@cache
def signs() -> dict[str, int]:
    """Return the model's token of each sign that it knows: phonemes, stress, marks and the space."""
    lines = _SIGNS.read_text(encoding="utf-8").splitlines()[1:]
    return {sign: int(token) for sign, token in (line.split("\t") for line in lines)}


def _interface(session: Any, file: Path) -> tuple[str, dict[str, str], str]:  # noqa: ANN401
    """Return the name of the input for tokens, the types of all inputs, and the name of the output that is sound."""
    types = {one.name: one.type for one in session.get_inputs()}
    tokens = next((name for name in ("input_ids", "tokens") if name in types), "")
    outputs = [one.name for one in session.get_outputs()]
    if {tokens, "style", "speed"} != set(types) or not set(types.values()) <= set(_TYPES):
        taken = ", ".join(sorted(types))[:200]
        raise ModelUnavailable(
            "The file {file} holds another model than Kokoro: it takes {taken}.", file=file, taken=taken
        )
    return tokens, types, next((name for name in outputs if name in ("audio", "waveform")), outputs[0])


def _asked(clip: Clip, cancel: Cancel) -> Clip:
    """Return a line as a question: the model's voices fall at the end of questions as they do of statements."""
    raised = audio.raised_at_end(clip.samples, clip.sample_rate, _RISE_SEMITONES, _RISE_SECONDS, cancel)
    return Clip(raised, clip.sample_rate)


def _clip(spoken: Sequence[NDArray[np.int16]]) -> Clip:
    """Return the parts of a line together, without the pause behind the last one."""
    samples = np.concatenate(spoken) if spoken else np.empty(0, np.int16)
    return Clip(levels.trimmed(samples, SAMPLE_RATE), SAMPLE_RATE)


_NAME = "kokoro-82m"
_ONNX = ("model.onnx", FILES["int8"], "onnx/*.onnx", "*.onnx")
"""Where the weights are within a folder: the first of these that is there."""


class KokoroEngine(TtsEngine):
    """How Kokoro is found: bundled, on the hub, or in a folder that the settings name."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say so where its weights, or espeak-ng, which knows the pronunciation, are not here."""
        files = _files(site)
        return _obstacle(site, files, site.device("tts"))() or (None if files.here() else bundle.lack(_NAME))

    def voices(self, site: Site) -> Sequence[protocols.Voice]:
        """List its voices, where the weights are here or may be downloaded."""
        files = _files(site)
        is_there = _serves(site) and (files.here() is not None or files.downloads)
        return [_listed(one) for one in VOICES] if is_there else []

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        """List the model with a voice for a language, on each device; none where nothing may be downloaded."""
        if not _serves(site):
            return []
        spoken = default_voice(language.code)
        chosen = voice or (spoken.id if spoken else "")
        return [_candidate(site, language, chosen, device) for device in site.devices("tts")]

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of the languages that it has a voice for, where its weights can be had."""
        english = self.candidates(site, languages.ENGLISH)
        there = any(site.can_be_had(candidate, reachable) for candidate in english)
        return {one.language_code for one in VOICES} if there else set()

    def named(self, site: Site, name: str) -> Sequence[Candidate[Synthesizer]]:
        """List the model, by its own name or by that which the settings give it."""
        return self.candidates(site, languages.ENGLISH) if name in self.names(site) else ()

    def names(self, site: Site) -> Sequence[str]:
        """List its name, and that which the settings give it."""
        return sorted({_NAME, site.settings.kokoro_model} - {AUTO}) if _serves(site) else ()

    def known(self, site: Site) -> Sequence[str]:
        """List the one model that there is, by the name that the settings give it where they give one."""
        wanted = site.settings.kokoro_model
        return (_NAME if wanted == AUTO else wanted,) if _serves(site) else ()


def _serves(site: Site) -> bool:
    return not (site.is_embedded and _files(site).downloads)


def _listed(one: Voice) -> protocols.Voice:
    name = f"{one.name} ({one.accent})" if one.accent else one.name
    return protocols.Voice(one.id, one.language, name, one.gender, INFO.name, INFO.licence)


def _files(site: Site) -> Weights:
    """Return the files of the model that the settings ask for."""
    wanted = site.settings.kokoro_model
    if wanted == AUTO and (bundle.folder(_NAME) or site.is_embedded):
        return Weights(_NAME, lambda: bundle.folder(_NAME), _no_bundle)
    if wanted != AUTO and sources.is_local(wanted):
        return sources.local(wanted, lambda folder: _no_voices(wanted, folder))
    repository = REPOSITORY if wanted == AUTO else wanted
    name = _NAME if repository == REPOSITORY else sources.marked(repository)
    return sources.of_hub(repository, name, (FILES["int8"],), site.source, site.preparations.told)


def _no_bundle() -> str | None:
    return None if bundle.folder(_NAME) else bundle.lack(_NAME)


def _onnx(folder: Path) -> Path | None:
    return next((file for pattern in _ONNX for file in sorted(folder.glob(pattern))), None)


def _no_voices(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold the model."""
    if not folder.is_dir():
        return Message("The folder {folder} of the Kokoro model is not there.", folder=Path(wanted))
    if _onnx(folder):
        return None
    return Message("The folder {folder} holds no model in ONNX's format.", folder=Path(wanted))


def _loaded(files: Weights, threads: int, device: str) -> Kokoro:
    if ours := bundle.at(files.folder):
        bundle.check(ours)
    return Kokoro(_onnx(files.folder) or files.folder / _ONNX[0], VOICES[0].id, threads, device)


def _unspoken(language: Language) -> str:
    return Message("{language} cannot be spoken by Kokoro: it has no voice for it.", language=language)


def _obstacle(site: Site, files: Weights, device: str) -> Callable[[], str | None]:
    other = site.obstacle(files, device)
    return lambda: (
        site.missing(INFO, "kokoro")
        or other()
        or (None if shutil.which("espeak-ng") else "Kokoro takes the pronunciation from espeak-ng: install espeak-ng.")
    )


def _candidate(site: Site, language: Language, chosen: str, device: str) -> Candidate[Synthesizer]:
    files, threads = _files(site), site.settings.threads
    folder = files.here()
    file = folder and _onnx(folder)
    spec: ModelSpec[Kokoro] = ModelSpec(
        key=site.key("tts", INFO.name, files.name, device),
        kind="tts",
        name=files.name,
        device=device,
        load=lambda: _loaded(files, threads, device),
        estimated_bytes=estimated_bytes(file, threads, device)
        if file
        else needed_bytes(DOWNLOAD_BYTES["int8"], threads, device),
    )
    return Candidate(
        INFO,
        spec,
        unfit=None if chosen else _unspoken(language),
        obstacle=_obstacle(site, files, device),
        downloads=files.downloads,
        insists=True,
        prepare=site.shared(files, files.prepare) if files.obtain else None,
        files=files,
        download_bytes=DOWNLOAD_BYTES["int8"],
        voice=chosen,
        view=lambda model: model.speaking(chosen),
    )
