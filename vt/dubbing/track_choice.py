"""Which of a film's sound tracks is dubbed: the one that was named, else the likeliest, and the note that says so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vt import languages, media
from vt.domain import JobRequest
from vt.errors import EmptyTrack, MediaError
from vt.languages import Language
from vt.media import MediaInfo, Track
from vt.translatable import Message

_BESIDE_THE_FILM = re.compile(r"\b(?:commentary|comments|audio description|descriptive|described)\b", re.IGNORECASE)
"""In a title: what many files flag in no other way."""


@dataclass(frozen=True, slots=True)
class TrackChoice:
    """The sound tracks that come into question."""

    ranked: tuple[Track, ...]
    """Best first: one is listened to where those before it are silent. Empty for a film without sound."""
    notes: tuple[Message, ...] = ()
    """Which was taken of several, and why."""


def choose(info: MediaInfo, request: JobRequest) -> TrackChoice:
    """Return the track to dub, and those that take its place should it be silent: none where it was named.

    Raises:
        MediaError: there is no track of that number, or none that can be heard where it has to be.
    """
    if request.audio_track is not None:
        chosen = _named(info, request.audio_track)
        if not request.reads_subtitles and not _is_hearable(chosen):
            raise _unheard(info, [chosen])
        return TrackChoice((chosen,))
    hearable = [track for track in info.audio if _is_hearable(track)]
    if info.audio and not hearable and not request.reads_subtitles:
        raise _unheard(info, info.audio)
    wanted = request.source_language
    own = [track for track in hearable if not info.is_foreign(track)]
    ranked = sorted(own or hearable or info.audio, key=lambda track: _rank(track, wanted))
    notes = (_taken(info, ranked[0], wanted),) if len(hearable) > 1 else ()
    return TrackChoice(tuple(ranked), notes)


def number_of(info: MediaInfo, track: Track) -> int:
    """Return the number by which users name a sound track, from 1."""
    return info.audio.index(track) + 1


def list_of(info: MediaInfo, tracks: Sequence[Track]) -> str:
    """Return the numbers of some sound tracks, and what is known of each: `2 (English), 3`."""
    return ", ".join(f"{number_of(info, track)}{_known(track)}" for track in tracks)


def _known(track: Track) -> str:
    tagged = language_of(track)
    known = str(tagged) if tagged else track.title or track.language
    return f" ({known})" if known else ""


def language_of(track: Track) -> Language | None:
    """Return the language that a track is tagged with; None for "several languages" and tags that people invent."""
    return languages.find(track.language)


def _named(info: MediaInfo, number: int) -> Track:
    if not 1 <= number <= len(info.audio):
        raise MediaError(
            "{file} has no audio track {number}: it has {count}.", file=info.path, number=number, count=len(info.audio)
        )
    return info.audio[number - 1]


def _is_hearable(track: Track) -> bool:
    return bool(track.sample_rate and track.channels) and media.is_decodable(track)


def _unheard(info: MediaInfo, tracks: Sequence[Track]) -> MediaError:
    """Return what to raise where none of the tracks can be heard."""
    closed = next((track for track in tracks if not media.is_decodable(track)), None)
    if closed is None:
        return EmptyTrack(info.path)
    return MediaError(
        "The sound of {file} is of the kind {codec}, which cannot be decoded here: convert it, for instance to AAC.",
        file=info.path,
        codec=closed.codec or "?",
    )


def _rank(track: Track, wanted: Language | None) -> tuple[bool, bool, bool]:
    """Return a key by which the likeliest track is the first; of equals the first in the file is.

    The language comes first: a commentary in the language that the film is said to speak can be dubbed, a main track
    in another would only be taken for it.
    """
    beside = track.is_secondary or bool(_BESIDE_THE_FILM.search(track.title))
    return not (wanted and _speaks(track, wanted)), beside, not track.is_default


def _speaks(track: Track, wanted: Language) -> bool:
    """Return whether a track is said to be in a language, by its tag or, where that names none, by its title."""
    if tagged := language_of(track):
        return tagged == wanted or (bool(wanted.whisper) and tagged.whisper == wanted.whisper)
    title = _words(track.title)
    return any(_words(name) in title for name in (wanted.name, wanted.native_name) if name)


def _words(text: str) -> str:
    words = re.findall(r"\w+", text.casefold())
    return f" {' '.join(words)} "


def _taken(info: MediaInfo, track: Track, wanted: Language | None) -> Message:
    number, count = number_of(info, track), len(info.audio)
    if wanted and _speaks(track, wanted):
        return Message(
            "Of {count} sound tracks number {number} was taken, for it is said to be {language}: "
            "another can be chosen.",
            count=count,
            number=number,
            language=wanted,
        )
    if any(info.is_foreign(other) for other in info.audio[: number - 1]):
        return Message(
            "Of {count} sound tracks number {number} was taken, for it belongs to the picture: another can be chosen.",
            count=count,
            number=number,
        )
    return Message(
        "Of {count} sound tracks number {number} was taken: another can be chosen.",
        count=count,
        number=number,
    )
