"""Models of the true sizes for scripts/gpu-check, with weights made by hand: real ones cannot be had without a network.

Run: python -m scripts.gpu_models FOLDER NAME... It makes those of these names that are not there.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from benchmarks.engines import TRUE_SIZE
from tests.tiny_models import Size, tiny_nllb
from tests.tiny_voices import LATIN, write_tokenizer
from vt.domain import Cancel
from vt.engines import nllb_conversion
from vt.system import atomic_dirs

NLLB = {
    "nllb-600M": TRUE_SIZE,
    "nllb-1.3B": Size(width=1024, layers=24, heads=16, inner=8192, vocabulary=256_206),
}
"""Each translates every line into itself: so it is seen whether the card computes what the processor computes."""
MMS = "mms-spa"
_BYTES = 12 * 10**9
"""Of the disk, while the largest is made: as the hub has it, and converted."""


def make(folder: Path, name: str) -> Path:
    """Make the model of a name below a folder, where it is not there, and return it; others who ask meanwhile wait."""
    target = folder / name
    if name == MMS:
        write, mark = voice, "vocab.json"
    else:
        write, mark = partial(nllb, size=NLLB[name]), "model.bin"
    atomic_dirs.build_dir_atomically(
        target,
        write,
        is_complete=lambda place: (place / mark).is_file(),
        needed_bytes=_BYTES,
        tell=print,
        cancel=Cancel(),
    )
    return target


def nllb(folder: Path, size: Size) -> None:
    """Write an NLLB as the hub has it, convert it as the product does, and leave the converted one."""
    source = tiny_nllb(folder / "source", size=size)
    nllb_conversion.convert(source, folder / "converted", tell=print, cancel=Cancel())
    for file in (folder / "converted").iterdir():
        file.rename(folder / file.name)
    shutil.rmtree(source)


def voice(folder: Path) -> None:
    """Write a voice of MMS's size, 36 M parameters, without chance in it: a card has random numbers of its own."""
    import torch
    from transformers import VitsConfig, VitsModel

    torch.manual_seed(0)
    config = VitsConfig(vocab_size=len(LATIN), noise_scale=0.0, noise_scale_duration=0.0)
    VitsModel(config).save_pretrained(folder)
    write_tokenizer(folder, "spa", LATIN)


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        make(Path(sys.argv[1]), wanted)
