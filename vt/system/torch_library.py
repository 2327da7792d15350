"""torch's largest library, opened so that other threads go on meanwhile."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

_LIBRARY = "libtorch_cpu.so"


def open_ahead() -> bool:
    """Open the library that `import torch` takes longest for, and tell whether it is open.

    The linker works through 400 MB of it for 0.2 s and more. Within an import it does so with Python's lock held: no
    other thread goes on, and no request is answered. A foreign function that ctypes calls runs without the lock.
    Where it cannot be opened, nothing is lost: `import torch` opens it, or says what is wrong.
    """
    if "torch" in sys.modules:
        return True
    found = importlib.util.find_spec("torch")
    file = Path(found.origin).parent / "lib" / _LIBRARY if found and found.origin else None
    if file is None or not file.is_file():
        return False
    opening = ctypes.CDLL(None).dlopen
    opening.argtypes, opening.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    return bool(opening(os.fsencode(file), os.RTLD_NOW))
