"""The house stands: imports go down, heavy libraries stay in their rooms, the command line starts light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scripts.house import CODE, FLOORS, HOUSE, ROOT, room_of

FOREIGN = {
    "_LANGUAGE_CODES": "faster-whisper says nowhere else which languages its models know",
    "_check_allowed": "Gradio's own check of paths, which the page's has to agree with",
    "_parser": "only re's own parser says what an expression is made of",
}
"""Private names of libraries that tests use, each with the reason why."""
HEAVY = {"faster_whisper", "ctranslate2", "torch", "transformers", "onnxruntime"}
SHARED = {
    "onnx_session",
    "extras",
    "__init__",
    "protocols",
    "candidate",
    "definition",
    "registry",
    "model_spec",
    "translation_routes",
}
"""What all engines share; only the registry knows them."""
FILES = sorted(CODE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@cache
def tree_of(file: Path) -> ast.Module:
    """Return the syntax of a file, which several tests look at."""
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Return the names of all modules that a module imports, and of what it takes out of them."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{name.name}" for name in node.names}
    return found


def _rooms_of(file: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(tree_of(file)) if name.startswith("vt.")}
    return {name for name in names if name in FLOORS}


def _module(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _edges() -> dict[str, set[str]]:
    modules = {_module(file): file for file in FILES}
    return {
        name: {other for other in imports(tree_of(file)) & set(modules) if not _is_within(name, other)}
        for name, file in modules.items()
    }


def _is_within(name: str, other: str) -> bool:
    """Whether `other` is the module itself or a package around it, which "from package import module" names too."""
    return f"{name}.".startswith(f"{other}.")


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(file) for file in FILES} - {"__init__"}
    assert rooms == set(FLOORS)
    assert len(FLOORS) == sum(len(floor.rooms) for floor in HOUSE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_an_import_always_goes_down_a_floor(file: Path) -> None:
    here = room_of(file)
    for room in _rooms_of(file) - {here} if here != "__init__" else ():
        assert FLOORS[room] < FLOORS[here], f"{here} (floor {FLOORS[here]}) imports {room} (floor {FLOORS[room]})"


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = _edges()

    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " > ".join((*path, module))
        for below in edges[module] if module not in done else ():
            visit(below, (*path, module))
        done.add(module)

    for module in edges:
        visit(module, ())


def test_engines_do_not_know_each_other_nor_the_cache() -> None:
    engines = {file.stem for file in FILES if room_of(file) == "engines"} - SHARED
    for file in FILES:
        if room_of(file) == "engines" and file.stem != "registry":
            imported = imports(tree_of(file))
            family = file.stem.split("_")[0]  # an engine may take several modules
            others = {other for other in engines if other.split("_")[0] != family}
            assert not {f"vt.engines.{other}" for other in others} & imported
            assert not {name for name in imported if name.startswith("vt.models.cache")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_libraries_load_only_inside_functions_of_engines(file: Path) -> None:
    tree = tree_of(file)
    everywhere = {name.split(".")[0] for name in imports(tree)}
    if room_of(file) != "engines":
        assert not everywhere & HEAVY
    at_import = {name.split(".")[0] for node in tree.body for name in imports(node) if not _is_function(node)}
    assert not at_import & HEAVY


PARSING = {
    "api/libre/requests.py": "what LibreTranslate's clients send",
    "api/openai/requests.py": "what OpenAI's clients send",
    "cli/main.py": "arguments",
    "cli/options.py": "arguments",
    "cli/speech.py": "arguments",
    "domain.py": "the specification of a job, as it comes from a face and is kept",
    "dubbing/subtitle_source.py": "what subtitles and their tracks say they are in",
    "dubbing/track_choice.py": "the tags of tracks",
    "engines/firefox.py": "the names of models",
    "engines/kokoro.py": "the table of voices",
    "engines/nllb.py": "FLORES codes, for a sentence",
    "engines/translation_routes.py": "the table of routes, and the names of models' folders",
    "engines/whisper.py": "what the model detects",
    "factory.py": "the methods that others call from Python",
    "jobs/job_service.py": "the specification of a job, as it comes from a face",
    "media/muxing.py": "the tags of tracks",
    "models/catalogue.py": "the settings",
    "services.py": "the list of voices, which routes and page ask for by code",
    "text/glossary/reading.py": "what the lines of a glossary are in",
    "text/identification.py": "what the detector finds",
    "ui/fragments.py": "the tags of tracks",
    "ui/shared.py": "what the page shows of a job",
    "ui/tabs/translate.py": "what is chosen on the page",
}
"""The modules that make languages of codes, and where those codes come from. All others are given languages."""


def test_codes_of_languages_become_languages_at_the_borders_only() -> None:
    lookup = re.compile(r"\blanguages\.(get|find|spoken)\(")
    parsing = {str(file.relative_to(CODE)) for file in FILES if lookup.search(file.read_text(encoding="utf-8"))}
    assert parsing == PARSING.keys()


def _is_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.ClassDef)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_module_opens_with_a_line_on_its_role(file: Path) -> None:
    docstring = ast.get_docstring(tree_of(file))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


def test_the_help_of_the_command_line_loads_no_library() -> None:
    script = (
        "import sys\nfrom vt.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pydantic', 'rich', 'ffmpeg', 'faster_whisper', 'langcodes'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_tests_use_public_names_only(file: Path) -> None:
    used = [(line, name) for line, name in _private_names(tree_of(file)) if name not in FOREIGN]
    assert [f"{file.relative_to(ROOT)}:{line}: {name}" for line, name in used] == []


def _private_names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the line and name of each private name that is imported, or taken from something else than self or cls."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("attr"):  # getattr, monkeypatch.setattr
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        yield from ((_line(node), name) for name in names if name.startswith("_") and not name.startswith("__"))


def _line(node: ast.AST) -> int:
    return node.lineno if isinstance(node, ast.stmt | ast.expr) else 0


@pytest.mark.parametrize(
    "source",
    ["from vt.a import _b", "a._b", "a.c()._b()", "super()._b()", "getattr(a, '_b')", "patch.setattr(a, '_b', 1)"],
)
def test_a_private_name_is_found_in_whatever_way_it_is_used(source: str) -> None:
    assert list(_private_names(ast.parse(source))) == [(1, "_b")]


@pytest.mark.parametrize("source", ["self._b", "cls._b = 1", "from vt import __version__", "a.b", "_b.a", "a.__b__"])
def test_what_is_ones_own_or_public_is_no_private_name_of_another(source: str) -> None:
    assert list(_private_names(ast.parse(source))) == []
