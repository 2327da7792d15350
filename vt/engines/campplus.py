"""CAM++: from a moment of speech to a vector that tells whose voice it is (Wang et al. 2023, arXiv 2303.00332)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from vt.domain import Cancel
from vt.engines.definition import DiarizationEngine, OneBundledModel
from vt.engines.protocols import EngineInfo, VoiceEmbedder
from vt.errors import EngineError, ModelUnavailable
from vt.system import machine, torch_library
from vt.system.lookahead import run_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensor: TypeAlias = Any
"""torch's, which is imported inside functions only."""
INFO = EngineInfo(
    name="campplus",
    kind="diarization",
    licence="Apache-2.0",
    source="https://modelscope.cn/models/iic/speech_campplus_sv_zh_en_16k-common_advanced",
    needs="the bundled model",
)
NAME = "campplus-zh-en"
FILE = "campplus_cn_en_common.pt"
RATE = 16_000
SIZE = 192
"""Numbers of a vector."""
_SECONDS = 1.5
"""How much sound the network is given at a time; of a longer moment only so much is heard."""
_AT_ONCE = 8
"""Moments that go through the network together: more are no faster, and need more memory."""
_MOST_SIDE_BY_SIDE = 4
"""So many batches go through it side by side, at most."""
_FRAMES = round(_SECONDS * 100)
_BANDS = 80
_FRAME, _STEP, _FOURIER = 400, 160, 512
"""Samples: of a frame, from one frame to the next, and of the Fourier transform."""
_BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Of the network: layers of each dense block, and the dilation of their convolutions."""
_GROWTH = 32
"""Channels that a layer of a dense block adds."""
_NORM_EPSILON = 1e-5
_BESIDE_WEIGHTS = 62 * 2**20
"""What a batch takes, as measured."""


class CamPlusPlus:
    """The network in memory. Several threads share it: each takes some moments by itself, from start to end.

    Where several threads work on the same moments instead, as torch has it by default, they wait for each other in a
    loop at each of its steps: on a busy machine that took ten times as long and more.
    """

    def __init__(self, file: str | Path, threads: int, device: str = "cpu") -> None:
        """Load the weights, as 3D-Speaker publishes them.

        Args:
            file: what torch saved: its tensors by name, and nothing else.
            threads: of the processor.
            device: cpu or cuda.

        Raises:
            ModelUnavailable: the file is missing, broken, or no such network.
        """
        torch_library.import_ahead()
        import torch

        # So little is done soonest by one thread: several would wait for each other, most on a busy machine.
        torch.set_num_threads(1)
        self._threads, self._side_by_side = threads, _side_by_side(threads)
        # Where the processor knows it, 2.4 times as fast; scalar products of vectors differ by 0.01 at most.
        self._halved = device == "cpu" and machine.has_bfloat16()
        try:
            saved = torch.load(file, map_location="cpu", weights_only=True)
            with torch.inference_mode():
                self._network: _Network | None = _Network(saved, device)
                self._network(torch.zeros(1, _FRAMES, _BANDS, device=device))
        except Exception as error:  # torch raises whatever a broken file makes it stumble over
            reason = " ".join(str(error).split())[:300]
            raise ModelUnavailable(
                "The CAM++ model {file} cannot be loaded: {reason}", file=file, reason=reason
            ) from error
        finally:
            torch.set_num_threads(threads)

    def embed(
        self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a vector of length 1 for each moment; see `VoiceEmbedder.embed`.

        Raises:
            EngineError: the network failed.
            Cancelled: `cancel` was set.
        """
        import torch

        def work(batch: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
            torch.set_num_threads(1)  # for this thread, and for those that begin before it is set back
            return self._vectors(np.stack([_heard(samples, *moment) for moment in batch]))

        batches = [moments[first : first + _AT_ONCE] for first in range(0, len(moments), _AT_ONCE)]
        try:
            for vectors in run_ahead(
                work,
                batches,
                threads=self._side_by_side,
                ahead=2 * self._side_by_side,
                name="campplus",
                cancel=cancel,
            ):
                yield from vectors
        finally:
            # Not to what it was when this began: another film may be listened to at the same time.
            torch.set_num_threads(self._threads)

    def _vectors(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        assert self._network is not None  # noqa: S101 (a closed model is not used)
        try:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._halved):
                found = self._network(torch.from_numpy(features)).float().cpu().numpy()
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise EngineError("The CAM++ model failed: {reason}", reason=reason) from error
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9), np.float32)

    def close(self) -> None:
        """Let go of the network; whoever closes it collects the garbage."""
        self._network = None


def estimated_bytes(file: str | Path, threads: int) -> int:
    """Return what the model in a file takes in memory while all its threads work; 0 where there is no file."""
    file = Path(file)
    return file.stat().st_size + _side_by_side(threads) * _BESIDE_WEIGHTS if file.is_file() else 0


def _side_by_side(threads: int) -> int:
    """Return how many batches go through the network side by side."""
    return max(1, min(threads, _MOST_SIDE_BY_SIDE))


# What the network hears


def filter_banks(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return the log mel energies of mono 16 kHz sound as Kaldi computes them, shape (frames, 80): a frame each 10 ms.

    Without dither, and to 2e-4 those of kaldi-native-fbank.
    """
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_STEP].astype(np.float32) / 32768
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - np.float32(0.97) * before) * _povey(), _FOURIER)
    power = spectrum.real**2 + spectrum.imag**2
    return np.log(np.maximum(power @ _mel(), np.finfo(np.float32).eps))


@functools.cache
def _povey() -> NDArray[np.float32]:
    """Return Kaldi's window for a frame: Hann's to the power of 0.85."""
    return np.asarray(np.hanning(_FRAME) ** 0.85, np.float32)


@functools.cache
def _mel() -> NDArray[np.float32]:
    """Return the triangles of Kaldi's mel bands from 20 Hz to 8 kHz, shape (257, 80)."""
    mel = 1127.0 * np.log1p(np.arange(_FOURIER // 2 + 1) * RATE / _FOURIER / 700.0)
    lowest, highest = 1127.0 * np.log1p(np.array([20.0, RATE / 2]) / 700.0)
    edges = np.linspace(lowest, highest, _BANDS + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _heard(samples: NDArray[np.int16], start: float, end: float) -> NDArray[np.float32]:
    """Return the features of a moment, shape (150, 80), their mean taken off; a shorter one is repeated."""
    first, last = int(start * RATE), int(min(end, start + _SECONDS) * RATE) + _FRAME - _STEP
    part = samples[max(0, first) : max(0, last)]
    features = filter_banks(np.pad(part, (0, max(0, _FRAME - len(part)))))[:_FRAMES]
    features -= features.mean(axis=0)
    return features[np.arange(_FRAMES) % len(features)]


# The network


class _Network:
    """The layers of the paper, for a moment of at most 2 s: its context is that of the whole moment.

    Each normalisation behind a convolution is made part of it, and channels lie side by side in memory, as oneDNN's
    fastest code wants them: measured, four times as fast as layer by layer, to within 1e-5 of the same numbers.
    """

    def __init__(self, saved: Mapping[str, Tensor], device: str) -> None:
        self._saved = {name: tensor.float().to(device) for name, tensor in saved.items()}
        self._device = device
        self._layers: dict[str, tuple[Tensor, Tensor | None]] = {}
        """Weights and biases, by name."""
        self._norms: dict[str, tuple[Tensor, Tensor]] = {}
        """Scales and shifts of the normalisations that stand before a layer, by name."""
        self._fold_head()
        self._fold_blocks()
        self._saved = {}

    def __call__(self, features: Tensor) -> Tensor:
        """Return the vectors, shape (moments, 192), of features of shape (moments, frames, 80)."""
        import torch
        from torch.nn import functional

        x = self._head(features.to(self._device))
        for block, (layers, dilation) in enumerate(_BLOCKS, 1):
            x = self._dense_block(x, block, layers, dilation)
        x = self._normed(x, "xvector.out_nonlinear.batchnorm")
        pooled = torch.cat([x.mean(1), x.std(1)], 1)
        return functional.linear(pooled, *self._layers["xvector.dense.linear"])

    def _head(self, features: Tensor) -> Tensor:
        """Return what the two-dimensional part finds, shape (moments, frames / 2, 128)."""
        import torch
        from torch.nn import functional

        x = features.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        x = self._convolved(x, "head.conv1").relu_()
        for layer in ("head.layer1", "head.layer2"):
            x = self._residual(self._residual(x, f"{layer}.0"), f"{layer}.1")
        x = self._convolved(x, "head.conv2", stride=2).relu_().flatten(1, 2)
        weight, bias = self._layers["xvector.tdnn.linear"]
        return functional.conv1d(x, weight, bias, 2, 2).relu_().transpose(1, 2)

    def _residual(self, x: Tensor, name: str) -> Tensor:
        shortcut = f"{name}.shortcut.0"
        halves = shortcut in self._layers
        inside = self._convolved(x, f"{name}.conv1", stride=2 if halves else 1).relu_()
        beside = self._convolved(x, shortcut, stride=2, padding=0) if halves else x
        return self._convolved(inside, f"{name}.conv2").add_(beside).relu_()

    def _convolved(self, x: Tensor, name: str, stride: int = 1, padding: int = 1) -> Tensor:
        from torch.nn import functional

        weight, bias = self._layers[name]
        return functional.conv2d(x, weight, bias, (stride, 1), padding)

    def _dense_block(self, x: Tensor, block: int, layers: int, dilation: int) -> Tensor:
        """Return a block's output, with half of its channels; each layer sees what all before it have found."""
        from torch.nn import functional

        known = x.shape[2]
        every = x.new_empty(*x.shape[:2], known + layers * _GROWTH)
        every[..., :known] = x
        for layer in range(1, layers + 1):
            found = self._dense_layer(every[..., :known], f"xvector.block{block}.tdnnd{layer}", dilation)
            every[..., known : known + _GROWTH] = found
            known += _GROWTH
        transit = f"xvector.transit{block}"
        return functional.linear(self._normed(every, f"{transit}.nonlinear.batchnorm"), *self._layers[transit])

    def _dense_layer(self, x: Tensor, name: str, dilation: int) -> Tensor:
        """Return what a layer finds, weighted by its mask, which it derives from the whole moment."""
        from torch.nn import functional

        inside = self._normed(x, f"{name}.nonlinear1.batchnorm")
        inside = functional.linear(inside, *self._layers[f"{name}.linear1"]).relu_()
        # The paper adds the mean of all frames to that of each second's; here the moment is one such stretch.
        context = functional.linear(2 * inside.mean(1), *self._layers[f"{name}.cam_layer.linear1"]).relu_()
        mask = functional.linear(context, *self._layers[f"{name}.cam_layer.linear2"]).sigmoid_()
        picture = inside.unsqueeze(1).permute(0, 3, 1, 2)
        weight, _ = self._layers[f"{name}.cam_layer.linear_local"]
        local = functional.conv2d(picture, weight, None, 1, (0, dilation), (1, dilation))
        return local.permute(0, 2, 3, 1).squeeze(1) * mask.unsqueeze(1)

    def _normed(self, x: Tensor, name: str) -> Tensor:
        import torch

        scale, shift = self._norms[name]
        return torch.addcmul(shift, x, scale).relu_()

    # How the saved weights become layers

    def _fold_head(self) -> None:
        for number in ("1", "2"):
            self._fold(f"head.conv{number}", f"head.bn{number}")
            self._fold(f"head.layer{number}.0.shortcut.0", f"head.layer{number}.0.shortcut.1")
            for part in ("0", "1"):
                for conv in ("1", "2"):
                    self._fold(f"head.layer{number}.{part}.conv{conv}", f"head.layer{number}.{part}.bn{conv}")
        self._fold("xvector.tdnn.linear", "xvector.tdnn.nonlinear.batchnorm")

    def _fold_blocks(self) -> None:
        for block, (layers, _) in enumerate(_BLOCKS, 1):
            for layer in range(1, layers + 1):
                name = f"xvector.block{block}.tdnnd{layer}"
                self._norms[f"{name}.nonlinear1.batchnorm"] = self._norm(f"{name}.nonlinear1.batchnorm")
                self._fold(f"{name}.linear1", f"{name}.nonlinear2.batchnorm", matrix=True)
                for gate in (f"{name}.cam_layer.linear1", f"{name}.cam_layer.linear2"):
                    self._keep(gate, self._saved[f"{gate}.weight"].squeeze(-1), self._saved[f"{gate}.bias"])
                local = f"{name}.cam_layer.linear_local"
                self._keep(local, self._saved[f"{local}.weight"].unsqueeze(2))
            transit = f"xvector.transit{block}"
            self._norms[f"{transit}.nonlinear.batchnorm"] = self._norm(f"{transit}.nonlinear.batchnorm")
            self._keep(transit, self._saved[f"{transit}.linear.weight"].squeeze(-1))
        self._norms["xvector.out_nonlinear.batchnorm"] = self._norm("xvector.out_nonlinear.batchnorm")
        self._fold("xvector.dense.linear", "xvector.dense.nonlinear.batchnorm", matrix=True)

    def _fold(self, name: str, norm: str, *, matrix: bool = False) -> None:
        """Keep a convolution and the normalisation behind it as one; with `matrix` one of width 1, as a matrix."""
        scale, shift = self._norm(norm)
        weight = self._saved[f"{name}.weight"]
        weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
        self._keep(name, weight.squeeze(-1) if matrix else weight, shift)

    def _norm(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a normalisation as a scale and a shift; the last of the network has none of its own."""
        scale = (self._saved[f"{name}.running_var"] + _NORM_EPSILON).rsqrt()
        if f"{name}.weight" not in self._saved:
            return scale, -self._saved[f"{name}.running_mean"] * scale
        scale = scale * self._saved[f"{name}.weight"]
        return scale, self._saved[f"{name}.bias"] - self._saved[f"{name}.running_mean"] * scale

    def _keep(self, name: str, weight: Tensor, bias: Tensor | None = None) -> None:
        import torch

        order = torch.channels_last if weight.dim() == 4 else torch.contiguous_format
        # A copy: a view would keep the saved tensor in memory.
        self._layers[name] = weight.clone(memory_format=order), bias


# How it is found


class CamPlusPlusEngine(OneBundledModel[VoiceEmbedder], DiarizationEngine):
    """How the network is found: set-up puts it here, and it is not downloaded otherwise."""

    info, model, file, extra = INFO, NAME, FILE, "speakers"

    def load(self, file: Path, threads: int, device: str) -> CamPlusPlus:
        """Load the network."""
        return CamPlusPlus(file, threads, device)

    def estimated_bytes(self, file: Path, threads: int) -> int:
        """Return what it takes in memory."""
        return estimated_bytes(file, threads)
