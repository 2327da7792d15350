"""Where sound lies while it travels: in the message itself, in the cluster's own store, or behind a URL."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vt.errors import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SMALL_BYTES = 100_000
"""What takes no more travels in the message."""
_LARGEST_BYTES = 2**31
"""No piece is larger: a host reads no more."""


class Parcel(Protocol):
    """Sound on its way."""

    def open(self) -> NDArray[Any]:
        """Return the sound, where it is needed."""
        ...


class Storage(Protocol):
    """Puts sound where hosts reach it."""

    def held(self, samples: NDArray[Any]) -> Any:  # noqa: ANN401 (a context manager that gives a parcel)
        """Return a context manager in which the sound is kept, and that gives its parcel."""
        ...


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Sound that lies in the message."""

    samples: NDArray[Any]

    def open(self) -> NDArray[Any]:
        """Return it."""
        return self.samples


@dataclass(frozen=True, slots=True)
class Stored:
    """Sound in a store that whoever has the reference can read."""

    reference: Any
    read: Callable[[Any], NDArray[Any]]

    def open(self) -> NDArray[Any]:
        """Return what the store has."""
        return self.read(self.reference)


@dataclass(frozen=True, slots=True)
class AtUrl:
    """Sound in a file behind a URL."""

    url: str

    def open(self) -> NDArray[Any]:
        """Read the file.

        Raises:
            StorageError: it cannot be read.
        """
        with _translated():
            system, path = _system_of(self.url)
            with system.open(path, "rb") as file:
                content = file.read(_LARGEST_BYTES)
            samples: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
        return samples


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The cluster's own store."""

    put: Callable[[NDArray[Any]], Any]
    read: Callable[[Any], NDArray[Any]]

    @contextmanager
    def held(self, samples: NDArray[Any]) -> Iterator[Parcel]:
        """Keep a sound while the block runs: it goes with the last reference to it.

        Raises:
            StorageError: the store takes no more.
        """
        if samples.nbytes <= SMALL_BYTES:
            yield Enclosed(samples)
            return
        with _translated():
            stored = Stored(self.put(samples), self.read)
        yield stored


@dataclass(frozen=True, slots=True)
class UrlStorage:
    """A folder that server and hosts reach by the same URL: on a shared disk, or in a bucket."""

    url: str

    @contextmanager
    def held(self, samples: NDArray[Any]) -> Iterator[Parcel]:
        """Keep a sound in a file of the folder while the block runs.

        Raises:
            StorageError: it cannot be written.
        """
        if samples.nbytes <= SMALL_BYTES:
            yield Enclosed(samples)
            return
        url = f"{self.url.rstrip('/')}/vt-{uuid.uuid4().hex}.npy"
        with _translated():
            system, path = _system_of(url)
        try:
            with _translated():
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
                with system.open(path, "wb") as file:
                    np.save(file, samples, allow_pickle=False)
            yield AtUrl(url)
        finally:
            with suppress(Exception):  # whatever the file system's library raises: the work itself is done
                system.rm(path)


def opened(argument: Any) -> Any:  # noqa: ANN401 (whatever a piece takes)
    """Return what a parcel holds; anything else as it is."""
    return argument.open() if isinstance(argument, Enclosed | Stored | AtUrl) else argument


def _system_of(url: str) -> tuple[Any, str]:
    """Return the file system behind a URL, and the path on it."""
    import fsspec

    system, path = fsspec.core.url_to_fs(url)
    return system, str(path)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn whatever a file system's library raises into a `StorageError`; its sentences may hold secrets of the URL."""
    try:
        yield
    except Exception as error:
        raise StorageError(
            "The storage of the cluster cannot be used ({reason}): check VT_STORAGE_URL.", reason=type(error).__name__
        ) from error
