"""The documents say what is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import make_docs
from tests.conftest import ROOT, vt
from vt.cli import doctor

PACKAGES = (ROOT / "packages.txt").read_text().split()


def _installed(package: str) -> bool:
    return subprocess.run(["dpkg-query", "-W", package], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not all(map(_installed, PACKAGES)), reason="this Debian does not offer every pair of packages.txt")
def test_the_tables_of_every_page_are_up_to_date(tmp_path: Path) -> None:
    script = (
        "import json\nfrom scripts import make_docs\n"
        "pages = {str(page): make_docs.written(page.read_text(encoding='utf-8')) for page in make_docs.PAGES}\n"
        "print(json.dumps(pages))"
    )
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    argv = [sys.executable, "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path, env=environment)
    for page, text in json.loads(done.stdout).items():
        assert text == Path(page).read_text(encoding="utf-8"), f"{page}: run .venv/bin/python -m scripts.make_docs"


def test_every_table_has_its_place_in_one_page() -> None:
    places = [place for page in make_docs.PAGES for place in make_docs.places(page.read_text(encoding="utf-8"))]
    assert sorted(places) == sorted(make_docs.TABLES)


def test_the_readme_can_be_read_in_a_few_minutes() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) < 1800


@pytest.mark.parametrize("page", make_docs.PAGES, ids=lambda page: page.name)
def test_every_file_and_heading_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        if "://" in name:
            continue
        found = page.parent / name if name else page
        assert found.exists(), target
        headings = re.findall(r"(?m)^#+ (.+)$", found.read_text(encoding="utf-8")) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}
    named = set(re.findall(r"`((?:vt|tests|scripts|benchmarks|docs|samples)/[\w./-]*)`", text))
    assert [name for name in sorted(named) if "NAME" not in name and not (ROOT / name).exists()] == []


def test_the_doctor_finds_this_machine_well(tmp_path: Path) -> None:
    done = vt("doctor", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line[9:].split(": ", 1) for line in done.stdout.splitlines())
    assert {"es", "ca", "fr", "pt", "it"} <= set(found["dubs from English into"].split())
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_says_which_model_is_wanted_for_each_stage_how_large_it_is_and_what_stands_in(
    tmp_path: Path,
) -> None:
    done = vt("doctor", cwd=tmp_path, VT_ENGINES="auto", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    found = dict(line[9:].split(": ", 1) for line in done.stdout.splitlines())
    assert found["hears"].startswith("whisper base (MIT) stands in: ")
    assert found["translates en to es"].endswith("Wanted is nllb-200-1.3B (CC-BY-NC-4.0, about 5510 MB).")
    assert found["speaks es"] == "kokoro kokoro-82m (Apache-2.0)"


def test_the_doctor_names_what_there_is_where_it_runs() -> None:
    assert doctor.remedy() == "./scripts/demo installs what a dub needs."
    listed = Path(sys.prefix) / "share" / "vt" / "packages.txt"
    assert doctor.remedy(is_clone=False).endswith(f" brings the models; {listed} lists Debian's packages.")


def test_the_doctor_names_what_is_missing_in_one_line(tmp_path: Path) -> None:
    done = vt("doctor", cwd=tmp_path, PATH="/nowhere")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "ffmpeg" in done.stderr
