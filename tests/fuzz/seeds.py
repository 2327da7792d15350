"""Small real files of many kinds, made by ffmpeg, which mutations start from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.conftest import SAMPLE
from tests.films import AAC, H264, PICTURE, SOUND, ffmpeg

SRT = "1\n00:00:00,200 --> 00:00:00,900\nWell now, my friend.\n\n2\n00:00:01,000 --> 00:00:01,900\n- Good day.\n"
VTT = (
    "WEBVTT\n\nNOTE by hand\n\n00:00.200 --> 00:00.900 align:start\n<v Ann>Well <i>now</i>.\n\n"
    "00:01.000 --> 00:01.900\nNo.\n"
)
_TEXT = ["-i", "{folder}/talk.srt"]
_COVER = ["-i", "{folder}/cover.png"]
_SHORT = ["-t", "1.5"]

_FILMS: dict[str, Sequence[str]] = {
    "plain.mp4": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC],
    "fast.mp4": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC, "-movflags", "+faststart"],
    "fragments.mp4": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC, "-movflags", "frag_keyframe+empty_moov"],
    "texts.mp4": [*PICTURE, *SOUND, *_TEXT, *_SHORT, *H264, *AAC, "-c:s", "mov_text"],
    "tagged.mov": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC, "-metadata:s:a:0", "language=fra"],
    "texts.mkv": [*PICTURE, *SOUND, *_TEXT, *_SHORT, *H264, *AAC, "-c:s", "srt", "-metadata:s:s:0", "language=spa"],
    "vp8.webm": [*PICTURE, *SOUND, *_SHORT, "-c:v", "libvpx", "-b:v", "50k", "-c:a", "libvorbis"],
    "transport.ts": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC],
    "program.mpg": [*PICTURE, *SOUND, *_SHORT, "-c:v", "mpeg2video", "-c:a", "mp2", "-f", "mpeg"],
    "old.avi": [*PICTURE, *SOUND, *_SHORT, "-c:v", "mpeg4", "-c:a", "mp3"],
    "flash.flv": [*PICTURE, *SOUND, *_SHORT, *H264, *AAC],
    "silent.mp4": [*PICTURE, *_SHORT, *H264, "-an"],
    "plain.wav": [*SOUND, *_SHORT, "-ar", "16000"],
    "plain.mp3": [*SOUND, *_SHORT, "-c:a", "mp3", "-b:a", "32k"],
    "cover.mp3": [*SOUND, *_COVER, *_SHORT, "-map", "0:a", "-map", "1:v", "-c:a", "mp3", "-b:a", "32k", "-c:v", "copy",
                  "-disposition:v:0", "attached_pic"],
    "cover.m4a": [*SOUND, *_COVER, *_SHORT, "-map", "0:a", "-map", "1:v", *AAC, "-c:v", "copy", "-disposition:v:0",
                  "attached_pic", "-f", "ipod"],
    "plain.ogg": [*SOUND, *_SHORT, "-c:a", "libvorbis"],
    "plain.flac": [*SOUND, *_SHORT, "-c:a", "flac", "-ar", "16000"],
}  # fmt: skip


def make(folder: Path) -> list[Path]:
    """Make all of them, and return their paths; the first seconds of the sample are one of them."""
    (folder / "talk.srt").write_text(SRT, encoding="utf-8")
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=32x32", "-frames:v", "1", "-update", "1", folder / "cover.png")
    made = []
    for name, arguments in _FILMS.items():
        made.append(folder / name)
        # Without the encoder's name and the time in it, a file is the same at each making.
        plain = ["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact", "-threads", "1"]
        ffmpeg(*[part.format(folder=folder) for part in arguments], *plain, made[-1])
    made.append(folder / "sample.mp4")
    ffmpeg("-t", "2", "-i", SAMPLE, "-c", "copy", made[-1])
    return made
