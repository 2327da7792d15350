"""Tiny models in ONNX's file format. It is protobuf, written here by hand, so that no library of its own is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT, INT32, INT64, FLOAT16 = 1, 6, 7, 10
"""ONNX's numbers of the types."""
Value = tuple[str, int, Sequence[int | str]]
"""Name, type and shape, with names for lengths that vary."""


@dataclass(frozen=True)
class Node:
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


def write(
    file: Path,
    nodes: Sequence[Node],
    constants: Mapping[str, NDArray[Any]],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
) -> Path:
    """Write a model; its folder is made."""
    graph = b"".join(_field(1, node.written()) for node in nodes) + _field(2, b"tiny")
    graph += b"".join(_field(5, _tensor(name, value)) for name, value in constants.items())
    graph += b"".join(_field(11, _value(*one)) for one in inputs) + b"".join(
        _field(12, _value(*one)) for one in outputs
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_number(1, 9) + _field(8, _number(2, 17)) + _field(7, graph))
    return file


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
