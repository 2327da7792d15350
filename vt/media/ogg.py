"""Chains of recordings in Ogg, each with a clock, a rate and a codec of its own: where they begin."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from vt.domain import Cancel
from vt.media.commands import Part
from vt.system.processes import WORK, Slots
from vt.system.sandbox import MB

_PAGE_HEAD = 27
"""Bytes of the head of a page of Ogg, in front of the sizes of what is in it."""
_MOST_RECORDINGS = 200
"""That are read one by one."""
_MOST_PAGES, _PAGES_AT_A_TIME = 300_000, 10_000
"""Of an Ogg file, that are looked through, more than a gigabyte of the usual ones | before it is asked for the end."""


def is_chain(path: Path, cancel: Cancel | None = None, slots: Slots = WORK) -> bool:
    """Return whether an Ogg file is a chain of recordings, by the heads of its pages (RFC 3533, section 6).

    ffmpeg tells the times of all of them by the rate of the first one.

    Args:
        path: the file, which is looked through to the start of a second recording.
        cancel: ends it.
        slots: limit how many files are read at a time.

    Raises:
        TooManyRequests: no slot became free in time.
    """
    return len(_first(2, path, cancel, slots)) == 2


def recordings(path: Path, cancel: Cancel | None = None, slots: Slots = WORK) -> list[Part | None]:
    """Return the parts of an Ogg file that are recordings of their own; where there are too many, all of it as one.

    Args:
        path: the file, which is looked through.
        cancel: ends it.
        slots: limit how many files are read at a time.

    Raises:
        TooManyRequests: no slot became free in time.
    """
    starts = _first(_MOST_RECORDINGS + 1, path, cancel, slots)
    if not 1 < len(starts) <= _MOST_RECORDINGS:
        return [None]
    return list(itertools.pairwise([*starts, path.stat().st_size]))


def _first(count: int, path: Path, cancel: Cancel | None, slots: Slots) -> list[int]:
    """Return where the first so many recordings of a file begin, in bytes."""
    waited = cancel or Cancel()
    with slots.one(waited), closing(_starts(path, waited)) as starts:
        return list(itertools.islice(starts, count))


def _starts(path: Path, cancel: Cancel) -> Generator[int, None, None]:
    """Yield where the recordings of a file begin, in bytes."""
    is_begun = True
    with path.open("rb") as file:
        for page in range(_MOST_PAGES):
            head = _head_of_page(file)
            if len(head) < _PAGE_HEAD:
                return
            is_first = bool(head[5] & 2)
            if is_begun and (is_first or not page):
                yield file.tell() - _PAGE_HEAD
            is_begun = not is_first
            file.seek(sum(file.read(head[26])), 1)
            if page % _PAGES_AT_A_TIME == 0:
                cancel.check()


def _head_of_page(file: BinaryIO) -> bytes:
    """Return the head of the next page of an Ogg file, behind whatever is none; a shorter one where there is none."""
    found = file.read(_PAGE_HEAD)
    while found and not found.startswith(b"OggS"):
        at = found.find(b"OggS")
        if at > 0:
            file.seek(at - len(found), 1)
            found = file.read(_PAGE_HEAD)
        else:
            more = file.read(MB)
            found = found[-3:] + more if more else b""
    return found
