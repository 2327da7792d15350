"""How one model is loaded: what the residency of models is told about each, and nothing more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """All that the cache asks of a model."""

    def close(self) -> None:
        """Give the memory back; nobody uses the model afterwards."""


T = TypeVar("T", bound=Closable)


@dataclass(frozen=True, slots=True)
class ModelSpec(Generic[T]):
    """What a lease needs to know to find or load its model. The files that `load` reads have to be there before."""

    key: str
    kind: str
    """stt, translation, tts, diarization or separation."""
    name: str
    device: str
    load: Callable[[], T]
    """Run by one thread at a time over all keys; must not ask the cache for a model."""
    estimated_bytes: int
    """What it will take, as far as one can tell before."""
    measured: Callable[[T], int] | None = None
    """What it does take, asked once after the load."""
