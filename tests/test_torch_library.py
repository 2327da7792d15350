"""torch's largest library is opened before the import that needs it, and torch works as ever."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from vt.system import torch_library

_SCRIPT = """
import sys
from vt.system import torch_library

def is_open():
    with open("/proc/self/maps") as maps:
        return "libtorch_cpu.so" in maps.read()

assert not is_open()
assert torch_library.open_ahead()
assert is_open() and "torch" not in sys.modules
import torch
assert float(torch.ones(3).sum()) == 3.0
assert torch_library.open_ahead()
"""


def test_the_library_is_open_before_torch_is_imported_which_then_computes() -> None:
    subprocess.run([sys.executable, "-c", _SCRIPT], check=True, cwd=ROOT)


def test_where_there_is_no_torch_nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert not torch_library.open_ahead()
