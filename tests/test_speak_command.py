"""The command `vt speak`: a text becomes a sound file, whole or not at all, and what is wrong is said in a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import vt
from tests.fakes import FakeFactory, ScriptedTranscriber, ToneSynthesizer
from vt.cli import speech
from vt.cli.main import main, parser
from vt.domain import Cancel, Clip
from vt.engines.protocols import Voice
from vt.errors import InputError, UnknownModel, VtError


class Factory(FakeFactory):
    """Knows its one voice by its name."""

    def __init__(self) -> None:
        super().__init__(ScriptedTranscriber(()), ToneSynthesizer())

    def tell(self, hear: Callable[[str], object]) -> None:
        hear("A model is being downloaded.")

    def named_voice(self, voice_id: str) -> Voice:
        if voice_id != "tone-es":
            raise UnknownModel("No voice goes by that name here.")
        return self.voices()[0]


def asked(*arguments: str | Path) -> speech.Wanted:
    return speech.wanted(parser().parse_args(["speak", *map(str, arguments)]))


def spoken(*arguments: str | Path) -> tuple[Factory, list[str]]:
    """Speak by the fakes; return their factory, and what was told on the way."""
    factory, told = Factory(), list[str]()
    speech.run(asked(*arguments), factory, told.append, Cancel())
    return factory, told


def probed(file: Path) -> dict[str, str]:
    argv = ["ffprobe", "-v", "error", "-show_entries", "format=format_name,duration", "-of", "json", str(file)]
    found: dict[str, str] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["format"]
    return found


@pytest.mark.parametrize(
    ("name", "form"), [("a.wav", "wav"), ("a.MP3", "mp3"), ("a.opus", "ogg"), ("a.flac", "flac"), ("a.aac", "aac")]
)
def test_the_ending_of_the_file_names_the_format_and_players_see_its_length(
    tmp_path: Path, name: str, form: str
) -> None:
    spoken("Hola", "a", "todos.", "-o", tmp_path / "new" / name)
    found = probed(tmp_path / "new" / name)
    assert found["format_name"] == form
    assert float(found["duration"]) == pytest.approx(13 * 0.05, abs=0.1)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [name]


def test_what_takes_long_is_told_and_the_speed_reaches_the_voice(tmp_path: Path) -> None:
    factory, told = spoken("Hola.", "-o", tmp_path / "a.sound", "--format", "wav", "--speed", "1.25")
    assert factory.spoken.asked == [("Hola.", 1.25)]
    assert told == ["A model is being downloaded."]
    with wave.open(str(tmp_path / "a.sound")) as file:
        assert file.getnframes() == pytest.approx(24_000 * 5 * 0.05 / 1.25, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "language"),
    [
        (["Good morning, how are you today?", "--language", "Spanish"], "es"),
        (["Good morning, how are you today?", "--voice", "tone-es"], "es"),
        (["Buenos días, ¿cómo están ustedes hoy?"], "es"),
    ],
    ids=["named", "the voice's", "the text's"],
)
def test_the_language_is_the_one_that_is_named_or_the_voices_or_the_texts(
    tmp_path: Path, arguments: list[str], language: str
) -> None:
    factory = Factory()
    told = speech.run(asked(*arguments, "-o", tmp_path / "a.wav"), factory, print, Cancel())
    assert told == {
        **{"file": str(tmp_path / "a.wav"), "language": language, "engine": "tone", "voice": "tone-es", "notes": []}
    }


class Interrupted(ToneSynthesizer):
    """Somebody presses Ctrl-C at the second sentence."""

    def speak(self, lines: object, cancel: Cancel) -> Iterator[Clip]:
        del lines
        yield from super().speak([("A first sentence.", 1.0)], cancel)
        raise KeyboardInterrupt


def test_stopped_on_the_way_it_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"as before")
    factory = Factory()
    factory.spoken = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        speech.run(asked("Hola.", "-o", tmp_path / "a.wav"), factory, print, Cancel())
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a.wav", b"as before")]
    assert json.loads(speech.cancelled_lines(as_json=True)[0]) == {"event": "result", "state": "cancelled"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Hola", "-o", "a.xyz"], "There is no format xyz to speak in"),
        (["Hola", "-o", "a"], "There is no format without a name"),
        (["Hola", "-o", "a.wav", "--format", "ogg"], "There is no format ogg"),
        (["Hola", "-o", "a.wav", "--speed", "nan"], "The speed has to be a number from 0.25 to 4.0"),
        (["Hola", "-o", "a.wav", "--speed", "fast"], "Argument --speed: invalid float value"),
        (["Hola", "-o", "."], "is a folder"),
        (["Hola"], "required: -o"),
        ([" ", "-o", "a.wav"], "There is no text to speak"),
        (["o" * 20_001, "-o", "a.wav"], "20000 characters are the most"),
        (["Hola", "-o", "-", "--json"], "stdout takes the sound"),
        (["Hola", "-o", "a.wav", "--voice", "nobody"], "No voice goes by that name"),
        (["Hola", "-o", "a.wav", "--language", "xx-nothing"], "xx-nothing"),
    ],
)
def test_what_cannot_be_spoken_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VtError, match=said) as refused:
        spoken(*arguments)
    assert isinstance(refused.value, InputError)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("Grüße.\n".encode("utf-8-sig"), "Grüße.\n"),
        (b"\xff\xfeh\x00", "has to be text in UTF-8"),
        ("ü".encode() * 40_001, "20000 characters are the most"),
        (b"", "There is no text to speak"),
    ],
    ids=["text", "no text", "long", "empty"],
)
@pytest.mark.parametrize("arguments", [(), ("-",)], ids=["piped", "dash"])
def test_a_text_may_be_piped_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], content: bytes, said: str
) -> None:
    file = tmp_path / "text"
    file.write_bytes(content)
    with file.open() as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        try:
            found = asked(*arguments, "-o", "a.wav").text
        except InputError as error:
            found = str(error)
    assert said in found


def test_sound_is_not_written_to_a_screen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["speak", "Hola", "-o", "-"]) == 2
    assert "Sound is nothing for the screen" in capsys.readouterr().err


def test_the_command_speaks_with_a_real_voice_and_tells_programs_which(tmp_path: Path) -> None:
    told = vt("speak", "Guten Tag, wie geht es?", "--language", "de", "--json", "-o", "tag.flac", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout) == {
        **{"event": "result", "state": "done", "file": "tag.flac", "language": "de", "engine": "espeak-ng"},
        **{"voice": "espeak-ng-de", "notes": []},
    }
    assert 1.0 < float(probed(tmp_path / "tag.flac")["duration"]) < 5.0
