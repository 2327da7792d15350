"""Obtains the film behind a link, within bounds; says in a sentence why it cannot be had."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import vt
from vt.domain import Cancel
from vt.errors import LinkError, ToolError, ToolMissing, ToolStopped
from vt.links import proxy
from vt.links.addresses import Endpoint
from vt.links.proxy import Traffic
from vt.system import extras, processes, python_child
from vt.system.sandbox import MB, ChildLimits

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_ENDING = re.compile(r"[a-z0-9]{1,5}")
_LONGEST_LINK = 4096
_LONGEST_NAME_BYTES = 80
_BESIDE_FILM = 64 * MB
"""What may come beyond the film: pages, lists of parts."""
_CHILD = "vt.links.child"
_PACKAGE = "yt_dlp"
_TAKES = (_PACKAGE, "psutil")
"""What the child imports: the first may lie elsewhere than the other packages."""
_CERTIFICATES = Path("/etc/ssl")
_SLOTS = processes.Slots(8, patience=20.0)
"""Downloads that run at a time. Apart from the work of jobs, which must not wait for them: they may take an hour."""
_ENVIRONMENT = {"YTDLP_NO_PLUGINS": "1", "HOME": "/tmp"}  # noqa: S108 (the sandbox's)

OnBytes = Callable[[int, int], None]
"""Is told how many bytes have come, and of how many; 0: nobody knows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a link may bring."""

    megabytes: int
    minutes: float
    """Of film."""
    seconds: float = 3600.0
    """For all of it."""


def are_possible() -> bool:
    """Tell whether links can be followed here: whether yt-dlp is installed."""
    return importlib.util.find_spec(_PACKAGE) is not None


def is_link(word: str) -> bool:
    """Tell whether what somebody named is an address rather than a file; not every address can be used."""
    return _SCHEME.match(word) is not None


def obtain(
    link: str,
    folder: Path,
    bounds: Bounds,
    cancel: Cancel,
    on_bytes: OnBytes = lambda _, __: None,
    *,
    cookies: Path | None = None,
    allowed: Collection[Endpoint] = (),
) -> tuple[Path, str]:
    """Download the film behind a link into a folder, and return its file and a name for it that every disk takes.

    Args:
        link: http or https.
        folder: an empty one.
        bounds: what it may bring.
        cancel: ends the download.
        on_bytes: is told how far it is.
        cookies: a file of them, in Netscape's format, for sites that want to know who asks.
        allowed: addresses that may be reached although they are not public.

    Raises:
        LinkError: there is no film to be had.
        ToolMissing: yt-dlp is not installed.
        StorageError: the disk is full.
        Cancelled: `cancel` was set.
    """
    _check(link)
    _home(_PACKAGE)
    said: dict[str, Any] = {}

    def on_line(line: str) -> None:
        said.update(json.loads(line))
        if "came" in said:
            on_bytes(int(said["came"]), int(said["whole"]))

    with proxy.door() as door, proxy.serving(door, bounds.megabytes * MB + _BESIDE_FILM, allowed) as traffic:
        try:
            processes.run(_child(door, folder, link, bounds, cookies), cancel, slots=_SLOTS, on_line=on_line)
        except ToolError as error:
            raise _failure(error, said, traffic, bounds) from error
    film = folder / "film"
    if not film.is_file() or not film.stat().st_size:
        raise LinkError("There is no film to be had behind the link.")
    return film, _name(str(said.get("title", "")), str(said.get("ending", "")))


def _check(link: str) -> None:
    """Raise where a link cannot be one of a film."""
    try:
        parts = urlsplit(link)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if len(link) > _LONGEST_LINK or any(char.isspace() or not char.isprintable() for char in link) or not usable:
        raise LinkError("A link has to begin with http:// or https:// and the name of a server.")


def _child(door: Path, folder: Path, link: str, bounds: Bounds, cookies: Path | None) -> processes.Child:
    limits = ChildLimits(
        seconds=bounds.seconds,
        cpu_seconds=bounds.seconds,
        memory=4096 * MB,
        file_bytes=bounds.megabytes * MB + MB,
        open_files=256,
    )
    most_bytes, most_seconds = bounds.megabytes * MB, bounds.minutes * 60
    arguments = [str(door), str(folder.absolute()), str(most_bytes), str(most_seconds)]
    arguments.append(str(cookies.absolute()) if cookies else "")
    code = Path(vt.__file__).parent
    packages = list(dict.fromkeys(map(_home, _TAKES)))
    shown = [Path(sys.base_prefix), code, *packages, _CERTIFICATES, *([cookies] if cookies else [])]
    return processes.Child(
        # Not the link to it in a virtual environment: that leads on to others, which the sandbox does not show.
        [str(Path(sys.executable).resolve()), "-B", "-m", _CHILD, *arguments],
        limits,
        stdin=link.encode(),  # no argument: those, every account of the machine may read
        reads=[path for path in shown if path.exists()],
        writes=[folder, door.parent],
        environment={**_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(map(str, (code.parent, *packages)))},
        purpose="download a film",
    )


def _home(package: str) -> Path:
    """Return the folder that a package which is here was installed into."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "Links take the package yt-dlp, which is not installed here: {command} brings it.",
            command=extras.command("url"),
        )
    return Path(spec.origin).parents[1]


def _failure(error: ToolError, said: Mapping[str, Any], traffic: Traffic, bounds: Bounds) -> LinkError:
    """Return why a download failed."""
    if traffic.refused:
        return LinkError(
            "The link leads to {host}, which is no address of the public internet, and so is not opened.",
            host=traffic.refused[0],
        )
    if refusal := _refusals(bounds).get("size" if traffic.came > traffic.most else str(said.get("refused"))):
        return refusal
    if isinstance(error, ToolStopped):
        return LinkError("The download of the link took too long, or too much memory.")
    if traffic.unknown:
        return LinkError(
            "The link leads to {host}, which cannot be found: is it spelled right?", host=traffic.unknown[0]
        )
    return LinkError("The link could not be opened: {reason}", reason=python_child.reason(error))


def _refusals(bounds: Bounds) -> dict[str, LinkError]:
    """Return why a film is not taken, by the word that the child says."""
    return {
        "live": LinkError("The link leads to something live, which has no end."),
        "several": LinkError("The link leads to several films: name one of them."),
        "length": LinkError(
            "The film behind the link is longer than {minutes:.0f} minutes (VT_MAX_DURATION_MINUTES).",
            minutes=bounds.minutes,
        ),
        "size": LinkError(
            "The film behind the link has more than {most} MB (VT_MAX_UPLOAD_MB).", most=bounds.megabytes
        ),
    }


def _name(title: str, ending: str) -> str:
    """Return a title as the name of a file: letters, digits and a few signs, none of them at its ends."""
    kept = "".join(char if char.isalnum() or char in " -_()" else " " for char in unicodedata.normalize("NFC", title))
    short = " ".join(kept.split()).encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore")
    return f"{short.strip(' -_') or 'film'}.{ending if _ENDING.fullmatch(ending) else 'film'}"
