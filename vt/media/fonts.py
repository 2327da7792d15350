"""Fonts for subtitles in the picture: which of those that are installed has the letters of a language."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

from vt.errors import ToolMissing
from vt.languages import Language
from vt.system.processes import TOOL, Child, run

_CONFIGURATION = (Path("/etc/fonts"), Path("/var/cache/fontconfig"))
_OF_USERS = (".fonts", ".fonts.conf", ".config/fontconfig", ".local/share/fonts")
_OF_REGIONS = {"zh": "SC", "zh-Hant": "TC", "yue": "HK", "ja": "JP", "ko": "KR"}
"""Noto Sans CJK draws many signs as it is usual in one region, and has a name for each."""
_PACKAGES = {True: "fonts-noto-cjk", False: "fonts-noto-core"}
"""Debian's, for those languages and for all others."""
_FORMAT = "%{family[0]}\t%{index}\t%{file}\n"
_LATIN = "AZaz09.!?()"
_USUAL_HEIGHT = 1.362
"""Noto Sans's."""
_MOST_TABLES = 64
List = Callable[[str], str]


class Font(NamedTuple):
    """A font that is installed."""

    family: str
    height: float
    """Of a line, in sizes of the letters: for renderers that take a font's size for this height, as those of ASS do."""


def folders() -> list[Path]:
    """Return what fontconfig reads outside of the system's folders: a program that draws text has to see it."""
    own = [Path.home() / name for name in _OF_USERS]
    return [path for path in (*_CONFIGURATION, *own) if path.exists()]


def _listed(pattern: str) -> str:
    return run(Child(["fc-list", "--format", _FORMAT, pattern], TOOL, reads=folders(), purpose="find fonts")).decode(
        errors="replace"
    )


def font_for(language: Language, listed: List = _listed) -> Font:
    """Return the font to draw a language with: of Noto Sans where there is one.

    Args:
        language: told by the letters of its own name.
        listed: returns what fontconfig has for a pattern, a line each: family, number within the file, file.

    Raises:
        ToolMissing: no font that is installed has its letters.
    """
    letters = "".join(sign for sign in language.native_name if sign.isalnum())
    # A renderer takes what a font lacks from another one, whose letters are of another size.
    found = _with(letters + _LATIN, listed) or _with(letters, listed)
    if not found:
        raise ToolMissing(
            "No font here has the letters of {language}, so its subtitles cannot be drawn into the picture: install "
            "the package {package}.",
            language=language,
            package=_PACKAGES[language.code in _OF_REGIONS],
        )
    region = _OF_REGIONS.get(language.code, "")
    family, index, file = min(
        found, key=lambda row: (not row[0].startswith("Noto Sans"), region not in row[0], len(row[0]), row)
    )
    return Font(family, _height(Path(file), int(index) & 0xFFFF))


def _with(letters: str, listed: List) -> list[list[str]]:
    """Return the fonts that have some letters: family, number within the file, file."""
    lines = listed(f":charset={' '.join(sorted({f'{ord(sign):x}' for sign in letters}))}").splitlines()
    rows = [line.split("\t") for line in lines if line.count("\t") == 2]
    return [row for row in rows if "," not in row[0]]  # with which ASS parts the values of a style


def _height(file: Path, index: int) -> float:
    """Return the height of a font's lines by its tables OS/2 and head (OpenType 1.9), as Windows takes it."""
    try:
        with file.open("rb") as font:
            tables = _tables(font, index)
            font.seek(tables[b"OS/2"] + 74)
            above, below = struct.unpack(">HH", font.read(4))
            font.seek(tables[b"head"] + 18)
            (unit,) = struct.unpack(">H", font.read(2))
            return float(above + below) / unit or _USUAL_HEIGHT
    except (OSError, KeyError, struct.error, ZeroDivisionError):  # a font of another kind
        return _USUAL_HEIGHT


def _tables(font: BinaryIO, index: int) -> dict[bytes, int]:
    """Return where the tables of a font begin in its file."""
    start = 0
    if font.read(4) == b"ttcf":
        font.seek(12 + 4 * index)
        (start,) = struct.unpack(">I", font.read(4))
    font.seek(start + 4)
    (count,) = struct.unpack(">H", font.read(2))
    font.seek(start + 12)
    rows = (struct.unpack(">4sIII", font.read(16)) for _ in range(min(count, _MOST_TABLES)))
    return {name: offset for name, _, offset, _ in rows}
