"""What may be changed in a finished dub by hand: lines, who says them, and the speakers' names and voices."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from vt.domain import MOST_SPEAKERS, Edit, Edits, SpeakerEdit
from vt.dubbing.report import DubbedLine, DubReport
from vt.engines.protocols import Voice
from vt.errors import InputError
from vt.jobs import new_lines
from vt.jobs.new_lines import NewLine

_LONGEST_TEXT = 2000
_LONGEST_LABEL = 80


def checked(changes: Edits, report: DubReport, voices: Sequence[Voice], new: Sequence[NewLine] = ()) -> Edits:
    """Return the changes, names without surrounding spaces.

    Args:
        changes: of the dub that the report is about.
        report: has the lines and speakers as they are.
        voices: all that may be chosen here.
        new: lines that are added with them.

    Raises:
        InputError: a line, speaker or voice is unknown, or a new text, name or time is not possible.
    """
    new_lines.check(new, report.segments, report.source.duration_seconds)
    _check_texts(len(report.segments), changes.lines)
    _check_texts(len(report.segments) + len(new), dict(enumerate((one.edit for one in new), len(report.segments))))
    _check_times(report.segments, report.source.duration_seconds, changes.lines)
    named = [*changes.lines.values(), *(one.edit for one in new)]
    _check_speakers({edit.speaker for edit in named if edit.speaker is not None}, changes, len(report.speakers) or 1)
    labels = _labels(report, changes.speakers)
    _check_voices(report, changes.speakers, voices)
    said = {one: replace(edit, label=labels.get(one)) for one, edit in changes.speakers.items()}
    return replace(changes, speakers=said)


def starts(segments: Sequence[DubbedLine], changes: Edits) -> list[float]:
    """Return when the lines start after some changes."""
    given = [changes.lines.get(line, Edit()).start for line in range(len(segments))]
    return [segment.start if start is None else start for segment, start in zip(segments, given, strict=True)]


# Lines


def _check_texts(count: int, changes: Mapping[int, Edit]) -> None:
    """Raise where a line is unknown, or its new text cannot be spoken."""
    for line, change in changes.items():
        if not 0 <= line < count:
            last = count - 1
            raise InputError("There is no line {number}: the lines are 0 to {last}.", number=line, last=last)
        for text in (change.text, change.source_text):
            if text is not None and len(text) > _LONGEST_TEXT:
                raise InputError(
                    "Line {number} is too long: {most} characters are the most.", number=line, most=_LONGEST_TEXT
                )
            if text is not None and not _is_plain(text):
                raise InputError(
                    "Line {number} holds a character that cannot be written or spoken: type its text anew.", number=line
                )


def _check_times(segments: Sequence[DubbedLine], film_seconds: float, changes: Mapping[int, Edit]) -> None:
    """Raise where the new times of a line would change the order of lines."""
    times = [(segment.start, segment.end) for segment in segments]
    for line, change in changes.items():
        start, end = times[line]
        times[line] = (start if change.start is None else change.start, end if change.end is None else change.end)
    for line in changes:
        start, end = times[line]
        before = times[line - 1][0] if line else 0.0
        after = times[line + 1][0] if line + 1 < len(times) else float("inf")
        until = max(film_seconds, segments[line].end)
        if not (before <= start < end <= until and start <= after):
            raise InputError(
                "Line {number} cannot last from {start:.3f} to {end:.3f} s: it has to start between its "
                "neighbours' starts, and to end after that, before the film does ({film:.3f} s).",
                number=line,
                start=start,
                end=end,
                film=film_seconds,
            )


def _is_plain(text: str, allowed: str = "\n\r\t") -> bool:
    """Tell whether a text has no surrogates, and no control characters except the allowed ones."""
    return all(character in allowed or unicodedata.category(character) not in ("Cc", "Cs") for character in text)


# Speakers


def _check_speakers(named: Set[int], changes: Edits, known: int) -> None:
    """Raise where a speaker is named who is neither known nor the next one to be added; `named`: by lines."""
    most = max(known, MOST_SPEAKERS)
    added = sorted(speaker for speaker in named if speaker >= known)
    expected = [*range(known, min(known + len(added), most))]
    strange = next((one for one in sorted(named) if one < 0 or (one >= known and one not in expected)), None)
    if strange is None:
        strange = next((one for one in changes.speakers if not 0 <= one < known + len(added)), None)
    if strange is None:
        return
    if known < most:
        raise InputError(
            "There is no speaker {number}: the speakers are 0 to {last}, and a line may be given to one more, {next}.",
            number=strange,
            last=known - 1,
            next=known,
        )
    raise InputError("There is no speaker {number}: the speakers are 0 to {last}.", number=strange, last=known - 1)


def _labels(report: DubReport, changes: Mapping[int, SpeakerEdit]) -> dict[int, str]:
    """Return the new names of speakers.

    Raises:
        InputError: one is empty, too long or taken, or cannot be shown.
    """
    found = {one: edit.label.strip() for one, edit in changes.items() if edit.label is not None}
    names = {speaker.id: speaker.label for speaker in report.speakers} | found
    for speaker, label in found.items():
        if not label or len(label) > _LONGEST_LABEL or not _is_plain(label, ""):
            raise InputError(
                "The name of speaker {number} has to be one line of 1 to {most} characters.",
                number=speaker,
                most=_LONGEST_LABEL,
            )
        if any(one != speaker and other.casefold() == label.casefold() for one, other in names.items()):
            raise InputError('Two speakers cannot both be called "{label}".', label=label)
    return found


def _check_voices(report: DubReport, changes: Mapping[int, SpeakerEdit], voices: Sequence[Voice]) -> None:
    """Raise where a voice is named that the engine of the dub does not speak the language with."""
    used = report.engines.tts.engine, report.target_language
    known = [voice.id for voice in voices if (voice.engine, voice.language) == used]
    for edit in changes.values():
        if edit.voice is not None and edit.voice not in known:
            raise InputError(
                "There is no voice {voice} for this dub, which {engine} speaks: there are {known}. For a voice of "
                "another engine, dub the film again.",
                voice=edit.voice[:_LONGEST_LABEL].encode("utf-8", "replace").decode(),
                engine=report.engines.tts.engine,
                known=", ".join(known) or "-",
            )
