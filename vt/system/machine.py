"""The machine: how much memory this process may use and uses, and what its processor can."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator, MutableMapping
from pathlib import Path, PurePosixPath

import psutil

_MEMBERSHIP = Path("/proc/self/cgroup")
_MOUNTS = Path("/sys/fs/cgroup")
_LIMITS_V1 = ("memory.limit_in_bytes",)
_LIMITS_V2 = ("memory.max", "memory.high")
_PROCESSOR = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_M_ARENA_MAX, _ARENAS = -8, 1
_PRIMITIVES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "DNNL_PRIMITIVE_CACHE_CAPACITY")
"""The name of oneDNN's setting, today's and that of versions before 2.5."""
_MOST_PRIMITIVES = "32"
_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""The switches of ONNX Runtime and of the hub's library, and how each is turned off."""


def memory_limit(membership: Path = _MEMBERSHIP, mounts: Path = _MOUNTS, total: int | None = None) -> int:
    """Return how many bytes this process can use at most: the machine's memory, or its container's limit."""
    machine = psutil.virtual_memory().total if total is None else total
    return min([machine, *_container_limits(membership, mounts)])


def has_bfloat16(told: Path = _PROCESSOR) -> bool:
    """Tell whether the processor has instructions for bfloat16."""
    try:
        lines = told.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return False
    features = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return not features.isdisjoint(_BFLOAT16)


def model_budget(wanted_mb: int) -> int:
    """Return how many bytes all models together may take: `wanted_mb`, or where that is 0 half of the memory.

    The other half is for films, for what engines need while they work, and for the service itself.
    """
    return wanted_mb * 2**20 or memory_limit() // 2


def _container_limits(membership: Path, mounts: Path) -> Iterator[int]:
    """Yield every memory limit of the control groups of this process and of their parent groups."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2; "unified" is where it is mounted beside version 1
            for root in (mounts, mounts / "unified"):
                yield from _limits(root, path, _LIMITS_V2)
        elif "memory" in controllers.split(","):
            yield from _limits(mounts / "memory", path, _LIMITS_V1)


def _limits(root: Path, path: str, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the limits of a group and of its parent groups.

    In a container the path is often one of the host, which does not exist here: then the root is the container's own
    group.
    """
    steps = [step for step in PurePosixPath(path).parts if step not in ("/", "..")]
    for depth in range(len(steps) + 1):
        for name in names:
            limit = _number(root.joinpath(*steps[:depth], name))
            if limit is not None:
                yield limit


def _number(file: Path) -> int | None:
    """Return the number in a file; None where it holds "max" or does not exist: then there is no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def resident_bytes() -> int:
    """Return how much memory this process has now."""
    return int(psutil.Process().memory_info().rss)


def trim() -> None:
    """Return freed memory that the allocator still holds to the system; only glibc has such a call."""
    found = _malloc_trim()
    if found is not None:
        found(0)


def share_arenas() -> None:
    """Have all threads of the process share one heap (arena) of glibc, from now on.

    By default there are up to eight arenas for each core, and each keeps some of the memory that its threads have
    freed. Measured after a recognition: 30 MB that no call gives back, and no loss of speed with one arena.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (OSError, TypeError, AttributeError):  # another libc, which has no such setting
        return


def refuse_telemetry(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have libraries report nothing to their makers, unless somebody wants them to; before they are imported.

    ONNX Runtime keeps a record of each session in the user's cache folder, and sends it to Microsoft.
    """
    for name, off in _TELEMETRY.items():
        environment.setdefault(name, off)


def bound_primitives(environment: MutableMapping[str, str] = os.environ) -> None:
    """Have oneDNN keep few of its compiled primitives, where nobody has set how many; before it is first used.

    It keeps 1024 of them by default, one for each shape of its input, and speech comes in hundreds of lengths: in two
    hours of recognition they took 700 MB, which no call gives back. Measured with 32: 20 MB, and no loss of speed.
    """
    for name in _PRIMITIVES:
        environment.setdefault(name, _MOST_PRIMITIVES)


@functools.cache
def _malloc_trim() -> ctypes._FuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None
