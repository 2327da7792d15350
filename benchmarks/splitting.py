"""How well sentence splitters of the package index split, beside vt's own: sentences found, and time on hostile texts.

Run by hand: .venv/bin/python -m benchmarks.splitting vt|sentencex|pysbd|syntok|yasbd [FOLDER] [--speed]

FOLDER is where pip has put the library (pip install --target FOLDER sentencex). `splitting.tsv` has the texts: `tests`
are those that vt's own tests hold, `new` ones were written for the comparison and never used to improve a splitter.
docs/DEPENDENCIES.md tells what came of it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path

from vt.text import splitting

CASES = Path(__file__).with_name("splitting.tsv")
UNSPACED = {"ja", "zh", "zh-Hant"}
"""Languages that put no space between sentences."""
HOSTILE = (
    "He went to Dr. Smith on Monday. It was 3.5 miles, he said. ",
    ".",
    "(",
    '"',
    "' ",
    "“a ",
    "a",
    "word ",
    "A. ",
    "\n",
    "。",
)
"""What a long text repeats."""
SIZES = (10_000, 40_000, 160_000, 1_000_000)
_GIVE_UP_SECONDS = 2.0
"""A splitter that took so long for one size is not asked for the next, 4 times as long."""
Split = Callable[[str, str], list[str]]
"""Splits a text of a language (a code) into sentences."""


def _syntok() -> Split:
    segmenter = importlib.import_module("syntok.segmenter")

    def split(text: str, _: str) -> list[str]:
        found = (sentence for paragraph in segmenter.process(text) for sentence in paragraph)
        return ["".join(f"{token.spacing}{token.value}" for token in sentence) for sentence in found]

    return split


def _sentencex() -> Split:
    segment = importlib.import_module("sentencex").segment
    return lambda text, code: list(segment(_bare(code), text))


def _pysbd() -> Split:
    library = importlib.import_module("pysbd")
    known = set(importlib.import_module("pysbd.languages").LANGUAGE_CODES)
    return lambda text, code: list(library.Segmenter(language=_known(code, known), clean=False).segment(text))


def _yasbd() -> Split:
    library = importlib.import_module("yasbd")
    known = set(library.get_supported_langs())
    return lambda text, code: list(library.BoundaryDetector(_known(code, known)).segment(text))


def _own() -> Split:
    return lambda text, _: splitting.pieces(text, lambda _: True)


SPLITTERS: dict[str, Callable[[], Split]] = {
    "vt": _own,
    "sentencex": _sentencex,
    "pysbd": _pysbd,
    "syntok": _syntok,
    "yasbd": _yasbd,
}


def _bare(code: str) -> str:
    return code.partition("-")[0]


def _known(code: str, known: set[str]) -> str:
    return _bare(code) if _bare(code) in known else "en"


def _borders(sentences: list[str]) -> set[int]:
    """Return after how many characters, spaces aside, each sentence but the last ends."""
    lengths = ["".join(sentence.split()) for sentence in sentences]
    return {len("".join(lengths[:count])) for count in range(1, len(lengths))}


def _correctness(split: Split) -> None:
    for which in ("new", "tests"):
        rows = [line.split("\t") for line in CASES.read_text(encoding="utf-8").splitlines()[1:]]
        right = merged = cut = total = 0
        for code, sentences in ((code, text.split("|")) for group, code, text in rows if group == which):
            wanted = _borders(sentences)
            found = _borders(split(("" if code in UNSPACED else " ").join(sentences), code))
            total, right = total + 1, right + (wanted == found)
            merged, cut = merged + len(wanted - found), cut + len(found - wanted)
        print(f"{which}: {right} of {total} texts right; {merged} sentences merged, {cut} cut")


def _speed(split: Split) -> None:
    for part in HOSTILE:
        took: list[float] = []
        for size in SIZES:
            text = (part * (size // len(part) + 1))[:size]
            began = time.process_time()
            split(text, "en")
            took.append(time.process_time() - began)
            if took[-1] > _GIVE_UP_SECONDS:
                break
        print(f"{part[:20]!r:24}", *(f"{seconds:8.3f}" for seconds in took), "s for", *SIZES[: len(took)])


def main() -> None:
    """Compare one splitter with the texts, and measure it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("splitter", choices=SPLITTERS)
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.folder:
        sys.path.insert(1, arguments.folder)
    split = SPLITTERS[arguments.splitter]()
    _correctness(split)
    if arguments.speed:
        _speed(split)


if __name__ == "__main__":
    main()
