"""The documents say what is so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, vt

PACKAGES = (ROOT / "packages.txt").read_text().split()


def _installed(package: str) -> bool:
    return subprocess.run(["dpkg-query", "-W", package], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not all(map(_installed, PACKAGES)), reason="this Debian does not offer every pair of packages.txt")
def test_the_tables_of_the_readme_are_up_to_date(tmp_path: Path) -> None:
    script = "import make_docs; print(make_docs.written(make_docs.README.read_text(encoding='utf-8')), end='')"
    argv = [sys.executable, "-c", script]
    done = subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout == (ROOT / "README.md").read_text(encoding="utf-8")


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


def test_the_doctor_names_what_is_missing_in_one_line(tmp_path: Path) -> None:
    done = vt("doctor", cwd=tmp_path, PATH="/nowhere")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "ffmpeg" in done.stderr
