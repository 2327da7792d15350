"""A server's log: lines for people or JSON for machines, each with the request and the job that it belongs to.

No line holds a whole job id, which is all that opens a job, nor a secret of the settings, nor a visitor's address.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal, TypeVar

Form = Literal["text", "json"]
_T = TypeVar("_T")

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOG_BYTES = 5 * 2**20
LOG_FILES = 3
"""Older ones that stay beside the current log."""
_CONSOLE, _FILE = "vt-console", "vt-file"
_SERVERS_OWN = ("uvicorn", "uvicorn.error")
"""Loggers that bring handlers of their own where uvicorn is started by its command."""
_ACCESS = "uvicorn.access"
_JOB_ID = re.compile(r"([a-z2-7]{6})[a-z2-7]{20,}")
"""26 signs of base 32; what is longer may hold one."""
_HIDDEN = "***"

_context: ContextVar[dict[str, str]] = ContextVar("vt_log_context", default={})  # noqa: B039 (never changed in place)

# Whoever uses vt as a library and sets up no log wants no lines of ours on stderr.
logging.getLogger("vt").addHandler(logging.NullHandler())


@contextmanager
def about(**names: str) -> Iterator[None]:
    """Have each line that is logged in the block say what it is about, such as `job` or `request`.

    Threads know nothing of it, unless what they run is `carried`.
    """
    token = _context.set(_context.get() | names)
    try:
        yield
    finally:
        _context.reset(token)


def carried(work: Callable[..., _T]) -> Callable[..., _T]:
    """Return `work` for another thread, where its lines are about the same as the caller's; to be called once."""
    return partial(copy_context().run, work)


class _Formatter(logging.Formatter):
    """One line, or several with an exception, for people; what it is about stands behind the message."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(FORMAT)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        # An exception's lines stay lines.
        return "\n".join(map(_printable, self._clean(super().format(record)).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        # What a stranger has sent, such as a file's name, is not to look like a line of its own.
        line = _printable(super().formatMessage(record))
        about = (f"{name} {value}" for name, value in _context.get().items())
        told = " ".join(said for said in about if said not in line)
        return f"{line} ({told})" if told else line

    def _clean(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        return _JOB_ID.sub(r"\1...", line)


class _JsonFormatter(_Formatter):
    """One JSON object a line, whatever happened."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_context.get(),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return _printable(json.dumps({name: self._clean(value) for name, value in told.items()}, ensure_ascii=False))


def _printable(line: str) -> str:
    """Return a line in which whatever steers a terminal, ends a line or is no character is escaped, as JSON does it."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)


def set_up(level: str, file: Path, form: Form = "text", secrets: Sequence[str] = ()) -> None:
    """Log to the console and to `file`, which rotates; a second call takes the place of the first.

    For servers only. A file that cannot be written costs the file, not the service.

    Args:
        level: from which on lines are written.
        file: made with its folder where missing.
        form: lines for people, or JSON objects.
        secrets: never to be written; asterisks stand in their place.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.name in (_CONSOLE, _FILE)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    formatter = (_JsonFormatter if form == "json" else _Formatter)(tuple(secret for secret in secrets if secret))
    _add(logging.StreamHandler(), _CONSOLE, formatter)
    _adopt()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        rotating = RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        _add(rotating, _FILE, formatter)
    except OSError as error:
        logging.getLogger(__name__).warning("The log %s cannot be written (%s).", file, error.strerror)


def _add(handler: logging.Handler, name: str, formatter: logging.Formatter) -> None:
    handler.name = name
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)


def _adopt() -> None:
    """Have the web server's lines go where all others go, but for those of each request, which hold its address."""
    for name in _SERVERS_OWN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(logging.INFO, logging.getLogger().level))  # below, it writes down every header
    logging.getLogger(_ACCESS).handlers.clear()
    errors = logging.getLogger("uvicorn.error")
    errors.removeFilter(_is_wanted)
    errors.addFilter(_is_wanted)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Tell whether a line of the web server says anything that has not been said.

    For each WebSocket it writes one with the address, and for each that is refused in good form one of an error.
    """
    return not str(record.msg).startswith(('%s - "WebSocket', "ASGI callable returned without completing handshake"))
