"""Apertium: rule-based translation between neighbouring languages, as a command, with text over stdin."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vt import languages
from vt.domain import Cancel
from vt.engines import apertium_endings
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TranslationEngine
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, Translator
from vt.engines.translation_routes import Hop
from vt.languages import Language
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits
from vt.translatable import Message

INFO = EngineInfo(
    name="apertium",
    kind="translation",
    licence="GPL-2.0-or-later",
    source="https://github.com/apertium",
    needs="the Debian packages apertium and apertium-*, one for each pair of languages",
    remark="Apertium translates by rules: fair, not good. Read the subtitles through before you publish.",
    is_rough=True,
)
MODES = Path("/usr/share/apertium/modes")
_LIMITS = ChildLimits(seconds=600, cpu_seconds=300, memory=1024 * MB)


def pairs(folder: Path = MODES) -> dict[tuple[str, str], str]:
    """Return the installed directions as {(source, target): mode}, in codes of `languages`."""
    found: dict[tuple[str, str], str] = {}
    for mode in sorted(file.stem for file in folder.glob("*.mode")):
        source, _, target = mode.partition("-")
        ends = languages.by_apertium(source), languages.by_apertium(target)
        if ends[0] and ends[1]:  # else it is a variant of a pair, such as eng-cat_valencia or eo-en-bytecode
            found.setdefault((ends[0].code, ends[1].code), mode)
    return found


class Apertium:
    """One direction, by its mode, such as `eng-spa`. Each call is a process or two of its own."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield a translation for each sentence, the only one there is; all of them go through one process."""
        del budgets
        # An empty line is the only border that Apertium does not move words across.
        flat = [" ".join(sentence.split()) for sentence in sentences]
        sent = [text for text in flat if text]
        answers = iter(self._step(self.mode, sent, cancel) if sent else ())
        for text in flat:
            yield next(answers) if text else ""

    def _step(self, mode: str, texts: list[str], cancel: Cancel) -> list[str]:
        """Translate texts by one mode; between close languages, unknown words get the other language's endings."""
        plain = self._paragraphs(mode, texts, cancel, marks=False)
        rewrite = _rewriter(mode)
        if rewrite is None:
            return plain
        # A star may be the program's mark or the text's own: the translation without marks tells them apart.
        marked = self._paragraphs(mode, texts, cancel, marks=True)
        return [
            apertium_endings.with_unknown_words_rewritten(*pair, rewrite) for pair in zip(marked, plain, strict=True)
        ]

    def _paragraphs(self, mode: str, texts: list[str], cancel: Cancel, *, marks: bool) -> list[str]:
        told = "\n\n".join(texts).encode() + b"\n"
        limits = replace(_LIMITS, output_bytes=MB + 20 * len(told))
        argv = ["apertium", *([] if marks else ["-u"]), mode]
        output = run(Child(argv, limits, told, environment={"LC_ALL": "C.UTF-8"}, purpose="translate"), cancel)
        answers = [" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", output.decode(errors="replace").strip())]
        if len(answers) == len(texts):
            return answers
        # Where a sentence and the empty line behind it were merged, that sentence is found by halving the list.
        if len(texts) == 1:
            return [" ".join(answers)]
        middle = len(texts) // 2
        halves = (texts[:middle], texts[middle:])
        return [answer for half in halves for answer in self._paragraphs(mode, half, cancel, marks=marks)]

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
        """List the one direction that there is; `model` is of no account."""
        del site, model
        mode = pairs().get((source.code, target.code), "")
        spec: ModelSpec[Translator] = ModelSpec(
            key=INFO.name,
            kind="translation",
            name=mode,
            device="cpu",
            load=lambda: Apertium(mode),
            estimated_bytes=0,
        )
        unfit = None if mode else _unfit(source, target)
        return [Candidate(INFO, spec, is_process=True, unfit=unfit, route=(Hop(INFO.name, source.code, target.code),))]


def _unfit(source: Language, target: Language) -> str:
    return Message(
        "Nobody here translates {language_from} to {language_to}: a package apertium-* for the pair would be needed.",
        language_from=source,
        language_to=target,
    )


def _rewriter(mode: str) -> apertium_endings.Rewrite | None:
    source, target = (languages.by_apertium(code) for code in mode.split("-")[:2])
    return apertium_endings.rewriter(source.code, target.code) if source and target else None
