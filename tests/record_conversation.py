"""Records the conversation of `tests.sounds`, said by two of Kokoro's voices: `python -m tests.record_conversation`."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tests.films import ffmpeg
from tests.sounds import CONVERSATION, RECORDED, SLOT_SECONDS, VOICES
from vt.domain import Cancel
from vt.engines import kokoro
from vt.model_files import bundle


def main() -> None:
    """Write the recording: each line in a slot of its own, all of the first voice, then all of the second."""
    model = kokoro.Kokoro(bundle.check("kokoro-82m") / "model.onnx", VOICES[0], 2)
    slot = round(SLOT_SECONDS * kokoro.SAMPLE_RATE)
    sound = np.zeros((len(VOICES) * len(CONVERSATION), slot), np.int16)
    for number, voice in enumerate(VOICES):
        said = model.speaking(voice).speak([(line, 1.0) for line in CONVERSATION], Cancel())
        for line, clip in enumerate(said):
            sound[number * len(CONVERSATION) + line, : len(clip.samples)] = clip.samples
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        raw.write_bytes(sound.tobytes())
        form = ("-f", "s16le", "-ar", str(kokoro.SAMPLE_RATE), "-ac", "1")
        ffmpeg(*form, "-i", raw, "-c:a", "libopus", "-b:a", "24k", RECORDED)


if __name__ == "__main__":
    main()
