"""Compresses what browsers get: quickly at first; what is asked for again, once and for all as well as can be."""

from __future__ import annotations

import gzip
import hashlib
import re

import brotli
from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers, MutableHeaders

_SMALLEST = 1000
"""Bytes: less than this is not worth being compressed."""
_LARGEST = 512 * 1024
"""Bytes: more than this takes too long to be compressed as well as can be."""
_BROTLI_QUALITY, _BEST_QUALITY, _GZIP_LEVEL = 5, 11, 6
_MOST_KEPT, _MOST_SEEN = 256, 4096
"""How many bodies are compressed as well as can be, and no more: nobody can have it done for ever. The page has 70."""
_REFUSED = re.compile(r"q=0(?:\.0*)?")


def compressed(body: bytes, asked: Headers, headers: MutableHeaders) -> bytes:
    """Return a body in a form that the client takes; the headers of the answer say which it is."""
    coding = _chosen(body, asked, headers)
    if coding == "gzip":
        return gzip.compress(body, _GZIP_LEVEL)
    return _by_brotli(body, _BROTLI_QUALITY) if coding else body


class Compressor:
    """Compresses bodies for one server, from one event loop."""

    def __init__(self) -> None:
        self._best: dict[bytes, bytes] = {}
        self._seen: set[bytes] = set()
        self._one_at_a_time = CapacityLimiter(1)

    async def compressed(self, body: bytes, asked: Headers, headers: MutableHeaders) -> bytes:
        """Return a body in the best form that the client takes; the headers of the answer say which it is."""
        if _chosen(body, asked, headers) != "br" or len(body) > _LARGEST:
            return compressed(body, asked, headers)
        name = hashlib.sha256(body).digest()
        if name not in self._best and name in self._seen and len(self._best) < _MOST_KEPT:
            limiter = self._one_at_a_time
            self._best[name] = await to_thread.run_sync(_by_brotli, body, _BEST_QUALITY, limiter=limiter)
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(name)
        return self._best.get(name) or _by_brotli(body, _BROTLI_QUALITY)


def _chosen(body: bytes, asked: Headers, headers: MutableHeaders) -> str:
    """Return how a body is to be compressed, if at all, and say so in the headers of the answer."""
    headers.add_vary_header("Accept-Encoding")
    listed = (one.strip().partition(";") for one in asked.get("accept-encoding", "").lower().split(","))
    taken = {name.strip() for name, _, weight in listed if not _REFUSED.fullmatch(weight.strip())}
    coding = next((one for one in ("br", "gzip") if one in taken), "") if len(body) >= _SMALLEST else ""
    if coding:
        headers["content-encoding"] = coding
    return coding


def _by_brotli(body: bytes, quality: int) -> bytes:
    return bytes(brotli.compress(body, quality=quality))
