"""Small films made by ffmpeg, and questions about what it makes of a file."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FFMPEG = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error"]
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=25:duration=2"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
AAC = ["-c:a", "aac", "-b:a", "64k"]


def ffmpeg(*arguments: str | Path) -> bytes:
    """Run ffmpeg, and fail with what it says."""
    done = subprocess.run([*FFMPEG, *map(str, arguments)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def film(target: Path, *options: str) -> Path:
    """Make a film of 2 s: a moving picture and a tone."""
    ffmpeg(*PICTURE, *SOUND, *H264, *AAC, *options, target)
    return target


def spoken(text: str, voice: str, target: Path) -> Path:
    """Write what espeak-ng makes of a text, at an easy pace."""
    subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(target), text], check=True)
    return target


def streams(path: Path) -> list[dict[str, Any]]:
    """Return what ffprobe says of each stream."""
    argv = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", "-i", f"file:{path}"]
    found: list[dict[str, Any]] = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)["streams"]
    return found


def decoded(path: Path, rate: int, track: int = 0) -> NDArray[np.int16]:
    """Return an audio track as mono samples."""
    out = ffmpeg("-i", f"file:{path}", "-map", f"0:a:{track}", "-ac", "1", "-ar", str(rate), "-f", "s16le", "pipe:1")
    return np.frombuffer(out, np.int16)


def packets_md5(path: Path) -> str:
    """Return a fingerprint of the first picture's packets as they lie in the file."""
    return ffmpeg("-i", f"file:{path}", "-map", "0:v:0", "-c", "copy", "-f", "md5", "pipe:1").decode().strip()


def loudness(path: Path) -> tuple[float, float]:
    """Return the integrated loudness and the true peak of the first audio track, measured by ffmpeg's ebur128."""
    argv = ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-i", f"file:{path}", "-map", "0:a:0"]
    argv += ["-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stderr
    (level,) = re.findall(r"^\s+I:\s+(-?[\d.]+) LUFS", said, re.MULTILINE)
    (peak,) = re.findall(r"^\s+Peak:\s+(-?[\d.]+) dBFS", said, re.MULTILINE)
    return float(level), float(peak)


def ffmpeg_version() -> tuple[int, ...]:
    """Return the version of ffmpeg that is here; a build from the newest source counts as newer than all."""
    said = subprocess.run(["ffmpeg", "-version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (99, 0)
