"""Which tracks of a film its dub keeps, and how: copied, encoded again, or left out with a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from vt.media.codecs import is_decodable, labelling_filter, mixing_filter
from vt.media.probing import MediaInfo, Track
from vt.media.text_tracks import holds_text
from vt.translatable import Message

_IN_M4A = {"aac", "alac", "xHE-AAC"}
_IN_MP4_AUDIO = {*_IN_M4A, "mp3", "mp2", "ac3", "eac3", "opus"}
_IN_MP4_COVER = {"mjpeg", "png", "bmp"}
_LOWEST_MP3_RATE = 16_000
"""In hertz. MPEG-2.5, which goes below, is no part of the standard that mp4 refers to."""
_QUIETLY_LEFT_OUT = {"tmcd", "text", "bin_data", "rtp"}
"""Timecode and chapters, which are written anew, and hints for servers: nobody misses them."""
_AAC = {"c": "aac", "b": "192k"}


class Extent(IntEnum):
    """How much of a film is kept beside its picture: less where all of it cannot be written."""

    DUB = 0
    ORIGINAL = 1
    """The dub and the sound that was dubbed."""
    ALL = 2


@dataclass(frozen=True, slots=True)
class Kept:
    """A track that is kept, and by which options of ffmpeg; none but the codec where it is copied."""

    track: Track
    options: Mapping[str, str]
    file: Path | None = None
    """Of a text: what says the same in UTF-8, where the film does not; its ending names its format."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of a film, in the order of the result, and sentences about what could not be kept as it was."""

    sounds: list[Kept] = field(default_factory=list)
    """The one that was dubbed first."""
    has_original: bool = False
    subtitles: list[Kept] = field(default_factory=list)
    covers: list[Track] = field(default_factory=list)
    notes: list[Message] = field(default_factory=list)


def text_tracks(info: MediaInfo) -> list[Track]:
    """Return the subtitles of a film that an mp4 can hold."""
    return [
        track for track in info.subtitles if holds_text(track) and is_decodable(track) and not info.is_foreign(track)
    ]


def keeping(info: MediaInfo, original: Track | None, texts: Mapping[int, Path | None], extent: Extent) -> Keeping:
    """Decide what is kept of a film.

    Args:
        info: of the film.
        original: the track that was dubbed; None for a film without sound.
        texts: where each track in `text_tracks` is read, by its index; None where it cannot be.
        extent: how much is to be kept.
    """
    kept = Keeping(has_original=False)
    if original and extent >= Extent.ORIGINAL:
        kept = Keeping(has_original=_keep_sound(kept, info, original), sounds=kept.sounds, notes=kept.notes)
    if extent == Extent.ALL:
        _keep_further(kept, info, original, texts)
    return kept


def _keep_further(kept: Keeping, info: MediaInfo, original: Track | None, texts: Mapping[int, Path | None]) -> None:
    for track in info.audio:
        if track is not original and not info.is_foreign(track):
            _keep_sound(kept, info, track)
    for track in info.subtitles:
        if not info.is_foreign(track):
            _keep_subtitles(kept, info, track, texts)
    kept.covers.extend(track for track in info.covers if track.codec in _IN_MP4_COVER and track.width)
    _note_the_rest(kept, info, original)


def _keep_sound(kept: Keeping, info: MediaInfo, track: Track) -> bool:
    """Keep a sound track where that is possible, and return whether it is."""
    if not track.sample_rate or not track.channels:
        kept.notes.append(Message("A sound track was left out: it is empty."))
        return False
    if _is_copied(info, track):
        kept.sounds.append(Kept(track, {"c": "copy"}))
        return True
    if not is_decodable(track):
        kept.notes.append(
            Message(
                "A sound track ({codec}) was left out: it can be neither decoded here nor kept in mp4.",
                codec=track.codec or "?",
            )
        )
        return False
    mixing = mixing_filter(track)
    if mixing:
        kept.notes.append(
            Message("An original sound track has {count} channels: they were mixed into one.", count=track.channels)
        )
    else:
        kept.notes.append(
            Message("An original sound track was {codec}: it was encoded again as AAC.", codec=track.codec)
        )
    labelled = mixing or labelling_filter(track)
    kept.sounds.append(Kept(track, _AAC | ({"filter": labelled} if labelled else {})))
    return True


def _is_copied(info: MediaInfo, track: Track) -> bool:
    if track.codec == "mp3" and track.sample_rate < _LOWEST_MP3_RATE:
        return False
    return track.codec in (_IN_MP4_AUDIO if info.video else _IN_M4A)


def _keep_subtitles(kept: Keeping, info: MediaInfo, track: Track, texts: Mapping[int, Path | None]) -> None:
    if track.index not in texts:
        kept.notes.append(
            Message("A subtitle track ({codec}) was left out: mp4 holds only text.", codec=track.codec or "?")
        )
    elif file := texts[track.index]:
        kept.subtitles.append(Kept(track, {"c": "mov_text"}, file if file != info.path else None))
    else:
        kept.notes.append(Message("A subtitle track was left out: the encoding of its text cannot be told."))


def _note_the_rest(kept: Keeping, info: MediaInfo, original: Track | None) -> None:
    if any(not track.width for track in info.covers):
        kept.notes.append(Message("A cover was left out: it is too large, or damaged."))
    further = [*info.audio, *info.subtitles, *info.further_pictures]
    foreign = [track for track in further if track is not original and info.is_foreign(track)]
    if foreign:
        kept.notes.append(Message("The other programmes in the file were left out."))
    if any(track not in foreign for track in info.further_pictures):
        kept.notes.append(Message("A second picture was left out: a dub has one."))
    data = sorted({track.codec for track in info.data if track.codec and track.codec not in _QUIETLY_LEFT_OUT})
    if data:
        kept.notes.append(
            Message("What is neither sound, picture nor subtitles was left out ({kinds}).", kinds=", ".join(data))
        )
