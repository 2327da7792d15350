"""A server's log: lines for people or JSON for machines, each with the request and the job that it belongs to.

No line contains a whole job id (whoever knows it may use the job), a secret of the settings, or a visitor's address.
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
"""How many older log files are kept."""
_CONSOLE, _FILE = "vt-console", "vt-file"
_SERVERS_OWN = ("uvicorn", "uvicorn.error")
"""Loggers that have their own handlers where the server is started by the command uvicorn."""
_ACCESS = "uvicorn.access"
_JOB_ID = re.compile(r"([a-z2-7]{6})[a-z2-7]{20,}")
"""A job id, which is 26 characters of base 32, or a longer word that may contain one."""
_HIDDEN = "***"

_context: ContextVar[dict[str, str]] = ContextVar("vt_log_context", default={})  # noqa: B039 (never changed in place)

# Where vt is used as a library and no log is set up, nothing is written to stderr.
logging.getLogger("vt").addHandler(logging.NullHandler())


@contextmanager
def about(**names: str) -> Iterator[None]:
    """Add names, such as `job` or `request`, to each line that is logged in the block.

    Other threads do not add them, unless the function that they run was made by `carried`.
    """
    token = _context.set(_context.get() | names)
    try:
        yield
    finally:
        _context.reset(token)


def carried(work: Callable[..., _T]) -> Callable[..., _T]:
    """Return `work` for another thread, where its log lines get the caller's names (`about`); call it only once."""
    return partial(copy_context().run, work)


class _Formatter(logging.Formatter):
    """Lines for people; the names of `about` come after the message."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(FORMAT)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        # The lines of a traceback stay separate lines.
        return "\n".join(map(_printable, self._clean(super().format(record)).split("\n")))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        # Text from outside, such as a file's name, must not be able to fake a line of the log.
        line = _printable(super().formatMessage(record))
        about = (f"{name} {value}" for name, value in _context.get().items())
        told = " ".join(said for said in about if said not in line)
        return f"{line} ({told})" if told else line

    def _clean(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        return _JOB_ID.sub(r"\1...", line)


class _JsonFormatter(_Formatter):
    """One JSON object for each record, on one line."""

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
    """Return a line with control characters, line ends and invalid characters escaped as in JSON."""
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in line)


def set_up(level: str, file: Path | None, form: Form = "text", secrets: Sequence[str] = ()) -> None:
    """Log to the console and to `file`, which rotates; a second call replaces the first.

    For servers only. If the file cannot be written, that is logged, and the server goes on without it.

    Args:
        level: the lowest level that is logged.
        file: made with its folder where missing; None: only the console.
        form: lines for people, or JSON objects.
        secrets: are replaced by asterisks.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if handler.name in (_CONSOLE, _FILE)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    formatter = (_JsonFormatter if form == "json" else _Formatter)(tuple(secret for secret in secrets if secret))
    _add(logging.StreamHandler(), _CONSOLE, formatter)
    _redirect_server_lines()
    if file is None:
        return
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


def _redirect_server_lines() -> None:
    """Send the web server's lines to our handlers, except the line for each request, which has the address."""
    for name in _SERVERS_OWN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(logging.INFO, logging.getLogger().level))  # at DEBUG it logs every header
    logging.getLogger(_ACCESS).handlers.clear()
    errors = logging.getLogger("uvicorn.error")
    errors.removeFilter(_is_wanted)
    errors.addFilter(_is_wanted)


def _is_wanted(record: logging.LogRecord) -> bool:
    """Tell whether a line of the web server is to be logged.

    Not wanted are the line for each WebSocket, which has the address, and the error for each WebSocket that is refused.
    """
    return not str(record.msg).startswith(('%s - "WebSocket', "ASGI callable returned without completing handshake"))
