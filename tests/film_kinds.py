"""The kinds of films that were tried, and what becomes of each: docs/FORMATS.md shows this, a test holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg
from tests.test_keeping import KINDS, TWO, bitmap_subtitles, of_channels, pgs, with_text
from tests.test_media import CONTAINERS
from tests.test_media_times import CHANGES, JUMPS, SURROUND, UNTOLD, beep, changing, joined, jumping, made
from tests.test_track_choice import NOTHING, Made, film, in_programs, unknown

Make = Callable[[Path], Path]
"""Makes a film in a folder."""


@dataclass(frozen=True)
class FilmKind:
    """Films of one kind, and what becomes of them."""

    group: str
    name: str
    make: Make
    kept: str = ""
    """The tracks of the dub but for the dub itself, as ffmpeg calls their codecs; empty where the film is refused."""
    said: Sequence[str] = ()
    """By the report; of a film that is refused, what is said in place of a dub, behind its name."""
    seconds: float = 2.0
    track: int = 1
    """The number of the sound track that is dubbed."""


def _film(name: str, *options: str, picture: bool = True) -> Make:
    return lambda folder: made(folder / name, *options, picture=picture)


def _second(name: str) -> Make:
    """Have a film made that has a second sound track."""

    def make(folder: Path) -> Path:
        ffmpeg(*PICTURE, *SOUND, *beep(), *TWO, *H264, "-c:a:0", "aac", *KINDS[name], folder / name)
        return folder / name

    return make


def _with(name: str, *options: str, inputs: Sequence[str] = ()) -> Make:
    """Have a film of H.264 and AAC made that has more."""

    def make(folder: Path) -> Path:
        there = [part.format(folder=folder) for part in (*inputs, *options)]
        (folder / "talk.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nHello.\n")
        (folder / "font.ttf").write_bytes(b"\0\1\0\0 a font" * 10)
        (folder / "chapters").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n")
        ffmpeg("-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", "1", "-update", "1", folder / "cover.png")
        ffmpeg(*PICTURE, *beep(), *there[: len(inputs)], *H264, *AAC, *there[len(inputs) :], folder / name)
        return folder / name

    return make


def _bitmaps(codec: str, name: str) -> Make:
    def make(folder: Path) -> Path:
        pictures = bitmap_subtitles(folder, codec)
        ffmpeg(*PICTURE, *beep(), "-i", pictures, *TWO, *H264, *AAC, "-c:s", "copy", folder / name)
        return folder / name

    return make


def _half(folder: Path) -> Path:
    path = folder / "film.mov"
    ffmpeg(*SOUND, "-c:a", "pcm_s16le", "-movflags", "+faststart", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def _spliced_mp3(folder: Path) -> Path:
    bare = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]
    one = made(folder / "a.mp3", *bare, "-b:a", "64k", picture=False)
    two = made(folder / "b.mp3", *bare, "-b:a", "192k", "-ac", "2", rate=22_050, picture=False)
    return joined(folder / "film.mp3", one, two)


def _late(folder: Path) -> Path:
    ffmpeg(*PICTURE, "-itsoffset", "0.5", *SOUND, *H264, *AAC, "-t", "2", folder / "film.mp4")
    return folder / "film.mp4"


def _silent(folder: Path) -> Path:
    ffmpeg(*PICTURE, *H264, folder / "film.mp4")
    return folder / "film.mp4"


def _pgs(folder: Path) -> Path:
    sup = pgs(folder / "one.sup")
    ffmpeg(*PICTURE, *beep(), "-f", "sup", "-i", sup, *TWO, *H264, *AAC, "-c:s", "copy", folder / "a.mkv")
    return folder / "a.mkv"


def _again(codec: str) -> str:
    return f"An original sound track was {codec}: it was encoded again as AAC."


def _encoded(codec: str) -> str:
    return f"The picture was {codec}, which cannot live in mp4: it was encoded again as H.264."


def _taken(number: int, why: str = "") -> str:
    return f"Of 2 sound tracks number {number} was taken{why}: another can be chosen."


def _in_containers() -> Iterator[FilmKind]:
    kept = {
        "mp4": ("h264, aac", []),
        "mov": ("h264, aac", []),
        "mkv": ("h264, aac", [_again("flac")]),
        "webm": ("h264, opus", [_encoded("vp8")]),
        "avi": ("mpeg4, mp3", []),
        "mpg": ("mpeg2video, mp3", []),
        "ts": ("h264, aac", []),
        "flv": ("h264, mp3", [_encoded("flv1")]),
        "wmv": ("h264, aac", [_encoded("wmv2"), _again("wmav2")]),
        "ogg": ("h264, aac", [_encoded("theora"), _again("vorbis")]),
    }
    for ending, (tracks, said) in kept.items():
        options = CONTAINERS.get(ending, AAC)
        codecs = ", ".join(part for before, part in pairwise(options) if before.startswith("-c:"))
        name = f"{ending} ({codecs})" if ending in CONTAINERS else ending
        yield FilmKind("Films by container", name, _film(f"film.{ending}", *options), tracks, said)


def _of_sound_alone() -> Iterator[FilmKind]:
    codecs = {"wav": "pcm_s16le", "mp3": "mp3", "m4a": "", "flac": "flac", "opus": "opus"}
    for ending, codec in codecs.items():
        said = [_again(codec)] if codec else []
        yield FilmKind("Sound alone", ending, _film(f"sound.{ending}", picture=False), "aac", said)


_CODECS = {"adpcm": "adpcm_ima_qt", "wma": "wmav2", "gsm": "gsm_ms", "low_mp3": "mp3", "lowest_mp3": "mp3"}
"""Of second tracks, as ffmpeg calls them, where `KINDS` does not."""


def _of_a_second_track() -> Iterator[FilmKind]:
    for name, options in KINDS.items():
        kind, _, ending = name.partition(".")
        rate = dict(pairwise(options)).get("-ar:a:1", "48000")
        codec = _CODECS.get(kind, kind)
        kept, said = ("mp3", []) if name == "mp3.mp4" else ("aac", [_again(codec)])
        shown = f"{codec} at {int(rate) / 1000:g} kHz in {ending}"
        seconds = 2.1 if name == "lowest_mp3.mkv" else 2.0  # whose packets last 72 ms, and two are silence
        track = f"h264, aac, {kept}"
        yield FilmKind("Second sound tracks", shown, _second(name), track, [_taken(1), *said], seconds)


def _changing_midway() -> Iterator[FilmKind]:
    group = "Sound that changes midway"
    for name, how in CHANGES.items():
        kept = "h264, ac3" if name.startswith("AC-3") else "h264, mp3" if name.startswith("MP2") else "h264, aac"
        make = partial(_changed, how=how)
        yield FilmKind(group, name, make, kept, seconds=4.5)
    yield FilmKind(group, "MP3 spliced of 48 and 22 kHz", _spliced_mp3, "aac", [_again("mp3")], seconds=4.1)


def _changed(folder: Path, how: tuple[str, list[str], list[str], int]) -> Path:
    return changing(folder, *how)


def _jumping() -> Iterator[FilmKind]:
    for name, offsets in JUMPS.items():
        make, seconds = partial(jumping, ending="ts", offsets=offsets), 2.0 * len(offsets)
        yield FilmKind("Joined TS whose clock jumps", f"it {name}", make, "h264, aac", seconds=seconds)


def _badly_measured() -> Iterator[FilmKind]:
    again = {"MP3": "mp3", "AC-3": "ac3", "FLAC": "flac", "WAV": "pcm_s16le"}
    for name, make in UNTOLD.items():
        codec = next((codec for sign, codec in again.items() if sign in name), "")
        is_sound = bool(codec) or name == "ADTS"
        said = [_again(codec)] if codec else []
        yield FilmKind("Lengths that headers say badly", name, make, "aac" if is_sound else "h264, aac", said)


_TRACKS = "Sound tracks"
_INVERTED = ["-c:a", "aac", "-af", "pan=stereo|c0=c0|c1=-1*c0"]
_BOTH = ["-map", "0", "-map", "1"]
_BESIDE = "Beside picture and sound"
_COVER = [*TWO, "-c:v:1", "png", "-disposition:v:1", "attached_pic"]
_FONT = ["-attach", "{folder}/font.ttf", "-metadata:s:t", "mimetype=application/x-truetype-font"]
_THREE_TEXTS = [*TWO, "-map", "2", "-map", "2", "-c:s:0", "srt", "-c:s:1", "ass", "-c:s:2", "webvtt"]
_TEXT = ["-i", "{folder}/talk.srt"]


def _of_tracks() -> Iterator[FilmKind]:
    yield FilmKind(_TRACKS, "sound that begins 0.5 s after the picture", _late, "h264, aac")
    yield FilmKind(_TRACKS, "5.1", _film("film.mkv", "-c:a", "ac3", *SURROUND), "h264, ac3")
    yield FilmKind(_TRACKS, "stereo, one channel the other inverted", _film("film.mkv", *_INVERTED), "h264, aac")
    yield FilmKind(
        _TRACKS, "a second track of 12 channels without a layout", lambda folder: of_channels(folder / "a.mov", 12, 3),
        "h264, aac, aac", [_taken(1), "An original sound track has 12 channels: they were mixed into one."],
    )  # fmt: skip
    yield FilmKind(
        _TRACKS, "German by default and English, the film said to speak English",
        lambda folder: film(folder / "a.mkv", Made("ger", flags="default"), Made("eng")),
        "h264, aac, aac", [_taken(2, ", for it is said to be English")], track=2,
    )  # fmt: skip
    yield FilmKind(
        _TRACKS, "a commentary before the film's own sound",
        lambda folder: film(folder / "a.mkv", Made(flags="default+comment"), Made()),
        "h264, aac, aac", [_taken(2)], track=2,
    )  # fmt: skip
    yield FilmKind(
        _TRACKS, "two programmes in a TS, the first of sound alone",
        lambda folder: in_programs(folder / "a.ts", "title=radio:st=0", "title=tv:st=1:st=2"),
        "h264, mp3", [_taken(2, ", for it belongs to the picture"), "The other programmes in the file were left out."],
        track=2,
    )  # fmt: skip
    yield FilmKind(
        _TRACKS, "a second track of a codec that ffmpeg does not know", lambda folder: unknown(folder / "a.mov", 2),
        "h264, aac", [_again("pcm_s16le"), "A sound track (apax) was left out: it can be neither decoded here nor kept "
        "in mp4."],
    )  # fmt: skip


def _refused() -> Iterator[FilmKind]:
    group = "Refused"
    empty = Made(source=tuple(NOTHING))
    kinds: dict[str, tuple[Make, str]] = {
        "no sound": (_silent, "FILE has no audio track: there is nothing to translate."),
        "an empty sound track": (
            lambda folder: film(folder / "a.mkv", empty),
            "The sound track of FILE is empty: nothing was recorded, or it was lost where the file was made.",
        ),
        "a codec that ffmpeg does not know": (
            lambda folder: unknown(folder / "a.mov", 1),
            "The sound of FILE is of the kind apax, which cannot be decoded here: convert it, for instance to AAC.",
        ),
        "a film that breaks off": (
            _half,
            "FILE is incomplete: it promises 2.0 s, but only 1.0 s are there. Copy or download it again.",
        ),
    }
    for name, (make, said) in kinds.items():
        yield FilmKind(group, name, make, said=[said])


def _beside() -> Iterator[FilmKind]:
    left_out = "A subtitle track ({}) was left out: mp4 holds only text."
    kinds: dict[str, tuple[Make, str, list[str]]] = {
        "a second picture": (
            _with("a.mkv", *TWO, inputs=PICTURE), "h264, aac", ["A second picture was left out: a dub has one."]
        ),
        "a cover": (_with("a.mp4", *_COVER, inputs=["-i", "{folder}/cover.png"]), "h264, aac, png cover", []),
        "chapters": (
            _with("a.mkv", *_BOTH, "-map_chapters", "2", inputs=["-f", "ffmetadata", "-i", "{folder}/chapters"]),
            "h264, aac, chapters", [],
        ),
        "a timecode (a data track)": (_with("a.mov", "-timecode", "01:00:00:00"), "h264, aac, timecode", []),
        "fonts": (
            _with("a.mkv", *_FONT), "h264, aac",
            ["What is neither sound, picture nor subtitles was left out (ttf)."],
        ),
        "text subtitles in Matroska (SRT, ASS, WebVTT)": (
            _with("a.mkv", *_THREE_TEXTS, inputs=_TEXT), "h264, aac, mov_text, mov_text, mov_text", []
        ),
        "text subtitles in mp4": (
            _with("a.mp4", *TWO, "-c:s", "mov_text", inputs=_TEXT), "h264, aac, mov_text", []
        ),
        "text subtitles in an encoding that cannot be told": (
            lambda folder: with_text(folder, "привет".encode("cp1251")), "h264, aac",
            ["A subtitle track was left out: the encoding of its text cannot be told."],
        ),
        "VobSub": (_bitmaps("dvdsub", "a.mkv"), "h264, aac", [left_out.format("dvd_subtitle")]),
        "DVB subtitles": (_bitmaps("dvbsub", "a.ts"), "h264, aac", [left_out.format("dvb_subtitle")]),
        "PGS": (_pgs, "h264, aac", [left_out.format("hdmv_pgs_subtitle")]),
    }  # fmt: skip
    for name, (make, kept, said) in kinds.items():
        yield FilmKind(_BESIDE, name, make, kept, said)


KINDS_OF_FILMS = [
    *_in_containers(),
    *_of_sound_alone(),
    *_of_a_second_track(),
    *_changing_midway(),
    *_jumping(),
    *_badly_measured(),
    *_of_tracks(),
    *_beside(),
    *_refused(),
]
"""Of two seconds each where nothing else is said."""
