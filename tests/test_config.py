"""Settings from a file stand behind the environment, and what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from vt.cli import config
from vt.cli.main import main
from vt.errors import InputError


def applied(folder: Path, content: str | bytes, **environment: str) -> dict[str, str]:
    file = folder / "vt.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    config.apply(file, environment)
    return environment


def test_a_setting_has_the_name_of_its_variable_or_a_short_one_and_the_environment_wins(tmp_path: Path) -> None:
    lines = (
        'VT_TTS_ENGINE = "kokoro"',
        "cpu_threads = 3",
        "vad = true",
        'vt_preload_languages = ["es", "fr"]',
        "PORT = 9000",
    )
    assert applied(tmp_path, "\n".join(lines), PORT="8123") == {
        **{"VT_TTS_ENGINE": "kokoro", "CPU_THREADS": "3", "VAD": "true", "VT_PRELOAD_LANGUAGES": "es,fr"},
        "PORT": "8123",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('tts_engin = "kokoro"', "names a setting tts_engin, which does not exist. Is tts_engine meant?"),
        ("qqqqqqqq = 1", "names a setting qqqqqqqq, which does not exist.$"),
        ("[tts_engine]\nname = 1", "tts_engine in .* has to be a word"),
        ("port = 2020-01-01", "port in .* has to be a word"),
        ("port = ", "holds no settings in TOML"),
        (b"\xff\xfe", "holds no settings in TOML"),
        ("a = " + "[" * 5000, "holds no settings in TOML"),
        (b"#" * 1_100_000, "is too large"),
    ],
    ids=["near", "unknown", "table", "date", "syntax", "bytes", "deep", "large"],
)
def test_what_is_wrong_in_the_file_is_said_and_nothing_is_set(tmp_path: Path, content: str | bytes, said: str) -> None:
    environment: dict[str, str] = {}
    with pytest.raises(InputError, match=said):
        applied(tmp_path, content, **environment)
    assert environment == {}


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(tmp_path / "none.toml"), "languages"]) == 2
    assert "none.toml cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(("shell", "option"), [("bash", "--"), ("zsh", "--"), ("fish", "-l "), ("tcsh", "")])
def test_a_shell_gets_the_commands_and_their_options(
    shell: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("transcribe", f"{option}output-format", f"{option}speakers", "doctor"))
