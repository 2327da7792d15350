"""The extras of the package: which libraries of engines a base install does not have, and the sentence on that."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cache

from vt.translatable import Message

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "kokoro": ("onnxruntime",),
    "hub": ("torch", "transformers", "uroman"),
    "speakers": ("torch",),
}
"""The modules that each extra of pyproject.toml brings; a test holds that it does."""


@cache
def is_installed(module: str) -> bool:
    """Tell whether a library is here, without loading it; what is installed later counts after the next start."""
    return importlib.util.find_spec(module) is not None


def lack(engine: str, extra: str, is_here: Callable[[str], bool] = is_installed) -> Message | None:
    """Say which libraries of an engine are not installed, and which extra brings them; None where all are here."""
    missing = [module for module in PACKAGES[extra] if not is_here(module)]
    if not missing:
        return None
    return Message(
        "The engine {engine} needs what is not installed here ({missing}): pip install 'vt[{extra}]' brings it.",
        engine=engine,
        missing=", ".join(missing),
        extra=extra,
    )
