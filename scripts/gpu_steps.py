"""The steps of scripts/gpu-check: each runs the product's own engines or factory on a card, and tells figures.

    python -m scripts.gpu_steps NAME FOLDER RESULT       one step, in a process of its own

A step works on a processor too, in the card's place: so the tests try it.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jiwer
import numpy as np

from benchmarks.engines import lines
from benchmarks.recognition import ROOT, SAMPLE, ours, plain, talk
from benchmarks.voices import LINE, TALK, spectral_distance
from scripts.gpu_models import MMS, NLLB, float_kokoro
from vt import languages
from vt.domain import Cancel, JobRequest
from vt.engines import nllb
from vt.engines.campplus import CamPlusPlus
from vt.engines.kokoro import Kokoro
from vt.engines.mms import Mms
from vt.engines.nllb import Nllb
from vt.engines.whisper import RATE, Whisper
from vt.factory import AIServiceFactory
from vt.model_files import bundle
from vt.settings import Settings
from vt.system import graphics

T = TypeVar("T")
Figure = float | str
MB = 2**20
_MOST_WORSE = 0.005
"""Word error rate that the card may have more than the processor."""
_LEAST_ALIKE = 0.95
_MOST_DISTANT_DB, _MOST_LONGER = 1.5, 0.05
_LEAST_SAME_VOICE = 0.99
_MOST_MISCOUNTED, _LEAST_GIVEN_BACK = 0.25, 0.95
_LEFT_FREE = 60 * MB
"""On a card that was filled: less than any model takes."""
_CHUNK = 16 * MB
_ROUNDS = 4
_LONGEST_REASON = 500


def _card_bytes() -> int:
    memory = graphics.cards().memory("cuda")
    return memory.used if memory else 0


def _filled(left: int) -> list[Any]:
    """Take the memory of the card but for so many bytes, and return what holds it."""
    import torch

    held = []
    while (memory := graphics.cards().memory("cuda")) and (free := memory.free) > left + _CHUNK:
        try:
            held.append(torch.empty(max(_CHUNK, (free - left) // 2), dtype=torch.uint8, device="cuda"))
        except torch.cuda.OutOfMemoryError:
            break
    return held


@dataclass(frozen=True, slots=True)
class Bench:
    """What the steps are given."""

    folder: Path
    """With the models of `scripts.gpu_models`, which are there already."""
    device: str = "cuda"
    whisper: Path = bundle.ROOT / "whisper-base"
    kokoro: Path = bundle.ROOT / "kokoro-82m" / "model.onnx"
    film: Path = SAMPLE
    """Beside it lies its transcript."""
    talk_seconds: float = 300.0
    """Of sound to be heard."""
    compute_types: tuple[str, ...] = ("float16", "int8_float16")
    """Of Whisper on the card."""
    nllb: tuple[str, ...] = tuple(NLLB)
    lines: int = 256
    """To be translated on the card; on the processor an eighth of them."""
    batches: tuple[int, ...] = (1024, 4096, 16_384)
    """Tokens that NLLB is given at once on the card, to see what more would be worth."""
    used: Callable[[], int] = _card_bytes
    """Returns how many bytes of the card are in use."""
    fill: Callable[[int], Any] = _filled
    """Takes the card's memory but for so many bytes, and returns what holds it."""

    @property
    def threads(self) -> int:
        """Of the processor."""
        return len(os.sched_getaffinity(0))

    def settings(self, **more: Any) -> Settings:  # noqa: ANN401
        """Return settings that serve with the models of true size on the device; nothing is downloaded."""
        fields: dict[str, Any] = {
            "device": self.device,
            "engines": "embedded",
            "nllb_model": str(self.folder / self.nllb[0]),
            "translation_engine": "nllb",
            "mms_model": str(self.folder / "mms-{language}"),
            "tts_engine": "mms",
            "data_dir": self.folder / "data",
            "cache_budget_mb": 16_384,  # some machines say at first that they have little memory, and grow
        }
        return Settings(**(fields | more))


@dataclass(slots=True)
class Findings:
    """What a step has found out; kept in a file, so that nothing is lost where the step is ended."""

    file: Path | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    skipped: str = ""
    """Why the step could not be taken."""

    def tell(self, name: str, value: Figure) -> None:
        """Add a figure."""
        self.figures[name] = round(value, 4) if isinstance(value, float) else value
        self.write()

    def hold(self, holds: bool, sentence: str) -> None:
        """Add a fault where something does not hold."""
        if not holds:
            self.faults.append(sentence)
            self.write()

    def write(self) -> None:
        """Write what is known."""
        if self.file:
            told = {"figures": self.figures, "faults": self.faults, "skipped": self.skipped}
            self.file.write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    began = time.perf_counter()
    made = action()
    return made, time.perf_counter() - began


# --- what is there -----------------------------------------------------------------------------------------------


def card(bench: Bench, found: Findings) -> None:
    """Tell which card it is, and the versions that are tried on it."""
    import ctranslate2
    import onnxruntime
    import torch
    import transformers

    for library in (torch, transformers, ctranslate2, onnxruntime):
        found.tell(library.__name__, str(library.__version__))
    found.tell("ONNX Runtime on cards", "CUDAExecutionProvider" in onnxruntime.get_available_providers())
    found.tell("Python", sys.version.split()[0])
    found.tell("cores", bench.threads)
    if memory := graphics.cards().memory("cuda"):
        found.tell("name", torch.cuda.get_device_name() if torch.cuda.is_available() else "unknown to torch")
        found.tell("CUDA of torch", str(torch.version.cuda))
        found.tell("memory, MB", memory.total // MB)
        found.tell("used at first, MB", memory.used // MB)


# --- the engines, one by one -------------------------------------------------------------------------------------


def hearing(bench: Bench, found: Findings) -> None:
    """Whisper on the card in each compute type, against the processor: words and speed."""
    samples, wanted = talk([bench.film], bench.talk_seconds)
    errors = []
    for device, kind in [("cpu", "int8"), *((bench.device, kind) for kind in bench.compute_types)]:
        name, before = f"{device} {kind}", bench.used()
        whisper, seconds = _timed(
            lambda: Whisper(str(bench.whisper), bench.threads, vad=False, device=device, compute_type=kind)  # noqa: B023
        )
        found.tell(f"{name}: load, s", seconds)
        ours(whisper, samples[: 30 * RATE])
        text, seconds = _timed(lambda: ours(whisper, samples))  # noqa: B023
        errors.append(jiwer.wer(plain(wanted), plain(text)))
        found.tell(f"{name}: word error rate, %", 100 * errors[-1])
        found.tell(f"{name}: seconds of sound a second", len(samples) / RATE / seconds)
        found.tell(f"{name}: memory of the card, MB", (bench.used() - before) / MB)
        whisper.close()
        worse = errors[-1] - errors[0]
        found.hold(worse <= _MOST_WORSE, f"{name}: the word error rate is {100 * worse:.1f} points higher")


def translating(bench: Bench, found: Findings) -> None:
    """NLLB of each size on the card, and the smallest on the processor: tokens a second, memory, and the same words."""
    _translate(bench, found, "cpu", bench.nllb[0], max(1, bench.lines // 8))
    for name in bench.nllb:
        _translate(bench, found, bench.device, name, bench.lines)


def _translate(bench: Bench, found: Findings, device: str, name: str, count: int) -> None:
    folder, texts, before = bench.folder / name, lines(count), bench.used()
    model, seconds = _timed(lambda: Nllb(folder, bench.threads, device))
    title = f"{name} on {device}"
    found.tell(f"{title}: load, s", seconds)
    found.tell(f"{title}: memory of the card, loaded, MB", (bench.used() - before) / MB)
    pair = model.between("eng_Latn", "spa_Latn")
    list(pair.translate(texts[:8], Cancel()))
    said, seconds = _timed(lambda: list(pair.translate(texts, Cancel())))
    tokenize = nllb.tokenizer(folder)
    found.tell(f"{title}: tokens a second", sum(len(tokenize(text)) for text in said) / seconds)
    found.tell(f"{title}: memory of the card, at work, MB", (bench.used() - before) / MB)
    found.tell(f"{title}: memory as estimated, MB", nllb.estimated_bytes(folder) / MB)
    alike = sum(one == other for one, other in zip(texts, said, strict=True)) / len(texts)
    found.tell(f"{title}: lines translated as the weights say, %", 100 * alike)
    found.hold(alike >= _LEAST_ALIKE, f"{title}: only {100 * alike:.0f} % of the lines are translated rightly")
    for most in bench.batches if device == bench.device else ():
        many = texts * 2
        said, seconds = _timed(
            lambda: model.translated(many, "eng_Latn", "spa_Latn", [None] * len(many), Cancel(), most)  # noqa: B023
        )
        found.tell(f"{title}: tokens a second, {most} a batch", sum(len(tokenize(text)) for text in said) / seconds)
        found.tell(f"{title}: memory of the card, {most} a batch, MB", (bench.used() - before) / MB)
    model.close()


def mms(bench: Bench, found: Findings) -> None:
    """MMS on the card against the processor: sound and speed."""
    folder, told = bench.folder / MMS, [(LINE, 1.0)] * _ROUNDS
    _compare_voices(bench, found, lambda device: Mms(folder, "es", bench.threads, device), told)


def kokoro(bench: Bench, found: Findings) -> None:
    """Kokoro on the card, where ONNX Runtime knows cards, against the processor: sound and speed in both precisions."""
    import onnxruntime

    if bench.device != "cpu" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        found.skipped = "ONNX Runtime for graphics cards was not brought"
        return
    files = {"int8": bench.kokoro}
    if importlib.util.find_spec("onnx"):
        files["float32"] = float_kokoro(bench.kokoro, bench.folder / "kokoro-float32.onnx")
    for kind, file in files.items():
        _compare_voices(
            bench,
            found,
            lambda device: Kokoro(file, "ef_dora", bench.threads, device),  # noqa: B023
            [(text, 1.0) for text in TALK],
            f"{kind} on ",
        )


def _compare_voices(
    bench: Bench, found: Findings, load: Callable[[str], Any], told: Sequence[tuple[str, float]], kind: str = ""
) -> None:
    """Have a voice speak on the processor and on the card; where they are of one length, they have to sound alike."""
    spoken = []
    for device in ("cpu", bench.device):
        title, before = f"{kind}{device}", bench.used()
        voice, seconds = _timed(lambda: load(device))  # noqa: B023
        found.tell(f"{title}: load, s", seconds)
        found.tell(f"{title}: memory of the card, loaded, MB", (bench.used() - before) / MB)
        list(voice.speak(told, Cancel()))
        clips, seconds = _timed(lambda: list(voice.speak(told, Cancel())))  # noqa: B023
        found.tell(f"{title}: seconds of speech a second", sum(clip.seconds for clip in clips) / seconds)
        found.tell(f"{title}: memory of the card, at work, MB", (bench.used() - before) / MB)
        voice.close()
        spoken.append(clips)
    pairs = list(zip(*spoken, strict=True))
    longer = max(abs(one.seconds - other.seconds) / one.seconds for one, other in pairs)
    distance = float(np.mean([spectral_distance(one.samples, other.samples) for one, other in pairs]))
    found.tell(f"{kind}both: largest difference in length, %", 100 * longer)
    found.tell(f"{kind}both: log-spectral distance, dB", distance)
    # A sound that is a frame longer moves all that follow, and no frame can be compared any more.
    alike = longer <= _MOST_LONGER if longer else distance <= _MOST_DISTANT_DB
    found.hold(alike, f"{kind}both: {100 * longer:.1f} % longer or shorter, {distance:.1f} dB apart")


def speakers(bench: Bench, found: Findings) -> None:
    """CAM++, of random weights, on the card against the processor: the same vectors."""
    from tests.tiny_campplus import write

    samples, _ = talk([bench.film], 0)
    moments = [(at, at + 1.0) for at in np.linspace(0, len(samples) / RATE - 1, 16)]
    with tempfile.TemporaryDirectory() as place:
        file = write(Path(place) / "voices.pt")
        vectors = []
        for device in ("cpu", bench.device):
            model = CamPlusPlus(file, bench.threads, device)
            list(model.embed(samples, moments, Cancel()))
            one, seconds = _timed(lambda: list(model.embed(samples, moments, Cancel())))  # noqa: B023
            found.tell(f"{device}: moments a second", len(moments) / seconds)
            vectors.append(one)
            model.close()
    least = min(float(one @ other) for one, other in zip(*vectors, strict=True))
    found.tell("least scalar product with the processor's vectors", least)
    found.hold(least >= _LEAST_SAME_VOICE, f"a vector's scalar product with the processor's is {least:.3f}")


# --- the product -------------------------------------------------------------------------------------------------


def dub(bench: Bench, found: Findings) -> None:
    """The whole film, dubbed by the command line with the models that are put beside the packages."""
    with tempfile.TemporaryDirectory() as place:
        argv = [sys.executable, "-m", "vt", "translate", str(bench.film), "--from", "en", "--to", "pt", "-o", place]
        chosen = {"DEVICE": bench.device, "VT_ENGINES": "embedded", "PYTHONPATH": _with_code()}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=place, env=os.environ | chosen)
        found.hold(done.returncode == 0, done.stderr[-_LONGEST_REASON:].strip())
        if done.returncode == 0:
            report = json.loads((Path(place) / f"{bench.film.stem}.pt.report.json").read_text(encoding="utf-8"))
            _tell_report(bench, found, report, "stt")


def _with_code() -> str:
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def _tell_report(bench: Bench, found: Findings, report: Any, *on_card: str) -> None:  # noqa: ANN401 (JSON)
    found.tell("film, s", report["source"]["duration_seconds"])
    found.tell("time, s", report["total_seconds"])
    for stage in report["stages"]:
        found.tell(f"stage {stage['name']}, s", stage["seconds"])
    for kind, engine in report["engines"].items():
        found.tell(kind, f"{engine['engine']} {engine['model']} on {engine['device']}")
        if engine["fallback_reason"]:
            found.tell(f"{kind}: why not another", engine["fallback_reason"])
        if kind in on_card:
            found.hold(engine["device"] == bench.device, f"{kind} ran on {engine['device']}")


def counting(bench: Bench, found: Findings) -> None:
    """What the cache counts for each model against what the card gives, and what comes back when all are freed."""
    with _factory(bench) as factory:
        for ask in _services(factory):
            ask()
        factory.clear_cache()  # CUDA's own memory, which no program gives back, is in use from now on
        first, known = _settled(bench), set[str]()
        for ask in _services(factory):
            before = _settled(bench)
            ask()
            grown = _settled(bench) - before
            (model,) = (one for one in factory.get_model_status()["models"] if one["cache_key"] not in known)
            known.add(model["cache_key"])
            _tell_counted(found, model, grown)
        most = _settled(bench)
        factory.clear_cache()
        left = _settled(bench)
        given_back = 1.0 if most <= first else (most - left) / (most - first)
        found.tell("given back after clear, %", 100 * given_back)
        found.hold(given_back >= _LEAST_GIVEN_BACK, f"only {100 * given_back:.0f} % of the memory was given back")


def _tell_counted(found: Findings, model: dict[str, Any], grown: int) -> None:
    key, counted = model["cache_key"], model["memory_usage_mb"]
    found.tell(f"{key}: counted, MB", counted)
    found.tell(f"{key}: taken of the card, MB", grown / MB)
    off = abs(counted * MB - grown) / max(grown, 1)
    if model["device"] != "cpu":
        found.hold(off <= _MOST_MISCOUNTED, f"{key}: counted as {counted:.0f} MB, and takes {grown / MB:.0f} MB")


def evicting(bench: Bench, found: Findings) -> None:
    """Under a budget that holds the translator alone, the recogniser has to go."""
    budget = nllb.estimated_bytes(bench.folder / bench.nllb[0]) // MB + 50
    found.tell("budget, MB", budget)
    with _factory(bench, cache_budget_mb=budget, gpu_budget_mb=budget) as factory:
        hears, translates, _ = _services(factory)
        hears()
        with_whisper = _settled(bench)
        translates()
        status = factory.get_model_status()
        found.tell("evictions", status["evictions"])
        found.tell("memory of the card with the recogniser, MB", with_whisper / MB)
        found.tell("memory of the card with the translator, MB", _settled(bench) / MB)
        kinds = [model["model_type"] for model in status["models"]]
        found.hold(kinds == ["translation"], f"in memory are {', '.join(kinds)}")


def running_out(bench: Bench, found: Findings) -> None:
    """On a full card: what is idle is evicted, and the load tried again; what has no room then goes to the CPU."""
    with _factory(bench) as factory:
        hears, translates, speaks = _services(factory)
        hears()
        held = bench.fill(_LEFT_FREE)
        service = speaks()
        status = factory.get_model_status()
        found.tell("a voice on the full card: device", service.choice.device)
        found.tell("evictions for it", status["evictions"])
        found.hold(service.choice.device == bench.device, f"the voice went to {service.choice.device}")
        found.hold(status["evictions"] == 1, "the idle recogniser was not evicted")
        service = translates()
        reason = str(service.choice.fallback_reason or "")
        found.tell("a translator on the full card: device", service.choice.device)
        found.tell("why", reason)
        found.hold(service.choice.device == "cpu" and "memory" in reason, "the translator was not refused")
        del held


def two_at_once(bench: Bench, found: Findings) -> None:
    """Two films at once in one process, each with recogniser, translator and voice on the card."""
    with _factory(bench) as factory:
        _, alone = _timed(lambda: _dubbed(bench.film, factory))
        reports: list[Any] = []
        threads = [threading.Thread(target=lambda: reports.append(_dubbed(bench.film, factory))) for _ in range(2)]

        def together() -> None:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        _, seconds = _timed(together)
        found.tell("one film, s", alone)
        found.tell("two at once, s", seconds)
        found.tell("loads", factory.get_model_status()["loads"])
        found.tell("memory of the card, MB", bench.used() / MB)
        found.hold(len(reports) == 2, f"{len(reports)} of 2 films were dubbed")
        for report in reports:
            _tell_report(bench, found, report, "stt", "translation", "tts")
        found.hold(factory.get_model_status()["loads"] == 3, "a model was loaded more than once")


def _dubbed(film: Path, factory: AIServiceFactory) -> dict[str, Any]:
    """Dub an English film into Spanish, and return the report."""
    from vt.dubbing import pipeline

    request = JobRequest(film, languages.SPANISH, languages.ENGLISH)
    with tempfile.TemporaryDirectory() as place:
        result = pipeline.dub(request, factory, Path(place))
        report: dict[str, Any] = json.loads(result.files[-1].read_text(encoding="utf-8"))
        return report


def auto(bench: Bench, found: Findings) -> None:
    """DEVICE=auto takes the card."""
    with _factory(bench, device="auto") as factory:
        choice = factory.get_stt_service("en").choice
        found.tell("device", choice.device)
        found.tell("health", str(factory.health_check()["status"]))
        found.hold(choice.device == bench.device, f"DEVICE=auto took {choice.device}: {choice.fallback_reason}")


@contextmanager
def _factory(bench: Bench, **more: Any) -> Iterator[AIServiceFactory]:  # noqa: ANN401
    with closing(AIServiceFactory(bench.settings(**more))) as factory:
        yield factory


def _services(factory: AIServiceFactory) -> tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]:
    """Return what loads a recogniser, a translator and a voice, and returns the service."""
    return (
        lambda: factory.get_stt_service("en"),
        lambda: factory.get_translation_service("en", "es"),
        lambda: factory.get_tts_service("es"),
    )


def _settled(bench: Bench) -> int:
    """Return the bytes of the card in use, once nobody in this process holds on to what it has freed."""
    gc.collect()
    time.sleep(0.2)  # the driver's own count lags behind
    return bench.used()


STEPS: dict[str, Callable[[Bench, Findings], None]] = {
    "card": card,
    "hearing": hearing,
    "mms": mms,
    "speakers": speakers,
    "kokoro": kokoro,
    "dub": dub,
    "counting": counting,
    "evicting": evicting,
    "running_out": running_out,
    "two_at_once": two_at_once,
    "auto": auto,
    "translating": translating,
}
"""By the names under which `scripts.gpu_check` knows them."""


def run(name: str, bench: Bench, found: Findings) -> Findings:
    """Run a step; an error is a fault among the findings, and never raised."""
    try:
        STEPS[name](bench, found)
    except Exception as error:  # noqa: BLE001 (whatever it is, the other steps go on, and the report has it)
        traceback.print_exc()
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        found.faults.append(f"{type(error).__name__}: {reason}")
    found.write()
    return found


if __name__ == "__main__":
    run(sys.argv[1], Bench(Path(sys.argv[2])), Findings(Path(sys.argv[3])))
