"""What was heard, as OpenAI's clients expect it: JSON, text or subtitles, whole or event by event."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from fastapi.responses import JSONResponse, Response

from vt.answers.hearing import Said
from vt.api.openai import errors
from vt.api.openai.requests import Hearing
from vt.domain import Segment, Word
from vt.errors import VtError
from vt.web.http_statuses import status_of

_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
_SEEKS_A_SECOND = 100
"""Whisper's own unit of places in a recording."""


def headers(ignored: Sequence[str]) -> dict[str, str]:
    """Return the headers of an answer; they name the fields of the request that have changed nothing."""
    return {"X-Ignored-Parameters": ", ".join(ignored)} if ignored else {}


def of(said: Said, asked: Hearing, *, translates: bool) -> Response:
    """Return what was heard in the form that was asked for."""
    named = headers(asked.ignored)
    if asked.form == "json":
        return JSONResponse({"text": said.text, "usage": _usage(said)}, headers=named)
    if asked.form == "verbose_json":
        return JSONResponse(_verbose(said, asked.granularities, translates=translates), headers=named)
    text = f"{said.text}\n" if asked.form == "text" else said.subtitles(asked.form)
    return Response(text, media_type=_TYPES[asked.form], headers=named)


def _verbose(said: Said, granularities: Collection[str], *, translates: bool) -> dict[str, Any]:
    language = said.written_in or said.language
    found: dict[str, Any] = {
        "task": "translate" if translates else "transcribe",
        "language": language.name.lower() if language else "",
        "duration": round(said.seconds, 3),
        "text": said.text,
        "usage": _usage(said),
    }
    if "segment" in granularities:
        found["segments"] = [_segment(number, one, said.words) for number, one in enumerate(said.segments)]
    if "word" in granularities:
        found["words"] = [
            {"word": word.text.strip(), "start": round(word.start, 3), "end": round(word.end, 3)} for word in said.words
        ]
    return found


def _segment(number: int, segment: Segment, words: Sequence[Word]) -> dict[str, Any]:
    """Return a sentence as Whisper's own programs have it; there are no tokens, for it was put together from words."""
    within = [word for word in words if segment.start <= (word.start + word.end) / 2 <= segment.end]
    surely = [math.log(max(word.probability, 1e-6)) for word in within]
    plain = segment.text.encode("utf-8", "replace")
    return {
        "id": number,
        "seek": round(segment.start * _SEEKS_A_SECOND),
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": round(sum(surely) / len(surely), 4) if surely else 0.0,
        "compression_ratio": round(len(plain) / len(zlib.compress(plain)), 4),
        "no_speech_prob": 0.0,
    }


def _usage(said: Said) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(said.seconds)}


# Events


class Deltas:
    """The text of a recording as it grows: what is heard in it behind all that was sent before."""

    def __init__(self) -> None:
        self._has_begun, self._end = False, -math.inf

    def event(self, words: Sequence[Word]) -> bytes:
        """Return the event of further words; nothing where a second look has found them in between.

        These are in the whole text, which comes last.
        """
        new = [word for word in words if word.start >= self._end]
        text = "".join(word.text for word in new)
        if not text.strip():
            return b""
        self._end = max(word.end for word in new)
        delta, self._has_begun = text if self._has_begun else text.lstrip(), True
        return _event({"type": "transcript.text.delta", "delta": delta})


def done(said: Said) -> bytes:
    """Return the last event, which has the whole text."""
    return _event({"type": "transcript.text.done", "text": said.text})


def sound(chunk: bytes) -> bytes:
    """Return the event of some more sound."""
    return _event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode("ascii")})


def spoken() -> bytes:
    """Return the last event of speech. It counts no tokens, for the voices here have none."""
    return _event({"type": "speech.audio.done", "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}})


def trouble(error: VtError) -> bytes:
    """Return the event of an error."""
    return _event(errors.body(status_of(error), error.message.with_file_names({})))


def _event(said: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(said, ensure_ascii=False)}\n\n".encode("utf-8", "replace")
