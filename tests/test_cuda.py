"""The libraries of graphics cards, which are not here: what would be done with them."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

from vt.errors import EngineError, ModelUnavailable
from vt.models.cache import is_out_of_memory
from vt.system import cuda


class Loader:
    """Loads the libraries that it is told of, and remembers in which order."""

    def __init__(self, *there: str) -> None:
        self._there = there
        self.loaded: list[str] = []

    def __call__(self, file: str) -> object:
        if file not in self._there:
            raise OSError(f"{file}: cannot open shared object file: No such file or directory")
        self.loaded.append(file)
        return object()


def packages(root: Path, layout: str = "cublas/lib") -> list[str]:
    """Lay out NVIDIA's package as pip does, and return the libraries in the order in which they need each other."""
    folder = root / layout
    folder.mkdir(parents=True)
    files = [folder / "libcublasLt.so.12", folder / "libcublas.so.12"]
    for file in files:
        file.touch()
    return list(map(str, files))


def test_cublas_of_the_system_comes_first(tmp_path: Path) -> None:
    packages(tmp_path)
    loader = Loader("libcublas.so.12")
    cuda.load_cublas(loader, lambda: [tmp_path])
    assert loader.loaded == ["libcublas.so.12"]


@pytest.mark.parametrize("layout", ["cublas/lib", "cu12/lib"])
def test_cublas_is_found_in_nvidias_package_and_loaded_behind_what_it_needs(layout: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    files = packages(tmp_path / "nvidia", layout)
    loader = Loader(*files)
    cuda.load_cublas(loader, lambda: [tmp_path / "empty", tmp_path / "nvidia"])
    assert loader.loaded == files


def test_without_cublas_the_sentence_names_the_package_to_install(tmp_path: Path) -> None:
    packages(tmp_path)
    with pytest.raises(ModelUnavailable, match=r"libcublas\.so\.12.*Install the Python package nvidia-cublas-cu12"):
        cuda.load_cublas(Loader(), lambda: [tmp_path])


@pytest.mark.parametrize(
    "said",
    [
        "CUDA failed with error out of memory",
        "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED",
        "CUDA out of memory. Tried to allocate 20.00 MiB.",
        "Failed to allocate memory for requested buffer of size 1048576",
    ],
)
def test_every_library_s_words_for_a_full_card_are_known(said: str) -> None:
    for error in (RuntimeError(said), RuntimeException(said)):
        assert is_out_of_memory(error)
        failed = EngineError("The model failed.")
        failed.__cause__ = error
        assert is_out_of_memory(failed)
    assert not is_out_of_memory(EngineError(said))
