"""Models of the true sizes for scripts/gpu-check, with weights made by hand: real ones cannot be had without a network.

Run: python -m scripts.gpu_models FOLDER NAME... It makes those of these names that are not there.
"""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def float_kokoro(quantized: Path, target: Path) -> Path:
    """Write Kokoro in float32, with the values of the int8 weights, as the hub has it in three times the bytes.

    Cards have no kernels for what the int8 model computes with. Wherever it rounds its input to whole numbers, the new
    one takes the input itself, times 1; what follows stays, the factor of the weights among it.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(quantized)
    known = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    written: list[Any] = []

    def constant(name: str, value: NDArray[Any]) -> str:
        if name not in known:
            known[name] = value.astype(np.float32)
            written.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(known[name])))
        return name

    for node in model.graph.node:
        take, attributes = list(node.input), {one.name: helper.get_attribute_value(one) for one in node.attribute}
        match node.op_type:
            case "DynamicQuantizeLinear":
                constant(node.output[1], np.ones(()))
                written.append(helper.make_node("Identity", take, [node.output[0]]))
            case "ConvInteger" | "MatMulInteger":
                inputs = [take[0], constant(f"{take[1]}_float", _less(known[take[1]], known[take[3]]))]
                written.append(
                    helper.make_node(node.op_type.removesuffix("Integer"), inputs, node.output, **attributes)
                )
            case "DynamicQuantizeLSTM":
                for place, scale in ((1, 8), (2, 10)):
                    weight = _less(known[take[place]], known[take[scale + 1]]) * _spread(
                        known[take[scale]], known[take[place]]
                    )
                    take[place] = constant(f"{take[place]}_float", weight.swapaxes(1, 2))
                written.append(helper.make_node("LSTM", take[:8], node.output, **attributes))
            case "Floor" | "Cast" if "bias_quant" in node.output[0]:  # made whole, to be added to whole numbers
                written.append(helper.make_node("Identity", take, node.output))
            case _:
                written.append(node)
    del model.graph.node[:], model.graph.value_info[:]  # the latter say which values are whole numbers
    model.graph.node.extend(written)
    onnx.save(model, target)
    return target


def _less(quantized: NDArray[Any], zero: NDArray[Any]) -> NDArray[np.float32]:
    less: NDArray[np.float32] = quantized.astype(np.float32) - _spread(zero.astype(np.float32), quantized)
    return less


def _spread(factors: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in a shape in which they meet the weights: a matrix has one a column, an LSTM one a direction."""
    return factors.reshape(-1, 1, 1) if weights.ndim == 3 else factors


if __name__ == "__main__":
    for wanted in sys.argv[2:]:
        make(Path(sys.argv[1]), wanted)
