"""Settings from a file: they hold where neither the command line nor the environment says otherwise."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from vt.errors import InputError
from vt.settings import Settings

_MOST_BYTES = 2**20


def apply(file: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of a file in TOML that are not set yet.

    Args:
        file: has a line for each setting, by its variable or by its short name: `VT_TTS_ENGINE = "kokoro"`, or
            `tts_engine = "kokoro"`.
        environment: of this process and those that it starts.

    Raises:
        InputError: the file cannot be read, or names a setting that does not exist.
    """
    for name, value in _read(file).items():
        environment.setdefault(_variable(name, file), _word(name, value, file))


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise InputError("{file} is too large for settings.", file=file)
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise InputError("{file} cannot be read: {reason}.", file=file, reason=str(error.strerror)) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError("{file} holds no settings in TOML: {reason}.", file=file, reason=reason) from error


def _variable(name: str, file: Path) -> str:
    """Return the variable of a setting."""
    variables = {field: str(info.alias) for field, info in Settings.model_fields.items()}
    known = {**{variable.lower(): variable for variable in variables.values()}, **variables}
    if found := known.get(name.lower()):
        return found
    near = difflib.get_close_matches(name.lower(), known, 1)
    hint = f" Is {near[0]} meant?" if near else ""
    raise InputError("{file} names a setting {name}, which does not exist.{hint}", file=file, name=name[:80], hint=hint)


def _word(name: str, value: Any, file: Path) -> str:  # noqa: ANN401 (whatever TOML has)
    """Return a value as a variable has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str | int) for part in value):
        return ",".join(map(str, value))
    raise InputError(
        "The setting {name} in {file} has to be a word, a number or a list of these.", name=name, file=file
    )
