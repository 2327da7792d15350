"""Samples as a WAV file."""

from __future__ import annotations

import io
import wave

import numpy as np
from numpy.typing import NDArray


def wav(samples: NDArray[np.int16], rate: int) -> bytes:
    """Return mono samples, shape (n,), as a file of 16 bits, at their own rate in hertz."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype(np.dtype("<i2")).tobytes())
    return written.getvalue()
