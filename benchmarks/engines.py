"""What NLLB costs by CTranslate2 in int8, beside transformers in float32: in batches, and line by line.

Run by hand: .venv/bin/python -m benchmarks.engines [--threads 2] [--lines 64]

The model has the true size of nllb-200-distilled-600M; its weights, set by hand, translate each line into itself, so
that both sides say the same tokens and stop at the same place. Each side is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.results import tell
from tests.tiny_models import LINES, Size, tiny_nllb
from vt.domain import Cancel
from vt.engines import nllb, nllb_conversion

ROOT = Path(__file__).parent.parent
MB = 2**20
TRUE_SIZE = Size(width=1024, layers=12, heads=16, inner=4096, vocabulary=256_206)
_MANY = 500
BATCH = 32
"""Of transformers: as fast here as 64 at once, and it takes less memory."""


def lines(count: int) -> list[str]:
    """Return so many single sentences of 8 to 25 words."""
    chance = random.Random(3)  # noqa: S311
    words = sorted({word.strip(".,?") for line in LINES[:2] for word in line.split()})
    return [" ".join(chance.choices(words, k=chance.randint(8, 25))).lower() + "." for _ in range(count)]


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def with_transformers(source: Path, texts: list[str], threads: int, size: int) -> list[str]:
    """Translate greedily in float32, in padded batches of so many lines of about one length."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(source, src_lang="eng_Latn")
    model = AutoModelForSeq2SeqLM.from_pretrained(source)
    target = tokenizer.convert_tokens_to_ids("spa_Latn")
    order = sorted(texts, key=len)
    found: dict[str, str] = {}
    model.generate(**tokenizer(order[0], return_tensors="pt"), forced_bos_token_id=target, max_new_tokens=8)  # warm
    began = time.perf_counter()
    for first in range(0, len(order), size):
        batch = order[first : first + size]
        inputs = tokenizer(batch, return_tensors="pt", padding=True)
        with torch.inference_mode():
            said = model.generate(**inputs, forced_bos_token_id=target, num_beams=1, max_new_tokens=200)
        found.update(zip(batch, tokenizer.batch_decode(said, skip_special_tokens=True), strict=True))
    _tell(time.perf_counter() - began)
    return [found[text] for text in texts]


def with_ours(folder: Path, texts: list[str], threads: int, beam: int) -> list[str]:
    """Translate with the engine, as the pipeline does."""
    model = nllb.Nllb(folder, threads, beam=beam)
    pair = model.between("eng_Latn", "spa_Latn")
    list(pair.translate(["a man."], Cancel()))  # warm
    began = time.perf_counter()
    found = list(pair.translate(texts, Cancel()))
    _tell(time.perf_counter() - began)
    model.close()
    return found


def growing(folder: Path, texts: list[str], threads: int) -> list[str]:
    """Translate many short lines, a few at a time, and tell what that leaves behind after the first fifty."""
    model, process = nllb.Nllb(folder, threads), psutil.Process()
    pair = model.between("eng_Latn", "spa_Latn")
    short = [
        " ".join(text.rstrip(".").split()[: 3 + len(text) % 5]) + f" {number}." for number, text in enumerate(texts)
    ]
    after_fifty = 0
    for first in range(0, len(short), 10):
        list(pair.translate(short[first : first + 10], Cancel()))
        if first == 40:
            after_fifty = process.memory_info().rss
    print(json.dumps({"before": after_fifty, "after": process.memory_info().rss}))
    return texts


def _tell(seconds: float) -> None:
    print(json.dumps({"seconds": seconds, "peak": peak_bytes()}))


def _in_child(kind: str, folder: Path, count: int, threads: int) -> dict[str, float]:
    argv = [sys.executable, "-m", "benchmarks.engines", "--child", kind, str(folder)]
    argv += ["--lines", str(count), "--threads", str(threads)]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def _child(kind: str, folder: Path, count: int, threads: int) -> None:
    texts = lines(count)
    ways: dict[str, Callable[[], list[str]]] = {
        "transformers": lambda: with_transformers(folder, texts, threads, BATCH),
        "one by one": lambda: with_transformers(folder, texts, threads, 1),
        "greedy": lambda: with_ours(folder, texts, threads, 1),
        "beam": lambda: with_ours(folder, texts, threads, nllb.BEAM),
        "growing": lambda: growing(folder, texts, threads),
    }
    if ways[kind]() != texts:
        sys.exit(f"{kind} has not translated each line into itself, so that its speed says nothing")


def _compared(source: Path, target: Path, count: int, threads: int) -> None:
    texts, fit = lines(count), nllb.Nllb(target, threads)
    tokens = sum(len(fit._tokenize(text)) for text in texts)
    fit.close()
    base, single = (_in_child(kind, source, count, threads) for kind in ("transformers", "one by one"))
    found = {kind: _in_child(kind, target, count, threads) for kind in ("greedy", "beam")}
    named = {"transformers, float32, batches": base, "transformers, float32, line by line": single}
    for kind, one in {**named, **{f"vt, {kind}": one for kind, one in found.items()}}.items():
        tell(f"{kind}: tokens a second", tokens / one["seconds"], more=True)
        tell(f"{kind}: most memory", one["peak"] / MB, "MB")
    greedy, beam = found["greedy"]["seconds"], found["beam"]["seconds"]
    tell("vt, greedy: times as fast as batches", base["seconds"] / greedy, floor=4, goal=4.5, more=True)
    tell("vt, greedy: times as fast as line by line", single["seconds"] / greedy, floor=4, goal=8, more=True)
    tell("vt, beam of 4: times as fast as greedy batches", base["seconds"] / beam, floor=1, more=True)
    for kind, one in found.items():
        tell(f"vt, {kind}: share of the memory", one["peak"] / base["peak"], floor=0.5, goal=0.45)
    tell("vt: memory as it is estimated before a load", nllb.estimated_bytes(target) / MB, "MB")
    grown = _in_child("growing", target, _MANY, threads)
    growth = 100 * (grown["after"] / grown["before"] - 1)
    tell(f"vt: growth of memory from line 50 to line {_MANY}", growth, "%", floor=10)


def main() -> None:
    """Build the model, convert it, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count() or 1)
    parser.add_argument("--lines", type=int, default=64)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child[0], Path(options.child[1]), options.lines, options.threads)
        return
    with tempfile.TemporaryDirectory() as place:
        source = tiny_nllb(Path(place) / "source", size=TRUE_SIZE)
        began = time.perf_counter()
        nllb_conversion.convert(source, Path(place) / "converted", tell=print, cancel=Cancel())
        tell("conversion, once", time.perf_counter() - began, "s")
        _compared(source, Path(place) / "converted", options.lines, options.threads)


if __name__ == "__main__":
    main()
