"""A small local server that speaks OpenAI's chat protocol: it translates by a rule, and fails as it is told.

    with ChatServer() as server:
        Endpoint(server.url, "tiny")

Each question gets the next of its `answers`; where there is none left, every line is translated.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

ENGLISH = "The dog number {} sleeps in the old house by the river."
SPANISH = "El perro número {} duerme en la casa vieja junto al río."
_SENTENCE = re.compile(re.escape(ENGLISH).replace(r"\{\}", r"(\w+)"))

Entries = Sequence[Mapping[str, Any]]
Content = Callable[[Entries], str]
"""Makes the text of an answer of the lines that are asked for."""


def spanish(text: str) -> str:
    """Return the Spanish for a sentence of the rule; anything else in capitals."""
    found = _SENTENCE.fullmatch(text)
    return SPANISH.format(found[1]) if found else text.upper()


def lines(asked: Entries) -> list[dict[str, Any]]:
    """Return every line with its translation."""
    return [{"id": entry["id"], "text": spanish(entry["text"])} for entry in asked]


def good(asked: Entries) -> str:
    """Return what a language model that does as it is told answers."""
    return json.dumps({"lines": lines(asked)})


@dataclass(frozen=True)
class Answer:
    """What the server does with one question."""

    content: Content = good
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """In place of an answer in the protocol's form."""
    endless: bool = False
    """It goes on for ever."""
    stalls: bool = False
    """It does not come before the server is closed."""


@dataclass(frozen=True)
class Question:
    """What came."""

    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def entries(self) -> Entries:
        """All lines of it, those of the context too."""
        found: Entries = json.loads(self.body["messages"][1]["content"])["lines"]
        return found

    @property
    def asked(self) -> Entries:
        """The lines that are to be translated."""
        return [entry for entry in self.entries if "id" in entry]


class ChatServer:
    """Serves on a free port of 127.0.0.1, from `with` on until its end."""

    def __init__(self, answers: Iterable[Answer] = (), models: Answer | None = None) -> None:
        """`models` is the answer to the question which models there are."""
        self.answers = list(answers)
        self.models = models or Answer(body=b"{}")
        self.questions: list[Question] = []
        self.came = threading.Event()
        """A question is there."""
        self.closing = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End; who asks from now on is refused the connection."""
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()

    def take(self, question: Question) -> Answer:
        """Note a question and return what is done with it."""
        with self._lock:
            self.questions.append(question)
            self.came.set()
            return self.answers.pop(0) if self.answers else Answer()


class _Handler(BaseHTTPRequestHandler):
    owner: ChatServer

    def do_GET(self) -> None:
        self._send(self.owner.models, self.owner.models.body or b"")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = Question(dict(self.headers), body)
        answer = self.owner.take(question)
        if answer.stalls:
            self.owner.closing.wait()
            return
        self._send(answer, _body(answer, question) if answer.body is None else answer.body)

    def _send(self, answer: Answer, body: bytes) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        with suppress(OSError):  # who asked has gone
            if not answer.endless:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            while answer.endless and not self.owner.closing.is_set():
                self.wfile.write(b" " * 4096)

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def _body(answer: Answer, question: Question) -> bytes:
    message = {"role": "assistant", "content": answer.content(question.asked)}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return json.dumps({"choices": [{"index": 0, "message": message}], "usage": usage}).encode()
