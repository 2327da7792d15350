"""A forward proxy on a Unix socket: it connects to public addresses alone, and lets through only so many bytes."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from vt.links import addresses
from vt.links.addresses import Endpoint

_MOST_HEAD_BYTES = 32 * 1024
_HEAD_SECONDS, _CONNECT_SECONDS, _IDLE_SECONDS = 10.0, 15.0, 60.0
_MOST_CONNECTIONS = 64
_DOORS, _SOCKET = "vt-link-", "proxy"
"""The beginning of the names of sockets' folders, and the name of each socket."""
_NEW_SECONDS = 60.0
"""A folder is not looked at before: its proxy may be about to listen."""
_BLOCK = 1 << 16
_REQUEST = re.compile(rb"([A-Z]{3,10}) (\S{1,16384}) HTTP/1\.[01]")
_HOP_BY_HOP = (b"connection:", b"proxy-connection:", b"proxy-authorization:", b"keep-alive:")


@dataclass(slots=True)
class Traffic:
    """What has gone through. Any thread may call any method."""

    most: int
    """Bytes that may come in all."""
    came: int = 0
    refused: list[str] = field(default_factory=list)
    """Hosts that are not to be reached."""
    unknown: list[str] = field(default_factory=list)
    """Hosts whose name nobody knows."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def takes(self, count: int) -> bool:
        """Count bytes that came; False where these are too many."""
        with self.lock:
            self.came += count
            return self.came <= self.most

    def refuse(self, host: str) -> None:
        """Remember a host that is not to be reached; some of them are enough to say it."""
        self._remember(host, self.refused)

    def miss(self, host: str) -> None:
        """Remember a host whose name nobody knows."""
        self._remember(host, self.unknown)

    def _remember(self, host: str, hosts: list[str]) -> None:
        with self.lock:
            if len(hosts) < _MOST_CONNECTIONS:
                hosts.append(host)


class _Refused(Exception):
    """A request is answered with this status, and with nothing else."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, place: Path, traffic: Traffic, allowed: Collection[Endpoint]) -> None:
        self.traffic, self.allowed = traffic, allowed
        self.room = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(str(place), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a connection that breaks is told to whoever asked, by its end."""


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        if not self.server.room.acquire(blocking=False):
            return
        try:
            with self._asked() as (remote, first):
                remote.sendall(first)
                self._splice(remote)
        except _Refused as refused:
            with suppress(OSError):
                self.request.sendall(f"HTTP/1.1 {refused}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode())
        finally:
            self.server.room.release()

    @contextmanager
    def _asked(self) -> Iterator[tuple[socket.socket, bytes]]:
        """Read the head of a request, and connect; with what is to be sent there first."""
        head, rest = self._head()
        lines = head.split(b"\r\n")
        match = _REQUEST.fullmatch(lines[0])
        if not match:
            raise _Refused("400 Bad Request")
        method, target = match[1], match[2].decode("ascii", "replace")
        try:
            parts = urlsplit(f"//{target}" if method == b"CONNECT" else target)
            host, port = parts.hostname or "", parts.port or 80
        except ValueError:
            raise _Refused("400 Bad Request") from None
        if not host or (method != b"CONNECT" and parts.scheme != "http"):
            raise _Refused("400 Bad Request")
        with self._connected(host, port) as remote:
            if method == b"CONNECT":
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                yield remote, rest
                return
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            kept = [line for line in lines[1:] if not line.lower().startswith(_HOP_BY_HOP)]
            start = b"%b %b HTTP/1.1" % (method, path.encode())
            yield remote, b"\r\n".join([start, *kept, b"Connection: close", b"", b""]) + rest

    def _head(self) -> tuple[bytes, bytes]:
        self.request.settimeout(_HEAD_SECONDS)
        read = b""
        while b"\r\n\r\n" not in read:
            block = self.request.recv(_BLOCK)
            read += block
            if not block or len(read) > _MOST_HEAD_BYTES:
                raise _Refused("431 Request Header Fields Too Large")
        head, _, rest = read.partition(b"\r\n\r\n")
        return head, rest

    def _connected(self, host: str, port: int) -> socket.socket:
        try:
            found = addresses.resolved(host, port, self.server.allowed)
        except (OSError, UnicodeError):
            self.server.traffic.miss(host)
            raise _Refused("502 Bad Gateway") from None
        if not found:
            self.server.traffic.refuse(host)
            raise _Refused("403 Forbidden")
        for endpoint in found:
            with suppress(OSError):
                return socket.create_connection(endpoint, _CONNECT_SECONDS)
        raise _Refused("502 Bad Gateway")

    def _splice(self, remote: socket.socket) -> None:
        """Hand bytes on in both directions until one side ends, is silent for too long, or too much has come."""
        others = {self.request: remote, remote: self.request}
        for one in others:
            one.settimeout(_IDLE_SECONDS)
        with selectors.DefaultSelector() as waiting:
            for one in others:
                waiting.register(one, selectors.EVENT_READ)
            while ready := waiting.select(_IDLE_SECONDS):
                for key, _ in ready:
                    source = key.fileobj
                    assert isinstance(source, socket.socket)  # noqa: S101 (the two that were registered)
                    block = source.recv(_BLOCK)
                    if not block or (source is remote and not self.server.traffic.takes(len(block))):
                        return
                    others[source].sendall(block)


@contextmanager
def door() -> Iterator[Path]:
    """Return the place of a socket in a folder of its own, which goes when the block ends.

    It is where sockets can be on any machine, and so is no part of what is downloaded. What killed processes left there
    is removed first.
    """
    for folder in Path(tempfile.gettempdir()).glob(f"{_DOORS}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_DOORS) as name:
        yield Path(name) / _SOCKET


def _is_left(folder: Path) -> bool:
    """Tell whether a folder of a socket is ours, and nobody listens there any more."""
    try:
        known = folder.lstat()
        if known.st_uid != os.getuid() or time.time() - known.st_mtime < _NEW_SECONDS:
            return False
        with socket.socket(socket.AF_UNIX) as asking:
            asking.setblocking(False)
            asking.connect(str(folder / _SOCKET))
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False


@contextmanager
def serving(place: Path, most: int, allowed: Collection[Endpoint] = ()) -> Iterator[Traffic]:
    """Serve the proxy at a Unix socket while the block runs.

    Args:
        place: of the socket, in a folder that nobody else can open.
        most: bytes that may come in all.
        allowed: addresses that may be reached although they are not public.
    """
    traffic = Traffic(most)
    with _Server(place, traffic, allowed) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="links", daemon=True)
        thread.start()
        try:
            yield traffic
        finally:
            server.shutdown()
            thread.join()
