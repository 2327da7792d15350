"""Gradio is imported without the stubs that it writes beside its own files."""

from __future__ import annotations

import subprocess
import sys

_IMPORTS = """
import inspect, sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import vt.ui.page
print([name for name in opened if name.endswith(".pyi")], inspect.getfile(vt.ui.page.gr.Textbox))
"""


def test_the_page_is_imported_without_a_look_at_any_stub_and_files_are_named_again_afterwards() -> None:
    said = subprocess.run([sys.executable, "-c", _IMPORTS], check=True, capture_output=True, text=True).stdout
    assert said.startswith("[] /")
    assert said.strip().endswith("gradio/components/textbox.py")
