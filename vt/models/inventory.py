"""Which models this machine has or could have: what serves each stage and why, what the disk holds, its removal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vt.domain import Cancel
from vt.engines.candidate import Candidate
from vt.errors import ModelBusy, ModelInUse, ModelUnavailable, NotDownloaded, UnknownModel, VtError
from vt.languages import Language
from vt.model_files import sources
from vt.models.cache import CacheSnapshot, ModelCache
from vt.models.catalogue import Catalogue
from vt.models.fallback import FallbackChain, prepare
from vt.settings import Settings
from vt.translatable import Message

State = Literal["here", "partial", "downloading", "absent"]
_LONGEST_SHOWN = 80
_AT_ONCE = 4
"""Downloads that somebody may have running at a time."""


@dataclass(frozen=True, slots=True)
class StageInUse:
    """What serves one stage of a default request."""

    stage: str
    """stt, translation, tts, diarization, overlap or separation."""
    configured: tuple[str, ...]
    """The settings that decide, as VARIABLE=value; of a folder only its name."""
    engine: str = ""
    """Empty where nothing serves."""
    model: str = ""
    device: str = ""
    why: Message | None = None
    """Why it is not the configured one, or why there is none."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model that has a name here, and how much of it is on this machine."""

    name: str
    """By which it is downloaded and removed."""
    title: str
    """As in reports."""
    engine: str
    kind: str
    licence: str
    source: str
    state: State
    disk_bytes: int
    own_bytes: int
    """Of those what vt itself has downloaded or made, and so may remove."""
    memory_bytes: int
    """What it takes in memory: measured where it is there, else about."""
    download_bytes: int
    """About; 0 where that is not known, or nothing is to come."""
    in_memory: bool
    progress: Message | None = None
    """Of one that is downloading."""


class Inventory:
    """Lists models, and downloads and removes them by the names that it lists. Any thread may call any method."""

    def __init__(
        self,
        catalogue: Catalogue,
        cache: ModelCache,
        chain: FallbackChain,
        *,
        metered: Callable[[Candidate[Any]], Candidate[Any]],
        hub_obstacle: Callable[[], str | None],
        end: Cancel,
    ) -> None:
        """Make one.

        Args:
            catalogue: knows the names.
            cache: knows which models are in use.
            chain: chooses what serves a stage.
            metered: returns a candidate whose failures are logged and counted.
            hub_obstacle: returns why nothing can be downloaded now, as half a sentence; None where the hub answers.
            end: is set at the end of the process.
        """
        self._catalogue, self._cache, self._chain = catalogue, cache, chain
        self._metered, self._hub_obstacle, self._end = metered, hub_obstacle, end
        self._lock = threading.Lock()
        self._asked: set[str] = set()
        """The names whose download somebody has asked for here, and that run; protected by `_lock`."""
        self.removals = 0
        """How many models have been removed so far."""

    @property
    def mark(self) -> str:
        """A value that changes when a download begins, goes on or ends, or a model has been removed."""
        preparations = self._catalogue.preparations
        return repr((preparations.running(), preparations.ended, self.removals))

    # What there is.

    def stages(self) -> tuple[StageInUse, ...]:
        """Return what would serve each stage of a default request now; nothing is loaded."""
        listed = self._catalogue.default_candidates()
        return tuple(self._stage(stage, candidates) for stage, candidates in listed.items())

    def _stage(self, stage: str, candidates: Callable[[], Sequence[Candidate[Any]]]) -> StageInUse:
        configured = _configured(self._catalogue.settings, stage)
        try:
            _, choice = self._chain.choose(candidates(), load=False)
        except VtError as error:
            return StageInUse(stage, configured, why=error.message)
        return StageInUse(stage, configured, choice.info.name, choice.model, choice.device, choice.fallback_reason)

    def models(self) -> tuple[KnownModel, ...]:
        """Return the models of which anything is on this machine, and those of the tables that have few of them."""
        running, snapshot = self._catalogue.preparations.running(), self._cache.snapshot()
        found: dict[tuple[str, Path | str], KnownModel] = {}
        for name, candidate in self._catalogue.kept_models():
            known = _known(name, candidate, running, snapshot)
            place = candidate.files.here() if candidate.files else None
            found.setdefault((known.engine, place or known.title), known)  # some models have two names
        return tuple(found.values())

    def downloadable(self) -> tuple[str, ...]:
        """Return all names that `download` knows."""
        return tuple(self._catalogue.known_names())

    def pairs(self) -> dict[str, list[tuple[Language, Language]]]:
        """Return the directions that engines here translate by models or rules of their own, by engine."""
        found: dict[str, list[tuple[Language, Language]]] = {}
        for hop in sorted(self._catalogue.hops()):
            found.setdefault(hop.engine, []).append(hop.ends)
        return found

    # What is done with them.

    def download(self, name: str) -> None:
        """Have a model downloaded and made ready in the background, where it is not here.

        Raises:
            UnknownModel: there is none of that name.
            ModelUnavailable: it cannot be had: nothing may be downloaded, or the hub does not answer.
            ModelBusy: as many downloads run as may.
        """
        candidate = self._metered(self._candidate(name))
        hindrance = candidate.unfit or candidate.obstacle()
        if hindrance is None and candidate.downloads and (why := self._hub_obstacle()):
            hindrance = Message("The model {model} cannot be downloaded: {reason}.", model=name, reason=why)
        if hindrance:
            raise ModelUnavailable(hindrance)
        with self._lock:
            if name in self._asked:
                return
            if len(self._asked) >= _AT_ONCE:
                raise ModelBusy("At most {most} models are downloaded at a time: wait for one to end.", most=_AT_ONCE)
            self._asked.add(name)
        threading.Thread(target=self._download, args=(name, candidate), name="vt-download", daemon=True).start()

    def _download(self, name: str, candidate: Candidate[Any]) -> None:
        try:
            with suppress(VtError):  # it has been logged, and the tab shows the latest failures
                prepare(candidate, self._end)
        finally:
            with self._lock:
                self._asked.discard(name)

    def stop(self, name: str) -> bool:
        """End the download of a model, for jobs that wait for it too; False where there is none.

        What has come stays, and the next download goes on from there.

        Raises:
            UnknownModel: there is no model of that name.
        """
        files = self._candidate(name).files
        return files is not None and self._catalogue.preparations.stop(files.name)

    def remove(self, name: str) -> int:
        """Remove from the disk what vt has downloaded or made of a model, and return how many bytes that were.

        From memory it goes first. A job that asks for it while it is being removed downloads it again, or is served by
        what stands in for it.

        Raises:
            UnknownModel: there is none of that name.
            ModelInUse: it is used, loaded or downloaded at this moment.
            NotDownloaded: nothing of it is here that is vt's.
            StorageError: the files cannot be removed.
        """
        candidate = self._candidate(name)
        files, model = candidate.files, candidate.spec.name
        size = files.own.size() if files else 0
        if files is None or not size:
            raise NotDownloaded(model)
        entries = [one for one in self._cache.snapshot().entries if one.name == model]
        if files.name in self._catalogue.preparations.running() or any(
            one.leases or one.state != "ready" for one in entries
        ):
            raise ModelInUse(model)
        for entry in entries:
            if self._cache.evict(entry.key).retiring:
                raise ModelInUse(model)
        files.own.remove()
        with self._lock:
            self.removals += 1
        return size

    def _candidate(self, name: str) -> Candidate[Any]:
        """Return the candidate of a name from outside, which has to be one of those that are listed."""
        if name not in self._catalogue.known_names():
            raise UnknownModel("No model goes by the name {name} here.", name=name[:_LONGEST_SHOWN])
        return self._catalogue.named(name)[0]


def _known(
    name: str, candidate: Candidate[Any], running: dict[str, Message | None], snapshot: CacheSnapshot
) -> KnownModel:
    files, spec, info = candidate.files, candidate.spec, candidate.info
    entry = next((one for one in snapshot.entries if one.name == spec.name and one.state != "loading"), None)
    size = files.size if files else 0
    is_running, is_here = files is not None and files.name in running, files is not None and files.here() is not None
    state: State = "downloading" if is_running else "here" if is_here else "partial" if size else "absent"
    return KnownModel(
        name=name,
        title=spec.name,
        engine=info.name,
        kind=info.kind,
        licence=info.licence,
        source=info.source,
        state=state,
        disk_bytes=size,
        own_bytes=files.own.size() if files else 0,
        memory_bytes=entry.bytes if entry else spec.estimated_bytes,
        download_bytes=0 if is_here else candidate.download_bytes,
        in_memory=entry is not None,
        progress=running.get(files.name) if files else None,
    )


def _configured(settings: Settings, stage: str) -> tuple[str, ...]:
    """Return the settings that decide about a stage, as somebody may read them who must not see where files lie."""
    values = {
        "stt": {"VT_WHISPER_MODEL": settings.whisper_model},
        "translation": {
            "VT_TRANSLATION_ENGINE": settings.translation_engine,
            "VT_NLLB_MODEL": settings.nllb_model,
            **({"VT_LLM_MODEL": settings.llm_model} if settings.llm_model else {}),
        },
        "tts": {
            "VT_TTS_ENGINE": settings.tts_engine,
            "VT_KOKORO_MODEL": settings.kokoro_model,
            "VT_MMS_MODEL": settings.mms_model,
        },
        "separation": {"VT_SEPARATION_MODEL": settings.separation_model or ""},
    }.get(stage, {})
    return tuple(f"{name}={_public(value)}" for name, value in values.items())


def _public(value: str) -> str:
    return Path(value).name if sources.is_path(value.replace("{language}", "xxx")) else value
