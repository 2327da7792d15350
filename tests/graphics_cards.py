"""Graphics cards for tests on a machine that has none."""

from __future__ import annotations

from collections.abc import MutableMapping
from types import SimpleNamespace

from vt.system.graphics import Cards

GB = 2**30


class FakeNvml:
    """NVIDIA's management library on a machine with cards of so many bytes; None: without a driver."""

    class NVMLError(Exception):
        """What the library raises."""

    def __init__(self, cards: list[int] | None) -> None:
        self._cards = cards
        self.used: dict[int, int] = {}
        """Bytes by the number of the card."""
        self._has_begun = False

    def nvmlInit(self) -> None:  # noqa: N802 (its own name)
        if self._cards is None:
            raise self.NVMLError("NVML Shared Library Not Found")
        self._has_begun = True

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 (its own name)
        if not self._has_begun or self._cards is None:
            raise self.NVMLError("Uninitialized")
        return len(self._cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802 (its own name)
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:  # noqa: N802 (its own name)
        if not uuid.startswith("GPU-"):
            raise self.NVMLError("Not Found")
        return int(uuid.removeprefix("GPU-"))

    def nvmlDeviceGetMemoryInfo(self, handle: object) -> SimpleNamespace:  # noqa: N802 (its own name)
        if not isinstance(handle, int) or self._cards is None:
            raise self.NVMLError("Unknown Error")
        return SimpleNamespace(total=self._cards[handle], used=self.used.get(handle, 0))


def cards(*totals: int, environment: MutableMapping[str, str] | None = None) -> Cards:
    """Return cards with so many bytes each."""
    nvml = FakeNvml(list(totals))
    return Cards(lambda: nvml, {} if environment is None else environment)
