"""Files made into what no program wrote: bytes flipped, parts cut, spliced and doubled, boxes and tags changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

_HOLDERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"udta", b"edts", b"moof", b"traf", b"mvex", b"dinf", b"ilst"}
"""Boxes of ISO 14496-12 that hold boxes."""
_MASTERS = {
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0xAE,
    0xE0,
    0xE1,
    0x1F43B675,
    0x1C53BB6B,
    0xBB,
    0xA0,
    0x1254C367,
    0x7373,
}
"""Elements of Matroska that hold elements."""
_SIZES = (0, 1, 4, 7, 8, 9, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"%s%n",
    b"../../../etc/passwd",
)
_MOST_BYTES = 400_000
"""However often parts are doubled."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A box or an element: where it begins, where its content does, where it ends, and what it is."""

    start: int
    content: int
    end: int
    kind: bytes


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """Yield the boxes of an MP4 file, outer ones before those in them."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        if size < 8 or start + size > end:
            return
        yield Piece(start, start + 8, start + size, kind)
        if kind in _HOLDERS:
            yield from boxes(data, start + 8, start + size)
        start += size


def elements(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """Yield the elements of a Matroska file, outer ones before those in them."""
    end = len(data) if end is None else end
    while start + 2 <= end:
        kind = _width(data[start])
        width = _width(data[start + kind]) if start + kind < end else 0
        content = start + kind + width
        size = int.from_bytes(data[start + kind : content], "big") & ((1 << 7 * width) - 1)
        if not (kind and width) or content > end:
            return
        last = min(end, content + size)
        yield Piece(start, content, last, data[start : start + kind])
        if int.from_bytes(data[start : start + kind], "big") in _MASTERS:
            yield from elements(data, content, last)
        start = last


def _width(first: int) -> int:
    return 9 - first.bit_length() if first else 0


def pieces(data: bytes) -> list[Piece]:
    """Return what a file is made of, where it is of a kind that is known here."""
    return list(elements(data) if data.startswith(b"\x1aE\xdf\xa3") else boxes(data))


def mutated(data: bytes, others: list[bytes], chance: Random) -> tuple[bytes, list[str]]:
    """Return a file changed in one to four ways, and the names of these."""
    names = []
    for _ in range(chance.choice((1, 1, 2, 3, 4))):
        name = chance.choice(list(WAYS))
        changed = WAYS[name](data, others, chance)
        data = changed[:_MOST_BYTES]
        names.append(name)
    return data, names


def with_other_header(data: bytes, chance: Random) -> bytes:
    """Return a file of which numbers in a box or an element, or some bytes of its first 2 kB, are others."""
    found = [piece for piece in pieces(data) if piece.kind != b"mdat"]
    if found and chance.random() < 0.6:
        return _numbers(data, chance.choice(found), chance)
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 4))):
        changed[chance.randrange(min(len(data), 2048))] = chance.randrange(256)
    return bytes(changed)


def _span(data: bytes, chance: Random, most: int = 4096) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + chance.randint(1, chance.choice((4, 64, most))))


def _flip(data: bytes, others: list[bytes], chance: Random) -> bytes:
    del others
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 20, 200))) if changed else ():
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _flip_head(data: bytes, others: list[bytes], chance: Random) -> bytes:
    return _flip(data[:512], others, chance) + data[512:]


def _cut(data: bytes, _: list[bytes], chance: Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _take_out(data: bytes, _: list[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _double(data: bytes, _: list[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 2, 50)) + data[end:]


def _splice(data: bytes, others: list[bytes], chance: Random) -> bytes:
    other = chance.choice(others)
    start, end = _span(other, chance)
    at = chance.randrange(len(data) + 1)
    return data[:at] + other[start:end] + data[at + (end - start if chance.random() < 0.5 else 0) :]


def _cross(data: bytes, others: list[bytes], chance: Random) -> bytes:
    other = chance.choice(others)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _overwrite(data: bytes, _: list[bytes], chance: Random) -> bytes:
    start, _end = _span(data, chance)
    word = chance.choice(_WORDS) * chance.choice((1, 1, 8))
    return data[:start] + word + data[start + len(word) :]


def _noise(data: bytes, _: list[bytes], chance: Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def _of_piece(change: Callable[[bytes, Piece, Random], bytes]) -> Callable[[bytes, list[bytes], Random], bytes]:
    def way(data: bytes, others: list[bytes], chance: Random) -> bytes:
        found = pieces(data)
        return change(data, chance.choice(found), chance) if found else _overwrite(data, others, chance)

    return way


def _resize(data: bytes, piece: Piece, chance: Random) -> bytes:
    """Give a box or an element another size."""
    field = slice(piece.start, piece.start + 4)
    if data.startswith(b"\x1aE\xdf\xa3"):
        field = slice(piece.start + len(piece.kind), piece.content)
        width = field.stop - field.start
        size = chance.choice((0, 1, piece.end - piece.content + 1, (1 << 7 * width) - 1, (1 << 7 * width) - 2))
        said = (1 << 7 * width) | min(size, (1 << 7 * width) - 1)
        return data[: field.start] + said.to_bytes(width, "big") + data[field.stop :]
    size = chance.choice((*_SIZES, piece.end - piece.start + chance.choice((-1, 1, 8))))
    return data[: field.start] + (size & 0xFFFFFFFF).to_bytes(4, "big") + data[field.stop :]


def _rename(data: bytes, piece: Piece, chance: Random) -> bytes:
    """Make a box or an element one of another kind."""
    kinds = [other.kind for other in pieces(data) if len(other.kind) == len(piece.kind)]
    at = data.index(piece.kind, piece.start)
    kind = chance.choice([*kinds, chance.randbytes(len(piece.kind))])
    return data[:at] + kind + data[at + len(kind) :]


def _doubled_piece(data: bytes, piece: Piece, chance: Random) -> bytes:
    return data[: piece.end] + data[piece.start : piece.end] * chance.choice((1, 1, 30)) + data[piece.end :]


def _without_piece(data: bytes, piece: Piece, chance: Random) -> bytes:
    del chance
    return data[: piece.start] + data[piece.end :]


def _nested_piece(data: bytes, piece: Piece, chance: Random) -> bytes:
    """Put a box or an element into itself."""
    return data[: piece.content] + data[piece.start : piece.end] * chance.choice((1, 10)) + data[piece.content :]


def _numbers(data: bytes, piece: Piece, chance: Random) -> bytes:
    """Overwrite numbers at the beginning of a piece's content: counts, times, sizes of pictures."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 5))):
        at = piece.content + 4 * chance.randrange(8)
        if at + 4 <= piece.end:
            number = chance.choice((*_SIZES, chance.randrange(2**32)))
            changed[at : at + 4] = number.to_bytes(4, "big")
    return bytes(changed)


WAYS: dict[str, Callable[[bytes, list[bytes], Random], bytes]] = {
    "bytes flipped": _flip,
    "bytes flipped at the beginning": _flip_head,
    "cut": _cut,
    "a part taken out": _take_out,
    "a part doubled": _double,
    "spliced": _splice,
    "crossed": _cross,
    "overwritten": _overwrite,
    "noise": _noise,
    "a size changed": _of_piece(_resize),
    "a kind changed": _of_piece(_rename),
    "a piece doubled": _of_piece(_doubled_piece),
    "a piece left out": _of_piece(_without_piece),
    "a piece nested": _of_piece(_nested_piece),
    "numbers changed": _of_piece(_numbers),
}
