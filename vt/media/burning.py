"""Subtitles in the picture: how large it is shown, and the filters that draw the text into it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolMissing, ToolStopped
from vt.media.commands import MEMORY, THREADS, opening_options, unfit, url
from vt.media.probing import MediaInfo, to_float, why_unreadable
from vt.system.processes import TOOL, Child, run
from vt.system.sandbox import ChildLimits
from vt.translatable import Message

_LOOK = ChildLimits(seconds=60, cpu_seconds=10, memory=MEMORY)
_ENTRIES = "width,height,sample_aspect_ratio,pix_fmt,color_transfer,field_order:stream_side_data=rotation"
_MOST_STRETCHED = 4
"""No pixel is more times as wide as high, or as high as wide; what says so is damaged."""
_HDR = {"smpte2084": "PQ", "arib-std-b67": "HLG"}
"""Transfer functions of ITU-R BT.2100."""
_TO_SDR = (
    "zscale=tin={transfer}:min=bt2020nc:pin=bt2020:t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,"
    "tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv"
)
_DEEP = re.compile(r"(?:9|1[0246]|f32|48|64)(?:le|be)$")
"""How ffmpeg's names of pixel formats with more than 8 bits a colour end: with their bits and the order of bytes."""
_TICKS = "1/90000"
"""The unit of the times of encoded frames, in seconds: fine enough for those of a film with a varying rate."""
ENCODER = (
    "-c:v:0", "libx264", "-crf", "18", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads:v:0", str(THREADS),
    # Frames keep their times: none is doubled or dropped in order to make a constant rate.
    "-fps_mode:v:0", "passthrough", "-enc_time_base:v:0", _TICKS,
)  # fmt: skip
"""The options by which a picture is encoded again."""


@cache
def _filters() -> str:
    return run(Child(["ffmpeg", "-nostdin", "-hide_banner", "-filters"], TOOL, purpose="list filters")).decode(
        errors="replace"
    )


@dataclass(frozen=True, slots=True)
class Picture:
    """A film's picture as it is shown: upright, and with square pixels."""

    width: int
    """In pixels; even, as the encoder wants it."""
    height: int
    transfer: str = ""
    """How its samples mean light, as ffmpeg calls it."""
    pixel_format: str = ""
    is_interlaced: bool = False

    @property
    def notes(self) -> list[Message]:
        """Sentences on what is lost where it is encoded with subtitles in it."""
        said = [Message("The picture was encoded again as H.264, with the subtitles in it.")]
        if self.transfer in _HDR:
            kind = _HDR[self.transfer]
            said.append(Message("The picture was HDR ({kind}): it now has the usual range of brightness.", kind=kind))
        elif _DEEP.search(self.pixel_format):
            said.append(Message("The picture had more than 8 bits a colour: it now has 8."))
        if self.is_interlaced:
            said.append(Message("The picture was interlaced: it now has whole frames."))
        return said

    def filters(self, text: Path) -> str:
        """Return the filters that draw an ASS file into the picture; ffmpeg has turned it upright before them."""
        chain = ["bwdif=mode=send_frame:deint=interlaced"] if self.is_interlaced else []
        chain += [f"scale={self.width}:{self.height}", "setsar=1"]
        if self.transfer in _HDR:
            chain.append(_TO_SDR.format(transfer=self.transfer))
        return ",".join([*chain, "format=yuv420p", f"ass=filename={_escaped(str(text.absolute()))}"])


def check_renderer(picture: Picture | None = None, listed: Callable[[], str] = _filters) -> None:
    """Raise where the ffmpeg that is installed cannot draw subtitles.

    Args:
        picture: into which they are to be drawn; None: into whatever it may be.
        listed: returns what ffmpeg says of its filters.

    Raises:
        ToolMissing: it was built without libass, or without zimg, which a picture in HDR needs; or it is not there.
    """
    if " ass " not in listed():
        raise ToolMissing("This ffmpeg was built without libass, so it cannot draw subtitles into a picture.")
    if picture and picture.transfer in _HDR and " zscale " not in listed():
        raise ToolMissing("This ffmpeg was built without zimg, so it cannot draw subtitles into a picture in HDR.")


def picture_of(info: MediaInfo, cancel: Cancel | None = None) -> Picture:
    """Look at a film's picture.

    Raises:
        MediaError: it has none, or none that can be read.
    """
    if info.video is None:
        raise MediaError("{file} has no picture that subtitles could be drawn into.", file=info.path)
    argv = ["ffprobe", "-v", "error", *opening_options(), "-select_streams", str(info.video.index)]
    argv += ["-show_entries", f"stream={_ENTRIES}", "-of", "json", "-i", url(info.path)]
    try:
        (stream,) = json.loads(run(Child(argv, _LOOK, reads=[info.path], purpose="look at the picture"), cancel))[
            "streams"
        ]
    except ToolStopped as error:
        raise unfit(info.path, error) from error
    except ToolMissing:
        raise
    except (ToolError, ValueError, KeyError) as error:
        raise MediaError(why_unreadable(info.path, "")) from error
    if not stream.get("width") or not stream.get("height"):
        raise MediaError(why_unreadable(info.path, ""))
    return _picture(stream)


def _picture(stream: dict[str, Any]) -> Picture:
    wide, high = float(stream["width"]), float(stream["height"])
    above, _, below = str(stream.get("sample_aspect_ratio", "1:1")).partition(":")
    stretched = (to_float(above) or 1.0) / (to_float(below) or 1.0)
    if not 1 / _MOST_STRETCHED <= stretched <= _MOST_STRETCHED:
        stretched = 1.0
    # Nothing is made smaller.
    wide, high = wide * max(1.0, stretched), high / min(1.0, stretched)
    # Of other side data, such as those of Dolby Vision, ffprobe shows empty objects.
    turned = next((each["rotation"] for each in stream.get("side_data_list", []) if "rotation" in each), 0)
    if math.isclose(abs(to_float(turned) or 0.0) % 180, 90, abs_tol=1):
        wide, high = high, wide
    return Picture(
        width=_even(wide),
        height=_even(high),
        transfer=str(stream.get("color_transfer", "")),
        pixel_format=str(stream.get("pix_fmt", "")),
        is_interlaced=stream.get("field_order", "") in ("tt", "bb", "tb", "bt"),
    )


def _even(size: float) -> int:
    return max(2, 2 * round(size / 2))


def _escaped(value: str) -> str:
    """Return a value of a filter's option as ffmpeg reads it: unescaped once as a value, and once within the chain."""
    once = "".join(f"\\{sign}" if sign in "\\':" else sign for sign in value)
    return "".join(f"\\{sign}" if sign in "\\'[],;" else sign for sign in once)
