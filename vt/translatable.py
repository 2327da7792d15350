"""A sentence for users that remembers its English template and its values, so that a face can say it in its language.

As in zope.i18nmessageid, a message is a string: whoever knows nothing of languages has the finished English sentence.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, TypeAlias

_FORMATTER = string.Formatter()


@dataclass(frozen=True, slots=True)
class LanguageName:
    """A language as a value of a sentence: each face writes its name in its own language."""

    code: str
    """BCP 47 in its shortest form; a script only where the table has the language in two."""
    name: str
    """In English; no other language has it."""

    def __str__(self) -> str:
        return self.name


Value: TypeAlias = str | int | float | Path | LanguageName
"""A message is a string, and so a value too: a sentence may hold another one."""


class Message(str):
    """An English sentence with the template and the values that it was made of; it never changes.

    A template has the form of `str.format`: `{file}` or `{seconds:.1f}`. Without values it is the sentence itself, and
    braces in it mean nothing.
    """

    template: str
    values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: Value) -> Self:
        """Fill in the English template."""
        if isinstance(template, cls) and not values:
            return template
        message = super().__new__(cls, template.format(**values) if values else template)
        object.__setattr__(message, "template", str(template))
        object.__setattr__(message, "values", MappingProxyType({name: _plain(value) for name, value in values.items()}))
        return message

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a message does not change: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self.template, dict(self.values))

    def with_file_names(self, names: Mapping[Path, str]) -> Message:
        """Return this message as somebody may read it who must not see where files lie on this machine.

        Args:
            names: what the reader calls some files and folders, by their paths here. A path that is not among them
                becomes its last part; in what another program said, only those paths are replaced.
        """
        return Message(self.template, **{name: _renamed(value, names) for name, value in self.values.items()})

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` makes this message of again."""
        return {"template": self.template, "values": {name: _as_json(value) for name, value in self.values.items()}}

    @staticmethod
    def from_json(kept: Mapping[str, Any]) -> Message:
        """Return the message that was kept.

        Raises:
            KeyError, TypeError, ValueError: it is none that `as_json` made.
        """
        return Message(str(kept["template"]), **{name: _from_json(value) for name, value in kept["values"].items()})

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:  # noqa: ANN401 (pydantic's own types)
        """Let pydantic keep messages as `as_json` writes them; what was kept as a mere sentence is read as one."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _read, serialization=core_schema.plain_serializer_function_ser_schema(Message.as_json)
        )


def joined(*sentences: str) -> Message:
    """Return sentences one behind the other as one message, each of which is said in the reader's language."""
    if len(sentences) == 1:
        return Message(sentences[0])
    values = {f"sentence_{number}": Message(sentence) for number, sentence in enumerate(sentences, 1)}
    return Message(" ".join(f"{{{name}}}" for name in values), **values)


def restored(kept: object, sentence: str | None) -> Message | None:
    """Return the message that `as_json` wrote, or a mere sentence where nothing was kept, or nothing that is one.

    Args:
        kept: what was read from JSON; it may be damaged, or of another version.
        sentence: the message in English; None where there is none.
    """
    if isinstance(kept, Mapping):
        with suppress(ValueError, RecursionError):
            return _read(kept)
    return None if sentence is None else Message(sentence)


def fields(template: str) -> list[tuple[str, str]]:
    """Return the names and formats of a template's fields, in order."""
    return [(name, form or "") for _, name, form, _ in _FORMATTER.parse(template) if name is not None]


def _made(template: str, values: Mapping[str, Value]) -> Message:
    return Message(template, **values)


def _plain(value: Value) -> Value:
    """Return a value without what else a subclass knows: of a language its names are enough."""
    return LanguageName(value.code, value.name) if isinstance(value, LanguageName) else value


def _renamed(value: Value, names: Mapping[Path, str]) -> Value:
    if isinstance(value, Message):
        return value.with_file_names(names)
    if isinstance(value, Path):
        return names.get(value, value.name)
    if isinstance(value, str):
        for path, name in names.items():
            value = value.replace(str(path), name)
    return value


def _as_json(value: Value) -> object:
    if isinstance(value, Message):
        return value.as_json()
    if isinstance(value, LanguageName):
        return {"language": value.code, "name": value.name}
    if isinstance(value, Path):
        return {"path": str(value)}
    # The types are not checked while a program runs: what is of another one must not keep a failure from being kept.
    return value if isinstance(value, (str, int, float)) else str(value)


def _from_json(kept: object) -> Value:
    if isinstance(kept, Mapping):
        if "template" in kept:
            return Message.from_json(kept)
        return Path(kept["path"]) if "path" in kept else LanguageName(kept["language"], kept["name"])
    if isinstance(kept, (str, int, float)):
        return kept
    raise TypeError(f"no value of a message: {kept!r}")


def _read(kept: Any) -> Message:  # noqa: ANN401 (whatever a file holds)
    try:
        return Message(kept) if isinstance(kept, str) else Message.from_json(kept)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError("no message") from error
