"""All results of a job as one ZIP file, made while it is sent: it lies nowhere, and takes no memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence

from vt.jobs.results import ResultFile, ResultText

_PART = 2**18
_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that the format knows: when each file was made is no matter here."""


def zipped(files: Sequence[ResultFile | ResultText]) -> Iterator[bytes]:
    """Yield a ZIP file of these files, part by part; films are compressed already, so nothing is compressed again.

    Raises:
        OSError: a file has gone.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name, _DATE)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as target:
                for part in _parts(file):
                    target.write(part)
                    yield sink.taken()
    yield sink.taken()


def _parts(file: ResultFile | ResultText) -> Iterator[bytes]:
    if isinstance(file, ResultText):
        yield file.text.encode()
        return
    with file.path.open("rb") as content:
        while part := content.read(_PART):
            yield part


class _Sink:
    """A file that can only be written to, from which the bytes are taken as they come."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes, /) -> int:
        self._written += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: what was written is there at once."""

    def close(self) -> None:
        """Do nothing: whoever takes the bytes knows when they end."""

    def taken(self) -> bytes:
        taken, self._written = bytes(self._written), bytearray()
        return taken
