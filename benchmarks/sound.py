"""What the sound of a long film takes in memory: as vt reads it, a file that is looked into, and as one array.

Run by hand: .venv/bin/python -m benchmarks.sound [--minutes 60]

The array is that of faster-whisper's `decode_audio`, which most programs around it call first. Both ways go through the
whole sound, half a minute at a time, each in a process of its own. Memory is what the system cannot drop (RssAnon), at
its most, beyond what the process had before.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import tell
from vt import media

ROOT = Path(__file__).parent.parent
RATE = 16_000
_MB = 2**20
_LOOK_SECONDS = 0.01


def film(minutes: float, folder: Path) -> Path:
    """Make a film whose sound is noise."""
    path = folder / "long.mp4"
    argv = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=c=gray:s=160x90:r=5", "-f", "lavfi"]
    argv += ["-i", "anoisesrc=r=44100:a=0.1", "-t", str(minutes * 60), "-preset", "ultrafast", "-c:a", "aac"]
    subprocess.run([*argv, str(path)], check=True)
    return path


def as_array(path: Path) -> NDArray[np.float32]:
    """Read the sound as one array."""
    import faster_whisper

    found: NDArray[np.float32] = faster_whisper.decode_audio(str(path), sampling_rate=RATE)
    return found


def as_vt(path: Path) -> NDArray[np.int16]:
    """Read the sound as a dub does."""
    info = media.probe(path)
    return media.extract(info, info.audio[0], path.with_suffix(".pcm"))


WAYS: dict[str, Callable[[Path], NDArray[Any]]] = {"one array": as_array, "vt": as_vt}


class Most(threading.Thread):
    """Watches how much memory this process has at most."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.first = self.most = held()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(_LOOK_SECONDS):
            self.most = max(self.most, held())


def held() -> int:
    """Return the bytes of this process that are no file's."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def _child(way: str, path: Path) -> None:
    import faster_whisper  # noqa: F401 (its own memory is not the sound's)

    most, began = Most(), time.monotonic()
    most.start()
    samples = WAYS[way](path)
    loudest = max(float(np.abs(samples[at : at + 30 * RATE]).max()) for at in range(0, len(samples), 30 * RATE))
    seconds = time.monotonic() - began
    most.over.set()
    most.join()
    print(json.dumps({"bytes": most.most - most.first, "seconds": seconds, "heard": len(samples), "loudest": loudest}))


def main() -> None:
    """Print both, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.child:
        _child(wanted.child[0], Path(wanted.child[1]))
        return
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        path = film(wanted.minutes, Path(name))
        for way in WAYS:
            argv = [sys.executable, "-m", "benchmarks.sound", "--child", way, str(path)]
            done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
            found[way] = json.loads(done.stdout)
            tell(f"{way}: memory for {wanted.minutes:g} minutes", found[way]["bytes"] / _MB, "MB")
            tell(f"{way}: seconds", found[way]["seconds"], "s")
    tell("vt: share of the array's memory", found["vt"]["bytes"] / found["one array"]["bytes"], floor=0.1, goal=0.05)


if __name__ == "__main__":
    main()
