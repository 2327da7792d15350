"""Whisper through faster-whisper: hears, in batches, with a time for every word."""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vt import languages
from vt.domain import Cancel, Dropped, Word
from vt.engines import whisper_joints, whisper_word_times
from vt.engines.candidate import Candidate
from vt.engines.definition import AUTO, Site, SttEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Heard, Transcriber
from vt.engines.whisper_repetitions import bare, once
from vt.engines.whisper_steps import Checking
from vt.engines.whisper_stretches import stretches_of_sentences, widened
from vt.errors import EngineError, ModelUnavailable
from vt.languages import Language
from vt.media import levels
from vt.model_files import bundle, sources
from vt.model_files.sources import Weights
from vt.system import cuda, folders, graphics, machine
from vt.system.lookahead import run_ahead
from vt.system.turns import Turns
from vt.text import identification
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")

INFO = EngineInfo(
    name="whisper",
    kind="stt",
    licence="MIT",
    source="https://github.com/openai/whisper",
    needs="the bundled model, or a download of 75 MB to 3 GB",
)
REPOSITORIES: dict[str, tuple[str, int]] = {
    "tiny.en": ("Systran/faster-whisper-tiny.en", 75),
    "tiny": ("Systran/faster-whisper-tiny", 75),
    "base.en": ("Systran/faster-whisper-base.en", 145),
    "base": ("Systran/faster-whisper-base", 145),
    "small.en": ("Systran/faster-whisper-small.en", 484),
    "small": ("Systran/faster-whisper-small", 484),
    "medium.en": ("Systran/faster-whisper-medium.en", 1530),
    "medium": ("Systran/faster-whisper-medium", 1530),
    "large-v1": ("Systran/faster-whisper-large-v1", 3090),
    "large-v2": ("Systran/faster-whisper-large-v2", 3090),
    "large-v3": ("Systran/faster-whisper-large-v3", 3090),
    "large": ("Systran/faster-whisper-large-v3", 3090),
    "distil-small.en": ("Systran/faster-distil-whisper-small.en", 335),
    "distil-medium.en": ("Systran/faster-distil-whisper-medium.en", 790),
    "distil-large-v2": ("Systran/faster-distil-whisper-large-v2", 1515),
    "distil-large-v3": ("Systran/faster-distil-whisper-large-v3", 1515),
    "distil-large-v3.5": ("distil-whisper/distil-large-v3.5-ct2", 1515),
    "large-v3-turbo": ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1620),
    "turbo": ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", 1620),
}
"""Each size's repository on the hub, and about how many megabytes (10**6) it takes on the disk."""
SIZES = tuple(REPOSITORIES)
"""The names that faster-whisper knows models by."""
LADDER = ("medium", "small", "base", "tiny")
"""What is tried where nobody names a model: hears a hundred languages, best first."""
FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
"""Patterns of what a repository has to give."""
_TOKENIZER = "tokenizer.json"
BUNDLED = ("base", "tiny.en")
"""The sizes that set-up can put here, so that none has to be downloaded: best first. tiny.en, which is there for the
tests and where base cannot be had, hears English alone: twice as fast and in half the memory, but with a word error
rate of 7.9 % where base has 5.2 % (three minutes of twelve recordings)."""
RATE = 16_000
LONGEST_WINDOW = 25.0
"""Seconds. Whisper looks at 30 at once, but the encoder's work grows faster than the window."""
SHORTEST_WINDOW = 16.0
_FRAMES = 3000  # of 10 ms; what the encoder takes at most
_TAIL_FRAMES = 300
"""A little silence behind the longest clip of a batch; without it the last word is at times lost."""
_COMPUTE = {"cpu": "int8", "cuda": "float16"}
_SHARE = {"cpu": 0.7, "cuda": 1.0}
"""Of the weights, which come in float16, what they take in memory: as int8 0.55 to 0.85, by the kind of processor."""
_BESIDE_WEIGHTS = 16 * 2**20
"""Tokenizer, filters and buffers, as measured."""
ENGLISH_WORDS = 51_864
"""The vocabulary of the English-only models; the others have more, and what has less is no Whisper."""
_MOST_AT_ONCE = 24
"""Windows in a batch on a graphics card; more are hardly faster, and a cancel is heard between two batches. On a
processor one alone is fastest: it stays in the cache, unpadded."""
_WINDOW_SHARE = 0.25
_SMALLEST_WINDOW = 30 * 2**20
"""What a window takes while it is recognised: so much of the weights' bytes, and so many bytes at least."""
_WORKERS = {"cpu": 4, "cuda": 1}
"""At most so many windows side by side, which share the threads: a small model has too little work to divide it."""
_BEAM = 2  # of 5 beams, three cost a quarter of the time and mend no word in a hundred
# Whisper's own rule is 0.6 together with a low score. Batched, over music and silence, the made-up "You" and
# "Thank you" come with 0.9 and more, whatever their score.
_NO_SPEECH = "no speech"
_SURELY_NO_SPEECH = 0.9
_PROBABLY_NO_SPEECH = 0.6
_VERY_LOW_SCORE = -1.0
_LOW_SCORE = -0.5
"""Half of Whisper's own: over beeps and tones a made-up word comes with -0.6 to -2.5, and speech with -0.4 at worst."""
_WORTH_HALVING = 6.0
"""Seconds of a window that is heard once more in halves where it was taken for no speech."""
_MAYBE_NO_SPEECH = 0.3
_HALLUCINATIONS = {
    "you",
    "thank you",
    "thank you very much",
    "thank you for watching",
    "thanks for watching",
    "thank you so much for watching",
    "please subscribe",
    "bye",
    "bye bye",
    "oh",
    "so",
    "the",
    "beep",
}
"""Texts that Whisper makes up over silence and music: the subtitles that it was trained on have them there."""
_DETECTIONS, _DETECTION_SECONDS = 4, 120
"""Of half a minute each; the first that is sure decides."""
_WORTH_ANOTHER_LOOK = 1.2  # seconds of sound that no word covers
_REPEATING = 2.4  # Whisper's own threshold for the compression ratio of a text that goes round in circles
# A sentence in another language than the film's is written down in the film's, half translated, half made up, with
# scores of -0.6 to -1.2; most sentences of real recordings in the film's own come with more than -0.35.
_DOUBTFUL = -0.45
_WORTH_DETECTING = 2.0  # seconds; of less sound no language can be told
_SURELY_ANOTHER, _HARDLY_OWN = 0.7, 0.1
"""Probabilities: of the other language at least, and of the film's at most, where a sentence is heard again."""
_MUCH_SURER, _SURE_ENOUGH = 0.2, -0.6
"""By how much the other hearing has to have the better score, and which one at least."""
_TRANSLATING_BEAM = 1  # of more, one may well write down what was said: that has the better score
_NO_REPEAT_TOKENS = 4  # tokens in a row of a translation: so it hardly ever goes round in circles
_LEAST_SCORE = -1.5  # of a translation: of speech it comes with -0.2 to -1.1, of silence and noise with less than -1.6


def bundled(size: str) -> Path | None:
    """Return the folder of a size that set-up has put here; None where it has not."""
    return bundle.folder(_bundle(size)) if size in BUNDLED else None


def bundled_sizes() -> tuple[str, ...]:
    """Return which of the bundled sizes are here, best first."""
    return tuple(size for size in BUNDLED if bundled(size))


def bundled_lack() -> str | None:
    """Say what is missing where none of them is here."""
    return None if bundled_sizes() else bundle.lack(_bundle(BUNDLED[0]))


def _bundle(size: str) -> str:
    return f"{INFO.name}-{size}"


def hears_english_only(size: str) -> bool:
    """Tell, by its name, whether a size was trained on English and nothing else."""
    return size.endswith(".en") or size.startswith("distil-")


def memory_bytes(weights: int, device: str = "cpu") -> int:
    """Return what a model with weights of so many bytes on the disk takes in memory."""
    return round(_SHARE[graphics.kind(device)] * weights) + _BESIDE_WEIGHTS


def windows_at_once(weights: int, card: graphics.Memory | None) -> int:
    """Return how many windows go through a model together: as half of what is free on its graphics card has room for.

    Args:
        weights: bytes of the model on the disk.
        card: None where it runs on a processor.
    """
    if card is None:
        return 1
    each = max(_SMALLEST_WINDOW, round(_WINDOW_SHARE * weights))
    return min(_MOST_AT_ONCE, max(1, card.free // 2 // each))


def estimated_bytes(path: str, device: str = "cpu") -> int:
    """Return what the model in a folder will take in memory, as far as its files tell."""
    weights = Path(path) / "model.bin"
    return memory_bytes(weights.stat().st_size, device) if weights.is_file() else 0


def vocabulary(path: str) -> int:
    """Return how many words the model in a folder has; 0 where there is none."""
    listed, worded = Path(path) / "vocabulary.json", Path(path) / "vocabulary.txt"
    try:
        # One of the words is empty in the models for many languages, so none is left out.
        return len(json.loads(listed.read_bytes()) if listed.is_file() else worded.read_bytes().splitlines())
    except (OSError, ValueError):
        return 0


def _check_whole(folder: Path) -> None:
    # What is missing in a folder, faster-whisper looks for on the hub, for most of a minute where there is none.
    missing = [name for name in ("model.bin", _TOKENIZER) if not (folder / name).is_file()]
    if missing:
        raise ModelUnavailable(
            "The Whisper model in {folder} cannot be loaded: {missing} missing.",
            folder=folder,
            missing=" and ".join(missing),
        )


def load_library() -> None:
    """Load the library alone: its 30 MB belong to the process, and no unloading of a model gives them back."""
    import faster_whisper  # noqa: F401


class Whisper:
    """A loaded model. Calls take turns window by window, and hear several windows side by side."""

    def __init__(
        self, path: str, threads: int, vad: bool, device: str = "cpu", *, compute_type: str | None = None
    ) -> None:
        """Load the model in a folder; `compute_type`: CTranslate2's name of it, None: the usual one of the device.

        Raises:
            ModelUnavailable: the folder holds no whole model, or it cannot be loaded on that device.
        """
        _check_whole(Path(path))
        if device != "cpu":
            cuda.load_cublas()
        if ours := bundle.at(Path(path)):
            bundle.check(ours)
        on = graphics.kind(device)
        self._device, self._weights = device, (Path(path) / "model.bin").stat().st_size
        self._workers = min(threads, _WORKERS[on])
        try:
            self._model: Any = _loaded(
                Path(path),
                device=on,
                device_index=graphics.index(device),
                compute_type=compute_type or _COMPUTE[on],
                cpu_threads=threads // self._workers,
                num_workers=self._workers,
            )
        except Exception as error:  # tokenizers raises no narrower one
            reason = " ".join(str(error).split())[:300]
            raise ModelUnavailable(
                "The Whisper model in {file} cannot be loaded: {reason}", file=path, reason=reason
            ) from error
        self._vad, self._prompt = vad, ""
        # However many requests there are: memory was counted for so many windows.
        self._turns = Turns(self._workers, sys.maxsize, self._workers)

    def prompted(self, prompt: str) -> Whisper:
        """Return the same model with words that it may meet, or that stand before; it serves while this one is open."""
        other = copy(self)
        other._prompt = prompt
        return other

    def transcribe(self, samples: NDArray[Any], language: Language, cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield what was heard, window by window; silence and what is no speech comes as `Dropped`.

        What the first pass passed over comes last: Whisper at times ends a window after its first sentence.
        """
        level = levels.levels(samples, RATE)
        regions = self._speech(samples) if self._vad else levels.sounding(samples, RATE)
        reason = "no voice (voice activity detection)" if self._vad else "silence"
        for start, end in levels.gaps(regions, len(samples) / RATE):
            yield Dropped(start, end, "", reason)
        covered: list[levels.Region] = []
        first = _Pass(samples, level, whisper_word_times.voice_of(level), language.whisper, cancel)
        for found in self._heard(first, regions):
            covered += _covered(found)
            yield found
        missed = levels.uncovered(levels.voiced(level), regions, covered, _WORTH_ANOTHER_LOOK)
        yield from self._heard(replace(first, trusting=False), missed)

    def detect(self, samples: NDArray[Any]) -> tuple[Language, float]:
        """Return the language that is spoken, from the first minutes of it, and its probability."""
        regions = levels.sounding(samples, RATE)
        start = int(regions[0][0] * RATE) if regions else 0
        with self._turns.one(1.0), _translated():
            heard, probability, _ = self._model.detect_language(
                _float(samples[start : start + _DETECTION_SECONDS * RATE]), language_detection_segments=_DETECTIONS
            )
        return languages.by_whisper(heard) or languages.get(heard), float(probability)

    def _speech(self, samples: NDArray[Any]) -> list[levels.Region]:
        machine.refuse_telemetry()
        from faster_whisper.vad import VadOptions, get_speech_timestamps

        # Pauses inside a sentence stay; only what is cut away without VAD too, but for other noises, goes.
        options = VadOptions(min_silence_duration_ms=int(levels.SILENCE_SECONDS * 1000))
        found = get_speech_timestamps(_float(samples), options)
        return [(part["start"] / RATE, part["end"] / RATE) for part in found]

    def _heard(self, hearing: _Pass, regions: list[levels.Region]) -> Iterator[Heard | Dropped]:
        cut = list(levels.windows(regions, hearing.level, LONGEST_WINDOW, SHORTEST_WINDOW))
        clips = whisper_joints.overlapping(cut, hearing.level)
        if not clips:
            return
        options, tokenizer = self._options(hearing)

        def work(batch: list[levels.Region]) -> list[list[Heard | Dropped]]:
            with self._turns.one(1.0, hearing.cancel):
                found = self._segments(hearing, batch, options, tokenizer)
                return [
                    [
                        mended
                        for whole in self._retried_if_repeating(hearing, window, segment)
                        for part in self._halved_if_no_speech(hearing, segment, whole)
                        for mended in self._with_other_languages(hearing, window, part)
                    ]
                    for window, segment in zip(batch, found, strict=True)
                ]

        found = _side_by_side(work, self._batches(clips), self._workers, hearing.cancel)
        yield from whisper_joints.joined(chain.from_iterable(found), clips)

    def _batches(self, clips: list[levels.Region]) -> list[list[levels.Region]]:
        size = windows_at_once(self._weights, graphics.cards().memory(self._device))
        return [clips[first : first + size] for first in range(0, len(clips), size)]

    def _retried_if_repeating(
        self, hearing: _Pass, window: levels.Region, segment: _Segment
    ) -> Iterator[Heard | Dropped]:
        if segment.compression_ratio > _REPEATING:
            return self._with_other_temperatures(hearing, window)
        return hearing.accepted_or_dropped(segment, window)

    def _halved_if_no_speech(
        self, hearing: _Pass, segment: _Segment, found: Heard | Dropped
    ) -> Iterator[Heard | Dropped]:
        """Yield what is heard in the halves of a window in which there seemed to be no speech; itself if that is none.

        Of a window that begins within a sentence Whisper at times writes down the end alone, and doubts even that.
        """
        if (
            not isinstance(found, Dropped)
            or not found.reason.startswith(_NO_SPEECH)
            or segment.no_speech_prob > _SURELY_NO_SPEECH
            or found.end - found.start < _WORTH_HALVING
        ):
            yield found
            return
        start, end = found.start, found.end
        third = (end - start) / 3
        middle = levels.quietest(hearing.level, start + third, end - third)
        halves = [(start, middle), (middle, end)]
        parts = list[Heard | Dropped]()
        for half, own in zip(halves, self._segments(hearing, halves, *self._options(hearing)), strict=True):
            if own.avg_logprob > _LOW_SCORE:
                parts += hearing.accepted_or_dropped(own, half)
            elif not hearing.trusting:  # after the first pass it is looked at again
                parts.append(Dropped(*half, own.text.strip(), found.reason))
        yield from parts if any(isinstance(part, Heard) for part in parts) else (found,)

    # Other languages in between

    def _with_other_languages(
        self, hearing: _Pass, window: levels.Region, found: Heard | Dropped
    ) -> Iterator[Heard | Dropped]:
        """Yield what was found, with sentences in another language than the film's recognised in their own."""
        if not self._model.model.is_multilingual:
            yield found
        elif isinstance(found, Dropped):
            stretch = found.start, found.end
            heard = (
                None
                if found.reason.startswith(_NO_SPEECH)
                else self._in_another_language(hearing, stretch, _SURE_ENOUGH)
            )
            yield heard or found
        else:
            yield Heard(tuple(self._words_each_in_its_language(hearing, window, found.words)))

    def _words_each_in_its_language(
        self, hearing: _Pass, window: levels.Region, words: tuple[Word, ...]
    ) -> Iterator[Word]:
        for stretch, own in stretches_of_sentences(window, words):
            score = _score(own)
            worth = max(_SURE_ENOUGH, score + _MUCH_SURER)
            heard = self._in_another_language(hearing, stretch, worth) if score < _DOUBTFUL else None
            yield from heard.words if heard else own

    def _in_another_language(self, hearing: _Pass, stretch: levels.Region, worth: float) -> Heard | None:
        """Return what is heard in a stretch in the language that it is surely in, where that is not the film's.

        `worth`: the score that this hearing has to have, or it is not believed.
        """
        language = self._other_language_of(hearing, stretch)
        if language is None:
            return None
        other = replace(hearing, language=language, trusting=False)
        segment = self._segments(other, [stretch], *self._options(other))[0]
        if segment.no_speech_prob > _MAYBE_NO_SPEECH:
            return None
        found = [part.words for part in self._retried_if_repeating(other, stretch, segment) if isinstance(part, Heard)]
        words = tuple(word for run in found for word in run)
        return Heard(words) if words and _score(words) >= worth else None

    def _other_language_of(self, hearing: _Pass, stretch: levels.Region) -> str | None:
        """Return Whisper's code of the language of a stretch, where that is surely another than the film's."""
        hearing.cancel.check()
        if stretch[1] - stretch[0] < _WORTH_DETECTING:
            return None
        with _translated():
            encoded = self._model.encode(self._padded(hearing.samples, [stretch]))
            ranked = {token[2:-2]: float(share) for token, share in self._model.model.detect_language(encoded)[0]}
        first = max(ranked, key=lambda code: ranked[code])
        other = ranked[first] >= _SURELY_ANOTHER and ranked.get(hearing.language, 0.0) <= _HARDLY_OWN
        return first if other and languages.by_whisper(first) else None

    # Translating

    def translate(
        self, samples: NDArray[Any], language: Language, stretches: Sequence[levels.Region], cancel: Cancel
    ) -> Iterator[str]:
        """Yield in English what is said in each stretch, by Whisper's own task; empty where nothing is believed."""
        level = levels.levels(samples, RATE)
        told = _Pass(samples, level, whisper_word_times.voice_of(level), language.whisper, cancel, task="translate")
        # At times Whisper transcribes in place of translating; then it is tried again as if English were spoken.
        english = languages.ENGLISH
        hearings = [told, replace(told, language=english.whisper)]
        ways = [(hearing, *self._options(hearing)) for hearing in hearings]

        def work(stretch: levels.Region) -> str:
            with self._turns.one(1.0, cancel):
                texts = (self._in_english(stretch, *way) for way in ways)
                return next((text for text in texts if text and not identification.is_in(text, language, english)), "")

        clips = widened(stretches, len(samples) / RATE)
        yield from _side_by_side(work, clips, self._workers, cancel)

    def _in_english(self, stretch: levels.Region, hearing: _Pass, options: Any, tokenizer: Any) -> str:  # noqa: ANN401
        segment = self._segments(hearing, [stretch], options, tokenizer)[0]
        is_believed = segment.avg_logprob > _LEAST_SCORE and not _why_rejected(segment, trusting=True)
        return once(segment.text) if is_believed else ""

    def _options(self, hearing: _Pass) -> tuple[Any, Any]:
        """Return faster-whisper's own options and tokenizer, as it makes them for a batch."""
        from faster_whisper import BatchedInferencePipeline
        from faster_whisper.tokenizer import Tokenizer

        with _translated():
            # Lazy: nothing is recognised until somebody asks for the first segment.
            _, info = BatchedInferencePipeline(self._model).transcribe(
                np.zeros(RATE, np.float32),
                language=hearing.language,
                task=hearing.task,
                beam_size=_BEAM if hearing.is_transcript else _TRANSLATING_BEAM,
                word_timestamps=hearing.is_transcript,
                no_repeat_ngram_size=0 if hearing.is_transcript else _NO_REPEAT_TOKENS,
                initial_prompt=self._prompt or None,
                vad_filter=False,
            )
            multilingual = self._model.model.is_multilingual
            tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual, task=hearing.task, language=hearing.language)
        return info.transcription_options, tokenizer

    def _segments(
        self,
        hearing: _Pass,
        clips: list[levels.Region],
        options: Any,  # noqa: ANN401
        tokenizer: Any,  # noqa: ANN401
    ) -> list[_Segment]:
        """Return one segment for each clip.

        The encoder's work grows faster than its input, so a batch is padded to its own longest clip and not to 30 s.
        """
        from faster_whisper import BatchedInferencePipeline

        hearing.cancel.check()
        about = [{"offset": start, "duration": end - start} for start, end in clips]
        with _translated():
            # A new one for each call: it keeps the state of its last call.
            pipeline = BatchedInferencePipeline(Checking(self._model, hearing.cancel))
            found = pipeline.forward(self._padded(hearing.samples, clips), tokenizer, about, options)
        return [_Segment.of(parts[0]) for parts in found]

    def _padded(self, samples: NDArray[Any], clips: list[levels.Region]) -> NDArray[np.float32]:
        """Return the spectrograms of clips as one batch."""
        features = [self._features(samples, clip) for clip in clips]
        longest = min(_FRAMES, max(feature.shape[-1] for feature in features) + _TAIL_FRAMES)
        return np.stack([np.pad(part, ((0, 0), (0, longest - part.shape[-1]))) for part in features])

    def _features(self, samples: NDArray[Any], clip: levels.Region) -> NDArray[np.float32]:
        """Return the log-mel spectrogram of a clip, shape (80 or 128, 100 a second)."""
        part = _float(samples[int(clip[0] * RATE) : int(clip[1] * RATE)])
        return np.asarray(self._model.feature_extractor(part)[..., :-1], np.float32)[..., :_FRAMES]

    def _with_other_temperatures(self, hearing: _Pass, window: levels.Region) -> Iterator[Heard | Dropped]:
        """Recognise a window whose text repeats itself once more: sequentially, which tries other temperatures."""
        start, end = window
        with _translated():
            segments, _ = self._model.transcribe(
                _float(hearing.samples[int(start * RATE) : int(end * RATE)]),
                language=hearing.language,
                beam_size=_BEAM,
                word_timestamps=True,
                condition_on_previous_text=False,
            )
            for segment in segments:
                hearing.cancel.check()
                part = float(segment.start) + start, float(segment.end) + start
                yield from hearing.accepted_or_dropped(segment, part, offset=start)

    def close(self) -> None:
        """Free the weights."""
        self._model.model.unload_model()


def _loaded(folder: Path, **how: Any) -> Any:  # noqa: ANN401 (faster-whisper is untyped)
    """Return faster-whisper's model, made of all that is in a folder but the tokenizer, which is kept from before.

    To parse one is to hold up all other threads, those that answer requests among them, for a tenth of a second.
    """
    from faster_whisper import WhisperModel
    from tokenizers import Tokenizer, models

    with folders.work_folder(Path(tempfile.gettempdir())) as place:
        for file in folder.resolve().iterdir():
            (place / file.name).symlink_to(file)
        (place / _TOKENIZER).unlink()
        Tokenizer(models.BPE()).save(str(place / _TOKENIZER))
        model = WhisperModel(str(place), **how)
    file = folder / _TOKENIZER
    model.hf_tokenizer = parsed_tokenizer(str(file), file.stat().st_mtime_ns)
    return model


@lru_cache(maxsize=2)
def parsed_tokenizer(file: str, _changed: int) -> Any:  # noqa: ANN401
    """Return the tokenizer of a file, which keeps 20 MB for as long as the process lives."""
    from tokenizers import Tokenizer

    return Tokenizer.from_file(file)


def _side_by_side(
    work: Callable[[_Item], _Made], items: Sequence[_Item], workers: int, cancel: Cancel
) -> Iterator[_Made]:
    """Yield what `work` makes of each item, in their order."""
    return run_ahead(work, items, threads=workers, ahead=workers, name="whisper", cancel=cancel)


def _float(samples: NDArray[Any]) -> NDArray[np.float32]:
    if samples.dtype == np.int16:
        return np.asarray(samples, np.float32) / 32768.0
    return np.asarray(samples, np.float32)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise EngineError("Whisper failed while listening: {reason}", reason=str(error)) from error


@dataclass(frozen=True, slots=True)
class _Segment:
    """What was recognised in one window."""

    text: str
    words: list[Any]
    no_speech_prob: float
    avg_logprob: float
    compression_ratio: float

    @classmethod
    def of(cls, part: dict[str, Any]) -> _Segment:
        from faster_whisper.transcribe import Word as Recognised

        return cls(
            text=part["text"],
            words=[Recognised(**word) for word in part.get("words", ())],
            no_speech_prob=part["no_speech_prob"],
            avg_logprob=part["avg_logprob"],
            compression_ratio=part["compression_ratio"],
        )


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass over some sound, and which of its segments are accepted as speech."""

    samples: NDArray[Any]
    level: NDArray[np.float32]
    voice: whisper_word_times.Voice
    """Where it is heard: the edges of words are put right by that."""
    language: str
    """Whisper's code."""
    cancel: Cancel
    trusting: bool = True
    """False where a first pass found no speech: then more is rejected."""
    task: str = "transcribe"

    @property
    def is_transcript(self) -> bool:
        """Whether words are written down as they were said, so that each has its time."""
        return self.task == "transcribe"

    def accepted_or_dropped(
        self,
        segment: Any,  # noqa: ANN401 (the library's own)
        window: levels.Region,
        offset: float = 0.0,
    ) -> Iterator[Heard | Dropped]:
        """Yield the words of a segment, whose times begin at `offset`, or that `window` holds none and why."""
        reason = _why_rejected(segment, self.trusting)
        if reason:
            yield Dropped(*window, segment.text.strip(), reason)
        elif segment.words:
            words = [
                Word(float(word.start) + offset, float(word.end) + offset, word.word, float(word.probability))
                for word in segment.words
            ]
            yield Heard(whisper_word_times.mended(words, self.voice, window[1]))


def _score(words: Sequence[Word]) -> float:
    """Return the mean of the logarithms of the words' probabilities."""
    return sum(math.log(max(word.probability, 1e-6)) for word in words) / len(words)


def _covered(found: Heard | Dropped) -> list[levels.Region]:
    if isinstance(found, Dropped):
        return [(found.start, found.end)]
    return [(word.start, word.end) for word in found.words]


def _why_rejected(segment: Any, trusting: bool) -> str:  # noqa: ANN401 (faster-whisper is untyped)
    """Return why a segment is not accepted as speech; empty where it is."""
    silent, score = segment.no_speech_prob, segment.avg_logprob
    if silent > _SURELY_NO_SPEECH or (silent > _PROBABLY_NO_SPEECH and score < _LOW_SCORE):
        return f"{_NO_SPEECH} (probability {silent:.2f})"
    if segment.compression_ratio > _REPEATING:
        return f"repeats itself (compression ratio {segment.compression_ratio:.1f})"
    invented = bare(segment.text) in _HALLUCINATIONS and silent > _MAYBE_NO_SPEECH
    if invented or (not trusting and (silent > _PROBABLY_NO_SPEECH or score < _VERY_LOW_SCORE)):
        return f"probably made up (no speech {silent:.2f}, score {score:.2f})"
    return ""


class WhisperEngine(SttEngine):
    """How Whisper is found: bundled, on the hub, or in a folder."""

    info = INFO

    def load_library(self) -> None:
        """Load faster-whisper, once."""
        load_library()

    def lack(self, site: Site) -> str | None:
        """Say so where the bundled model is missing and no other may be downloaded."""
        return bundled_lack() if site.is_embedded else None

    def absent(self) -> str | None:
        """Say so where none of the bundled models is here."""
        return bundled_lack()

    def candidates(
        self, site: Site, language: Language | None, model: str | None = None
    ) -> Sequence[Candidate[Transcriber]]:
        """List the wanted model, or those of the hub from large to small, and the bundled one, on each device.

        Raises:
            ModelUnavailable: `model` is no name of a model.
        """
        wanted = model or site.settings.whisper_model
        if wanted == AUTO:
            named = [] if site.is_embedded else [_files(site, size) for size in LADDER]
        else:
            named = [_files(site, wanted)]
        devices = site.devices("stt")
        listed = [_candidate(site, files, at, language, wanted != AUTO) for files in named for at in devices]
        there = {files.name for files in named}
        last = [files for files in _bundled(site) if files.name not in there]
        return [*listed, *(_candidate(site, files, at, language, True) for files in last for at in devices)]

    def heard(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of all languages that Whisper knows, or English, by which models can be had."""
        try:
            found = self.candidates(site, None)
        except ModelUnavailable:
            found = []
        had = [candidate for candidate in found if site.can_be_had(candidate, reachable)]
        if any(candidate.detects for candidate in had):
            return {row.code for row in languages.ALL if row.whisper}
        return {candidate.language.code for candidate in had if candidate.language}

    def named(self, site: Site, name: str) -> Sequence[Candidate[Transcriber]]:
        """List what could be loaded for a size, or for the model of the settings."""
        return self.candidates(site, None, name) if name in self.known(site) else ()

    def names(self, site: Site) -> Sequence[str]:
        """List the sizes."""
        del site
        return SIZES

    def known(self, site: Site) -> Sequence[str]:
        """List the sizes, and the model of the settings."""
        return sorted({*SIZES, site.settings.whisper_model} - {AUTO})


def _files(site: Site, wanted: str) -> Weights:
    """Return the files of a model that somebody named: a size, a hub id or a folder."""
    if bundled(wanted):
        return _here(wanted)
    if wanted in REPOSITORIES:
        return sources.of_hub(REPOSITORIES[wanted][0], wanted, FILES, site.source, site.preparations.told)
    if not sources.is_local(wanted):
        return sources.of_hub(wanted, sources.marked(wanted), FILES, site.source, site.preparations.told)
    if "/" not in wanted and not sources.is_folder(wanted):
        known = ", ".join(SIZES)
        raise ModelUnavailable(
            "The recognition model {model} is not known: known are {known}, hub ids and folders on this machine.",
            model=wanted,
            known=known,
        )
    return sources.local(wanted, lambda folder: _no_whisper(wanted, folder))


def _here(size: str) -> Weights:
    return Weights(size, lambda: bundled(size))


def _bundled(site: Site) -> list[Weights]:
    """Return the bundled models that are here, best first; the best also where it is not, if no other can take part."""
    found = [_here(size) for size in bundled_sizes()]
    best = BUNDLED[0]
    if bundled(best) or (found and not site.is_embedded):
        return found
    return [replace(_here(best), lack=lambda: bundle.lack(_bundle(best))), *found]


def _candidate(
    site: Site, files: Weights, device: str, language: Language | None, insists: bool
) -> Candidate[Transcriber]:
    settings, folder = site.settings, files.here()
    english_only = _english_only(files, folder)
    spec: ModelSpec[Transcriber] = ModelSpec(
        key=site.key("stt", INFO.name, files.name, device),
        kind="stt",
        name=files.name,
        device=device,
        load=lambda: Whisper(str(files.folder), settings.threads, settings.vad, device),
        estimated_bytes=_bytes(files.name, folder, device),
    )
    return Candidate(
        INFO,
        spec,
        unfit=_unheard(files.name, language, english_only),
        obstacle=site.obstacle(files, device),
        downloads=files.downloads,
        insists=insists,
        prepare=site.shared(files, files.prepare) if files.obtain else None,
        files=files,
        download_bytes=REPOSITORIES.get(files.name, ("", 0))[1] * 10**6,
        language=languages.ENGLISH if english_only else language,
        detects=not english_only,
    )


@lru_cache(maxsize=64)
def _words(folder: Path) -> int:
    return vocabulary(str(folder))


def _english_only(files: Weights, folder: Path | None) -> bool:
    if files.name in SIZES:
        return hears_english_only(files.name)
    return folder is not None and _words(folder) <= ENGLISH_WORDS


def _bytes(name: str, folder: Path | None, device: str) -> int:
    if folder is None and name in REPOSITORIES:
        return memory_bytes(REPOSITORIES[name][1] * 10**6, device)
    return estimated_bytes(str(folder), device) if folder else 0


def _unheard(model: str, language: Language | None, english_only: bool) -> str | None:
    """Say why a model cannot hear a language, if it can't."""
    if language is None or (language == languages.ENGLISH if english_only else language.whisper):
        return None
    if not english_only:
        return Message("{language} cannot be heard: no Whisper model knows it.", language=language)
    return Message(
        "{language} cannot be heard here: the recognition model {model} hears English only. A multilingual Whisper "
        "model, such as small, would be needed.",
        language=language,
        model=model,
    )


def _no_whisper(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold a recognition model."""
    if not folder.is_dir():
        return Message("The folder {folder} of the Whisper model is not there.", folder=Path(wanted))
    if vocabulary(str(folder)) < ENGLISH_WORDS:
        return Message("The folder {folder} holds no Whisper model in CTranslate2's format.", folder=Path(wanted))
    return None
