"""A tiny model with Demucs' input and output in ONNX's file format: what is the same on both sides is the voices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import tiny_onnx
from tests.tiny_onnx import FLOAT, Node


def tiny_demucs(file: Path, samples: int | str = 8192, parts: int = 4, channels: int = 2) -> Path:
    """Write a model.

    Args:
        file: where.
        samples: that it hears at a time; a name where that is open.
        parts: into which it takes sound apart, of which the fourth is the voices.
        channels: of its output.
    """
    mixing = np.zeros((parts, channels, 2), np.float32)
    mixing[3] = 0.5
    nodes = [Node("Unsqueeze", ("mix", "first"), "apart"), Node("MatMul", ("parts", "apart"), "stems")]
    constants: dict[str, NDArray[Any]] = {"first": np.array([1], np.int64), "parts": mixing}
    inputs: list[tiny_onnx.Value] = [("mix", FLOAT, [1, 2, samples])]
    return tiny_onnx.write(file, nodes, constants, inputs, [("stems", FLOAT, [1, parts, channels, samples])])
