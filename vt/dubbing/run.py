"""What the stages of one dub share: the request, who serves it, what is kept, how far it is, and a second try."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import TypeAdapter

from vt.domain import Cancel, JobRequest, Progress, Stage, Word
from vt.dubbing.artifacts import Artifacts
from vt.dubbing.known_voices import KnownVoices
from vt.dubbing.services import DubbingServices
from vt.dubbing.track import HERE, PartEncoder
from vt.engines.candidate import Choice
from vt.errors import EngineError
from vt.models.cache import forget, is_out_of_memory
from vt.models.services import Service
from vt.system import machine, tracing

OnProgress = Callable[[Progress], None]
_S = TypeVar("_S", bound=Service[Any])
_T = TypeVar("_T")


@dataclass(slots=True)
class Run:
    """One dub, or one transcript, from its beginning to its end. Only the thread that runs it may use it."""

    request: JobRequest
    services: DubbingServices
    artifacts: Artifacts
    cancel: Cancel
    on_progress: OnProgress
    known_voices: KnownVoices = field(default_factory=KnownVoices)
    """Of the films before in a batch."""
    on_words: Callable[[Sequence[Word]], object] = lambda _: None
    """Is told of words as they are recognised; those that a second look finds come last."""
    encoder: PartEncoder = HERE
    """Encodes the parts of the track."""
    stages: dict[Stage, float] = field(default_factory=dict)
    """How many seconds each stage has taken so far."""
    began: float = field(default_factory=time.monotonic)
    film_seconds: float = 0.0
    """How long the film lasts; 0 until that is known."""

    def kept(self, kind: str, name: str, shape: TypeAdapter[Any], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Return a value as an earlier run kept it; where none did, make it and keep it."""
        return shape.validate_python(self.artifacts.json(kind, name, lambda: shape.dump_python(make(), mode="json")))

    def tell(self, stage: Stage, fraction: float) -> None:
        """Report how much of a stage is done, 0..1.

        Raises:
            Cancelled: the run is to end.
        """
        self.cancel.check()
        self.on_progress(Progress(stage, min(1.0, max(0.0, fraction)), self.film_seconds))

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """Measure the time of a stage; where a stage is entered again, the times are added."""
        self.cancel.check()
        started = time.monotonic()
        with tracing.span(stage.value, "stage"):
            if stage not in self.stages:
                self.on_progress(Progress(stage, 0.0))
            yield
            machine.trim()  # what a stage has freed would stay with the process beside what the next one takes
        self.stages[stage] = self.stages.get(stage, 0.0) + time.monotonic() - started


def with_model(serve: Callable[[Choice | None], _S], work: Callable[[_S], _T]) -> _T:
    """Work with a model, and where the memory does not suffice for that, once more with a smaller one.

    Args:
        serve: returns the service of the best model, or, given a choice that was too large, of one below that.
        work: what is to be done. What it keeps is named after the model, so that it is not taken for another's.

    Raises:
        EngineError: the memory did not suffice for the smaller one either.
        ModelUnavailable: there is no smaller one.
    """
    service, done = serve(None), list[_T]()
    if _has_memory_for(lambda: done.append(work(service))):
        return done[0]
    smaller = serve(service.choice)
    if _has_memory_for(lambda: done.append(work(smaller))):
        return done[0]
    raise EngineError(
        "The memory did not suffice for the work of the model {model}, nor for that of {other}, which "
        "stood in for it: try a shorter film, or give vt more memory.",
        model=service.choice.model,
        other=smaller.choice.model,
    )


def _has_memory_for(work: Callable[[], object]) -> bool:
    """Work, and tell whether the memory sufficed; where it did not, the traceback keeps no large objects alive."""
    try:
        work()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        forget(error)
        return False
    return True
