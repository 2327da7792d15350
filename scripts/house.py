"""The house: which floor each module and package of vt stands on. The structure test checks it, the docs draw it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = ROOT / "vt"


@dataclass(frozen=True, slots=True)
class Floor:
    """Modules and packages that may import those of their own floor, without a circle, and of the floors below."""

    title: str
    rooms: tuple[str, ...]


HOUSE = (
    Floor("entry point of the command line; app.py, the server's, stands beside the folder", ("__main__",)),
    Floor("faces of one service, unaware of each other", ("ui", "api", "cli", "display", "wire")),
    Floor("the wiring of a server", ("services",)),
    Floor("jobs, as faces use them", ("jobs",)),
    Floor("the queue", ("worker",)),
    Floor("where a job runs, and what works here", ("executors", "doctor")),
    Floor("dubbing: hear, translate, speak, place, mix, mux", ("pipeline", "track", "voice", "samples", "report")),
    Floor(
        "which model serves a request", ("factory", "catalogue", "selection", "ladder", "preload", "watch", "licences")
    ),
    Floor("one module a library; jobs found again", ("engines", "recovery")),
    Floor("models' files; jobs in SQLite; pieces of work", ("weights", "preparations", "store", "artifacts")),
    Floor(
        "what is in memory, downloads, words on their way",
        (
            "cache",
            "hub",
            "fetch",
            "once",
            "pieces",
            "phonemes",
            "records",
            "routes",
            "vocabulary",
            "endings",
            "ahead",
            "python_child",
        ),
    ),
    Floor(
        "media, text, the machine",
        (
            *("media", "sound", "timing", "sentences", "subtitles", "detect", "spelling", "written"),
            *("processes", "watchdog", "folders", "machine", "telemetry", "logs", "pace", "specs", "bundle"),
            *(
                "guard",
                "hosts",
                "visitors",
                "remote",
                "offer",
                "multipart",
                "feed",
                "disk",
                "job_folder",
                "remarks",
                "statuses",
            ),
        ),
    ),
    Floor(
        "values and rules that everybody speaks", ("errors", "messages", "domain", "languages", "settings", "sandbox")
    ),
)
"""From the top."""
FLOORS = {room: number for number, floor in enumerate(reversed(HOUSE), start=1) for room in floor.rooms}


def room_of(file: Path) -> str:
    """Return the name in `HOUSE` of the module or package that a file of the code belongs to."""
    return file.relative_to(CODE).parts[0].removesuffix(".py")


def modules(room: str) -> Iterator[tuple[str, str]]:
    """Yield the path in the project and the role of each module of a room; the role is its docstring's first line."""
    folder = CODE / room
    for file in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        yield file.relative_to(ROOT).as_posix(), docstring.partition("\n")[0]
