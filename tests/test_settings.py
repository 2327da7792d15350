"""Settings: what the environment may say, and the sentence where it says something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from vt import settings
from vt.errors import SettingsError
from vt.settings import Settings

ROOT = Path(__file__).parent.parent
VARIABLES = [field.alias or name for name, field in Settings.model_fields.items()]
SWITCHES = [field.alias or name for name, field in Settings.model_fields.items() if field.annotation is bool]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Start from an environment that says nothing."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def refused(variable: str, value: str, environment: pytest.MonkeyPatch) -> str:
    """Return the sentence with which a value is refused."""
    environment.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    return str(caught.value)


def test_a_home_that_nobody_has_and_a_name_that_no_folder_can_have_are_refused(
    environment: pytest.MonkeyPatch,
) -> None:
    assert "VT_DATA_DIR" in refused("VT_DATA_DIR", "~nosuchuser/x", environment)
    environment.delenv("VT_DATA_DIR")
    assert "VT_NLLB_MODEL" in refused("VT_NLLB_MODEL", "/models/" + "x" * 300, environment)


def value_of(variable: str) -> object:
    """Return what the loaded settings hold for a variable."""
    return settings.load().model_dump(by_alias=True)[variable]


def test_every_setting_is_the_variable_of_its_alias_in_capitals() -> None:
    assert {"CPU_THREADS", "VAD", "VT_ENGINES"} <= set(VARIABLES)
    assert all(variable == variable.upper() for variable in VARIABLES)
    assert SWITCHES


def test_an_environment_that_says_nothing_gives_the_defaults() -> None:
    found = settings.load()
    assert (found.cpu_threads, found.vad, found.engines) == (0, False, "auto")


@pytest.mark.parametrize("spelled", ["true", "True", "TRUE", "1", "yes", "YES", "on", "On", " true "])
@pytest.mark.parametrize("variable", SWITCHES)
def test_a_switch_is_turned_on_by_every_accepted_word(
    environment: pytest.MonkeyPatch, variable: str, spelled: str
) -> None:
    environment.setenv(variable, spelled)
    assert value_of(variable) is True


@pytest.mark.parametrize("spelled", ["false", "False", "FALSE", "0", "no", "NO", "off", "Off", " false "])
@pytest.mark.parametrize("variable", SWITCHES)
def test_a_switch_is_turned_off_by_every_accepted_word(
    environment: pytest.MonkeyPatch, variable: str, spelled: str
) -> None:
    environment.setenv(variable, spelled)
    assert value_of(variable) is False


@pytest.mark.parametrize("spelled", ["maybe", "2", "t", "y", "enabled", "tru", "-1", "ja", "''"])
@pytest.mark.parametrize("variable", SWITCHES)
def test_any_other_word_is_refused_in_a_sentence_that_names_the_variable_and_what_it_takes(
    environment: pytest.MonkeyPatch, variable: str, spelled: str
) -> None:
    sentence = refused(variable, spelled, environment)
    assert variable in sentence
    assert "true or false" in sentence


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_variable_is_the_default(environment: pytest.MonkeyPatch, variable: str) -> None:
    default = settings.load()
    environment.setenv(variable, "")
    assert settings.load() == default


@pytest.mark.parametrize(("value", "wanted"), [("1", 1), ("8", 8), (" 4 ", 4), ("1024", 1024)])
def test_the_number_of_threads_is_read(environment: pytest.MonkeyPatch, value: str, wanted: int) -> None:
    environment.setenv("CPU_THREADS", value)
    assert settings.load().cpu_threads == wanted
    assert settings.load().threads == wanted


def test_no_number_of_threads_means_the_cores_that_this_process_may_use() -> None:
    assert settings.load().threads == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("value", ["-1", "two", "1.5", "1e99", "99999999", "0x10", "1 2"])
def test_a_bad_number_is_refused_in_a_sentence_that_names_the_variable(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    sentence = refused("CPU_THREADS", value, environment)
    assert "CPU_THREADS" in sentence
    assert any(word in sentence for word in ("integer", "greater", "less"))


@pytest.mark.parametrize("value", ["auto", "embedded", "EMBEDDED", " Auto "])
def test_the_choice_of_engines_is_read_in_any_case(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("VT_ENGINES", value)
    assert settings.load().engines == value.strip().lower()


@pytest.mark.parametrize("value", ["embeded", "hub", "auto,embedded", "none"])
def test_an_unknown_choice_is_refused_in_a_sentence_that_lists_the_known_ones(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    sentence = refused("VT_ENGINES", value, environment)
    assert "VT_ENGINES" in sentence
    assert "'auto' or 'embedded'" in sentence


@pytest.mark.parametrize(
    ("value", "wanted"),
    [("broadcast", -23.0), (" Streaming ", -16.0), ("LOUD", -14.0), ("-23", -23.0), ("-16", -16.0), ("-14", -14.0)],
)
def test_the_loudness_is_read_by_its_name_or_its_number(
    environment: pytest.MonkeyPatch, value: str, wanted: float
) -> None:
    environment.setenv("VT_LOUDNESS", value)
    assert settings.load().loudness_lufs == wanted


@pytest.mark.parametrize("value", ["-18", "16", "quiet", "-23 LUFS"])
def test_an_unknown_loudness_is_refused_in_a_sentence_that_lists_the_known_ones(
    environment: pytest.MonkeyPatch, value: str
) -> None:
    sentence = refused("VT_LOUDNESS", value, environment)
    assert "VT_LOUDNESS" in sentence
    assert "'broadcast', 'streaming' or 'loud'" in sentence


@pytest.mark.parametrize(("variable", "value"), [("VAD", "maybe"), ("CPU_THREADS", "two"), ("VT_ENGINES", "hub")])
def test_a_refusal_is_one_line_and_one_sentence_with_no_trace_of_the_library(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    sentence = refused(variable, value, environment)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "pydantic" not in sentence.lower()
    assert "value error" not in sentence.lower()


def test_settings_cannot_be_changed() -> None:
    found = settings.load()
    with pytest.raises(ValidationError):
        found.vad = True  # type: ignore[misc]
    assert found.vad is False


def test_equal_settings_are_equal_and_can_be_keys() -> None:
    assert settings.load() == settings.load()
    assert len({settings.load(), settings.load()}) == 1


def test_settings_are_made_by_field_name_too_and_then_win_over_the_environment(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("CPU_THREADS", "3")
    assert Settings.model_validate({"cpu_threads": 5}).cpu_threads == 5


def test_unknown_variables_do_not_matter(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VT_NO_SUCH_SETTING", "x")
    environment.setenv("ENGINES", "nonsense")
    assert settings.load().engines == "auto"


def test_the_environment_is_read_at_each_load_and_not_at_import(environment: pytest.MonkeyPatch) -> None:
    assert settings.load().vad is False
    environment.setenv("VAD", "on")
    assert settings.load().vad is True


def test_a_fresh_process_reads_its_environment() -> None:
    script = "from vt import settings; found = settings.load(); print(found.vad, found.threads, found.engines)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"VAD": "Yes", "CPU_THREADS": "3", "VT_ENGINES": "embedded"},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.split() == ["True", "3", "embedded"]
