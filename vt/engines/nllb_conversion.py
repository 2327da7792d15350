"""NLLB made ready: a checkpoint as the hub has it, converted once for CTranslate2, by a child process."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vt.domain import Cancel
from vt.errors import ModelUnavailable, ToolError, ToolStopped
from vt.system import atomic_dirs, disk, python_child
from vt.system.atomic_dirs import GB, Tell
from vt.system.processes import run
from vt.system.sandbox import CORES, ChildLimits
from vt.translatable import Message


@dataclass(frozen=True, slots=True)
class Model:
    """A model of the hub."""

    source: str
    """Its hub id."""
    download_bytes: int
    int8_bytes: int
    """Converted to int8, on disk; in memory it takes a little more (`nllb.memory_bytes`)."""


MODELS = (
    Model("facebook/nllb-200-distilled-600M", 2_480_000_000, 620_000_000),
    Model("facebook/nllb-200-distilled-1.3B", 5_510_000_000, 1_380_000_000),
    Model("facebook/nllb-200-1.3B", 5_510_000_000, 1_380_000_000),
    Model("facebook/nllb-200-3.3B", 17_600_000_000, 3_360_000_000),
)
"""By size, and of one size the better last. Numbers are bytes, and estimates."""
TOKENIZERS = ("sentencepiece.bpe.model", "tokenizer.json")
"""Either is enough to translate; converting wants the second, which alone lists the languages."""
_CONFIGS = ("config.json", "generation_config.json", "special_tokens_map.json", "tokenizer_config.json")
_SAFETENSORS = "model*.safetensors"
FILES = (
    *_CONFIGS, *TOKENIZERS, _SAFETENSORS, "model.safetensors.index.json", "pytorch_model*.bin",
    "pytorch_model.bin.index.json", "model.bin", "shared_vocabulary.*",
)  # fmt: skip
"""Patterns of the files to download, of a checkpoint or of a converted model; safetensors, where there are any, do."""
_BYTES = {"int8": 1, "float16": 2, "float32": 4}
"""Of one weight, by compute type."""
_OVERHEAD = 1.1
_BESIDE_WEIGHTS = 64 * 2**20
_TIMEOUT_SECONDS = 3600
_LIMITS = ChildLimits(_TIMEOUT_SECONDS, _TIMEOUT_SECONDS * CORES, memory=None, file_bytes=None, open_files=1024)
_VOCABULARIES = ("shared_vocabulary.json", "shared_vocabulary.txt")
_QUIET = {
    "HF_HUB_OFFLINE": "1",  # nothing is looked for elsewhere, and no custom code
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TMPDIR": "/dev/shm",  # noqa: S108 (in a sandbox the only folder to be written, but for the target's)
}


def is_converted(folder: Path) -> bool:
    """Tell whether a folder holds a model in CTranslate2's format, with all that is needed to translate."""
    return (
        (folder / "model.bin").is_file()
        and any((folder / name).is_file() for name in _VOCABULARIES)
        and any((folder / name).is_file() for name in TOKENIZERS)
    )


def missing(folder: Path) -> str:
    """Name what a folder with a checkpoint lacks, as the end of a sentence; empty where it is whole."""
    if not folder.is_dir():
        return "the folder is not there"
    lacking = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    weights, absent = _weights(folder)
    lacking += absent
    if lacking:
        return f"{' and '.join(lacking)} missing"
    broken = [file.name for file in weights if not _is_complete(file)]
    return f"{' and '.join(broken)} incomplete" if broken else ""


def convert(
    source: Path,
    target: Path,
    *,
    compute_type: str = "int8",
    tell: Tell,
    cancel: Cancel,
    free: Callable[[Path], int] = disk.free_bytes,
) -> None:
    """Convert the checkpoint in `source` into `target`, unless that has been done.

    A child process does it, so that torch and its memory go with it. `target` appears whole or not at all, and is
    made once, however many processes ask. It holds all that is needed to translate.

    Raises:
        ModelUnavailable: the checkpoint is not whole, or no NLLB.
        StorageError: the disk has no room.
        InputError: the folder of `target` cannot be written.
        Cancelled: `cancel` was set; the child has been killed.
    """
    if is_converted(target):
        return
    lack = missing(source)
    if lack:
        raise ModelUnavailable(
            "The NLLB model in {source} cannot be used: {lack}. Have it downloaded again.", source=source, lack=lack
        )
    size = sum(file.stat().st_size for file in _weights(source)[0])
    needed = round(size * _OVERHEAD * _BYTES[compute_type] / _BYTES[_stored(source)]) + _BESIDE_WEIGHTS

    def make(half: Path) -> None:
        tell(
            Message(
                "Converting {model} ({size:.1f} GB) to {compute_type}: once, in a minute or so.",
                model=target.name,
                size=size / GB,
                compute_type=compute_type,
            )
        )
        _convert_in_child(source, half, compute_type, size, cancel)
        for name in TOKENIZERS:
            if (source / name).is_file():
                shutil.copyfile(source / name, half / name)

    atomic_dirs.build_dir_atomically(
        target, make, is_complete=is_converted, needed_bytes=needed, tell=tell, cancel=cancel, free=free
    )


def _convert_in_child(source: Path, half: Path, compute_type: str, size: int, cancel: Cancel) -> None:
    # Absolute, because a folder's relative name could pass for a repository's.
    arguments = [str(source.absolute()), str(half.absolute()), compute_type]
    # Where Python and its libraries lie is known only to Python: all may be read, and nothing written but the target.
    child = python_child.child(__name__, arguments, _LIMITS, _QUIET, reads=[Path("/")], writes=[half])
    try:
        run(child, cancel)
    except ToolStopped as error:
        raise ModelUnavailable(
            "The NLLB model in {source} could not be converted, which takes {size:.1f} GB of memory: {reason}",
            source=source,
            size=size / GB,
            reason=error.message,
        ) from error
    except ToolError as error:
        raise ModelUnavailable(
            "The NLLB model in {source} cannot be converted: {reason}",
            source=source,
            reason=python_child.reason(error),
        ) from error


def _weights(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files with the weights, safetensors where there are any, and the names of those that are missing."""
    for whole in ("model.safetensors", "pytorch_model.bin"):
        names = _listed(folder / f"{whole}.index.json") or ([whole] if (folder / whole).is_file() else [])
        if names:
            there = [name for name in names if (folder / name).is_file()]
            return [folder / name for name in there], [name for name in names if name not in there]
    return [], ["model.safetensors (or pytorch_model.bin)"]


def _listed(index: Path) -> list[str]:
    """Return the parts that an index of weights lists."""
    try:
        return sorted({Path(name).name for name in json.loads(index.read_bytes())["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _is_complete(file: Path) -> bool:
    if file.suffix == ".safetensors":
        return file.stat().st_size == _promised(file)
    # A zip file's list stands at its end. Before zip, torch wrote pickles, which begin with 0x80.
    with file.open("rb") as opened:
        return opened.read(1) == b"\x80" or zipfile.is_zipfile(opened)


def _promised(file: Path) -> int:
    """Return the size that the header of a safetensors file promises; -1 where there is no such header."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        try:
            header = json.loads(opened.read(min(length, file.stat().st_size)))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return -1
    return 8 + length + max(ends, default=0)


def _stored(folder: Path) -> str:
    """Return the type that the weights are stored in."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        kind = config.get("dtype") or config.get("torch_dtype")
    except (ValueError, AttributeError) as error:
        raise ModelUnavailable(
            "The NLLB model in {folder} cannot be used: config.json cannot be read.", folder=folder
        ) from error
    return "float16" if kind in ("float16", "bfloat16") else "float32"


# --- in the child ------------------------------------------------------------------------------------------------


def _convert_here(source: str, target: str, compute_type: str) -> None:
    from ctranslate2.converters import TransformersConverter

    class Converter(TransformersConverter):  # type: ignore[misc] # ctranslate2 is untyped
        def load_model(self, model_class: Any, model_name_or_path: str, **kwargs: Any) -> Any:  # noqa: ANN401
            safe = any(Path(model_name_or_path).glob(_SAFETENSORS))
            return model_class.from_pretrained(
                model_name_or_path, use_safetensors=safe, weights_only=True, local_files_only=True, **kwargs
            )

        def load_tokenizer(self, _: Any, model_name_or_path: str, **__: Any) -> _Tokens:  # noqa: ANN401
            return _Tokens(model_name_or_path)

    if json.loads((Path(source) / "config.json").read_bytes()).get("model_type") != "m2m_100":
        raise ValueError("it is no NLLB, whose model_type in config.json is m2m_100")
    # The converter wants to make its folder itself, and in a sandbox nothing can be made beside the target.
    made = Path(target, "made")
    Converter(source, low_cpu_mem_usage=True).convert(str(made), quantization=compute_type)
    for file in made.iterdir():
        file.rename(Path(target, file.name))
    made.rmdir()


class _Tokens:
    """As much of a tokenizer as the converter asks for, with the numbers that stand in the checkpoint's own file."""

    bos_token, eos_token, unk_token, unk_token_id = "<s>", "</s>", "<unk>", 3
    special_tokens_map: dict[str, list[str]] = {}  # noqa: RUF012 (every language is in the vocabulary)

    def __init__(self, folder: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))

    def get_vocab(self) -> dict[str, int]:
        """Return the number of each token."""
        return dict(self._tokenizer.get_vocab(with_added_tokens=True))

    def convert_ids_to_tokens(self, number: int) -> str:
        """Return the token of a number."""
        return str(self._tokenizer.id_to_token(number))


def main(arguments: list[str]) -> int:
    """Convert, in a process of its own; the last line on stderr says what went wrong."""
    return python_child.exit_code(lambda: _convert_here(*arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
