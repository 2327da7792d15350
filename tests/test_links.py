"""Films behind links: had from where they may be, within bounds, and refused in a sentence everywhere else."""

from __future__ import annotations

import argparse
import ipaddress
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import SAMPLE, vt
from vt import links
from vt.cli import linked, telling
from vt.domain import Cancel
from vt.errors import Cancelled, LinkError
from vt.links import addresses, proxy

BOUNDS = links.Bounds(megabytes=20, minutes=120, seconds=60)
HERE = "127.0.0.1"


class Site(BaseHTTPRequestHandler):
    """A film, and what leads elsewhere."""

    elsewhere = ""
    begun = threading.Event()

    def do_GET(self) -> None:
        where = self.path.partition("?")[0]
        if where == "/away":
            self.send_response(302)
            self.send_header("Location", self.elsewhere)
            self.end_headers()
        elif where == "/endless.mp4":
            self._endless()
        else:
            found = {
                "/film.mp4": ("video/mp4", SAMPLE.read_bytes()),
                "/two.html": ("text/html", b"<video src=/film.mp4></video><video src=/film.mp4?2></video>"),
                "/parts.m3u8": (
                    "application/vnd.apple.mpegurl",
                    f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{self.elsewhere}\n#EXT-X-ENDLIST\n".encode(),
                ),
            }.get(where)
            self.send_response(200 if found else 404)
            kind, body = found or ("text/plain", b"")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (http.server's name; the body is not read)

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"\0" * 65536)
                self.begun.set()
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(kind: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Serve on a port of this machine while the block runs."""
    with ThreadingHTTPServer((HERE, 0), kind) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def secret() -> Iterator[tuple[str, list[str]]]:
    """A film that nobody may reach, and what was asked of its server."""
    asked: list[str] = []

    class Secret(Site):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    with serving(Secret) as port:
        yield f"http://{HERE}:{port}/film.mp4", asked


@pytest.fixture(scope="module")
def site(secret: tuple[str, list[str]]) -> Iterator[tuple[str, int]]:
    """The address of a server, and its port, which has to be allowed."""
    Site.elsewhere = secret[0]
    with serving(Site) as port:
        yield f"http://{HERE}:{port}", port


def test_a_film_behind_a_link_is_there_with_its_name_and_its_progress(site: tuple[str, int], tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    film, name = links.obtain(
        f"{site[0]}/film.mp4", tmp_path, BOUNDS, Cancel(), lambda *now: told.append(now), allowed={(HERE, site[1])}
    )
    assert film.read_bytes() == SAMPLE.read_bytes()
    assert name == "film.mp4"
    size = SAMPLE.stat().st_size
    assert told[-1] == (size, size)


def test_a_command_takes_a_link_like_a_file_and_leaves_nothing_of_it_behind(
    site: tuple[str, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obtain = partial(links.obtain, allowed={(HERE, site[1])})
    named = [SAMPLE, f"{site[0]}/film.mp4"]
    arguments = argparse.Namespace(sources=named, out=tmp_path / "out", cookies=None, cancel=Cancel())
    with linked.brought(arguments, telling.Text(), obtain):
        here, film = arguments.sources
        assert (here, film.name, film.read_bytes()) == (SAMPLE, "film.mp4", SAMPLE.read_bytes())
    assert list(tmp_path.iterdir()) == []
    told = capsys.readouterr().out.splitlines()
    assert told[0] == f"{site[0]}/film.mp4 is being downloaded ..."
    assert told[-1].endswith("MB, 100%")


def test_a_link_that_leads_nowhere_is_the_arguments_fault(tmp_path: Path) -> None:
    done = vt("translate", "https://127.0.0.1/film.mp4", "--to", "es", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "vt: The link leads to 127.0.0.1, which is no address of the public internet, and so is not opened.\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/away", pytest.param("/parts.m3u8", marks=pytest.mark.soak)])
def test_what_a_link_leads_on_to_is_checked_as_well(
    path: str, site: tuple[str, int], secret: tuple[str, list[str]], tmp_path: Path
) -> None:
    with pytest.raises(LinkError, match=r"leads to 127\.0\.0\.1, which is no address of the public internet"):
        links.obtain(f"{site[0]}{path}", tmp_path, BOUNDS, Cancel(), allowed={(HERE, site[1])})
    assert secret[1] == []


@pytest.mark.parametrize(
    ("path", "bounds", "sentence"),
    [
        pytest.param("/two.html", BOUNDS, "leads to several films", marks=pytest.mark.soak),
        ("/endless.mp4", replace(BOUNDS, megabytes=1), r"has more than 1 MB"),
        pytest.param("/nothing", BOUNDS, "could not be opened: .*404", marks=pytest.mark.soak),
        pytest.param("/film.mp4", replace(BOUNDS, seconds=0.05), "took too long", marks=pytest.mark.soak),
    ],
)
def test_a_film_that_cannot_be_had_is_refused_in_a_sentence(
    path: str, bounds: links.Bounds, sentence: str, site: tuple[str, int], tmp_path: Path
) -> None:
    with pytest.raises(LinkError, match=sentence):
        links.obtain(f"{site[0]}{path}", tmp_path, bounds, Cancel(), allowed={(HERE, site[1])})


def test_a_host_that_nobody_knows_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr("vt.links.addresses.resolved", unknown)
    with pytest.raises(LinkError, match=r"leads to filmz\.example, which cannot be found: is it spelled right\?"):
        links.obtain("https://filmz.example/film.mp4", tmp_path, BOUNDS, Cancel())


def test_a_download_ends_when_it_is_cancelled(site: tuple[str, int], tmp_path: Path) -> None:
    cancel = Cancel()
    Site.begun.clear()

    def leave() -> None:
        Site.begun.wait(30)
        cancel.set()

    threading.Thread(target=leave, daemon=True).start()
    with pytest.raises(Cancelled):
        links.obtain(
            f"{site[0]}/endless.mp4", tmp_path, replace(BOUNDS, megabytes=4000), cancel, allowed={(HERE, site[1])}
        )


@pytest.mark.parametrize(
    "link",
    [
        "file:///etc/passwd",
        "ftp://a.example/film.mp4",
        "http://",
        "http://a b/",
        "http://a:0/",
        "https://" + "a" * 5000,
    ],
)
def test_what_is_no_link_to_a_server_is_refused_before_anything_is_opened(link: str, tmp_path: Path) -> None:
    with pytest.raises(LinkError, match="has to begin with http"):
        links.obtain(link, tmp_path, BOUNDS, Cancel())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("64:ff9b::101:101", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 (an address to be refused)
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2002:7f00:1::", False),
        ("2001:0:1::1", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_reached(address: str, public: bool) -> None:
    assert addresses.is_public(ipaddress.ip_address(address)) is public


@pytest.mark.parametrize(
    ("host", "port"),
    [("localhost", 80), ("127.1", 80), ("2130706433", 80), ("0x7f.1", 443), ("::1", 80), ("1.1.1.1", 25)],
)
def test_a_name_or_an_odd_notation_is_judged_by_the_address_that_it_leads_to(host: str, port: int) -> None:
    assert addresses.resolved(host, port) == []


def test_a_public_address_is_reached_as_it_was_checked() -> None:
    assert addresses.resolved("1.1.1.1", 443) == [("1.1.1.1", 443)]


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 403 "),
        (b"CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1\r\n\r\n", b"HTTP/1.1 403 "),
        (b"GET http://169.254.169.254/latest HTTP/1.1\r\n\r\n", b"HTTP/1.1 403 "),
        (b"GET ftp://a.example/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b"HTTP/1.1 400 "),
        (b"CONNECT 1.1.1.1:99999 HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 "),
        (b"GET http://a.example/ HTTP/1.1\r\nX: " + b"x" * 40_000, b"HTTP/1.1 431 "),
    ],
)
def test_the_proxy_answers_what_it_does_not_do_with_a_status(sent: bytes, answer: bytes, tmp_path: Path) -> None:
    with proxy.serving(tmp_path / "door", 1000), socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(10)
        asking.connect(str(tmp_path / "door"))
        asking.sendall(sent)
        assert asking.recv(100).startswith(answer)


def test_the_proxy_lets_only_so_many_bytes_through(site: tuple[str, int], tmp_path: Path) -> None:
    with (
        proxy.serving(tmp_path / "door", 100_000, {(HERE, site[1])}) as traffic,
        socket.socket(socket.AF_UNIX) as asking,
    ):
        asking.settimeout(10)
        asking.connect(str(tmp_path / "door"))
        asking.sendall(f"GET {site[0]}/film.mp4 HTTP/1.1\r\nHost: {HERE}\r\n\r\n".encode())
        came = b"".join(iter(lambda: asking.recv(65536), b""))
    assert 0 < len(came) <= 100_000 < traffic.came


def test_what_a_killed_download_left_in_the_folder_for_sockets_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, new, at_work = (tmp_path / f"vt-link-{name}" for name in ("left", "new", "at-work"))
    for folder in (left, new, at_work):
        folder.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left / "proxy"))
    with proxy.serving(at_work / "proxy", 1):
        for folder in (left, at_work):
            os.utime(folder, (0, 0))
        with proxy.door() as door:
            assert set(tmp_path.iterdir()) == {new, at_work, door.parent}
    assert set(tmp_path.iterdir()) == {new, at_work}
