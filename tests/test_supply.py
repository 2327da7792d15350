"""What is installed is what was tried: each file by its hash, and nothing that the pins do not name."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import lock

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-cuda.lock", "requirements-cpu.lock")


def test_locks_and_pins_name_the_same_versions_of_the_same_packages() -> None:
    running, dev = lock.pins("requirements.txt"), lock.pins("requirements-dev.txt")
    for name in lock.NEVER_LOADED:
        del running[name]
    assert lock.pins("requirements.lock") == running
    assert lock.pins("requirements-dev.lock") == dev
    assert lock.pins("requirements-cpu.lock") == {"torch": f"{running['torch']}+cpu"}
    assert not lock.pins("requirements-cuda.lock").keys() & (running.keys() | dev.keys())


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
    (install,) = re.findall(r".*-m pip install.*", re.sub(r"\\\n|#.*", "", script))
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(install.split())
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes --no-deps --only-binary :all:" in image


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
