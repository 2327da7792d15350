"""pip makes a package of the project that has all of its files, and gives the command vt."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Protocol

import pytest
from packaging.requirements import Requirement

from scripts import lock
from tests.servers import ROOT
from tests.test_structure import imports
from vt import __version__
from vt.engines.campplus import CamPlusPlusEngine
from vt.engines.definition import Site
from vt.engines.kokoro import KokoroEngine
from vt.engines.mms import MmsEngine
from vt.engines.nllb import NllbEngine
from vt.engines.protocols import EngineInfo
from vt.engines.pyannet import PyanNetEngine
from vt.model_files import download
from vt.settings import Settings
from vt.system import extras

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = {
    "kokoro": ("kokoro", "kokoro_parts", "kokoro_phonemes", "onnx_session"),
    "hub": ("mms", "nllb_conversion"),
    "speakers": ("campplus", "pyannet"),
}
"""The modules of engines that each extra is for, with those that engines share where these load its library."""
BRINGS = {"ctranslate2.converters": "ctranslate2.converters.transformers"}
"""The module of a library that takes more than the library itself asks for, by what we import."""
OFFLINE = ("--quiet", "--no-index", "--no-deps")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built with the setuptools that is here."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "vt", clone / "vt", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "packages.txt"):
        shutil.copy(ROOT / name, clone)
    pip("wheel", *OFFLINE, "--no-build-isolation", "--wheel-dir", str(out), str(clone))
    (built,) = out.iterdir()
    return built


class Lacking(Protocol):
    """What every engine that takes an extra has."""

    info: EngineInfo

    def lack(self, site: Site) -> str | None:
        """Say what is to be installed for it."""


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)


def test_the_package_holds_every_file_of_the_code_and_what_the_licences_are_read_from(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "vt").rglob("*") if path.is_file()}
    assert {name for name in held if name.startswith("vt/")} == {name for name in there if "__pycache__" not in name}
    beside = f"vt-{__version__}.data/data/share/vt"
    assert {f"{beside}/requirements.txt", f"{beside}/packages.txt"} <= held


def test_the_installed_command_works_in_any_folder(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    venv.create(tmp_path / "venv", with_pip=False)
    pip("--python", str(python), "install", *OFFLINE, str(wheel))
    (libraries,) = (tmp_path / "venv" / "lib").glob("*/site-packages")
    (libraries / "those-that-are-here.pth").write_text("\n".join(name for name in sys.path if "site-packages" in name))
    folder = tmp_path / "somewhere"
    folder.mkdir()

    def said(*arguments: str) -> str:
        argv = [str(python.with_name("vt")), *arguments]
        environment = {"VT_ENGINES": "embedded", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert said("--version") == f"vt {__version__}\n"
    assert re.search(r"(?m)^es +Spanish .*espeak-ng$", said("languages"))
    assert re.search(r"(?m)^package +faster-whisper +\d", said("licences"))
    assert list(folder.iterdir()) == []


def direct(file: str) -> set[str]:
    """Return the packages of a file of pins that are used here, not only by others: those with a word on their use."""
    return set(re.findall(r"(?m)^([a-z0-9][a-z0-9.-]*)==\S+ +# ", (ROOT / file).read_text(encoding="utf-8")))


def test_the_package_asks_for_what_is_pinned_with_a_word_on_its_use() -> None:
    asked = [*PROJECT["project"]["dependencies"], *(line for extra in MODULES for line in extra_of(extra))]
    requirements = [Requirement(line) for line in asked]
    assert {one.name for one in requirements} == direct("requirements.txt")
    pinned = lock.pins("requirements.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []


def extra_of(name: str) -> list[str]:
    return list(PROJECT["project"]["optional-dependencies"][name])


def names(requirements: list[str]) -> set[str]:
    return {Requirement(line).name for line in requirements}


def foreign(module: str) -> set[str]:
    """Return the packages beyond Python's own that a module of the engines imports, wherever in it."""
    tree = ast.parse((ROOT / "vt" / "engines" / f"{module}.py").read_text(encoding="utf-8"))
    found = imports(tree)
    for ours, theirs in BRINGS.items():
        spec = importlib.util.find_spec(theirs) if ours in found else None
        if spec and spec.origin:
            found |= imports(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    return {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"vt"}


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_brings_just_what_its_engines_import_beyond_the_base(extra: str) -> None:
    base = {*names(PROJECT["project"]["dependencies"]), "tokenizers", "huggingface_hub"}  # faster-whisper brings both
    wanted = set().union(*map(foreign, MODULES[extra])) - {name.replace("-", "_") for name in base}
    assert wanted == names(extra_of(extra)) == set(extras.PACKAGES[extra])


def test_no_other_module_takes_what_only_an_extra_brings() -> None:
    only = {module for modules in extras.PACKAGES.values() for module in modules}
    theirs = {f"vt/engines/{module}.py" for modules in MODULES.values() for module in modules}
    found = {}
    for file in (ROOT / "vt").rglob("*.py"):
        taken = {name.partition(".")[0] for name in imports(ast.parse(file.read_text(encoding="utf-8")))} & only
        if taken and file.relative_to(ROOT).as_posix() not in theirs:
            found[file.name] = taken
    assert found == {}


def test_the_command_that_brings_an_extra_names_its_libraries_since_our_name_is_anothers_on_the_index() -> None:
    extras_of_pip = PROJECT["project"]["optional-dependencies"].keys() - {"all", "cuda"}
    for extra in extras_of_pip:
        assert shlex.split(extras.command(extra)) == ["pip", "install", *extra_of(extra)]
    assert "'yt-dlp>=" in extras.command("url"), "a shell would write into a file of that name"


def test_all_brings_what_every_engine_takes() -> None:
    (line,) = extra_of("all")
    assert Requirement(line).extras == {*MODULES, "url", "ray"}


@pytest.mark.parametrize(
    ("engine", "extra"),
    [
        (MmsEngine(), "hub"),
        (NllbEngine(), "hub"),
        (KokoroEngine(), "kokoro"),
        (CamPlusPlusEngine(), "speakers"),
        (PyanNetEngine(), "speakers"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.info.name,
)
def test_an_engine_whose_library_is_not_installed_names_the_extra(engine: Lacking, extra: str, tmp_path: Path) -> None:
    source = download.Source(folder=tmp_path)
    known = Settings(data_dir=tmp_path)
    bare = Site(known, source, is_installed=lambda _: False)
    told = engine.lack(bare)
    missing = ", ".join(extras.PACKAGES[extra])
    assert told == (
        f"The engine {engine.info.name} needs what is not installed here ({missing}): "
        f"{extras.command(extra)} brings it."
    )
    whole = Site(known, source, is_installed=lambda _: True)
    assert "pip install" not in (engine.lack(whole) or "")


def test_what_graphics_cards_take_is_an_extra_with_its_pin() -> None:
    requirements = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["cuda"]]
    pinned = lock.pins("requirements-cuda.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []


@pytest.mark.parametrize("extra", ["mcp", "url", "login"])
def test_what_serves_assistants_follows_links_or_signs_in_is_an_extra_that_the_tests_have(extra: str) -> None:
    requirements = [Requirement(line) for line in extra_of(extra)]
    pinned = lock.pins("requirements-dev.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []
    assert not {one.name for one in requirements} & lock.pins("requirements.txt").keys()


def test_the_builder_that_the_package_asks_for_is_in_the_lock() -> None:
    (builder,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert builder.specifier.contains(lock.pins("requirements.lock")[builder.name])
