"""What is said in a film: read from subtitles, or recognised, its language detected, and both checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from vt import media
from vt.domain import Background, Cancel, JobRequest, Segment, Stage, Transcript
from vt.dubbing import subtitle_source, track_choice
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.dubbing.recognition import Heard, Recognition
from vt.dubbing.run import Run, with_model
from vt.dubbing.services import RequestChecker
from vt.errors import (
    EmptyTrack,
    MediaError,
    NoSpeechError,
    SubtitleError,
)
from vt.languages import AUTO, Language
from vt.media import MediaInfo, Track, levels
from vt.text import captions, sentences
from vt.text.captions import Utterance
from vt.translatable import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FEW = 10
"""One line of subtitles among so many may begin behind the end of the film; more are another film's."""
_MOST_TRACKS = 8
"""So many are listened to in search of one that is not silent."""
_INFO = TypeAdapter(MediaInfo)


@dataclass(frozen=True, slots=True)
class Read:
    """What subtitles say in place of what would be heard."""

    utterances: tuple[Utterance, ...]
    """In order of time; each holds words."""
    language: Language
    language_detected: bool
    """True where nobody named the language: it was told by the text."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a film before any work is done."""

    info: MediaInfo
    track: Track | None
    others: tuple[Track, ...]
    """Listened to in this order where `track` is silent."""
    read: Read | None
    """What the subtitles say, where they replace recognition."""
    notes: tuple[Message, ...]

    def language(self, request: JobRequest) -> Language | None:
        """Return what the film speaks, where somebody says so; None where it is to be found out by listening."""
        return self.read.language if self.read else request.source_language

    def with_heard(self, heard: Heard) -> Examined:
        """Return the same with the track that was really heard."""
        return replace(self, track=next((t for t in self.others if t.index == heard.track_index), self.track))


_HEARD = TypeAdapter(Heard)


def slots_of(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """Return when each line begins and ends."""
    return [(segment.start, segment.end) for segment in segments]


def examine(
    request: JobRequest, checker: RequestChecker, cancel: Cancel, artifacts: Artifacts | None = None
) -> Examined:
    """Look into the film and the subtitles, and check that the request can be served.

    Args:
        request: what is asked for.
        checker: knows which models there are.
        cancel: ends it.
        artifacts: where it is kept what is in the film, and a subtitle track that is read out of it; None: nowhere.

    Raises:
        InputError: the file or the languages are at fault.
        ModelUnavailable: a stage has no model or engine.
    """
    info = _looked_into(request.source, cancel, artifacts)
    tracks = track_choice.choose(info, request)
    track, *others = tracks.ranked or (None,)
    notes = list(tracks.notes)
    read = None
    if request.reads_subtitles:
        read = _read(request, notes, *subtitle_source.content(request, info, cancel, artifacts))
    if track is None and read is None:
        raise MediaError("{file} has no audio track: there is nothing to translate.", file=info.path)
    examined = Examined(info, track, tuple(filter(None, others)), read, tuple(notes))
    language = examined.language(request)
    checker.check(language, request.target_language, hears=read is None, wishes=request.wishes)
    if request.finish.background == Background.KEEP:
        checker.check_separation()
    return examined


def _looked_into(film: Path, cancel: Cancel, artifacts: Artifacts | None) -> MediaInfo:
    """Return what is in a film. Where it was found out before nothing is started: after an edit somebody waits."""
    if artifacts is None:
        return media.probe(film, cancel)
    media.check_readable(film)
    name = fingerprint("probe", artifacts.identity(film), film.name)
    known = artifacts.json("probe", name, lambda: _INFO.dump_python(media.probe(film, cancel), mode="json"))
    return replace(_INFO.validate_python(known), path=film)


def name_of(run: Run) -> str:
    """Return the fingerprint of all that decides what is heard, without the models: so edits keep their lines."""
    name, wanted = _name_of_words(run), run.request.speakers
    return name if wanted is None else fingerprint(name, "speakers", wanted)


def _name_of_words(run: Run) -> str:
    """Return the fingerprint of what decides the words; who speaks them is another matter."""
    request = run.request
    told = run.artifacts.identity(request.subtitles) if request.subtitles else request.subtitle_track
    source = run.artifacts.identity(request.source)
    asked = filter(None, (request.stt_model, request.prompt))
    return fingerprint("heard", source, request.audio_track, told, _source_code(request), *asked)


def hear(run: Run, examined: Examined, name: str) -> Heard:
    """Return what is said in the film, as an earlier run found it or as it is found now; for `name` see `name_of`.

    Raises:
        NoSpeechError: nobody speaks.
        SubtitleError: the subtitles are another film's.
        LanguageError: the language that was detected cannot be served.
    """
    heard: Heard = run.kept("heard", name, _HEARD, lambda: _hear(run, examined))
    run.film_seconds = max(run.film_seconds, heard.film_seconds)
    return heard


def sound(run: Run, info: MediaInfo, track: Track) -> tuple[NDArray[np.int16], str]:
    """Return the sound of the film, mono at 16 kHz, extracted once, and its fingerprint."""
    return media.extracted(sound_file(run, info, track)), _sound_name(run, track)


def sound_file(run: Run, info: MediaInfo, track: Track) -> Path:
    """Return where that sound is kept."""
    longest = run.request.longest_seconds
    return run.artifacts.file(
        "sound", _sound_name(run, track), ".pcm", lambda path: media.extract(info, track, path, run.cancel, longest)
    )


def _sound_name(run: Run, track: Track) -> str:
    return fingerprint("sound", _name_of_words(run), track.index)


def _hear(run: Run, examined: Examined) -> Heard:
    if examined.read:
        heard = _checked(examined.read, examined, is_preview=run.request.preview)
        return _without_names(heard) if run.request.speakers == 1 else heard
    assert examined.track is not None  # noqa: S101 (or there would be nothing to translate)
    return _listen(run, examined)


# Subtitles


def _read(request: JobRequest, notes: list[Message], content: bytes, declared: str) -> Read:
    """Return what subtitles say in place of what would be heard; `declared` is the language that their track names."""
    named = request.source_language
    read = captions.read(content, named.code if named else subtitle_source.code_of(declared))
    notes += read.notes
    if not read.utterances:
        path = request.subtitles or request.source
        raise SubtitleError("{file} holds no words: there is nothing to translate.", file=path)
    text = " ".join(utterance.text for utterance in read.utterances)
    declared = declared or read.declared_language
    language, is_detected, told = subtitle_source.language_of(named, declared, text)
    notes += told
    return Read(read.utterances, language, is_detected)


def _checked(read: Read, examined: Examined, *, is_preview: bool) -> Heard:
    """Return what subtitles say within the film; a few lines behind its end are left out, with a note.

    In a preview they are all as they should be: the subtitles are those of the whole film.
    """
    film = examined.info.seconds
    inside = [utterance for utterance in read.utterances if utterance.start < film]
    beyond = () if is_preview else read.utterances[len(inside) :]
    if is_preview and not inside:
        raise NoSpeechError("{file}: no speech found, so there is nothing to translate.", file=examined.info.path)
    if not inside or (len(beyond) > 1 and _FEW * len(beyond) > len(read.utterances)):
        raise SubtitleError(
            'The subtitles do not belong to this film: it ends after {seconds:.1f} s, but the line "{line}" '
            "begins at {start:.1f} s.",
            seconds=film,
            line=beyond[0].text[:40],
            start=beyond[0].start,
        )
    segments = (
        replace(segment, end=min(segment.end, film), confidence=None)
        for segment in sentences.sentences(captions.words(inside))
    )
    transcript = Transcript(read.language, read.language_detected, tuple(segments))
    return Heard(transcript, None, film, (*examined.notes, *_notes_on(beyond, film)))


def _without_names(heard: Heard) -> Heard:
    """Return what is said as if one person said all of it."""
    segments = tuple(replace(segment, speaker="") for segment in heard.transcript.segments)
    return replace(heard, transcript=replace(heard.transcript, segments=segments))


def _notes_on(beyond: Sequence[Utterance], film_seconds: float) -> list[Message]:
    """Say so where lines of the subtitles are left out, as they begin behind the end of the film."""
    if not beyond:
        return []
    return [
        Message(
            "Lines of the subtitles that begin behind the end of the film ({seconds:.1f} s) were left out: {count}; "
            'the first is "{line}".',
            seconds=film_seconds,
            count=len(beyond),
            line=beyond[0].text[:40],
        )
    ]


# Recognition


def _listen(run: Run, examined: Examined) -> Heard:
    info = examined.info
    with run.stage(Stage.EXTRACT):
        found = _first_that_sounds(run, examined)
    # A file of sound alone is as long as its sound; its header may only estimate that.
    seconds = len(found.samples) / media.SPEECH_RATE
    film = max(info.seconds, seconds) if info.video else seconds
    run.film_seconds = max(film, seconds)
    recognition = Recognition(run, info, found.track, found.samples, found.fingerprint)
    with run.stage(Stage.TRANSCRIBE):
        heard = with_model(
            lambda after: run.services.stt_service(
                run.request.source_language, run.request.stt_model, cancel=run.cancel, after=after
            ),
            lambda stt: recognition.heard(stt.prompted(run.request.prompt), film),
        )
    return replace(heard, notes=(*examined.notes, *found.notes, *heard.notes), track_index=found.track.index)


@dataclass(frozen=True, slots=True)
class _Sound:
    """The sound of a track, and notes on those that were passed over."""

    track: Track
    samples: NDArray[np.int16]
    fingerprint: str
    notes: tuple[Message, ...]


def _first_that_sounds(run: Run, examined: Examined) -> _Sound:
    """Return the sound of the first of the tracks that is not silent.

    Raises:
        MediaError: none can be used, or all are silent.
    """
    info, track = examined.info, examined.track
    assert track is not None  # noqa: S101 (or there would be nothing to translate)
    silent: list[Track] = []
    for candidate in (track, *examined.others[: _MOST_TRACKS - 1]):
        try:
            samples, sounding = sound(run, info, candidate)
        except EmptyTrack:
            if not examined.others:
                raise
        else:
            if not examined.others or levels.sounding(samples, media.SPEECH_RATE):
                return _Sound(candidate, samples, sounding, tuple(_passed_over(info, silent, candidate)))
        silent.append(candidate)
    raise NoSpeechError("All sound tracks of {file} are silent: there is nothing to translate.", file=info.path)


def _passed_over(info: MediaInfo, silent: Sequence[Track], taken: Track) -> Iterator[Message]:
    """Yield what is said of tracks that hold no sound."""
    if silent:
        yield Message(
            "Silent sound tracks were passed over ({tracks}): number {number} was dubbed.",
            tracks=track_choice.list_of(info, silent),
            number=track_choice.number_of(info, taken),
        )


def _source_code(request: JobRequest) -> str:
    """Return the code of the language that the film is said to speak, or `auto`."""
    return request.source_language.code if request.source_language else AUTO
