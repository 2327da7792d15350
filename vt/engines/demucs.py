"""Hybrid Demucs on ONNX Runtime: takes the voices out of sound (Rouard et al. 2023, arXiv 2211.08553)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt.domain import Cancel
from vt.engines import onnx_session
from vt.engines.candidate import Candidate
from vt.engines.definition import SeparationEngine, Site
from vt.engines.model_spec import ModelSpec
from vt.engines.protocols import EngineInfo, VoiceRemover
from vt.errors import EngineError, ModelUnavailable
from vt.model_files import sources
from vt.model_files.sources import Weights
from vt.translatable import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

INFO = EngineInfo(
    name="demucs",
    kind="separation",
    licence="MIT",
    source="https://github.com/facebookresearch/demucs",
    needs="a folder or hub id of its ONNX weights in VT_SEPARATION_MODEL",
)
EXAMPLE = "StemSplitio/htdemucs-onnx"
"""On the hub: the weights as one file in ONNX's format that takes sound and gives sound."""
SAMPLE_RATE = 44_100
_FILES = ("htdemucs.onnx", "model.onnx", "onnx/model.onnx", "*.onnx")
"""Where the weights are within a folder: the first of these that is there. On the hub the first is asked for."""
_USUAL_SAMPLES = 343_980
"""What the network hears at a time, 7.8 s, where a file does not say it."""
_MOST_SAMPLES = 60 * SAMPLE_RATE
_VOICES = 3
"""Which of the parts: drums, bass, other, voices; some weights have guitar and piano behind these."""
_OVERLAP = 4
"""Neighbouring segments share one part of so many, in which one goes over into the other."""
_FACTOR, _WORK_BYTES = 1.3, 1_500_000_000
"""What is in memory for each byte of the file, and while a segment is worked on; estimated, not measured."""
_DOWNLOAD_BYTES = 316_000_000


class Demucs:
    """The network in memory."""

    def __init__(self, file: str | Path, threads: int, device: str = "cpu") -> None:
        """Load the weights.

        Args:
            file: of ONNX's format: stereo in, of shape (1, 2, samples), its parts out, (1, parts, 2, samples).
            threads: of the processor.
            device: cpu or cuda.

        Raises:
            ModelUnavailable: the file is missing, broken, or no such network; or the device cannot be used.
        """
        self._session = onnx_session.load("Demucs", Path(file), threads, device)
        self._arenas = onnx_session.arenas(device)
        self._input, self._output, self._samples = _interface(self._session, Path(file))

    def without_voices(self, pieces: Iterable[NDArray[np.float32]], cancel: Cancel) -> Iterator[NDArray[np.float32]]:
        """Yield as much sound as comes in, without voices; see `VoiceRemover.without_voices`.

        Raises:
            EngineError: the network failed.
            Cancelled: `cancel` was set.
        """
        step = self._samples - self._samples // _OVERLAP
        weights = _weights(self._samples)
        sums = np.zeros((self._samples, 2), np.float32)
        shares = np.zeros(self._samples, np.float32)
        for segment, count in segments(pieces, self._samples, step):
            cancel.check()
            sums += (segment - self._voices(segment, cancel)) * weights[:, None]
            shares += weights
            yield sums[:count] / shares[:count, None]
            sums = np.concatenate([sums[step:], np.zeros((step, 2), np.float32)])
            shares = np.concatenate([shares[step:], np.zeros(step, np.float32)])

    def _voices(self, segment: NDArray[np.float32], cancel: Cancel) -> NDArray[np.float32]:
        """Return the voices in a segment, shape (samples, 2)."""
        inputs = {self._input: segment.T[None]}
        try:
            parts = onnx_session.run(self._session, self._output, inputs, self._arenas, cancel)
            return np.asarray(parts[0, _VOICES].T, np.float32)
        except Exception as error:  # the library raises classes of its own that it does not name
            cancel.check()
            reason = " ".join(str(error).split())[:300]
            raise EngineError("The Demucs model failed: {reason}", reason=reason) from error

    def close(self) -> None:
        """Let go of the model; whoever closes it collects the garbage."""
        self._session = None


def segments(
    pieces: Iterable[NDArray[np.float32]], length: int, step: int
) -> Iterator[tuple[NDArray[np.float32], int]]:
    """Yield overlapping segments of sound that comes in pieces of any length, and how much is finished with each.

    Args:
        pieces: of shape (n, 2).
        length: of a segment, in samples; the last one is filled up with silence.
        step: from the start of a segment to that of the next.
    """
    held = np.zeros((0, 2), np.float32)
    for piece in pieces:
        held = np.concatenate([held, piece])
        while len(held) > length:  # one more is to come, so this is not the last
            yield held[:length], step
            held = held[step:]
    if len(held):
        yield np.pad(held, ((0, length - len(held)), (0, 0))), len(held)


def _weights(length: int) -> NDArray[np.float32]:
    """Return how much each sample of a segment counts where it overlaps with another: less towards the ends."""
    edge = length // _OVERLAP
    rising = (np.arange(edge, dtype=np.float32) + 1) / (edge + 1)
    return np.concatenate([rising, np.ones(length - 2 * edge, np.float32), rising[::-1]])


def _interface(session: Any, file: Path) -> tuple[str, str, int]:  # noqa: ANN401
    """Return the name of the input and of the output that holds sound, and the samples of a segment."""
    taken = [(one.name, one.type, one.shape) for one in session.get_inputs()]
    given = [(one.name, one.shape) for one in session.get_outputs()]
    sound = next((name for name, shape in given if len(shape) == 4 and shape[1] in (4, 6) and shape[2] == 2), None)
    if len(taken) != 1 or taken[0][1] != "tensor(float)" or len(taken[0][2]) != 3 or sound is None:
        listed = ", ".join(f"{name} {shape}" for name, _, shape in taken)[:200]
        raise ModelUnavailable(
            "The file {file} holds another model than Demucs that takes sound and gives sound: it takes {taken}.",
            file=file,
            taken=listed,
        )
    length = taken[0][2][2]
    samples = length if isinstance(length, int) else _USUAL_SAMPLES
    if not 2 * _OVERLAP <= samples <= _MOST_SAMPLES:
        raise ModelUnavailable(
            "The Demucs model {file} takes segments of {samples} samples.", file=file, samples=samples
        )
    return taken[0][0], sound, samples


class DemucsEngine(SeparationEngine):
    """How the weights are found: in a folder or on the hub, as the settings say."""

    info = INFO

    def lack(self, site: Site) -> str | None:
        """Say what to do where the settings name no model, or one that may not be downloaded."""
        if self.candidates(site):
            return None
        return Message(
            "Nothing here takes the voices out of a film's sound: set VT_SEPARATION_MODEL to a folder or a hub id of "
            "Demucs in ONNX's format, such as {example}, or choose duck in place of keep.",
            example=EXAMPLE,
        )

    def candidates(self, site: Site) -> Sequence[Candidate[VoiceRemover]]:
        """List the model on each device; none where the settings name none, or nothing may be downloaded."""
        files = _files(site)
        if files is None or (site.is_embedded and files.downloads):
            return []
        return [_candidate(site, files, device) for device in site.devices(INFO.kind)]

    def named(self, site: Site, name: str) -> Sequence[Candidate[VoiceRemover]]:
        """List the model, by the name that the settings give it."""
        return self.candidates(site) if name in self.names(site) else ()

    def names(self, site: Site) -> Sequence[str]:
        """List the name that the settings give it."""
        wanted = site.settings.separation_model
        return (wanted,) if wanted else ()


def _files(site: Site) -> Weights | None:
    wanted = site.settings.separation_model
    if not wanted:
        return None
    if sources.is_local(wanted):
        return sources.local(wanted, lambda folder: _lack(wanted, folder))
    return sources.of_hub(wanted, sources.marked(wanted), (_FILES[0],), site.source, site.preparations.told)


def _lack(wanted: str, folder: Path) -> str | None:
    """Say what a folder lacks that is to hold the weights."""
    if not folder.is_dir():
        return Message("The folder {folder} of the Demucs model is not there.", folder=Path(wanted))
    if _onnx(folder):
        return None
    return Message("The folder {folder} holds no model in ONNX's format.", folder=Path(wanted))


def _onnx(folder: Path) -> Path | None:
    return next((file for pattern in _FILES for file in sorted(folder.glob(pattern))), None)


def _candidate(site: Site, files: Weights, device: str) -> Candidate[VoiceRemover]:
    threads, folder = site.settings.threads, files.here()
    file = folder and _onnx(folder)
    size = file.stat().st_size if file else _DOWNLOAD_BYTES
    spec: ModelSpec[Demucs] = ModelSpec(
        key=site.key(INFO.kind, INFO.name, files.name, device),
        kind=INFO.kind,
        name=files.name,
        device=device,
        load=lambda: Demucs(_onnx(files.folder) or files.folder / _FILES[0], threads, device),
        estimated_bytes=round(_FACTOR * size) + _WORK_BYTES,
    )
    return Candidate(
        INFO,
        spec,
        obstacle=site.obstacle(files, device),
        downloads=files.downloads,
        insists=True,
        prepare=site.shared(files, files.prepare) if files.obtain else None,
        files=files,
        download_bytes=_DOWNLOAD_BYTES,
    )
