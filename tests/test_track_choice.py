"""Which sound track of a film is dubbed, on real files of several tracks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg, ffmpeg_version, streams
from tests.test_jobs import SCRIPT
from vt import media
from vt.dubbing import pipeline, track_choice
from vt.dubbing.pipeline import Result
from vt.errors import EmptyTrack, InputError, MediaError, NoSpeechError

NOTHING = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-i", "/dev/null"]
"""A microphone that was muted before it began."""
SILENCE = ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=2"]


@dataclass(frozen=True)
class Made:
    """One sound track of a film that a test makes."""

    language: str = ""
    title: str = ""
    flags: str = "0"
    source: tuple[str, ...] = tuple(SOUND)


def film(path: Path, *tracks: Made, codec: tuple[str, ...] = tuple(AAC)) -> Path:
    inputs = [part for track in tracks for part in track.source]
    maps = [part for place in range(len(tracks) + 1) for part in ("-map", str(place))]
    tags = [
        part
        for place, track in enumerate(tracks)
        for part in (
            *(f"-metadata:s:a:{place}", f"language={track.language}"),
            *(f"-metadata:s:a:{place}", f"title={track.title}"),
            *(f"-disposition:a:{place}", track.flags),
        )
    ]
    ffmpeg(*PICTURE, *inputs, *maps, *H264, *codec, *tags, path)
    return path


def taken(path: Path, language: str = "auto", **more: Any) -> tuple[int, str]:  # noqa: ANN401 (of a request)
    """Return the number of the track that is dubbed, and the note on it."""
    info = media.probe(path)
    choice = track_choice.choose(info, asked(path, "es", language, **more))
    return track_choice.number_of(info, choice.ranked[0]), " ".join(choice.notes)


@pytest.mark.parametrize("tag", ["eng", "en", "en-US", "eng-US"])
def test_the_track_that_is_tagged_with_the_language_of_the_film_is_taken(tmp_path: Path, tag: str) -> None:
    path = film(tmp_path / "film.mkv", Made("ger", flags="default"), Made(tag))
    number, note = taken(path, "en")
    assert number == 2
    assert "Of 2 sound tracks number 2 was taken, for it is said to be English" in note
    assert "another can be chosen" in note
    assert taken(path, "de")[0] == 1


def test_a_title_names_the_language_where_no_tag_does(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Made(title="Deutsch 5.1", flags="default"), Made(title="English 5.1"))
    assert taken(path, "en")[0] == 2
    assert taken(path, "de")[0] == 1


def test_a_tag_is_believed_rather_than_a_title(tmp_path: Path) -> None:
    assert taken(film(tmp_path / "film.mkv", Made("fra", "English"), Made("eng")), "en")[0] == 2


@pytest.mark.parametrize("language", ["auto", "en"])
def test_the_default_track_is_taken_where_no_tag_says_more(tmp_path: Path, language: str) -> None:
    path = film(tmp_path / "film.mkv", Made(), Made(flags="default"))
    number, note = taken(path, language)
    assert number == 2
    assert note == "Of 2 sound tracks number 2 was taken: another can be chosen."


def test_the_first_track_is_taken_where_nothing_tells_them_apart(tmp_path: Path) -> None:
    assert taken(film(tmp_path / "film.mp4", Made(), Made()))[0] == 1


@pytest.mark.parametrize(
    "beside",
    [
        Made("eng", flags="default+comment"),
        Made("eng", flags="visual_impaired"),
        Made("eng", flags="hearing_impaired"),
        Made("eng", "Director's Commentary", "default"),
        Made("eng", "Audio Description"),
    ],
)
def test_a_commentary_is_not_taken_for_the_film(tmp_path: Path, beside: Made) -> None:
    assert taken(film(tmp_path / "film.mkv", beside, Made("eng")), "en")[0] == 2


def test_a_commentary_is_taken_where_there_is_nothing_else(tmp_path: Path) -> None:
    assert taken(film(tmp_path / "film.mkv", Made("eng", flags="comment")), "en") == (1, "")


def test_the_track_that_is_named_is_taken_whatever_its_tags_say(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Made("eng", flags="default"), Made("ger", flags="comment"))
    assert taken(path, "en", audio_track=2) == (2, "")


def in_programs(path: Path, *programs: str) -> Path:
    """Write a transport stream of a picture with sound, and of another sound before it."""
    options = [part for program in programs for part in ("-program", program)]
    ffmpeg(*SOUND, *PICTURE, *SOUND, "-map", "0", "-map", "1", "-map", "2", *H264, "-c:a", "mp2", *options, path)
    return path


def test_the_sound_of_the_pictures_programme_is_taken(tmp_path: Path) -> None:
    path = in_programs(tmp_path / "two.ts", "title=radio:st=0", "title=television:st=1:st=2")
    number, note = taken(path)
    assert number == 2
    assert "belongs to the picture" in note
    assert taken(path, audio_track=1)[0] == 1


def test_a_programme_of_a_picture_without_sound_leaves_the_sound_that_there_is(tmp_path: Path) -> None:
    assert taken(in_programs(tmp_path / "two.ts", "title=radio:st=0:st=2", "title=picture:st=1"))[0] == 1


# What is dubbed in the end


def dubbed(path: Path, folder: Path, language: str = "en", **more: Any) -> Result:  # noqa: ANN401 (of a request)
    factory = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer())
    folder.mkdir()
    return pipeline.dub(asked(path, "es", language, **more), factory, folder)


def original_rate(result: Result) -> int:
    """Return the sample rate of the original in the result, by which tests know a track again."""
    return int([stream for stream in streams(result.files[0]) if stream["codec_type"] == "audio"][1]["sample_rate"])


@pytest.mark.soak
@pytest.mark.parametrize("first", [tuple(NOTHING), tuple(SILENCE)], ids=["empty", "silent"])
def test_a_first_track_without_sound_is_passed_over_and_the_user_is_told(
    tmp_path: Path, first: tuple[str, ...]
) -> None:
    slow = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=32000:duration=2")
    path = film(tmp_path / "film.mkv", Made("eng", flags="default", source=first), Made("deu", source=slow))
    result = dubbed(path, tmp_path / "work")
    assert original_rate(result) == 32_000
    assert (
        "Silent sound tracks were passed over (1 (English)): number 2 was dubbed." in result.report.as_json()["notes"]
    )


def test_a_film_whose_tracks_are_all_silent_has_nothing_to_translate(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Made(source=tuple(SILENCE)), Made(source=tuple(NOTHING)))
    with pytest.raises(NoSpeechError, match=r"All sound tracks of .* are silent"):
        dubbed(path, tmp_path / "work")


def test_where_nobody_speaks_in_a_track_the_others_are_named(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", Made("eng"), Made("deu"), Made())
    nobody = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    with pytest.raises(
        NoSpeechError, match=r"no speech found in sound track 2, .* choose another, of 1 \(English\), 3"
    ):
        pipeline.dub(asked(path, "es", "en", audio_track=2), nobody, tmp_path)


@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "aac"), ("a.webm", "libopus"), ("a.mp4", "aac")])
def test_a_track_without_a_packet_is_called_empty(tmp_path: Path, name: str, codec: str) -> None:
    picture = ["-c:v", "libvpx", "-deadline", "realtime"] if name.endswith("webm") else H264
    ffmpeg(*PICTURE, *NOTHING, "-map", "0", "-map", "1", *picture, "-c:a", codec, tmp_path / name)
    with pytest.raises(MediaError, match=r"The sound track of .* is empty|has no audio track") as raised:
        dubbed(tmp_path / name, tmp_path / "work")
    assert isinstance(raised.value, EmptyTrack) or name == "a.mp4"  # where ffmpeg writes no track of nothing


@pytest.mark.parametrize("name", ["nothing.wav", "nothing.aiff"])
@pytest.mark.soak
def test_sound_alone_without_a_packet_is_called_empty(tmp_path: Path, name: str) -> None:
    ffmpeg(*NOTHING, tmp_path / name)
    with pytest.raises(EmptyTrack):
        dubbed(tmp_path / name, tmp_path / "work")


# Kinds that cannot be decoded


def unknown(path: Path, count: int, fourcc: bytes = b"apax") -> Path:
    """Make a film of so many sound tracks, the last of which is of a kind that ffmpeg does not know."""
    film(path, *(Made() for _ in range(count)), codec=("-c:a", "pcm_s16le"))
    content = path.read_bytes()
    here = content.rindex(b"sowt")
    path.write_bytes(content[:here] + fourcc + content[here + 4 :])
    return path


@pytest.mark.parametrize("fourcc", [b"apax", b"ac-4", b"mhm1"])
def test_sound_of_an_unknown_kind_is_named_and_not_called_damaged(tmp_path: Path, fourcc: bytes) -> None:
    path = unknown(tmp_path / "only.mov", 1, fourcc)
    with pytest.raises(InputError, match="which cannot be decoded here") as raised:
        taken(path)
    named = ("mpegh_3d_audio", "ac4", fourcc.decode())  # some are known to newer versions of ffmpeg by another name
    assert any(name in str(raised.value) for name in named)
    with pytest.raises(InputError, match="which cannot be decoded here"):
        taken(path, audio_track=1)


@pytest.mark.soak
def test_a_film_with_sound_of_an_unknown_kind_is_dubbed_from_its_other_track(tmp_path: Path) -> None:
    result = dubbed(unknown(tmp_path / "iphone.mov", 2), tmp_path / "work")
    assert [stream["codec_type"] for stream in streams(result.files[0])][:3] == ["video", "audio", "audio"]
    assert any("A sound track (apax) was left out" in note for note in result.report.as_json()["notes"])


@pytest.mark.soak
def test_a_film_with_sound_of_an_unknown_kind_is_dubbed_from_subtitles(tmp_path: Path) -> None:
    path = unknown(tmp_path / "only.mov", 1)
    (tmp_path / "talk.srt").write_text("1\n00:00:00,200 --> 00:00:01,000\nGood morning to everybody here.\n")
    factory = FakeFactory(ScriptedTranscriber(SCRIPT), ToneSynthesizer())
    request = asked(path, "es", "en", tmp_path / "talk.srt")
    (tmp_path / "work").mkdir()
    result = pipeline.dub(request, factory, tmp_path / "work")
    assert [stream["codec_type"] for stream in streams(result.files[0])][:2] == ["video", "audio"]


XHE_AAC = bytes([0xF9, 0x46])
"""AudioObjectType 42 (escape 31, then 10) at 44.1 kHz, one channel: ISO/IEC 14496-3, table 1.15."""


def as_xhe_aac(path: Path, place: int) -> Path:
    """Change the configuration of one AAC track so that it promises xHE-AAC, which ffmpeg 5 cannot open."""
    content = bytearray(path.read_bytes())
    here = -1
    for _ in range(place):
        here = content.index(b"esds", here + 1)
    start = content.index(b"\x05\x80\x80\x80", here) + 5
    content[start : start + 2] = XHE_AAC
    path.write_bytes(content)
    return path


opens_xhe_aac = pytest.mark.skipif(ffmpeg_version() >= (7, 1), reason="ffmpeg decodes xHE-AAC from version 7.1 on")


@opens_xhe_aac
def test_xhe_aac_is_named(tmp_path: Path) -> None:
    path = as_xhe_aac(film(tmp_path / "xhe.mp4", Made()), 1)
    with pytest.raises(InputError, match="is of the kind xHE-AAC, which cannot be decoded here"):
        taken(path)


@opens_xhe_aac
@pytest.mark.soak
@pytest.mark.parametrize("place", [1, 2])
def test_a_film_with_xhe_aac_is_dubbed_from_its_other_track(tmp_path: Path, place: int) -> None:
    path = as_xhe_aac(film(tmp_path / "both.mp4", Made(), Made()), place)
    info = media.probe(path)
    assert info.seconds == pytest.approx(2.0, abs=0.1)
    assert info.video
    assert info.video.width == 64
    assert info.frame_seconds == pytest.approx(0.04)
    assert taken(path)[0] == 3 - place
    assert dubbed(path, tmp_path / "work").files[0].exists()
