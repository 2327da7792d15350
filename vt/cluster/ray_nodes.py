"""The nodes of a Ray cluster: an actor on each that has processors. The only module that knows Ray."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from vt.cluster.host import Host
from vt.cluster.nodes import HostLost, Node
from vt.cluster.pieces import Piece
from vt.cluster.storage import ObjectStore
from vt.domain import Cancel
from vt.errors import Cancelled, SettingsError
from vt.system import extras

PIECES_AT_ONCE = 2
"""What a host works on at a time: while one piece reads or waits, the other computes."""
_LONG = ("offer",)
"""What loads a model, and so counts as a piece."""
_CONTROLS = 4
"""Threads of a host for what is answered at once, whatever it works on."""
_LOOK_SECONDS = 0.25
_NAMESPACE = "vt"
_CONNECT_SECONDS = 5.0


class RayNodes:
    """The cluster at RAY_ADDRESS, or, without one, a cluster of this machine alone."""

    def begin(self) -> None:
        """Connect to the cluster; see `Nodes.begin`."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # or who asks after the end would connect once more
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise SettingsError(
                "VT_EXECUTOR is ray, but the Python package ray is not here: {command} brings it.",
                command=extras.command("ray"),
            ) from error
        _check_address(os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(namespace=_NAMESPACE, ignore_reinit_error=True, logging_level=logging.WARNING)
        except Exception as error:  # whatever Ray raises where nobody answers, or somebody of another version
            raise SettingsError(
                "VT_EXECUTOR is ray, but no cluster can be used ({reason}): check RAY_ADDRESS.",
                reason=" ".join(str(error).split())[:300],
            ) from error

    def alive(self) -> Mapping[str, Node]:
        """Return the nodes with processors; see `Nodes.alive`."""
        import ray

        found = {}
        for told in ray.nodes():  # type: ignore[no-untyped-call]
            lent = told["Resources"]
            if told["Alive"] and lent.get("CPU", 0) >= 1:
                address = told["NodeManagerAddress"]
                node = Node(
                    told["NodeID"], f"{address}-{told['NodeID'][:4]}", int(lent["CPU"]), int(lent.get("GPU", 0))
                )
                found[node.id] = node
        return found

    def start(self, node: Node, given: Mapping[str, Any]) -> RayHost:
        """Start an actor that takes a node's processors, and one of its graphics cards; see `Nodes.start`."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        groups = {"control": _CONTROLS, "work": PIECES_AT_ONCE}
        make: Any = ray.remote  # its types know no groups
        actor = make(num_cpus=node.processors, num_gpus=min(1, node.cards), concurrency_groups=groups)(Host)
        here = NodeAffinitySchedulingStrategy(node.id, soft=False)
        return RayHost(actor.options(scheduling_strategy=here, max_restarts=0).remote(dict(given), node.processors))

    def store(self) -> ObjectStore:
        """Return Ray's object store."""
        import ray

        return ObjectStore(ray.put, ray.get)

    def close(self) -> None:
        """Leave the cluster, which ends the hosts of this server."""
        import ray

        ray.shutdown()


def _check_address(address: str) -> None:
    """Raise where nobody listens at an address, for which Ray would wait for minutes; other forms are left to Ray."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()) or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except OSError as error:
        raise SettingsError(
            "VT_EXECUTOR is ray, but nobody answers at {address} ({reason}): check RAY_ADDRESS.",
            address=address,
            reason=error.strerror or "no answer",
        ) from error


class RayHost:
    """An actor on a node; see `RemoteHost`."""

    def __init__(self, actor: Any) -> None:  # noqa: ANN401 (Ray's handle)
        self._actor = actor

    def call(self, method: str, *arguments: Any, seconds: float, cancel: Cancel | None = None) -> Any:  # noqa: ANN401
        """Call a method of the host; see `RemoteHost.call`."""
        import ray

        with _translated():
            group = "work" if method in _LONG else "control"
            asked = getattr(self._actor, method).options(concurrency_group=group).remote(*arguments)
            until = time.monotonic() + seconds
            while not ray.wait([asked], timeout=_LOOK_SECONDS)[0] and time.monotonic() < until:
                if cancel:
                    cancel.check()
            return ray.get(asked, timeout=0)

    def stream(self, number: str, piece: Piece, cancel: Cancel) -> Generator[Any, None, None]:
        """Yield what a piece gives; see `RemoteHost.stream`."""
        import ray

        def end() -> None:
            with suppress(Exception):  # a host that is gone works no more
                self._actor.cancel.options(concurrency_group="control").remote(number)

        cancel.add(end)
        try:
            with _translated():
                answers = self._actor.work.options(concurrency_group="work", num_returns="streaming").remote(
                    number, piece
                )
                while True:
                    # Only an answer is a sign of life: the watchdog has to notice a host that hangs.
                    while not (cancel.is_set or ray.wait([answers], timeout=_LOOK_SECONDS, fetch_local=False)[0]):
                        pass
                    cancel.check()
                    try:
                        answer = next(answers)
                    except StopIteration:
                        return
                    yield ray.get(answer)
        except GeneratorExit:
            end()  # nobody wants the rest
            raise
        finally:
            cancel.remove(end)

    def stop(self) -> None:
        """End the actor's process."""
        import ray

        with suppress(Exception):  # it is gone, or the cluster is
            ray.kill(self._actor)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what Ray raises into `HostLost`: of its own errors, none is the fault of a piece."""
    try:
        yield
    except Cancelled:
        raise
    except Exception as error:
        logging.getLogger(__name__).debug("a host is lost", exc_info=error)
        raise HostLost(" ".join(str(error).split())[:300]) from error
