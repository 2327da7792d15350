"""What travels between a server and the hosts of its models: a model that is asked for, a piece of work, an answer."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from vt import __version__
from vt.engines.candidate import Choice
from vt.errors import VtError
from vt.languages import Language
from vt.translatable import Message

Kind = Literal["stt", "translation", "tts", "diarization", "overlap", "track"]
_PACKAGE = Path(__file__).parent.parent
_LIBRARIES = ("faster-whisper", "ctranslate2", "onnxruntime", "torch", "transformers", "numpy", "fxtranslate")
"""What decides the results of engines."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Which model is asked for, by the arguments of the AI service factory; none is where a track is to be encoded."""

    kind: Kind
    source: Language | None = None
    """Of recognition: what is heard, None where that is to be found out; of translation: what it translates from."""
    target: Language | None = None
    """What is translated to, or spoken."""
    model: str | None = None
    """Of recognition: the size that is wanted."""
    voice: str = ""
    engine: str = ""
    listening: bool = False
    after: Choice | None = None
    """A choice whose work found too little memory."""


@dataclass(frozen=True, slots=True)
class Offer:
    """How a host serves what is asked for."""

    choice: Choice
    language: Language | None = None
    """Of recognition: what it hears; None where it finds that out."""
    detects: bool = False
    has_many_voices: bool = False
    """Of speech: the model speaks with any of several voices."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of work: a method of the service that is asked for, with its arguments."""

    ask: Ask
    choice: Choice | str
    """What has to serve it, or a dub would have two voices: a model, or for a track the version of its encoder."""
    method: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """The last answer to a piece: it is done, or failed."""

    error: VtError | MemoryError | None = None
    is_unlike: bool = False
    """The host does not serve the piece as it has to be served; `error` says so, or why it cannot serve it at all."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Of what a host's results depend beside the settings: they have to be those of the server."""

    version: str
    code: str
    """A digest of the program's own files."""
    python: str
    libraries: Mapping[str, str]

    def difference(self, server: Facts) -> Message | None:
        """Say in half a sentence in what a host differs from its server; None where it does not."""
        pairs = [("vt", self.version, server.version), ("Python", self.python, server.python)]
        names = sorted({*self.libraries, *server.libraries})
        pairs += [(name, self.libraries.get(name, "-"), server.libraries.get(name, "-")) for name in names]
        for name, here, there in pairs:
            if here != there:
                return Message("it has {name} {here}, and the server {there}", name=name, here=here, there=there)
        return None if self.code == server.code else Message("its files of vt are not those of the server")


@cache
def facts() -> Facts:
    """Return the facts about this process."""
    digest = sha256()
    for file in sorted(_PACKAGE.rglob("*.py")):
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    found = {name: version for name in _LIBRARIES if (version := _version(name))}
    return Facts(__version__, digest.hexdigest()[:16], platform.python_version(), found)


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def alike(one: Choice, other: Choice) -> bool:
    """Tell whether two choices make the same of the same: on whatever device, and for whatever reason."""
    return replace(one, device="", fallback_reason=None) == replace(other, device="", fallback_reason=None)
