"""Sessions of ONNX Runtime: a model of its format is loaded, for the processor or for a graphics card."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vt.domain import Cancel
from vt.errors import ModelUnavailable
from vt.system import graphics, machine

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ON_CARDS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}
"""By default the library tries every way to compute a convolution for each new length of sound, and lines all differ:
seven times slower. And it rounds to 10 bits, which changes the quiet parts."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def load(model: str, file: Path, threads: int, device: str) -> Any:  # noqa: ANN401 (onnxruntime's)
    """Return a session.

    Args:
        model: what it is called in sentences.
        file: of ONNX's format.
        threads: of the processor, that work on one run.
        device: cpu, cuda, or a card such as cuda:1.

    Raises:
        ModelUnavailable: the file is missing or broken, or the device cannot be used.
    """
    machine.refuse_telemetry()
    import onnxruntime

    if not file.is_file():
        raise ModelUnavailable(
            "The {model} model {file} cannot be loaded: there is no such file.", model=model, file=file
        )
    provider = _PROVIDERS[graphics.kind(device)]
    if provider not in onnxruntime.get_available_providers():
        raise ModelUnavailable(
            "The {model} model cannot run on {device}: ONNX Runtime is installed without it.",
            model=model,
            device=device,
        )
    if device != "cpu":
        # NVIDIA's Python packages are in folders where the system's loader does not look.
        with redirect_stdout(io.StringIO()):
            onnxruntime.preload_dlls()
    onnxruntime.set_default_logger_severity(4)  # what it has to say comes with its exceptions
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        card = {} if device == "cpu" else {"device_id": graphics.index(device), **_ON_CARDS}
        session = onnxruntime.InferenceSession(str(file), options, providers=[(provider, card)])
    except Exception as error:  # whatever a broken file makes the library stumble over
        reason = " ".join(str(error).split())[:300]
        raise ModelUnavailable(
            "The {model} model {file} cannot be loaded: {reason}", model=model, file=file, reason=reason
        ) from error
    # Without one of CUDA's libraries it says nothing, and computes on the processor.
    if session.get_providers()[0] != provider:
        raise ModelUnavailable(
            "The {model} model cannot run on {device}: ONNX Runtime does not find CUDA's libraries.",
            model=model,
            device=device,
        )
    return session


def arenas(device: str) -> str:
    """Return where the library keeps memory from one run to the next, in its own notation."""
    return "cpu:0" if device == "cpu" else f"cpu:0;gpu:{graphics.index(device)}"


def run(
    session: Any,  # noqa: ANN401 (onnxruntime's)
    output: str,
    arrays: Mapping[str, NDArray[Any]],
    kept_in: str,
    cancel: Cancel,
) -> NDArray[Any]:
    """Return an output of a model. The library's errors are its own classes; one of them ends a run that is cancelled.

    Args:
        session: comes from `load`.
        output: its name.
        arrays: the inputs by their names.
        kept_in: the arenas of the session's device. What they keep comes in pieces that often do not fit the next run:
            in a long film they grew beyond a gigabyte. So it is released after each run; that takes hardly any time.
        cancel: ends the run.
    """
    from onnxruntime import RunOptions

    options = RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", kept_in)

    def end() -> None:
        options.terminate = True

    cancel.add(end)
    try:
        return np.asarray(session.run([output], arrays, options)[0])
    finally:
        cancel.remove(end)
