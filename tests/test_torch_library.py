"""torch is imported without holding up other threads, and works as ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from vt.system import torch_library

_SCRIPT = """
import gc, importlib, sys
from vt.system import torch_library

def is_open():
    with open("/proc/self/maps") as maps:
        return "libtorch_cpu.so" in maps.read()

seen = []
find = importlib.import_module
importlib.import_module = lambda name: seen.append((name, is_open(), gc.isenabled())) or find(name)
{begin}
before = gc.get_freeze_count()
assert not is_open()
assert torch_library.import_ahead()
assert seen[0] == ("torch", True, False), seen[0]
assert gc.isenabled() == {enabled}
assert (gc.get_freeze_count() > before + 10_000) == {frozen}
assert float(sys.modules["torch"].ones(3).sum()) == 3.0
assert torch_library.import_ahead() and [name for name, *_ in seen].count("torch") == 1
"""


@pytest.mark.parametrize(
    ("begin", "enabled", "frozen"),
    [("", True, False), ("gc.disable()", False, False), ("gc.freeze()", True, True)],
    ids=["as it comes", "no collections", "frozen before"],
)
def test_torch_is_imported_with_its_library_open_and_no_collection_meanwhile(
    begin: str, *, enabled: bool, frozen: bool
) -> None:
    script = _SCRIPT.format(begin=begin, enabled=enabled, frozen=frozen)
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_where_there_is_no_torch_nothing_is_imported_and_collections_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr("importlib.import_module", missing)
    assert not torch_library.import_ahead()
