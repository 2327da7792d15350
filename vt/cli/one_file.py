"""The dubs of one film in one file, beside their own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vt import media
from vt.cli.telling import Outcome
from vt.system import folders


def made(dubs: Sequence[Outcome], out: Path) -> Path:
    """Put the dubs of a film into one file, such as talk.es+fr.mp4, and return where it is.

    Args:
        dubs: of one film, all there; the first file of each is its film.
        out: the folder for the results.

    Raises:
        MediaError: one of their files is damaged.
        StorageError: the file cannot be written.
    """
    films = [dub.files[0] for dub in dubs]
    with folders.work_folder(out) as folder:
        target = folder / _name(dubs)
        media.join(films, target)
        (delivered,) = folders.deliver([target], out, [dubs[0].request.source])
    return delivered


def _name(dubs: Sequence[Outcome]) -> str:
    """Return the name of the first dub's film, with all languages in place of its own."""
    first = dubs[0].files[0]
    codes = [dub.request.target_language.code for dub in dubs if dub.request.target_language]
    return f"{first.stem.removesuffix(codes[0])}{'+'.join(codes)}{first.suffix}"
