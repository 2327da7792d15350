"""A language model as translator, on any server that speaks OpenAI's chat protocol; asked about many lines at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vt import languages
from vt.domain import Cancel
from vt.engines.candidate import Candidate
from vt.engines.definition import Site, TranslationEngine
from vt.engines.llm_endpoint import Endpoint, Meter, Patience, UnusableAnswer
from vt.engines.llm_prompt import SCHEMA, Line, Translation
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import Attempt, Context, EngineInfo, Translator
from vt.engines.translation_routes import Hop
from vt.errors import EngineError, ModelUnavailable
from vt.languages import Language
from vt.model_files import sources
from vt.text import splitting
from vt.translatable import Message

if TYPE_CHECKING:
    import httpx

INFO = EngineInfo(
    name="llm",
    kind="translation",
    licence="LicenseRef-of-the-model",
    source="the server that VT_LLM_URL names",
    remark=(
        "A language model on another server translated this: it may say what the film does not. "
        "Read the subtitles through before you publish."
    ),
    heeds_lengths=True,
    is_remote=True,
    needs="VT_LLM_URL and VT_LLM_MODEL: the address of a server, and one of its models",
)
DEVICE = "remote"
"""What the model runs on, as far as is known here."""
_SIZES = (20, 7, 3)
"""Lines of a question: at first, and when those that it brought no translation of are asked for again."""
_MOST_CHARACTERS = 6000
"""Of the lines of a question, unless one alone is longer."""
_AT_ONCE = 2
"""Questions of one film under way at a time."""


class Llm:
    """One model at one endpoint, for all languages. `between` gives the translator of a pair."""

    def __init__(self, endpoint: Endpoint) -> None:
        """`endpoint` is asked when something is to be translated, not before."""
        self.endpoint = endpoint

    def between(self, source: Language, target: Language) -> LlmPair:
        """Return the translator from one language to another."""
        return LlmPair(self.endpoint, Translation(self.endpoint.model, source, target))

    def close(self) -> None:
        """Nothing is held: connections last as long as the questions of one call."""


@dataclass(frozen=True, slots=True)
class LlmPair:
    """A language model as the translator from one language to another."""

    endpoint: Endpoint
    translation: Translation

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield a translation for each sentence; see `Translator.translate`.

        Raises:
            EngineError: the model has not translated one of them.
        """
        for attempt in self.attempts(sentences, cancel, budgets):
            for text in attempt.texts:
                if text is None:
                    raise EngineError(attempt.why or self.translation.unreadable)
                yield text

    def attempts(
        self,
        sentences: Sequence[str],
        cancel: Cancel,
        budgets: Sequence[float] | None = None,
        context: Context | None = None,
    ) -> Iterator[Attempt]:
        """Yield what became of the sentences; see `RemoteTranslator.attempts`."""
        lines = [
            Line(
                text,
                budgets[number] if budgets else None,
                context.places[number] if context else None,
                context.terms[number] if context and context.terms else (),
            )
            for number, text in enumerate(sentences)
        ]
        groups = list(_groups(lines))
        for first in range(0, len(groups), _AT_ONCE):
            works = [self._work(group, context) for group in groups[first : first + _AT_ONCE]]
            for attempt in self.endpoint.run(works, cancel):
                yield attempt
                if attempt.is_down:
                    return

    def _work(
        self, lines: Sequence[Line], context: Context | None
    ) -> Callable[[httpx.AsyncClient], Awaitable[Attempt]]:
        return lambda client: _Asking(self, client, context, lines).attempt()

    def close(self) -> None:
        """Nothing is held."""


class _Asking:
    """The questions about some lines: about all of them, then about those that are still without a translation."""

    def __init__(
        self, pair: LlmPair, client: httpx.AsyncClient, context: Context | None, lines: Sequence[Line]
    ) -> None:
        self._endpoint, self._translation = pair.endpoint, pair.translation
        self._client, self._context, self._lines = client, context, lines
        # What is in no language, such as a number, stays as it is.
        self._texts: list[str | None] = [None if splitting.has_words(line.text) else line.text for line in lines]
        self._loose: dict[int, str] = {}
        """By line: a translation that is good but for a term of the glossary."""
        self._meter = Meter()
        self._why: Message | None = None

    async def attempt(self) -> Attempt:
        try:
            for size in _SIZES:
                left = [number for number, text in enumerate(self._texts) if text is None]
                for first in range(0, len(left), size):
                    await self._ask(left[first : first + size])
        except ModelUnavailable as error:
            self._why = error.message
            return self._attempt(is_down=True)
        return self._attempt(is_down=False)

    async def _ask(self, numbers: Sequence[int]) -> None:
        """Ask about some of the lines, by their numbers, and keep what is believed of the answer."""
        lines = [self._lines[number] for number in numbers]
        messages = self._translation.messages(lines, self._context)
        try:
            answer = await self._endpoint.ask(self._client, messages, SCHEMA, self._meter)
        except UnusableAnswer:
            self._why = self._translation.unreadable
            return
        for number, found in zip(numbers, self._translation.checked(answer, lines), strict=True):
            if isinstance(found, Message):
                self._why = found
            elif self._translation.holds_terms(self._lines[number], found):
                self._texts[number] = found
            else:
                self._loose.setdefault(number, found)

    def _translated(self) -> tuple[str | None, ...]:
        """Return a text for each line, as far as there is one; whoever asks sees to terms that are missing."""
        return tuple(self._loose.get(number) if text is None else text for number, text in enumerate(self._texts))

    def _attempt(self, *, is_down: bool) -> Attempt:
        meter = self._meter
        texts = self._translated()
        why = self._why if None in texts else None
        return Attempt(texts, why, is_down, meter.calls, meter.prompt_tokens, meter.completion_tokens)


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Cut lines into questions of about equal numbers of lines, and of not too many characters."""
    most = math.ceil(len(lines) / max(1, math.ceil(len(lines) / _SIZES[0])))
    group: list[Line] = []
    for line in lines:
        if group and (len(group) >= most or sum(len(one.text) for one in group) + len(line.text) > _MOST_CHARACTERS):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


class LlmEngine(TranslationEngine):
    """How it is found: by the settings, which name a server and its model. `auto` never takes it."""

    info = INFO

    def __init__(self, patience: Patience | None = None) -> None:
        """`patience`: how much the server may take; None: as much as is usual."""
        self._patience = patience

    def lack(self, site: Site) -> str | None:
        """Say which settings it lacks, or which forbids it."""
        own = site.settings
        if not own.llm_url or not own.llm_model:
            return (
                "The translation engine llm needs VT_LLM_URL, the address of a server such as "
                "http://127.0.0.1:11434/v1, and VT_LLM_MODEL, the name of its model."
            )
        return "VT_ENGINES=embedded allows no language model on a server." if site.is_embedded else None

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List the model of the settings; `model` names none of others."""
        del model
        own = site.settings
        endpoint = Endpoint(own.llm_url, own.llm_model, own.llm_key, self._patience)
        spec: ModelSpec[Llm] = ModelSpec(
            key=site.key(INFO.kind, INFO.name, sources.marked(own.llm_model), DEVICE),
            kind=INFO.kind,
            name=own.llm_model,
            device=DEVICE,
            load=lambda: Llm(endpoint),
            estimated_bytes=0,
        )
        return [
            Candidate(
                INFO,
                spec,
                unfit=_unfit(source, target),
                obstacle=lambda: self.lack(site),
                prepare=endpoint.probe,
                route=(Hop(INFO.name, source.code, target.code),),
                view=lambda one: one.between(source, target),
            )
        ]

    def translated(self, site: Site, *, reachable: bool) -> tuple[Collection[str], Collection[str]]:
        """Return all languages that anything here could translate, where the settings name a model."""
        del reachable
        codes = () if self.lack(site) else _codes()
        return codes, codes


@functools.cache
def _codes() -> frozenset[str]:
    """Return the languages that NLLB or Apertium know: of the others models have hardly read anything."""
    return frozenset(row.code for row in languages.ALL if row.flores or row.apertium)


def _unfit(source: Language, target: Language) -> str | None:
    unknown = next((one for one in (source, target) if one.code not in _codes()), None)
    if unknown is None:
        return None
    return Message("A language model is not asked to translate {language}.", language=unknown)
