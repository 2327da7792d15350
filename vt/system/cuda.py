"""cuBLAS 12 for CTranslate2, out of NVIDIA's Python package where the system has none."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vt.errors import ModelUnavailable

PACKAGE = "nvidia-cublas-cu12"
"""On PyPI. torch brings the libraries of CUDA 13, whose names are others."""
_CUBLAS = "libcublas.so.12"
_NEEDED_FIRST = "libcublasLt.so.12"
_FOLDERS = ("cublas/lib", "cu12/lib")
"""Of NVIDIA's packages, below the folder that they share."""


def _package_roots() -> list[Path]:
    found = importlib.util.find_spec("nvidia")
    return [Path(place) for place in (found.submodule_search_locations or ())] if found else []


def load_cublas(
    load: Callable[[str], object] = lambda file: ctypes.CDLL(file, ctypes.RTLD_GLOBAL),
    roots: Callable[[], Sequence[Path]] = _package_roots,
) -> None:
    """Load cuBLAS 12, which CTranslate2 opens by its name when it first computes on a graphics card.

    A library that has been loaded is found by its name wherever its file is. What the system has comes first: its
    administrator knows the driver.

    Args:
        load: loads a library by its name or path; raises OSError where it can't.
        roots: returns the folders in which NVIDIA's Python packages are.

    Raises:
        ModelUnavailable: there is none, or it cannot be loaded.
    """
    if _loads(load, _CUBLAS):
        return
    for folder in _package_folders(roots()):
        if _loads(load, str(folder / _NEEDED_FIRST)) and _loads(load, str(folder / _CUBLAS)):
            return
    raise ModelUnavailable(
        "The graphics card cannot be used: CTranslate2 needs cuBLAS 12 ({library}). Install the Python package "
        "{package}, or CUDA 12.",
        library=_CUBLAS,
        package=PACKAGE,
    )


def _loads(load: Callable[[str], object], library: str) -> bool:
    try:
        load(library)
    except OSError:
        return False
    return True


def _package_folders(roots: Sequence[Path]) -> Iterator[Path]:
    return (root / name for root in roots for name in _FOLDERS if (root / name / _CUBLAS).is_file())
