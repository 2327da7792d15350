"""Checks calls of the page's functions: a call from outside is checked as a whole before Gradio sees it."""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.components.api_component import Api

from vt.domain import OPTIONS, subtitle_track
from vt.errors import BadCall, BrokenCall, CallTooLarge, NoSuchCall, UploadGone
from vt.ui.gateway import uploads
from vt.ui.gateway.uploads import Owner

SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The form of the names that Gradio's clients give to sessions and events."""
_DEEPEST = 32
_MOST_VALUES = 100_000
_MOST_DATA = 100_000
"""Characters of all arguments of a call. Gradio keeps them as long as the session; it does not keep an event's data."""
_LARGEST = 2**53
_NOT_NEEDED = (*OPTIONS, "keep")
"""Inputs that a client may leave out at the end."""


class Calls:
    """The functions of a page, and the forms in which each may be called."""

    def __init__(self, page: gr.Blocks) -> None:
        self._page = page

    def checked(self, route: str, name: str, body: bytes, owner: Owner) -> tuple[str, bytes]:
        """Return a call's session, and the body that Gradio is given: only the values that it needs, all checked.

        Args:
            route: `run`, `call`, `queue`, `cancel` or `reset`, as the address names it.
            name: the function's name in the address; empty: the body gives its number.
            body: JSON.
            owner: whose uploads the call may name.

        Raises:
            BadCall: the call has a form that is not accepted.
        """
        sent = _parsed(body)
        if route in ("cancel", "reset"):
            stopped = _stopped(route, sent)
            return stopped.get("session_hash", ""), json.dumps(stopped).encode()
        function = self._function(route, name, sent.get("fn_index"))
        known: dict[str, Any] = {
            "session_hash": _session(sent.get("session_hash")),
            "data": _arguments(function, sent.get("data"), owner),
        }
        if route != "call":
            known |= {"fn_index": function._id, "event_data": _mended(sent.get("event_data"), owner)}
        if route == "queue" and known["session_hash"] is None:
            raise BrokenCall("The call needs a session_hash.")
        if route == "call":
            known["session_hash"] = known["session_hash"] or secrets.token_hex(
                16
            )  # so that its result can be dropped later
        return known["session_hash"] or "", json.dumps(known).encode()

    def awaits(self, session: str) -> bool:
        """Tell whether a session has calls whose results can be listened to."""
        return session in self._page._queue.pending_messages_per_session

    def session_of(self, event: str) -> str | None:
        """Return the session of a call that runs or whose result has not been fetched; None: there is no such call."""
        pending = self._page._queue.pending_event_ids_session
        return next((session for session, events in pending.items() if event in events), None)

    def _function(self, route: str, name: str, number: object) -> BlockFunction:
        """Return the function that is called. A name finds endpoints only, a number the page's own functions too."""
        if isinstance(number, int) and not isinstance(number, bool) and route != "call":
            found = self._page.fns.get(number)
        else:
            found = next((fn for fn in self._page.fns.values() if fn.api_name == name and _is_public(fn)), None)
        # A function that waits for a job must run in the queue. The page's own functions must not.
        if (
            found is None
            or found.fn is None
            or (route == "run" and found.queue)
            or (route != "run" and not _is_public(found))
        ):
            raise NoSuchCall("There is no such function: GET /gradio_api/info lists those that are.")
        return found


def _is_public(function: BlockFunction) -> bool:
    return function.api_visibility == "public"


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        sent = json.loads(body, parse_constant=_refused, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise BadCall("The body's values lie more than {count} deep in one another.", count=_DEEPEST) from None
    except ValueError as error:  # a body that is no text is one too
        raise BrokenCall("The body is no JSON.") from error
    if not isinstance(sent, dict):
        raise BadCall("The body has to be a JSON object.")
    _measure(sent)
    return sent


def _refused(constant: str) -> float:
    raise BadCall("{value} is no number that is taken.", value=constant)


def _float(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _refused(text[:20])


def _int(text: str) -> int:
    return int(text) if len(text) <= len(str(_LARGEST)) and abs(int(text)) <= _LARGEST else int(_refused(text[:20]))


def _measure(sent: object) -> None:
    """Raise BadCall where a body is nested too deeply or holds too many values to be checked quickly."""
    level, count = [sent], 0
    for _ in range(_DEEPEST):
        level = [inner for value in level for inner in _inner(value)]
        count += len(level)
        if count > _MOST_VALUES:
            raise CallTooLarge(
                "The body has more than {count} values.",
                count=_MOST_VALUES,
            )
        if not level:
            return
    raise BadCall("The body's values lie more than {count} deep in one another.", count=_DEEPEST)


def _inner(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _stopped(route: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {"reset": ("event_id",), "cancel": ("event_id", "session_hash")}[route]
    known: dict[str, Any] = {name: _session(sent.get(name)) for name in wanted}
    if None in known.values():
        raise BadCall("The call needs {wanted}.", wanted=" and ".join(wanted))
    if route == "cancel":
        known["fn_index"] = sent.get("fn_index")
        if not isinstance(known["fn_index"], int) or isinstance(known["fn_index"], bool):
            raise BadCall("The call needs a fn_index, which is a number.")
    return known


def _session(said: object) -> str | None:
    if said is None or (isinstance(said, str) and SESSION.fullmatch(said)):
        return said
    raise BadCall("A session_hash or event_id is a word of at most 64 letters and digits.")


def _arguments(function: BlockFunction, sent: object, owner: Owner) -> list[Any]:
    """Return a function's arguments, one for each of its inputs.

    Inputs that no client sees may be left out. So may the last wishes of a public function, so that a client that was
    written before they existed still works.
    """
    inputs = list(function.inputs)
    shown = [block for block in inputs if not block.skip_api]
    if isinstance(sent, list) and len(sent) < len(shown) and _is_public(function):
        wishes = [block for block in shown[len(sent) :] if isinstance(block, Api) and block.label in _NOT_NEEDED]
        if len(sent) + len(wishes) == len(shown):
            sent = [*sent, *(wish.value for wish in wishes)]
    if not isinstance(sent, list) or len(sent) not in (len(inputs), len(shown)):
        raise BadCall("The call needs {count} values in data, which is a list.", count=len(shown))
    if len(json.dumps(sent)) > _MOST_DATA:
        raise CallTooLarge(
            "The arguments have more than {count} characters.",
            count=_MOST_DATA,
        )
    if len(sent) < len(inputs):
        given = iter(sent)
        sent = [None if block.skip_api else next(given) for block in inputs]
    for block, value in zip(inputs, sent, strict=True):
        if (
            isinstance(block, gr.File)
            and value is not None
            and not (_are_files(block, value) or _names_track(block, value))
        ):
            raise BadCall(
                "{name} has to be an upload as POST /gradio_api/upload names it.", name=str(block.label or "The file")
            )
    return [
        _as_file(uploads.nowhere(value)) if _names_track(block, value) else _mended(value, owner)
        for block, value in zip(inputs, sent, strict=True)
    ]


def _names_track(block: object, value: object) -> bool:
    """Tell whether a value stands for a subtitle track of the film, such as track:2, in place of a file."""
    of_subtitles = isinstance(block, gr.File) and block.label == "subtitles"
    return of_subtitles and isinstance(value, str) and subtitle_track(value) is not None


def _are_files(block: gr.File, value: object) -> bool:
    """Tell whether a value is what a field of files may hold: one of them, or a list of them where it takes several."""
    if block.file_count == "multiple":
        return isinstance(value, list) and all(map(_is_file, value))
    return _is_file(value)


def _is_file(value: object) -> bool:
    """Tell whether Gradio would treat a value as a file. It looks for such values at any depth."""
    return isinstance(value, dict) and isinstance(value.get("path"), str)


def _as_file(path: Path) -> dict[str, Any]:
    return {"path": str(path), "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}


def _mended(value: Any, owner: Owner) -> Any:  # noqa: ANN401 (JSON)
    """Return a value in which each file is an upload of the owner, or a path where no file exists.

    All other keys of a file are removed, so that no address is ever fetched and no path from outside is used.
    """
    if _is_file(value):
        try:
            path = uploads.own(value, owner)
        except UploadGone:
            path = uploads.nowhere("gone")
        return _as_file(path)
    if isinstance(value, dict):
        return {key: _mended(inner, owner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_mended(inner, owner) for inner in value]
    return value
