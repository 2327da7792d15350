"""Downloads a film by yt-dlp, in a process of its own that has no network but the socket of the proxy."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from vt.system import python_child

_BLOCK = 1 << 16
_PATIENCE_SECONDS = 20.0
_LONGEST_TITLE = 80
_NO_PROGRAM = "/nonexistent"
"""Where ffmpeg is looked for: it must open nothing that comes from a stranger but by vt's own rules."""


class _Quiet:
    """Takes what yt-dlp says; errors come as exceptions."""

    def debug(self, _: str) -> None:
        """Say nothing."""

    info = warning = error = debug


def relay(place: str) -> int:
    """Listen on this namespace's own loopback, hand each connection on to a Unix socket, and return the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            near, _ = listening.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(place)
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return int(listening.getsockname()[1])


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(_BLOCK):
            target.sendall(block)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _tell(**values: object) -> None:
    print(json.dumps(values), flush=True)  # noqa: T201 (the parent reads it)


class _TooMuch(Exception):
    """The film is not taken; the reason has been told."""


def _refuse(reason: str) -> None:
    _tell(refused=reason)
    raise _TooMuch(reason)


def _check(info: Mapping[str, Any], most_bytes: int, most_seconds: float) -> None:
    """Refuse what is known beforehand to be too much."""
    if info.get("is_live") or info.get("live_status") == "is_upcoming":
        _refuse("live")
    if (info.get("duration") or 0) > most_seconds:
        _refuse("length")
    if (info.get("filesize") or info.get("filesize_approx") or 0) > most_bytes:
        _refuse("size")


def _progress(status: Mapping[str, Any], most_bytes: int) -> None:
    came = status.get("downloaded_bytes") or 0
    if came > most_bytes:
        _refuse("size")
    _tell(came=came, whole=status.get("total_bytes") or status.get("total_bytes_estimate") or 0)


def _download(place: str, folder: str, link: str, most_bytes: int, most_seconds: float, cookies: str) -> None:
    import yt_dlp

    def check(info: Mapping[str, Any], *, incomplete: bool = False) -> None:
        del incomplete
        _check(info, most_bytes, most_seconds)

    options = {
        "proxy": f"http://127.0.0.1:{relay(place)}",
        "outtmpl": f"{folder}/film",
        "format": "b/ba",  # picture and sound in one file; to join two would take ffmpeg
        "noplaylist": True,
        "playlist_items": "1:2",
        "match_filter": check,
        "progress_hooks": [lambda status: _progress(status, most_bytes)],
        "logger": _Quiet(),
        "quiet": True,
        "cachedir": False,
        "nopart": True,
        "continuedl": False,
        "updatetime": False,
        "fixup": "never",
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": _NO_PROGRAM,
        "js_runtimes": {},
        "allow_unplayable_formats": False,
        "socket_timeout": _PATIENCE_SECONDS,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 1,
        **({"cookiefile": cookies} if cookies else {}),
    }
    with yt_dlp.YoutubeDL(options) as ydl:
        info = ydl.extract_info(link, download=False, process=True)
        entries = [one for one in info.get("entries") or () if one] if "entries" in info else [info]
        if len(entries) != 1:
            _refuse("several")
        ydl.process_info(entries[0])
        title, ending = (str(entries[0].get(key) or "") for key in ("title", "ext"))
        _tell(title=title[:_LONGEST_TITLE], ending=ending)


def _reason(error: Exception) -> str:
    """Return what yt-dlp complains of, without its marks and its wish for reports."""
    told = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).removeprefix("ERROR: ")
    told = re.sub(r"\A\[[\w:.+-]{1,60}\] ", "", told)
    return told.partition("; please report this issue")[0]


def _work(place: str, folder: str, most_bytes: str, most_seconds: str, cookies: str) -> None:
    own, link = "", sys.stdin.read()
    if cookies:  # yt-dlp writes into the file that it is given
        own = shutil.copyfile(cookies, f"{folder}/cookies")
    try:
        _download(place, folder, link, int(most_bytes), float(most_seconds), own)
    except Exception as error:
        raise RuntimeError(_reason(error)) from error


def main(arguments: list[str]) -> int:
    """Download the film behind the link on stdin; the last line on stderr says what went wrong."""
    return python_child.exit_code(lambda: _work(*arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
