"""How fast vt hears and how well, against faster-whisper's plain sequential call: same model, threads and sound.

Run by hand: .venv/bin/python -m benchmarks.recognition [--seconds 300] [RECORDING ...]; beside each recording lies its
transcript, the same name with .txt.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray

from vt import languages, media
from vt.domain import Cancel
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.model_files import bundle
from vt.settings import load

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "samples" / "sense_and_sensibility.mp4"


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
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path, default=[SAMPLE])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--model", default=str(bundle.ROOT / "whisper-base"), help="a folder; default: Whisper base")
    arguments = parser.parse_args()
    from faster_whisper import WhisperModel

    threads = load().threads
    samples, wanted = talk(arguments.recordings, arguments.seconds)
    plain = WhisperModel(arguments.model, device="cpu", compute_type="int8", cpu_threads=threads)
    whisper = Whisper(arguments.model, threads, vad=False)
    ways: dict[str, Callable[[NDArray[np.int16]], str]] = {
        "sequential": lambda sound: _sequential(plain, sound),
        "vt": lambda sound: ours(whisper, sound),
    }
    rows = []
    for name, hear in ways.items():
        hear(samples[: 30 * RATE])  # warm
        began = time.monotonic()
        text = hear(samples)
        seconds = time.monotonic() - began
        rows.append((seconds, jiwer.wer(plain(wanted), plain(text))))
        print(f"{name:>10}: {seconds:6.1f} s for {len(samples) / RATE:.0f} s, word error rate {rows[-1][1]:.2%}")
    faster, worse = rows[0][0] / rows[1][0], rows[1][1] - rows[0][1]
    print(f"speed-up {faster:.2f} (at least 2, goal 2.5); error {worse:+.2%} (at most +0.5 %)")


if __name__ == "__main__":
    main()
