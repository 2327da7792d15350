"""A small local server that speaks the model hub's file API, with switches for what goes wrong out there.

    with HubServer({"owner/model": folder}) as hub:
        snapshot_download("owner/model", endpoint=hub.endpoint)

Every file below a repository's folder is on its branch main. The commit is made of the files' contents: a folder that
changes has a new one. As on the hub, weights (`LARGE`) are stored apart: their ETag is the SHA-256, and their download
is a redirect to another host that must not see the token; other files have git's SHA-1 and are sent directly.

For a whole process, set HF_ENDPOINT to `endpoint`, HF_HOME to a temporary folder, and leave HF_HUB_OFFLINE unset. What
asks for repositories that are not here gets the hub's own answer for that.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

LARGE = {".bin", ".safetensors", ".model", ".onnx", ".msgpack", ".h5", ".ot", ".zip"}
"""What is stored apart, by the end of its name."""
_CHUNK = 2**16
_INFO = re.compile(r"/api/models/(?P<repo>.+?)(/revision/(?P<revision>[^/]+))?")
_TREE = re.compile(r"/api/models/(?P<repo>.+?)/tree/(?P<revision>[^/]+)/?")
_FILE = re.compile(r"/(?P<repo>[^/]+(/[^/]+)?)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")
_STORE = re.compile(r"/store/(?P<repo>.+)/-/(?P<name>.+)")


@dataclass
class Trouble:
    """What goes wrong, the first `times` times, with the requests whose "METHOD /path" contains `where`.

    The bytes of large files come from "/store/", after a redirect.
    """

    where: str = ""
    times: int = 1
    status: int | None = None
    """Answer with this status and no more."""
    after: int | None = None
    """Break off after so many bytes of the body (0: after the headers)."""
    stall: bool = False
    """Break off by silence: the line stays open, and nothing comes."""
    damage: bool = False
    """Send other bytes than the file has."""
    text: bytes | None = None
    """Answer 200 with this instead."""


@dataclass(frozen=True)
class Request:
    """One request that came in."""

    method: str
    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """By their names in lower case."""


@dataclass(frozen=True)
class _File:
    name: str
    path: Path
    size: int
    sha1: str
    """As git names it."""
    sha256: str

    @property
    def is_large(self) -> bool:
        return self.path.suffix in LARGE

    @property
    def etag(self) -> str:
        return self.sha256 if self.is_large else self.sha1


@dataclass
class HubServer:
    """Serves `repositories` (id to folder) on 127.0.0.1 for as long as the context is open."""

    repositories: Mapping[str, Path]
    gated: Collection[str] = ()
    """Whose files need a token of somebody who has accepted the licence; everybody sees what they are."""
    tokens: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The valid tokens, each with the gated repositories that it may read. Any other token is refused."""
    troubles: list[Trouble] = field(default_factory=list)
    """The first that fits is applied, until its times are used up."""
    ranges: bool = True
    """Send parts of files where asked to; false: always whole ones."""
    on_chunk: Callable[[str, int], object] = lambda _name, _sent: None
    """Called before each 64 KB of a file with its name and the bytes sent so far; may block, for a slow line."""
    requests: list[Request] = field(default_factory=list)
    """All that came in so far."""

    def __post_init__(self) -> None:
        self.closing = threading.Event()
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self._hashes: dict[tuple[Path, int, int], tuple[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = False  # so that closing waits for them
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        with self.lock:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """Where large files are, as the hub's have a host of their own."""
        return f"http://localhost:{self.port}"

    def asked(self, text: str = "") -> list[Request]:
        """Return the requests whose "METHOD /path" contains `text`."""
        with self.lock:
            return [request for request in self.requests if text in f"{request.method} {request.path}"]

    def trouble(self, what: str) -> Trouble | None:
        """Take what goes wrong with the request `what`."""
        with self.lock:
            for trouble in self.troubles:
                if trouble.times > 0 and trouble.where in what:
                    trouble.times -= 1
                    return trouble
        return None

    def files(self, repo: str) -> dict[str, _File]:
        """Return the files of a repository by name."""
        folder = self.repositories[repo]
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        return {file.name: file for file in (self._file(folder, path) for path in found)}

    def commit(self, repo: str) -> str:
        """Return the id of what is on main."""
        listed = "".join(f"{file.name} {file.sha256}\n" for file in self.files(repo).values())
        return hashlib.sha1(listed.encode(), usedforsecurity=False).hexdigest()

    def _file(self, folder: Path, path: Path) -> _File:
        status = path.stat()
        key = (path, status.st_size, status.st_mtime_ns)
        with self.lock:
            known = self._hashes.get(key)
        if known is None:
            known = _hashes(path, status.st_size)
            with self.lock:
                self._hashes[key] = known
        return _File(path.relative_to(folder).as_posix(), path, status.st_size, *known)


def _hashes(path: Path, size: int) -> tuple[str, str]:
    git, plain = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            git.update(block)
            plain.update(block)
    return git.hexdigest(), plain.hexdigest()


def _handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.hub = hub
    return Handler


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        with self.hub.lock:
            self.hub.connections.add(self.connection)

    def finish(self) -> None:
        with self.hub.lock:
            self.hub.connections.discard(self.connection)
        with suppress(OSError):  # broken off by one of the two
            super().finish()

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that has enough may go
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what was asked is in `requests`."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.hub.lock:
            self.hub.requests.append(Request(self.command, path, headers))
        trouble = self.hub.trouble(f"{self.command} {path}") or Trouble()
        if trouble.status is not None:
            self._send(trouble.status, b"{}")
        elif trouble.text is not None:
            self._send(200, trouble.text)
        else:
            self._route(path, trouble)

    def _route(self, path: str, trouble: Trouble) -> None:
        if stored := _STORE.fullmatch(path):
            self._send_file(self.hub.files(stored["repo"])[stored["name"]], {}, trouble)
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            self._refuse(401, "", "Invalid credentials in Authorization header")
            return
        for pattern, answer in ((_TREE, self._tree), (_INFO, self._info), (_FILE, self._resolve)):
            if found := pattern.fullmatch(path):
                self._in_repository(found.groupdict(), token, trouble, answer)
                return
        self._refuse(404, "", "Not found")

    def _in_repository(
        self, found: dict[str, str | None], token: str, trouble: Trouble, answer: Callable[..., None]
    ) -> None:
        repo = found["repo"] or ""
        if repo not in self.hub.repositories:
            # Whether it is missing or private is not told to strangers.
            self._refuse(404 if token else 401, "RepoNotFound", "Repository not found")
        elif found.get("revision") not in (None, "main", self.hub.commit(repo)):
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
        else:
            answer(repo, found, token, trouble)

    def _info(self, repo: str, _found: Mapping[str, str], _token: str, trouble: Trouble) -> None:
        siblings = [_sibling(file) for file in self.hub.files(repo).values()]
        gated = "auto" if repo in self.hub.gated else False
        known = {"_id": "0", "id": repo, "modelId": repo, "sha": self.hub.commit(repo), "siblings": siblings}
        self._send_json({**known, "private": False, "disabled": False, "gated": gated, "tags": []}, trouble)

    def _tree(self, repo: str, _found: Mapping[str, str], _token: str, trouble: Trouble) -> None:
        self._send_json([_entry(file) for file in self.hub.files(repo).values()], trouble)

    def _resolve(self, repo: str, found: Mapping[str, str], token: str, trouble: Trouble) -> None:
        commit = {"X-Repo-Commit": self.hub.commit(repo)}
        if repo in self.hub.gated and repo not in self.hub.tokens.get(token, ()):
            self._refuse(403 if token else 401, "GatedRepo", f"Access to model {repo} is restricted.")
            return
        file = self.hub.files(repo).get(found["name"])
        if file is None:
            self._refuse(404, "EntryNotFound", "Entry not found", commit)
        elif file.is_large:
            linked = {"X-Linked-Size": str(file.size), "X-Linked-Etag": f'"{file.etag}"'}
            self._send(302, b"", {"Location": f"{self.hub.store}/store/{repo}/-/{file.name}", **linked, **commit})
        else:
            self._send_file(file, commit, trouble)

    def _refuse(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        coded = {"X-Error-Code": code} if code else {}
        body = json.dumps({"error": message}).encode()
        self._send(status, body, {**coded, "X-Error-Message": message, **(headers or {})})

    def _send_json(self, content: Any, trouble: Trouble) -> None:  # noqa: ANN401
        body = json.dumps(content).encode()
        self._head(200, len(body), {"Content-Type": "application/json"})
        self._body(iter([body]), "", trouble)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        self._body(iter([body]), "", Trouble())

    def _send_file(self, file: _File, headers: Mapping[str, str], trouble: Trouble) -> None:
        """Send a file or, for `Range: bytes=N-`, its part from N on."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if self.hub.ranges else None
        start = int(asked[1]) if asked else 0
        named = {"ETag": f'"{file.etag}"', "Accept-Ranges": "bytes" if self.hub.ranges else "none", **headers}
        if asked and start >= file.size:
            self._send(416, b"", {**named, "Content-Range": f"bytes */{file.size}"})
            return
        if asked:
            named["Content-Range"] = f"bytes {start}-{file.size - 1}/{file.size}"
        self._head(206 if asked else 200, file.size - start, named)
        self._body(_blocks(file.path, start), file.name, trouble)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, blocks: Iterator[bytes], name: str, trouble: Trouble) -> None:
        if self.command == "HEAD":
            return
        sent = 0
        for block in blocks:
            if name:
                self.hub.on_chunk(name, sent)
            left = len(block) if trouble.after is None else trouble.after - sent
            self.wfile.write(bytes(~byte & 255 for byte in block[:left]) if trouble.damage else block[:left])
            sent += min(left, len(block))
            if trouble.after is not None and sent >= trouble.after:
                self._break_off(trouble)
                return

    def _break_off(self, trouble: Trouble) -> None:
        self.wfile.flush()
        if trouble.stall:
            self.hub.closing.wait()
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _blocks(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        while block := stream.read(_CHUNK):
            yield block


def _sibling(file: _File) -> dict[str, Any]:
    """Return a file as the answer about a model lists it."""
    large = {"lfs": {"sha256": file.sha256, "size": file.size, "pointerSize": 134}} if file.is_large else {}
    return {"rfilename": file.name, "size": file.size, "blobId": file.sha1, **large}


def _entry(file: _File) -> dict[str, Any]:
    """Return a file as the list of a tree has it."""
    large = {"lfs": {"oid": file.sha256, "size": file.size, "pointerSize": 134}} if file.is_large else {}
    return {"type": "file", "path": file.name, "size": file.size, "oid": file.sha1, **large}
