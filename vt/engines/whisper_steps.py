"""The steps in which Whisper hears a window, between which it can be cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vt.domain import Cancel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Checking:
    """A model of faster-whisper whose work on a batch ends at a cancel: once it is encoded, or written down.

    A step cannot be ended in the middle: CTranslate2 knows no way to.
    """

    def __init__(self, model: Any, cancel: Cancel) -> None:  # noqa: ANN401 (faster-whisper is untyped)
        """`model` does the work; all of it that is not named here stays as it is."""
        self._model, self._cancel = model, cancel

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what the model has)
        return getattr(self._model, name)

    def encode(self, features: NDArray[np.float32]) -> Any:  # noqa: ANN401 (CTranslate2's)
        """Return spectrograms as the decoder reads them.

        Raises:
            Cancelled: that was asked for meanwhile.
        """
        encoded = self._model.encode(features)
        self._cancel.check()
        return encoded

    def add_word_timestamps(self, *found: Any) -> Any:  # noqa: ANN401 (faster-whisper's)
        """Find the times of the words in what was written down.

        Raises:
            Cancelled: that was asked for meanwhile.
        """
        self._cancel.check()
        return self._model.add_word_timestamps(*found)
