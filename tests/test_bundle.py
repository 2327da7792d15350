"""Models that set-up puts beside the packages: what is whole, and what has changed since."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.test_factory import python
from vt.errors import ModelUnavailable
from vt.model_files import bundle
from vt.model_files.bundle import File, Model

TINY = bundle.MODELS["whisper-tiny.en"]


def made(folder: Path, content: bytes = b"weights") -> Model:
    """Make a model of one file in a folder."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return Model("m", "A model", "MIT", "", "", (File("model.bin", len(content), sha256),))


def linked(root: Path, name: str) -> Path:
    """Make a folder of links to the files of a model that is here."""
    place = root / name
    place.mkdir(parents=True)
    for file in bundle.MODELS[name].files:
        (place / file.name).symlink_to(bundle.ROOT / name / file.name)
    return place


def test_a_model_is_whole_with_all_of_its_files_at_their_sizes(tmp_path: Path) -> None:
    model = made(tmp_path / "m")
    assert model.is_whole(tmp_path / "m")
    assert model.changed(tmp_path / "m") == []
    (tmp_path / "m" / "model.bin").write_bytes(b"weightz")
    assert model.is_whole(tmp_path / "m")
    assert model.changed(tmp_path / "m") == ["model.bin"]
    (tmp_path / "m" / "model.bin").write_bytes(b"weight")
    assert not model.is_whole(tmp_path / "m")
    (tmp_path / "m" / "model.bin").unlink()
    assert not model.is_whole(tmp_path / "m")
    assert model.changed(tmp_path / "m") == ["model.bin"]
    assert not model.is_whole(tmp_path / "none")


def test_a_folder_is_given_only_where_its_model_is_whole(tmp_path: Path) -> None:
    assert bundle.folder(TINY.name, tmp_path) is None
    place = linked(tmp_path, TINY.name)
    assert bundle.folder(TINY.name, tmp_path) == place
    (place / "config.json").unlink()
    assert bundle.folder(TINY.name, tmp_path) is None


def test_models_go_beside_the_packages_where_these_are_ones_own_and_are_found_in_both_places(tmp_path: Path) -> None:
    roots = (tmp_path / "prefix" / "share", tmp_path / "home" / "share")
    (tmp_path / "prefix").mkdir()
    assert bundle.home(roots) == roots[0]
    assert bundle.home(roots, is_own=False) == roots[1]
    assert bundle.home(roots, may_write=lambda folder: folder != tmp_path / "prefix") == roots[1]
    place = linked(roots[1], TINY.name)
    assert bundle.folder(TINY.name, *roots) == bundle.check(TINY.name, *roots) == place
    assert bundle.at(place, *roots) == TINY.name


def test_a_clone_has_its_own_and_a_package_may_find_those_of_its_user(tmp_path: Path) -> None:
    assert bundle.ROOTS == (bundle.ROOT,)
    for name in ("__init__.py", "errors.py", "translatable.py", "model_files/__init__.py", "model_files/bundle.py"):
        (tmp_path / "vt" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "vt" / name, tmp_path / "vt" / name)
    script = "from vt.model_files import bundle; print(*bundle.ROOTS, bundle.lack('kokoro-82m'))"
    told = python(script, tmp_path, PYTHONPATH=str(tmp_path), PYTHONUSERBASE=str(tmp_path / "user"))
    where = f"{bundle.ROOT} {tmp_path}/user/share/vt/models"
    assert told == f"{where} Kokoro-82M (int8) is not here, or not whole: run vt fetch bundled.\n"


def test_a_folder_of_the_table_is_known_by_whichever_way_it_is_named(tmp_path: Path) -> None:
    place = linked(tmp_path / "root", TINY.name)
    (tmp_path / "link").symlink_to(place)
    for named in (place, tmp_path / "link", tmp_path / "root" / "x" / ".." / TINY.name):
        assert bundle.at(named, tmp_path / "root") == TINY.name
    assert bundle.at(tmp_path, tmp_path / "root") is None
    assert bundle.at(place, tmp_path) is None


def test_a_whole_model_is_looked_through_once_in_the_life_of_a_process(tmp_path: Path) -> None:
    place = linked(tmp_path, TINY.name)
    before = bundle.check.cache_info()
    assert [bundle.check(TINY.name, tmp_path) for _ in range(3)] == [place] * 3
    after = bundle.check.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 2)


def test_a_model_with_another_byte_is_refused_in_a_sentence_until_it_is_mended(tmp_path: Path) -> None:
    file = linked(tmp_path, TINY.name) / "vocabulary.txt"
    good = file.read_bytes()
    file.unlink()
    file.write_bytes(good[:-2] + bytes([good[-2] ^ 1]) + good[-1:])
    changed = rf"^Whisper tiny\.en in {re.escape(str(file.parent))} cannot be used: vocabulary\.txt changed since it "
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match=changed + r"was put there\. Run scripts/setup models\.$"):
            bundle.check(TINY.name, tmp_path)
    file.write_bytes(good)
    assert bundle.check(TINY.name, tmp_path) == file.parent


def test_a_model_that_is_not_here_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        ModelUnavailable, match=r"^Kokoro-82M \(int8\) is not here, or not whole: run scripts/setup mod"
    ):
        bundle.check("kokoro-82m", tmp_path)


@pytest.mark.parametrize("name", bundle.MODELS)
def test_what_is_here_is_what_was_tried(name: str) -> None:
    if (place := bundle.folder(name)) is None:
        pytest.skip("the package index did not have it")
    assert bundle.MODELS[name].changed(place) == []


def test_every_model_names_who_made_it_and_under_which_licence() -> None:
    for name, model in bundle.MODELS.items():
        assert name == model.name
        assert model.licence in ("MIT", "Apache-2.0", "MPL-2.0")
        assert model.source.startswith("https://")
        assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size for file in model.files)
