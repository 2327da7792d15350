"""Errors as MCP has them where a request is refused before any tool is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_INVALID_REQUEST = -32600
"""Of JSON-RPC 2.0, section 5.1."""


def shape(status: int, sentence: str) -> tuple[int, Mapping[str, Any]]:
    """Return the status and the body of a refusal."""
    return status, {"jsonrpc": "2.0", "id": None, "error": {"code": _INVALID_REQUEST, "message": sentence}}
