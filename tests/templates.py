"""The templates of messages as they stand in the code: found in its syntax trees, whether or not a test comes by."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vt import errors

ROOT = Path(errors.__file__).parent
MAKERS = {
    "Message",
    *(name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.VtError)),
}
OF_ERRORS = {"where", "said", "by_limit", "retry_after"}
"""Arguments of errors that are no values of their sentences."""


@dataclass(frozen=True, slots=True)
class Made:
    """One place at which a message or an error is made."""

    place: str
    """The file in vt/."""
    line: int
    template: str | None
    """None where it is no literal, but comes from elsewhere."""
    is_finished: bool
    """Its values have been put in already."""
    names: frozenset[str]
    """Of the values that stand there."""
    has_more: bool
    """Values come from a mapping, too."""


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    """Return the modules of vt."""
    files = sorted(ROOT.rglob("*.py"))
    return tuple((str(file.relative_to(ROOT)), ast.parse(file.read_text(encoding="utf-8"))) for file in files)


@cache
def made() -> tuple[Made, ...]:
    """Return all messages and errors that are made of something."""
    calls = ((place, node) for place, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call))
    return tuple(_made(place, call) for place, call in calls if call.args and _name(call.func) in MAKERS)


@cache
def texts() -> frozenset[str]:
    """Return all texts in the code."""
    nodes = (node for _, tree in trees() for node in ast.walk(tree))
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def _made(place: str, call: ast.Call) -> Made:
    first = call.args[0]
    literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
    names = frozenset(keyword.arg for keyword in call.keywords if keyword.arg)
    more = any(keyword.arg is None for keyword in call.keywords)
    return Made(place, call.lineno, literal, isinstance(first, ast.JoinedStr), names - OF_ERRORS, more)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
