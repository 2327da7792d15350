"""The extras of the package: which libraries a base install does not have, and the command that brings them."""

from __future__ import annotations

import importlib.util
import shlex
from collections.abc import Callable, Mapping
from functools import cache

from vt.translatable import Message

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "kokoro": ("onnxruntime",),
    "hub": ("torch", "transformers", "uroman"),
    "speakers": ("torch",),
}
"""The modules that engines take of each extra; a test holds that pyproject.toml brings them."""
_REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    "kokoro": ("onnxruntime~=1.32",),
    "hub": ("transformers~=5.23", "torch~=2.13", "uroman~=1.3"),
    "speakers": ("torch~=2.13",),
    "url": ("yt-dlp>=2026.10",),
    "ray": ("ray~=2.60",),
    "mcp": ("mcp~=2.3",),
    "login": ("authlib~=1.9", "itsdangerous~=2.2"),
}
"""As in pyproject.toml; a test holds that they are."""


def command(extra: str) -> str:
    """Return the command that installs what an extra brings.

    It names the libraries, not the extra: on PyPI, where pip would look, the name vt is that of another project.
    """
    return shlex.join(["pip", "install", *_REQUIREMENTS[extra]])


@cache
def is_installed(module: str) -> bool:
    """Tell whether a library is here, without loading it; what is installed later counts after the next start."""
    return importlib.util.find_spec(module) is not None


def lack(engine: str, extra: str, is_here: Callable[[str], bool] = is_installed) -> Message | None:
    """Say which libraries of an engine are not installed, and what brings them; None where all are here."""
    missing = [module for module in PACKAGES[extra] if not is_here(module)]
    if not missing:
        return None
    return Message(
        "The engine {engine} needs what is not installed here ({missing}): {command} brings it.",
        engine=engine,
        missing=", ".join(missing),
        command=command(extra),
    )
