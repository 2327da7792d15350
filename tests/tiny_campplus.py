"""A CAM++ of random weights, in the format in which 3D-Speaker publishes the real one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

BLOCKS = (12, 24, 16)


def write(target: Path) -> Path:
    """Write the weights: of the real shapes, for the paper fixes them."""
    torch.manual_seed(0)
    torch.save({**_head(), **_blocks()}, target)
    return target


def _weight(name: str, *shape: int) -> dict[str, Tensor]:
    fan = max(1, torch.Size(shape[1:]).numel())
    return {f"{name}.weight": torch.randn(shape) * (2 / fan) ** 0.5}


def _norm(name: str, size: int, *, own: bool = True) -> dict[str, Tensor]:
    running = {f"{name}.running_mean": 0.1 * torch.randn(size), f"{name}.running_var": 0.5 + torch.rand(size)}
    count = {f"{name}.num_batches_tracked": torch.tensor(1)}
    scale = {f"{name}.weight": 0.5 + torch.rand(size), f"{name}.bias": 0.1 * torch.randn(size)} if own else {}
    return {**running, **count, **scale}


def _head() -> dict[str, Tensor]:
    made = {**_weight("head.conv1", 32, 1, 3, 3), **_weight("head.conv2", 32, 32, 3, 3)}
    made |= {**_norm("head.bn1", 32), **_norm("head.bn2", 32)}
    for part in (f"head.layer{layer}.{number}" for layer in (1, 2) for number in (0, 1)):
        for conv in (1, 2):
            made |= {**_weight(f"{part}.conv{conv}", 32, 32, 3, 3), **_norm(f"{part}.bn{conv}", 32)}
        if part.endswith("0"):
            made |= {**_weight(f"{part}.shortcut.0", 32, 32, 1, 1), **_norm(f"{part}.shortcut.1", 32)}
    return made | _weight("xvector.tdnn.linear", 128, 320, 5) | _norm("xvector.tdnn.nonlinear.batchnorm", 128)


def _blocks() -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    channels = 128
    for block, layers in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            made |= _layer(f"xvector.block{block}.tdnnd{layer}", channels)
            channels += 32
        made |= _norm(f"xvector.transit{block}.nonlinear.batchnorm", channels)
        made |= _weight(f"xvector.transit{block}.linear", channels // 2, channels, 1)
        channels //= 2
    made |= _norm("xvector.out_nonlinear.batchnorm", channels)
    made |= _weight("xvector.dense.linear", 192, 2 * channels, 1)
    return made | _norm("xvector.dense.nonlinear.batchnorm", 192, own=False)


def _layer(name: str, channels: int) -> dict[str, Tensor]:
    made = {**_norm(f"{name}.nonlinear1.batchnorm", channels), **_weight(f"{name}.linear1", 128, channels, 1)}
    made |= {**_norm(f"{name}.nonlinear2.batchnorm", 128), **_weight(f"{name}.cam_layer.linear_local", 32, 128, 3)}
    made |= {**_weight(f"{name}.cam_layer.linear1", 64, 128, 1), **_weight(f"{name}.cam_layer.linear2", 32, 64, 1)}
    return made | {f"{name}.cam_layer.linear1.bias": torch.zeros(64), f"{name}.cam_layer.linear2.bias": torch.zeros(32)}
