"""The command line's manners: one sentence on stderr, the right exit code, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, SAMPLE, vt

pytestmark = pytest.mark.filterwarnings("error")
ALONE = ("--speakers", "1")
"""Told that one person speaks, a run looks for no others, which spares it a large library and a model."""


def _ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def _refused(folder: Path, *arguments: str | Path, code: int = 2, **environment: str) -> str:
    before = sorted(folder.rglob("*"))
    done = vt("translate", *arguments, "-o", "new/out", cwd=folder, **environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert sorted(folder.rglob("*")) == before
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("vt: ")
    assert "Traceback" not in done.stderr
    return lines[0]


def test_a_missing_file_is_named(folder: Path) -> None:
    assert "There is no file nowhere.mp4" in _refused(folder, "nowhere.mp4", "--to", "es")


def test_a_folder_is_no_film(folder: Path) -> None:
    assert "is a folder" in _refused(folder, ".", "--to", "es")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"Dear diary, today I made a film.\n" * 50, "is not a video or audio file"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is not a video or audio file"),
        (bytes(i * 7919 % 251 for i in range(100_000)), "is not a video or audio file"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n", "is not a video or audio file"),
    ],
    ids=["empty", "text", "html", "noise", "playlist"],
)
def test_a_file_that_is_no_film_is_refused(folder: Path, content: bytes, said: str) -> None:
    (folder / "film.mp4").write_bytes(content)
    assert said in _refused(folder, "film.mp4", "--to", "es")


@pytest.mark.parametrize("script", ["ffconcat version 1.0\nfile '{film}'\n", "#EXTM3U\n#EXTINF:30,\n{film}\n"])
def test_a_script_that_points_at_another_file_does_not_get_it_dubbed(folder: Path, script: str) -> None:
    (folder / "film.mp4").write_text(script.format(film=SAMPLE))
    assert "is not a video or audio file" in _refused(folder, "film.mp4", "--to", "es")


def test_a_playlist_that_points_at_a_server_never_calls_it(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/film.ts"
        (folder / "film.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n")
        _refused(folder, "film.mp4", "--to", "es")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_film_that_breaks_off_is_refused(folder: Path, share: float) -> None:
    whole = SAMPLE.read_bytes()
    (folder / "film.mp4").write_bytes(whole[: int(len(whole) * share)])
    assert "is incomplete" in _refused(folder, "film.mp4", "--to", "es")


def test_a_film_whose_index_is_missing_is_refused(folder: Path) -> None:
    _ffmpeg("-i", SAMPLE, "-c", "copy", "-movflags", "-faststart", folder / "whole.mp4")
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "film.mp4").write_bytes(whole[: len(whole) // 2])
    assert "is incomplete" in _refused(folder, "film.mp4", "--to", "es")


def test_a_film_without_sound_is_refused(folder: Path) -> None:
    _ffmpeg("-i", SAMPLE, "-an", "-c", "copy", folder / "film.mp4")
    assert "has no audio track" in _refused(folder, "film.mp4", "--to", "es")


@pytest.mark.parametrize("sound", ["anullsrc", "sine=440", "anoisesrc=color=pink:amplitude=0.1"])
@pytest.mark.parametrize("vad", ["true", "false"])
def test_sound_without_speech_is_refused(folder: Path, sound: str, vad: str) -> None:
    _ffmpeg("-f", "lavfi", "-i", sound, "-t", "8", folder / "film.wav")
    done = vt("translate", "film.wav", "--to", "es", cwd=folder, VAD=vad)
    assert (done.returncode, [file.name for file in folder.iterdir()]) == (2, ["film.wav"])
    assert "no speech found" in done.stderr.lower()


def test_an_unknown_language_names_the_nearest(folder: Path) -> None:
    assert "es (Spanish)" in _refused(folder, SAMPLE, "--to", "spansh")


def test_the_language_that_the_film_speaks_is_refused(folder: Path) -> None:
    assert "speaks English already" in _refused(folder, SAMPLE, "--to", "en")


def test_a_source_language_that_the_model_cannot_hear_says_which_model_could(folder: Path) -> None:
    assert "multilingual Whisper model" in _refused(folder, SAMPLE, "--to", "es", "--from", "fr", VT_FALLBACK="false")


def test_missing_arguments_are_named_in_one_line(folder: Path) -> None:
    assert "--to" in _refused(folder, SAMPLE)


def test_a_setting_that_cannot_be_used_is_named(folder: Path) -> None:
    done = vt("translate", SAMPLE, "--to", "es", cwd=folder, VAD="perhaps")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "vt: The environment variable VAD cannot be used: use true or false (also 1/0, yes/no, on/off)."
    ]


def test_an_output_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "out").write_text("in the way")
    done = vt("translate", SAMPLE, "--to", "es", cwd=folder)
    assert done.returncode == 2
    assert "out cannot be written" in done.stderr
    assert (folder / "out").read_text() == "in the way"


@pytest.fixture(scope="module")
def short_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last sentence of the sample."""
    film = tmp_path_factory.mktemp("short") / "short.mp4"
    _ffmpeg("-ss", "25", "-i", SAMPLE, "-s", "64x36", "-c:v", "libx264", "-c:a", "aac", film)
    return film


NAMES = ["a 'quoted' \"name\".mp4", "-dash.mp4", "-o", "🎬 фильм 電影 %d:%s.mp4", "two\nlines.mp4"]


@pytest.mark.parametrize("name", NAMES)
def test_any_file_name_simply_works(folder: Path, short_film: Path, name: str) -> None:
    (folder / name).write_bytes(short_film.read_bytes())
    argument = name if len(name) > 2 else f"./{name}"
    done = vt("translate", argument, "--to", "es", *ALONE, cwd=folder)
    assert done.returncode == 0, done.stderr
    stem = Path(name).stem
    subtitles = {f"{stem}.{language}.{ending}" for language in ("en", "es") for ending in ("srt", "vtt")}
    made = {f"{stem}.es.mp4", f"{stem}.es.report.json"} | subtitles
    assert {file.name for file in (folder / "out").iterdir()} == made


@pytest.mark.soak
def test_results_replace_their_namesakes_only_once_the_run_has_succeeded(folder: Path, short_film: Path) -> None:
    out = folder / "out"
    out.mkdir()
    (out / "short.es.mp4").write_text("the old one")
    (folder / "short.mp4").write_text("no film at all")
    assert vt("translate", "short.mp4", "--to", "es", cwd=folder).returncode == 2
    assert [(file.name, file.read_text()) for file in out.iterdir()] == [("short.es.mp4", "the old one")]
    assert vt("translate", short_film, "--to", "es", *ALONE, cwd=folder).returncode == 0
    assert (out / "short.es.mp4").stat().st_size > 10_000


@pytest.mark.soak
def test_the_subtitles_that_were_given_are_never_replaced(folder: Path, short_film: Path) -> None:
    (folder / "short.mp4").write_bytes(short_film.read_bytes())
    given = "1\n00:00:00,500 --> 00:00:03,000\n<i>He was a good man</i> and a friend of mine.\n"
    (folder / "short.en.srt").write_text(given)
    argv = ["--to", "es", "--from", "en", "--subtitles", "short.en.srt", "-o", "."]
    done = vt("translate", "short.mp4", *argv, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "short.en.srt").read_text() == given
    assert (folder / "short.es.mp4").exists()


@pytest.mark.soak
def test_several_films_are_dubbed_one_after_the_other(folder: Path, short_film: Path) -> None:
    for name in ("one.wav", "two.wav"):
        _ffmpeg("-i", short_film, "-vn", folder / name)
    done = vt("translate", "one.wav", "two.wav", "--to", "es", "--mark-speakers", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {f"{name}.es.{ending}" for name in ("one", "two") for ending in ("m4a", "srt", "report.json")} <= {
        file.name for file in (folder / "out").iterdir()
    }


def test_of_several_films_none_is_dubbed_where_one_cannot_be(folder: Path, short_film: Path) -> None:
    (folder / "other").mkdir()
    for place in (folder, folder / "other"):
        _ffmpeg("-i", short_film, "-vn", place / "one.wav")
    (folder / "two.mp4").write_bytes(b"no film")
    (folder / "said.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello.\n")
    assert "films are called one" in _refused(folder, "one.wav", "other/one.wav", "--to", "es")
    assert "two.mp4 is not a video" in _refused(folder, "one.wav", "two.mp4", "--to", "es")
    assert "said.srt" in _refused(folder, "one.wav", "two.mp4", "--to", "es", "--subtitles", "said.srt")


@pytest.mark.soak
def test_a_folder_in_the_way_of_a_result_is_named_and_nothing_is_replaced(folder: Path, short_film: Path) -> None:
    (folder / "out" / "short.es.vtt").mkdir(parents=True)
    done = vt("translate", short_film, "--to", "es", *ALONE, cwd=folder)
    assert done.returncode == 2
    assert "short.es.vtt cannot be written: a folder of that name is in the way" in done.stderr
    assert [file.name for file in (folder / "out").iterdir()] == ["short.es.vtt"]


def test_a_name_that_leaves_no_room_for_those_of_the_results_is_refused_at_once(folder: Path, short_film: Path) -> None:
    name = f"{'n' * 245}.mp4"
    (folder / name).write_bytes(short_film.read_bytes())
    assert "is too long" in _refused(folder, name, "--to", "es")


@pytest.mark.parametrize("number", ["0", "-1", "2"])
def test_a_sound_track_that_is_not_there_is_refused(folder: Path, short_film: Path, number: str) -> None:
    assert "has no audio track" in _refused(folder, short_film, "--to", "es", f"--audio-track={number}")


@pytest.mark.soak
def test_what_stands_in_for_the_configured_model_is_told(folder: Path, short_film: Path) -> None:
    done = vt("translate", short_film, "--to", "es", *ALONE, cwd=folder, VT_WHISPER_MODEL="large-v3")
    assert (done.returncode, "large-v3 cannot be downloaded" in done.stdout) == (0, True)


def _start(folder: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        # Tests that run in the background ignore what Ctrl-C sends, and so would all that they start.
        ["env", "--default-signal=INT", sys.executable, "-m", "vt", "translate", str(SAMPLE), "--to", "es", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VT_ENGINES": "embedded"},
    )
    assert process.stdout
    for line in process.stdout:
        if "transcribe" in line:
            return process
    raise AssertionError("it never began to transcribe")


@pytest.mark.parametrize(("number", "more"), [(signal.SIGTERM, "--json"), (signal.SIGINT, "--literal")])
def test_a_run_that_is_stopped_leaves_nothing_behind_and_says_so(
    folder: Path, number: signal.Signals, more: str
) -> None:
    process = _start(folder, more)
    process.send_signal(number)
    told, complaint = process.communicate(timeout=60)
    assert process.returncode == 1
    assert complaint == "vt: Stopped; nothing was changed.\n"
    assert list(folder.iterdir()) == []
    if more == "--json":
        result = json.loads(told.splitlines()[-1])
        states = [(film["film"], film["language"], film["state"]) for film in result["films"]]
        assert (result["event"], result["state"], states) == ("result", "cancelled", [(str(SAMPLE), "es", "cancelled")])


@pytest.mark.soak
def test_what_a_killed_run_left_is_swept_by_the_next_one(folder: Path, short_film: Path) -> None:
    process = _start(folder)
    process.kill()
    process.communicate(timeout=60)
    assert list((folder / "out").iterdir()) != []
    assert vt("translate", short_film, "--to", "es", *ALONE, cwd=folder).returncode == 0
    assert all(file.name.startswith("short.") for file in (folder / "out").iterdir())


@pytest.mark.soak
def test_a_pipe_that_closes_early_is_no_traceback(folder: Path, short_film: Path) -> None:
    process = _start(folder)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    assert short_film.exists()
