"""Films that are small and want much: made to see that they do not get it."""

from __future__ import annotations

import struct
from pathlib import Path

from tests import films
from tests.films import SOUND, ffmpeg

_SEGMENT, _CLUSTER, _DURATION = bytes.fromhex("18538067"), bytes.fromhex("1f43b675"), bytes.fromhex("448988")
_TAGS, _TAG, _TARGETS = bytes.fromhex("1254c367"), bytes.fromhex("7373"), bytes.fromhex("63c0")
_SIMPLE, _NAME, _STRING = bytes.fromhex("67c8"), bytes.fromhex("45a3"), bytes.fromhex("4487")


def _element(name: bytes, content: bytes) -> bytes:
    """Return an element of EBML (RFC 8794), its size in eight bytes."""
    return name + b"\x01" + len(content).to_bytes(7, "big") + content


def of_many_tags(path: Path, count: int) -> Path:
    """Make a film of 2 s with so many tags, each of another name: ffmpeg takes more than a square of time for them."""
    film = films.film(path).read_bytes()
    tags = [
        _element(
            _TAG, _element(_TARGETS, b"") + _element(_SIMPLE, _element(_NAME, b"K%d" % n) + _element(_STRING, b"v"))
        )
        for n in range(count)
    ]
    added = _element(_TAGS, b"".join(tags))
    head, first = film.index(_SEGMENT) + 4, film.index(_CLUSTER)
    size = int.from_bytes(film[head + 1 : head + 8], "big") + len(added)
    path.write_bytes(film[: head + 1] + size.to_bytes(7, "big") + film[head + 8 : first] + added + film[first:])
    return path


def of_a_large_cover(path: Path, pixels: int) -> Path:
    """Make a song of 2 s whose cover has so many pixels a side, all of one colour."""
    ffmpeg("-f", "lavfi", "-i", f"color=s={pixels}x{pixels}", "-frames:v", "1", path.with_suffix(".png"))
    cover = ["-c:v", "copy", "-disposition:v", "attached_pic"]
    ffmpeg(*SOUND, "-i", path.with_suffix(".png"), "-map", "0", "-map", "1", "-c:a", "libmp3lame", *cover, path)
    return path


def of_many_tracks(path: Path, count: int) -> Path:
    """Make a film with so many sound tracks."""
    maps = [part for _ in range(count) for part in ("-map", "0")]
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.1", *maps, "-c:a", "pcm_s16le", path)
    return path


def of_more_than_it_promises(path: Path, promised: float, held: float) -> Path:
    """Make silence in Matroska that holds `held` seconds, and whose header promises another length."""
    ffmpeg("-f", "lavfi", "-i", f"anullsrc=r=16000:cl=mono:d={held}", "-c:a", "libopus", "-b:a", "6k", path)
    film = path.read_bytes()
    here = film.index(_DURATION) + len(_DURATION)
    path.write_bytes(film[:here] + struct.pack(">d", promised * 1000) + film[here + 8 :])
    return path


def of_a_long_silence_of_its_subtitles(path: Path) -> Path:
    """Make a film of noise, of 150 MB or so and 60 s, whose subtitles end after a second."""
    (path.with_suffix(".srt")).write_text("1\n00:00:00,100 --> 00:00:01,000\nHi\n")
    picture = ["-f", "lavfi", "-i", "nullsrc=s=1920x1080:r=1:d=60,noise=alls=100:allf=t", "-c:v", "mjpeg", "-q:v", "1"]
    sound = ["-f", "lavfi", "-i", "sine=duration=60"]
    ffmpeg(*picture[:4], *sound, "-i", path.with_suffix(".srt"), *picture[4:], "-pix_fmt", "yuvj444p", "-c:s", "srt",
           "-map", "0", "-map", "1", "-map", "2", path)  # fmt: skip
    return path
