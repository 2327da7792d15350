"""The interface of engines to the catalogue; a new engine is one module that implements it, and a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from vt.domain import Cancel
from vt.engines.candidate import Candidate, E
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import (
    EngineInfo,
    OverlapFinder,
    Synthesizer,
    Transcriber,
    Translator,
    Voice,
    VoiceEmbedder,
    VoiceRemover,
)
from vt.languages import Language
from vt.model_files import bundle, download
from vt.model_files.preparation import Preparations
from vt.model_files.sources import Weights
from vt.settings import Settings
from vt.system import extras, graphics
from vt.system.graphics import Cards
from vt.translatable import Message

AUTO = "auto"
_NO_GPU = "DEVICE is {device}, but no graphics processor was found."
_KINDS = ("stt", "translation", "tts", "diarization", "separation")
"""In the order in which they are spread over the graphics cards: the models that work on one film are on several."""


@dataclass(frozen=True, slots=True)
class Site:
    """What an engine may know of this server: its settings, where models are kept, and its graphics processors."""

    settings: Settings
    source: download.Source
    """Where models come from and are kept."""
    cards: Callable[[], Cards] = graphics.cards
    preparations: Preparations = field(default_factory=Preparations)
    is_installed: Callable[[str], bool] = extras.is_installed
    """Tells whether a library that an extra of the package brings is here."""

    @property
    def is_embedded(self) -> bool:
        """Whether only engines that need no download may serve."""
        return self.settings.engines == "embedded"

    @property
    def graphics(self) -> tuple[str, ...]:
        """The graphics cards that models may run on, as devices; none where the settings want none, or none is here."""
        wanted = self.settings.device
        if wanted == "cpu":
            return ()
        there = self.cards().count
        if wanted not in (graphics.CUDA, AUTO):
            return (wanted,) if graphics.index(wanted) < there else ()
        return (graphics.CUDA,) if there == 1 else tuple(f"{graphics.CUDA}:{number}" for number in range(there))

    def devices(self, kind: str) -> tuple[str, ...]:
        """Return what models of a kind run on, best first; with several cards, the kinds begin at different ones."""
        there, wanted = self.graphics, self.settings.device
        if not there:
            return ("cpu",) if wanted in ("cpu", AUTO) else (wanted, "cpu")
        first = _KINDS.index(kind) % len(there)
        return (*there[first:], *there[:first], "cpu")

    def device(self, kind: str) -> str:
        """Return what models of a kind do run on."""
        return self.devices(kind)[0] if self.graphics else "cpu"

    def card_budgets(self) -> dict[str, int]:
        """Return how many bytes the models may take on each graphics card, by its device."""
        memories = {device: self.cards().memory(device) for device in self.graphics}
        wanted = self.settings.gpu_budget_mb
        return {device: graphics.budget(wanted, memory) for device, memory in memories.items() if memory}

    def key(self, kind: str, engine: str, name: str, device: str) -> str:
        """Return the name under which a model is kept in memory."""
        vad = "true" if self.settings.vad else "false"
        return f"{kind}_{engine}_{name}_{device}_{self.settings.threads}_{vad}"

    def obstacle(self, files: Weights, device: str) -> Callable[[], str | None]:
        """Return what gives a sentence where a model's files, or what it is to run on, are not there."""
        is_absent = device != "cpu" and device not in self.graphics
        return lambda: Message(_NO_GPU, device=device) if is_absent else files.lack()

    def missing(self, info: EngineInfo, extra: str) -> Message | None:
        """Say which extra of the package an engine lacks; None where its libraries are here."""
        return extras.lack(info.name, extra, self.is_installed)

    def shared(self, files: Weights, prepare: Callable[[Cancel], object]) -> Callable[[Cancel], None]:
        """Have a preparation done once for all who want the same files, whoever of them stops waiting."""
        return lambda cancel: self.preparations.run(files.name, prepare, cancel)

    def can_be_had(self, candidate: Candidate[Any], reachable: bool) -> bool:
        """Tell whether a model is here, or, where the hub is `reachable`, may be fetched."""
        return all(
            not part.unfit and not part.obstacle() and (reachable or not part.downloads) for part in candidate.parts
        )


class _EngineBase:
    """What all engines have in common; each names its facts in `info`."""

    info: EngineInfo

    def load_library(self) -> None:
        """Load its library where that costs memory, so that a model's size is the model's alone."""

    def lack(self, site: Site) -> str | None:
        """Say what is to be installed for it to serve without a download; None where it does."""
        del site
        return None

    def named(self, site: Site, name: str) -> Sequence[Candidate[Any]]:
        """List what could be loaded for a name of one of its models that came from outside; none: not its own."""
        del site, name
        return ()

    def names(self, site: Site) -> Sequence[str]:
        """List the models that it has names for, for a sentence to somebody who named another."""
        del site
        return ()

    def known(self, site: Site) -> Sequence[str]:
        """List every name that `named` knows, where there are more than a sentence could hold."""
        return self.names(site)

    def kept(self, site: Site) -> Sequence[str]:
        """List those of the known names whose models may be on this machine, or on their way."""
        return self.known(site)


class OneBundledModel(_EngineBase, Generic[E]):
    """What engines have in common that serve one model in one file, which set-up puts here: nothing is downloaded."""

    model: str
    """Its name, and that of its folder."""
    file: str
    """The name of its file there."""
    extra: str
    """Of the package: what brings its library."""

    def load(self, file: Path, threads: int, device: str) -> E:
        """Load the model from its file, which has been checked.

        Raises:
            ModelUnavailable: it is broken, or no such network.
        """
        raise NotImplementedError

    def estimated_bytes(self, file: Path, threads: int) -> int:
        """Return what the model in a file takes in memory while all its threads work."""
        raise NotImplementedError

    def devices(self, site: Site) -> Sequence[str]:
        """Return what the model may run on, best first."""
        return site.devices(self.info.kind)

    def lack(self, site: Site) -> str | None:
        """Say that the model or its library is not here, where that is so."""
        return self._lack(site)

    def candidates(self, site: Site) -> Sequence[Candidate[E]]:
        """List the model on each device."""
        return [self._candidate(site, device) for device in self.devices(site)]

    def named(self, site: Site, name: str) -> Sequence[Candidate[E]]:
        """List the model, by its name."""
        return self.candidates(site) if name == self.model else ()

    def names(self, site: Site) -> Sequence[str]:
        """List its name."""
        del site
        return (self.model,)

    def _lack(self, site: Site) -> str | None:
        here = bundle.folder(self.model) is not None
        return site.missing(self.info, self.extra) or (None if here else bundle.lack(self.model))

    def _candidate(self, site: Site, device: str) -> Candidate[E]:
        files = Weights(self.model, lambda: bundle.folder(self.model), lambda: self._lack(site))
        threads = site.settings.threads
        folder = files.here()
        spec: ModelSpec[E] = ModelSpec(
            key=site.key(self.info.kind, self.info.name, self.model, device),
            kind=self.info.kind,
            name=self.model,
            device=device,
            load=lambda: self.load(bundle.check(self.model) / self.file, threads, device),
            estimated_bytes=self.estimated_bytes(folder / self.file, threads) if folder else 0,
        )
        return Candidate(self.info, spec, obstacle=site.obstacle(files, device), insists=True, files=files)


class SttEngine(_EngineBase):
    """An engine that hears."""

    def candidates(
        self, site: Site, language: Language | None, model: str | None = None
    ) -> Sequence[Candidate[Transcriber]]:
        """List what could hear a language, best first; None: the language is to be found out.

        Raises:
            ModelUnavailable: `model` is no name of a model.
        """
        raise NotImplementedError

    def absent(self) -> str | None:
        """Say what set-up should have put here and has not, where there is no other model of this engine either."""
        return None

    def heard(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of the languages that it hears here, now; `reachable` says whether the hub answers."""
        raise NotImplementedError


class TranslationEngine(_EngineBase):
    """An engine that translates."""

    def candidates(
        self, site: Site, source: Language, target: Language, model: str | None = None
    ) -> Sequence[Candidate[Translator]]:
        """List what could translate from one language to another in one hop, best first.

        Raises:
            ModelUnavailable: `model` is no name of a model.
        """
        raise NotImplementedError

    def pairs(self, site: Site) -> Collection[tuple[str, str]]:
        """Return the directions, in codes, that may be hops of a longer way; none: it serves alone or not at all."""
        del site
        return ()

    def absent(self, site: Site) -> Mapping[tuple[str, str], str]:
        """Return the directions that set-up should have put here and has not, each with a sentence on that."""
        del site
        return {}

    def fetchable(self, site: Site) -> Collection[tuple[str, str]]:
        """Return the directions whose models are not fetched unless somebody asks for them, and may be here already."""
        del site
        return ()

    def translated(self, site: Site, *, reachable: bool) -> tuple[Collection[str], Collection[str]]:
        """Return the codes of the languages that it translates from and to here, now."""
        del reachable
        pairs = self.pairs(site)
        return {source for source, _ in pairs}, {target for _, target in pairs}


class TtsEngine(_EngineBase):
    """An engine that speaks."""

    def voices(self, site: Site) -> Sequence[Voice]:
        """List its voices, the default of each language first."""
        raise NotImplementedError

    def candidates(self, site: Site, language: Language, voice: str | None = None) -> Sequence[Candidate[Synthesizer]]:
        """List what could speak a language, best first; `voice` is the id of one of its voices for it."""
        raise NotImplementedError

    def spoken(self, site: Site, *, reachable: bool) -> Collection[str]:
        """Return the codes of the languages that it speaks here, now; `reachable` says whether the hub answers."""
        raise NotImplementedError


class DiarizationEngine(_EngineBase):
    """An engine that tells speakers apart."""

    def candidates(self, site: Site) -> Sequence[Candidate[VoiceEmbedder]]:
        """List what could tell them apart, best first."""
        raise NotImplementedError


class OverlapEngine(_EngineBase):
    """An engine that hears where two speak at once; its kind is `diarization` too."""

    def candidates(self, site: Site) -> Sequence[Candidate[OverlapFinder]]:
        """List what could hear it, best first."""
        raise NotImplementedError


class SeparationEngine(_EngineBase):
    """An engine that takes voices out of sound."""

    def candidates(self, site: Site) -> Sequence[Candidate[VoiceRemover]]:
        """List what could do it, best first; none where nobody has named a model."""
        raise NotImplementedError
