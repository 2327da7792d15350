"""The main job: the order of the stages from a film to the same film speaking another language."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from vt import languages, media
from vt.domain import Cancel, Dropped, JobRequest, Line, Placement, Progress, Segment, Stage, Transcript, Word
from vt.dubbing import report, speaking, timing, track
from vt.dubbing.artifacts import Artifacts, Json, fingerprint
from vt.dubbing.report import Report, Script
from vt.dubbing.services import DubbingServices, RequestChecker
from vt.dubbing.speaking import ClipCache, VoiceCalibration
from vt.engines.candidate import Choice
from vt.errors import EngineError, LanguageError, MediaError, ModelUnavailable, NoSpeechError, SubtitleError
from vt.languages import AUTO, Language
from vt.media import Loudness, MediaInfo, Named, Soft, Track, levels
from vt.models.cache import forget, is_out_of_memory
from vt.models.services import Service, SttService, TranslationService, TtsService
from vt.text import identification, number_formats, sentences, subtitles
from vt.translatable import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_SECONDS = 600.0
"""Recognition takes the film in chunks of this length at most, cut where it is quiet."""
_BATCH = 64  # sentences that are translated and kept together
_SURE_OF_LANGUAGE = 0.7  # of speech it is 0.9 and more, of music 0.3 to 0.5
_HEARD_BATCH = 16  # the same of those whose sound is translated, which takes its time

OnProgress = Callable[[Progress], None]
_S = TypeVar("_S", bound=Service[Any])
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Result:
    """A finished dub."""

    files: tuple[Path, ...]
    """In the work folder: the film or sound first, then the subtitles, the report last."""
    report: Report


def dub(
    request: JobRequest,
    services: DubbingServices,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    cancel: Cancel | None = None,
    artifacts: Artifacts | None = None,
) -> Result:
    """Dub one film, or write down what is said in it, working in `folder` and nowhere else.

    Args:
        request: the film, the languages, and what somebody changed by hand in the lines.
        services: serves the models.
        folder: is there; its owner removes it.
        on_progress: is told of each step.
        cancel: ends the work from another thread.
        artifacts: what an earlier run has finished, which is not done again; None where no run will go on from it.

    Raises:
        InputError: the file or the languages are at fault.
        VtError: an engine, a program or the disk failed.
        Cancelled: `cancel` was set.
    """
    kept = artifacts or Artifacts(folder / "pieces", lasting=False)
    work = _Dub(request, services, folder, on_progress, cancel or Cancel(), kept)
    return work.run() if request.target_language else work.write_down()


def report_name(target: str) -> str:
    """Return how the report's name ends: that of a dub names its language."""
    return f"{target}.report.json" if target else "report.json"


def check(request: JobRequest, checker: RequestChecker) -> float:
    """Raise, before any work is done, what can be seen to be wrong; return how many seconds the film lasts.

    Raises:
        InputError: the file or the languages are at fault.
        ModelUnavailable: a stage has no model or engine.
        ToolError: a program is missing.
    """
    info = _examined(request, checker, Cancel()).info
    return info.seconds or media.measured_seconds(info)


@dataclass(frozen=True, slots=True)
class _Examined:
    """What is known before any work is done."""

    info: MediaInfo
    track: Track | None
    read: Transcript | None
    """What the subtitles say that are taken in place of what would be heard."""
    notes: tuple[Message, ...]


def _examined(request: JobRequest, checker: RequestChecker, cancel: Cancel) -> _Examined:
    info = media.probe(request.source, cancel)
    heard = _heard_track(info, request)
    notes: list[Message] = []
    read = _read(request, notes) if request.subtitles else None
    if heard is None and read is None:
        raise MediaError("{file} has no audio track: there is nothing to translate.", file=info.path)
    language = read.language if read else _code(request.source_language) or AUTO
    checker.check(language, _code(request.target_language), hears=read is None, wishes=request.wishes)
    return _Examined(info, heard, read, tuple(notes))


def _read(request: JobRequest, notes: list[Message]) -> Transcript:
    """Return what a subtitle file says in place of what would be heard."""
    path = request.subtitles
    assert path is not None  # noqa: S101
    media.check_readable(path)
    subtitles.check_size(path.stat().st_size)
    cues = subtitles.read(subtitles.decoded(path.read_bytes()))
    segments = tuple(sentences.sentences(subtitles.words(cues)))
    if not segments:
        raise SubtitleError("{file} holds no words: there is nothing to translate.", file=path)
    text = " ".join(segment.text for segment in segments)
    if named := request.source_language:
        notes += _doubts(named, text)
        return Transcript(named.code, False, segments)
    language, probability = identification.language_of(text)
    notes.append(
        Message(
            "The subtitles are {language}, by their text (probability {probability:.2f}).",
            language=language,
            probability=probability,
        )
    )
    return Transcript(language.code, True, segments)


def _doubts(named: Language, text: str) -> list[Message]:
    """Say so where the subtitles seem to be in another language than the one that was named."""
    try:
        language, _ = identification.language_of(text)
    except LanguageError:  # too short to tell
        return []
    if language == named:
        return []
    return [
        Message(
            "The subtitles look like {language_seen}, but --from says {language_said}: check the dub.",
            language_seen=language,
            language_said=named,
        )
    ]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was said in the film, and who heard it: nobody, where subtitles say it."""

    transcript: Transcript
    choice: Choice | None
    film_seconds: float
    notes: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class _Translated:
    """What is said instead, line by line, and who translated it."""

    texts: tuple[str, ...]
    choice: Choice


@dataclass(frozen=True, slots=True)
class _Finished:
    """The film as it is now spoken."""

    script: Script
    base_rate: float
    loudness: Loudness
    files: tuple[Path, ...]
    notes: tuple[str, ...]


_HEARD, _TRANSLATED, _CALIBRATION = TypeAdapter(_Heard), TypeAdapter(_Translated), TypeAdapter(VoiceCalibration)
_FOUND: TypeAdapter[list[Dropped | list[Word]]] = TypeAdapter(list[Dropped | list[Word]])


@dataclass(slots=True)
class _Dub:
    """One run: the stages and what they share."""

    request: JobRequest
    services: DubbingServices
    folder: Path
    on_progress: OnProgress
    cancel: Cancel
    artifacts: Artifacts
    stages: dict[Stage, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    film_seconds: float = 0.0

    def run(self) -> Result:
        with self._stage(Stage.PROBE):
            self._check_names()
            examined = _examined(self.request, self.services, self.cancel)
            name = self._name()
        heard = self._kept("heard", name, _HEARD, lambda: self._hear(examined, name))
        self.film_seconds = max(self.film_seconds, heard.film_seconds)
        self.notes += heard.notes
        with self._stage(Stage.TRANSLATE):
            found = self._texts(examined, heard, self._texts_name(name))
            script = self._mended(heard, found)
        self.notes += self._of_lines(found.choice, script)
        tts, finished = self._speak_and_mix(examined, heard, found.texts, script)
        self.notes += filter(None, [*finished.notes, self.services.advice(found.choice)])
        outcome = report.Outcome(
            request=self.request,
            film_seconds=heard.film_seconds,
            script=finished.script,
            base_rate=finished.base_rate,
            loudness=finished.loudness,
            stt=heard.choice,
            translation=found.choice,
            tts=tts,
            stages=self.stages,
            total_seconds=time.monotonic() - self.began,
            notes=self.notes,
        )
        return self._reported(finished.files, report.of_dub(outcome))

    def write_down(self) -> Result:
        """Hear only: the subtitles of what is said, and a report of that."""
        with self._stage(Stage.PROBE):
            self._check_names()
            examined = _examined(self.request, self.services, self.cancel)
        heard = self._kept("heard", name := self._name(), _HEARD, lambda: self._hear(examined, name))
        transcript = heard.transcript
        said = [subtitles.Cue(segment.start, segment.end, segment.text) for segment in transcript.segments]
        written = self._subtitles(transcript.language, subtitles.cues(said, heard.film_seconds)).path
        composed = report.of_transcript(
            self.request, heard.film_seconds, transcript, heard.choice, self.stages, [*self.notes, *heard.notes]
        )
        return self._reported((written, written.with_suffix(".vtt")), composed)

    @property
    def target(self) -> str:
        """The code of the language to speak; empty where nothing is spoken."""
        return _code(self.request.target_language)

    @property
    def source(self) -> str:
        """The code of the language that the film is said to speak, or `auto`."""
        return _code(self.request.source_language) or AUTO

    # What was done before

    def _name(self) -> str:
        """Return the fingerprint of all that decides what is heard, but for the models: who edits keeps the lines."""
        told = self.artifacts.identity(self.request.subtitles) if self.request.subtitles else None
        source = self.artifacts.identity(self.request.source)
        return fingerprint("heard", source, self.request.audio_track, told, self.source)

    def _texts_name(self, heard: str) -> str:
        """Return the fingerprint of the translation: another engine, asked for by name, makes another."""
        engine = self.request.wishes.translation_engine
        return fingerprint(heard, self.target, *([engine] if engine else []))

    def _kept(self, kind: str, name: str, shape: TypeAdapter[Any], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return a value as it was kept, made first where it was not."""
        return shape.validate_python(self.artifacts.json(kind, name, lambda: shape.dump_python(make(), mode="json")))

    def _with_model(self, serve: Callable[[Choice | None], _S], work: Callable[[_S], _T]) -> _T:
        """Work with a model, and where the memory does not suffice for that, once more with a smaller one.

        Args:
            serve: has the model resident, or, after a choice that was too large, one that stands below it.
            work: what is to be done. What it keeps of it bears the model's name, and is not taken for another's.

        Raises:
            EngineError: the memory did not suffice for the smaller one either.
            ModelUnavailable: there is no smaller one.
        """
        service, done = serve(None), list[_T]()
        if _has_memory_for(lambda: done.append(work(service))):
            return done[0]
        smaller = serve(service.choice)
        if _has_memory_for(lambda: done.append(work(smaller))):
            return done[0]
        raise EngineError(
            "The memory did not suffice for the work of the model {model}, nor for that of {other}, which "
            "stood in for it: try a shorter film, or give vt more memory.",
            model=service.choice.model,
            other=smaller.choice.model,
        )

    # Hearing

    def _hear(self, examined: _Examined, name: str) -> _Heard:
        if examined.read:
            return self._checked(examined.read, examined)
        assert examined.track is not None  # noqa: S101 (or there would be nothing to translate)
        return self._listen(examined.info, examined.track, name)

    def _checked(self, transcript: Transcript, examined: _Examined) -> _Heard:
        """Return what subtitles say, all of which begins within the film; nobody heard it."""
        film = examined.info.seconds or media.measured_seconds(examined.info, self.cancel)
        beyond = next((segment for segment in transcript.segments if segment.start >= film), None)
        if beyond:
            raise SubtitleError(
                'The subtitles do not belong to this film: it ends after {seconds:.1f} s, but the line "{line}" '
                "begins at {start:.1f} s.",
                seconds=film,
                line=beyond.text[:40],
                start=beyond.start,
            )
        inside = tuple(replace(segment, end=min(segment.end, film)) for segment in transcript.segments)
        return _Heard(replace(transcript, segments=inside), None, film, examined.notes)

    def _sound(self, info: MediaInfo, track: Track, sounding: str) -> NDArray[np.int16]:
        """Return the sound of the film, taken out of it once."""
        longest = self.request.longest_seconds
        return media.extracted(
            self.artifacts.file(
                "sound", sounding, ".pcm", lambda made: media.extract(info, track, made, self.cancel, longest)
            )
        )

    def _listen(self, info: MediaInfo, track: Track, name: str) -> _Heard:
        with self._stage(Stage.EXTRACT):
            sounding = fingerprint("sound", name)
            samples = self._sound(info, track, sounding)
        # Sound alone is as long as it really is; its header may only estimate it.
        seconds = len(samples) / media.SPEECH_RATE
        film = (info.seconds or media.measured_seconds(info, self.cancel)) if info.video else seconds
        self.film_seconds = max(film, seconds)
        with self._stage(Stage.TRANSCRIBE):
            return self._with_model(
                lambda after: self.services.get_stt_service(self.source, cancel=self.cancel, after=after),
                lambda stt: self._understood(stt, samples, (info, track), sounding, film),
            )

    def _understood(
        self, stt: SttService, samples: NDArray[np.int16], tagged: tuple[MediaInfo, Track], sounding: str, film: float
    ) -> _Heard:
        """Return what is heard; `tagged` says in which language the film claims to be."""
        notes = []
        if self.request.source_language is None:
            stt, note = self._detected(stt, samples, tagged, sounding)
            notes.append(note)
        return _Heard(self._transcribe(stt, samples, sounding), stt.choice, film, tuple(notes))

    def _detected(
        self, stt: SttService, samples: NDArray[np.int16], tagged: tuple[MediaInfo, Track], sounding: str
    ) -> tuple[SttService, Message]:
        """Return the service for the language that is spoken, or for the only one that the model hears, and a note."""
        if not stt.detects:
            _check_tag(*tagged, stt.language)
            language = languages.get(stt.language)
            return stt, Message(
                "The language was not detected: the recognition model hears {language} only.", language=language
            )
        code, probability = stt.detect(samples)
        try:
            self.services.check(code, self.target, wishes=self.request.wishes)
        except LanguageError:
            # Of music a recogniser says anything, and is not sure: where nobody speaks, that is what is to be said.
            if probability < _SURE_OF_LANGUAGE:
                self._transcribe(stt.hearing(code), samples, sounding)
            raise
        language = languages.get(code)
        return stt.hearing(code), Message(
            "The film speaks {language}, as far as was heard (probability {probability:.2f}).",
            language=language,
            probability=probability,
        )

    def _transcribe(self, stt: SttService, samples: NDArray[np.int16], sounding: str) -> Transcript:
        words: list[Word] = []
        dropped: list[Dropped] = []
        for found in self._found(stt, samples, sounding):
            if isinstance(found, Dropped):
                dropped.append(found)
            else:
                words += found
        words.sort(key=lambda word: word.start)
        segments = sentences.sentences(words)
        if not segments:
            raise NoSpeechError("{file}: no speech found, so there is nothing to translate.", file=self.request.source)
        dropped.sort(key=lambda stretch: stretch.start)
        detected = stt.detects and self.request.source_language is None
        return Transcript(stt.language, detected, tuple(segments), tuple(dropped))

    def _found(self, stt: SttService, samples: NDArray[np.int16], sounding: str) -> Iterator[Dropped | list[Word]]:
        """Yield what is heard, window by window, in the time of the film; a finished window is not heard again."""
        used: list[Json] = [stt.choice.info.name, stt.choice.model, stt.language, self.services.settings.vad]
        for start, end in levels.chunks(samples, media.SPEECH_RATE, CHUNK_SECONDS):
            name = fingerprint("window", sounding, start, end, used)
            yield from self._kept("window", name, _FOUND, lambda: self._window(stt, samples, start, end))  # noqa: B023
            self._tell(Stage.TRANSCRIBE, end * media.SPEECH_RATE / len(samples))

    def _window(
        self, stt: SttService, samples: NDArray[np.int16], start: float, end: float
    ) -> list[Dropped | list[Word]]:
        rate = media.SPEECH_RATE
        heard: list[Dropped | list[Word]] = []
        with stt:
            for found in stt.transcribe(samples[int(start * rate) : int(end * rate)], self.cancel):
                if isinstance(found, Dropped):
                    last = replace(found, start=found.start + start, end=found.end + start)
                    heard.append(last)
                    here = last.end
                elif found.words:
                    heard.append([replace(w, start=w.start + start, end=w.end + start) for w in found.words])
                    here = found.words[-1].end + start
                else:
                    continue
                self._tell(Stage.TRANSCRIBE, here * rate / len(samples))
        return heard

    # Translating

    def _texts(self, examined: _Examined, heard: _Heard, name: str) -> _Translated:
        """Return the translation as it was kept, unless whoever made it has been ruled out since for a licence."""
        found: _Translated = self._kept("texts", name, _TRANSLATED, lambda: self._translate(examined, heard))
        if self.services.settings.licences == "any" or all(info.commercial for info in found.choice.infos):
            return found
        ours = fingerprint(name, "commercial")
        again: _Translated = self._kept("texts", ours, _TRANSLATED, lambda: self._translate(examined, heard))
        return again

    def _translate(self, examined: _Examined, heard: _Heard) -> _Translated:
        language, segments = heard.transcript.language, heard.transcript.segments
        foreign = [not identification.is_in(segment.text, self.target, language) for segment in segments]

        def translated(translation: TranslationService) -> _Translated:
            if translation.choice.info.listens:
                made = self._overheard(translation, examined, heard, foreign)
            else:
                budgets = self._budgets(translation, _slots(segments), heard.film_seconds)
                chosen = budgets and [*compress(budgets, foreign)]
                sources = [segment.text for segment in compress(segments, foreign)]
                made = self._rendered(translation, language, sources, chosen)
            answers = iter(made)
            texts = (next(answers) if one else segment.text for segment, one in zip(segments, foreign, strict=True))
            return _Translated(tuple(texts), translation.choice)

        return self._with_model(lambda after: self._translator(language, after, heard.choice is not None), translated)

    def _translator(self, source: str, after: Choice | None, listening: bool) -> TranslationService:
        engine = self.request.wishes.translation_engine
        return self.services.get_translation_service(
            source, self.target, cancel=self.cancel, after=after, engine=engine, listening=listening
        )

    def _overheard(
        self, translation: TranslationService, examined: _Examined, heard: _Heard, wanted: Sequence[bool]
    ) -> tuple[str, ...]:
        """Return a translation of the wanted sentences, made of their sound; a finished batch is not made again."""
        assert examined.track is not None  # noqa: S101 (or nothing would have been heard)
        language, sounding = heard.transcript.language, fingerprint("sound", self._name())
        samples = self._sound(examined.info, examined.track, sounding)
        used = [translation.choice.info.name, translation.choice.model, language, self.target]
        slots, texts = [*compress(_slots(heard.transcript.segments), wanted)], list[str]()
        for first in range(0, len(slots), _HEARD_BATCH):
            batch = slots[first : first + _HEARD_BATCH]

            def listen() -> list[str]:
                return [*translation.translate_sound(samples, batch, self.cancel)]  # noqa: B023

            texts += self.artifacts.json("batch", fingerprint("overheard", sounding, used, batch), listen)
            self._tell(Stage.TRANSLATE, len(texts) / len(slots))
        return tuple(texts)

    def _budgets(
        self, translation: TranslationService, slots: Sequence[tuple[float, float]], film: float
    ) -> list[float] | None:
        """Return how many characters there is time for in each slot; None where no translation can be chosen by that.

        What is known of the voice when a job begins holds until its end: a job that goes on makes the same of a line.
        """
        if not (translation.choice.info.heeds_lengths and self.services.settings.fit_translations):
            return None
        voice_name = _voice_name(self.services.voice(self.target, self.request.wishes), self.target)
        pace = self.artifacts.json("pace", fingerprint(voice_name), lambda: self.services.paces.of(voice_name))
        return [round(pace * room, 1) for room in timing.rooms(slots, film)]

    def _rendered(
        self, translation: TranslationService, source: str, sentences: Sequence[str], budgets: list[float] | None
    ) -> tuple[str, ...]:
        """Return a translation of each sentence; a finished batch is not translated again."""
        choice = translation.choice
        used = [choice.info.name, choice.model, source, self.target, *map(str, choice.route)]
        texts: list[str] = []
        for first in range(0, len(sentences), _BATCH):
            part = slice(first, first + _BATCH)
            batch, lengths = sentences[part], budgets and budgets[part]
            made = fingerprint("batch", used, batch, *([lengths] if lengths else []))
            share = len(texts) / len(sentences), len(batch) / len(sentences)
            texts += self.artifacts.json("batch", made, lambda: self._batch(translation, batch, lengths, share))  # noqa: B023
            self._tell(Stage.TRANSLATE, len(texts) / len(sentences))
        return tuple(
            number_formats.localized(*pair, source, self.target) for pair in zip(sentences, texts, strict=True)
        )

    def _batch(
        self,
        translation: TranslationService,
        batch: Sequence[str],
        budgets: list[float] | None,
        share: tuple[float, float],
    ) -> list[str]:
        """Translate some sentences; `share` is what of all was done before, and what these are of it."""
        texts: list[str] = []
        for text in translation.translate(batch, self.cancel, budgets):
            texts.append(text)
            self._tell(Stage.TRANSLATE, share[0] + share[1] * len(texts) / len(batch))
        return texts

    def _mended(self, heard: _Heard, found: _Translated) -> Script:
        """Return the lines with what somebody changed in them by hand; a new source text is translated.

        Raises:
            LanguageError: nobody translates it, because only the film's sound could be translated.
        """
        transcript, texts = heard.transcript, found.texts
        edits = {line: edit for line, edit in self.request.edits.items() if line < len(texts)}
        segments, said = list(transcript.segments), list(texts)
        for line, edit in edits.items():
            segments[line] = edit.applied_to(segments[line])
            said[line] = said[line] if edit.text is None else edit.text
        changed = [line for line, edit in edits.items() if edit.text is None and edit.source_text is not None]
        said_so = [
            line for line in changed if identification.is_in(segments[line].text, self.target, transcript.language)
        ]
        for line in said_so:
            said[line] = segments[line].text
        open_ = [line for line in changed if line not in said_so]
        if open_:
            sources = [segments[line].text for line in open_]

            def translated(translation: TranslationService) -> tuple[str, ...]:
                every = self._budgets(translation, _slots(segments), heard.film_seconds)
                budgets = every and [every[line] for line in open_]
                return self._rendered(translation, transcript.language, sources, budgets)

            with _told_what_to_write(found.choice, transcript.language, self.target):
                answers = self._with_model(
                    lambda after: self._translator(transcript.language, after, listening=False), translated
                )
            for line, text in zip(open_, answers, strict=True):
                said[line] = text
        return Script(replace(transcript, segments=tuple(segments)), self.target, tuple(said), ())

    def _of_lines(self, choice: Choice, script: Script) -> Iterator[str]:
        """Say how many lines are spoken as they were said, and how many nobody could translate."""
        language, rows = script.transcript.language, list(zip(script.transcript.segments, script.texts, strict=True))
        alike = [segment.text for segment, text in rows if segment.text == text]
        yield from _kept_note(sum(identification.is_in(text, self.target, language) for text in alike), self.target)
        if choice.info.listens:
            muted = [line for line, edit in self.request.edits.items() if edit.text == ""]
            yield from _silent_note(sum(not text and segment.id not in muted for segment, text in rows))

    # Speaking

    def _speak_and_mix(
        self, examined: _Examined, heard: _Heard, texts: tuple[str, ...], script: Script
    ) -> tuple[Choice, _Finished]:
        return self._with_model(
            lambda after: self.services.get_tts_service(
                self.target,
                cancel=self.cancel,
                after=after,
                voice=self.request.wishes.voice,
                engine=self.request.wishes.tts_engine,
            ),
            lambda tts: self._spoken_and_mixed(tts, examined, heard, texts, script),
        )

    def _spoken_and_mixed(
        self, tts: TtsService, examined: _Examined, heard: _Heard, texts: tuple[str, ...], script: Script
    ) -> tuple[Choice, _Finished]:
        """Speak and mix: the track is encoded while the lines come, so that the second core has work too."""
        film, identity = heard.film_seconds, _voice_name(tts.choice, self.target)
        level_name = fingerprint("level", identity, texts)
        with ExitStack() as opened:
            with tts as engine:
                cache = ClipCache(engine, identity, self.artifacts, self.cancel, is_dear=tts.choice.info.is_dear)
                with self._stage(Stage.SPEAK):
                    calibration = self._calibrated(cache, identity, heard, texts)
                    plan = self._plan(cache, calibration, heard, texts, script)
                level = track.Level(*self.artifacts.get_json("level", level_name) or [calibration.gain])
                borders = track.cuts(plan, film, calibration.sample_rate)
                made = track.DubTrack(borders, calibration.sample_rate, level, self.artifacts, self.cancel)
                dubbed = opened.enter_context(made)
                placements = self._speak(cache, dubbed, script.texts, plan, calibration.base_rate)
            script = replace(script, placements=tuple(placements))
            finished = self._finish(examined, script, calibration.base_rate, dubbed, film)
        if dubbed.level != level:
            self.artifacts.put_json("level", level_name, [dubbed.level.gain, dubbed.level.limit])
        return tts.choice, finished

    def _calibrated(self, cache: ClipCache, identity: str, heard: _Heard, texts: tuple[str, ...]) -> VoiceCalibration:
        """Measure pace and level with the lines as they were found, so that both stay when somebody edits a line."""
        slots = _slots(heard.transcript.segments)

        def calibrate() -> VoiceCalibration:
            calibration = speaking.calibrate(cache, texts, slots, lambda share: self._tell(Stage.SPEAK, share / 2))
            seconds = sum(calibration.natural_seconds) * calibration.base_rate
            self.services.paces.learn(identity, sum(map(len, texts)), seconds)
            return calibration

        calibration: VoiceCalibration = self._kept(
            "rehearsal", fingerprint(identity, texts, slots), _CALIBRATION, calibrate
        )
        return calibration

    def _speak(
        self, cache: ClipCache, dubbed: track.DubTrack, texts: Sequence[str], plan: list[Placement], base_rate: float
    ) -> list[Placement]:
        placements: list[Placement] = []
        with self._stage(Stage.SPEAK):
            for placed in speaking.speak(cache, dubbed, texts, plan, base_rate):
                placements.append(placed)
                self._tell(Stage.SPEAK, 0.5 + len(placements) / len(texts) / 2)
        return placements

    def _plan(
        self, cache: ClipCache, calibration: VoiceCalibration, heard: _Heard, texts: tuple[str, ...], script: Script
    ) -> list[Placement]:
        """Place the lines as they were found, and then those that somebody changed, so that the others stay."""
        slots, film = _slots(heard.transcript.segments), heard.film_seconds
        lines = [Line(*slot, natural) for slot, natural in zip(slots, calibration.natural_seconds, strict=True)]
        plan = timing.place(lines, film)
        now = _slots(script.transcript.segments)
        changed = [i for i, text in enumerate(texts) if text != script.texts[i] or slots[i] != now[i]]
        if not changed:
            return plan
        clips = cache.clips([speaking.Take(script.texts[line], calibration.base_rate) for line in changed])
        for line, clip in zip(changed, clips, strict=True):
            lines[line] = Line(*now[line], clip.seconds)
        return timing.amended(plan, lines, changed, film)

    @property
    def _dub_track(self) -> Path:
        return self.folder / "dub.m4a"

    # Finishing

    def _finish(
        self, examined: _Examined, script: Script, base_rate: float, dubbed: track.DubTrack, film: float
    ) -> _Finished:
        """Put the film together while the last of its sound is measured, unless it is too loud or too quiet already."""
        softs = self._both_subtitles(script, film)
        loudness = None
        while loudness is None:
            with self._stage(Stage.MIX):
                dubbed.write(self._dub_track)
                if not dubbed.seems_right() and dubbed.settle() is None:
                    continue
            with self._stage(Stage.MUX):
                target, notes = self._mux(examined, script, softs)
            with self._stage(Stage.MIX):
                loudness = dubbed.settle()
        texts = [path for soft in softs for path in (soft.path, soft.path.with_suffix(".vtt"))]
        return _Finished(script, base_rate, loudness, (target, *texts), tuple(notes))

    def _both_subtitles(self, script: Script, film: float) -> list[Soft]:
        segments, placements = script.transcript.segments, script.placements
        heard = [subtitles.Cue(segment.start, segment.end, segment.text) for segment in segments]
        said = [
            subtitles.Cue(at.start, at.end, text) for at, text in zip(placements, script.texts, strict=True) if text
        ]
        sides = {script.target_language: said, script.transcript.language: heard}
        return [self._subtitles(code, subtitles.cues(side, film)) for code, side in sides.items()]

    def _mux(self, examined: _Examined, script: Script, softs: Sequence[Soft]) -> tuple[Path, list[str]]:
        """Return the film, and what could not be kept in it as it was."""
        info = examined.info
        names = (_named(script.target_language, "dubbed"), _named(script.transcript.language, "original"))
        target = self._file(f"{script.target_language}.{'mp4' if info.video else 'm4a'}")
        return target, media.mux(info, examined.track, self._dub_track, names, softs, target, self.cancel)

    def _subtitles(self, code: str, cues: list[subtitles.Cue]) -> Soft:
        """Write both forms of one language's subtitles."""
        language = languages.get(code)
        path = self._file(f"{code}.srt")
        path.write_text(subtitles.srt(cues), encoding="utf-8")
        path.with_suffix(".vtt").write_text(subtitles.vtt(cues), encoding="utf-8")
        return Soft(path, language.iso639_3, language.native_name)

    def _reported(self, files: Sequence[Path], composed: Report) -> Result:
        path = self._file(report_name(self.target))
        path.write_text(json.dumps(composed.as_json(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return Result((*files, path), composed)

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.request.source.stem}.{ending}"

    def _check_names(self) -> None:
        """Raise where the longest of the results' names would be too long for the disk."""
        longest = os.fsencode(self._file(report_name(self.target)).name)
        if len(longest) > os.pathconf(self.folder, "PC_NAME_MAX"):
            raise MediaError(
                "The name of {file} is too long for those of its results: shorten it.", file=self.request.source
            )

    def _tell(self, stage: Stage, fraction: float) -> None:
        self.cancel.check()
        self.on_progress(Progress(stage, min(1.0, max(0.0, fraction)), self.film_seconds))

    @contextmanager
    def _stage(self, stage: Stage) -> Iterator[None]:
        """Time a stage; one that is entered again goes on."""
        self.cancel.check()
        started = time.monotonic()
        if stage not in self.stages:
            self.on_progress(Progress(stage, 0.0))
        yield
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - started


def _kept_note(count: int, target: str) -> Iterator[str]:
    language = languages.get(target)
    if count == 1:
        yield Message("1 sentence is in {language} already and was kept.", language=language)
    elif count:
        yield Message("{count} sentences are in {language} already and were kept.", count=count, language=language)


def _silent_note(count: int) -> Iterator[str]:
    if count == 1:
        yield "1 sentence could not be translated and stays silent: write what is to be said."
    elif count:
        yield Message(
            "{count} sentences could not be translated and stay silent: write what is to be said.", count=count
        )


@contextmanager
def _told_what_to_write(choice: Choice, source: str, target: str) -> Iterator[None]:
    """Tell somebody who mends what was translated from sound what can be mended, where nobody translates words."""
    try:
        yield
    except (LanguageError, ModelUnavailable) as error:
        if not choice.info.listens:
            raise
        raise LanguageError(
            "Nothing here translates {language_from} text to {language_to}, for this film was translated "
            "from its sound: change what is spoken instead of what was said.",
            language_from=languages.get(source),
            language_to=languages.get(target),
        ) from error


def _has_memory_for(work: Callable[[], object]) -> bool:
    """Work, and tell whether the memory sufficed; where it did not, no traceback holds what was in it any more."""
    try:
        work()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget(error)
        return False
    return True


def _code(language: Language | None) -> str:
    return language.code if language else ""


def _voice_name(choice: Choice, language: str) -> str:
    return " ".join(filter(None, (choice.info.name, choice.model, choice.voice, language)))


def _slots(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    return [(segment.start, segment.end) for segment in segments]


def _heard_track(info: MediaInfo, request: JobRequest) -> Track | None:
    """Return the sound track to dub; a film without sound can have one only from subtitles."""
    wanted = 1 if request.audio_track is None else request.audio_track
    if request.audio_track is not None and not 1 <= wanted <= len(info.audio):
        raise MediaError(
            "{file} has no audio track {number}: it has {count}.", file=info.path, number=wanted, count=len(info.audio)
        )
    return info.audio[wanted - 1] if info.audio else None


def _check_tag(info: MediaInfo, track: Track, heard: str) -> None:
    """Raise where the file itself says that a sound track is in another language than the one that would be heard."""
    try:
        tagged = languages.get(track.language) if track.language else None
    except LanguageError:  # "several languages", "no language", and what people make up
        return
    if tagged and tagged.code != heard:
        language = languages.get(heard)
        raise LanguageError(
            "The sound of {file} is tagged {language_tag}, but the recognition model hears {language_heard} "
            "only: choose another track with --audio-track, or say --from {code} if the tag is wrong.",
            file=info.path,
            language_tag=tagged,
            language_heard=language,
            code=heard,
        )


def _named(code: str, role: str) -> Named:
    language = languages.get(code)
    return Named(language.iso639_3, f"{language.native_name} ({role})")
