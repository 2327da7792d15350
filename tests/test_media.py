"""ffmpeg and other programs, on real files and real processes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import films, hostile
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg
from tests.sounds import pcm, silence, speech
from vt import media
from vt.domain import Cancel
from vt.errors import Cancelled, MediaError, StorageError, ToolError, ToolStopped
from vt.media import Named, Soft, SoundFormat
from vt.system.processes import PROBES
from vt.system.sandbox import CORES

RATE = media.SPEECH_RATE


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def film(made: Path) -> Path:
    """A film of 2 s, H.264 and AAC in mp4."""
    return films.film(made / "film.mp4")


@pytest.fixture(scope="session")
def faststart(made: Path) -> Path:
    """The same film with its index in front."""
    return films.film(made / "faststart.mp4", "-movflags", "+faststart")


@pytest.fixture(scope="session")
def sound_only(made: Path) -> Path:
    """A tone of 2 s as mp3."""
    ffmpeg(*SOUND, "-c:a", "libmp3lame", made / "sound.mp3")
    return made / "sound.mp3"


@pytest.fixture(scope="session")
def dub(made: Path) -> Path:
    """A dubbed track of 2 s."""
    return encoded(made, pcm(speech(2.0, 22_050, -20)), 22_050)


@pytest.fixture(scope="session")
def subtitles(made: Path) -> list[Soft]:
    """Subtitles in two languages."""
    for name in ("es", "en"):
        (made / f"{name}.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nHola\n")
    return [Soft(made / "es.srt", "spa", "español"), Soft(made / "en.srt", "eng", "English")]


def refused(path: Path) -> str:
    """Return the sentence with which a file is refused."""
    with pytest.raises(MediaError) as caught:
        media.probe(path)
    sentence = str(caught.value)
    assert "\n" not in sentence.replace(str(path), "")
    return sentence


# What is in a file


def test_a_film_is_seen_as_it_is(film: Path) -> None:
    info = media.probe(film)
    assert info.path == film
    assert info.seconds == pytest.approx(2.0, abs=0.05)
    assert info.frame_seconds == pytest.approx(0.04)
    assert info.video
    assert (info.video.index, info.video.codec, info.video.language) == (0, "h264", "")
    (track,) = info.audio
    assert (track.index, track.codec, track.channels) == (1, "aac", 1)
    assert track.seconds == pytest.approx(2.0, abs=0.05)
    assert (info.subtitles, info.covers) == ((), ())


CONTAINERS = {
    "mov": [*H264, *AAC],
    "mkv": [*H264, "-c:a", "flac"],
    "webm": ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"],
    "avi": ["-c:v", "mpeg4", "-c:a", "mp2"],
    "mpg": ["-c:v", "mpeg2video", "-c:a", "mp2"],
    "ts": [*H264, *AAC],
    "flv": ["-c:v", "flv", "-c:a", "libmp3lame", "-ar", "44100"],
    "wmv": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "ogg": ["-c:v", "libtheora", "-c:a", "libvorbis"],
}


@pytest.fixture(scope="session")
def contained(made: Path) -> Callable[[str], Path]:
    """Make the film in a container, once."""

    def make(ending: str) -> Path:
        path = made / f"contained.{ending}"
        if not path.exists():
            ffmpeg(*PICTURE, *SOUND, *CONTAINERS[ending], path)
        return path

    return make


@pytest.mark.parametrize("ending", CONTAINERS)
def test_every_usual_container_opens_and_its_sound_is_decoded_whole(
    tmp_path: Path, contained: Callable[[str], Path], ending: str
) -> None:
    info = media.probe(contained(ending))
    assert info.video
    assert info.seconds == pytest.approx(2.0, abs=0.15)
    assert len(media.extract(info, info.audio[0], tmp_path / "pcm")) / RATE == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("ending", ["wav", "mp3", "m4a", "flac", "opus"])
def test_sound_alone_opens_and_is_decoded_whole(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"sound.{ending}"
    ffmpeg(*SOUND, path)
    info = media.probe(path)
    assert info.video is None
    assert info.frame_seconds == 0.0
    assert len(media.extract(info, info.audio[0], tmp_path / "pcm")) / RATE == pytest.approx(2.0, abs=0.1)


def test_the_tags_of_the_tracks_are_read(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    tags = ["-metadata:s:a:0", "language=fra", "-metadata:s:a:0", "title=Voix", "-metadata:s:a:1", "language=und"]
    ffmpeg(*PICTURE, *SOUND, *SOUND, "-map", "0", "-map", "1", "-map", "2", *H264, *AAC, *tags, path)
    first, second = media.probe(path).audio
    assert (first.index, first.language, first.title) == (1, "fra", "Voix")
    assert (second.index, second.language, second.title) == (2, "", "")
    assert first.seconds == pytest.approx(2.0, abs=0.1)


def test_the_cover_of_a_song_is_no_moving_picture(tmp_path: Path, sound_only: Path) -> None:
    path = tmp_path / "song.mp3"
    cover = ["-frames:v", "1", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-disposition:v", "attached_pic"]
    ffmpeg("-i", sound_only, *PICTURE, "-map", "0", "-map", "1", "-c:a", "copy", *cover, path)
    info = media.probe(path)
    assert info.video is None
    assert [cover.codec for cover in info.covers] == ["mjpeg"]


def test_subtitles_in_a_film_are_seen(tmp_path: Path, film: Path, subtitles: list[Soft]) -> None:
    path = tmp_path / "film.mkv"
    ffmpeg("-i", film, "-i", subtitles[0].path, "-c", "copy", "-metadata:s:s:0", "language=spa", path)
    assert [track.language for track in media.probe(path).subtitles] == ["spa"]


def test_a_recording_of_a_browser_whose_header_promises_nothing_opens(
    tmp_path: Path, contained: Callable[[str], Path]
) -> None:
    path = tmp_path / "recording.webm"
    path.write_bytes(ffmpeg("-i", contained("webm"), "-c", "copy", "-f", "webm", "pipe:1"))
    info = media.probe(path)
    assert info.video
    assert len(media.extract(info, info.audio[0], tmp_path / "pcm")) / RATE == pytest.approx(2.0, abs=0.1)


def test_a_film_without_sound_opens_and_says_so(tmp_path: Path) -> None:
    ffmpeg(*PICTURE, *H264, tmp_path / "silent.mp4")
    info = media.probe(tmp_path / "silent.mp4")
    assert info.video
    assert info.audio == ()


def test_a_name_that_lies_about_the_container_does_not_matter(tmp_path: Path, sound_only: Path) -> None:
    path = tmp_path / "film.avi"
    path.write_bytes(sound_only.read_bytes())
    assert [track.codec for track in media.probe(path).audio] == ["mp3"]


NAMES = [
    "two words.mp4",
    'it\'s "quoted".mp4',
    "-i",
    "http:",
    "100%d %03d.mp4",
    "new\nline.mp4",
    "film 🎬 ñ 中.mp4",
    "a|b;c&d$e`f\\g[h]*?.mp4",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_film_of_any_name_is_opened(tmp_path: Path, film: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(film.read_bytes())
    assert media.probe(Path(name)).seconds == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("name", ["-", '-i it\'s a "b": 100%d\n[x] 🎬|c;$d\\e.mp4'])
def test_a_film_of_any_name_is_decoded_and_muxed_with_files_of_such_names(
    tmp_path: Path, film: Path, dub: Path, subtitles: list[Soft], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(film.read_bytes())
    Path("out").mkdir()
    info = media.probe(Path(name))
    assert len(media.extract(info, info.audio[0], Path("out", f"{name}.pcm"))) == pytest.approx(2 * RATE, abs=RATE / 10)
    soft = replace(subtitles[0], path=Path("out", f"{name}.srt"))
    soft.path.write_bytes(subtitles[0].path.read_bytes())
    media.mux(info, info.audio[0], dub, (Named("spa", "x"), Named("eng", "y")), [soft], Path("out", name))
    kinds = [stream["codec_type"] for stream in films.streams(Path("out", name).absolute())]
    assert kinds == ["video", "audio", "audio", "subtitle"]
    assert {path.name for path in Path("out").iterdir()} == {name, f"{name}.pcm", f"{name}.srt"}


# What cannot be used


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.mp4") == f"There is no file {tmp_path / 'none.mp4'}: check the name."


def test_a_name_too_long_for_any_file_is_missing_too(tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / ("n" * 300))


def test_a_name_below_a_file_is_missing_too(film: Path) -> None:
    assert "There is no file" in refused(film / "below.mp4")


def test_a_folder_is_told_apart(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_an_empty_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert "is empty" in refused(tmp_path / "empty.mp4")


def test_a_pipe_is_refused_without_waiting_for_somebody_to_write(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not an ordinary file" in refused(tmp_path / "pipe.mp4")


JUNK = {
    "text": b"Dear diary, this is no film.\n" * 100,
    "HTML": b"<!DOCTYPE html><html><head><title>404</title></head><body>Not found</body></html>" * 20,
    "JSON": b'{"error": "not found"}',
    "one byte": b"x",
    "zeros": bytes(100_000),
    "PDF": b"%PDF-1.7\n" + bytes(range(256)) * 40,
    "picture": bytes.fromhex("47494638396101000100000000 21f90401000000 002c00000000010001000002003b".replace(" ", "")),
    "subtitles": b"1\n00:00:01,000 --> 00:00:02,000\nHello\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
def test_what_is_no_film_is_refused_whatever_it_is_called(tmp_path: Path, content: bytes) -> None:
    name = "film.mp4"
    (tmp_path / name).write_bytes(content)
    assert "is not a video or audio file" in refused(tmp_path / name)


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_never_become_sound(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(np.random.default_rng(seed).bytes(50_000))
    assert str(path) in refused(path)


def test_a_film_whose_index_is_missing_is_incomplete(tmp_path: Path, film: Path) -> None:
    whole = film.read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    assert "is incomplete" in refused(tmp_path / "half.mp4")


def test_a_film_that_breaks_off_is_incomplete_though_its_index_is_there(tmp_path: Path, faststart: Path) -> None:
    whole = faststart.read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    info = media.probe(tmp_path / "half.mp4")
    with pytest.raises(MediaError, match=r"is incomplete: it promises 2\.0 s"):
        media.extract(info, info.audio[0], tmp_path / "pcm")


def test_a_film_that_lost_its_last_moment_is_good_enough(tmp_path: Path, faststart: Path) -> None:
    whole = faststart.read_bytes()
    (tmp_path / "nearly.mp4").write_bytes(whole[:-500])
    info = media.probe(tmp_path / "nearly.mp4")
    assert len(media.extract(info, info.audio[0], tmp_path / "pcm")) / RATE > 1.8


def hls(secret: str) -> str:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{secret}\n#EXT-X-ENDLIST\n"


def ffconcat(secret: str) -> str:
    return f"ffconcat version 1.0\nfile '{secret}'\nduration 2\n"


def dash(secret: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" '
        f'bandwidth="1"><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>'
    )


def sdp(secret: str) -> str:
    return f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={secret}\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"


@contextmanager
def watched(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give a pipe that nobody should open, and list who did: opening one to write waits for its reader."""
    pipe, opened = folder / "secret.ts", list[str]()
    os.mkfifo(pipe)
    ended = threading.Event()

    def wait_for_a_reader() -> None:
        while not ended.is_set():
            try:
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
                opened.append("somebody read it")
            except OSError:  # nobody is there
                time.sleep(0.001)

    guard = threading.Thread(target=wait_for_a_reader)
    guard.start()
    try:
        yield pipe, opened
    finally:
        ended.set()
        guard.join()


def test_the_pipe_that_nobody_should_open_tells_when_somebody_does(tmp_path: Path) -> None:
    with watched(tmp_path) as (pipe, opened):
        script = tmp_path / "script"
        script.write_text(ffconcat(str(pipe)))
        argv = ["ffprobe", "-v", "quiet", "-f", "concat", "-safe", "0", str(script)]
        subprocess.run(argv, check=False, timeout=20)
    assert opened


@pytest.mark.parametrize(
    ("name", "write"),
    [("film.mp4", hls), ("film.m3u8", hls), ("film.mp4", ffconcat), ("film.mp4", dash), ("film.mp4", sdp)],
)
def test_a_playlist_is_refused_and_the_file_that_it_names_is_never_opened(
    tmp_path: Path, name: str, write: type[str]
) -> None:
    with watched(tmp_path) as (pipe, opened):
        for secret in (pipe.name, f"file:{pipe}"):
            (tmp_path / name).write_text(write(secret))
            assert "is not a video or audio file" in refused(tmp_path / name)
    assert opened == []


@pytest.mark.parametrize("write", [hls, ffconcat, dash])
def test_a_playlist_is_refused_and_the_address_that_it_names_is_never_called(tmp_path: Path, write: type[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        (tmp_path / "film.mp4").write_text(write(f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts"))
        assert "is not a video or audio file" in refused(tmp_path / "film.mp4")
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_playlist_that_slips_past_the_probe_opens_nothing_when_it_is_decoded_or_muxed(
    tmp_path: Path, film: Path, dub: Path
) -> None:
    info = media.probe(film)
    with watched(tmp_path) as (pipe, opened):
        swapped = replace(info, path=tmp_path / "film.mp4")
        swapped.path.write_text(hls(str(pipe)))
        with pytest.raises(MediaError):
            media.extract(swapped, info.audio[0], tmp_path / "pcm")
        with pytest.raises(MediaError, match="cannot be written anew with its dub: it is damaged"):
            media.mux(swapped, info.audio[0], dub, (Named("spa", ""), Named("eng", "")), [], tmp_path / "out.mp4")
    assert opened == []


# Who is to blame


def test_a_probe_that_the_system_killed_is_not_blamed_on_the_film(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of("ffprobe", tmp_path, "echo half >&2; kill -KILL $$", monkeypatch)
    with pytest.raises(ToolStopped, match=r"^ffprobe was ended by the system \(SIGKILL\), probably because memory"):
        media.probe(film)


def test_a_decoder_that_the_system_killed_is_not_blamed_on_the_film(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = media.probe(film)
    instead_of("ffmpeg", tmp_path, "kill -KILL $$", monkeypatch)
    with pytest.raises(ToolStopped, match=r"^ffmpeg was ended by the system"):
        media.extract(info, info.audio[0], tmp_path / "pcm")


def test_a_file_that_ffprobe_refuses_without_a_word_is_blamed_and_not_the_server(tmp_path: Path) -> None:
    path = tmp_path / "adpcm.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", path)
    content = bytearray(path.read_bytes())
    content[20] = 0x11  # in place of plain samples it promises IMA ADPCM, whose header it lacks
    path.write_bytes(content)
    with pytest.raises(MediaError, match="is not a video or audio file that vt can read"):
        media.probe(path)


def test_a_film_that_cannot_be_read_to_its_end_is_blamed_and_not_the_server(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = media.probe(film)
    instead_of("ffmpeg", tmp_path / "a", "echo Invalid data >&2; exit 1", monkeypatch)
    with pytest.raises(MediaError, match="is not a video or audio file that vt can read"):
        media.measured_seconds(info)
    instead_of("ffmpeg", tmp_path / "b", "kill -XCPU $$", monkeypatch)
    with pytest.raises(MediaError, match="takes more than vt gives to one film"):
        media.measured_seconds(info)


def test_whoever_has_a_film_measured_waits_for_a_place_among_the_examinations_of_files(film: Path) -> None:
    info, measured = media.probe(film), Future[float]()
    waiter = threading.Thread(target=lambda: measured.set_result(media.measured_seconds(info)), daemon=True)
    with ExitStack() as full:
        for _ in range(2 * CORES):
            full.enter_context(PROBES.one())
        waiter.start()
        while not PROBES.waiting:
            assert waiter.is_alive()
    assert measured.result(60) == pytest.approx(info.seconds, abs=0.1)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("kill -XCPU $$", "ffprobe took more than 3 seconds of processor time."),
        ("kill -SEGV $$", "ffprobe broke down (SIGSEGV)."),
        ("yes", "ffprobe answered with more than 4 MB and was stopped."),
        ("echo Cannot allocate memory >&2; exit 1", "ffprobe needed more memory than the 1024 MB that it may take."),
    ],
)
def test_a_film_that_takes_too_much_is_refused_with_what_it_took(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch, script: str, sentence: str
) -> None:
    instead_of("ffprobe", tmp_path, script, monkeypatch)
    told = refused(film)
    assert told.endswith(f"takes more than vt gives to one film. {sentence}")


# Small films that want much


def in_megabytes(program: str, megabytes: int, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let a program write to so much memory only; how many addresses its libraries take is another matter."""
    real = shutil.which(program)
    instead_of(program, folder, f'exec prlimit --data={megabytes << 20} {real} "$@"', patch)


@pytest.mark.soak
def test_a_film_with_too_many_tags_is_given_up_soon_and_has_a_sentence(tmp_path: Path) -> None:
    told = refused(hostile.of_many_tags(tmp_path / "film.mkv", 6000))
    assert re.search(r"takes more than vt gives to one film\. ffprobe took (more|longer) than \d+ seconds", told)


def test_a_film_with_some_hundred_tags_is_no_trouble(tmp_path: Path) -> None:
    assert len(media.probe(hostile.of_many_tags(tmp_path / "film.mkv", 300)).audio) == 1


def test_a_title_is_not_longer_than_anybody_reads(tmp_path: Path) -> None:
    films.film(tmp_path / "film.mkv", "-metadata:s:a:0", f"title={'x' * 100_000}")
    (track,) = media.probe(tmp_path / "film.mkv").audio
    assert track.title == 200 * "x"


def test_a_film_of_too_many_tracks_is_refused_with_their_number(tmp_path: Path) -> None:
    assert "has more tracks and attachments than the 256" in refused(hostile.of_many_tracks(tmp_path / "a.mkv", 300))


@pytest.mark.soak
def test_a_huge_cover_is_not_unpacked_and_is_left_out(
    tmp_path: Path, dub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = hostile.of_a_large_cover(tmp_path / "song.mp3", 11_000)
    in_megabytes("ffprobe", 300, tmp_path / "a", monkeypatch)
    in_megabytes("ffmpeg", 300, tmp_path / "b", monkeypatch)
    info = media.probe(path)
    assert [cover.codec for cover in info.covers] == ["png"]
    assert len(media.extract(info, info.audio[0], tmp_path / "pcm")) == pytest.approx(2 * RATE, abs=RATE / 5)
    (_, note) = media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.m4a")
    assert note == "A cover was left out: it is too large, or damaged."
    assert len(media.probe(tmp_path / "out.m4a").audio) == 2


@pytest.mark.soak
def test_a_film_that_holds_more_than_it_promises_is_decoded_as_far_as_is_allowed(tmp_path: Path) -> None:
    info = media.probe(hostile.of_more_than_it_promises(tmp_path / "film.mkv", 1.0, 600.0))
    assert info.seconds == pytest.approx(1.0, abs=0.1)
    with pytest.raises(MediaError, match=r"too long: it promises 0\.0 minutes, but it holds more than 0\.5, and"):
        media.extract(info, info.audio[0], tmp_path / "pcm", longest=30.0)
    assert (tmp_path / "pcm").stat().st_size <= 61 * RATE * 2
    assert len(media.extract(info, info.audio[0], tmp_path / "all")) == pytest.approx(600 * RATE, rel=0.01)


@pytest.mark.soak
def test_a_film_whose_subtitles_end_early_is_put_together_in_little_memory(
    tmp_path: Path, dub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = media.probe(hostile.of_a_long_silence_of_its_subtitles(tmp_path / "film.mkv"))
    assert info.path.stat().st_size > 120e6
    in_megabytes("ffmpeg", 220, tmp_path, monkeypatch)
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert films.streams(tmp_path / "out.mp4")[0]["nb_frames"] == "60"


# Sound in


def click(folder: Path) -> list[str]:
    """Return the input of a second of silence with a click in its middle."""
    samples = np.zeros(48_000, np.int16)
    samples[24_000:24_048] = 30_000
    (folder / "click.pcm").write_bytes(samples.tobytes())
    return ["-f", "s16le", "-ar", "48000", "-ac", "1", "-i", str(folder / "click.pcm")]


def heard_click(path: Path) -> float:
    """Return when the click is in the extracted samples, in seconds."""
    info = media.probe(path)
    samples = media.extract(info, info.audio[0], path.with_suffix(".extracted"))
    return int(np.argmax(np.abs(samples.astype(np.int32)))) / RATE


@pytest.mark.parametrize(
    ("ending", "codec", "late"),
    [("mov", "pcm_s16le", 0.7), ("mkv", "pcm_s16le", 0.25), ("mp4", "aac", 0.0), ("mp4", "aac", 0.7)],
)
def test_time_in_the_samples_is_time_in_the_film_when_its_sound_starts_late(
    tmp_path: Path, ending: str, codec: str, late: float
) -> None:
    path = tmp_path / f"late.{ending}"
    ffmpeg(*PICTURE, "-itsoffset", str(late), *click(tmp_path), "-c:v", "mpeg4", "-c:a", codec, path)
    assert heard_click(path) == pytest.approx(late + 0.5, abs=0.005)


@pytest.mark.parametrize(("channels", "late"), [(1, 0.25), (2, 0.0), (2, 0.7), (6, 0.25)])
def test_sound_that_is_to_be_heard_again_keeps_up_to_two_channels_and_its_time(
    tmp_path: Path, channels: int, late: float
) -> None:
    path, kept = tmp_path / "late.mov", tmp_path / "kept.pcm"
    layout = {1: "mono|c0=c0", 2: "stereo|c0=c0|c1=-1*c0", 6: "5.1|FL=c0"}[channels]
    sides = ["-af", f"pan={layout}", "-c:a", "pcm_s16le"]
    ffmpeg(*PICTURE, "-itsoffset", str(late), *click(tmp_path), "-c:v", "mpeg4", *sides, path)
    info = media.probe(path)
    form = media.full_format(info.audio[0])
    media.extract_in(form, info, info.audio[0], kept)
    assert form == SoundFormat(48_000, min(2, channels))
    sound = np.fromfile(kept, np.int16).reshape(-1, form.channels).astype(np.int32)
    begin = int(np.argmax(np.abs(sound[:, 0]) > 5000)) / form.rate
    assert begin == pytest.approx(late + 0.5, abs=0.001)
    if channels == 2:
        assert np.array_equal(sound[:, 0], -sound[:, 1])


@pytest.mark.parametrize(("ending", "late"), [("ts", 0.25), ("ts", 0.7), ("mpg", 0.7)])
def test_time_in_the_samples_is_time_in_the_film_in_broadcast_formats_too(
    tmp_path: Path, ending: str, late: float
) -> None:
    path = tmp_path / f"late.{ending}"
    codecs = ["-c:v", "mpeg2video", "-bf", "0", "-c:a", "mp2", "-b:a", "192k"]
    ffmpeg(*PICTURE, "-itsoffset", str(late), *click(tmp_path), *codecs, path)
    picture, track = (float(stream["start_time"]) for stream in films.streams(path))
    assert track - picture == pytest.approx(late, abs=0.03)
    assert heard_click(path) == pytest.approx(track - picture + 0.5 + MP2_DELAY, abs=0.005)


MP2_DELAY = 481 / 48_000
"""ffmpeg's mp2 encoder is late by this much, and says so in the time of the first packet."""


def test_the_track_that_was_asked_for_is_decoded_and_mixed_to_one_channel(tmp_path: Path) -> None:
    quiet = ["-f", "lavfi", "-i", "anullsrc=r=44100:cl=5.1:d=2"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    ffmpeg(*PICTURE, *quiet, *SOUND, *maps, *H264, *AAC, "-t", "2", tmp_path / "film.mkv")
    info = media.probe(tmp_path / "film.mkv")
    first, second = (media.extract(info, track, tmp_path / f"{place}.pcm") for place, track in enumerate(info.audio))
    assert int(np.abs(first).max()) == 0
    assert int(np.abs(second).max()) > 1000


def test_the_samples_stay_on_disk(tmp_path: Path, film: Path) -> None:
    info = media.probe(film)
    samples = media.extract(info, info.audio[0], tmp_path / "pcm")
    assert isinstance(samples, np.memmap)
    assert samples.dtype == np.int16


def instead_of(program: str, folder: Path, script: str, patch: pytest.MonkeyPatch) -> None:
    """Put a shell script in the place of a program."""
    stand_in = folder / "bin" / program
    stand_in.parent.mkdir(parents=True)
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    patch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")


def test_decoding_to_a_full_disk_is_a_storage_error(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = media.probe(film)
    instead_of("ffmpeg", tmp_path, "echo av_interleaved_write_frame: No space left on device >&2", monkeypatch)
    with pytest.raises(StorageError, match="disk is full"):
        media.extract(info, info.audio[0], tmp_path / "pcm")


def test_a_cancel_ends_a_long_decoding_at_once(tmp_path: Path, film: Path) -> None:
    info, cancel = media.probe(film), Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        media.extract(info, info.audio[0], tmp_path / "pcm", cancel)


# Stretching


def dominant(samples: NDArray[np.int16], rate: int) -> float:
    """Return the strongest frequency in hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(np.argmax(spectrum)) * rate / (1 << 18)


@pytest.mark.parametrize(("rate", "tempo"), [(22_050, 0.9), (22_050, 1.3), (22_050, 2.0), (16_000, 1.1)])
def test_a_stretched_sound_is_exact_in_length_and_keeps_its_pitch(rate: int, tempo: float) -> None:
    sine = pcm(0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate))
    stretched = media.stretched(sine, rate, tempo)
    assert len(stretched) == round(len(sine) / tempo)
    middle = stretched[len(stretched) // 4 : -len(stretched) // 4]
    assert dominant(middle, rate) == pytest.approx(440, rel=0.01)


@pytest.mark.parametrize(("seconds", "tempo"), [(0.05, 1.3), (0.3, 0.9), (0.3, 2.0), (1.7, 1.1)])
def test_the_end_of_a_stretched_sound_is_not_lost(seconds: float, tempo: float) -> None:
    rate = 22_050
    tone = 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * rate)) / rate)
    stretched = media.stretched(pcm(tone), rate, tempo)
    assert len(stretched) == round(len(tone) / tempo)
    last = stretched[-round(min(0.02, seconds / 4) * rate) :].astype(np.float64)
    assert np.sqrt(np.mean(last**2)) > 0.25 * 0.3 * 32768 / np.sqrt(2)


def test_a_sound_that_is_raised_at_its_end_is_as_long_as_before_and_higher_only_there() -> None:
    at = np.arange(2 * 24_000) / 24_000
    buzz = pcm(np.asarray(0.1 * sum(np.sin(2 * np.pi * 150 * n * at) / n for n in range(1, 8))))
    raised = media.raised_at_end(buzz, 24_000, 8.0, 0.4)
    assert len(raised) == len(buzz)
    before, end = (media.median_pitch(raised, 24_000, [stretch]) for stretch in ((0.2, 1.4), (1.7, 2.0)))
    assert before == pytest.approx(150, rel=0.02)
    assert end is not None
    assert end > 150 * 2 ** (4 / 12)
    assert len(media.raised_at_end(buzz[:0], 24_000, 8.0, 0.4)) == 0


def test_a_burst_at_the_very_end_is_still_heard_after_stretching() -> None:
    rate = 22_050
    samples = pcm(silence(1.0, rate), speech(0.1, rate, -15))
    stretched = media.stretched(samples, rate, 1.25).astype(np.float64)
    assert np.sqrt(np.mean(stretched[-round(0.08 * rate) :] ** 2)) > 0.5 * 32768 * 10 ** (-15 / 20)


# The dubbed track


def bursts(rate: int, dbfs: float, seconds: float = 12.0) -> NDArray[np.int16]:
    """Return sparse speech: bursts of various lengths, mostly pauses."""
    parts, here, number = [], 0.0, 0
    while here < seconds:
        talk, pause = (0.8, 1.5, 2.2)[number % 3], (1.0, 2.5)[number % 2]
        parts += [silence(pause, rate), speech(talk, rate, dbfs, number)]
        here, number = here + talk + pause, number + 1
    return pcm(*parts)


def encoded(folder: Path, samples: NDArray[np.int16], rate: int, gain: float = 0.0) -> Path:
    """Encode a track in one go."""
    (folder / "dub.aac").write_bytes(b"".join(media.aac_packets(samples, rate, gain, media.LIMIT)))
    media.join_aac([folder / "dub.aac"], media.output_rate(rate), folder / "dub.m4a")
    return folder / "dub.m4a"


def test_the_loudness_forecast_is_about_what_comes_out(tmp_path: Path) -> None:
    samples = bursts(22_050, -26)
    forecast = media.loudness_at(samples, 22_050, [0.0, 6.0, 12.0])
    assert all(a < b for a, b in pairwise(forecast))
    assert films.loudness(encoded(tmp_path, samples, 22_050, 6.0))[0] == pytest.approx(forecast[1], abs=0.5)


@pytest.mark.parametrize(("rate", "dbfs"), [(22_050, -20.0), (44_100, -12.0)])
def test_the_momentary_loudness_and_the_peak_are_those_of_the_file(tmp_path: Path, rate: int, dbfs: float) -> None:
    steady = encoded(tmp_path, pcm(speech(6.0, rate, dbfs)), rate)
    told = media.momentary_loudness(tmp_path / "dub.aac", primed=True)
    level, peak = films.loudness(steady)
    assert len(told["momentary"]) == pytest.approx(60, abs=5)
    assert np.median(told["momentary"]) == pytest.approx(level, abs=1.5)
    assert told["true_peak"] == pytest.approx(peak, abs=0.3)


def test_silence_has_no_peak(tmp_path: Path) -> None:
    encoded(tmp_path, np.zeros(44_100, np.int16), 22_050)
    told = media.momentary_loudness(tmp_path / "dub.aac", primed=True)
    assert told["true_peak"] is None or told["true_peak"] < -90
    assert max(told["momentary"]) <= -70


@pytest.mark.soak
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_sound_at_one_second_is_at_one_second_after_encoding(tmp_path: Path, rate: int) -> None:
    sound = speech(0.5, rate, -12)[round(0.06 * rate) :]
    dub = encoded(tmp_path, pcm(silence(1.0, rate), sound, silence(0.5, rate)), rate)
    track = np.abs(films.decoded(dub, 48_000).astype(np.int32))
    onset = int(np.flatnonzero(track > 0.1 * track.max())[0]) / 48_000
    assert onset == pytest.approx(1.0, abs=0.010)


def test_an_impulse_at_one_second_is_at_one_second_after_encoding(tmp_path: Path) -> None:
    samples = np.zeros(2 * 22_050, np.int16)
    samples[22_050:22_070] = 28_000
    track = np.abs(films.decoded(encoded(tmp_path, samples, 22_050), 48_000).astype(np.int32))
    assert int(np.argmax(track)) / 48_000 == pytest.approx(1.0, abs=0.010)


@pytest.mark.parametrize("name", ["it's a|b [x] 100%d\nñ 🎬", "-y:z"])
def test_a_track_is_written_and_measured_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    dub = encoded(tmp_path / name, pcm(speech(0.5, 22_050, -20)), 22_050)
    assert media.momentary_loudness(tmp_path / name / "dub.aac", primed=True)["momentary"]
    assert {path.name for path in dub.parent.iterdir()} == {"dub.aac", "dub.m4a"}


def test_a_track_that_cannot_be_written_is_an_error_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "dub.m4a").mkdir()
    with pytest.raises(ToolError, match="directory"):
        encoded(tmp_path, pcm(speech(0.5, 22_050, -20)), 22_050)


def test_a_cancel_kills_the_encoder() -> None:
    cancel = Cancel()
    threading.Timer(0.2, cancel.set).start()
    with pytest.raises(Cancelled):
        media.aac_packets(np.zeros(22_050 * 60 * 60, np.int16), 22_050, 0.0, media.LIMIT, cancel)


# The film


NAMED = (Named("spa", "español (dubbed)"), Named("eng", "English (original)"))


def test_the_result_has_its_tracks_in_order_with_their_languages_and_the_dub_is_played(
    tmp_path: Path, film: Path, dub: Path, subtitles: list[Soft]
) -> None:
    info = media.probe(film)
    assert media.mux(info, info.audio[0], dub, NAMED, subtitles, tmp_path / "out.mp4") == []
    found = films.streams(tmp_path / "out.mp4")
    kinds = [(stream["codec_type"], stream["codec_name"]) for stream in found]
    assert kinds == [
        ("video", "h264"),
        ("audio", "aac"),
        ("audio", "aac"),
        ("subtitle", "mov_text"),
        ("subtitle", "mov_text"),
    ]
    assert [stream["tags"]["language"] for stream in found[1:]] == ["spa", "eng", "spa", "eng"]
    # (mp4 always enables one subtitle track where there are some.)
    assert [stream["disposition"]["default"] for stream in found[:3]] == [1, 1, 0]
    assert [stream["tags"].get("handler_name") for stream in found[1:3]] == [name.title for name in NAMED]


def test_the_picture_is_copied_bit_by_bit(tmp_path: Path, film: Path, dub: Path, subtitles: list[Soft]) -> None:
    info = media.probe(film)
    media.mux(info, info.audio[0], dub, NAMED, subtitles, tmp_path / "out.mp4")
    assert films.packets_md5(tmp_path / "out.mp4") == films.packets_md5(film)
    (before, after) = (films.streams(path)[0] for path in (film, tmp_path / "out.mp4"))
    assert before["nb_frames"] == after["nb_frames"]
    assert media.probe(tmp_path / "out.mp4").seconds == pytest.approx(info.seconds, abs=0.04)


def test_the_dub_is_the_first_track_and_the_original_the_second(tmp_path: Path, film: Path, dub: Path) -> None:
    info = media.probe(film)
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert np.array_equal(films.decoded(tmp_path / "out.mp4", 24_000, 0), films.decoded(dub, 24_000))
    assert np.array_equal(films.decoded(tmp_path / "out.mp4", 48_000, 1), films.decoded(film, 48_000))


def test_further_tracks_follow_with_their_own_languages_and_none_of_them_is_default(tmp_path: Path, dub: Path) -> None:
    tags = [f"-metadata:s:a:{place}" for place in range(3)]
    path = tmp_path / "film.mkv"
    ffmpeg(
        *(*PICTURE, *SOUND, *SOUND, *SOUND, "-map", "0", "-map", "1", "-map", "2", "-map", "3", *H264),
        *("-c:a", "flac", tags[0], "language=eng", tags[1], "language=fre", tags[2], "language=ger", path),
    )
    info = media.probe(path)
    media.mux(info, info.audio[1], dub, (Named("spa", "x"), Named("fra", "y")), [], tmp_path / "out.mp4")
    found = [stream for stream in films.streams(tmp_path / "out.mp4") if stream["codec_type"] == "audio"]
    assert [stream["tags"]["language"] for stream in found] == ["spa", "fra", "eng", "deu"]
    assert [stream["disposition"]["default"] for stream in found] == [1, 0, 0, 0]


@pytest.mark.parametrize("ending", ["mov", "mkv", "avi", "mpg", "ts"])
def test_a_picture_that_can_live_in_mp4_is_copied_from_every_container(
    tmp_path: Path, contained: Callable[[str], Path], ending: str, dub: Path
) -> None:
    info = media.probe(contained(ending))
    assert info.video
    notes = media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert not [note for note in notes if "picture" in note]
    result = media.probe(tmp_path / "out.mp4")
    assert result.video
    assert result.video.codec == info.video.codec
    assert result.seconds == pytest.approx(2.0, abs=0.15)
    assert films.streams(tmp_path / "out.mp4")[0]["nb_frames"] == "50"


@pytest.mark.parametrize(("ending", "codec"), [("webm", "vp8"), ("flv", "flv1"), ("wmv", "wmv2"), ("ogg", "theora")])
def test_a_picture_that_cannot_live_in_mp4_becomes_h264_and_the_user_is_told(
    tmp_path: Path, contained: Callable[[str], Path], ending: str, codec: str, dub: Path
) -> None:
    info = media.probe(contained(ending))
    note, *_ = media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert f"The picture was {codec}" in note
    assert "H.264" in note
    picture, *_ = films.streams(tmp_path / "out.mp4")
    assert (picture["codec_name"], picture["width"], picture["height"]) == ("h264", 64, 36)
    assert float(picture["duration"]) == pytest.approx(2.0, abs=0.05)


def test_a_picture_of_odd_size_can_be_encoded_again_too(tmp_path: Path, dub: Path) -> None:
    path = tmp_path / "odd.webm"
    odd = ["-f", "lavfi", "-i", "testsrc2=size=65x37:rate=25:duration=2"]
    ffmpeg(*odd, *SOUND, *CONTAINERS["webm"], path)
    info = media.probe(path)
    assert len(media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")) == 1
    picture, *_ = films.streams(tmp_path / "out.mp4")
    assert (picture["width"], picture["height"]) == (64, 36)


def test_sound_alone_becomes_m4a_with_the_dub_first(tmp_path: Path, sound_only: Path, dub: Path) -> None:
    info = media.probe(sound_only)
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.m4a")
    found = films.streams(tmp_path / "out.m4a")
    assert [stream["codec_name"] for stream in found] == ["aac", "aac"]
    assert [stream["tags"]["language"] for stream in found] == ["spa", "eng"]
    assert (tmp_path / "out.m4a").read_bytes()[4:12] == b"ftypM4A "


def test_the_index_of_the_result_is_in_front_so_that_it_plays_while_it_loads(
    tmp_path: Path, film: Path, dub: Path
) -> None:
    info = media.probe(film)
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    whole = (tmp_path / "out.mp4").read_bytes()
    assert 0 < whole.index(b"moov") < whole.index(b"mdat")


def test_a_film_is_not_cut_to_a_shorter_dub_nor_to_a_shorter_original(tmp_path: Path, dub: Path) -> None:
    long = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=4"]
    ffmpeg(*long, *SOUND, *H264, *AAC, tmp_path / "film.mp4")
    info = media.probe(tmp_path / "film.mp4")
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    assert films.streams(tmp_path / "out.mp4")[0]["nb_frames"] == "100"
    assert media.probe(tmp_path / "out.mp4").seconds == pytest.approx(4.0, abs=0.04)


def test_the_original_stays_where_it_was_when_it_starts_late(tmp_path: Path, dub: Path) -> None:
    ffmpeg(*PICTURE, "-itsoffset", "0.5", *SOUND, *H264, *AAC, tmp_path / "film.mp4")
    info = media.probe(tmp_path / "film.mp4")
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    result = media.probe(tmp_path / "out.mp4")
    samples = np.abs(media.extract(result, result.audio[1], tmp_path / "pcm").astype(np.int32))
    assert int(np.flatnonzero(samples > 1000)[0]) / RATE == pytest.approx(0.5, abs=0.01)


def test_chapters_and_the_title_of_the_film_are_kept(tmp_path: Path, film: Path, dub: Path) -> None:
    chapters = ";FFMETADATA1\ntitle=A film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=One\n"
    (tmp_path / "meta").write_text(chapters)
    path = tmp_path / "film.mp4"
    ffmpeg("-i", film, "-f", "ffmetadata", "-i", tmp_path / "meta", "-map_metadata", "1", "-c", "copy", path)
    info = media.probe(path)
    media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "out.mp4")
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-show_chapters", "-show_format", str(tmp_path / "out.mp4")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "TAG:title=One" in said
    assert "TAG:title=A film" in said


def test_a_film_that_cannot_be_written_is_an_error_with_one_sentence(tmp_path: Path, film: Path, dub: Path) -> None:
    info = media.probe(film)
    with pytest.raises(StorageError, match="cannot be written: No such file") as caught:
        media.mux(info, info.audio[0], dub, NAMED, [], tmp_path / "none" / "out.mp4")
    assert "\n" not in str(caught.value)
