"""What the machine gives this process: memory, its container's limit on it, and graphics processors."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

_MEMBERSHIP = Path("/proc/self/cgroup")
_MOUNTS = Path("/sys/fs/cgroup")
_LIMITS_V1 = ("memory.limit_in_bytes",)
_LIMITS_V2 = ("memory.max", "memory.high")
_PROCESSOR = Path("/proc/cpuinfo")
_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
_M_ARENA_MAX, _ARENAS = -8, 1
_NVML = "libnvidia-ml.so.1"


def memory_limit(membership: Path = _MEMBERSHIP, mounts: Path = _MOUNTS, total: int | None = None) -> int:
    """Return how many bytes this process can have at most: the machine's, or what its container allows of them."""
    machine = psutil.virtual_memory().total if total is None else total
    return min([machine, *_container_limits(membership, mounts)])


def has_bfloat16(told: Path = _PROCESSOR) -> bool:
    """Tell whether the processor computes in bfloat16 by itself."""
    try:
        lines = told.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return False
    features = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return not features.isdisjoint(_BFLOAT16)


def model_budget(wanted_mb: int) -> int:
    """Return how many bytes models may take together: as many megabytes as are wanted, or with 0 half of what there is.

    The other half is for films, for what engines need while they work, and for the service around them.
    """
    return wanted_mb * 2**20 or memory_limit() // 2


def _container_limits(membership: Path, mounts: Path) -> Iterator[int]:
    """Yield every limit that the control groups of this process, and the groups around them, set on memory."""
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux, or no /proc
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2; "unified" is where it hangs beside version 1
            for root in (mounts, mounts / "unified"):
                yield from _limits(root, path, _LIMITS_V2)
        elif "memory" in controllers.split(","):
            yield from _limits(mounts / "memory", path, _LIMITS_V1)


def _limits(root: Path, path: str, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the limits of a group and of all around it.

    Inside a container the path is often the host's, and leads nowhere here: then the root is the container's own group.
    """
    steps = [step for step in PurePosixPath(path).parts if step not in ("/", "..")]
    for depth in range(len(steps) + 1):
        for name in names:
            limit = _number(root.joinpath(*steps[:depth], name))
            if limit is not None:
                yield limit


def _number(file: Path) -> int | None:
    """Return the number in a file; "max", or no file, is no limit."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def resident_bytes() -> int:
    """Return how much memory this process has now."""
    return int(psutil.Process().memory_info().rss)


def trim() -> None:
    """Hand memory that was freed, but kept for the next allocation, back to the system; only glibc can."""
    found = _malloc_trim()
    if found is not None:
        found(0)


def share_arenas() -> None:
    """Have all threads share glibc's one heap, from now on in the whole process.

    By default there are up to eight heaps for each core, each of which keeps some of what its threads have freed:
    measured after a recognition, 30 MB that nothing gives back, and no loss of speed without them.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
    except (OSError, TypeError, AttributeError):  # another libc: it has its own ways
        return


@functools.cache
def _malloc_trim() -> ctypes._FuncPointer | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):
        return None


@functools.cache
def gpus() -> int:
    """Count NVIDIA's graphics processors, through their driver's management library.

    CUDA itself is not touched: once begun in a process, it breaks in that one's forks.
    """
    count = ctypes.c_uint(0)
    try:
        library = ctypes.CDLL(_NVML)
        failed = library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count))
    except (OSError, AttributeError):
        return 0
    return 0 if failed else count.value


def torch_has_cuda() -> bool:
    """Tell whether torch has a GPU here; it is asked where it is in memory already, and never imported for this."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None:
        return bool(cuda.is_available())
    return gpus() > 0 and _torch_is_installed()


@functools.cache
def _torch_is_installed() -> bool:
    return importlib.util.find_spec("torch") is not None
