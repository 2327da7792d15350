"""One way to serve a request: an engine with a model for its languages, and which of several was chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from vt.domain import Cancel
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import Engine, EngineInfo
from vt.engines.translation_routes import Hop
from vt.languages import Language
from vt.model_files.sources import Weights
from vt.translatable import Message

E = TypeVar("E", bound=Engine)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine serves a request, and why not the one that was configured."""

    info: EngineInfo
    model: str
    device: str = "cpu"
    fallback_reason: Message | None = None
    voice: str = ""
    """Of speech: the id of the voice; empty where the model has only one."""
    route: tuple[Hop, ...] = ()
    """Of translation: from which language to which, by whom; the last hop ends with the language that is wanted."""
    helpers: tuple[EngineInfo, ...] = ()
    """Of a translation by several engines: those behind the first."""

    @property
    def infos(self) -> tuple[EngineInfo, ...]:
        """All engines that have a part in it, each once, in order."""
        return tuple(dict.fromkeys((self.info, *self.helpers)))


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Candidate(Generic[E]):
    """One way to serve a request."""

    info: EngineInfo
    spec: ModelSpec[Any]
    """Its name stands in reports."""
    is_process: bool = False
    """Runs as a program of its own: holds no memory, and is not among the cached models."""
    unfit: str | None = None
    """A sentence where it cannot serve the languages of this request, whatever is done."""
    obstacle: Callable[[], str | None] = _nothing
    """Gives a sentence where it cannot be had now; asked only while it is not in memory."""
    downloads: bool = False
    """Needs the hub."""
    insists: bool = False
    """May load alone where it is larger than all memory for models: the configured one, and the last resort."""
    prepare: Callable[[Cancel], None] | None = None
    """Downloads and converts the files that the model is loaded from, as far as they are not here; called before the
    lease. Setting the cancel ends only the caller's waiting: others may wait for the same files."""
    files: Weights | None = None
    """Of what it is loaded; None where it is a program."""
    download_bytes: int = 0
    """About what has to come from the hub where it is not here; 0 where that is not known beforehand."""
    language: Language | None = None
    """Of recognition: what it will hear; None where it finds that out."""
    detects: bool = False
    """Of recognition: it finds out the language."""
    voice: str = ""
    """Of speech: the id of the voice, where the model has several."""
    route: tuple[Hop, ...] = ()
    """Of translation: what it translates from and to; several hops where one engine makes them by itself."""
    view: Callable[[Any], E] | None = None
    """Makes of the model in memory, which serves many languages, the engine for those of this request."""
    then: Candidate[E] | None = None
    """Of translation: who goes on with what this one has made, where no engine knows the way alone."""

    @property
    def parts(self) -> Iterator[Candidate[E]]:
        """This one and those that go on behind it, in order."""
        part: Candidate[E] | None = self
        while part is not None:
            yield part
            part = part.then

    def followed(self, then: Candidate[E]) -> Candidate[E]:
        """Return this one with another behind its last."""
        return replace(self, then=self.then.followed(then) if self.then else then)

    @property
    def label(self) -> str:
        """What it is called where several are listed: its cache key, or engine and voice or pair."""
        own = f"{self.info.name} {self.spec.name}".strip() if self.is_process else self.spec.key
        return f"{own} > {self.then.label}" if self.then else own

    def choice(self, reason: Message | None) -> Choice:
        """Return this candidate as a choice that was made for `reason`."""
        parts = list(self.parts)
        return Choice(
            self.info,
            " > ".join(part.spec.name for part in parts),
            self.spec.device,
            reason,
            self.voice,
            tuple(hop for part in parts for hop in part.route),
            tuple(part.info for part in parts[1:]),
        )
