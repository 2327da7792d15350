"""Archives of a package index, without pip: found by their hashes, and downloaded so that a stop costs little.

Where pip installs into an environment from outside, as pipx and uv do, there is none in it.
Source of the protocol: https://packaging.python.org/en/latest/specifications/simple-repository-api/
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import httpx

from vt.model_files.bundling import Lack, Unfinished

_MB = 10**6
_LONGEST_PAGE = 4 * _MB
_WORTHWHILE_BYTES = _MB
"""After a try that brought so much, the tries are counted from the beginning."""
_TRIES = 3
_TELL_SECONDS = 3.0
_PATIENCE = httpx.Timeout(30, connect=5)
_BEYOND = 416
"""The status of a part that begins where the file has ended."""
_PASSING = {408, _BEYOND, 429, 500, 502, 503, 504}
_SHA256 = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


@dataclass(slots=True)
class Index:
    """A package index."""

    address: str = field(repr=False)
    """Of its pages, such as https://pypi.org/simple; a name and a password may stand in it."""
    tell: Callable[[str], object]
    """Is called with sentences on how far a download is."""
    longest_seconds: float = 1800
    """How long one archive may take: a hundred megabytes on a slow line."""
    largest_bytes: int = 256 * _MB
    """How large one archive may be."""
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = time.sleep
    _silence: str = field(default="", init=False)
    """Why nothing has ever been answered here; then nobody is asked again."""
    _has_answered: bool = field(default=False, init=False)
    _told_at: float = field(default=float("-inf"), init=False)

    def fetch(self, package: str, pin: str, folder: Path) -> Path:
        """Put the archive of a pin, which has one hash, into `folder` and return it; it goes on with what is there.

        Raises:
            Unfinished: the connection broke, or was too slow.
            Lack: the index does not have it, or has another one, or does not answer.
            OSError: the folder cannot be written.
        """
        (sha256,) = _SHA256.findall(pin)
        archive, begun = folder / f"{package}.whl", folder / f"{sha256}.part"
        if not _has(archive, sha256):
            if not _has(begun, sha256):
                self._persist(package, sha256, begun)
            if not _has(begun, sha256):
                raise Lack(f"{package}: its file is another than the one that was tried")
            begun.replace(archive)
        return archive

    def _persist(self, package: str, sha256: str, begun: Path) -> None:
        """Download, and try again where that may help."""
        if self._silence:
            raise Lack(f"{package}: {self._silence}")
        failures, ends = 0, self.clock() + self.longest_seconds
        while True:
            before = _size(begun)
            try:
                with _client() as client:
                    return self._append(client, package, self._found(client, package, sha256, ends), begun, ends)
            except httpx.InvalidURL as error:
                raise Lack(f"{package}: the index has an address that is none") from error
            except httpx.HTTPError as error:
                if isinstance(error, httpx.HTTPStatusError) and error.response.status_code == _BEYOND:
                    begun.unlink(missing_ok=True)  # it is longer than the file
                failures = 1 if _size(begun) - before >= _WORTHWHILE_BYTES else failures + 1
                if failures >= _TRIES or not _passes(error):
                    raise self._given_up(package, begun, error) from error
            self.wait(2.0 ** (failures - 1))

    def _given_up(self, package: str, begun: Path, error: httpx.HTTPError) -> Lack:
        why = _reason(error)
        if not (self._has_answered or isinstance(error, httpx.HTTPStatusError)):
            self._silence = why
        here = _size(begun)
        return Unfinished(f"{package}: {why}, {here / _MB:.0f} MB are here") if here else Lack(f"{package}: {why}")

    def _found(self, client: httpx.Client, package: str, sha256: str, ends: float) -> str:
        """Return where the index says that the file of a hash lies."""
        page = bytearray()
        page_of_package = f"{self.address.rstrip('/')}/{package}/"
        with self._asked(client, page_of_package, {"Accept": "text/html"}) as response:
            self._has_answered = True
            for chunk in response.iter_bytes():
                page += chunk
                self._check_time(package, ends)
                if len(page) > _LONGEST_PAGE:
                    raise Lack(f"{package}: what answers is no package index")
        links = _Links()
        links.feed(page.decode(errors="replace"))
        for link in links.found:
            address, _, fragment = link.partition("#")
            if fragment == f"sha256={sha256}":
                return str(response.url.join(address))
        raise Lack(f"{package}: the index no longer has the file that was tried")

    def _append(self, client: httpx.Client, package: str, address: str, begun: Path, ends: float) -> None:
        """Download what is missing of a file, or all of it where the server sends all."""
        here = _size(begun)
        # Compressed, a file has no parts to go on with.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        with self._asked(client, address, headers) as response:
            goes_on = response.status_code == httpx.codes.PARTIAL_CONTENT
            total = int(response.headers.get("Content-Length", 0)) + here * goes_on
            with begun.open("ab" if goes_on else "wb") as stream:
                for chunk in response.iter_bytes():
                    stream.write(chunk)
                    here = stream.tell()
                    if here > self.largest_bytes:
                        raise Lack(f"{package}: its file is larger than any that was tried")
                    self._check_time(package, ends)
                    self._tell_how_far(package, here, total)

    def _check_time(self, package: str, ends: float) -> None:
        if self.clock() > ends:
            raise Unfinished(f"{package}: it took longer than {self.longest_seconds / 60:.0f} minutes")

    def _tell_how_far(self, package: str, here: int, total: int) -> None:
        now = self.clock()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            of_all = f" of {total / _MB:.0f}" if total else ""
            self.tell(f"{package}: {here / _MB:.0f}{of_all} MB.")

    @contextmanager
    def _asked(self, client: httpx.Client, address: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Ask for an address. The index's name and password go to its own host alone, and into no log."""
        index, url = httpx.URL(self.address), httpx.URL(address).copy_with(username=None, password=None)
        is_own = (url.scheme, url.host, url.port) == (index.scheme, index.host, index.port)
        auth = (index.username, index.password) if is_own and index.username else None
        with client.stream("GET", url, headers=headers, auth=auth) as response:
            response.raise_for_status()
            yield response


def _client() -> httpx.Client:
    try:
        return httpx.Client(timeout=_PATIENCE, follow_redirects=True, headers={"User-Agent": "vt"})
    except (OSError, ValueError, ImportError) as error:
        raise Lack("no connection can be made: check SSL_CERT_FILE and the proxies that are set") from error


class _Links(HTMLParser):
    """The addresses that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address of a link."""
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _has(file: Path, sha256: str) -> bool:
    """Tell whether a file is there and has a sum."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def _passes(error: httpx.HTTPError) -> bool:
    """Tell whether trying again may help."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _PASSING
    return not isinstance(error, httpx.UnsupportedProtocol)


def _reason(error: httpx.HTTPError) -> str:
    """Return what an error means, without a full stop."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return "the index does not have it" if status == 404 else f"{error.request.url.host} answers {status}"
    if isinstance(error, httpx.UnsupportedProtocol):
        return "the index has an address that begins with neither http:// nor https://"
    if "CERTIFICATE" in str(error):
        return f"{error.request.url.host} has a certificate that nobody here vouches for: see SSL_CERT_FILE"
    if isinstance(error, httpx.ConnectError | httpx.TimeoutException):
        return f"{error.request.url.host} does not answer"
    return f"the connection to {error.request.url.host} broke"
