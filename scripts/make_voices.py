"""Builds vt/engines/kokoro-voices.bin from a folder of Kokoro's style vectors, one .bin a voice; run by hand.

    .venv/bin/python -m scripts.make_voices FOLDER [OUT]

The folder holds float32 files of 510 x 256 (npm package kokoro-js, folder `voices`; Apache-2.0) and their SHA256SUMS.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from pathlib import Path

import numpy as np

from vt.engines import kokoro

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "vt" / "engines" / "kokoro-voices.bin"
MOST_BYTES = 5_000_000


def checked(folder: Path) -> dict[str, bytes]:
    """Return what each file of a voice holds; one that is not as its sum says ends the run."""
    lines = (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    sums = {name.lstrip("*./"): digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    found = {voice.id: (folder / f"{voice.id}.bin").read_bytes() for voice in kokoro.VOICES}
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != sums[f"{name}.bin"]:
            raise SystemExit(f"{name}.bin is not what SHA256SUMS says.")
    return found


def packed(found: dict[str, bytes]) -> bytes:
    """Return the voices in the order of `kokoro.VOICES`: float16, little endian, compressed by zlib.

    Half the digits change no number by more than 0.001 of 3. To leave rows out and interpolate is worse: every
    second one left out changes them by a hundred times that.
    """
    rows = [np.frombuffer(found[voice.id], "<f4").reshape(kokoro.ROWS, kokoro.STYLE) for voice in kokoro.VOICES]
    return zlib.compress(np.stack(rows).astype("<f2").tobytes(), 9)


def main() -> None:
    """Write the file."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else OUT
    content = packed(checked(folder))
    if len(content) > MOST_BYTES:
        raise SystemExit(f"{len(content):,} bytes are more than the {MOST_BYTES:,} that they may be.")
    out.write_bytes(content)
    print(f"{out.name}: {len(kokoro.VOICES)} voices, {len(content):,} bytes")


if __name__ == "__main__":
    main()
