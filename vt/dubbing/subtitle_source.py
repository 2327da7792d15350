"""Subtitles in place of recognition: from a file or from a track of the film, and which language they are in."""

from __future__ import annotations

from vt import languages, media
from vt.domain import Cancel, JobRequest
from vt.dubbing.artifacts import Artifacts, fingerprint
from vt.errors import LanguageError, SubtitleError
from vt.languages import Language
from vt.media import MediaInfo
from vt.text import captions, identification
from vt.translatable import Message


def content(request: JobRequest, info: MediaInfo, cancel: Cancel, artifacts: Artifacts | None) -> tuple[bytes, str]:
    """Return the content of the subtitles that a request names, and the language that their track is tagged with.

    Raises:
        InputError: the file or the track cannot be read.
    """
    path = request.subtitles
    if path is not None:
        media.check_readable(path)
        captions.check_size(path.stat().st_size)
        return path.read_bytes(), ""
    track = media.subtitle_track(info, request.subtitle_track or 0)

    def extracted() -> bytes:
        return media.subtitle_text(info, track, captions.MOST_BYTES, cancel)

    if artifacts is None:
        return extracted(), track.language
    name = fingerprint("captions", artifacts.identity(request.source), track.index)
    made = artifacts.file("captions", name, ".txt", lambda place: place.write_bytes(extracted()))
    return made.read_bytes(), track.language


def decoded(content: bytes, tag: str) -> str | None:
    """Return the text of a subtitle file of any encoding, whose track has this tag of a language; None in doubt."""
    try:
        return captions.decoded(content, code_of(tag))[0]
    except SubtitleError:
        return None


def code_of(declared: str) -> str:
    """Return the code of the language that a file or track names; empty where it names none."""
    language = _known(declared)
    return language.code if language else ""


def language_of(named: Language | None, declared: str, text: str) -> tuple[Language, bool, list[Message]]:
    """Return the language of subtitles, whether it was told by their text alone, and notes on it.

    Args:
        named: by the user, which counts.
        declared: by the file or the track itself, as a code or a name; empty: not at all. It counts unless the text
            is surely in another language: many a file names a wrong one.
        text: all of them.

    Raises:
        LanguageError: nobody named it, and the text is too short to tell.
    """
    seen = _seen(text)
    if named:
        return named, False, _doubts(named, seen[0]) if seen and seen[0] != named else []
    known = _known(declared)
    if known and not (seen and identification.is_in(text, seen[0], known)):
        return known, False, [Message("The subtitles are {language}, as they say themselves.", language=known)]
    language, probability = seen or identification.language_of(text)
    notes = [
        Message(
            "The subtitles are {language}, by their text (probability {probability:.2f}).",
            language=language,
            probability=probability,
        )
    ]
    return language, True, notes


def _seen(text: str) -> tuple[Language, float] | None:
    """Return the language of a text with its probability; None where it is too short to tell."""
    try:
        return identification.language_of(text)
    except LanguageError:
        return None


def _known(declared: str) -> Language | None:
    try:
        return languages.get(declared) if declared else None
    except LanguageError:  # "several languages", "no language", and tags that people invent
        return None


def _doubts(named: Language, seen: Language) -> list[Message]:
    """Say so where the subtitles seem to be in another language than the one that was named."""
    return [
        Message(
            "The subtitles look like {language_seen}, but {language_said} was named: check the dub.",
            language_seen=seen,
            language_said=named,
        )
    ]
