"""The command `vt transcribe`: what is said in a film in the forms that programs and people read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vt.errors import InputError

if TYPE_CHECKING:
    from vt.domain import Timed
    from vt.dubbing.pipeline import Result
    from vt.dubbing.report import HeardLine, TranscriptReport

_SUBTITLES = ("srt", "vtt", "ass")
FORMATS = (*_SUBTITLES, "txt", "json", "report")
"""txt: a line for each sentence; json: with the times of its words, as Whisper's own command writes it."""
DEFAULT = "srt,vtt,report"
_ALL = "all"


def formats(named: str) -> tuple[str, ...]:
    """Return the formats that somebody names, such as srt,txt; each once.

    Raises:
        InputError: there is none of that name.
    """
    words = [word.strip().lower() for word in named.split(",") if word.strip()]
    for word in words:
        if word not in (*FORMATS, _ALL):
            raise InputError(
                "There is no output format {name}: there are {known}.",
                name=word[:80],
                known=", ".join((*FORMATS, _ALL)),
            )
    if not words:
        raise InputError("Name an output format, such as srt.")
    return FORMATS if _ALL in words else tuple(dict.fromkeys(words))


def written(result: Result, folder: Path, wanted: Sequence[str], *, mark_speakers: bool) -> list[Path]:
    """Write a transcript in these formats, and return the files.

    Args:
        result: has the report as its last file, and the film's name in front of its ending.
        folder: the work folder.
        wanted: some of `FORMATS`.
        mark_speakers: whether subtitles show where another person speaks.
    """
    from vt.dubbing import subtitling
    from vt.dubbing.report import TranscriptReport

    told = result.report
    assert isinstance(told, TranscriptReport)  # noqa: S101 (nothing was dubbed)
    stem = result.files[-1].name.removesuffix(".report.json")
    sides, code = subtitling.of_report(told, mark_speakers=mark_speakers), told.source.language.code
    makers: dict[str, Callable[[], str]] = {
        "txt": lambda: "".join(f"{line.source_text}\n" for line in told.segments),
        "json": lambda: json.dumps(_as_json(told), ensure_ascii=False, indent=1) + "\n",
    }
    files = []
    for form in wanted:
        if form == "report":
            files.append(result.files[-1])
            continue
        path = folder / f"{stem}.{f'{code}.' if form in _SUBTITLES else ''}{form}"
        make = makers.get(form, lambda form=form: sides.written(code, form))
        path.write_text(make(), encoding="utf-8")
        files.append(path)
    return files


def _as_json(told: TranscriptReport) -> dict[str, Any]:
    """Return a transcript in the shape of Whisper's own command: lengths and times in seconds of the film."""
    names = {speaker.id: speaker.label for speaker in told.speakers}
    return {
        "text": " ".join(line.source_text for line in told.segments),
        "language": told.source.language.code,
        "duration": told.source.duration_seconds,
        "segments": [_segment(line, names) for line in told.segments],
    }


def _segment(line: HeardLine, names: dict[int, str]) -> dict[str, Any]:
    speaker = {} if line.speaker is None else {"speaker": names[line.speaker]}
    words = [{"word": word, "start": time.start, "end": time.end} for word, time in _words(line)]
    return {"id": line.id, "start": line.start, "end": line.end, "text": line.source_text, **speaker, "words": words}


def _words(line: HeardLine) -> Iterator[tuple[str, Timed]]:
    """Yield the parts of a line that have times of their own, with the spaces inside them."""
    at, text = 0, line.source_text
    for time in line.source_words:
        end, left = at, time.letters
        while end < len(text) and (left or text[end].isspace()):
            left -= not text[end].isspace()
            end += 1
        yield text[at:end].strip(), time
        at = end
