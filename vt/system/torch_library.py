"""The import of torch, made so that other threads go on meanwhile."""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

_LIBRARY = "libtorch_cpu.so"
_ONE_AT_A_TIME = threading.Lock()


def import_ahead() -> bool:
    """Import torch, and tell whether it could be; the caller's own `import torch` says what is wrong otherwise.

    Two things would hold up every answer of a server. The linker works through 400 MB of torch's largest library for
    0.2 s and more, with Python's lock held; a foreign function that ctypes calls runs without it. And the import makes
    so many objects that Python looks for garbage among all of them; it does not until the import is over, and never
    among these where the process has frozen what it had at its start, as a server does.
    """
    with _ONE_AT_A_TIME:
        if "torch" in sys.modules:
            return True
        _open_library()
        collects = gc.isenabled()
        gc.disable()
        try:
            with suppress(ImportError, OSError):
                importlib.import_module("torch")
            if gc.get_freeze_count():
                gc.freeze()
        finally:
            if collects:
                gc.enable()
        return "torch" in sys.modules


def _open_library() -> None:
    found = importlib.util.find_spec("torch")
    file = Path(found.origin).parent / "lib" / _LIBRARY if found and found.origin else None
    if file is None or not file.is_file():
        return
    opening = ctypes.CDLL(None).dlopen
    opening.argtypes, opening.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    opening(os.fsencode(file), os.RTLD_NOW)
