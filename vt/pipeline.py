"""The main job: the order of the stages from a film to the same film speaking another language."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vt import detect, languages, media, report, sentences, sound, subtitles, timing, voice
from vt.domain import Cancel, Dropped, JobRequest, Line, Progress, Transcript, Word
from vt.errors import LanguageError, MediaError, NoSpeechError, SubtitleError
from vt.factory import AIServiceFactory, Choice, SttService, TranslationService, TtsService
from vt.languages import Language
from vt.media import Loudness, MediaInfo, Named, Soft, Track
from vt.report import Script

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STAGES = ("probe", "extract", "transcribe", "translate", "speak", "mix", "mux")
PIECE_SECONDS = 600.0
"""Recognition takes the film in pieces of this length at most, cut where it is quiet."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Result:
    """A finished dub."""

    files: tuple[Path, ...]
    """In the work folder: the film or sound first, then the subtitles, the report last."""
    report: dict[str, Any]


def dub(
    request: JobRequest,
    factory: AIServiceFactory,
    folder: Path,
    on_progress: OnProgress = lambda _: None,
    cancel: Cancel | None = None,
) -> Result:
    """Dub one film, working in `folder` and nowhere else.

    Raises:
        InputError: the file or the languages are at fault.
        VtError: an engine, a program or the disk failed.
        Cancelled: `cancel` was set.
    """
    return _Dub(request, factory, folder, on_progress, cancel or Cancel()).run()


@dataclass(slots=True)
class _Dub:
    """One run: the stages and what they share."""

    request: JobRequest
    factory: AIServiceFactory
    folder: Path
    on_progress: OnProgress
    cancel: Cancel
    stages: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def run(self) -> Result:
        with self._stage("probe"):
            target = languages.get(self.request.target_language).code
            self._check_names(target)
            info = media.probe(self.request.source, self.cancel)
            track = _heard_track(info, self.request)
            read = self._read(self.request.subtitles) if self.request.subtitles else None
            self.factory.check(read.language if read else self.request.source_language, target, hears=read is None)
        stt, transcript, film = self._checked(read, info) if read else self._listen(info, track)
        with self._stage("translate"):
            translation = self.factory.get_translation_service(transcript.language, target)
            texts = self._translate(translation, transcript)
        tts = self.factory.get_tts_service(target)
        script, base_rate, loudness = self._speak_and_mix(tts, transcript, texts, film)
        with self._stage("mux"):
            files = self._mux(info, track, script, film)
        outcome = report.Outcome(
            request=self.request,
            film_seconds=film,
            script=script,
            base_rate=base_rate,
            loudness=loudness,
            engines={"stt": stt, "translation": translation.choice, "tts": tts.choice},
            stages=self.stages,
            total_seconds=time.monotonic() - self.began,
            notes=self.notes,
        )
        return self._result(outcome, files)

    def _read(self, path: Path) -> Transcript:
        """Return what a subtitle file says in place of what would be heard."""
        media.check_readable(path)
        cues = subtitles.read(subtitles.decoded(path.read_bytes()))
        segments = tuple(sentences.sentences(subtitles.words(cues)))
        if not segments:
            raise SubtitleError(f"{path} holds no words: there is nothing to translate.")
        text = " ".join(segment.text for segment in segments)
        if self.request.source_language != "auto":
            named = languages.get(self.request.source_language)
            self._doubt(named, text)
            return Transcript(named.code, False, segments)
        language, probability = detect.language_of(text)
        self.notes.append(f"The subtitles are {language.name}, by their text (probability {probability:.2f}).")
        return Transcript(language.code, True, segments)

    def _doubt(self, named: Language, text: str) -> None:
        """Note it where the subtitles seem to be in another language than the one that was named."""
        try:
            language, _ = detect.language_of(text)
        except LanguageError:  # too short to tell
            return
        if language != named:
            self.notes.append(f"The subtitles look like {language.name}, but --from says {named.name}: check the dub.")

    def _checked(self, transcript: Transcript, info: MediaInfo) -> tuple[Choice | None, Transcript, float]:
        """Return, like `_listen`, a transcript whose lines all begin within the film; nobody heard it."""
        film = info.seconds or media.measured_seconds(info, self.cancel)
        beyond = next((segment for segment in transcript.segments if segment.start >= film), None)
        if beyond:
            raise SubtitleError(
                f"The subtitles do not belong to this film: it ends after {film:.1f} s, but the line "
                f'"{beyond.text[:40]}" begins at {beyond.start:.1f} s.'
            )
        inside = (replace(segment, end=min(segment.end, film)) for segment in transcript.segments)
        return None, replace(transcript, segments=tuple(inside)), film

    def _listen(self, info: MediaInfo, track: Track | None) -> tuple[Choice | None, Transcript, float]:
        """Return what was heard, by whom, and how long the film is."""
        if track is None:
            raise MediaError(f"{info.path} has no audio track: there is nothing to translate.")
        with self._stage("extract"):
            samples = media.extract(info, track, self.folder / "speech.pcm", self.cancel)
        # Sound alone is as long as it really is; its header may only estimate it.
        sounding = len(samples) / media.SPEECH_RATE
        film = (info.seconds or media.measured_seconds(info, self.cancel)) if info.video else sounding
        with self._stage("transcribe"):
            stt = self.factory.get_stt_service(self.request.source_language)
            if self.request.source_language == "auto":
                stt = self._detected(stt, samples, info, track)
            transcript = self._transcribe(stt, samples)
        return stt.choice, transcript, film

    def _detected(self, stt: SttService, samples: NDArray[np.int16], info: MediaInfo, track: Track) -> SttService:
        """Return the service for the language that is spoken, or for the only one that the model hears."""
        if not stt.detects:
            _check_tag(info, track, stt.language)
            name = languages.get(stt.language).name
            self.notes.append(f"The language was not detected: the recognition model hears {name} only.")
            return stt
        code, probability = stt.detect(samples)
        name = languages.get(code).name
        self.notes.append(f"The film speaks {name}, as far as was heard (probability {probability:.2f}).")
        self.factory.check(code, self.request.target_language, hears=False)
        return stt.hearing(code)

    def _transcribe(self, stt: SttService, samples: NDArray[np.int16]) -> Transcript:
        words: list[Word] = []
        dropped: list[Dropped] = []
        for found in self._heard(stt, samples):
            if isinstance(found, Dropped):
                dropped.append(found)
            else:
                words += found
            last = found.end if isinstance(found, Dropped) else found[-1].end
            self._tell("transcribe", last * media.SPEECH_RATE / len(samples))
        words.sort(key=lambda word: word.start)
        segments = sentences.sentences(words)
        if not segments:
            raise NoSpeechError(f"{self.request.source}: no speech found, so there is nothing to translate.")
        dropped.sort(key=lambda stretch: stretch.start)
        detected = stt.detects and self.request.source_language == "auto"
        return Transcript(stt.language, detected, tuple(segments), tuple(dropped))

    def _heard(self, stt: SttService, samples: NDArray[np.int16]) -> Iterator[Dropped | list[Word]]:
        """Yield what is heard, piece by piece, in the time of the film."""
        rate = media.SPEECH_RATE
        with stt:
            for start, end in sound.pieces(samples, rate, PIECE_SECONDS):
                for found in stt.transcribe(samples[int(start * rate) : int(end * rate)], self.cancel):
                    if isinstance(found, Dropped):
                        yield replace(found, start=found.start + start, end=found.end + start)
                    elif found.words:
                        yield [replace(word, start=word.start + start, end=word.end + start) for word in found.words]

    def _translate(self, translation: TranslationService, transcript: Transcript) -> tuple[str, ...]:
        texts: list[str] = []
        for text in translation.translate([segment.text for segment in transcript.segments], self.cancel):
            texts.append(text)
            self._tell("translate", len(texts) / len(transcript.segments))
        return tuple(texts)

    def _speak_and_mix(
        self, tts: TtsService, transcript: Transcript, texts: tuple[str, ...], film: float
    ) -> tuple[Script, float, Loudness]:
        """Speak and mix: the track is encoded while the lines come, so that the second core has work too."""
        slots = [(segment.start, segment.end) for segment in transcript.segments]
        with tts as engine:
            with self._stage("speak"):
                rehearsal = voice.rehearse(
                    engine, texts, slots, lambda share: self._tell("speak", share / 2), self.cancel
                )
                naturals = rehearsal.natural_seconds
                plan = timing.place([Line(*slot, length) for slot, length in zip(slots, naturals, strict=True)], film)
            with voice.Recording(self._dub_track, rehearsal, film, self.cancel) as recording:
                with self._stage("speak"):
                    for _ in recording.speak(engine, texts, plan):
                        self._tell("speak", 0.5 + len(recording.placements) / len(texts) / 2)
                with self._stage("mix"):
                    loudness = recording.finish()
        target = languages.get(self.request.target_language).code
        return Script(transcript, target, texts, tuple(recording.placements)), rehearsal.base_rate, loudness

    @property
    def _dub_track(self) -> Path:
        return self.folder / "dub.m4a"

    def _mux(self, info: MediaInfo, track: Track | None, script: Script, film: float) -> list[Path]:
        segments, placements = script.transcript.segments, script.placements
        heard = [subtitles.Cue(segment.start, segment.end, segment.text) for segment in segments]
        said = [subtitles.Cue(at.start, at.end, text) for at, text in zip(placements, script.texts, strict=True)]
        sides = {script.target_language: said, script.transcript.language: heard}
        softs = [self._subtitles(code, subtitles.cues(side, film)) for code, side in sides.items()]
        names = (_named(script.target_language, "dubbed"), _named(script.transcript.language, "original"))
        target = self._file(f"{script.target_language}.{'mp4' if info.video else 'm4a'}")
        self.notes += media.mux(info, track, self._dub_track, names, softs, target, self.cancel)
        return [target, *(path for soft in softs for path in (soft.path, soft.path.with_suffix(".vtt")))]

    def _subtitles(self, code: str, cues: list[subtitles.Cue]) -> Soft:
        """Write both forms of one language's subtitles."""
        language = languages.get(code)
        path = self._file(f"{code}.srt")
        path.write_text(subtitles.srt(cues), encoding="utf-8")
        path.with_suffix(".vtt").write_text(subtitles.vtt(cues), encoding="utf-8")
        return Soft(path, language.iso639_3, language.native_name)

    def _result(self, outcome: report.Outcome, files: list[Path]) -> Result:
        composed = report.compose(outcome)
        path = self._file(f"{outcome.script.target_language}.report.json")
        path.write_text(json.dumps(composed, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        return Result((*files, path), composed)

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.request.source.stem}.{ending}"

    def _check_names(self, target: str) -> None:
        """Raise where the longest of the results' names would be too long for the disk."""
        longest = os.fsencode(self._file(f"{target}.report.json").name)
        if len(longest) > os.pathconf(self.folder, "PC_NAME_MAX"):
            raise MediaError(f"The name of {self.request.source} is too long for those of its results: shorten it.")

    def _tell(self, stage: str, fraction: float) -> None:
        self.cancel.check()
        self.on_progress(Progress(stage, min(1.0, max(0.0, fraction))))

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Time a stage; one that is entered again goes on."""
        self.cancel.check()
        started = time.monotonic()
        if name not in self.stages:
            self.on_progress(Progress(name, 0.0))
        yield
        self.stages[name] = self.stages.get(name, 0.0) + time.monotonic() - started


def _heard_track(info: MediaInfo, request: JobRequest) -> Track | None:
    """Return the sound track to dub; a film without sound can have one only from subtitles."""
    wanted = 1 if request.audio_track is None else request.audio_track
    if request.audio_track is not None and not 1 <= wanted <= len(info.audio):
        raise MediaError(f"{info.path} has no audio track {wanted}: it has {len(info.audio)}.")
    return info.audio[wanted - 1] if info.audio else None


def _check_tag(info: MediaInfo, track: Track, heard: str) -> None:
    """Raise where the file itself says that a sound track is in another language than the one that would be heard."""
    try:
        tagged = languages.get(track.language) if track.language else None
    except LanguageError:  # "several languages", "no language", and what people make up
        return
    if tagged and tagged.code != heard:
        name = languages.get(heard).name
        raise LanguageError(
            f"The sound of {info.path} is tagged {tagged.name}, but the recognition model hears {name} only: choose "
            f"another track with --audio-track, or say --from {heard} if the tag is wrong."
        )


def _named(code: str, role: str) -> Named:
    language = languages.get(code)
    return Named(language.iso639_3, f"{language.native_name} ({role})")
