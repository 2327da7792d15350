"""What runs on a node: the AI service factory of one process, and the pieces of work that a server sends it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vt import media, settings
from vt.cluster.pieces import Ask, Ended, Facts, Offer, Piece, alike, facts
from vt.cluster.storage import opened
from vt.domain import Cancel
from vt.engines.candidate import Choice
from vt.engines.protocols import ManyVoiced
from vt.errors import EngineError, LanguageError, ModelUnavailable, ToolError, VtError
from vt.factory import AIServiceFactory, get_ai_factory
from vt.languages import Language
from vt.models.cache import forget, is_out_of_memory
from vt.models.services import (
    DiarizationService,
    OverlapService,
    Service,
    SttService,
    TranslationService,
    TtsService,
)
from vt.settings import Settings
from vt.system import folders, logs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

OF_NODES = {
    "device",
    "cpu_threads",
    "cache_budget_mb",
    "gpu_budget_mb",
    "data_dir",
    "database_dir",
    "hugging_face_token",
    "hf_token",
    "hub_offline",
    "hub_endpoint",
    "package_index_wanted",
    "log_level",
    "log_file",
    "log_format",
    "host",
    "port_wanted",
    "admin_token",
    "llm_key",
}
"""Settings that each node has of its own; all others are those of the server, or a dub would sound otherwise there."""
_WORK = "cluster"
"""The folder in the data folder for work folders of pieces."""
_MOST_EARLY = 1000
"""Pieces that were cancelled before they began, or after their end, of which a host knows."""


def given_by(server: Settings) -> dict[str, Any]:
    """Return the settings that a server gives to its hosts."""
    return {name: getattr(server, name) for name in type(server).model_fields if name not in OF_NODES}


class Host:
    """Serves pieces with the models of its process. Any thread may call any method."""

    def __init__(self, given: Mapping[str, Any], processors: int = 0, factory: AIServiceFactory | None = None) -> None:
        """Make one.

        Args:
            given: the server's settings.
            processors: that the node lends; 0: all that the process may use.
            factory: of the process; None: made of the settings.
        """
        self._factory = factory or _own_factory(_settings(given, processors))
        self._cancels: dict[str, Cancel] = {}
        """Of the pieces under way."""
        self._early: dict[str, None] = {}
        """Pieces that were cancelled while they were not under way, in order."""
        self._lock = threading.Lock()

    def about(self) -> Facts:
        """Return on what the results of this host depend."""
        return facts()

    def offer(self, ask: Ask) -> Offer | VtError:
        """Return how this host serves what is asked for, its model resident; or why it cannot."""
        try:
            service = self._service(ask, Cancel())
            with service as engine:
                voices = isinstance(engine, ManyVoiced)
        except VtError as error:
            return error
        except Exception as error:  # noqa: BLE001 (else the host would be taken for dead)
            told = _unexpected(error)
            return (
                told
                if isinstance(told, VtError)
                else ModelUnavailable("The memory of a machine of the cluster did not suffice.")
            )
        if isinstance(service, SttService):
            return Offer(service.choice, service.language, service.detects)
        return Offer(service.choice, has_many_voices=voices)

    def work(self, number: str, piece: Piece) -> Iterator[Any]:
        """Yield what a piece gives, and at the end how that went."""
        cancel = self._begun(number)
        try:
            # Not `yield from`: Ray sends values into the generator, which plain iterators within would not take.
            for answer in self._done(piece, cancel):  # noqa: UP028
                yield answer
            yield Ended()
        except VtError as error:
            yield Ended(error, is_unlike=isinstance(error, ModelUnavailable | LanguageError))
        except Exception as error:  # noqa: BLE001 (whatever it is, the server has to hear of it)
            yield Ended(_unexpected(error))
        finally:
            with self._lock:
                self._cancels.pop(number, None)

    def cancel(self, number: str) -> None:
        """End a piece, whether or not it has begun."""
        with self._lock:
            cancel = self._cancels.get(number)
            if cancel is None:
                self._early[number] = None
                if len(self._early) > _MOST_EARLY:
                    del self._early[next(iter(self._early))]
        if cancel:
            cancel.set()

    def models(self) -> dict[str, Any]:
        """Return the state of the model cache; see `AIServiceFactory.get_model_status`."""
        return self._factory.get_model_status()

    def preload(self, names: tuple[str, ...]) -> None:
        """Load the models of these names, or the default ones, in the background."""
        with suppress(VtError):  # a node need not have what another has
            self._factory.preload(names) if names else self._factory.preload_default_models()

    def clear(self, cache_key: str) -> tuple[tuple[str, ...], int, tuple[str, ...]]:
        """Free one model, or all; return which went, how many bytes that freed, and which go with their last lease."""
        result = self._factory.evict_model(cache_key) if cache_key else self._factory.clear_cache()
        return tuple(result.freed), result.freed_bytes, tuple(result.retiring)

    def close(self) -> None:
        """Free every model."""
        self._factory.close()

    def _begun(self, number: str) -> Cancel:
        """Return what cancels a piece that begins."""
        cancel = Cancel()
        with self._lock:
            self._cancels[number] = cancel
            if number in self._early:
                del self._early[number]
                cancel.set()
        return cancel

    def _done(self, piece: Piece, cancel: Cancel) -> Iterator[Any]:
        cancel.check()
        arguments = map(opened, piece.arguments)
        if isinstance(piece.choice, str):
            here = _encoder()
            if here != piece.choice:
                raise _other(here, piece.choice)
            part, voice, bed = arguments
            yield self._encoded(part, voice, bed, cancel)
            return
        service = self._service(piece.ask, cancel)
        if not alike(service.choice, piece.choice):
            raise _other(_name(service.choice), _name(piece.choice))
        yield from _METHODS[piece.method](service, *arguments, cancel)

    def _encoded(
        self, part: media.TrackPart, voice: NDArray[np.float32], bed: NDArray[np.float32] | None, cancel: Cancel
    ) -> tuple[bytes, dict[str, Any]]:
        """Return a part of a track, encoded, and its loudness."""
        with folders.work_folder(self._factory.settings.data_folder / _WORK) as folder:
            under, made = folder / "bed" if bed is not None else None, folder / "part.aac"
            if bed is not None and under:
                bed.tofile(under)
            packets = media.encoded_part(part, voice, under, cancel)
            made.write_bytes(packets)
            return packets, media.momentary_loudness(made, part.is_first, cancel)

    def _service(self, ask: Ask, cancel: Cancel) -> Service[Any]:
        make, source, target = self._factory, ask.source, ask.target
        match ask.kind:
            case "stt":
                return make.stt_service(source, ask.model, cancel=cancel, after=ask.after)
            case "translation" if source and target:
                listening = ask.listening
                return make.translation_service(
                    source, target, cancel=cancel, after=ask.after, engine=ask.engine, listening=listening
                )
            case "tts" if target:
                return make.tts_service(target, cancel=cancel, after=ask.after, voice=ask.voice, engine=ask.engine)
            case "diarization":
                return make.get_diarization_service(cancel=cancel, after=ask.after)
            case "overlap":
                return make.get_overlap_service(cancel=cancel, after=ask.after)
        raise ModelUnavailable("No machine of the cluster serves that.")


def _own_factory(own: Settings) -> AIServiceFactory:
    """Return the factory of a process that is a host and nothing else."""
    logs.set_up(own.log_level, None, own.log_format, own.secrets)  # Ray brings it to the server's console
    return get_ai_factory(own)


def _settings(given: Mapping[str, Any], processors: int) -> Settings:
    own = settings.load()
    threads = {"cpu_threads": processors} if processors and not own.cpu_threads else {}
    return own.model_copy(update={**given, **threads})


def _encoder() -> str:
    try:
        return media.encoder_version()
    except ToolError:
        return "no ffmpeg that runs"


def _other(found: str, wanted: str) -> ModelUnavailable:
    return ModelUnavailable("A machine of the cluster has {found} in place of {wanted}.", found=found, wanted=wanted)


def _name(choice: Choice) -> str:
    return " ".join(filter(None, (choice.info.name, choice.model, choice.voice)))


def _unexpected(error: Exception) -> VtError | MemoryError:
    """Return what is told of an error that nobody foresaw, whose text may name paths of this machine."""
    if is_out_of_memory(error):
        forget(error)
        return MemoryError()
    _log.error("a piece met an unexpected error", exc_info=error)
    reason = type(error).__name__
    return EngineError("A machine of the cluster met an unexpected error ({reason}).", reason=reason)


def _transcribed(service: SttService, samples: Any, language: Language, cancel: Cancel) -> Iterator[Any]:  # noqa: ANN401
    return service.hearing(language).transcribe(samples, cancel)


def _detected(service: SttService, samples: Any, cancel: Cancel) -> Iterator[Any]:  # noqa: ANN401
    del cancel  # it takes a second
    yield service.detect(samples)


def _translated(service: TranslationService, texts: Any, budgets: Any, cancel: Cancel) -> Iterator[Any]:  # noqa: ANN401
    return service.translate(texts, cancel, budgets)


_METHODS: Mapping[str, Callable[..., Iterator[Any]]] = {
    "transcribe": _transcribed,
    "detect": _detected,
    "translate": _translated,
    "translate_sound": TranslationService.translate_sound,
    "speak": TtsService.speak,
    "embed": DiarizationService.embed,
    "overlaps": OverlapService.overlaps,
}
"""What a piece may ask of the service that it is for; the cancel comes last."""
