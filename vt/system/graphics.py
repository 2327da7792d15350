"""The graphics cards: which ones this process may use, and how much memory each has and has free."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Protocol

CUDA = "cuda"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ORDER, _BY_BUS = "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
"""The driver's library numbers cards by their place on the bus. CUDA by itself begins with the one that it takes for
the fastest: then a model would be on another card than the one whose memory was looked at."""
_SHARE = 0.8
"""Of a card's memory, what models may take; the rest is for what they need while they work."""


class Nvml(Protocol):
    """The part of NVIDIA's management library, as nvidia-ml-py has it, that is used here."""

    @property
    def NVMLError(self) -> type[Exception]:  # noqa: N802 (its own name)
        """The class of all its errors."""

    def nvmlInit(self) -> object:  # noqa: N802 (its own name)
        """Load the driver's library; raises NVMLError where there is none."""

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 (its own name)
        """Return the number of graphics cards."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802 (its own name)
        """Return what names a card to the other functions."""

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802 (its own name)
        """Return the same for a card, or a part of one, by its unique name."""

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> Any:  # noqa: ANN401, N802 (its own name, and no types)
        """Return an object with the card's total, used and free bytes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of a card, in bytes, whoever uses it."""

    total: int
    used: int

    @property
    def free(self) -> int:
        """What nobody uses."""
        return self.total - self.used


class Cards:
    """The cards that CUDA shows to this process, numbered as it numbers them.

    CUDA itself is not initialized: once it is, it does not work in forks of this process.
    """

    def __init__(self, load_nvml: Callable[[], Nvml], environment: MutableMapping[str, str] = os.environ) -> None:
        """Look for the cards; without a card, or without a driver, there are none.

        Where nobody has chosen an order of the cards, `environment` tells CUDA to number them as is done here.
        """
        environment.setdefault(_ORDER, _BY_BUS)
        self._nvml = load_nvml()
        self._handles: list[object] = []
        try:
            self._nvml.nvmlInit()
            self._handles = self._visible(environment.get(_VISIBLE))
        except self._nvml.NVMLError:
            return

    def _visible(self, named: str | None) -> list[object]:
        """Return the cards that a variable names, up to the first that does not exist, as CUDA reads it."""
        there = self._nvml.nvmlDeviceGetCount()
        if named is None:
            return [self._nvml.nvmlDeviceGetHandleByIndex(number) for number in range(there)]
        found: list[object] = []
        for name in filter(None, map(str.strip, named.split(","))):
            try:
                if not name.isdecimal():
                    found.append(self._nvml.nvmlDeviceGetHandleByUUID(name))
                elif int(name) < there:
                    found.append(self._nvml.nvmlDeviceGetHandleByIndex(int(name)))
                else:
                    break
            except self._nvml.NVMLError:
                break
        return found

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._handles)

    def memory(self, device: str) -> Memory | None:
        """Return the memory of the card that a device is on; None where there is no such card, or it does not say."""
        number = index(device)
        if kind(device) != CUDA or number >= self.count:
            return None
        try:
            told = self._nvml.nvmlDeviceGetMemoryInfo(self._handles[number])
        except self._nvml.NVMLError:
            return None
        return Memory(int(told.total), int(told.used))


def kind(device: str) -> str:
    """Return what a device is, cpu or cuda, without the number of the card: cuda for cuda:1."""
    return device.partition(":")[0]


def index(device: str) -> int:
    """Return the number of the card that a device is on, from 0: 1 for cuda:1."""
    return int(device.partition(":")[2] or 0)


def budget(wanted_mb: int, memory: Memory) -> int:
    """Return how many bytes of a card the models may take: `wanted_mb`, or where that is 0 most of its memory."""
    return wanted_mb * 2**20 or round(_SHARE * memory.total)


def open_card(device: str) -> None:
    """Have CUDA prepare a card for this process, as its first model does otherwise.

    That takes some hundred megabytes of the card, which no model is to be charged with. Where it fails, the first
    model fails too, and says why.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        card, context = ctypes.c_int(), ctypes.c_void_p()
        driver.cuInit(0)
        driver.cuDeviceGet(ctypes.byref(card), index(device))
        driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), card)  # all libraries share this context
    except (OSError, AttributeError):  # no driver
        return


@functools.cache
def cards() -> Cards:
    """Return the cards of this machine; they are looked for once."""
    return Cards(_nvml)


def _nvml() -> Any:  # noqa: ANN401 (it has no types)
    import pynvml

    return pynvml


def torch_has_cuda() -> bool:
    """Tell whether torch can use a graphics card here. Torch is asked if it is imported already, but not imported."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is not None:
        return bool(cuda.is_available())
    return cards().count > 0 and _torch_is_installed()


@functools.cache
def _torch_is_installed() -> bool:
    return importlib.util.find_spec("torch") is not None
