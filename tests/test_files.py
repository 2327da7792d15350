"""Files as people have them: every container, odd tracks and times; each is dubbed, and nothing in it is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.asking import asked
from tests.conftest import SAMPLE
from tests.films import decoded, ffmpeg, packets_md5, streams
from tests.test_factory import settings
from vt import media
from vt.dubbing import pipeline
from vt.errors import InputError
from vt.factory import AIServiceFactory

RATE = 16_000
X264 = ("-c:v", "libx264", "-preset", "ultrafast")
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k")


@dataclass(frozen=True)
class Source:
    """The end of the sample, two sentences, and what else a file may hold."""

    folder: Path

    @property
    def film(self) -> Path:
        return self.folder / "film.mp4"

    @property
    def kept(self) -> Path:
        return self.folder / "kept.srt"

    @property
    def cover(self) -> Path:
        return self.folder / "cover.jpg"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    made = Source(tmp_path_factory.mktemp("source"))
    ffmpeg("-ss", "17.8", "-i", SAMPLE, "-s", "64x36", *X264, "-c:a", "aac", made.film)
    made.kept.write_text("1\n00:00:01,000 --> 00:00:03,000\nkept\n", encoding="utf-8")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", made.cover)
    return made


@pytest.fixture(scope="module")
def factory() -> AIServiceFactory:
    return AIServiceFactory(settings(whisper_model="tiny.en"))


@dataclass(frozen=True)
class Dub:
    """What came out."""

    film: Path
    report: dict[str, Any]

    @property
    def kinds(self) -> list[str]:
        return [stream["codec_type"] for stream in streams(self.film)]


def _dub(factory: AIServiceFactory, film: Path, tmp_path: Path, **request: Any) -> Dub:  # noqa: ANN401
    folder = tmp_path / "work"
    folder.mkdir()
    result = pipeline.dub(asked(film, request.pop("to", "es"), **request), factory, folder)
    return Dub(result.files[0], result.report.as_json())


def _heard(dub: Dub) -> str:
    return " ".join(segment["source_text"] for segment in dub.report["segments"])


MADE: dict[str, list[str]] = {
    "a.mov": ["-c", "copy"],
    "a.mkv": ["-c", "copy"],
    "vp8.webm": [*VP8, "-c:a", "libvorbis"],
    "vp9.webm": [*VP9, "-c:a", "libopus"],
    "a.avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "a.mpg": ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "a.ts": ["-c", "copy"],
    "a.ogv": ["-c:v", "libtheora", "-c:a", "libvorbis"],
    "surround.mkv": ["-c:v", "copy", "-af", "pan=5.1|FC=c0", "-c:a", "ac3"],
    "telephone.mkv": ["-c:v", "copy", "-ar", "8000", "-c:a", "pcm_s16le"],
    "variable.mp4": ["-vf", "select='mod(n,7)*mod(n,3)'", "-fps_mode", "vfr", *X264, "-c:a", "copy"],
    "timecode.mov": ["-c", "copy", "-timecode", "01:00:00:00"],
    "later.ts": ["-c", "copy", "-output_ts_offset", "100"],
    "later.mkv": ["-c", "copy", "-output_ts_offset", "50", "-avoid_negative_ts", "disabled"],
}
ENCODED = {"vp8.webm": "vp8", "a.ogv": "theora"}


@pytest.mark.parametrize("name", MADE)
def test_a_film_of_any_container_is_heard_and_comes_back_as_mp4_with_its_picture_as_long(
    source: Source, factory: AIServiceFactory, tmp_path: Path, name: str
) -> None:
    film = tmp_path / name
    ffmpeg("-i", source.film, *MADE[name], film)
    dub = _dub(factory, film, tmp_path)
    assert dub.film.name == f"{film.stem}.es.mp4"
    assert dub.kinds[:5] == ["video", "audio", "audio", "subtitle", "subtitle"]
    assert "respectable" in _heard(dub)
    assert dub.report["segments"][0]["start"] == pytest.approx(0.7, abs=0.3)
    frames = media.probe(film).frame_seconds
    (count, seconds), (before, seconds_before) = _picture(dub.film), _picture(film)
    assert count == before
    if name != "a.mpg":  # most of its frames have no times of their own
        assert abs(seconds - seconds_before) <= max(frames, 0.04) * 1.01
    if name in ENCODED:
        assert streams(dub.film)[0]["codec_name"] == "h264"
        assert any(ENCODED[name] in note for note in dub.report["notes"])
    elif name not in ("a.ts", "later.ts"):  # there the packets are the same but for their framing
        assert packets_md5(dub.film) == packets_md5(film) or name in ("a.mpg", "a.avi")


def _picture(film: Path) -> tuple[int, float]:
    """Return how many frames a film's picture has, and how long they last."""
    argv = ["-i", f"file:{film}", "-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "crc32", "pipe:1"]
    lines = ffmpeg(*argv).decode().splitlines()
    base = next(line.split()[-1] for line in lines if line.startswith("#tb"))
    rows = [line.split(",") for line in lines if not line.startswith("#")]
    timed = [row for row in rows if int(row[2]) >= 0]  # a packet without a time has the least integer there is
    above, below = (int(part) for part in base.split("/"))
    begins, ends = (min(int(row[2]) for row in timed), max(int(row[2]) + int(row[3]) for row in timed))
    return len(rows), (ends - begins) * above / below


@pytest.mark.soak
def test_a_recording_without_a_length_in_its_header_is_measured(
    source: Source, factory: AIServiceFactory, tmp_path: Path
) -> None:
    film = tmp_path / "browser.webm"
    film.write_bytes(ffmpeg("-i", source.film, *VP8, "-c:a", "libopus", "-f", "webm", "pipe:1"))
    assert media.probe(film).is_measured
    assert _dub(factory, film, tmp_path).report["source"]["duration_seconds"] == pytest.approx(12.8, abs=0.1)


@pytest.mark.soak
def test_sound_that_begins_late_is_dubbed_at_the_right_time(
    source: Source, factory: AIServiceFactory, tmp_path: Path
) -> None:
    film = tmp_path / "late.mkv"
    ffmpeg("-i", source.film, "-itsoffset", "2", "-i", source.film, "-map", "0:v", "-map", "1:a", "-c", "copy", film)
    dub = _dub(factory, film, tmp_path)
    assert dub.report["segments"][0]["placed_start"] == pytest.approx(2.6, abs=0.3)
    samples = np.abs(decoded(dub.film, RATE).astype(float))
    assert np.argmax(samples > 1000) / RATE == pytest.approx(2.6, abs=0.3)
    assert [float(stream["start_time"]) for stream in streams(dub.film)[1:3]] == pytest.approx([0, 1.98], abs=0.03)


@pytest.mark.soak
def test_a_turned_picture_stays_turned(source: Source, factory: AIServiceFactory, tmp_path: Path) -> None:
    film = tmp_path / "phone.mov"
    ffmpeg("-i", source.film, "-c", "copy", "-metadata:s:v", "rotate=90", film)
    turned = [side["rotation"] for side in streams(film)[0].get("side_data_list", [])]
    dub = _dub(factory, film, tmp_path)
    assert [side["rotation"] for side in streams(dub.film)[0].get("side_data_list", [])] == turned


@pytest.mark.parametrize(("name", "codec"), [("a.mp3", "libmp3lame"), ("a.ogg", "libvorbis")])
def test_sound_alone_gives_an_m4a_with_subtitles(
    source: Source, factory: AIServiceFactory, tmp_path: Path, name: str, codec: str
) -> None:
    sound = tmp_path / name
    ffmpeg("-i", source.film, "-vn", "-c:a", codec, sound)
    dub = _dub(factory, sound, tmp_path)
    assert dub.film.name == "a.es.m4a"
    assert dub.kinds == ["audio", "audio", "subtitle", "subtitle"]
    assert "respectable" in _heard(dub)


@pytest.mark.parametrize("name", ["song.m4a", "clip.mp4"])
@pytest.mark.soak
def test_cover_art_is_no_film_and_is_kept(source: Source, factory: AIServiceFactory, tmp_path: Path, name: str) -> None:
    film = tmp_path / name
    first = ["-map", "0:a"] if name.endswith("m4a") else ["-map", "0"]
    place = "0" if name.endswith("m4a") else "1"
    argv = [*first, "-map", "1", "-c", "copy", f"-disposition:v:{place}", "attached_pic"]
    ffmpeg("-i", source.film, "-i", source.cover, *argv, film)
    dub = _dub(factory, film, tmp_path)
    assert dub.film.suffix == film.suffix
    covers = [stream for stream in streams(dub.film) if stream["disposition"]["attached_pic"]]
    assert [cover["codec_name"] for cover in covers] == ["mjpeg"]


@pytest.mark.soak
def test_subtitles_that_are_in_the_film_are_kept(source: Source, factory: AIServiceFactory, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    argv = ["-map", "0", "-map", "1", "-c", "copy", "-c:s", "srt", "-metadata:s:s:0", "language=deu"]
    ffmpeg("-i", source.film, "-i", source.kept, *argv, film)
    dub = _dub(factory, film, tmp_path)
    tracks = [stream for stream in streams(dub.film) if stream["codec_type"] == "subtitle"]
    assert [track["tags"]["language"] for track in tracks] == ["spa", "eng", "deu"]
    assert b"kept" in ffmpeg("-i", dub.film, "-map", "0:s:2", "-f", "srt", "pipe:1")


@pytest.mark.soak
def test_the_sound_track_that_is_named_is_dubbed_and_the_other_kept(
    source: Source, factory: AIServiceFactory, tmp_path: Path
) -> None:
    film = tmp_path / "two.mp4"
    tone = ["-f", "lavfi", "-t", "12", "-i", "sine=300"]
    argv = [
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-map",
        "0:a",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        "-metadata:s:a:1",
        "language=eng",
    ]
    ffmpeg("-i", source.film, *tone, *argv, film)
    dub = _dub(factory, film, tmp_path, audio_track=2)
    assert "respectable" in _heard(dub)
    assert dub.kinds == ["video", "audio", "audio", "audio", "subtitle", "subtitle"]
    with pytest.raises(InputError, match="has no audio track 3: it has 2"):
        pipeline.dub(asked(film, "es", audio_track=3), factory, tmp_path)


@pytest.mark.soak
def test_sound_that_is_tagged_with_another_language_is_not_taken_for_english(
    source: Source, factory: AIServiceFactory, tmp_path: Path
) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg("-i", source.film, "-c", "copy", "-metadata:s:a:0", "language=fra", film)
    with pytest.raises(InputError, match="tagged French, but the recognition model hears English only"):
        pipeline.dub(asked(film, "es"), factory, tmp_path)
    assert "respectable" in _heard(_dub(factory, film, tmp_path, source_language="en"))


def test_matroska_that_breaks_off_is_refused(source: Source, factory: AIServiceFactory, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    ffmpeg("-i", source.film, "-c", "copy", film)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    with pytest.raises(InputError, match=r"is incomplete: it promises 12\.9 s, but only"):
        pipeline.dub(asked(film, "es"), factory, tmp_path)


ROBUST = Path(__file__).parents[2] / "shared" / "media" / "robust"
REFUSED = {
    "-video-with-dash-.mp4": "no audio track",
    "no_audio_stream.mp4": "no audio track",
    "muted_video_sample.mp4": "no audio track",
    "rotation_90_noaudio.mp4": "no audio track",
    "zero_byte.wav": "is empty",
    "no_speech_30s_world.mp4": "(?i)no speech found",
    "av1_15s.mp4": "(?i)no speech found",
    "hevc_2s.mp4": "(?i)no speech found",
}


@pytest.mark.skipif(not ROBUST.is_dir(), reason="the folder of real odd files is not here")
@pytest.mark.parametrize("name", REFUSED)
def test_real_files_without_speech_are_refused_with_the_reason(
    factory: AIServiceFactory, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=REFUSED[name]):
        pipeline.dub(asked(ROBUST / name, "es"), factory, tmp_path)


@pytest.mark.soak
@pytest.mark.skipif(not ROBUST.is_dir(), reason="the folder of real odd files is not here")
@pytest.mark.parametrize("name", ["audio_only.mp4", "wrong_extension.aac"])
def test_real_files_with_a_misleading_name_are_taken_for_what_they_hold(
    factory: AIServiceFactory, tmp_path: Path, name: str
) -> None:
    dub = _dub(factory, ROBUST / name, tmp_path)
    assert dub.film.suffix == ".m4a"
    assert json.dumps(dub.report["segments"])
