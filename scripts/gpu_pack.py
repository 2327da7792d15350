"""Pack for scripts/gpu-check what a bare machine with a graphics card lacks, in small parts.

    python -m scripts.gpu_pack pack DIR [--find-links FOLDER]    here: DIR/part1, DIR/part2 ...
    python -m scripts.gpu_pack receive DIR...                    there, for each part that has arrived

Each archive is a tar.xz, cut into pieces; a part is a folder of pieces of together at most 48 MiB. An archive is
unpacked in the background as soon as all its pieces are there. Nothing but Python's own library is needed for that.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = Path(os.environ.get("VT_GPU_FOLDER", "/opt/vt-gpu"))
"""Where everything is unpacked on the other machine; the same as in scripts/gpu-check."""
SITE, PIECES, LOGS = "site", "pieces", "logs"
"""In that folder: Python packages, what has arrived, what was said while it was unpacked."""
PART_BYTES = 48 * 2**20
PYTHON = "3.12"
"""Of the other machine."""
PACKAGES = (
    "faster-whisper", "ctranslate2", "ffmpeg-python", "pysubs2", "langcodes", "language-data", "py3langid",
    "pydantic-settings", "sentencepiece", "fxtranslate", "num2words", "uroman", "babel", "av", "future",
    "annotated-types", "pydantic", "pydantic-core", "typing-inspection", "python-dotenv", "marisa-trie", "flatbuffers",
    "transformers", "tokenizers", "click", "jiwer", "rapidfuzz",
)  # fmt: skip
"""What vt takes beyond torch, NumPy and what those who train models have anyway."""
ONNXRUNTIME = "onnxruntime-gpu==1.31.1"
"""The newest for CUDA 13 whose wheel is for that Python."""
_PLATFORMS = ("2_28", "2_27", "2_24", "2_17")
PROGRAMS = ("ffmpeg", "ffprobe", "espeak-ng")
_ESPEAK_DATA = Path("/usr/lib/x86_64-linux-gnu/espeak-ng-data")
_PIECE = re.compile(r"(?P<name>[a-z]+)\.tar\.xz\.(?P<number>\d\d)-of-(?P<count>\d\d)")
_UNPACKED, _FAILED = ".unpacked", ".failed"
_STARTER = """#!/bin/sh
here=${0%/*}/../lib
export ESPEAK_DATA_PATH="$here"
exec "$here/ld-linux-x86-64.so.2" --library-path "$here" "$here/PROGRAM" "$@"
"""
"""Starts a program of another system: with that system's own loader and libraries, and no others."""


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive: a name, and what puts its content into a folder."""

    name: str
    make: Callable[[Path], None]


# --- here --------------------------------------------------------------------------------------------------------


def archives(find_links: Path | None) -> tuple[Archive, ...]:
    """Return all archives, what is needed most first. `find_links`: a folder with wheels that are here already."""
    return (
        Archive("core", lambda folder: _core(folder, find_links)),
        Archive("whisper", lambda folder: _models(folder, "whisper-base")),
        Archive("kokoro", lambda folder: _models(folder, "kokoro-82m")),
        Archive("onnxruntime", lambda folder: _onnxruntime(folder, find_links)),
    )


def pack(wanted: Sequence[Archive], target: Path, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write the archives as parts below `target`, which is emptied first, and return the parts' folders."""
    if target.exists():
        shutil.rmtree(target)
    parts = _Parts(target, part_bytes)
    for archive in wanted:
        with tempfile.TemporaryDirectory() as place:
            content = Path(place) / "content"
            content.mkdir()
            archive.make(content)
            packed = _compressed(content, Path(place) / f"{archive.name}.tar.xz")
            parts.add(packed)
            print(f"{archive.name}: {packed.stat().st_size / 2**20:.0f} MiB", flush=True)
    return parts.folders


class _Parts:
    """Folders that are filled with pieces of archives one after the other."""

    def __init__(self, target: Path, part_bytes: int) -> None:
        self._target, self._part_bytes, self._room = target, part_bytes, 0
        self.folders: list[Path] = []

    def add(self, file: Path) -> None:
        """Cut a file into pieces: the first fills the part that is not full yet."""
        sizes = list(self._sizes(file.stat().st_size))
        with file.open("rb") as stream:
            for number, size in enumerate(sizes, 1):
                if not self._room:
                    self._begin()
                piece = self.folders[-1] / f"{file.name}.{number:02}-of-{len(sizes):02}"
                piece.write_bytes(stream.read(size))
                self._room -= size

    def _sizes(self, left: int) -> Iterator[int]:
        room = self._room
        while left:
            size = min(left, room or self._part_bytes)
            yield size
            left, room = left - size, 0

    def _begin(self) -> None:
        self.folders.append(self._target / f"part{len(self.folders) + 1}")
        self.folders[-1].mkdir(parents=True)
        self._room = self._part_bytes


def _compressed(content: Path, target: Path) -> Path:
    """Return an archive of a folder's content."""
    reading = ["tar", "-C", str(content), "-c", "."]
    with target.open("wb") as stream, subprocess.Popen(reading, stdout=subprocess.PIPE) as tar:
        subprocess.run(["xz", "-1", "-T0", "-c"], stdin=tar.stdout, stdout=stream, check=True)
    if tar.returncode:
        raise OSError(f"tar could not read {content}")
    return target


def _core(folder: Path, find_links: Path | None) -> None:
    _wheels(folder, [f"{name}=={version}" for name, version in _pins(PACKAGES)], find_links)
    for library in (folder / SITE / "ctranslate2").glob("_ext.*.so"):
        subprocess.run(["strip", "--strip-unneeded", library], check=True)  # of its 69 MB, 68 are for debuggers
    programs(folder)
    _models(folder, "firefox/en-pt")


def _pins(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    text = "".join((ROOT / name).read_text("utf-8") for name in ("requirements.txt", "requirements-dev.txt"))
    pins = dict(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==([^\s;]+)", text))
    return ((name, pins[name]) for name in names)


def _wheels(folder: Path, packages: Sequence[str], find_links: Path | None) -> None:
    """Install packages for the other machine's Python into a folder."""
    platforms = [f"--platform=manylinux_{version}_x86_64" for version in _PLATFORMS]
    found = [f"--find-links={find_links}"] if find_links else []
    options = ["--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--implementation=cp"]
    options += ["--platform=manylinux2014_x86_64", *platforms, f"--python-version={PYTHON}", *found]
    command = [sys.executable, "-m", "pip", "install", *options, f"--target={folder / SITE}", *packages]
    subprocess.run(command, check=True)


def _onnxruntime(folder: Path, find_links: Path | None) -> None:
    _wheels(folder, [ONNXRUNTIME], find_links)
    for file in (folder / SITE).rglob("libonnxruntime_providers_tensorrt.so"):
        file.unlink()  # for another library of NVIDIA's


def _models(folder: Path, *names: str) -> None:
    root = Path(sys.prefix) / "share" / "vt" / "models"
    for name in names:
        shutil.copytree(root / name, folder / "models" / name)


def programs(folder: Path, names: Sequence[str] = PROGRAMS, data: Sequence[Path] = (_ESPEAK_DATA,)) -> None:
    """Copy programs of this machine with all libraries that they are linked to, and write what starts them."""
    for part in ("lib", "bin"):
        (folder / part).mkdir(parents=True)
    for name in names:
        program = shutil.which(name)
        if program is None:
            raise FileNotFoundError(f"{name} is not installed here")
        shutil.copy(program, folder / "lib" / name)
        told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for copied in map(Path, re.findall(r"(?m)^\s(?:\S+ => )?(/\S+)", told)):
            shutil.copy(copied, folder / "lib" / copied.name)
        starter = folder / "bin" / name
        starter.write_text(_STARTER.replace("PROGRAM", name), encoding="utf-8")
        starter.chmod(0o755)
    for place in data:
        shutil.copytree(place, folder / "lib" / place.name)


# --- there -------------------------------------------------------------------------------------------------------


def receive(parts: Sequence[Path], folder: Path = FOLDER) -> list[str]:
    """Take the pieces of some parts, and return the names of the archives that are whole now."""
    store = folder / PIECES
    store.mkdir(parents=True, exist_ok=True)
    arrived = [piece for part in parts for piece in sorted(part.iterdir()) if _PIECE.fullmatch(piece.name)]
    for piece in arrived:
        shutil.move(piece, store / piece.name)
    names = dict.fromkeys(piece.name.partition(".")[0] for piece in arrived)
    return [name for name in names if pieces(name, folder)]


def pieces(name: str, folder: Path = FOLDER) -> list[Path]:
    """Return the pieces of an archive in their order; none where one is missing."""
    found = {}
    for file in sorted((folder / PIECES).glob(f"{name}.*")):
        if match := _PIECE.fullmatch(file.name):
            found[int(match["number"])] = (file, int(match["count"]))
    counts = {count for _, count in found.values()}
    is_whole = len(counts) == 1 and found.keys() == set(range(1, counts.pop() + 1))
    return [found[number][0] for number in sorted(found)] if is_whole else []


def unpack(name: str, folder: Path = FOLDER) -> None:
    """Unpack an archive whose pieces are all there, and remove them."""
    files = pieces(name, folder)
    try:
        with io.BufferedReader(_Joined(files), 2**20) as stream, tarfile.open(fileobj=stream, mode="r|xz") as tar:
            tar.extractall(folder, filter="tar")
        for file in files:
            file.unlink()
        (folder / f"{name}{_UNPACKED}").touch()
    except BaseException:
        (folder / f"{name}{_FAILED}").touch()
        raise


class _Joined(io.RawIOBase):
    """Several files as one stream."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._left = list(files)
        self._stream = io.BytesIO() if not files else self._next()

    def _next(self) -> io.BytesIO | io.FileIO:
        return self._left.pop(0).open("rb", buffering=0)

    def readable(self) -> bool:
        """It can be read, and nothing else."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read on, over the end of a file into the next."""
        while not (count := self._stream.readinto(buffer)) and self._left:
            self._stream.close()
            self._stream = self._next()
        return count or 0

    def close(self) -> None:
        """Close the file that is being read."""
        self._stream.close()
        super().close()


def unpack_in_background(name: str, folder: Path = FOLDER) -> None:
    """Unpack an archive in a session of its own, which goes on when this command has ended."""
    (folder / LOGS).mkdir(exist_ok=True)
    with (folder / LOGS / name).open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "scripts.gpu_pack", "unpack", name],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=ROOT,
            env={**os.environ, "VT_GPU_FOLDER": str(folder)},
        )  # fmt: skip


def wait(seconds: float, folder: Path = FOLDER) -> dict[str, str]:
    """Wait until what has arrived whole is unpacked, and return for each archive: here, failed, or not brought."""
    names = [archive.name for archive in archives(None)]
    end = time.monotonic() + seconds
    while any(_state(name, folder) == "arriving" for name in names) and time.monotonic() < end:
        time.sleep(0.2)
    return {name: _state(name, folder) for name in names}


def _state(name: str, folder: Path) -> str:
    if (folder / f"{name}{_FAILED}").exists():
        return "failed"
    if (folder / f"{name}{_UNPACKED}").exists():
        return "here"
    return "arriving" if pieces(name, folder) else "not brought"


def main(arguments: Sequence[str]) -> int:
    """Pack, or take what was packed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("pack", "receive", "unpack"))
    parser.add_argument("names", nargs="+")
    parser.add_argument("--find-links", type=Path)
    given = parser.parse_args(arguments)
    if given.what == "pack":
        for part in pack(archives(given.find_links), Path(given.names[0])):
            print(part, ", ".join(sorted(piece.name for piece in part.iterdir())))
    elif given.what == "receive":
        for name in receive([Path(part) for part in given.names]):
            unpack_in_background(name)
            print(f"{name} is whole, and is being unpacked")
    else:
        unpack(given.names[0])
        if given.names[0] == "core":  # with that the models of true size can be made, while the rest is on its way
            subprocess.run([ROOT / "scripts" / "gpu-check", "models"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
