"""A preview: the first minute of a film, cut off where it is quiet, is dubbed in place of the whole film."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from vt import media
from vt.domain import PREVIEW_SECONDS, JobRequest, Stage
from vt.dubbing import subtitle_source, track_choice
from vt.dubbing.artifacts import fingerprint
from vt.dubbing.run import Run
from vt.errors import MediaError, NoSpeechError, VtError
from vt.media import SPEECH_RATE, MediaInfo, SoundFormat, levels
from vt.system import disk
from vt.translatable import Message

_SECONDS = TypeAdapter(float)


@contextmanager
def first_minute(run: Run, folder: Path) -> Iterator[None]:
    """Have a run that is to be a preview work on the beginning of its film; errors name the film as before.

    Raises:
        InputError: the film or its subtitles are at fault, or nobody speaks in its first minute.
    """
    whole = run.request
    if not whole.preview:
        yield
        return
    folder.mkdir()
    try:
        with run.stage(Stage.PROBE):
            run.request = _shortened(run, folder)
        yield
    except NoSpeechError as error:
        if run.request.source == whole.source:
            raise
        raise NoSpeechError(
            "Nobody speaks in the first minute of {file}: dub the whole film.", file=whole.source
        ) from error
    except VtError as error:
        error.name_files({run.request.source: whole.title})
        raise


def _shortened(run: Run, folder: Path) -> JobRequest:
    """Return the request for the beginning of the film, which is a film of its own in `folder`.

    A film that is no longer than a preview is dubbed whole.
    """
    request = run.request
    info = media.probe(request.source, run.cancel)
    if info.seconds <= PREVIEW_SECONDS:
        return replace(request, preview=False)
    name = fingerprint("beginning", run.artifacts.identity(request.source), request.audio_track)
    seconds: float = run.kept("quiet", name, _SECONDS, lambda: _quiet_second(run, info, folder / "sound"))
    made = run.artifacts.file("beginning", name, ".film", lambda path: media.beginning(info, seconds, path, run.cancel))
    place = folder / request.source.name
    with disk.translated():
        disk.link_or_copy(made, place)
    return replace(_with_subtitles(run, info, folder), source=place, name=request.title)


def _quiet_second(run: Run, info: MediaInfo, sound: Path) -> float:
    """Return where the film is quiet, towards the end of its first minute; `sound`: where its sound is put."""
    tracks = track_choice.choose(info, run.request).ranked
    if not tracks:
        return PREVIEW_SECONDS
    try:
        media.extract_in(SoundFormat(SPEECH_RATE, 1), info, tracks[0], sound, run.cancel, PREVIEW_SECONDS)
    except MediaError:  # whoever listens to it will say what is wrong
        return PREVIEW_SECONDS
    if sound.stat().st_size <= SoundFormat(SPEECH_RATE, 1).size(PREVIEW_SECONDS):
        return PREVIEW_SECONDS
    return round(levels.chunks(media.extracted(sound), SPEECH_RATE, PREVIEW_SECONDS)[0][1], 3)


def _with_subtitles(run: Run, info: MediaInfo, folder: Path) -> JobRequest:
    """Return the request with a subtitle track of the film as a file, for the beginning has only picture and sound."""
    request = run.request
    if request.subtitle_track is None:
        return request
    content, _ = subtitle_source.content(request, info, run.cancel, run.artifacts)
    text = folder / "subtitles"
    text.write_bytes(content)
    return replace(request, subtitles=text, subtitle_track=None)


def notes(request: JobRequest, film_seconds: float) -> Iterator[Message]:
    """Say that not the whole film was dubbed, where that is so."""
    if request.preview:
        yield Message("This is a preview: the first {seconds:.0f} seconds of the film.", seconds=film_seconds)
