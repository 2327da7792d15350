"""What is in a file by ffmpeg's own listing, for the files that ffprobe gives up."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from vt.domain import Cancel
from vt.errors import ToolError
from vt.media.commands import opening_options, url
from vt.system.processes import PROBES, Child, run
from vt.system.sandbox import ChildLimits

_GIVEN_UP = re.compile(r"Could not open codec for input stream (\d{1,3})")
_STREAM = re.compile(
    r" {2,4}Stream #0:(\d{1,3})(?:\[0x[0-9a-f]{1,8}\])?(?:\(([A-Za-z-]{1,20})\))?: "
    r"(Audio|Video|Subtitle|Data|Attachment): (\w{1,30})"
)
_LENGTH = re.compile(r"  Duration: (\d{1,6}):(\d\d):(\d\d\.\d{1,6}), start: (-?\d{1,12}\.\d{1,6})")
_NUMBERS = {
    "sample_rate": re.compile(r"(?<!\d)(\d{1,7}) Hz"),
    "channels": re.compile(r"(?<!\d)(\d{1,3}) channels"),
    "width": re.compile(r"(?<![\dx])(\d{2,5})x\d{2}"),
    "avg_frame_rate": re.compile(r"(?<![\d.])(\d{1,4}(?:\.\d{1,3})?) fps"),
}
_LAYOUT = re.compile(r" Hz, (mono|stereo|[\w.()]{1,30}), ")
_CHANNELS = {"mono": 1, "stereo": 2, "5.1": 6, "5.1(side)": 6, "7.1": 8}
_XHE_AAC = "Audio object type 42"


def streams(path: Path, limits: ChildLimits, said: str, cancel: Cancel | None = None) -> dict[str, Any] | None:
    """Return what ffmpeg lists of a file, in the shape of ffprobe's answer; `said` is what ffprobe ended with.

    ffprobe opens the decoder of every stream, and ends where that fails for one; ffmpeg opens none to list them.
    None where that was not why it ended, or where the damage leaves no sound that could be heard.
    """
    closed = {int(number) for number in _GIVEN_UP.findall(said)}
    if not closed:
        return None
    listed = _listed(path, limits, cancel)
    found = [_stream(match, line) for line in listed.splitlines() if (match := _STREAM.match(line))]
    is_damaged = _XHE_AAC not in said
    for stream in found:
        if stream["index"] in closed:
            stream["codec_name"] = f"{stream.get('codec_name')} (?)" if is_damaged else "xHE-AAC"
    if is_damaged and all(stream["index"] in closed for stream in found if stream["codec_type"] == "audio"):
        return None
    length = _LENGTH.search(listed)
    seconds = int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None
    return {"streams": found, "format": {"duration": seconds, "start_time": length[4] if length else None}}


def _listed(path: Path, limits: ChildLimits, cancel: Cancel | None) -> str:
    argv = ["ffmpeg", "-nostdin", "-hide_banner", *opening_options(), "-i", url(path)]
    try:
        return run(Child(argv, limits, reads=[path], purpose="look into a film"), cancel, slots=PROBES).decode(
            errors="replace"
        )
    except ToolError as error:  # as always: without an output it fails once it has listed everything
        return error.said


def _stream(match: re.Match[str], line: str) -> dict[str, Any]:
    found: dict[str, Any] = {"index": int(match[1]), "codec_type": match[3].lower()}
    if match[4] not in ("none", "unknown"):
        found["codec_name"] = match[4]
    for key, pattern in _NUMBERS.items():
        if number := pattern.search(line):
            found[key] = number[1]
    if layout := _LAYOUT.search(line):
        found["channels"] = _CHANNELS.get(layout[1], found.get("channels", 0))
        found["channel_layout"] = layout[1] if layout[1] in _CHANNELS else ""
    if "avg_frame_rate" in found:
        found["avg_frame_rate"] += "/1"
    found["disposition"] = {"default": "(default)" in line, "attached_pic": "(attached pic)" in line}
    return found | {"tags": {"language": match[2] or ""}}
