"""How fast vt hears and how well, beside faster-whisper's own ways: one call for all, and its batched pipeline.

Run by hand: .venv/bin/python -m benchmarks.recognition [--seconds 300] [--runs 3] [RECORDING ...]; beside each
recording lies its transcript, the same name with .txt. The ways take turns, with the same model, threads and sound;
all give each word its times, since a dub needs them. openai-whisper's and whisper-ctranslate2's own calls are
sequential ones.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from benchmarks.results import tell
from vt import languages, media
from vt.domain import Cancel
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.model_files import bundle
from vt.settings import load

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"
_BATCH = 8


def plain(text: str) -> str:
    """Return the words of a text as error rates compare them: in small letters, without punctuation."""
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower().replace("mr.", "mister").replace("-", " ")).split())


def _recording(path: Path) -> tuple[NDArray[np.int16], str]:
    transcript = next(name for name in (path.with_suffix(".txt"), Path(f"{path}.txt")) if name.exists())
    info = media.probe(path)
    with tempfile.TemporaryDirectory() as folder:
        samples = media.extract(info, info.audio[0], Path(folder) / "speech.pcm")
        return np.array(samples), transcript.read_text(encoding="utf-8")


def talk(paths: list[Path], seconds: float) -> tuple[NDArray[np.int16], str]:
    """Return recordings, together about so many seconds long, as mono samples at 16 kHz, and what is said in them."""
    recordings = [_recording(path) for path in paths]
    length = sum(len(samples) for samples, _ in recordings) / RATE
    times = max(1, round(seconds / length))
    return np.concatenate([s for s, _ in recordings] * times), " ".join([text for _, text in recordings] * times)


def _sequential(model: Any, samples: NDArray[np.int16]) -> str:  # noqa: ANN401
    segments, _ = model.transcribe(samples.astype(np.float32) / 32768, language="en", word_timestamps=True)
    return "".join(segment.text for segment in segments)


def _batched(pipeline: Any, samples: NDArray[np.int16]) -> str:  # noqa: ANN401
    sound = samples.astype(np.float32) / 32768
    segments, _ = pipeline.transcribe(sound, language="en", word_timestamps=True, batch_size=_BATCH)
    return "".join(segment.text for segment in segments)


def ours(whisper: Whisper, samples: NDArray[np.int16]) -> str:
    """Return what the engine hears."""
    words = [
        word
        for found in whisper.transcribe(samples, languages.ENGLISH, Cancel())
        if isinstance(found, Heard)
        for word in found.words
    ]
    return "".join(word.text for word in sorted(words, key=lambda word: word.start))


def main() -> None:
    """Print what each way takes and how well it hears, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default=str(bundle.ROOT / "whisper-base"), help="a folder; default: Whisper base")
    arguments = parser.parse_args()
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    threads = load().threads
    samples, wanted = talk(arguments.recordings, arguments.seconds)
    model = WhisperModel(arguments.model, device="cpu", compute_type="int8", cpu_threads=threads)
    pipeline = BatchedInferencePipeline(model)
    whisper = Whisper(arguments.model, threads, vad=False)
    ways: dict[str, Callable[[NDArray[np.int16]], str]] = {
        "sequential": lambda sound: _sequential(model, sound),
        "batched": lambda sound: _batched(pipeline, sound),
        "vt": lambda sound: ours(whisper, sound),
    }
    for hear in ways.values():
        hear(samples[: 30 * RATE])  # warm
    taken, errors = _in_turns(ways, samples, plain(wanted), arguments.runs)
    length = len(samples) / RATE
    for name, seconds in taken.items():
        tell(f"{name}: seconds for {length:.0f} s of speech", seconds, "s")
        tell(f"{name}: words heard wrong", errors[name] * 100, "%")
    tell("vt: times as fast as sequential", _ratios(taken, "sequential"), floor=2, goal=2.5, more=True)
    tell("vt: times as fast as batched", _ratios(taken, "batched"), floor=1, goal=1.2, more=True)
    tell("vt: words wrong beyond sequential's, points", (errors["vt"] - errors["sequential"]) * 100, floor=0.5, goal=0)


def _in_turns(
    ways: Mapping[str, Callable[[NDArray[np.int16]], str]], samples: NDArray[np.int16], wanted: str, runs: int
) -> tuple[dict[str, list[float]], dict[str, float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    errors: dict[str, float] = {}
    for _ in range(runs):
        for name, hear in ways.items():
            began = time.monotonic()
            text = hear(samples)
            taken[name].append(time.monotonic() - began)
            errors[name] = float(jiwer.wer(wanted, plain(text)))
    return taken, errors


def _ratios(taken: Mapping[str, Sequence[float]], other: str) -> list[float]:
    return [theirs / ours for theirs, ours in zip(taken[other], taken["vt"], strict=True)]


if __name__ == "__main__":
    main()
