"""The gettext catalogues of the page: `locale/CODE/LC_MESSAGES/vt.po`, one for each language but English.

The .po files are read at the start, so that no compiled files can be out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

LOCALE = Path(__file__).with_name("locale")
Catalogues: TypeAlias = Mapping[str, Catalog]
"""By the code of the language."""


def load(folder: Path = LOCALE) -> Catalogues:
    """Read all catalogues of a folder, in order of their languages' codes."""
    files = sorted(folder.glob("*/LC_MESSAGES/vt.po"))
    return {file.parents[1].name: _read(file) for file in files}


def _read(file: Path) -> Catalog:
    with file.open("rb") as opened:
        return read_po(opened, locale=file.parents[1].name, abort_invalid=True)


CATALOGUES = load()
