"""Imports Gradio in two thirds of the time: without the type stubs that it writes at each start."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast


@contextmanager
def without_stubs() -> Iterator[None]:
    """Import Gradio in this block, for the first time.

    For each of its components it parses their source and writes a stub beside it, mostly the one that is there: that
    takes a second, and is not possible where packages are read-only. It leaves that out for a class whose file nobody
    can name, as for one that was typed in at a prompt; so for a moment nobody can name the files of its own classes.
    """
    file_of = inspect.getfile

    def own_or_file(thing: Any) -> str:  # noqa: ANN401 (whatever may have come from a file)
        if getattr(thing, "__module__", "").partition(".")[0] == "gradio":
            raise OSError("not told while Gradio is imported")
        return str(file_of(thing))

    inspect.getfile = cast(Any, own_or_file)
    try:
        yield
    finally:
        inspect.getfile = file_of


if "gradio" not in sys.modules:
    with without_stubs():
        import gradio.components.api_component  # noqa: F401 (the only one that Gradio imports later)
