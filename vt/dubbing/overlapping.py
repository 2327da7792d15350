"""Where two speak at once in a film: the lines that begin over another's, and for how long that is so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from pydantic import TypeAdapter

from vt.domain import Stage, Word
from vt.dubbing.artifacts import fingerprint
from vt.dubbing.run import Run, with_model
from vt.models.services import OverlapService

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Stretch: TypeAlias = tuple[float, float]
"""Its start and its end, in seconds of the film."""
_WINDOW_SECONDS, _EDGE_SECONDS = 10.0, 0.5
"""What is listened to at a time | at both ends of it less is known, so windows overlap by twice as much."""
_AROUND_SECONDS = 2.0
"""So much is listened to before and behind a change of speaker: who interrupts speaks over the other there."""
_LEAST_SECONDS = 0.2
"""Two who speak at once for less are only quick to answer; in captions it is so too."""
_ERROR_SECONDS = 0.5
"""The times of recognised words are that wrong where two speak at once."""
_CHUNK_SECONDS = 600.0
"""What was heard is kept in chunks of this length."""
_STRETCHES: TypeAdapter[list[list[Stretch]]] = TypeAdapter(list[list[Stretch]])


def heard(run: Run, samples: NDArray[np.int16], sounding: str, words: Sequence[Word]) -> list[Stretch]:
    """Return where two speak at once near the changes of speaker; nothing is listened to where only one speaks.

    Args:
        run: what its models hear is kept, so that a run that was ended goes on where it was.
        samples: the sound of the film, mono at 16 kHz.
        sounding: its fingerprint.
        words: with the labels of their speakers, in order of start.

    Raises:
        ModelUnavailable: the model is not here, or cannot be loaded.
        EngineError: it failed.
    """
    starts = windows(words)
    if not starts:
        return []

    def listened(service: OverlapService) -> list[list[Stretch]]:
        return [found for chunk in _kept(run, service, samples, sounding, starts) for found in chunk]

    found = with_model(lambda after: run.services.get_overlap_service(cancel=run.cancel, after=after), listened)
    return stretches(starts, found)


def windows(words: Sequence[Word]) -> list[float]:
    """Return the starts of the windows that are listened to: one around each change of speaker that stands alone."""
    near: list[list[float]] = []
    for before, after in _changes(words):
        begin, end = min(before.end, after.start) - _AROUND_SECONDS, max(before.end, after.start) + _AROUND_SECONDS
        if near and begin <= near[-1][1]:
            near[-1][1] = max(near[-1][1], end)
        else:
            near.append([begin, end])
    starts: list[float] = []
    for begin, end in near:
        heard_until = starts[-1] + _WINDOW_SECONDS - _EDGE_SECONDS if starts else 0.0
        starts += _tiles(max(begin, heard_until), end)
    return starts


def _tiles(begin: float, end: float) -> Iterator[float]:
    """Yield the starts of as few windows as hear a stretch whole, it in their middle."""
    count = math.ceil((end - begin) / _heard_of_one())
    first = (begin + end - count * _heard_of_one()) / 2 - _EDGE_SECONDS
    for number in range(count):
        yield round(max(0.0, first) + number * _heard_of_one(), 3)


def _heard_of_one() -> float:
    """Return how much of a window is relied on."""
    return _WINDOW_SECONDS - 2 * _EDGE_SECONDS


def stretches(starts: Sequence[float], found: Sequence[Sequence[Stretch]]) -> list[Stretch]:
    """Return what was found in windows as stretches that do not overlap, without the shortest ones.

    Args:
        starts: of the windows, in order.
        found: the stretches in each of them, in order.
    """
    joined: list[Stretch] = []
    for start, one in zip(starts, found, strict=True):
        first = start + _EDGE_SECONDS if start > 0 else 0.0
        last = start + _WINDOW_SECONDS - _EDGE_SECONDS
        for begin, end in ((max(begin, first), min(end, last)) for begin, end in one):
            if joined and begin <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            elif end > begin:
                joined.append((begin, end))
    return [(begin, end) for begin, end in joined if end - begin >= _LEAST_SECONDS]


def marked(words: Sequence[Word], found: Sequence[Stretch]) -> list[Word]:
    """Return the words; who begins to speak while another is still speaking is marked so at their first word.

    Args:
        words: with the labels of their speakers, in order of start.
        found: where two speak at once, in order.
    """
    changes = [after for _, after in _changes(words)]
    over = set[int]()
    for begin, end in found if changes else ():
        # Of several who begin there it is the nearest: a stretch is one line's.
        nearest = min(changes, key=lambda word: _distance(word.start, begin, end))
        if _distance(nearest.start, begin, end) <= _ERROR_SECONDS:
            over.add(id(nearest))
    return [replace(word, overlaps=True) if id(word) in over else word for word in words]


def _distance(second: float, begin: float, end: float) -> float:
    """Return how far a second is from a stretch; 0.0 inside it."""
    return max(begin - second, second - end, 0.0)


def _changes(words: Sequence[Word]) -> Iterator[tuple[Word, Word]]:
    """Yield the last word of each speaker's turn and the first of the next one's."""
    return ((before, after) for before, after in itertools.pairwise(words) if before.speaker != after.speaker)


def _kept(
    run: Run, service: OverlapService, samples: NDArray[np.int16], sounding: str, starts: Sequence[float]
) -> Iterator[list[list[Stretch]]]:
    """Yield what is heard in the windows of each chunk; a chunk that was heard before is not listened to again."""
    for _, group in itertools.groupby(starts, lambda start: int(start / _CHUNK_SECONDS)):
        chunk = list(group)
        name = fingerprint("overlaps", sounding, chunk, service.choice.info.name, service.choice.model)
        yield run.kept("overlaps", name, _STRETCHES, lambda: list(service.overlaps(samples, chunk, run.cancel)))  # noqa: B023
        run.tell(Stage.TRANSCRIBE, 1.0)
