"""Weights of PyanNet in the format in which set-up gets the real ones: they hear the same in every sound."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

PAIR = 4
"""Which of the seven classes says that the first and the second of three speak at once."""


def write(target: Path, heard: int) -> Path:
    """Write weights of the real shapes, which hear one class everywhere."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(60, 128, 4, bidirectional=True).state_dict()
    weights = {**_sincnet(), **{f"lstm.{name}": tensor for name, tensor in lstm.items()}}
    for name, size, before in (("linear.0", 128, 256), ("linear.1", 128, 128), ("classifier", 7, 128)):
        weights |= {f"{name}.weight": 0.01 * torch.randn(size, before), f"{name}.bias": torch.zeros(size)}
    weights["classifier.bias"][heard] = 9.0
    torch.save({"format_version": 1, "state_dict": weights}, target)
    return target


def _sincnet() -> dict[str, Tensor]:
    bank, made = "sincnet.conv1d.0.filterbank", dict[str, Tensor]()
    made |= {f"{bank}.low_hz_": torch.linspace(30, 7000, 40)[:, None], f"{bank}.band_hz_": torch.full((40, 1), 100.0)}
    made[f"{bank}.window_"] = torch.hamming_window(251, periodic=False)[:125]
    made[f"{bank}.n_"] = 2 * torch.pi * torch.arange(-125.0, 0)[None] / 16_000
    for number, before in ((1, 80), (2, 60)):
        made[f"sincnet.conv1d.{number}.weight"] = 0.05 * torch.randn(60, before, 5)
        made[f"sincnet.conv1d.{number}.bias"] = torch.zeros(60)
    for name, size in (("wav_norm1d", 1), ("norm1d.0", 80), ("norm1d.1", 60), ("norm1d.2", 60)):
        made |= {f"sincnet.{name}.weight": torch.ones(size), f"sincnet.{name}.bias": torch.zeros(size)}
    return made
