"""A tiny model with Kokoro's inputs and outputs in ONNX's file format: each token is a hum, some hundred bytes in all.

The format is protobuf, written here by hand, so that no library of its own is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, INT32, INT64, FLOAT16 = 1, 6, 7, 10
"""ONNX's numbers of the types."""
SAMPLES_A_TOKEN = 1200
_Value = tuple[str, int, Sequence[int | str]]
"""Name, type and shape, with names for lengths that vary."""


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
    inputs: list[_Value] = [(tokens, INT64, [1, "length"]), ("style", style, [1, 256]), ("speed", speed, [1])]
    outputs: list[_Value] = [(sound, FLOAT, ["", ""] if durations else [""])]
    nodes = _voice(tokens, sound)
    if durations:
        outputs.append(("pred_dur", INT64, [1, "length"]))
        nodes.append(_Node("Mul", (tokens, "two"), "pred_dur"))
    graph = b"".join(_field(1, node.written()) for node in nodes) + _field(2, b"tiny")
    graph += b"".join(_field(5, _tensor(name, value)) for name, value in _CONSTANTS.items())
    graph += _field(5, _tensor("shape", np.array([1, -1] if durations else [-1], np.int64)))
    graph += b"".join(_field(11, _value(*one)) for one in inputs) + b"".join(
        _field(12, _value(*one)) for one in outputs
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_number(1, 9) + _field(8, _number(2, 17)) + _field(7, graph))
    return file


_CONSTANTS: dict[str, NDArray[Any]] = {
    "two": np.array(2, np.int64),
    "none": np.array(0, np.int64),
    "one": np.array(1, np.int64),
    "last": np.array([2], np.int64),
    "samples": np.array([SAMPLES_A_TOKEN], np.float32),
    "pitch": np.array(0.002, np.float32),
    "loudness": np.array(0.3, np.float32),
}


@dataclass(frozen=True)
class _Node:
    """One step: what it takes, and what it gives."""

    kind: str
    takes: tuple[str, ...]
    gives: str
    to: int = 0
    """The type that Cast turns into."""

    def written(self) -> bytes:
        attribute = _field(5, _field(1, b"to") + _number(3, self.to) + _number(20, 2)) if self.to else b""
        taken = b"".join(_field(1, name.encode()) for name in self.takes)
        return taken + _field(2, self.gives.encode()) + _field(4, self.kind.encode()) + attribute


def _voice(tokens: str, sound: str) -> list[_Node]:
    """Return the steps to sin(pitch * token * t) * (loudness + mean of the style), for each token, end to end."""
    return [
        _Node("Cast", ("speed",), "pace", FLOAT),
        _Node("Div", ("samples", "pace"), "exact"),
        _Node("Cast", ("exact",), "whole", INT64),
        _Node("Squeeze", ("whole",), "count"),
        _Node("Range", ("none", "count", "one"), "steps"),
        _Node("Cast", ("steps",), "times", FLOAT),
        _Node("Cast", (tokens,), "row", FLOAT),
        _Node("Unsqueeze", ("row", "last"), "column"),
        _Node("Mul", ("column", "times"), "turns"),
        _Node("Mul", ("turns", "pitch"), "angles"),
        _Node("Sin", ("angles",), "hum"),
        _Node("Cast", ("style",), "vector", FLOAT),
        _Node("ReduceMean", ("vector",), "timbre"),
        _Node("Add", ("timbre", "loudness"), "level"),
        _Node("Mul", ("hum", "level"), "hums"),
        _Node("Reshape", ("hums", "shape"), sound),
    ]


def _tensor(name: str, value: NDArray[Any]) -> bytes:
    kind = FLOAT if value.dtype == np.float32 else INT64
    dims = b"".join(_number(1, size) for size in value.shape)
    return dims + _number(2, kind) + _field(8, name.encode()) + _field(9, value.tobytes())


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_field(1, _field(2, d.encode()) if isinstance(d, str) else _number(1, d)) for d in shape)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, kind) + _field(2, dims)))


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _field(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
