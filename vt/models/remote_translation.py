"""Translation by another machine, and by what stands in for it where that fails: with single sentences or with all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from vt.domain import Cancel
from vt.engines.candidate import Choice
from vt.engines.protocols import Attempt, Context, RemoteTranslator, Translator
from vt.errors import LanguageError, ModelUnavailable
from vt.models.services import Leases, TranslationService
from vt.models.spent import NOTHING_SPENT, Fallen, Spent
from vt.translatable import Message, joined

_MOST_DOWNS = 2
"""A machine that did not serve in so many calls, one after the other, is not asked again: each of them waits for it."""
_FAILED = Message("The translation engine did not translate it.")


class RemoteTranslationService(TranslationService):
    """Has another machine translate, and what that leaves by another engine. For one thread at a time."""

    def __init__(
        self,
        choice: Choice,
        lease: Leases[Translator],
        stand_in: Callable[[], TranslationService],
        *,
        observe: Callable[[int, int, int], object],
        fell: Callable[[int, Message | None], object],
    ) -> None:
        """Make one.

        Args:
            choice: the engine that asks the other machine.
            lease: of that engine.
            stand_in: returns what translates instead; it raises ModelUnavailable or LanguageError where nothing can
                or may.
            observe: is told what each attempt took: calls, tokens of prompts, tokens of answers.
            fell: is told how many sentences an attempt left, and, where the other machine does not serve, why.
        """
        super().__init__(choice, lease)
        self._make_stand_in, self._observe, self._fell = stand_in, observe, fell
        self._stand_in: TranslationService | None = None
        self._spent = NOTHING_SPENT
        self._downs: list[Message] = []
        """Why the other machine did not serve in the latest calls; none, where it did in the last one."""

    def translate(
        self,
        sentences: Sequence[str],
        cancel: Cancel,
        budgets: Sequence[float] | None = None,
        context: Context | None = None,
    ) -> Iterator[str]:
        """Yield a translation for each sentence, whoever has made it; an empty one where nobody could.

        Raises:
            ModelUnavailable: the other machine does not serve, and nothing here can or may stand in for it.
        """
        made: list[str | None] = []
        whys: list[Message] = []
        down: Message | None = None
        told = 0
        for attempt in self._attempts(sentences, cancel, budgets, context):
            made += attempt.texts
            whys += [attempt.why or _FAILED] * len(attempt.texts)
            down = (attempt.why or _FAILED) if attempt.is_down else None
            for text in _until_none(made[told:]):
                told += 1
                yield text
        self._downs = [*self._downs, down] if down else []
        # The lease has been given back: what stands in may need all memory for itself.
        yield from self._with_rest(made, whys, down, sentences, cancel, budgets)[told:]

    def take_spent(self) -> Spent:
        """Return what was spent since this was asked last."""
        spent, self._spent = self._spent, NOTHING_SPENT
        return spent

    def _attempts(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None, context: Context | None
    ) -> Iterator[Attempt]:
        """Yield attempts that cover all sentences: behind one that found the machine down comes one of all others."""
        if len(self._downs) >= _MOST_DOWNS:
            yield Attempt((None,) * len(sentences), self._downs[-1], is_down=True)
            return
        covered, why = 0, _FAILED
        try:
            with self._using() as engine:
                assert isinstance(engine, RemoteTranslator)  # noqa: S101 (what `is_remote` says of an engine)
                for attempt in engine.attempts(sentences, cancel, budgets, context):
                    covered, why = covered + len(attempt.texts), attempt.why or why
                    self._count(attempt)
                    yield attempt
        except ModelUnavailable as error:  # it was down before it was asked anything
            why = error.message
        if covered < len(sentences):
            yield Attempt((None,) * (len(sentences) - covered), why, is_down=True)

    def _count(self, attempt: Attempt) -> None:
        took = attempt.calls, attempt.prompt_tokens, attempt.completion_tokens
        self._observe(*took)
        self._spent += Spent(len(attempt.texts) - attempt.texts.count(None), *took)

    def _with_rest(
        self,
        made: Sequence[str | None],
        whys: Sequence[Message],
        down: Message | None,
        sentences: Sequence[str],
        cancel: Cancel,
        budgets: Sequence[float] | None,
    ) -> list[str]:
        """Return all translations, those among them that the other machine did not make by what stands in for it.

        Args:
            made: by sentence; None where there is none.
            whys: by sentence: why there is none.
            down: why the other machine does not serve; None where it does.
            sentences: what is translated.
            cancel: ends the work.
            budgets: see `Translator.translate`.
        """
        left = [number for number, text in enumerate(made) if text is None]
        self._fell(len(left), down)
        if not left:
            return [text for text in made if text is not None]
        chosen = budgets and [budgets[number] for number in left]
        choice, texts = self._by_stand_in(down, [sentences[number] for number in left], cancel, chosen)
        for why, count in Counter(whys[number] for number in left).items():
            self._spent += Spent(fallen=(Fallen(count, why, choice),))
        rest = iter(texts)
        return [next(rest) if text is None else text for text in made]

    def _by_stand_in(
        self, down: Message | None, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None
    ) -> tuple[Choice | None, list[str]]:
        """Return who translates what was left, and the translations; empty ones where nobody can."""
        try:
            service = self._stand_in = self._stand_in or self._make_stand_in()
        except (ModelUnavailable, LanguageError) as error:
            if down:
                raise ModelUnavailable(joined(down, error.message)) from error
            return None, [""] * len(sentences)
        return service.choice, list(service.translate(sentences, cancel, budgets))


def _until_none(texts: Sequence[str | None]) -> Iterator[str]:
    for text in texts:
        if text is None:
            return
        yield text
