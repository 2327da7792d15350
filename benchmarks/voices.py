"""What the voices cost: seconds of work a second of speech, one load or many, and memory that stays.

An MMS voice of random weights has the true size and so the true speed; its sound is noise, but the same noise in each
way of computing it, so that these can be compared. Kokoro is the real one, where its weights are.
Run by hand: .venv/bin/python -m benchmarks.voices [--lines 20] [--only kokoro] [--kokoro model.onnx]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.results import tell
from tests.tiny_voices import LATIN, write_tokenizer
from vt.domain import Cancel
from vt.engines import kokoro, mms
from vt.engines.kokoro import Kokoro
from vt.engines.mms import Mms

MB = 2**20
LINE = "la casa vieja estaba junto al camino, cerca del molino y del puente"
DUB = 100
KOKORO = Path(sys.prefix) / "share" / "vt" / "models" / "kokoro-82m" / "model.onnx"
TALK = (
    "El ministro dijo ayer que la nueva carretera, que costará mucho dinero, estará lista antes del verano.",
    "La casa vieja estaba junto al camino, cerca del molino y del puente.",
    "¿Por qué no viniste con nosotros? Te esperamos más de una hora.",
    "Al final, nadie supo decir quién había cerrado la puerta.",
)
SHORT = ("buenos días", "hasta luego", "son las diez", "no lo sé", "vamos a casa", "qué tal estás")


def made(folder: Path) -> Path:
    """Write a voice of MMS's size, 36 M parameters."""
    import torch
    from transformers import VitsConfig, VitsModel

    torch.manual_seed(0)
    VitsModel(VitsConfig(vocab_size=len(LATIN))).save_pretrained(folder)
    write_tokenizer(folder, "spa", LATIN)
    return folder


def spoken(voice: Mms, text: str = LINE) -> NDArray[np.int16]:
    """Return the samples of one line."""
    return next(voice.speak([(text, 1.0)], Cancel())).samples


def spectral_distance(one: NDArray[np.int16], other: NDArray[np.int16]) -> float:
    """Return the log-spectral distance in dB: the root mean square over bins, the mean over frames of 32 ms."""
    import torch

    def levels(samples: NDArray[np.int16]) -> Any:  # noqa: ANN401
        wave = torch.from_numpy(samples.astype(np.float32) / 32768)
        bins = torch.stft(wave, 512, 128, window=torch.hann_window(512), return_complex=True)
        return 20 * (bins.abs() + 1e-4).log10()

    count = min(len(one), len(other))
    gap = levels(one[:count]) - levels(other[:count])
    return float(gap.pow(2).mean(0).sqrt().mean())


def speed(voice: Mms, halved: Mms, rounds: int) -> None:
    """Measure float32 against bfloat16 in turns, so that the machine's moods strike both."""
    full, half = [], []
    reference, other = spoken(voice), spoken(halved)
    for _ in range(rounds):
        full.append(_seconds(lambda: spoken(voice)))
        half.append(_seconds(lambda: spoken(halved)))
    length = len(reference) / 16_000
    tell("MMS, float32: seconds of work a second of speech", [one / length for one in full], "s")
    tell("MMS, bfloat16 decoder: seconds of work a second of speech", [one / length for one in half], "s")
    ratios = [a / b for a, b in zip(full, half, strict=True)]
    tell("MMS, bfloat16: times as fast", ratios, more=True)
    tell("MMS, bfloat16: log-spectral distance to float32", spectral_distance(reference, other), "dB")


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def loads(folder: Path, voice: Mms, rounds: int, threads: int) -> None:
    """Compare a dub with one load against a load for every line, as is usual: model and tokenizer, by transformers.

    Lines are short, as most are; some of them are measured, in turns, and a dub's hundred reckoned.
    """
    load = statistics.median([_seconds(lambda: Mms(folder, "es", threads).close()) for _ in range(5)])
    warm, cold = [], []
    for number in range(rounds):
        text = SHORT[number % len(SHORT)]
        warm.append(_seconds(lambda: spoken(voice, text)))  # noqa: B023
        cold.append(_seconds(lambda: usual(folder, text)))  # noqa: B023
    once = load + DUB * statistics.mean(warm)
    tell("MMS: load", load, "s")
    tell("MMS: a short line, loaded already", statistics.mean(warm), "s")
    tell("MMS: a short line with its own load, by transformers", statistics.mean(cold), "s")
    tell(f"a load for each of {DUB} lines: times as slow as vt", DUB * statistics.mean(cold) / once, floor=5, more=True)


def usual(folder: Path, text: str) -> None:
    """Speak a line as programs do that load the voice for each."""
    import torch
    from transformers import AutoTokenizer, VitsModel

    library: Any = VitsModel
    model = library.from_pretrained(folder)
    tokens = AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")
    with torch.no_grad():
        model(**tokens)


def memory(voice: Mms, lines: int) -> None:
    """Measure what speaking many short lines leaves behind."""
    process = psutil.Process()
    after_fifty = 0
    for number in range(lines):
        spoken(voice, f"{SHORT[number % len(SHORT)]} {number}")
        if number == 49:
            after_fifty = process.memory_info().rss
    grown = process.memory_info().rss / after_fifty - 1
    tell(f"MMS: growth of memory from line 50 to line {lines}", 100 * grown, "%", floor=10)


def estimate(folder: Path, threads: int) -> None:
    """Compare what a load and a long line really take with what is reckoned beforehand."""
    process = psutil.Process()
    before = process.memory_info().rss
    voice = Mms(folder, "es", threads)
    loaded = process.memory_info().rss
    spoken(voice, (LINE + " ") * 4)
    used = process.memory_info().rss
    tell("MMS: memory as it is estimated before a load", mms.estimated_bytes(folder) / MB, "MB")
    tell("MMS: memory, loaded", (loaded - before) / MB, "MB")
    tell("MMS: memory after a line of 270 characters", (used - before) / MB, "MB")
    voice.close()


class Peak(threading.Thread):
    """Watches how much memory the process has at most, beyond what it had at first."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._process, self._over = psutil.Process(), threading.Event()
        self._first = self.most = self._process.memory_info().rss

    def run(self) -> None:
        """Look until the end."""
        while not self._over.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)

    def end(self) -> tuple[float, float]:
        """Return the most and what is left now, in MB."""
        self._over.set()
        self.join()
        return (self.most - self._first) / MB, (self._process.memory_info().rss - self._first) / MB


def kokoro_speed(file: Path, rounds: int, threads: int) -> None:
    """Compare the engine with the plain call, one session of two threads and a line at a time, in turns."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 2, 4
    plain = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    engine = Kokoro(file, "ef_dora", threads)
    lines = [(text, 1.0) for text in TALK]
    parts = [part for line in engine.parts(lines, Cancel()) for part in line]
    fed = [engine._inputs(*part) for part in parts]
    ratios, ours = [], []
    length = sum(clip.seconds for clip in engine.speak(lines, Cancel()))
    plain.run(None, fed[0])
    for _ in range(rounds):
        theirs = _seconds(lambda: [plain.run(None, one) for one in fed])
        ours.append(_seconds(lambda: list(engine.speak(lines, Cancel()))))
        ratios.append(theirs / ours[-1])
    tell("Kokoro: seconds of work a second of speech", [one / length for one in ours], "s")
    tell("Kokoro: times as fast as one session of two threads", ratios, floor=1.2, more=True)


def kokoro_memory(file: Path, lines: int, threads: int) -> None:
    """Compare what is reckoned before a load with what long lines take; and see what many lines leave behind."""
    import onnxruntime  # noqa: F401 (the library's own memory belongs to the process)

    peak = Peak()
    peak.start()
    engine = Kokoro(file, "ef_dora", threads)
    list(engine.speak([(" ".join(TALK) + " " + TALK[0], 1.0)] * 2 * threads, Cancel()))
    most, left = peak.end()
    reckoned = kokoro.estimated_bytes(file, threads) / MB
    tell("Kokoro: memory as it is estimated before a load", reckoned, "MB")
    tell("Kokoro: at most, in lines of 400 tokens", most, "MB")
    tell("Kokoro: most memory / estimated", most / reckoned, floor=1.25)
    tell("Kokoro: memory after these lines / estimated", left / reckoned, floor=1.25)
    process, after_fifty = psutil.Process(), 0
    many = [(f"{TALK[number % len(TALK)]} {number}", 1.0) for number in range(lines)]
    for number, _ in enumerate(engine.speak(many, Cancel())):
        if number == 49:
            after_fifty = process.memory_info().rss
    if after_fifty:
        grown = process.memory_info().rss / after_fifty - 1
        tell(f"Kokoro: growth of memory from line 50 to line {lines}", 100 * grown, "%", floor=10)
    engine.close()


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="in which ways are compared in turns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("kokoro", "mms"))
    parser.add_argument("--kokoro", type=Path, default=KOKORO)
    parser.add_argument("--spoken", type=int, default=500, help="short lines, to see the memory grow")
    arguments = parser.parse_args()
    if arguments.only != "mms" and arguments.kokoro.is_file():
        kokoro_memory(arguments.kokoro, arguments.spoken, arguments.threads)
        kokoro_speed(arguments.kokoro, arguments.rounds, arguments.threads)
    if arguments.only == "kokoro":
        return
    mms.load_library()
    with tempfile.TemporaryDirectory() as name:
        folder = made(Path(name))
        gc.collect()
        estimate(folder, arguments.threads)
        voice = Mms(folder, "es", arguments.threads)
        speed(voice, Mms(folder, "es", arguments.threads, bfloat16=True), arguments.rounds)
        loads(folder, voice, arguments.lines, arguments.threads)
        memory(voice, arguments.spoken)


if __name__ == "__main__":
    main()
