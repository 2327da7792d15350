"""A tiny model with Kokoro's inputs and outputs in ONNX's file format: each token is a hum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import tiny_onnx
from tests.tiny_onnx import FLOAT, INT64, Node, Value

SAMPLES_A_TOKEN = 1200


def tiny_kokoro(
    file: Path,
    *,
    tokens: str = "tokens",
    sound: str = "audio",
    speed: int = FLOAT,
    style: int = FLOAT,
    durations: bool = False,
) -> Path:
    """Write a model.

    Args:
        file: where.
        tokens: name of the input for tokens: `tokens` in older exports, `input_ids` in newer ones.
        sound: name of the output.
        speed: type of that input; some exports have whole numbers.
        style: type of that input.
        durations: have the frames of each token as a second output, and the sound with a first axis of 1.
    """
    inputs: list[Value] = [(tokens, INT64, [1, "length"]), ("style", style, [1, 256]), ("speed", speed, [1])]
    outputs: list[Value] = [(sound, FLOAT, ["", ""] if durations else [""])]
    nodes = _voice(tokens, sound)
    if durations:
        outputs.append(("pred_dur", INT64, [1, "length"]))
        nodes.append(Node("Mul", (tokens, "two"), "pred_dur"))
    shape = np.array([1, -1] if durations else [-1], np.int64)
    return tiny_onnx.write(file, nodes, _CONSTANTS | {"shape": shape}, inputs, outputs)


_CONSTANTS: dict[str, NDArray[Any]] = {
    "two": np.array(2, np.int64),
    "none": np.array(0, np.int64),
    "one": np.array(1, np.int64),
    "last": np.array([2], np.int64),
    "samples": np.array([SAMPLES_A_TOKEN], np.float32),
    "pitch": np.array(0.002, np.float32),
    "loudness": np.array(0.3, np.float32),
}


def _voice(tokens: str, sound: str) -> list[Node]:
    """Return the steps to sin(pitch * token * t) * (loudness + mean of the style), for each token, end to end."""
    return [
        Node("Cast", ("speed",), "pace", FLOAT),
        Node("Div", ("samples", "pace"), "exact"),
        Node("Cast", ("exact",), "whole", INT64),
        Node("Squeeze", ("whole",), "count"),
        Node("Range", ("none", "count", "one"), "steps"),
        Node("Cast", ("steps",), "times", FLOAT),
        Node("Cast", (tokens,), "row", FLOAT),
        Node("Unsqueeze", ("row", "last"), "column"),
        Node("Mul", ("column", "times"), "turns"),
        Node("Mul", ("turns", "pitch"), "angles"),
        Node("Sin", ("angles",), "hum"),
        Node("Cast", ("style",), "vector", FLOAT),
        Node("ReduceMean", ("vector",), "timbre"),
        Node("Add", ("timbre", "loudness"), "level"),
        Node("Mul", ("hum", "level"), "hums"),
        Node("Reshape", ("hums", "shape"), sound),
    ]
