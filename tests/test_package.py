"""pip makes a package of the project that has all of its files, and gives the command vt."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import lock
from tests.servers import ROOT
from vt import __version__

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
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
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["server"]]
    requirements = [Requirement(line) for line in asked]
    assert {one.name for one in requirements} == direct("requirements.txt")
    pinned = lock.pins("requirements.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []


def test_what_graphics_cards_take_is_an_extra_with_its_pin() -> None:
    requirements = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["cuda"]]
    pinned = lock.pins("requirements-cuda.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []


def test_what_serves_assistants_is_an_extra_that_the_tests_have() -> None:
    requirements = [Requirement(line) for line in PROJECT["project"]["optional-dependencies"]["mcp"]]
    pinned = lock.pins("requirements-dev.txt")
    assert [one.name for one in requirements if not one.specifier.contains(pinned[one.name])] == []
    assert not {one.name for one in requirements} & lock.pins("requirements.txt").keys()


def test_the_builder_that_the_package_asks_for_is_in_the_lock() -> None:
    (builder,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert builder.specifier.contains(lock.pins("requirements.lock")[builder.name])
