"""Lines that somebody added by hand: they stand among those that were heard, and say nothing but what an edit gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vt.domain import Added, Segment
from vt.dubbing.artifacts import fingerprint
from vt.dubbing.recognition import Heard
from vt.dubbing.translating import Translated


def name_with(name: str, added: Sequence[Added]) -> str:
    """Return the fingerprint of what is heard, `name`, with added lines."""
    return fingerprint(name, "added", [[one.after, one.start, one.end] for one in added]) if added else name


def heard_with(heard: Heard, added: Sequence[Added]) -> Heard:
    """Return what is heard with added lines, empty, said by whoever says the line before."""
    if not added:
        return heard
    lines: list[Segment] = []
    segments = heard.transcript.segments
    for number in range(-1, len(segments)):
        if number >= 0:
            lines.append(segments[number])
        speaker = segments[max(0, number)].speaker
        lines += [Segment(0, one.start, one.end, "", speaker) for one in added if one.after == number]
    numbered = tuple(replace(line, id=place) for place, line in enumerate(lines))
    return replace(heard, transcript=replace(heard.transcript, segments=numbered))


def translated_with(found: Translated, added: Sequence[Added]) -> Translated:
    """Return a translation with added lines, which have none."""
    if not added:
        return found
    texts: list[str] = []
    others: list[tuple[str, ...]] = []
    for number in range(-1, len(found.texts)):
        texts += [found.texts[number]] * (number >= 0)
        others += [found.others[number]] * (number >= 0)
        more = sum(one.after == number for one in added)
        texts += [""] * more
        others += [()] * more
    return replace(found, texts=tuple(texts), others=tuple(others))
