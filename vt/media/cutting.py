"""The beginning of a film as a film of its own: picture and sound as they are, without any other track."""

from __future__ import annotations

from pathlib import Path

from vt.domain import Cancel
from vt.errors import MediaError, ToolError, ToolStopped
from vt.media.burning import ENCODER
from vt.media.commands import MEMORY, decoders, opening_options, patience, room_on_disk, unfit, url
from vt.media.probing import MediaInfo
from vt.system.processes import Child, run
from vt.system.sandbox import MB, ChildLimits

_COPIED, _ENCODED = ("-c", "copy"), (*ENCODER, "-c:a", "flac")
_CPU_PER_SECOND = 100.0
"""Seconds of the processor that a second of picture may take where it has to be encoded."""


def beginning(info: MediaInfo, seconds: float, target: Path, cancel: Cancel | None = None) -> None:
    """Write the first seconds of a film: its picture, and all sound in its order.

    What came from QuickTime or mp4 is written as QuickTime, which keeps how a picture is turned; all else as Matroska.
    What cannot be copied there is encoded.

    Raises:
        MediaError: the film is damaged, or takes more than is given to one.
    """
    streams = [track.index for track in (info.video, *info.audio) if track]
    chosen = [part for index in streams for part in ("-map", f"0:{index}")]
    form = "mov" if "mov" in info.container.split(",") else "matroska"
    size = info.path.stat().st_size
    for codecs, cpu in ((_COPIED, 60 + seconds), (_ENCODED, 60 + seconds * _CPU_PER_SECOND)):
        argv = ["ffmpeg", "-y", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", *opening_options()]
        argv += [*decoders(info.kinds), "-i", url(info.path), "-t", f"{seconds:.3f}", *chosen, *codecs]
        argv += ["-map_chapters", "-1", "-f", form, url(target)]
        limits = ChildLimits(patience(cpu, size), cpu, 2 * MEMORY, min(2 * size + 512 * MB, room_on_disk(target)))
        try:
            run(Child(argv, limits, reads=[info.path], writes=[target], purpose="cut a preview"), cancel)
        except ToolStopped as error:
            raise unfit(info.path, error) from error
        except ToolError as error:
            failure = error
        else:
            return
    raise MediaError("The beginning of {file} cannot be taken out: the file is damaged.", file=info.path) from failure
