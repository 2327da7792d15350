"""The edits of a preview, carried over to the whole film: they hold for the lines that are heard there as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter

from vt.domain import MOST_SPEAKERS, Added, Edit, Edits, SpeakerEdit
from vt.dubbing import casting
from vt.dubbing.artifacts import ArtifactReader, fingerprint
from vt.dubbing.recognition import Heard
from vt.dubbing.run import Run
from vt.translatable import Message

_MOST_SECONDS = 0.5
"""By which a line may begin earlier or later in the whole film, which is listened to in other pieces."""


@dataclass(frozen=True, slots=True)
class HeardLine:
    """By what a line is known again."""

    start: float
    text: str
    speaker: int
    """The id of who says it."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The edits of a preview as they are in the whole film."""

    edits: Edits
    lost: int
    """How many lines were changed in the preview, and are not among those of the whole film."""


_LINES = TypeAdapter(tuple[HeardLine, ...])


def carry(run: Run, heard: Heard) -> Iterator[Message]:
    """Have the edits of a run hold for what is heard, should they be those of a preview; say what does not hold.

    A preview itself is remembered for the whole film, whose artifacts hold those of the preview.
    """
    lines = _lines(heard)
    if run.request.preview:
        run.artifacts.put_json(_PREVIEWED, _NAME, _LINES.dump_python(lines, mode="json"))
    edits = run.request.edits
    if not edits.of_preview:
        return
    found = carried(edits, _LINES.validate_python(run.artifacts.get_json(_PREVIEWED, _NAME) or ()), lines)
    run.artifacts.json(_CARRIED, _name(edits), found.edits.as_json)
    run.request = replace(run.request, edits=found.edits)
    if found.lost:
        yield Message(
            "Lines that were changed in the preview, but are heard otherwise in the whole film, are as they were "
            "found: {count}.",
            count=found.lost,
        )


def settled(edits: Edits, artifacts: ArtifactReader) -> Edits:
    """Return the edits of finished results by the numbers of its own lines; those of a preview were carried over."""
    kept = artifacts.get_json(_CARRIED, _name(edits)) if edits.of_preview else None
    return edits if kept is None else Edits.from_json(kept)


def carried(edits: Edits, before: Sequence[HeardLine], after: Sequence[HeardLine]) -> Carried:
    """Return the edits of a preview by the numbers of the lines of the whole film.

    Args:
        edits: of the preview.
        before: the lines of the preview, as they were heard.
        after: those of the whole film.
    """
    same = _same(before, after)
    speakers, places = _same_speakers(before, after, same), {-1: -1, **same}
    by_number, new, lost = dict[int, Edit](), list[tuple[Added, Edit]](), 0
    added = iter(edits.added)
    for place, number in enumerate(edits.heard(len(before))):
        edit = _recast(edits.lines.get(place, Edit()), speakers)
        if number is not None and number in same:
            by_number[same[number]] = edit
        elif number is None and (one := next(added)).after in places:  # it is often cut off from the line before it
            new.append((replace(one, after=places[one.after]), edit))
        else:
            lost += edit != Edit()
    of_speakers = {speakers[one]: edit for one, edit in edits.speakers.items() if one in speakers}
    return Carried(_numbered(by_number, new, of_speakers, len(after)), lost)


_PREVIEWED, _CARRIED = "previewed", "carried"
_NAME = fingerprint(_PREVIEWED)


def _name(edits: Edits) -> str:
    return fingerprint(_CARRIED, edits.as_json())


def _lines(heard: Heard) -> tuple[HeardLine, ...]:
    segments = heard.transcript.segments
    who = casting.parts_of(segments).who
    return tuple(HeardLine(one.start, one.text, speaker) for one, speaker in zip(segments, who, strict=True))


def _same(before: Sequence[HeardLine], after: Sequence[HeardLine]) -> dict[int, int]:
    """Return the numbers of lines in the whole film, by their numbers in the preview."""
    found, left = dict[int, int](), dict(enumerate(after))
    for number, line in enumerate(before):
        near = {other: abs(one.start - line.start) for other, one in left.items() if _said(one) == _said(line)}
        nearest = min(near, key=near.__getitem__, default=None)
        if nearest is not None and near[nearest] <= _MOST_SECONDS:
            found[number] = nearest
            del left[nearest]
    return found


def _said(line: HeardLine) -> str:
    """Return what is said in a line, however it is written."""
    return "".join(filter(str.isalnum, line.text.casefold()))


def _same_speakers(before: Sequence[HeardLine], after: Sequence[HeardLine], lines: Mapping[int, int]) -> dict[int, int]:
    """Return the ids of speakers in the whole film, by those in the preview: who says most of the same lines."""
    pairs = Counter((before[one].speaker, after[other].speaker) for one, other in lines.items())
    found = dict[int, int]()
    for (one, other), _ in pairs.most_common():
        if one not in found and other not in found.values():
            found[one] = other
    count, known = (max((line.speaker for line in some), default=0) + 1 for some in (before, after))
    # Whoever was added by hand comes behind those who were told apart.
    return found | {count + more: known + more for more in range(MOST_SPEAKERS)}


def _recast(edit: Edit, speakers: Mapping[int, int]) -> Edit:
    return edit if edit.speaker is None else replace(edit, speaker=speakers.get(edit.speaker))


def _numbered(
    lines: Mapping[int, Edit], new: Sequence[tuple[Added, Edit]], speakers: Mapping[int, SpeakerEdit], count: int
) -> Edits:
    """Return edits by the ids that lines have once the added ones are among them."""
    inserted = sorted(new, key=lambda one: one[0].after)
    ids = Edits(added=tuple(one for one, _ in inserted)).heard(count)
    own = (edit for _, edit in inserted)
    every = {place: next(own) if number is None else lines.get(number, Edit()) for place, number in enumerate(ids)}
    changed = {place: edit for place, edit in every.items() if edit != Edit()}
    return Edits(changed, speakers, tuple(one for one, _ in inserted))
