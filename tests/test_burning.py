"""Subtitles in the picture: they are there, upright, in time, and all else is as it was."""

from __future__ import annotations

import re
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.films import AAC, H264, SOUND, ffmpeg, ffmpeg_version, streams
from vt import languages, media
from vt.domain import Cancel, Edit, Edits, Finish, JobRequest, Progress, Stage, Word
from vt.dubbing import burning, pipeline
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.subtitling import Sides
from vt.engines.protocols import Heard
from vt.errors import Cancelled, InputError, MediaError, ToolMissing
from vt.languages import Language
from vt.media import Font, Named, Picture
from vt.text.subtitles import Cue

GREY = ["-f", "lavfi", "-i", "color=c=0x505050:size=640x360:rate=25:duration=2"]
TEXTS = {
    "es": "¿Cuándo volverás?",
    "ar": "متى ستعود؟",
    "hi": "तुम कब लौटोगे?",
    "ja": "いつ？",
    "he": "מתי תחזור?",
    "el": "Πότε θα γυρίσεις;",
}


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A grey film of 2 s."""
    return grey(tmp_path / "film.mp4")


def grey(target: Path, *options: str) -> Path:
    ffmpeg(*GREY, *SOUND, *H264, *AAC, *options, target)
    return target


def burnt(film: Path, target: Path, code: str = "es", name: str = "", folder: Path | None = None) -> list[str]:
    """Dub a film with subtitles in its picture from 0.5 to 1.5 s; return the notes."""
    info = media.probe(film)
    spoken = languages.get(code)
    sides = Sides(2.0, languages.ENGLISH, (Cue(0.5, 1.5, "When?"),), spoken, (Cue(0.5, 1.5, TEXTS[code]),))
    drawn = burning.prepared(sides, name or code, info, (folder or target.parent) / "burnt.ass")
    dub = target.parent / "dub.m4a"
    ffmpeg(*SOUND, *AAC, dub)
    names = (Named(spoken.iso639_3, "dub"), Named("eng", "original"))
    return [str(note) for note in media.mux(info, info.audio[0], dub, names, [], target, burn=drawn)]


def frame(film: Path, second: float) -> NDArray[np.uint8]:
    """Return what a film shows at a moment, in shades of grey: shape (height, width)."""
    (picture, *_) = [stream for stream in streams(film) if stream["codec_type"] == "video"]
    out = ffmpeg("-ss", str(second), "-i", film, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "pipe:1")
    return np.frombuffer(out, np.uint8).reshape(picture["height"], picture["width"])


def letters(shown: NDArray[np.uint8]) -> tuple[slice, slice] | None:
    """Return the rows and columns of a frame in which there is something bright; None where there is nothing."""
    rows, columns = np.nonzero(shown > 180)
    return (slice(rows.min(), rows.max()), slice(columns.min(), columns.max())) if len(rows) else None


def frame_times(film: Path) -> list[float]:
    """Return when each frame is shown.

    Those that the film's edit list leaves out (D) are not: ffmpeg 7 gives the last frame no length, if the ones before
    it have lengths that differ, and the list of an mp4 ends before such a frame.
    """
    argv = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time,flags"]
    said = subprocess.run([*argv, "-of", "csv=p=0", film], capture_output=True, check=True, text=True).stdout
    return sorted(float(found) for found in re.findall(r"^([\d.]+),[^D\n]*$", said, re.MULTILINE))


def video(film: Path) -> dict[str, object]:
    return next(stream for stream in streams(film) if stream["codec_type"] == "video")


@pytest.mark.parametrize("code", TEXTS)
def test_the_text_is_in_the_picture_when_it_is_said_at_its_foot_and_in_its_middle(tmp_path: Path, code: str) -> None:
    target = tmp_path / "out.mp4"
    grey(tmp_path / "film.mp4")
    assert burnt(tmp_path / "film.mp4", target, code) == [
        "The picture was encoded again as H.264, with the subtitles in it."
    ]
    assert letters(frame(target, 0.2)) is None
    assert letters(frame(target, 1.8)) is None
    found = letters(frame(target, 1.0))
    assert found
    rows, columns = found
    assert rows.start > 280
    assert columns.start + columns.stop == pytest.approx(640, abs=16)
    assert columns.stop - columns.start > 30


@pytest.mark.soak
def test_two_languages_stand_above_each_other(tmp_path: Path, film: Path) -> None:
    for name in ("es", "both"):
        (tmp_path / name).mkdir()
        burnt(film, tmp_path / name / "out.mp4", name=name)
    one, both = (letters(frame(tmp_path / name / "out.mp4", 1.0)) for name in ("es", "both"))
    assert one
    assert both
    assert both[0].start < one[0].start


def test_its_words_light_up_where_that_is_asked_for(tmp_path: Path, film: Path) -> None:
    text = tmp_path / "drawn.ass"
    sides = Sides(2.0, languages.ENGLISH, (Cue(0.5, 1.5, "When was that?"),))
    for karaoke in (True, False):
        burning.prepared(sides, "en", media.probe(film), text, karaoke=karaoke)
        assert (r"{\kf" in text.read_text()) is karaoke


@pytest.mark.soak
def test_all_else_is_as_without_them(tmp_path: Path, film: Path) -> None:
    target = tmp_path / "out.mp4"
    burnt(film, target)
    kinds = [(stream["codec_type"], stream["codec_name"]) for stream in streams(target)]
    assert kinds == [("video", "h264"), ("audio", "aac"), ("audio", "aac")]
    assert frame_times(target) == pytest.approx(frame_times(film), abs=1e-3)
    before, after = (float(str(video(path)["duration"])) for path in (film, target))
    assert after == pytest.approx(before, abs=0.04)


@pytest.mark.soak
def test_frames_at_uneven_times_keep_them(tmp_path: Path) -> None:
    uneven = "setpts='(N*0.04+0.013*mod(N*7,3)+if(gt(N,20),0.5,0))/TB'"
    film = grey(tmp_path / "film.mp4", "-vf", f"settb=1/1000,{uneven}", "-fps_mode", "passthrough",
                "-enc_time_base", "1/1000")  # fmt: skip
    burnt(film, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == pytest.approx(frame_times(film), abs=2e-3)


def turned(film: Path, target: Path) -> Path:
    """Write a film that is to be shown turned by a quarter."""
    older = ffmpeg_version() < (6, 1)
    before, behind = ([], ["-metadata:s:v:0", "rotate=90"]) if older else (["-display_rotation:v:0", "90"], [])
    ffmpeg(*before, "-i", film, "-c", "copy", *behind, target)
    return target


@pytest.mark.soak
def test_a_film_that_is_shown_turned_has_the_text_at_the_foot_of_what_is_shown(tmp_path: Path, film: Path) -> None:
    target = tmp_path / "out.mp4"
    burnt(turned(film, tmp_path / "turned.mp4"), target)
    assert (video(target)["width"], video(target)["height"]) == (360, 640)
    assert not video(target).get("side_data_list")
    found = letters(frame(target, 1.0))
    assert found
    assert found[0].start > 520


def with_dolby_vision(film: Path, target: Path) -> Path:
    """Write a film with the box by which an mp4 says that its picture is in Dolby Vision, as telephones record it."""
    content = film.read_bytes()
    box = struct.pack(">I4s", 32, b"dvvC") + bytes([1, 0, 0x10, 0x35, 0x40]) + bytes(19)
    first = content.index(b"avc1", content.index(b"stsd")) - 4
    (size,) = struct.unpack_from(">I", content, first)
    made = bytearray(content[: first + size] + box + content[first + size :])
    video = content.rindex(b"trak", 0, first)
    within = [content.index(name, video) for name in (b"mdia", b"minf", b"stbl", b"stsd", b"avc1")]
    for at in (content.index(b"moov", content.index(b"mdat")), video, *within):
        struct.pack_into(">I", made, at - 4, struct.unpack_from(">I", made, at - 4)[0] + len(box))
    target.write_bytes(made)
    return target


@pytest.mark.soak
def test_a_film_in_dolby_vision_is_shown_turned_too(tmp_path: Path, film: Path) -> None:
    """The same list says both of a picture, in any order."""
    info = media.probe(with_dolby_vision(turned(film, tmp_path / "turned.mp4"), tmp_path / "vision.mp4"))
    known = str(video(info.path)["side_data_list"])
    assert 0 < known.index("DOVI") < known.index("Matrix")
    shown = media.picture_of(info)
    assert (shown.width, shown.height) == (360, 640)


@pytest.mark.parametrize(("name", "notes"), [("nv12", 1), ("yuv410p", 1), ("rgb48le", 2), ("p010le", 2)])
def test_only_a_picture_of_more_than_8_bits_is_said_to_lose_some(name: str, notes: int) -> None:
    assert len(Picture(64, 36, pixel_format=name).notes) == notes


@pytest.mark.soak
def test_wide_pixels_become_square_ones_and_letters_keep_their_shape(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    burnt(grey(tmp_path / "film.mp4", "-vf", "setsar=2"), target)
    assert (video(target)["width"], video(target)["height"]) == (1280, 360)
    assert video(target)["sample_aspect_ratio"] == "1:1"


@pytest.mark.soak
def test_a_film_in_ten_bits_and_one_in_hdr_are_shown_in_eight_and_the_notes_say_so(tmp_path: Path) -> None:
    ten = ["-c:v", "libx264", "-pix_fmt", "yuv420p10le"]
    pq = ["-color_trc", "smpte2084", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"]
    # Since ffmpeg 7 the frames say it, and no longer the options of the encoder.
    pq += ["-vf", "setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc"]
    ffmpeg(*GREY, *SOUND, *ten, *AAC, tmp_path / "ten.mp4")
    ffmpeg(*GREY, *SOUND, *ten, *pq, *AAC, tmp_path / "hdr.mp4")
    for name, note in (("ten", "8 bits"), ("hdr", "HDR (PQ)")):
        notes = burnt(tmp_path / f"{name}.mp4", tmp_path / "out.mp4")
        assert note in notes[1]
        assert video(tmp_path / "out.mp4")["pix_fmt"] == "yuv420p"
        assert letters(frame(tmp_path / "out.mp4", 1.0))
    assert video(tmp_path / "out.mp4")["color_transfer"] == "bt709"


@pytest.mark.soak
def test_an_interlaced_film_gets_whole_frames_at_its_times(tmp_path: Path) -> None:
    fields = ["-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-vf", "setfield=tff"]
    ffmpeg(*GREY, *SOUND, *fields, *AAC, tmp_path / "film.mp4")
    notes = burnt(tmp_path / "film.mp4", tmp_path / "out.mp4")
    assert "interlaced" in notes[1]
    assert len(frame_times(tmp_path / "out.mp4")) == 50


@pytest.mark.parametrize("name", ["a:b", "it's, [me]; and 100%", "back\\slash", "ünï", "=x=", "a b"])
def test_a_folder_of_any_name_may_hold_what_is_drawn(tmp_path: Path, film: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    burnt(film, tmp_path / "out.mp4", folder=folder)
    assert letters(frame(tmp_path / "out.mp4", 1.0))


# Fonts


@pytest.mark.parametrize(("code", "package"), [("ja", "fonts-noto-cjk"), ("hi", "fonts-noto-core")])
def test_without_a_font_a_sentence_names_the_package(code: str, package: str) -> None:
    with pytest.raises(ToolMissing, match=package):
        media.font_for(languages.get(code), lambda _: "")


def test_the_font_is_noto_sans_in_the_signs_of_the_languages_region_else_whatever_there_is() -> None:
    rows = "".join(f"Noto Sans CJK {region}\t0\t/none\n" for region in ("HK", "JP", "SC", "TC"))
    wanted = {"ja": "JP", "zh": "SC", "zh-Hant": "TC", "yue": "HK"}
    for code, region in wanted.items():
        assert media.font_for(languages.get(code), lambda _: rows).family == f"Noto Sans CJK {region}"
    assert media.font_for(languages.SPANISH, lambda _: "Other\t0\t/none\n").family == "Other"


def test_a_font_is_asked_for_by_the_letters_of_the_language_and_latin_ones_where_that_can_be() -> None:
    asked_for: list[str] = []

    def listed(pattern: str) -> str:
        asked_for.append(pattern)
        return "" if len(asked_for) == 1 else "Some\t0\t/none\n"

    assert media.font_for(languages.get("ja"), listed) == Font("Some", 1.362)
    assert "65e5" in asked_for[0]
    assert " 41 " in asked_for[0]
    assert asked_for[1] == ":charset=65e5 672c 8a9e"


def test_a_font_whose_name_would_part_the_values_of_a_style_is_not_taken() -> None:
    rows = "A, bold\t0\t/none\nLonger name\t0\t/none\n"
    assert media.font_for(languages.SPANISH, lambda _: rows).family == "Longer name"


def test_the_height_of_lines_is_read_from_the_font() -> None:
    assert 1.0 < media.font_for(languages.SPANISH).height < 1.6


@pytest.mark.soak
def test_the_picture_is_seen_to_grow_and_a_cancel_meanwhile_ends_it(tmp_path: Path, film: Path) -> None:
    cancel, request, shares = Cancel(), request_for(film, "es"), list[float]()

    def tell(progress: Progress) -> None:
        if progress.stage == Stage.MUX:
            shares.append(progress.fraction)

    pieces = Artifacts(tmp_path / "pieces")
    pipeline.dub(request, factory(), tmp_path, on_progress=tell, artifacts=pieces)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)

    def end(progress: Progress) -> None:
        if progress.stage == Stage.MUX and progress.fraction > 0:
            cancel.set()

    (tmp_path / "again").mkdir()
    with pytest.raises(Cancelled):
        pipeline.dub(request, factory(), tmp_path / "again", on_progress=end, cancel=cancel, artifacts=pieces)


# Whether it can be done


def test_an_ffmpeg_without_libass_is_said_to_be_one() -> None:
    with pytest.raises(ToolMissing, match="libass"):
        media.check_renderer(listed=lambda: " ... overlay VV->V Overlay a video source on top of the input.\n")


def test_an_ffmpeg_without_zimg_draws_into_no_picture_in_hdr() -> None:
    media.check_renderer(Picture(64, 36), lambda: " .. ass V->V Render ASS subtitles.\n")
    with pytest.raises(ToolMissing, match="zimg"):
        media.check_renderer(Picture(64, 36, "smpte2084"), lambda: " .. ass V->V Render ASS subtitles.\n")


def factory() -> FakeFactory:
    return FakeFactory(
        ScriptedTranscriber([Heard((Word(0.4, 1.0, " Good"), Word(1.0, 1.6, " evening.")))]), ToneSynthesizer()
    )


def request_for(film: Path, burn: str, heard: Language | None = languages.ENGLISH) -> JobRequest:
    return replace(asked(film, "es"), source_language=heard, finish=Finish(burn=burn))


def test_sound_alone_has_no_picture_to_draw_into(tmp_path: Path) -> None:
    ffmpeg(*SOUND, tmp_path / "sound.mp3")
    with pytest.raises(MediaError, match="no picture"):
        pipeline.check(request_for(tmp_path / "sound.mp3", "es"), factory())


def test_subtitles_that_there_will_not_be_are_refused_before_any_work(film: Path) -> None:
    with pytest.raises(InputError, match=r"fr.*es, en, both"):
        pipeline.check(request_for(film, "fr"), factory())
    for burn in ("es", "en", "both"):
        pipeline.check(request_for(film, burn), factory())


def test_a_language_that_is_to_be_found_out_may_be_named_and_is_checked_then(tmp_path: Path, film: Path) -> None:
    request = request_for(film, "fr", None)
    serves = factory()
    pipeline.check(request, serves)
    with pytest.raises(InputError, match="There are no subtitles fr"):
        pipeline.dub(request, serves, tmp_path)


def test_a_dub_has_its_subtitles_in_the_picture_and_an_edit_draws_the_new_text(tmp_path: Path, film: Path) -> None:
    pieces = Artifacts(tmp_path / "pieces")
    shown = []
    for name, edits in (("first", Edits()), ("second", Edits({0: Edit(text="¡Muy buenas noches a todos ustedes!")}))):
        (tmp_path / name).mkdir()
        request = replace(request_for(film, "es"), edits=edits)
        result = pipeline.dub(request, factory(), tmp_path / name, artifacts=pieces)
        assert "The picture was encoded again as H.264, with the subtitles in it." in result.report.notes
        assert result.files[0].name == "film.es.mp4"
        shown.append(letters(frame(result.files[0], 1.0)))
    first, second = shown
    assert first
    assert second
    assert second[1].start < first[1].start
