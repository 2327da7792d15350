"""A recording heard: what is said in it, with its times, in its own language or in English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vt import languages
from vt.domain import Cancel, Finish, JobRequest, Segment, Word
from vt.dubbing import hearing, subtitling
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.glossing import Glossing
from vt.dubbing.hearing import Examined
from vt.dubbing.recognition import Heard
from vt.dubbing.run import Run
from vt.dubbing.services import DubbingServices
from vt.dubbing.translating import Translating
from vt.errors import NoSpeechError, VtError
from vt.languages import Language

OnWords = Callable[[Sequence[Word]], object]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be heard."""

    source: Path
    """The file; the work is done in a folder beside it."""
    name: str
    """As its sender calls it."""
    language: Language | None = None
    """None: that is found out by listening."""
    model: str | None = None
    """One of `AIServiceFactory.recognisers`; None: the one of the settings."""
    prompt: str = ""
    """Words that may be said, or what was said before."""
    longest_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What was heard."""

    segments: tuple[Segment, ...]
    """Sentences in order of time; none where nobody speaks."""
    language: Language | None
    """What is spoken; None where nobody speaks and nobody named it."""
    seconds: float
    """How long the recording lasts."""
    words: tuple[Word, ...] = ()
    """As they were spoken, in order of time, with the recogniser's confidence."""
    written_in: Language | None = None
    """The language of the sentences' texts."""

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(segment.text for segment in self.segments)

    def subtitles(self, form: str) -> str:
        """Return it as subtitles; `form` is one of `subtitling.FORMS`."""
        written_in = self.written_in or languages.ENGLISH
        sides = subtitling.of_transcript(self.segments, written_in, self.seconds, [""] * len(self.segments))
        return sides.written(written_in.code, form)


def hear(
    asked: Recording, services: DubbingServices, cancel: Cancel, on_words: OnWords, *, in_english: bool = False
) -> Said:
    """Return what is said in a recording.

    Args:
        asked: what is to be heard, and how.
        services: serves the models.
        cancel: ends it.
        on_words: is told of words as they are recognised; those that a second look finds come last.
        in_english: whether it is translated where it is said in another language.

    Raises:
        InputError: the file or the language is at fault.
        EngineError: a model cannot be had, or failed.
        Cancelled: `cancel` was set.
    """
    words: list[Word] = []

    def listen(some: Sequence[Word]) -> None:
        words.extend(some)
        on_words(some)

    request = JobRequest(
        asked.source,
        None,
        asked.language,
        speakers=1,
        finish=Finish(literal=True),
        stt_model=asked.model,
        prompt=asked.prompt,
        longest_seconds=asked.longest_seconds,
    )
    pieces = Artifacts(asked.source.with_name("pieces"), lasting=False)
    run = Run(request, services, pieces, cancel, lambda _: None, on_words=listen)
    with _named(asked):
        examined = hearing.examine(request, services, cancel, pieces)
        try:
            heard = hearing.hear(run, examined, hearing.name_of(run))
        except NoSpeechError:
            return Said((), asked.language, examined.info.seconds)
        return _said(run, examined, heard, sorted(words, key=lambda word: word.start), in_english=in_english)


def _said(run: Run, examined: Examined, heard: Heard, words: Sequence[Word], *, in_english: bool) -> Said:
    spoken = heard.transcript.language
    said = Said(heard.transcript.segments, spoken, heard.film_seconds, tuple(words), spoken)
    if not in_english or spoken == languages.ENGLISH:
        return said
    no_terms = Glossing.of((), heard.transcript.language, languages.ENGLISH)
    translating = Translating(run, examined.with_heard(heard), heard, hearing.name_of(run), languages.ENGLISH, no_terms)
    lines = zip(said.segments, translating.lines().texts, strict=True)
    translated = tuple(replace(segment, text=text, words=(), pauses=()) for segment, text in lines if text)
    return replace(said, segments=translated, written_in=languages.ENGLISH)


@contextmanager
def _named(asked: Recording) -> Iterator[None]:
    """Have errors name the file as its sender called it."""
    try:
        yield
    except VtError as error:
        error.name_files({asked.source: asked.name})
        raise
