"""Apertium: rule-based translation between neighbouring languages, as a command, with text over stdin."""

from __future__ import annotations

import re
import shutil
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vt import languages
from vt.domain import Cancel
from vt.engines.base import EngineInfo, Translator
from vt.engines.candidate import Candidate, Hop
from vt.engines.door import Site, TranslationEngine
from vt.errors import LanguageError
from vt.languages import Language
from vt.processes import Child, run
from vt.sandbox import MB, ChildLimits
from vt.specs import ModelSpec

INFO = EngineInfo(
    name="apertium",
    kind="translation",
    licence="GPL-2.0-or-later",
    source="https://github.com/apertium",
    needs="the Debian packages apertium and apertium-*, one for each pair of languages",
    remark="Apertium translates by rules: fair, not good. Read the subtitles through before you publish.",
)
MODES = Path("/usr/share/apertium/modes")
_LIMITS = ChildLimits(seconds=600, cpu_seconds=300, memory=1024 * MB)
_LONGEST_CHAIN = 3
_BRIDGES = ("es", "ca")
"""The languages that a chain goes through by preference: most pairs meet there."""


def pairs(folder: Path = MODES) -> dict[tuple[str, str], str]:
    """Return the installed directions as {(source, target): mode}, in codes of `languages`."""
    found: dict[tuple[str, str], str] = {}
    for mode in sorted(file.stem for file in folder.glob("*.mode")):
        source, _, target = mode.partition("-")
        ends = languages.by_apertium(source), languages.by_apertium(target)
        if ends[0] and ends[1]:  # else it is a variant of a pair, such as eng-cat_valencia or eo-en-bytecode
            found.setdefault((ends[0].code, ends[1].code), mode)
    return found


def chain(
    source: Language, target: Language, installed: Mapping[tuple[str, str], str] | None = None
) -> tuple[str, ...]:
    """Return the modes that lead from `source` to `target`, as few as possible.

    Raises:
        LanguageError: the installed pairs lead nowhere near.
    """
    directions = pairs() if installed is None else installed
    order = sorted(directions, key=lambda pair: _BRIDGES.index(pair[1]) if pair[1] in _BRIDGES else len(_BRIDGES))
    waiting: deque[tuple[str, tuple[str, ...]]] = deque([(source.code, ())])
    seen = {source.code}
    while waiting:
        here, modes = waiting.popleft()
        for begin, end in order:
            if begin == here and end not in seen and len(modes) < _LONGEST_CHAIN:
                step = (*modes, directions[begin, end])
                if end == target.code:
                    return step
                seen.add(end)
                waiting.append((end, step))
    raise LanguageError(
        f"Nobody here translates {source.name} to {target.name}: a package apertium-* for the pair would be needed."
    )


class Apertium:
    """A chain of directions, such as `eng-spa`, `es-pt`. Each step of a call is a process of its own."""

    def __init__(self, chain: Sequence[str]) -> None:
        self.chain = tuple(chain)

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield a translation for each sentence, the only one there is; all of them go through one process."""
        del budgets
        # An empty line is the only border that Apertium does not move words across.
        flat = [" ".join(sentence.split()) for sentence in sentences]
        sent = [text for text in flat if text]
        for mode in self.chain if sent else ():
            sent = self._paragraphs(mode, sent, cancel)
        answers = iter(sent)
        for text in flat:
            yield next(answers) if text else ""

    def _paragraphs(self, mode: str, texts: list[str], cancel: Cancel) -> list[str]:
        told = "\n\n".join(texts).encode() + b"\n"
        limits = replace(_LIMITS, output_bytes=MB + 20 * len(told))
        output = run(Child(["apertium", "-u", mode], limits, told, environment={"LC_ALL": "C.UTF-8"}), cancel)
        answers = [" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", output.decode(errors="replace").strip())]
        if len(answers) == len(texts):
            return answers
        # A sentence that swallowed its border is found by halving; alone, its whole output is its translation.
        if len(texts) == 1:
            return [" ".join(answers)]
        middle = len(texts) // 2
        return self._paragraphs(mode, texts[:middle], cancel) + self._paragraphs(mode, texts[middle:], cancel)

    def close(self) -> None:
        """Nothing is held: every call was a process of its own."""


def _lack() -> str | None:
    if shutil.which("apertium") and pairs():
        return None
    return "Nothing here translates: install apertium and a language pair, such as apertium-eng-spa."


class ApertiumEngine(TranslationEngine):
    """How Apertium is found: an installed program, and a Debian package a pair of languages."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say so where the program or any pair is not installed."""
        del site
        return _lack()

    def pairs(self, site: Site) -> Collection[tuple[str, str]]:
        """Return the directions of the installed pairs."""
        del site
        return pairs() if shutil.which("apertium") else ()

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List the shortest chain of directions; `model` is of no account, for there is only one."""
        del site, model
        try:
            modes, unfit = chain(source, target), None
        except LanguageError as error:
            modes, unfit = (), str(error)
        spec: ModelSpec[Translator] = ModelSpec(
            key=INFO.name,
            kind="translation",
            name=" > ".join(modes),
            device="cpu",
            load=lambda: Apertium(modes),
            estimated_bytes=0,
        )
        route = tuple(_hop(mode) for mode in modes)
        return [Candidate(INFO, spec, is_process=True, unfit=unfit, route=route)]


def _hop(mode: str) -> Hop:
    ends = next(pair for pair, found in pairs().items() if found == mode)
    return Hop(INFO.name, *ends)
