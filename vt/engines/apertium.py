"""Apertium: rule-based translation between neighbouring languages, as a command, with text over stdin."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vt import endings, languages
from vt.domain import Cancel
from vt.engines.base import EngineInfo
from vt.errors import LanguageError
from vt.languages import Language
from vt.processes import Child, run
from vt.sandbox import MB, ChildLimits

INFO = EngineInfo(
    name="apertium",
    kind="translation",
    licence="GPL-2.0-or-later",
    source="https://github.com/apertium",
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
    """A chain of directions, such as `eng-spa`, `es-pt`. Each step of a call is a process or two of its own."""

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
            sent = self._step(mode, sent, cancel)
        answers = iter(sent)
        for text in flat:
            yield next(answers) if text else ""

    def _step(self, mode: str, texts: list[str], cancel: Cancel) -> list[str]:
        """Translate texts by one mode; between close languages, unknown words get the other language's endings."""
        plain = self._paragraphs(mode, texts, cancel, marks=False)
        put = _endings(mode)
        if put is None:
            return plain
        # Only beside a translation without them are the program's marks told from the stars of the text.
        marked = self._paragraphs(mode, texts, cancel, marks=True)
        return [endings.mended(*pair, put) for pair in zip(marked, plain, strict=True)]

    def _paragraphs(self, mode: str, texts: list[str], cancel: Cancel, *, marks: bool) -> list[str]:
        told = "\n\n".join(texts).encode() + b"\n"
        limits = replace(_LIMITS, output_bytes=MB + 20 * len(told))
        argv = ["apertium", *([] if marks else ["-u"]), mode]
        output = run(Child(argv, limits, told, environment={"LC_ALL": "C.UTF-8"}), cancel)
        answers = [" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", output.decode(errors="replace").strip())]
        if len(answers) == len(texts):
            return answers
        # A sentence that swallowed its border is found by halving; alone, its whole output is its translation.
        if len(texts) == 1:
            return [" ".join(answers)]
        middle = len(texts) // 2
        halves = (texts[:middle], texts[middle:])
        return [answer for half in halves for answer in self._paragraphs(mode, half, cancel, marks=marks)]

    def close(self) -> None:
        """Nothing is held: every call was a process of its own."""


def _endings(mode: str) -> endings.Put | None:
    source, target = (languages.by_apertium(code) for code in mode.split("-")[:2])
    return endings.between(source.code, target.code) if source and target else None
