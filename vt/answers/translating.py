"""Texts translated: line by line and sentence by sentence, as often as they are wanted in other words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vt.domain import Cancel
from vt.dubbing.run import with_model
from vt.dubbing.services import DubbingServices
from vt.dubbing.translating import in_good_form
from vt.languages import Language
from vt.models.services import TranslationService
from vt.text import capitals, splitting


class _Translates(Protocol):
    def translate(self, sentences: Sequence[str], cancel: Cancel) -> Iterable[str]: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """From which language into which."""

    source: Language
    target: Language


def translate(
    texts: Sequence[str], pair: Pair, services: DubbingServices, cancel: Cancel, others: int = 0
) -> list[list[str]]:
    """Return for each text its translation and, behind it, at most so many others that differ from it.

    Lines stay lines. What is in no language, such as numbers, stays as it is.

    Raises:
        LanguageError: nobody here translates that pair.
        EngineError: a model cannot be had, or failed.
        Cancelled: `cancel` was set.
    """
    if pair.source == pair.target:
        return [[text] for text in texts]
    laid_out = [_Text(text) for text in texts]

    def work(service: TranslationService) -> list[list[str]]:
        ways = [service, *(services.other_translations(service.choice, cancel=cancel) if others else ())]
        made = [_by(way, laid_out, pair, cancel) for way in ways]
        return [[first, *_distinct(first, rest)[:others]] for first, *rest in zip(*made, strict=True)]

    return with_model(
        lambda after: services.translation_service(pair.source, pair.target, cancel=cancel, after=after), work
    )


def _distinct(first: str, rest: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(rest) if text != first]


def _by(way: _Translates, texts: Sequence[_Text], pair: Pair, cancel: Cancel) -> list[str]:
    """Return each text as one way translates it; all sentences of all texts are one call."""
    sentences = [sentence for text in texts for sentence in text.sentences]
    names = capitals.names_of(sentences)
    codes = pair.source.code, pair.target.code
    made = iter(in_good_form(sentences, names, codes, lambda plain: list(way.translate(plain, cancel))))
    return [text.with_sentences(made, pair.target) for text in texts]


class _Text:
    """A text taken apart into lines, and these into sentences with words in them."""

    def __init__(self, text: str) -> None:
        self._lines = [(line, splitting.pieces(line, lambda _: True)) for line in text.split("\n")]

    @property
    def sentences(self) -> list[str]:
        """What is to be translated."""
        return [piece for _, pieces in self._lines for piece in pieces if splitting.has_words(piece)]

    def with_sentences(self, made: Iterator[str], target: Language) -> str:
        """Return the text with as many translations as it has sentences, with the spaces around its lines."""
        script = target.flores.partition("_")[2]
        return "\n".join(self._line(*line, made, script) for line in self._lines)

    @staticmethod
    def _line(line: str, pieces: Sequence[str], made: Iterator[str], script: str) -> str:
        said = splitting.joined([next(made) if splitting.has_words(piece) else piece for piece in pieces], script)
        before, after = len(line) - len(line.lstrip()), len(line.rstrip())
        return f"{line[:before]}{said.strip()}{line[after:]}" if line.strip() else line
