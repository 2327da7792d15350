"""Speech recognition of one film: its language detected, its words with their speakers, in chunks that are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter

from vt import media
from vt.domain import Dropped, Stage, Transcript, Word
from vt.dubbing import overlapping, speakers, track_choice
from vt.dubbing.artifacts import Json, fingerprint
from vt.dubbing.run import Run
from vt.engines.candidate import Choice
from vt.errors import EngineError, LanguageError, ModelBusy, ModelUnavailable, NoSpeechError
from vt.languages import Language
from vt.media import MediaInfo, Track, levels
from vt.models.services import SttService
from vt.system.lookahead import run_ahead
from vt.text import sentences
from vt.translatable import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CHUNK_SECONDS = 300.0
"""The sound is recognised in chunks of this length at most, cut where it is quiet: each is a piece for a machine of a
cluster, and is kept when it is done."""
_SURE_OF_LANGUAGE = 0.7  # for speech the probability is 0.9 and more, for music 0.3 to 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in the film, and who recognised it: nobody, where subtitles say it."""

    transcript: Transcript
    choice: Choice | None
    film_seconds: float
    notes: tuple[Message, ...] = ()
    track_index: int | None = None
    """Of the sound track, among all streams of the file; None where subtitles say it."""
    voiceprints: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The mean vector of each speaker's voice, by label, that of the only one by an empty one; empty where nobody
    listened for that."""


_T = TypeVar("_T")
_FOUND: TypeAdapter[list[Dropped | list[Word]]] = TypeAdapter(list[Dropped | list[Word]])


@dataclass(frozen=True, slots=True)
class Recognition:
    """Recognises the sound of one film, whose fingerprint is `sounding`."""

    run: Run
    info: MediaInfo
    track: Track
    samples: NDArray[np.int16]
    sounding: str

    def heard(self, stt: SttService, film_seconds: float) -> Heard:
        """Return what is said, as `stt` hears it, in a film of so many seconds.

        Raises:
            NoSpeechError: nobody speaks.
            LanguageError: the language that was detected cannot be served.
        """
        notes = []
        language = self.run.request.source_language
        if language is None:
            language, note = self._detected(stt)
            notes.append(note)
        words, dropped = self._recognised(stt, language)
        words, voiceprints = self._with_speakers(words, notes)
        words, overlapped = self._with_overlaps(words, notes)
        detected = stt.detects and self.run.request.source_language is None
        transcript = Transcript(language, detected, tuple(sentences.sentences(words)), tuple(dropped), overlapped)
        return Heard(transcript, stt.choice, film_seconds, tuple(notes), voiceprints=voiceprints)

    def _detected(self, stt: SttService) -> tuple[Language, Message]:
        """Return the language that is spoken, or the only one that the model hears, and a note."""
        if stt.language and not stt.detects:
            _check_tag(self.info, self.track, stt.language)
            return stt.language, Message(
                "The language was not detected: the recognition model hears {language} only.", language=stt.language
            )
        language, probability = stt.detect(self.samples)
        self._check_detected(stt, language, probability)
        return language, Message(
            "The film speaks {language}, as far as was heard (probability {probability:.2f}).",
            language=language,
            probability=probability,
        )

    def _check_detected(self, stt: SttService, language: Language, probability: float) -> None:
        """Raise where a film in this language cannot be dubbed, or where nobody speaks in it."""
        request = self.run.request
        try:
            self.run.services.check(language, request.target_language, wishes=request.wishes)
        except LanguageError:
            # For music a recogniser names any language, with a low probability. Where nobody speaks, recognition
            # raises NoSpeechError, which tells the user more than the language does.
            if probability < _SURE_OF_LANGUAGE:
                self._recognised(stt, language)
            raise

    def _recognised(self, stt: SttService, language: Language) -> tuple[list[Word], list[Dropped]]:
        """Return the words and what is left out, both in order of start; raise where nothing is said."""
        words: list[Word] = []
        dropped: list[Dropped] = []
        for found in self._found(stt.hearing(language), language):
            if isinstance(found, Dropped):
                dropped.append(found)
            else:
                words += found
        if not any(char.isalnum() for word in words for char in word.text):
            raise _without_speech(self.info, self.track)
        return sorted(words, key=lambda word: word.start), sorted(dropped, key=lambda stretch: stretch.start)

    def _with_speakers(self, words: list[Word], notes: list[Message]) -> tuple[list[Word], speakers.Voiceprints]:
        """Return the words with their speakers; where these cannot be told apart, as they are, with a note on that."""
        wanted = self.run.request.speakers
        try:
            return speakers.told_apart(self.run, self.samples, self.sounding, words)
        except ModelBusy:
            raise  # the job waits for its turn
        except EngineError as error:
            # Who gave no number misses nothing where the model was never put here.
            if wanted is not None or not isinstance(error, ModelUnavailable):
                notes.append(Message("The speakers were not told apart: {reason}", reason=error.message))
            return words, {}

    def _with_overlaps(self, words: list[Word], notes: list[Message]) -> tuple[list[Word], float]:
        """Return the words, marked where one begins over another's, and for how many seconds two speak at once."""
        try:
            stretches = overlapping.heard(self.run, self.samples, self.sounding, words)
        except (ModelBusy, ModelUnavailable) as error:
            if isinstance(error, ModelBusy):
                raise  # the job waits for its turn
            return words, 0.0  # nobody was promised that it is counted
        except EngineError as error:
            notes.append(Message("Where two speak at once was not heard: {reason}", reason=error.message))
            return words, 0.0
        return overlapping.marked(words, stretches), sum(end - start for start, end in stretches)

    def _found(self, stt: SttService, language: Language) -> Iterator[Dropped | list[Word]]:
        """Yield what is heard, in seconds of the film; a chunk that was finished before is not recognised again."""
        used: list[Json] = [stt.choice.info.name, stt.choice.model, language.code, self.run.services.settings.vad]

        def found(chunk: tuple[float, float]) -> Iterable[Dropped | list[Word]]:
            name = fingerprint("window", self.sounding, *chunk, used)
            heard: list[Dropped | list[Word]] = self.run.kept("window", name, _FOUND, lambda: self._chunk(stt, *chunk))
            return heard

        chunks = levels.chunks(self.samples, media.SPEECH_RATE, _CHUNK_SECONDS)
        for (_, end), heard in zip(chunks, self._ahead(found, chunks, stt.at_once), strict=True):
            yield from heard
            self._tell(end)

    def _ahead(
        self, work: Callable[[tuple[float, float]], _T], chunks: Sequence[tuple[float, float]], at_once: int
    ) -> Iterator[_T]:
        """Yield what `work` makes of each chunk, in order, so many at a time."""
        if at_once == 1 or len(chunks) == 1:
            return map(work, chunks)
        threads, cancel = min(at_once, len(chunks)), self.run.cancel
        return run_ahead(work, chunks, threads=threads, ahead=threads, name="vt-hear", cancel=cancel)

    def _chunk(self, stt: SttService, start: float, end: float) -> list[Dropped | list[Word]]:
        rate = media.SPEECH_RATE
        heard: list[Dropped | list[Word]] = []
        with stt:
            for found in stt.transcribe(self.samples[int(start * rate) : int(end * rate)], self.run.cancel):
                if isinstance(found, Dropped):
                    heard.append(replace(found, start=found.start + start, end=found.end + start))
                    self._tell(found.end + start)
                elif found.words:
                    words = [replace(w, start=w.start + start, end=w.end + start) for w in found.words]
                    self.run.on_words(words)
                    heard.append(words)
                    self._tell(found.words[-1].end + start)
        return heard

    def _tell(self, second: float) -> None:
        """Report that recognition has come to this second of the film."""
        self.run.tell(Stage.TRANSCRIBE, second * media.SPEECH_RATE / len(self.samples))


def _without_speech(info: MediaInfo, track: Track) -> NoSpeechError:
    """Return what to raise where nobody speaks in a track; it names the others, in which somebody may."""
    others = [other for other in info.audio if other is not track]
    if not others:
        return NoSpeechError("{file}: no speech found, so there is nothing to translate.", file=info.path)
    return NoSpeechError(
        "{file}: no speech found in sound track {number}, so there is nothing to translate: choose "
        "another, of {tracks}.",
        file=info.path,
        number=track_choice.number_of(info, track),
        tracks=track_choice.list_of(info, others),
    )


def _check_tag(info: MediaInfo, track: Track, heard: Language) -> None:
    """Raise where the file itself says that an audio track is in another language than the one that would be heard."""
    tagged = track_choice.language_of(track)
    if tagged and tagged != heard:
        raise LanguageError(
            "The sound of {file} is tagged {language_tag}, but the recognition model hears {language_heard} "
            "only: choose another track, or name {language_heard} as what is spoken if the tag is wrong.",
            file=info.path,
            language_tag=tagged,
            language_heard=heard,
        )
