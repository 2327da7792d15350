"""Parses multipart uploads while they arrive, and writes their files to the disk, within limits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from anyio import to_thread
from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from vt.errors import BadUpload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM_BYTES = 100_000
"""How many bytes of a form may be no files."""
_LONGEST_FIELD = 10_000
_MOST_PARTS = 32
_BROKEN_OFF = "The upload broke off before its end: send it again."
_DISPOSITION = b"content-disposition"


Place = Callable[[str, str], Path]
"""Returns the path for a file, by its field and the name that the sender gave it; raises `BadUpload` to refuse it."""
Bound = tuple[int, Callable[[], Exception]]
"""A limit in bytes, and the function that makes the error where it is exceeded."""


@dataclass(slots=True)
class _Part:
    """One part of the body while it arrives."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    file: IO[bytes] | None = None
    taken: int = 0
    """Bytes of the file that have arrived."""
    value: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Upload:
    """What was received: the values of plain fields, and the names that the sender gave to files, both by field."""

    values: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, str]:
        """The value of each plain field; of one that was sent several times, the last."""
        return {name: values[-1] for name, values in self.values.items()}


def promised_bytes(headers: Mapping[str, str]) -> int:
    """Return the least size of a body's files, from its headers; 0 where they do not tell the size."""
    length = headers.get("content-length", "")
    return max(0, int(length[:18]) - FORM_BYTES) if length.isdecimal() else 0


async def receive(
    stream: AsyncIterator[bytes],
    content_type: str,
    place: Place,
    limit: int,
    too_large: Callable[[], Exception],
    on_thread: Callable[[Callable[[], None]], Awaitable[None]] = to_thread.run_sync,
    bounds: Mapping[str, Bound] | None = None,
    long_fields: Mapping[str, Bound] | None = None,
) -> Upload:
    """Parse a body, write its files, and return what it contained.

    Args:
        stream: the body.
        content_type: the request's header.
        place: returns the path for each file; called in another thread when the file begins.
        limit: how many bytes all files together may have.
        too_large: makes the error where they have more.
        on_thread: calls functions that may wait for the disk.
        bounds: lower limits for the files of single fields.
        long_fields: limits of single fields that are no files; of any other, 10,000 bytes are taken.

    Raises:
        BadUpload: it is not a multipart form, is incomplete, or `place` refused a file.
    """
    parser = _Parser(content_type, place, (limit, too_large), bounds or {}, long_fields or {})
    try:
        async for chunk in stream:
            # Writing may block, and the event loop has other requests to serve.
            await on_thread(partial(parser.write, chunk))
        return parser.finish()
    except MultipartParseError as error:
        raise BadUpload("The request's body is no whole multipart form: send it again.") from error
    except ClientDisconnect as error:
        raise BadUpload(_BROKEN_OFF) from error
    finally:
        parser.close()


class _Parser:
    """Turns the parser's callbacks into fields and files."""

    def __init__(
        self,
        content_type: str,
        place: Place,
        all_together: Bound,
        bounds: Mapping[str, Bound],
        long_fields: Mapping[str, Bound],
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadUpload("The request's body has to be a multipart form (multipart/form-data) with a film in it.")
        self._place, (self._left, self._too_large), self._bounds = place, all_together, bounds
        self._long_fields = long_fields
        self._found, self._part, self._header = Upload(), _Part(), b""
        self._parts, self._whole = 0, False
        try:
            self._parser = MultipartParser(boundary, self._callbacks())
        except FormParserError as error:
            raise BadUpload("The form's boundary is too long: 70 characters are the most (RFC 2046).") from error

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._name_header,
            "on_header_value": self._fill_header,
            "on_header_end": self._end_header,
            "on_headers_finished": self._open,
            "on_part_data": self._take,
            "on_part_end": self._end,
            "on_end": self._finished,
        }

    def write(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finish(self) -> Upload:
        if not self._whole:
            raise BadUpload(_BROKEN_OFF)
        return self._found

    def close(self) -> None:
        if self._part.file:
            self._part.file.close()

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise BadUpload("The form has too many fields.")
        self._part, self._header = _Part(), b""

    def _name_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end].lower()

    def _fill_header(self, data: bytes, start: int, end: int) -> None:
        self._part.headers[self._header] = self._part.headers.get(self._header, b"") + data[start:end]

    def _end_header(self) -> None:
        self._header = b""

    def _open(self) -> None:
        options = parse_options_header(self._part.headers.get(_DISPOSITION))[1]
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            return
        # Browsers write a quotation mark as %22, and escape nothing else but line ends (HTML, 4.10.21.8).
        name = options[b"filename"].decode("utf-8", "replace").replace("%22", '"')
        place = self._place(self._part.name, name)
        self._found.files[self._part.name] = name
        self._part.file = place.open("wb")

    def _take(self, data: bytes, start: int, end: int) -> None:
        if self._part.file:
            self._left -= end - start
            self._part.taken += end - start
            if self._left < 0:
                raise self._too_large()
            if (bound := self._bounds.get(self._part.name)) and self._part.taken > bound[0]:
                raise bound[1]()
            self._part.file.write(data[start:end])
            return
        self._part.value += data[start:end]
        most, error = self._long_fields.get(self._part.name, (_LONGEST_FIELD, self._field_too_long))
        if len(self._part.value) > most:
            raise error()

    def _field_too_long(self) -> BadUpload:
        return BadUpload("The field {name} is too long.", name=self._part.name[:40])

    def _end(self) -> None:
        if self._part.file:
            self._part.file.close()
        else:
            value = self._part.value.decode("utf-8", "replace")
            self._found.values.setdefault(self._part.name, []).append(value)

    def _finished(self) -> None:
        self._whole = True
