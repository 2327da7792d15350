"""The house stands: imports go down, heavy libraries stay in their rooms, the command line starts light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS: dict[str, int] = {
    "errors": 1,
    "messages": 1,
    "remarks": 2,
    "statuses": 2,
    "domain": 1,
    "feed": 2,
    "languages": 1,
    "bundle": 2,
    "offer": 2,
    "pace": 2,
    "processes": 2,
    "python_child": 3,
    "watchdog": 2,
    "sandbox": 1,
    "guard": 2,
    "remote": 2,
    "multipart": 2,
    "visitors": 2,
    "hosts": 2,
    "executors": 8,
    "worker": 9,
    "jobs": 10,
    "services": 11,
    "samples": 7,
    "api": 12,
    "ui": 12,
    "settings": 1,
    "detect": 2,
    "disk": 2,
    "job_folder": 2,
    "doctor": 8,
    "folders": 2,
    "logs": 2,
    "machine": 2,
    "media": 2,
    "sentences": 2,
    "sound": 2,
    "spelling": 2,
    "subtitles": 2,
    "telemetry": 2,
    "timing": 2,
    "ahead": 3,
    "cache": 3,
    "engines": 5,
    "endings": 3,
    "fetch": 3,
    "once": 3,
    "phonemes": 3,
    "pieces": 3,
    "routes": 3,
    "preparations": 4,
    "weights": 4,
    "hub": 3,
    "licences": 6,
    "catalogue": 6,
    "selection": 6,
    "ladder": 6,
    "factory": 6,
    "preload": 6,
    "watch": 6,
    "records": 3,
    "store": 4,
    "recovery": 5,
    "artifacts": 4,
    "report": 7,
    "track": 7,
    "voice": 7,
    "pipeline": 7,
    "display": 12,
    "wire": 12,
    "cli": 12,
    "__main__": 13,
    "specs": 2,
    "written": 2,
    "vocabulary": 3,
}
HEAVY = {"faster_whisper", "ctranslate2", "torch", "transformers", "onnxruntime"}
DOOR = {"__init__", "base", "candidate", "door", "table"}
"""What all engines share; the last is the only one that knows them."""
FILES = sorted((ROOT / "vt").rglob("*.py"))


def _room(file: Path) -> str:
    return file.relative_to(ROOT / "vt").parts[0].removesuffix(".py")


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def _rooms_of(file: Path) -> set[str]:
    names = {name.split(".")[1] for name in _imports(ast.parse(file.read_text())) if name.startswith("vt.")}
    return {name for name in names if name in FLOORS}


def _edges() -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for file in FILES:
        edges.setdefault(_room(file), set()).update(_rooms_of(file) - {_room(file)})
    return edges


def test_every_room_has_its_floor() -> None:
    rooms = {_room(file) for file in FILES} - {"__init__"}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_import_never_goes_up_a_floor(file: Path) -> None:
    here = _room(file)
    for room in _rooms_of(file) if here != "__init__" else ():
        assert FLOORS[room] <= FLOORS[here], f"{here} (floor {FLOORS[here]}) imports {room} (floor {FLOORS[room]})"


def test_no_rooms_import_each_other_in_a_circle() -> None:
    edges = _edges()

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, " > ".join((*path, room))
        for below in edges.get(room, ()):
            visit(below, (*path, room))

    for room in edges:
        visit(room, ())


def test_engines_do_not_know_each_other_nor_the_cache() -> None:
    engines = {file.stem for file in FILES if _room(file) == "engines"} - DOOR
    for file in FILES:
        if _room(file) == "engines" and file.stem != "table":
            imported = _imports(ast.parse(file.read_text()))
            others = {other for other in engines if not (other.startswith(file.stem) or file.stem.startswith(other))}
            assert not {f"vt.engines.{other}" for other in others} & imported
            assert not {name for name in imported if name.startswith("vt.cache")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_libraries_load_only_inside_functions_of_engines(file: Path) -> None:
    tree = ast.parse(file.read_text())
    everywhere = {name.split(".")[0] for name in _imports(tree)}
    if _room(file) != "engines":
        assert not everywhere & HEAVY
    at_import = {name.split(".")[0] for node in tree.body for name in _imports(node) if not _is_function(node)}
    assert not at_import & HEAVY


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_module_opens_with_a_line_on_its_role(file: Path) -> None:
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def test_the_help_of_the_command_line_loads_no_library() -> None:
    script = (
        "import sys\nfrom vt.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pydantic', 'rich', 'ffmpeg', 'faster_whisper', 'langcodes'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"
