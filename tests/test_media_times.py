"""How long films last and when their sound is heard, where headers estimate and clocks jump or formats change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films, hostile
from tests.asking import asked
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from tests.films import AAC, H264, PICTURE, ffmpeg
from tests.sounds import pcm, speech
from vt import media
from vt.dubbing import pipeline
from vt.errors import MediaError
from vt.media import Named

RATE = media.SPEECH_RATE
NAMED = (Named("spa", "x"), Named("eng", "y"))


def beep(rate: int = 48_000) -> list[str]:
    """Return the input of 2 s of silence with a tone from 1.0 to 1.5 s."""
    return ["-f", "lavfi", "-i", f"aevalsrc=0.5*sin(2*PI*440*t)*between(t\\,1\\,1.5):s={rate}:d=2"]


def made(path: Path, *options: str, rate: int = 48_000, picture: bool = True) -> Path:
    """Make a film or a sound of 2 s with a tone after the first."""
    ffmpeg(*(PICTURE if picture else []), *beep(rate), *(H264 if picture else []), *options, path)
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Put files together end to end, as `cat` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def heard(path: Path) -> tuple[NDArray[np.int16], list[float]]:
    """Return the sound of a film, and when each tone in it begins; nothing is left beside the samples."""
    folder = path.parent / f"{path.name}.extracted"
    folder.mkdir()
    info = media.probe(path)
    samples = media.extract(info, info.audio[0], folder / "pcm")
    assert [file.name for file in folder.iterdir()] == ["pcm"]
    return samples, onsets(samples)


def onsets(samples: NDArray[np.int16]) -> list[float]:
    """Return when each tone begins that has silence of 0.2 s in front."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 2000)
    starts = loud[np.concatenate(([True], np.diff(loud) > 0.2 * RATE))] if len(loud) else loud
    return [float(start) / RATE for start in starts]


def in_time(begins: list[float], *wanted: float, within: float = 0.08) -> bool:
    return len(begins) == len(wanted) and bool(np.allclose(begins, wanted, rtol=0, atol=within))


# Sound whose format changes

SURROUND = ["-af", "pan=5.1|FC=c0"]
CHANGES = {
    "AC-3 from mono to 5.1 in TS": ("ts", ["-c:a", "ac3"], ["-c:a", "ac3", *SURROUND], 48_000),
    "AC-3 from mono to 5.1 in Matroska": ("mkv", ["-c:a", "ac3"], ["-c:a", "ac3", *SURROUND], 48_000),
    "AAC from mono to stereo in TS": ("ts", AAC, [*AAC, "-ac", "2"], 48_000),
    "AAC from stereo to mono in TS": ("ts", [*AAC, "-ac", "2"], AAC, 48_000),
    "AAC from 48 to 32 kHz in TS": ("ts", AAC, AAC, 32_000),
    "MP2 from mono to stereo in a program stream": ("mpg", ["-c:a", "mp2"], ["-c:a", "mp2", "-ac", "2"], 48_000),
}


def changing(folder: Path, ending: str, first: list[str], second: list[str], rate: int) -> Path:
    """Make a film of 4.5 s whose sound changes at 2.5 s; the second part is at another rate too, if that is given."""
    kind = "ts" if ending == "mkv" else ending
    later = "3.03" if ending == "mpg" else "2.5"  # whose clock begins at 0.53 s where no other time is asked for
    one = made(folder / f"one.{kind}", *first)
    two = made(folder / f"two.{kind}", *second, "-output_ts_offset", later, rate=rate)
    film = joined(folder / f"film.{kind}", one, two)
    if kind != ending:
        ffmpeg("-i", film, "-map", "0", "-c", "copy", folder / f"film.{ending}")
    return folder / f"film.{ending}"


@pytest.mark.soak
@pytest.mark.parametrize(("ending", "first", "second", "rate"), CHANGES.values(), ids=CHANGES.keys())
def test_sound_stays_in_time_where_its_format_changes(
    tmp_path: Path, ending: str, first: list[str], second: list[str], rate: int
) -> None:
    samples, begins = heard(changing(tmp_path, ending, first, second, rate))
    assert in_time(begins, 1.0, 3.5)
    assert len(samples) / RATE == pytest.approx(4.5, abs=0.1)


@pytest.mark.parametrize(("ending", "first", "second", "rate"), CHANGES.values(), ids=CHANGES.keys())
def test_sound_that_is_to_be_heard_again_stays_in_time_where_its_format_changes(
    tmp_path: Path, ending: str, first: list[str], second: list[str], rate: int
) -> None:
    info = media.probe(changing(tmp_path, ending, first, second, rate))
    (tmp_path / "kept").mkdir()
    form = media.full_format(info.audio[0])
    media.extract_in(form, info, info.audio[0], tmp_path / "kept" / "pcm")
    left = np.fromfile(tmp_path / "kept" / "pcm", np.int16).reshape(-1, form.channels)[:, 0]
    assert in_time(onsets(left[:: form.rate // RATE]), 1.0, 3.5)
    assert len(left) / form.rate == pytest.approx(4.5, abs=0.1)
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["pcm"]


@pytest.mark.soak
def test_a_chain_that_is_to_be_heard_again_is_whole_up_to_the_longest_that_is_taken(tmp_path: Path) -> None:
    part = made(tmp_path / "a.ogg", "-c:a", "flac", "-ac", "2", picture=False)
    info = media.probe(joined(tmp_path / "film.ogg", *[part] * 6))
    form = media.full_format(info.audio[0])
    media.extract_in(form, info, info.audio[0], tmp_path / "pcm", longest=20.0)
    assert (tmp_path / "pcm").stat().st_size == pytest.approx(form.size(12.0), rel=0.01)


def test_mp3_spliced_of_other_rates_and_channels_is_heard_whole_and_in_time(tmp_path: Path) -> None:
    bare = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]
    parts = [
        made(tmp_path / "a.mp3", *bare, "-b:a", "64k", picture=False),
        made(tmp_path / "b.mp3", *bare, "-b:a", "192k", "-ac", "2", rate=44_100, picture=False),
        made(tmp_path / "c.mp3", *bare, "-b:a", "32k", rate=22_050, picture=False),
    ]
    film = joined(tmp_path / "film.mp3", *parts)
    samples, begins = heard(film)
    assert in_time(begins, 1.05, 3.1, 5.2, within=0.1)
    assert media.probe(film).seconds == pytest.approx(len(samples) / RATE, abs=0.1)


def test_adts_spliced_of_other_rates_is_heard_whole(tmp_path: Path) -> None:
    one = made(tmp_path / "a.aac", *AAC, picture=False)
    two = made(tmp_path / "b.aac", *AAC, "-ac", "2", rate=24_000, picture=False)
    samples, begins = heard(joined(tmp_path / "film.aac", one, two))
    assert in_time(begins, 1.02, 3.11)
    assert len(samples) / RATE == pytest.approx(4.15, abs=0.1)


@pytest.mark.parametrize("second", ["a", "b"])
@pytest.mark.parametrize("codec", ["libopus", "libspeex", "libvorbis", "flac"])
def test_a_chain_of_ogg_recordings_is_heard_whole(tmp_path: Path, codec: str, second: str) -> None:
    one, two = (made(tmp_path / f"{name}.ogg", "-c:a", codec, rate=16_000, picture=False) for name in ("a", second))
    chain = joined(tmp_path / "film.ogg", one, two)
    samples, begins = heard(chain)
    assert in_time(begins, 1.0, 3.0)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.1)
    assert media.probe(chain).seconds == pytest.approx(len(samples) / RATE, abs=0.1)


@pytest.mark.soak
@pytest.mark.parametrize("codec", ["libvorbis", "flac", "libspeex"])
@pytest.mark.parametrize("rates", [(32_000, 16_000), (8_000, 16_000)], ids=str)
def test_a_chain_of_ogg_recordings_of_other_rates_lasts_as_long_as_all_of_them(
    tmp_path: Path, codec: str, rates: tuple[int, int]
) -> None:
    parts = [made(tmp_path / f"{rate}.ogg", "-c:a", codec, rate=rate, picture=False) for rate in rates]
    chain = joined(tmp_path / "film.ogg", *parts)
    assert in_time(heard(chain)[1], 1.0, 3.0)
    assert media.probe(chain).seconds == pytest.approx(4.0, abs=0.1)


def test_the_length_of_an_ogg_recording_with_something_else_behind_it_is_that_of_its_sound(tmp_path: Path) -> None:
    one = made(tmp_path / "a.ogg", "-c:a", "libvorbis", rate=22_050, picture=False)
    one.write_bytes(one.read_bytes() + b"TAG of another program" * 20)
    assert media.probe(one).seconds == pytest.approx(2.0, abs=0.1)


def test_a_packet_of_ogg_that_is_said_to_last_long_makes_no_film_longer(tmp_path: Path) -> None:
    sound, film = made(tmp_path / "a.opus", "-c:a", "libopus", picture=False), tmp_path / "film.ogg"
    late = ["-itsoffset", "40", "-i", str(films.film(tmp_path / "b.mp4"))]
    ffmpeg("-i", sound, *late, "-map", "0", "-map", "1", "-c:v", "libtheora", "-c:a", "libvorbis", "-t", "6", film)
    assert media.probe(film).seconds < 7


# Clocks that jump

JUMPS = {
    "begins anew": ["0", "0"],
    "goes forward": ["0", "5000"],
    "goes back": ["5000", "0"],
    "goes forward and back": ["0", "90000", "40"],
    "begins near its greatest number": ["95000", "0"],
}


def jumping(folder: Path, ending: str, offsets: list[str]) -> Path:
    """Make a film of parts of 2 s, each of which says another time at its beginning."""
    codecs = AAC if ending == "ts" else ["-c:v", "mpeg2video", "-c:a", "mp2"]
    parts = [
        made(folder / f"{place}.{ending}", *codecs, "-output_ts_offset", offset) for place, offset in enumerate(offsets)
    ]
    return joined(folder / f"film.{ending}", *parts)


@pytest.mark.soak
@pytest.mark.parametrize("offsets", JUMPS.values(), ids=JUMPS.keys())
@pytest.mark.parametrize("ending", ["ts", "mpg"])
def test_a_film_whose_clock_jumps_is_one_timeline_for_sound_picture_and_length(
    tmp_path: Path, ending: str, offsets: list[str]
) -> None:
    film = jumping(tmp_path, ending, offsets)
    seconds, info = 2.0 * len(offsets), media.probe(film)
    assert info.seconds == pytest.approx(seconds, abs=0.1)
    samples, begins = heard(film)
    assert in_time(begins, *(1.0 + 2 * place for place in range(len(offsets))))
    assert len(samples) / RATE == pytest.approx(seconds, abs=0.1)
    result = media.probe(muxed(tmp_path, film))
    assert result.seconds == pytest.approx(seconds, abs=0.1)
    original = media.extract(result, result.audio[1], tmp_path / "original")
    assert np.allclose(onsets(original), begins, rtol=0, atol=0.03)


@pytest.mark.soak
def test_every_track_of_a_film_whose_clock_jumps_goes_by_one_timeline(tmp_path: Path) -> None:
    short = ["-f", "lavfi", "-i", "sine=frequency=440:duration=1.2"]
    two = ["-map", "0", "-map", "1", "-map", "2", *H264, *AAC]
    ffmpeg(*PICTURE, *beep(), *short, *two, tmp_path / "a.ts")
    ffmpeg(*PICTURE, *beep(), *short, *two, "-output_ts_offset", "700", tmp_path / "b.ts")
    film = joined(tmp_path / "film.ts", tmp_path / "a.ts", tmp_path / "b.ts")
    info = media.probe(film)
    begins = [onsets(media.extract(info, track, tmp_path / "pcm")) for track in info.audio]
    assert in_time(begins[0], 1.0, 3.0)
    assert in_time(begins[1], 0.0, 2.0)
    result = media.probe(muxed(tmp_path, film))
    written = [onsets(media.extract(result, track, tmp_path / "pcm")) for track in result.audio[1:]]
    assert in_time(written[0], 1.0, 3.0)
    assert in_time(written[1], 0.0, 2.0)


def muxed(folder: Path, film: Path) -> Path:
    """Write a film anew with a second of dub."""
    (folder / "dub.aac").write_bytes(
        b"".join(media.aac_packets(pcm(speech(1.0, 16_000, -20)), 16_000, 0.0, media.LIMIT))
    )
    media.join_aac([folder / "dub.aac"], media.output_rate(16_000), folder / "dub.m4a")
    info = media.probe(film)
    media.mux(info, info.audio[0], folder / "dub.m4a", NAMED, [], folder / "out.mp4")
    return folder / "out.mp4"


def test_a_clock_of_33_bits_that_begins_anew_does_not_make_a_film_longer(tmp_path: Path) -> None:
    film = made(tmp_path / "film.ts", *AAC, "-output_ts_offset", "95441.5")
    assert media.probe(film).seconds == pytest.approx(2.0, abs=0.1)
    assert in_time(heard(film)[1], 1.0)


# Lengths that no header tells

LAME = ["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]


def piped(path: Path, form: str, *options: str, picture: bool = True) -> Path:
    """Make a film that nobody went back into to write its length."""
    inputs = [*PICTURE, *beep(), *H264] if picture else beep()
    path.write_bytes(ffmpeg(*inputs, *options, "-f", form, "pipe:1"))
    return path


def behind(path: Path, rest: bytes) -> Path:
    """Make an MP3 with something behind its sound."""
    path.write_bytes(made(path.with_name("plain.mp3"), *LAME, picture=False).read_bytes() + rest)
    return path


def ape_tag() -> bytes:
    body = bytes(40_000)
    return body + b"APETAGEX" + b"".join(n.to_bytes(4, "little") for n in (2000, len(body) + 32, 1, 0)) + bytes(8)


def wav_of_size(path: Path, size: int) -> Path:
    made(path, picture=False)
    content = bytearray(path.read_bytes())
    here = content.index(b"data") + 4
    content[here : here + 4] = size.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def loud_at_its_end(path: Path) -> Path:
    """Make an MP3 of variable bit rate, without a header, whose quiet beginning says little of the rest."""
    noise = "aevalsrc=if(lt(t\\,1)\\,0\\,0.5*random(0)-0.25):s=44100:d=2"
    ffmpeg("-f", "lavfi", "-i", noise, *LAME, "-q:a", "0", path)
    return path


EMPTY_MOOV = ["-movflags", "empty_moov+frag_keyframe+default_base_moof", "-g", "10"]
UNTOLD: dict[str, Callable[[Path], Path]] = {
    "VBR MP3 without a header": lambda folder: loud_at_its_end(folder / "film.mp3"),
    "MP3 with ID3v1": lambda folder: behind(folder / "film.mp3", b"TAG" + bytes(125)),
    "MP3 with APE": lambda folder: behind(folder / "film.mp3", ape_tag()),
    "MP3 with zeros": lambda folder: behind(folder / "film.mp3", bytes(300_000)),
    "ADTS": lambda folder: made(folder / "film.aac", *AAC, picture=False),
    "AC-3": lambda folder: made(folder / "film.ac3", "-c:a", "ac3", picture=False),
    "FLV without a length": lambda folder: made(folder / "film.flv", *AAC, "-flvflags", "no_duration_filesize"),
    "FLV that begins late": lambda folder: made(
        folder / "film.flv", *AAC, "-flvflags", "no_duration_filesize", "-output_ts_offset", "1000"
    ),
    "live FLV": lambda folder: piped(folder / "film.flv", "flv", *AAC),
    "live Matroska": lambda folder: piped(folder / "film.mkv", "matroska", *AAC),
    "live Matroska of MP3": lambda folder: piped(folder / "film.mka", "matroska", "-c:a", "mp3", picture=False),
    "live FLAC": lambda folder: piped(folder / "film.flac", "flac", picture=False),
    "live fragmented MP4": lambda folder: piped(folder / "film.mp4", "mp4", *AAC, *EMPTY_MOOV),
    "fragmented MP4 that begins late": lambda folder: made(
        folder / "film.mp4", *AAC, *EMPTY_MOOV, "-output_ts_offset", "1867"
    ),
    "MP4 that begins late": lambda folder: made(folder / "film.mp4", *AAC, "-output_ts_offset", "3"),
    "Matroska that begins late": lambda folder: made(folder / "film.mkv", *AAC, "-output_ts_offset", "3"),
    "WAV of no size": lambda folder: wav_of_size(folder / "film.wav", 0),
    "WAV of any size": lambda folder: wav_of_size(folder / "film.wav", 0xFFFFFFFF),
    "WAV of too large a size": lambda folder: wav_of_size(folder / "film.wav", 10_000_000),
}


@pytest.mark.parametrize("make", UNTOLD.values(), ids=UNTOLD.keys())
def test_a_film_whose_header_says_its_length_badly_is_as_long_as_what_it_holds(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    film = make(tmp_path)
    assert media.probe(film).seconds == pytest.approx(2.0, abs=0.1)
    samples, _ = heard(film)
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_an_ordinary_film_is_not_read_to_its_end_to_know_its_length(tmp_path: Path, ending: str) -> None:
    info = media.probe(made(tmp_path / f"film.{ending}", *AAC))
    assert not info.is_measured
    assert info.seconds == pytest.approx(2.0, abs=0.1)


def test_fragments_whose_times_come_twice_do_not_make_a_film_longer(tmp_path: Path) -> None:
    one = made(tmp_path / "one.mp4", "-c:v", "mpeg4", *AAC, *EMPTY_MOOV)
    film = joined(tmp_path / "film.mp4", one, one)
    assert media.probe(film).seconds == pytest.approx(2.0, abs=0.1)


def test_subtitles_that_go_on_behind_the_film_do_not_make_it_longer(tmp_path: Path) -> None:
    (tmp_path / "talk.srt").write_text("1\n00:00:00,500 --> 00:20:00,000\nHello.\n")
    ffmpeg(*PICTURE, *beep(), "-i", tmp_path / "talk.srt", *H264, *AAC, "-c:s", "srt", tmp_path / "film.mkv")
    assert media.probe(tmp_path / "film.mkv").seconds == pytest.approx(2.0, abs=0.1)


FASTSTART = {"mp4": ["-movflags", "+faststart"], "avi": [], "flac": []}


@pytest.mark.parametrize("ending", FASTSTART)
def test_a_film_that_lost_its_second_half_is_refused_as_incomplete(tmp_path: Path, ending: str) -> None:
    film = made(tmp_path / f"film.{ending}", *FASTSTART[ending], picture=ending != "flac")
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    info = media.probe(film)
    with pytest.raises(MediaError, match=r"is incomplete: it promises [12]\.\d s, but only [01]\.\d s are there"):
        media.extract(info, info.audio[0], tmp_path / "pcm")


def test_a_film_of_a_short_sound_is_not_incomplete(tmp_path: Path) -> None:
    long = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=6"]
    ffmpeg(*long, *beep(), *H264, *AAC, tmp_path / "film.mkv")
    assert in_time(heard(tmp_path / "film.mkv")[1], 1.0)


def test_a_film_is_judged_by_what_it_holds_where_its_header_promises_more_than_is_allowed(tmp_path: Path) -> None:
    film = hostile.of_more_than_it_promises(tmp_path / "film.mkv", promised=9000.0, held=2.0)
    factory = FakeFactory(ScriptedTranscriber([]), ToneSynthesizer())
    request = asked(film, "es", "en")
    assert pipeline.check(request, factory) == pytest.approx(9000.0, abs=1)
    assert pipeline.check(replace(request, longest_seconds=60.0), factory) == pytest.approx(2.0, abs=0.1)


# Channels that cancel each other out


def of_channels(path: Path, mixing: str, *options: str) -> Path:
    """Make a film of 2 s whose channels are made from a tone that begins at 1.0 s."""
    ffmpeg(*PICTURE, *beep(), *H264, "-af", mixing, "-c:a", "flac", *options, path)
    return path


def loudest(path: Path) -> int:
    return int(np.abs(heard(path)[0].astype(np.int32)).max())


@pytest.mark.parametrize("right", ["-1*c0", "-0.8*c0"])
def test_channels_that_cancel_each_other_out_are_heard_as_loud_as_one_of_them(tmp_path: Path, right: str) -> None:
    inverted = of_channels(tmp_path / "inverted.mkv", f"pan=stereo|c0=c0|c1={right}")
    assert loudest(inverted) == pytest.approx(0.5 * 32768, rel=0.05)


def test_channels_that_cancel_each_other_out_for_a_while_are_heard_there_too(tmp_path: Path) -> None:
    straight = made(tmp_path / "a.ts", "-c:a", "mp2", "-ac", "2")
    inverted = made(tmp_path / "b.ts", "-c:a", "mp2", "-af", "pan=stereo|c0=c0|c1=-1*c0", "-output_ts_offset", "2")
    assert in_time(heard(joined(tmp_path / "film.ts", straight, inverted))[1], 1.0, 3.0)


@pytest.mark.parametrize(("mixing", "level"), [("pan=stereo|c0=c0|c1=c0", 1.0), ("pan=stereo|c1=c0|c0=0*c0", 0.5)])
def test_the_mix_is_heard_where_channels_do_not_cancel_each_other_out(
    tmp_path: Path, mixing: str, level: float
) -> None:
    assert loudest(of_channels(tmp_path / "film.mkv", mixing)) == pytest.approx(level * 0.5 * 32768, rel=0.05)


@pytest.mark.soak
def test_of_surround_the_centre_is_heard_though_other_channels_cancel_each_other_out(tmp_path: Path) -> None:
    mixing = "pan=5.1|FC=c0|FL=0.2*c0|FR=-0.2*c0"
    film = of_channels(tmp_path / "film.mkv", mixing)
    assert in_time(heard(film)[1], 1.0)
    assert np.array_equal(heard_again(film), films.decoded(film, RATE))


def heard_again(film: Path) -> NDArray[np.int16]:
    info = media.probe(film)
    return media.extract(info, info.audio[0], film.with_suffix(".pcm"))
