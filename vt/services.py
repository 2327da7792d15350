"""The wiring of a server: the process's factory, what is preloaded, and how all of it is doing."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from vt import __version__, languages, links
from vt.cluster import overview
from vt.cluster.hosts import Hosts
from vt.domain import Wishes
from vt.dubbing.voice_samples import Samples
from vt.engines.protocols import Voice
from vt.errors import FolderTaken, StorageError, VtError
from vt.factory import AIServiceFactory, Preloaded, get_ai_factory
from vt.jobs import database_place, recovery
from vt.jobs.executors import ray
from vt.jobs.executors.base import Executor
from vt.jobs.executors.local import LocalExecutor
from vt.jobs.job_service import Jobs
from vt.jobs.removals import Removals
from vt.jobs.speaking_ahead import SpeakingAhead
from vt.jobs.store import DataFolder
from vt.jobs.worker import Worker
from vt.media import ACCEPTED_FORMATS
from vt.model_files import download
from vt.models.inventory import KnownModel
from vt.models.monitor import JobWatch
from vt.settings import Settings
from vt.system import disk, extras, folders, machine, sandbox
from vt.system.metrics import Load
from vt.system.processes import TALLY
from vt.translatable import Message
from vt.web.visitors import ConcurrencyLimit

_log = logging.getLogger(__name__)

_LOOKED_FOR_SECONDS = 5.0
_KEPT_FILMS = 16
"""As much of the disk as so many of the largest may the films of one visitor's jobs take."""


class Services:
    """What every face of a server stands on."""

    def __init__(self, settings: Settings, factory: AIServiceFactory, hosts: Hosts | None = None) -> None:
        """`hosts` do the pieces of jobs, where the settings name a cluster."""
        self.settings = settings
        self.factory = factory
        self.hosts = hosts
        self.uploads = ConcurrencyLimit("uploads", each=8, total=256)
        """Films that come in, from the first byte until their job is in the queue; of routes and page together."""
        # As many as uploads of a visitor: whoever was let in with a film is not sent away when it has come.
        self.probes = ConcurrencyLimit("films to be looked into", each=8, total=256)
        """Films whose tracks and length are being read."""
        self.followers = ConcurrencyLimit("followers of jobs", each=640, total=1536)
        """Those who follow jobs: server-sent events, web sockets, open pages with a job that is not over, and calls of
        gradio_client. One costs next to nothing, and a classroom behind one address may have hundreds."""
        self.listeners = ConcurrencyLimit("samples of voices", each=4, total=64)
        """Voices that somebody wants to hear: they speak one after the other."""
        self.answers = ConcurrencyLimit("requests that are answered at once", each=8, total=32)
        """Recordings that are heard, and texts that are translated or spoken, while their senders wait. They share the
        models with the jobs, turn by turn."""
        self.takes_links = settings.links and links.are_possible()
        """Whether the page takes films by link."""
        self.samples = Samples(factory)
        self._lacking: tuple[str, ...] | None = None
        self.version = __version__
        self._was_ready = not settings.preload_models
        self._backend: JobBackend | None = None
        self._opening = threading.Lock()
        self._trouble: str | None = None
        """Why no job can be kept, as far as was seen last."""
        self._told: tuple[str, ...] = ()
        """What else is to be said of the data folder."""
        self._closing = threading.Event()
        self.removals = Removals(lambda: self.jobs)
        """Jobs that are about to be removed, unless somebody takes that back."""
        factory.metrics.watch_load(self._load)

    def begin(self) -> None:
        """Start what runs in the background.

        Raises:
            FolderTaken: another server owns the data folder.
            SettingsError: the cluster that the settings name is not there.
        """
        if self.hosts:
            self.hosts.begin()
        try:
            self._told = self._opened().notes()
        except FolderTaken:
            raise
        except StorageError as error:  # said by health, and to whoever comes with a job
            self._trouble = error.message
            _log.error("%s", error.in_full)
        if self.settings.links:
            self._warn_of_links()
        self._lacking = self._looked()
        threading.Thread(target=self._look, name="vt-look", daemon=True).start()
        if self.settings.preload_models and self.hosts is None:  # hosts load theirs as they come up
            self.factory.preload_default_models()

    def _warn_of_links(self) -> None:
        """Say what keeps the page from taking links, or makes that less safe."""
        if not self.takes_links:
            _log.warning(
                "VT_LINKS is true, but the Python package yt-dlp is not here, so the page takes no links: %s brings it",
                extras.command("url"),
            )
        elif not sandbox.best().hides:
            _log.warning(
                "VT_LINKS is true, but no sandbox works here that takes the network away: yt-dlp is told to go by the "
                "proxy that reaches public addresses alone, and nothing makes it (docs/SECURITY.md)."
            )

    @property
    def jobs(self) -> Jobs:
        """The jobs.

        Raises:
            StorageError: the data folder cannot be used; the next call tries again.
        """
        return self._opened().jobs

    def _opened(self) -> JobBackend:
        with self._opening:
            if self._backend is None:
                ahead = None if self.hosts else SpeakingAhead(self.factory)
                executor = ray.executor(self.factory, self.hosts) if self.hosts else LocalExecutor(self.factory, ahead)
                self._backend = JobBackend(self.settings, self.factory, executor, ahead)
            return self._backend

    def _look(self) -> None:
        """See now and then whether a job could be kept: health tells, and does not wait for a disk."""
        was_busy = False
        while not self._closing.wait(_LOOKED_FOR_SECONDS):
            try:
                backend = self._opened()
                self._trouble, self._told = backend.obstacle(), backend.notes()
            except StorageError as error:
                self._trouble = error.message
            self._lacking = self._looked()
            is_busy = self._is_busy()
            if was_busy and not is_busy:
                machine.trim()  # what a crowd has freed would stay with the process
            was_busy = is_busy

    def _is_busy(self) -> bool:
        load = self._load()
        return any((*load.jobs.values(), *load.at_work.values()))

    def readiness(self) -> tuple[bool, tuple[Preloaded, ...]]:
        """Tell whether the preload of the start has ended, and the models of the latest preload.

        No sentence says where files lie on this machine; the same holds for `health` and `preload`.
        """
        self._was_ready = self._was_ready or (self._has_host() and self.factory.wait_for_preload(0.0))
        return self._was_ready, _without_paths(self.factory.preload_status())

    def _has_host(self) -> bool:
        return self.hosts is None or bool(self.hosts.states())

    def health(self) -> dict[str, Any]:
        """Return how the service is doing; never waits for a model."""
        factory = self.factory.health_check()
        lacks, absent = self._lacks(), self.hosts.notes() if self.hosts else []
        if absent and factory["status"] == "healthy":
            factory["status"] = "degraded"
        translation = "unhealthy" if lacks else factory["status"]
        notes = (*lacks, *absent, *self.factory.notes(), *self._told)
        return {
            "status": translation,
            "ai_service_factory": factory,
            "translation_service": {
                "translation_service": translation,
                "ffmpeg_available": _has_ffmpeg(),
                "hugging_face_token_configured": self.settings.token is not None,
                "accepted_video_formats": list(ACCEPTED_FORMATS),
            },
            "notes": [Message(note).with_file_names({}) for note in notes],
        }

    def _lacks(self) -> tuple[str, ...]:
        """Say, in sentences, why no film can be dubbed, whatever the models are; of a server, as was seen last."""
        return self._looked() if self._lacking is None else self._lacking

    def _looked(self) -> tuple[str, ...]:
        program = None if _has_ffmpeg() else "ffmpeg or ffprobe is missing: install the package ffmpeg."
        found = (program, folders.obstacle(self.settings.data_folder) or self._trouble)
        return tuple(sentence for sentence in found if sentence)

    def _load(self) -> Load:
        """Return what the server is at; of what cannot be read now, nothing."""
        limits = {"uploads": self.uploads, "probes": self.probes, "followers": self.followers, "answers": self.answers}
        jobs: dict[str, int] = {}
        free = None
        with suppress(StorageError):
            jobs = self._backend.waiting_and_running() if self._backend else {}
        with suppress(OSError):
            free = disk.free_bytes(self.settings.data_folder)
        at_work = {what: limit.at_work for what, limit in limits.items()}
        running, ended = TALLY.counts()
        states = self.hosts.states() if self.hosts else []
        return Load(
            jobs,
            at_work,
            {what: limit.most for what, limit in limits.items()},
            running,
            ended,
            free,
            {host.name: host.pieces for host in states} if self.hosts else None,
            {host.name: host.done for host in states},
        )

    def models(self) -> dict[str, Any]:
        """Return the state of the model cache."""
        return {"status": "success", "timestamp": _now(), "model_cache": self.model_cache()}

    def model_cache(self) -> dict[str, Any]:
        """Return the models in memory, here and on the hosts."""
        own = self.factory.get_model_status()
        return overview.together(own, self.hosts.models()) if self.hosts else own

    def model_files(self) -> dict[str, Any]:
        """Return the models that are on this machine or could be, and how much room there is for more."""
        settings, known = self.settings, self.factory.inventory.models()
        folders = {"data": settings.data_folder, "models": download.of(settings).cache}
        free = {name: round(download.free_bytes(folder) / 2**20, 1) for name, folder in folders.items()}
        return {"models": [_file_row(model) for model in known], "free_mb": free}

    def download(self, name: str) -> None:
        """Have a model downloaded in the background; see `Inventory.download`."""
        self.factory.inventory.download(name)

    def stop_download(self, name: str) -> bool:
        """End a download for all who wait for it; see `Inventory.stop`."""
        return self.factory.inventory.stop(name)

    def remove_model(self, name: str) -> float:
        """Remove a downloaded model from the disk, and return the megabytes that came free; see `Inventory.remove`."""
        return round(self.factory.inventory.remove(name) / 2**20, 1)

    def queue(self) -> dict[str, int]:
        """Return how many jobs wait and run, by state; of what cannot be read now, nothing."""
        return dict(self._load().jobs)

    def languages(self) -> list[dict[str, Any]]:
        """List every language with the engines that serve it here, now."""
        return [offer.as_json() for offer in self.factory.offers()]

    def voices(self, language: str = "") -> list[dict[str, Any]]:
        """List the voices that may be chosen here, the default one of each language first; of one language, or of all.

        Raises:
            LanguageError: there is no such language.
        """
        listed = self.spoken_by(languages.get(language).code) if language else self.factory.voices()
        return [voice.as_json() for voice in listed]

    def spoken_by(self, code: str) -> tuple[Voice, ...]:
        """List the voices for one language, the default one first."""
        return tuple(voice for voice in self.factory.voices() if voice.language.code == code)

    def best_voice(self, code: str, engine: str = "") -> Voice | None:
        """Return the voice that speaks a language where none is named; None where none can be had."""
        spoken = self.spoken_by(code)
        if not spoken:
            return None
        try:
            choice = self.factory.voice(spoken[0].language, Wishes(tts_engine=engine))
        except VtError:
            return None
        own = [voice for voice in spoken if voice.engine == choice.info.name]
        return next((voice for voice in own if voice.id == choice.voice), next(iter(own), None))

    def licences(self) -> dict[str, str]:
        """Return each engine's licence by the engine's name, as an SPDX expression."""
        return {engine.name: engine.licence for engine in self.factory.engines()}

    def preload(self, names: Sequence[str] | None = None) -> tuple[Preloaded, ...]:
        """Load the models of these names, or the default ones, in the background.

        Raises:
            UnknownModel: a name is unknown here; then none is loaded.
        """
        started = _without_paths(self.factory.preload(names) if names else self.factory.preload_default_models())
        if self.hosts:
            self.hosts.each("preload", tuple(names or ()))
        return started

    def clear(self) -> dict[str, Any]:
        """Free every model, and say which went, how much that freed, and which go with their last lease."""
        result = self.factory.clear_cache()
        return self._cleared("", result.freed, result.freed_bytes, result.retiring)

    def evict(self, cache_key: str) -> dict[str, Any] | None:
        """Free one model, and say the same; None where there is none of that key."""
        result = self.factory.evict_model(cache_key)
        cleared = self._cleared(cache_key, result.freed, result.freed_bytes, result.retiring)
        return cleared if cleared["freed"] or cleared["retiring"] else None

    def _cleared(
        self, cache_key: str, freed: Sequence[str], freed_bytes: int, retiring: Sequence[str]
    ) -> dict[str, Any]:
        """Return what went here, with what goes on the hosts for the same wish: for one model, or for all."""
        went, going = list(freed), list(retiring)
        for freed_there, size, retiring_there in self.hosts.each("clear", cache_key).values() if self.hosts else ():
            went += freed_there
            going += retiring_there
            freed_bytes += size
        return {
            "status": "retiring" if going else "success",
            "freed": went,
            "freed_mb": round(freed_bytes / 2**20, 1),
            "retiring": going,
        }

    def close(self) -> None:
        """End what runs, so that it goes on at the next start, and free the models."""
        self._closing.set()
        self.removals.close()
        if self._backend:
            self._backend.jobs.close()
            self._backend.close()
        if self.hosts:
            self.hosts.close()
        self.factory.close()


class JobBackend:
    """The data folder with all that works on it."""

    def __init__(
        self,
        settings: Settings,
        factory: AIServiceFactory,
        executor: Executor,
        ahead: SpeakingAhead | None = None,
    ) -> None:
        self._path = settings.data_folder
        with ExitStack() as opened:
            database = database_place.database(settings)
            database_place.prepare(database, settings)
            if database.parent != settings.data_folder.absolute():
                _log.info("the jobs' database is kept in %s, apart from the data folder", database.parent)
            data = opened.enter_context(DataFolder(settings.data_folder, database))
            self._store = opened.enter_context(closing(recovery.open_store(data)))
            worker = Worker(
                self._store,
                data,
                executor,
                at_once=settings.jobs_at_once,
                queue_size=settings.queue_size,
                visitor_jobs=settings.visitor_jobs,
                visitor_bytes=_KEPT_FILMS * settings.max_upload_mb * 2**20,
                retention=timedelta(hours=settings.retention_hours),
                watch=JobWatch(factory.metrics, factory.troubles).hear,
            )
            worker.begin()
            opened.enter_context(closing(worker))
            self.close = opened.pop_all().close
        self.jobs = Jobs(settings, factory, data, self._store, worker, ahead=ahead)

    def waiting_and_running(self) -> dict[str, int]:
        """Return how many jobs are not over, by state."""
        return {state.value: count for state, count in self._store.counts().items() if not state.is_over}

    def obstacle(self) -> str | None:
        """Say in a sentence what keeps jobs from being kept now, if anything does."""
        return self._store.obstacle()

    def notes(self) -> tuple[str, ...]:
        """Say in sentences what of the data folder somebody should look at."""
        aside = recovery.kept_aside(self._path)
        return (aside,) if aside else ()


def _without_paths(models: Sequence[Preloaded]) -> tuple[Preloaded, ...]:
    return tuple(
        replace(model, why=Message(model.why).with_file_names({}) if model.why else model.why) for model in models
    )


def _file_row(model: KnownModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "engine": model.engine,
        "model_type": model.kind,
        "licence": model.licence,
        "source": model.source,
        "state": model.state,
        "disk_mb": round(model.disk_bytes / 2**20, 1),
        "removable_mb": round(model.own_bytes / 2**20, 1),
        "memory_mb": round(model.memory_bytes / 2**20, 1),
        "download_mb": round(model.download_bytes / 2**20, 1),
        "in_memory": model.in_memory,
        "progress": model.progress.with_file_names({}) if model.progress else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _has_ffmpeg() -> bool:
    return all(shutil.which(program) for program in ("ffmpeg", "ffprobe"))


def build(settings: Settings) -> Services:
    """Return the services of this process.

    Raises:
        SettingsError: the process has a factory already, with other settings.
    """
    hosts = ray.cluster(settings) if settings.executor == "ray" else None
    return Services(settings, get_ai_factory(settings), hosts)
