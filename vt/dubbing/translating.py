"""The translation of what is said: in batches that are kept, within the time for each line, with the user's edits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import compress

from pydantic import TypeAdapter

from vt.domain import Segment, Stage
from vt.dubbing import casting, hearing, timing
from vt.dubbing.artifacts import fingerprint
from vt.dubbing.glossing import Glossing
from vt.dubbing.hearing import Examined, slots_of
from vt.dubbing.recognition import Heard
from vt.dubbing.report import Script
from vt.dubbing.run import Run, with_model
from vt.engines.candidate import Choice
from vt.engines.protocols import Context, EngineInfo
from vt.errors import LanguageError, ModelUnavailable
from vt.languages import Language
from vt.models.services import TranslationService
from vt.models.spent import NOTHING_SPENT, Spent
from vt.text import capitals, identification, number_formats, questions
from vt.translatable import Message

_BATCH = 64  # sentences that are translated and kept together
_SOUND_BATCH = 16  # the same where their sound is translated, which takes longer


@dataclass(frozen=True, slots=True)
class Translated:
    """What is said instead, line by line, and who translated it."""

    texts: tuple[str, ...]
    choice: Choice
    others: tuple[tuple[str, ...], ...] = ()
    """By line: other wordings, the best first, where there may be no time for that in `texts`."""
    spent: Spent = NOTHING_SPENT
    """What another machine took for it."""

    @property
    def infos(self) -> tuple[EngineInfo, ...]:
        """All engines that have a part in it."""
        return (*self.choice.infos, *self.spent.infos)


@dataclass(frozen=True, slots=True)
class Made:
    """Translations of some sentences."""

    texts: tuple[str, ...]
    spent: Spent = NOTHING_SPENT


_TRANSLATED = TypeAdapter(Translated)
_SPENT = TypeAdapter(Spent)


def voice_name(choice: Choice, target: Language) -> str:
    """Return how a voice is called in what is kept: by its engine, model, own name and language."""
    return " ".join(filter(None, (choice.info.name, choice.model, choice.voice, target.code)))


def in_good_form(
    sources: Sequence[str],
    names: Mapping[str, str],
    pair: tuple[str, str],
    translated: Callable[[list[str]], Sequence[str]],
    counted: Callable[[str], str] = lambda text: text,
) -> tuple[str, ...]:
    """Return translations of sentences, with what engines get wrong put right: capitals, questions, numbers.

    Args:
        sources: the sentences.
        names: what is always written with a capital; see `capitals.names_of`.
        pair: the codes of the languages.
        translated: has an engine translate sentences.
        counted: returns the part of a sentence whose numbers are written as the language writes them.
    """
    plain = [capitals.in_small_letters(source, pair[0], names) for source in sources]
    texts = translated(plain)
    begun = (capitals.begun_alike(*both, pair[1]) for both in zip(plain, texts, strict=True))
    asked = (questions.asked_alike(*both, pair[1]) for both in zip(plain, begun, strict=True))
    return tuple(number_formats.localized(counted(one), text, *pair) for one, text in zip(plain, asked, strict=True))


@dataclass(frozen=True, slots=True)
class _Batch:
    """Sentences that are translated and kept together."""

    sources: Sequence[str]
    budgets: list[float] | None
    context: Context | None
    share: tuple[float, float]
    """Which part of all was done before it, and which part it is."""


@dataclass(frozen=True, slots=True)
class Translating:
    """Translates what was heard in one film into one language."""

    run: Run
    examined: Examined
    heard: Heard
    heard_name: str
    """The fingerprint of what was heard."""
    target: Language
    glossing: Glossing

    @property
    def source(self) -> Language:
        """The language that the film speaks."""
        return self.heard.transcript.language

    # The lines as they were heard

    def lines(self) -> Translated:
        """Return the translation that was kept, unless licences now forbid the engine that made it."""
        name = self._name()
        found: Translated = self.run.kept("texts", name, _TRANSLATED, self._translate)
        if self.run.services.settings.licences == "any" or all(info.commercial for info in found.infos):
            return found
        again: Translated = self.run.kept("texts", fingerprint(name, "commercial"), _TRANSLATED, self._translate)
        return again

    def _name(self) -> str:
        """Return the fingerprint of the translation: another engine, asked for by name, makes another."""
        engine = self.run.request.wishes.translation_engine
        literal = ["literal"] if self.run.request.finish.literal else []
        terms = [self.glossing.identity] if self.glossing.identity else []
        return fingerprint(self.heard_name, self.target.code, *([engine] if engine else []), *literal, *terms)

    def _translate(self) -> Translated:
        segments = self.heard.transcript.segments
        foreign = [not identification.is_in(segment.text, self.target, self.source) for segment in segments]

        def translated(service: TranslationService) -> Translated:
            if service.choice.info.listens:
                made = Made(self._from_sound(service, foreign))
            else:
                budgets = self.budgets(service, segments)
                made = self.from_text(
                    service,
                    [segment.text for segment in compress(segments, foreign)],
                    budgets and [*compress(budgets, foreign)],
                    [*compress(range(len(segments)), foreign)],
                )
            answers = iter(made.texts)
            texts = (next(answers) if one else segment.text for segment, one in zip(segments, foreign, strict=True))
            return Translated(tuple(texts), made.spent.instead or service.choice, spent=made.spent)

        return with_model(lambda after: self.service(after, self.heard.choice is not None), translated)

    def service(self, after: Choice | None, listening: bool) -> TranslationService:
        """Return what translates the film's language; with `listening` it may be what translates its sound."""
        return self.run.services.translation_service(
            self.source,
            self.target,
            cancel=self.run.cancel,
            after=after,
            engine=self.run.request.wishes.translation_engine,
            listening=listening,
        )

    def pace(self) -> float:
        """Return how many characters the voice says in a second.

        What is known of the voice when a job begins is kept for the job, so that a job that goes on asks for the same.
        """
        run = self.run
        name = voice_name(run.services.voice(self.target, run.request.wishes), self.target)
        return float(run.artifacts.json("pace", fingerprint(name), lambda: run.services.paces.of(name)))

    def budgets(
        self, service: TranslationService, segments: Sequence[Segment], tempo: float = 1.0
    ) -> list[float] | None:
        """Return how many characters there is time for in each line; None where the engine does not heed that."""
        run = self.run
        heeded = service.choice.info.heeds_lengths and run.services.settings.fit_translations
        if not heeded or run.request.finish.literal:
            return None
        pace = tempo * self.pace()
        return [round(pace * room, 1) for room in timing.rooms(slots_of(segments), self.heard.film_seconds)]

    # Batches

    def _from_sound(self, service: TranslationService, wanted: Sequence[bool]) -> tuple[str, ...]:
        """Return a translation of the wanted sentences, made of their sound; a finished batch is not made again."""
        run, track = self.run, self.examined.track
        assert track is not None  # noqa: S101 (or nothing would have been heard)
        samples, sounding = hearing.sound(run, self.examined.info, track)
        used = [service.choice.info.name, service.choice.model, self.source.code, self.target.code]
        slots, texts = [*compress(slots_of(self.heard.transcript.segments), wanted)], list[str]()
        for first in range(0, len(slots), _SOUND_BATCH):
            batch = slots[first : first + _SOUND_BATCH]

            def listen() -> list[str]:
                return [*service.translate_sound(samples, batch, run.cancel)]  # noqa: B023

            texts += run.artifacts.json("batch", fingerprint("overheard", sounding, used, batch), listen)
            run.tell(Stage.TRANSLATE, len(texts) / len(slots))
        return tuple(texts)

    def from_text(
        self,
        service: TranslationService,
        sources: Sequence[str],
        budgets: list[float] | None,
        places: Sequence[int],
    ) -> Made:
        """Return a translation of each sentence by the glossary; a finished batch is not translated again.

        Args:
            service: translates them.
            sources: the sentences.
            budgets: how many characters there is time for in each; None where that is not heeded.
            places: where each stands among the lines of the film.
        """
        choice, pair = service.choice, (self.source.code, self.target.code)
        used = [choice.info.name, choice.model, *pair, *map(str, choice.route)]
        if choice.info.is_remote:  # then some sentences may be those of whatever the licences allow here
            used.append(self.run.services.settings.licences)
        said = self.heard.transcript.segments
        names = capitals.names_of((segment.text for segment in said), {segment.speaker for segment in said})
        lines_said = tuple(segment.text for segment in said)
        spent: list[Spent] = []

        glossing, is_again = self.glossing, False
        identity = glossing.identity

        def ask(plain: Sequence[str], lines: Sequence[int]) -> list[str]:
            nonlocal is_again
            texts: list[str] = []
            for first in range(0, len(plain), _BATCH):
                part = slice(first, first + _BATCH)
                of_lines = tuple(places[line] for line in lines[part])
                # Parts of one line have no place of their own among the lines.
                terms = glossing.terms(plain[part]) if choice.info.is_remote and not is_again else ()
                context = Context(lines_said, of_lines, terms) if len(set(of_lines)) == len(of_lines) else None
                share = (1.0, 0.0) if is_again else (len(texts) / len(plain), len(plain[part]) / len(plain))
                lengths = budgets and [budgets[line] for line in lines[part]]
                batch = _Batch([*plain[part]], lengths, context, share)
                name = fingerprint(
                    "batch", used, batch.sources, *([lengths] if lengths else []), *([identity] if terms else [])
                )
                texts += self.run.artifacts.json("batch", name, lambda: self._made(service, batch, name))  # noqa: B023
                took = self.kept_spent(name)
                spent.append(took.without_fallen if is_again else took)
                self.run.tell(Stage.TRANSLATE, sum(share))
            is_again = True
            return texts

        made = in_good_form(sources, names, pair, lambda plain: glossing.translated(plain, ask), glossing.without_terms)
        return Made(made, sum(spent, NOTHING_SPENT))

    def _made(self, service: TranslationService, batch: _Batch, name: str) -> list[str]:
        """Translate a batch, and keep what that took, by the name of the batch, where another machine did it."""
        texts: list[str] = []
        for text in service.translate(batch.sources, self.run.cancel, batch.budgets, batch.context):
            texts.append(text)
            self.run.tell(Stage.TRANSLATE, batch.share[0] + batch.share[1] * len(texts) / len(batch.sources))
        self.keep_spent(name, service.take_spent())
        return texts

    def keep_spent(self, name: str, spent: Spent) -> None:
        """Keep what another machine took for a piece of work of this name, if one did it."""
        if spent != NOTHING_SPENT:
            self.run.artifacts.put_json("spent", name, _SPENT.dump_python(spent, mode="json"))

    def kept_spent(self, name: str) -> Spent:
        """Return what another machine took for a piece of work of this name."""
        kept = self.run.artifacts.get_json("spent", name)
        return NOTHING_SPENT if kept is None else _SPENT.validate_python(kept)

    # Edits

    def edited(self, found: Translated) -> Script:
        """Return the lines with the user's edits; where the source text was edited, it is translated.

        Raises:
            LanguageError: nobody translates it, because only the film's sound could be translated.
        """
        transcript = self.heard.transcript
        edits = self.run.request.edits
        mended = {line: edit for line, edit in edits.lines.items() if line < len(found.texts)}
        segments, said = list(transcript.segments), list(found.texts)
        for line, edit in mended.items():
            segments[line] = edit.applied_to(segments[line])
            said[line] = said[line] if edit.text is None else edit.text
        changed = [line for line, edit in mended.items() if edit.text is None and edit.source_text is not None]
        spent, foreign = found.spent, list[int]()
        for line in changed:
            if identification.is_in(segments[line].text, self.target, self.source):
                said[line] = segments[line].text
            else:
                foreign.append(line)
        if foreign:
            made = self._translations(foreign, segments, found.choice)
            spent += made.spent
            for line, text in zip(foreign, made.texts, strict=True):
                said[line] = text
        parts = casting.parts_of(transcript.segments).edited(edits)
        rewritten = {line for line, edit in mended.items() if (edit.text, edit.source_text) != (None, None)}
        written = tuple(line in rewritten for line in range(len(said)))
        mended_transcript = replace(transcript, segments=tuple(segments))
        return Script(mended_transcript, self.target, tuple(said), (), parts, written, spent=spent)

    def _translations(self, lines: Sequence[int], segments: Sequence[Segment], before: Choice) -> Made:
        """Return translations of some lines whose source text was edited; `before` translated the others."""
        sources = [segments[line].text for line in lines]

        def translated(service: TranslationService) -> Made:
            every = self.budgets(service, segments)
            return self.from_text(service, sources, every and [every[line] for line in lines], lines)

        with self._explained(before):
            return with_model(lambda after: self.service(after, listening=False), translated)

    @contextmanager
    def _explained(self, choice: Choice) -> Iterator[None]:
        """Where only the film's sound can be translated, tell the user which edits are possible."""
        try:
            yield
        except (LanguageError, ModelUnavailable) as error:
            if not choice.info.listens:
                raise
            raise LanguageError(
                "Nothing here translates {language_from} text to {language_to}, for this film was translated "
                "from its sound: change what is spoken instead of what was said.",
                language_from=self.source,
                language_to=self.target,
            ) from error

    # Notes

    def notes(self, choice: Choice, script: Script) -> Iterator[str]:
        """Say how many lines are spoken as they were said, and how many nobody could translate."""
        rows = list(zip(script.transcript.segments, script.texts, strict=True))
        alike = [segment.text for segment, text in rows if segment.text == text]
        yield from _kept_note(sum(identification.is_in(text, self.target, self.source) for text in alike), self.target)
        yield from _fallen_notes(script.spent)
        if choice.info.listens or any(one.choice is None for one in script.spent.fallen):
            muted = [line for line, edit in self.run.request.edits.lines.items() if edit.text == ""]
            yield from _silent_note(sum(not text and segment.id not in muted for segment, text in rows))


def _kept_note(count: int, target: Language) -> Iterator[str]:
    if count == 1:
        yield Message("1 sentence is in {language} already and was kept.", language=target)
    elif count:
        yield Message("{count} sentences are in {language} already and were kept.", count=count, language=target)


def _fallen_notes(spent: Spent) -> Iterator[str]:
    """Say how many lines which engine translated in place of another machine, and why; what it is known for, too."""
    if spent.instead is not None:
        return  # then it is the engine of the report, with its reason and its remark
    for one in spent.fallen:
        engine = " > ".join(info.name for info in one.choice.infos) if one.choice else ""
        if not engine:
            yield one.why
        elif one.sentences == 1:
            yield Message("1 line was translated by {engine} instead. {reason}", engine=engine, reason=one.why)
        else:
            yield Message(
                "{count} lines were translated by {engine} instead. {reason}",
                count=one.sentences,
                engine=engine,
                reason=one.why,
            )
    yield from dict.fromkeys(info.remark for info in spent.infos if info.remark)


def _silent_note(count: int) -> Iterator[str]:
    if count == 1:
        yield "1 sentence could not be translated and stays silent: write what is to be said."
    elif count:
        yield Message(
            "{count} sentences could not be translated and stay silent: write what is to be said.", count=count
        )
