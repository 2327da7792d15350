"""Every regular expression of vt, found by itself, and texts that are meant to make one slow."""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import vt

LARGE = 1_000_000
"""Characters of the largest text."""
SECONDS = 0.2
"""Of the processor, for the largest text."""
_SMALL = 4_000
MOST_PAIRS = 8
"""Of an expression's own signs, that the suite tries; scripts/soak tries more of them."""
_MEASURABLE = 0.001
_SIZES = (16_000, 32_000, 64_000, 250_000, LARGE)
_PACE = SECONDS / LARGE
_FOLDER = Path(vt.__file__).parent
_MAKES = "re.Pattern"
"""In the annotation of a function that makes expressions, and so has to be given to `made_by`."""

COMMON = (
    "[", "]", "(", ")", "<", ">", "{", "}", "♪", "\"", "'", "&#", "&", ";", ":", ",", ".", "…", "-", "–", "--> ", "/",
    " ", "\n", "\r\n", "\t", "\u00a0", "0", "1", "a", "A", "é", "中", "。", "\u0301", "\u200d", "\x00", "<<<", "[(",
    "\\", "a ", "A.", "1,111", "1mil", "1:", "00:00:01,000 --> ",
    "< ", "</", "<a", "-1", "11-", "a-", "\n ", "%1", "\udc80",
)  # fmt: skip
"""What hostile texts of every kind repeat."""


@dataclass(frozen=True)
class Expression:
    """One expression, and where it stands."""

    where: str
    pattern: re.Pattern[str]


def modules() -> Iterator[ModuleType]:
    """Import every module of vt, but for the entry point."""
    yield vt
    for found in pkgutil.walk_packages(vt.__path__, "vt."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def lasting() -> Iterator[Expression]:
    """Yield the expressions that modules hold, in whatever they hold them."""
    for module in modules():
        for name, value in vars(module).items():
            for pattern in _patterns_in(value):
                yield Expression(f"{module.__name__}.{name}", pattern)


def _patterns_in(value: Any) -> Iterator[re.Pattern[str]]:  # noqa: ANN401
    if isinstance(value, re.Pattern):
        yield _of_text(value)
    elif isinstance(value, dict):
        yield from _patterns_in([*value, *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from _patterns_in(each)


@dataclass(frozen=True)
class Call:
    """A call of the module re."""

    where: str
    node: ast.Call
    function: ast.FunctionDef | ast.AsyncFunctionDef | None
    """In which it stands."""

    @property
    def is_literal(self) -> bool:
        return isinstance(self.node.args[0], ast.Constant)

    @property
    def is_named(self) -> bool:
        """Whether what it makes lasts: `lasting` finds it."""
        return self.function is None

    @property
    def makes(self) -> bool:
        """Whether its function hands expressions out."""
        return bool(self.function and self.function.returns and _MAKES in ast.unparse(self.function.returns))


@functools.cache
def calls() -> tuple[Call, ...]:
    """Return every call of the module re in vt."""
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(_FOLDER.rglob("*.py"))}
    return tuple(
        call
        for file, text in texts.items()
        if "import re\n" in text
        for call in _calls_in(ast.parse(text), file.name, None)
    )


def _calls_in(node: ast.AST, file: str, function: Any) -> Iterator[Call]:  # noqa: ANN401
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        function = node
    if isinstance(node, ast.Call) and _makes_or_uses(node.func):
        yield Call(f"{file}:{node.lineno}", node, function)
    for child in ast.iter_child_nodes(node):
        yield from _calls_in(child, file, function)


def _makes_or_uses(called: ast.expr) -> bool:
    """Tell whether this is a function of re that takes an expression."""
    match called:
        case ast.Attribute(value=ast.Name(id="re"), attr=name):
            return name != "escape"
    return False


def literal() -> Iterator[Expression]:
    """Yield the expressions that stand in the calls themselves."""
    for call in calls():
        if call.is_literal:
            text, *more = call.node.args
            flags = [part for part in map(ast.unparse, (*more, *(given.value for given in call.node.keywords)))
                     if re.fullmatch(r"re\.[A-Z]+(?: \| re\.[A-Z]+)*", part)]  # fmt: skip
            value = eval(" | ".join(flags), {"re": re}) if flags else 0  # noqa: S307 (our own source)
            assert isinstance(text, ast.Constant)
            assert isinstance(text.value, str | bytes)
            yield Expression(call.where, _of_text(re.compile(text.value, value)))


def _of_text(pattern: re.Pattern[Any]) -> re.Pattern[str]:
    """Return an expression for text; one for bytes becomes one for the text of the same signs."""
    if isinstance(pattern.pattern, str):
        return pattern
    return re.compile(pattern.pattern.decode("latin-1"), pattern.flags | re.ASCII)


def shapes(pattern: re.Pattern[str], most_pairs: int) -> Iterator[tuple[str, str]]:
    """Yield what may be hard for an expression, of its own signs and of common ones: a beginning, and what repeats."""
    # Python has no public name for its parser of regular expressions.
    own = sorted(set(_signs(re._parser.parse(pattern.pattern, pattern.flags))))  # type: ignore[attr-defined]
    pairs = list(itertools.permutations(own, 2))
    pairs = random.Random(0).sample(pairs, min(len(pairs), most_pairs))
    for piece in dict.fromkeys([*COMMON, *own, *map("".join, pairs)]):
        yield "", piece
    yield from pairs


def _signs(parsed: Iterable[Any]) -> Iterator[str]:
    """Yield the signs that stand in a parsed expression, and some that its classes hold."""
    for code, value in parsed:
        name = str(code)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(value)
        elif name == "RANGE":
            yield chr(value[0])
        elif name == "CATEGORY":
            yield {"DIGIT": "1", "SPACE": " ", "WORD": "a"}.get(str(value).rsplit("_", 1)[-1], "a")
        elif name in ("IN", "ATOMIC_GROUP"):
            yield from _signs(value)
        else:
            for part in value if isinstance(value, tuple | list) else ():
                for inner in part if isinstance(part, list) else [part]:
                    if isinstance(inner, re._parser.SubPattern):  # type: ignore[attr-defined]
                        yield from _signs(inner)


def seconds(pattern: re.Pattern[str], text: str) -> float:
    """Return the processor's time for the slowest of what can be done with an expression and a text."""
    acts: list[Callable[[str], object]] = [pattern.match, pattern.fullmatch, lambda text: _search(pattern, text)]
    return max(_took(act, text) for act in acts)


def _search(pattern: re.Pattern[str], text: str) -> None:
    for _ in pattern.finditer(text):
        pass


def slow(pattern: re.Pattern[str], most_pairs: int = MOST_PAIRS) -> str:
    """Return what repeats in a text that an expression is too slow for; nothing where there is none.

    Args:
        pattern: the expression.
        most_pairs: how many pairs of its own signs are tried at most.
    """
    slowest, most = ("", ""), -1.0
    for (start, piece), end in itertools.product(shapes(pattern, most_pairs), ("", "\0")):
        small = seconds(pattern, start + long(piece, _SMALL) + end)
        if small > _PACE * _SMALL and not _keeps_pace(pattern, start, piece, end, small):
            if not _is_slow(pattern, start, piece, end, _SIZES):
                continue
            return repr(start + piece)
        slowest, most = ((start, piece), small) if small > most else (slowest, most)
    return repr(slowest[1]) if _is_slow(pattern, *slowest, "", [LARGE]) else ""


def _keeps_pace(pattern: re.Pattern[str], start: str, piece: str, end: str, small: float) -> bool:
    """Tell, at small cost, whether one that has much to try at every character takes no longer for a longer text."""
    return any(seconds(pattern, start + long(piece, 4 * _SMALL) + end) < 6 * small for _ in range(2))


def _is_slow(pattern: re.Pattern[str], start: str, piece: str, end: str, sizes: Sequence[int]) -> bool:
    for size in sizes:
        whole, half = (start + long(piece, length) + end for length in (size, size // 2))
        if seconds(pattern, whole) > SECONDS:
            # A slow machine is no reason to fail: what grows with the text, and no faster, may take ten times as long.
            # One of three is enough: on a busy machine, any of them may be held up.
            return all(_is_beyond(pattern, whole, half) for _ in range(3))
    return False


def _is_beyond(pattern: re.Pattern[str], whole: str, half: str) -> bool:
    needed = seconds(pattern, whole)
    return needed > 10 * SECONDS or needed > max(SECONDS, 3 * seconds(pattern, half))


def long(piece: str, size: int) -> str:
    """Return a text of about so many characters that repeats a piece."""
    return piece * (size // len(piece))


def grows_too_fast(act: Callable[[str], object], piece: str) -> bool:
    """Tell whether a function takes more than ten times as long for a text that is four times as long."""
    size = _SMALL
    while _took(act, long(piece, size)) < _MEASURABLE and size < LARGE // 4:
        size *= 4
    # One of three is enough: the collector of garbage may run at any of them.
    return all(_took(act, long(piece, 4 * size)) > 10 * _took(act, long(piece, size)) for _ in range(3))


def _took(act: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    act(text)
    return time.process_time() - began
