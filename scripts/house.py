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
    """Modules and packages that may import those of the floors below, and none of their own floor."""

    title: str
    rooms: tuple[str, ...]


HOUSE = (
    Floor(
        "entry points: of the command line, and of a server, which app.py beside the folder starts",
        ("__main__", "server"),
    ),
    Floor("faces of one service, unaware of each other", ("ui", "api", "cli")),
    Floor("the wiring of a server", ("services",)),
    Floor("jobs: kept, queued, run, edited; answers: for whoever waits, without a job", ("jobs", "answers")),
    Floor("dubbing: hear, translate, speak, place, mix, mux", ("dubbing",)),
    Floor("the same models on many machines", ("cluster",)),
    Floor("which model serves this request", ("factory",)),
    Floor("which models there are, and which stay in memory", ("models",)),
    Floor("one module a library", ("engines",)),
    Floor("where models' files come from", ("model_files",)),
    Floor("sound and pictures, text, visitors, links; none of them knows of jobs", ("media", "text", "web", "links")),
    Floor("the machine below", ("system",)),
    Floor("values that everybody speaks of", ("domain",)),
    Floor("languages, and the settings", ("languages", "settings")),
    Floor("every error", ("errors",)),
    Floor("sentences that keep their values", ("translatable",)),
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
