"""What a dub keeps of a film beside its picture, on real files of the kinds that an mp4 does not take as they are."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import films
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg, streams
from vt import media
from vt.domain import Cancel
from vt.errors import Cancelled
from vt.media import Named
from vt.translatable import Message

NAMED = (Named("spa", "español (dubbed)"), Named("eng", "English (original)"))
TWO = ["-map", "0", "-map", "1", "-map", "2"]
RATE = media.SPEECH_RATE


@pytest.fixture(scope="module")
def dub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dub") / "dub.m4a"
    ffmpeg(*SOUND, *AAC, path)
    return path


def muxed(path: Path, dub: Path, **more: Any) -> tuple[list[dict[str, Any]], list[Message]]:  # noqa: ANN401
    """Write a film with its dub, and return the streams of the result and the notes."""
    info = media.probe(path)
    target = path.with_name("out.mp4")
    notes = media.mux(info, info.audio[0], dub, NAMED, [], target, **more)
    return streams(target), notes


def sounds(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(stream["codec_name"], stream["channels"]) for stream in found if stream["codec_type"] == "audio"]


KINDS = {
    "pcm_s16le.mov": ["-c:a:1", "pcm_s16le"],
    "pcm_s24be.mov": ["-c:a:1", "pcm_s24be"],
    "pcm_f32le.mkv": ["-c:a:1", "pcm_f32le", "-ar:a:1", "192000"],
    "pcm_mulaw.mov": ["-c:a:1", "pcm_mulaw", "-ar:a:1", "8000"],
    "adpcm.mov": ["-c:a:1", "adpcm_ima_qt"],
    "flac.mkv": ["-c:a:1", "flac"],
    "vorbis.mkv": ["-c:a:1", "libvorbis"],
    "wma.mkv": ["-c:a:1", "wmav2"],
    "dts.mkv": ["-c:a:1", "dca", "-strict", "-2"],
    "truehd.mkv": ["-c:a:1", "truehd", "-strict", "-2"],
    "gsm.mov": ["-c:a:1", "libgsm_ms", "-ar:a:1", "8000"],
    "mp3.mp4": ["-c:a:1", "libmp3lame", "-ar:a:1", "22050"],
    "low_mp3.mov": ["-c:a:1", "libmp3lame", "-ar:a:1", "11025"],
    "lowest_mp3.mkv": ["-c:a:1", "libmp3lame", "-ar:a:1", "8000"],
    "speex.mkv": ["-c:a:1", "libspeex", "-ar:a:1", "16000"],
}


@pytest.mark.parametrize("name", KINDS)
def test_a_second_track_of_any_kind_stays_as_long_as_it_was(tmp_path: Path, dub: Path, name: str) -> None:
    path = tmp_path / name
    made = subprocess.run(
        [*films.FFMPEG, *PICTURE, *SOUND, *SOUND, *TWO, *H264, "-c:a:0", "aac", *KINDS[name], str(path)],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("the ffmpeg that is installed does not write this kind")
    found, notes = muxed(path, dub)
    assert [codec for codec, _ in sounds(found)][:2] == ["aac", "aac"]
    assert float(found[3]["duration"]) == pytest.approx(2.0, abs=0.2)
    assert not [note for note in notes if "left out" in note]


def of_channels(path: Path, count: int, spoken: int) -> Path:
    """Make a film with a track of so many channels that no layout names, one of which holds a tone."""
    samples = np.zeros((2 * RATE, count), np.int16)
    samples[:, spoken] = 8000 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    samples.tofile(path.with_suffix(".raw"))
    raw = ["-f", "s16le", "-ar", str(RATE), "-ac", str(count), "-i", str(path.with_suffix(".raw"))]
    ffmpeg(*PICTURE, *SOUND, *raw, *TWO, *H264, "-c:a:0", "aac", "-c:a:1", "pcm_s16le", path)
    return path


@pytest.mark.soak
@pytest.mark.parametrize(("count", "spoken"), [(10, 0), (12, 3), (16, 15), (32, 30)])
def test_many_channels_without_a_layout_are_mixed_and_every_one_is_heard(
    tmp_path: Path, dub: Path, count: int, spoken: int
) -> None:
    path = of_channels(tmp_path / "film.mov", count, spoken)
    info = media.probe(path)
    assert info.audio[1].channels == count
    samples = media.extract(info, info.audio[1], tmp_path / "pcm")
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.1)
    assert abs(samples[RATE // 2 :].astype(float)).max() > 500
    found, notes = muxed(path, dub)
    assert sounds(found)[2] == ("aac", 1)
    assert f"An original sound track has {count} channels: they were mixed into one." in notes


@pytest.mark.parametrize("spoken", [3, 5])
def test_a_few_channels_without_a_layout_are_heard_alike(tmp_path: Path, spoken: int) -> None:
    info = media.probe(of_channels(tmp_path / "film.mov", 6, spoken))
    track = replace(info.audio[1], layout="")
    samples = media.extract(info, track, tmp_path / "pcm")
    assert abs(samples[RATE // 2 :].astype(float)).max() > 1000


# Pictures, subtitles and the rest


def test_a_second_picture_is_left_out_and_the_user_is_told(tmp_path: Path, dub: Path) -> None:
    path = tmp_path / "film.mkv"
    ffmpeg(*PICTURE, *SOUND, *PICTURE, *TWO, *H264, *AAC, path)
    found, notes = muxed(path, dub)
    assert [stream["codec_type"] for stream in found] == ["video", "audio", "audio"]
    assert notes == ["A second picture was left out: a dub has one."]


@pytest.mark.parametrize(("codec", "name"), [("dvdsub", "film.mkv"), ("dvbsub", "film.ts")])
def test_subtitles_that_are_pictures_are_left_out_and_the_user_is_told_once(
    tmp_path: Path, dub: Path, codec: str, name: str
) -> None:
    path = tmp_path / name
    made = bitmap_subtitles(tmp_path, codec)
    ffmpeg(*PICTURE, *SOUND, "-i", made, "-i", made, *TWO, "-map", "3", *H264, *AAC, "-c:s", "copy", path)
    info = media.probe(path)
    assert len(info.subtitles) == 2
    found, notes = muxed(path, dub)
    assert [stream["codec_type"] for stream in found] == ["video", "audio", "audio"]
    assert len([note for note in notes if "mp4 holds only text" in note]) == 1


def bitmap_subtitles(folder: Path, codec: str) -> Path:
    """Make a track of subtitles that are pictures, from a file of the format of the Blu-ray: one, and its end."""
    target = folder / "bitmaps.mkv"
    ffmpeg("-f", "sup", "-i", pgs(folder / "one.sup"), "-c:s", codec, target)
    return target


def pgs(path: Path) -> Path:
    """Make a file of subtitles of the Blu-ray: one, and its end."""
    path.write_bytes(_segments(0, True) + _segments(1, False))
    return path


def _segments(second: int, shows: bool) -> bytes:
    """Return one display set of HDMV PGS (US 2009/0185789 A1): 8 times 8 points of one colour, or nothing."""

    def segment(kind: int, content: bytes) -> bytes:
        at = (90_000 * (second + 1) // 2).to_bytes(4, "big")
        return b"PG" + at + bytes(4) + bytes([kind]) + len(content).to_bytes(2, "big") + content

    shown = bytes([0, 0, 0, 0]) + bytes([0, 4, 0, 4]) if shows else b""
    state = b"\x80" if shows else b"\x00"
    composition = bytes([0, 64, 0, 36, 0x10, 0, second]) + state + bytes([0, 0, int(shows)]) + shown
    window = bytes([1, 0, 0, 4, 0, 4, 0, 8, 0, 8])
    if not shows:
        return segment(0x16, composition) + segment(0x17, window) + segment(0x80, b"")
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    line = bytes([1] * 8 + [0, 0])
    rows = line * 8
    picture = bytes([0, 0, 0, 0xC0]) + (len(rows) + 4).to_bytes(3, "big") + bytes([0, 8, 0, 8]) + rows
    sets = segment(0x16, composition) + segment(0x17, window) + segment(0x14, palette) + segment(0x15, picture)
    return sets + segment(0x80, b"")


def test_subtitles_of_the_blu_ray_are_left_out(tmp_path: Path, dub: Path) -> None:
    sup = pgs(tmp_path / "one.sup")
    ffmpeg(*PICTURE, *SOUND, "-f", "sup", "-i", sup, *TWO, *H264, *AAC, "-c:s", "copy", tmp_path / "film.mkv")
    found, notes = muxed(tmp_path / "film.mkv", dub)
    assert [stream["codec_type"] for stream in found] == ["video", "audio", "audio"]
    assert notes == ["A subtitle track (hdmv_pgs_subtitle) was left out: mp4 holds only text."]


def test_fonts_are_left_out_and_the_text_that_they_were_for_is_kept(tmp_path: Path, dub: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"\0\1\0\0 a font" * 10)
    (tmp_path / "t.ass").write_text(
        "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Start, End, Text\n"
        "Dialogue: 0:00:00.10,0:00:01.00,{\\fnA}Hi\n"
    )
    attached = ["-attach", str(tmp_path / "a.ttf"), "-metadata:s:t", "mimetype=application/x-truetype-font"]
    path = tmp_path / "film.mkv"
    ffmpeg(*PICTURE, *SOUND, "-i", tmp_path / "t.ass", *TWO, *H264, *AAC, "-c:s", "copy", *attached, path)
    found, notes = muxed(path, dub)
    assert [stream["codec_type"] for stream in found] == ["video", "audio", "audio", "subtitle"]
    assert notes == ["What is neither sound, picture nor subtitles was left out (ttf)."]


def test_timecode_and_chapters_are_no_loss(tmp_path: Path, dub: Path) -> None:
    (tmp_path / "meta").write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n")
    path = tmp_path / "film.mov"
    meta = ["-f", "ffmetadata", "-i", str(tmp_path / "meta"), "-map", "0", "-map", "1", "-map_metadata", "2"]
    ffmpeg(*PICTURE, *SOUND, *meta, *H264, *AAC, "-timecode", "01:00:00:00", path)
    assert {track.codec for track in media.probe(path).data} & {"tmcd", "bin_data", "text"}
    found, notes = muxed(path, dub)
    assert notes == []
    assert [stream["codec_type"] for stream in found][:3] == ["video", "audio", "audio"]


# Where things are in the file


def places(path: Path, stream: str) -> dict[int, int]:
    """Return where the packets of a stream are in a file, in bytes, by the seconds at which they are shown."""
    shown = ["-show_entries", "packet=pts_time,pos", "-of", "csv=p=0"]
    told = subprocess.run(["ffprobe", "-v", "error", "-select_streams", stream, *shown, path], capture_output=True,
                          check=True, text=True).stdout  # fmt: skip
    packets = [line.split(",")[:2] for line in told.split()]
    return {round(float(at)): int(place) for at, place in packets}


@pytest.mark.parametrize("text", ["srt", "ass", "webvtt", "mov_text"])
def test_the_dub_stands_beside_its_picture_in_the_file_though_subtitles_end_early(tmp_path: Path, text: str) -> None:
    film = tmp_path / ("film.mp4" if text == "mov_text" else "film.mkv")
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nHi\n")
    long = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=60", "-f", "lavfi", "-i", "sine=duration=60"]
    ffmpeg(*long, "-i", tmp_path / "a.srt", *TWO, *H264, *AAC, "-c:s", text, film)
    ffmpeg(*long[4:], *AAC, tmp_path / "dub.m4a")
    found, notes = muxed(film, tmp_path / "dub.m4a")
    assert ([stream["codec_type"] for stream in found], notes) == (["video", "audio", "audio", "subtitle"], [])
    _, times, words, *_ = texts(tmp_path / "out.mp4").decode().splitlines()
    assert (words, times[:11]) == ("Hi", texts(film).decode().splitlines()[1][:11])  # ASS knows hundredths only
    beside_each_other(tmp_path / "out.mp4")


def beside_each_other(path: Path) -> None:
    picture, dub = places(path, "v:0"), places(path, "a:0")
    for second in (15, 30, 45):
        assert abs(picture[second] - dub[second]) < path.stat().st_size / 8


@pytest.mark.soak
def test_the_dub_stands_beside_its_picture_in_the_file_though_there_are_covers(tmp_path: Path) -> None:
    long = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=60", "-f", "lavfi", "-i", "sine=duration=60"]
    for name, colour in (("red.png", "red"), ("blue.jpg", "blue")):
        ffmpeg("-f", "lavfi", "-i", f"color={colour}:size=32x32:rate=1:duration=1", "-frames:v", "1", tmp_path / name)
    covers: list[str | Path] = ["-i", tmp_path / "red.png", "-i", tmp_path / "blue.jpg"]
    maps = [part for place in range(4) for part in ("-map", str(place))]
    kinds = ["-c:v:1", "copy", "-c:v:2", "copy", "-disposition:v:1", "attached_pic", "-disposition:v:2", "attached_pic"]
    ffmpeg(*long, *covers, *maps, *H264, *AAC, *kinds, tmp_path / "film.mp4")
    ffmpeg(*long[4:], *AAC, tmp_path / "dub.m4a")
    found, notes = muxed(tmp_path / "film.mp4", tmp_path / "dub.m4a")
    kept = [(stream["codec_name"], stream["disposition"]["attached_pic"]) for stream in found]
    assert kept == [("h264", 0), ("aac", 0), ("aac", 0), ("png", 1), ("mjpeg", 1)]
    assert notes == []
    beside_each_other(tmp_path / "out.mp4")


# Text in other encodings than UTF-8


def with_text(folder: Path, *contents: bytes) -> Path:
    """Make a film whose subtitles hold these bytes, whatever encoding they are in."""
    inputs: list[str] = []
    for place, content in enumerate(contents):
        (folder / f"{place}.srt").write_bytes(b"1\n00:00:00,100 --> 00:00:01,000\n" + content + b"\n")
        inputs += ["-i", str(folder / f"{place}.srt")]
    maps = [part for place in range(2 + len(contents)) for part in ("-map", str(place))]
    ffmpeg(*PICTURE, *SOUND, *inputs, *maps, *H264, *AAC, "-c:s", "copy", folder / "film.mkv")
    return folder / "film.mkv"


def texts(film: Path) -> bytes:
    return ffmpeg("-i", film, "-map", "0:s:0", "-f", "srt", "pipe:1")


def windows_1252(content: bytes, language: str) -> str:
    """Take every text for one of Western Europe."""
    del language
    return content.decode("cp1252")


def test_text_in_an_encoding_that_is_told_becomes_utf_8(tmp_path: Path, dub: Path) -> None:
    path = with_text(tmp_path, "mañana".encode("cp1252"))
    found, notes = muxed(path, dub, decode=windows_1252)
    assert [stream["codec_type"] for stream in found][3:] == ["subtitle"]
    assert "mañana".encode() in texts(tmp_path / "out.mp4")
    assert notes == []


def test_text_in_an_encoding_that_nobody_can_tell_is_left_out_and_other_text_kept(tmp_path: Path, dub: Path) -> None:
    path = with_text(tmp_path, "привет".encode("cp1251"), "mañana".encode())
    found, notes = muxed(path, dub)
    assert [stream["codec_type"] for stream in found][3:] == ["subtitle"]
    assert "mañana".encode() in texts(tmp_path / "out.mp4")
    assert notes == ["A subtitle track was left out: the encoding of its text cannot be told."]


def test_a_line_with_a_broken_sign_is_kept_without_it(tmp_path: Path, dub: Path) -> None:
    def without_broken_signs(content: bytes, language: str) -> str:
        del language
        return content.decode("utf-8", "ignore")

    path = with_text(tmp_path, "mañana".encode() + b"\xff")
    found, notes = muxed(path, dub, decode=without_broken_signs)
    assert [stream["codec_type"] for stream in found][3:] == ["subtitle"]
    assert "mañana".encode() in texts(tmp_path / "out.mp4")
    assert notes == []


@pytest.mark.soak
def test_text_that_is_decoded_keeps_its_place_language_and_title(tmp_path: Path, dub: Path) -> None:
    film = with_text(tmp_path, b"one", "mañana".encode("cp1252"), b"three")
    tags = ["language=eng", "language=spa", "language=deu"]
    named = [part for at, tag in enumerate(tags) for part in (f"-metadata:s:s:{at}", tag)]
    path = tmp_path / "tagged.mkv"
    ffmpeg("-i", film, "-map", "0", "-c", "copy", *named, "-metadata:s:s:1", "title=Full", path)
    found, notes = muxed(path, dub, decode=windows_1252)
    kept = [stream["tags"] for stream in found if stream["codec_type"] == "subtitle"]
    assert [tag["language"] for tag in kept] == ["eng", "spa", "deu"]
    assert kept[1]["handler_name"] == "Full"
    assert "mañana".encode() in ffmpeg("-i", tmp_path / "out.mp4", "-map", "0:s:1", "-f", "srt", "pipe:1")
    assert notes == []


# Where ffmpeg fails on what should have been kept


def test_a_track_that_cannot_be_written_costs_the_further_tracks_and_not_the_dub(tmp_path: Path, dub: Path) -> None:
    ffmpeg(*PICTURE, *SOUND, *SOUND, *TWO, *H264, *AAC, tmp_path / "film.mp4")
    info = media.probe(tmp_path / "film.mp4")
    info = replace(info, audio=(info.audio[0], replace(info.audio[1], index=9)))
    notes = media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert [stream["codec_type"] for stream in streams(tmp_path / "out.mp4")] == ["video", "audio", "audio"]
    assert notes == ["The further tracks of the film were left out: ffmpeg could not write them."]


def test_an_original_that_cannot_be_written_does_not_cost_the_dub(tmp_path: Path, dub: Path) -> None:
    info = media.probe(films.film(tmp_path / "film.mp4"))
    info = replace(info, audio=(replace(info.audio[0], index=9),))
    notes = media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert [stream["codec_type"] for stream in streams(tmp_path / "out.mp4")] == ["video", "audio"]
    assert notes == ["All sound of the film but the dub was left out: ffmpeg could not write it."]


def test_a_cancel_is_no_reason_to_write_less(tmp_path: Path, dub: Path) -> None:
    info, cancel = media.probe(films.film(tmp_path / "film.mp4")), Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4", cancel)
