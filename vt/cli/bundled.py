"""`vt fetch bundled`: the models that scripts/setup brings to a clone, for a vt that pip has installed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vt.errors import ModelUnavailable, StorageError
from vt.model_files import bundle, bundling
from vt.model_files.bundling import Fetch, Workshop

NAME = "bundled"
"""What is written in place of a model's name."""


def workshop(roots: tuple[Path, ...] = bundle.ROOTS) -> Workshop:
    """Return what puts the models where they are looked for, and leaves out those that are in another place already."""
    home = bundle.home(roots)
    others = tuple(root for root in roots if root != home)
    return Workshop(home, bundling.lots(), bundling.PINS.read_text(encoding="utf-8"), others)


def get(shop: Workshop, fetch: Fetch, say: Callable[[str], object]) -> None:
    """Get all models that are not here, and those anew that have changed.

    Raises:
        ModelUnavailable: some could not be had.
        StorageError: their folder cannot be written.
    """
    try:
        bundling.drop_changed(shop, say)
        lacking = bundling.get(shop, fetch, dev=False, say=say)
    except OSError as error:
        raise StorageError(
            "The bundled models cannot be put there ({reason}).", reason=str(error.strerror), where=shop.root
        ) from error
    if lacking:
        raise ModelUnavailable(
            "Not here yet: {lacking}. When what is said above is mended, the same command goes on from there.",
            lacking=", ".join(lacking),
        )
    say(f"The bundled models are here, in {' and '.join(map(str, shop.used))}.")
