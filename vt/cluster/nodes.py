"""The nodes of a cluster as the server sees them, behind protocols, so that only one module knows Ray."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vt.cluster.pieces import Piece
from vt.cluster.storage import ObjectStore
from vt.domain import Cancel


class HostLost(Exception):
    """The process of a host, or its whole machine, is gone, or does not answer."""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster that lends processors."""

    id: str
    name: str
    """Its address, which people know it by."""
    processors: int
    cards: int = 0


class RemoteHost(Protocol):
    """A host on a node. Whatever is called may raise `HostLost`."""

    def call(self, method: str, *arguments: Any, seconds: float, cancel: Cancel | None = None) -> Any:  # noqa: ANN401
        """Call a method of `Host`, and return what it returns; who does not answer in so many seconds is lost.

        Setting `cancel` ends the waiting, and nothing there: others may wait for the same.
        """
        ...

    def stream(self, number: str, piece: Piece, cancel: Cancel) -> Generator[Any, None, None]:
        """Yield what `Host.work` yields for a piece; setting `cancel` ends it here at once, and there soon."""
        ...

    def stop(self) -> None:
        """End the host's process."""
        ...


class Nodes(Protocol):
    """The nodes, and a way to have a host on each."""

    def begin(self) -> None:
        """Connect to the cluster.

        Raises:
            SettingsError: there is none, or it is of another version.
        """
        ...

    def alive(self) -> Mapping[str, Node]:
        """Return the nodes that are there, by their ids."""
        ...

    def start(self, node: Node, given: Mapping[str, Any]) -> RemoteHost:
        """Start a host on a node, with settings of the server; it may not be up when this returns."""
        ...

    def store(self) -> ObjectStore:
        """Return the cluster's own store."""
        ...

    def close(self) -> None:
        """Leave the cluster."""
        ...
