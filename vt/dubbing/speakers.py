"""Who speaks when: words get the labels of their speakers, by vectors of the voices that are heard in them."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from vt.domain import MOST_SPEAKERS, Cancel, Stage, Word
from vt.dubbing.artifacts import fingerprint
from vt.dubbing.run import Run, with_model
from vt.models.services import DiarizationService
from vt.text.sentences import has_terminal_mark

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAUSE_SECONDS = 0.3
"""A speaker may have changed in a pause of this length, as at the end of a sentence."""
_MOMENT_SECONDS = 1.5
"""So much is listened to at a time."""
_LONG_SECONDS = 900.0
"""In so much speech everybody is heard often, and fewer moments will do."""
_NEAR, _FAR = (0.3, 2.0, 2.25), (0.5, 4.0, 5.0)
"""A pause of the first length ends a passage. In one of up to the second there is one moment, in its middle; in a
longer one it is at most the third from one moment to the next. Measured: 0.75 s finds no more than 2.25 s. The sparse
moments of long films take 40 % less work."""
_SHORTEST_SECONDS, _LEAST_WEIGHT = 0.25, 0.2
"""What is listened to of a shorter moment | what it counts for, in seconds."""
_CHUNK_SECONDS = 600.0
"""The vectors are kept in chunks of this length."""
_BLOCK = 400
"""So many moments are compared with each other at once: the work grows with the square of their number."""
_OWN, _FEWEST, _OVERLAP = 0.6, 5, 0.3
"""How alike moments of one voice are (their scalar product), where fewer pairs of neighbours tell it than the second |
two moments of a passage that share no more seconds than the third are such a pair. Measured: 0.6 to 0.7, in noise less.
"""
_PURE, _ALIKE = 0.75, 0.6
"""Groups of moments that are on average as alike as this share of one voice's moments are taken for one: pure groups,
of which a voice may have several | those in which a voice that is heard seldom comes together."""
_ALIKE_BOUNDS = (0.3, 0.6)
_OTHER = 0.5
"""A group whose mean is less near than this (their cosine) to every pure group is of a voice that has none."""
_SAME, _SAME_WITH_GAP = 0.57, 0.75
"""Groups that are more alike than this are one speaker's (the mean scalar product between them, by what it is within
them) | where both are heard often, and a gap lies between them. Measured: one voice calm and shouting or whispering
0.62 to 0.9, but without a gap; two voices 0.4 at most, near ones up to 0.7."""
_GAP, _GAP_SLOPE, _LEAST_WITH_GAP, _LONG_MOMENT = 0.21, 0.6, 10.0, 0.9
"""Of nine in ten moments: as much more alike (by what is usual of one voice) they are to the others of their group than
to the other group, where these are as alike as `_SAME` | how much more of a gap it takes as they are more alike | where
both are heard for so many seconds | in moments of at least this length. Measured: two voices 0.26 and more where they
were 0.62 alike; the moods of one voice up to 0.25 where they were 0.65 alike, and up to 0.22 where they were 0.62."""
_SHORT_SHARE, _LIKE_OTHERS = 0.35, 0.5
"""Who is heard in long moments for less than this share of what is usual in the film is no speaker of his own, if this
much of the group's mean lies in the span of the larger groups' means: that is one short word, such as "Yes", whoever
says it. Measured: such words up to 0.17 and from 0.55; speakers from 0.95, and up to 0.61.
"""
_PRIOR = 4.0
"""What is known of a small group counts as if so many seconds, squared, had been heard of it that are as usual."""
_LEAST_SECONDS, _LEAST_SHARE, _ALONE = 2.0, 0.005, 0.25
"""Who is heard for less than this, or less than this share of what is heard, is no speaker of his own: a laugh, a cough
or two voices at once sound like nobody else | of a moment that stands alone, so much counts."""
_STRICTER = (0.4, 0.5, 0.6, 0.7, 0.8)
"""In place of `_ALIKE`, one after the other, where more speakers are there than are told apart."""
_ROUNDS = 3
"""So often each moment is given to the nearest speaker, and each speaker's mean is taken anew."""
Voiceprints: TypeAlias = dict[str, tuple[float, ...]]
"""The mean vector of each speaker's voice, of length 1, by the speaker's label."""
_COSTS = {"sentence": 0.03, "pause": 0.1, "word": 0.3}
"""What a change of speaker costs there, in seconds times the difference of two scalar products: so a word alone, of
which little is known, stays with its neighbours."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Words without a pause or the end of a sentence between them, and what is listened to in it."""

    first: int
    last: int
    """Of its words: the first, and the one behind the last."""
    moments: tuple[tuple[float, float], ...]


def told_apart(
    run: Run, samples: NDArray[np.int16], sounding: str, words: Sequence[Word]
) -> tuple[list[Word], Voiceprints]:
    """Return the words with the labels of their speakers, and the speakers' voiceprints.

    The label is "1" for who is heard first, and empty where only one speaks.

    The vectors are kept, so that a run that was ended goes on where it was.

    Args:
        run: whose request says how many speakers there are.
        samples: the sound of the film, mono at 16 kHz.
        sounding: its fingerprint.
        words: in order of start.

    Raises:
        ModelUnavailable: the model is not here, or cannot be loaded.
        EngineError: it failed.
    """
    wanted = run.request.speakers
    if wanted == 1 or not words:
        return list(words), {}
    passages = passages_of(words)

    def listened(service: DiarizationService) -> NDArray[np.float32]:
        kept = list(_kept(run, service, samples, sounding, passages))
        return np.concatenate(kept)

    vectors = with_model(lambda after: run.services.get_diarization_service(cancel=run.cancel, after=after), listened)
    found = labelled(words, passages, vectors, wanted, run.cancel)
    return found, voiceprints(found, passages, vectors)


def passages_of(words: Sequence[Word]) -> list[Passage]:
    """Cut words into passages, each of which one speaker is likely to have spoken."""
    pause, *distances = _NEAR if sum(word.end - word.start for word in words) < _LONG_SECONDS else _FAR
    ends = [at for at in range(1, len(words)) if _break(words[at - 1], words[at], pause) != "word"]
    return [
        Passage(first, last, tuple(_moments(*_span(words[first:last]), *distances)))
        for first, last in itertools.pairwise([0, *ends, len(words)])
    ]


def _span(words: Sequence[Word]) -> tuple[float, float]:
    return words[0].start, max(word.end for word in words)


def labelled(
    words: Sequence[Word],
    passages: Sequence[Passage],
    vectors: NDArray[np.float32],
    wanted: int | None = None,
    cancel: Cancel | None = None,
) -> list[Word]:
    """Return the words with the labels of their speakers; with none where only one speaks.

    Args:
        words: in order of start.
        passages: what `passages_of` makes of them.
        vectors: of the voices in the passages' moments, each of length 1, shape (moments, size).
        wanted: how many speakers there are; None: that is found out. Fewer are told apart where there are not enough
            moments that differ.
        cancel: ends it; of a long film it takes several seconds.

    Raises:
        Cancelled: `cancel` was set.
    """
    moments = np.array([moment for passage in passages for moment in passage.moments])
    weights = np.clip(moments[:, 1] - moments[:, 0], _LEAST_WEIGHT, _MOMENT_SECONDS)
    own = _own_likeness(passages, vectors)
    means = speakers(np.asarray(vectors, np.float64), weights, wanted, own, cancel or Cancel())
    if len(means) == 1:
        return list(words)
    numbers = _path(_scores(words, passages, moments, vectors @ means.T), _change_costs(words))
    order = list(dict.fromkeys(numbers))
    if len(order) == 1:
        return list(words)
    return [replace(word, speaker=str(order.index(number) + 1)) for word, number in zip(words, numbers, strict=True)]


def voiceprints(words: Sequence[Word], passages: Sequence[Passage], vectors: NDArray[np.float32]) -> Voiceprints:
    """Return the voiceprint of each speaker.

    Args:
        words: with their labels, as `labelled` gives them.
        passages: as for `labelled`.
        vectors: as for `labelled`.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    moments = [(passage, *moment) for passage in passages for moment in passage.moments]
    doubled = np.array([word.start + word.end for word in words])
    for vector, (passage, start, end) in zip(vectors, moments, strict=True):
        nearest = passage.first + int(np.abs(doubled[passage.first : passage.last] - (start + end)).argmin())
        label = words[nearest].speaker
        sums[label] = sums.get(label, np.zeros(len(vector))) + vector * min(end - start, _MOMENT_SECONDS)
    return {label: tuple(np.round(_unit(found[None])[0], 4).tolist()) for label, found in sums.items()}


def _own_likeness(passages: Sequence[Passage], vectors: NDArray[np.float32]) -> float:
    """Return how alike moments of one voice are in this sound, as those beside each other in a passage show."""
    pairs, at = list[float](), 0
    for passage in passages:
        for number, (before, after) in enumerate(itertools.pairwise(passage.moments), at):
            if after[0] >= before[1] - _OVERLAP:
                pairs.append(float(vectors[number] @ vectors[number + 1]))
        at += len(passage.moments)
    return float(np.mean(pairs)) if len(pairs) >= _FEWEST else _OWN


def speakers(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    wanted: int | None = None,
    own: float = _OWN,
    cancel: Cancel | None = None,
) -> NDArray[np.float64]:
    """Return the mean vector of each speaker, of length 1, shape (speakers, size).

    Args:
        vectors: of moments in order of time, each of length 1, shape (moments, size).
        weights: of the moments, in seconds.
        wanted: how many speakers there are, as far as they can be told apart; None: that is found out.
        own: how alike moments of one voice are, as a scalar product.
        cancel: ends it.
    """
    cancel = cancel or Cancel()
    sums = _large_groups(vectors, weights, float(np.clip(_PURE * own, *_ALIKE_BOUNDS)), cancel)
    wide = _large_groups(vectors, weights, float(np.clip(_ALIKE * own, *_ALIKE_BOUNDS)), cancel)
    sums = np.concatenate([sums, wide[(_unit(wide) @ _unit(sums).T).max(axis=1) < _OTHER]])
    for alike in _STRICTER if wanted else ():
        if len(sums) >= (wanted or 0):
            break
        sums = _large_groups(vectors, weights, alike, cancel)
    sums = _joined_by_voice(vectors, weights, sums, own, wanted, cancel)
    if wanted is None:
        sums = _without_short_words(vectors, weights, sums)
    return _settled(vectors, weights, _unit(_joined(sums, wanted or MOST_SPEAKERS)))


# Groups of moments


def _large_groups(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], alike: float, cancel: Cancel
) -> NDArray[np.float64]:
    """Return the sums of the groups that are large enough for a speaker, or of the largest one.

    What counts most are moments beside others of the same group: a speaker is heard for several at a time now and then,
    a cough or a noise is alone wherever it is heard, even if there are many of the kind in an hour.
    """
    sums = _grouped(vectors * weights[:, None], weights, alike, cancel)
    nearest = _nearest(vectors, _unit(sums), cancel)
    alone = np.concatenate([[True], np.diff(nearest) != 0, [True]])
    counted = weights * np.where(alone[:-1] & alone[1:], _ALONE, 1.0)
    seconds = np.bincount(nearest, counted, len(sums))
    large = seconds >= max(_LEAST_SECONDS, _LEAST_SHARE * float(weights.sum()))
    if not large.any():
        large = np.arange(len(sums)) == np.bincount(nearest, weights, len(sums)).argmax()
    return np.asarray(sums[large])


def _nearest(vectors: NDArray[np.float64], means: NDArray[np.float64], cancel: Cancel) -> NDArray[np.intp]:
    """Return the place of the mean that is nearest to each vector; what is in memory meanwhile does not grow."""
    found = np.empty(len(vectors), np.intp)
    for at in range(0, len(vectors), _BLOCK):
        cancel.check()
        found[at : at + _BLOCK] = (vectors[at : at + _BLOCK] @ means.T).argmax(axis=1)
    return found


def _grouped(
    sums: NDArray[np.float64], seconds: NDArray[np.float64], alike: float, cancel: Cancel
) -> NDArray[np.float64]:
    """Join groups that are alike, and return their sums.

    They are joined within blocks of neighbours first, so that the work grows with the length of the film alone.
    """
    while len(sums) > _BLOCK:
        blocks = [
            _linked(sums[at : at + _BLOCK], seconds[at : at + _BLOCK], alike, cancel)
            for at in range(0, len(sums), _BLOCK)
        ]
        before = len(sums)
        sums, seconds = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        if len(sums) > before * 0.9:  # hardly any are alike, so no more will be
            return sums
    return _linked(sums, seconds, alike, cancel)[0]


def _linked(
    sums: NDArray[np.float64], seconds: NDArray[np.float64], alike: float, cancel: Cancel
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Join the two groups that are most alike, again and again, while they are as alike as that (average linkage).

    How alike two groups are is the mean of the scalar products of their vectors: that of the sums tells it.
    """
    sums, seconds = sums.copy(), seconds.copy()
    likeness = (sums @ sums.T) / np.outer(seconds, seconds)
    np.fill_diagonal(likeness, -np.inf)
    there = np.ones(len(sums), bool)
    while True:
        cancel.check()
        one, other = divmod(int(likeness.argmax()), len(sums))
        if not likeness[one, other] >= alike:
            return sums[there], seconds[there]
        sums[one] += sums[other]
        seconds[one] += seconds[other]
        there[other] = False
        row = np.where(there, sums @ sums[one] / (seconds * seconds[one]), -np.inf)
        row[one] = -np.inf
        likeness[one], likeness[:, one] = row, row
        likeness[other], likeness[:, other] = -np.inf, -np.inf


def _joined_by_voice(
    vectors: NDArray[np.float64],
    weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    own: float,
    wanted: int | None,
    cancel: Cancel,
) -> NDArray[np.float64]:
    """Join the groups of one speaker, those that are most alike first, or as many as leave the wanted number."""
    while len(sums) > (wanted or 1):
        cancel.check()
        likeness, found = _likeness(vectors, weights, sums, own)
        np.fill_diagonal(likeness, -np.inf)
        one, other = divmod(int(likeness.argmax()), len(sums))
        if not wanted and likeness[one, other] < _SAME:
            break
        found[one] += found[other]
        sums = np.delete(found, other, axis=0)
    return sums


def _likeness(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], sums: NDArray[np.float64], own: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how alike groups are, by how alike the moments of each are; and their sums, each moment in the nearest.

    Groups between which a gap lies are not alike.
    """
    nearest = np.argmax(vectors @ _unit(sums).T, axis=1)
    share = (nearest[:, None] == np.arange(len(sums))) * weights[:, None]
    sums, seconds, squares = share.T @ vectors, np.maximum(share.sum(axis=0), 1e-9), (share**2).sum(axis=0)
    within = ((sums**2).sum(axis=1) - squares + _PRIOR * own) / (seconds**2 - squares + _PRIOR)
    likeness = sums @ sums.T / np.outer(seconds, seconds) / np.sqrt(np.maximum(np.outer(within, within), 1e-9))
    # Of each moment: how alike it is to the others of its group, and to each group.
    inside = (np.einsum("ij,ij->i", vectors, sums[nearest]) - weights) / np.maximum(seconds[nearest] - weights, 1e-9)
    margins = inside[:, None] - vectors @ sums.T / seconds
    is_long = weights >= _LONG_MOMENT
    for one, other in np.argwhere(np.triu((likeness >= _SAME) & (likeness < _SAME_WITH_GAP), 1)):
        if min(seconds[one], seconds[other]) >= _LEAST_WITH_GAP:
            both = np.concatenate(
                [margins[is_long & (nearest == one), other], margins[is_long & (nearest == other), one]]
            )
            # Where few pairs of neighbours tell what is usual, the groups themselves do.
            usual = max(own, within[one], within[other])
            least = (_GAP + _GAP_SLOPE * (likeness[one, other] - _SAME)) * usual
            if len(both) and np.quantile(both, 0.1) >= least:
                likeness[one, other] = likeness[other, one] = 0.0
    return likeness, sums


def _without_short_words(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], sums: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Leave out the groups of a short word that sounds much the same from everybody, where it is said often."""
    means = _unit(sums)
    nearest = np.argmax(vectors @ means.T, axis=1)
    seconds = np.bincount(nearest, weights, len(sums))
    is_long = weights >= _LONG_MOMENT
    in_long = np.bincount(nearest[is_long], weights[is_long], len(sums))
    least = _SHORT_SHARE * float(in_long.sum() / seconds.sum())
    kept = [
        group
        for group in range(len(sums))
        if in_long[group] >= least * seconds[group]
        or _share_in_span(means[group], means[seconds > seconds[group]]) < _LIKE_OTHERS
    ]
    return sums[kept]


def _share_in_span(vector: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return how long the part of a vector of length 1 is that lies in the span of others; 0 where there are none."""
    factors = np.linalg.lstsq(others.T, vector)[0]
    return float(np.linalg.norm(factors @ others))


def _joined(sums: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Join the speakers whose means are nearest, until there are no more than so many."""
    while len(sums) > most:
        unit = _unit(sums)
        near = unit @ unit.T
        np.fill_diagonal(near, -np.inf)
        one, other = divmod(int(near.argmax()), len(sums))
        sums[one] += sums[other]
        sums = np.delete(sums, other, axis=0)
    return sums


def _settled(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], means: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the means once each moment has gone to the speaker who is nearest."""
    for _ in range(_ROUNDS):
        nearest = np.argmax(vectors @ means.T, axis=1)
        share = (nearest[:, None] == np.arange(len(means))) * weights[:, None]
        sums = share.T @ vectors
        means = np.where(share.any(axis=0)[:, None], _unit(sums), means)
    return means


def _unit(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))


# Words


def _break(before: Word, after: Word, pause: float = _PAUSE_SECONDS) -> str:
    """Tell what lies between two words: the end of a sentence, a pause, or nothing but that."""
    if has_terminal_mark(before.text):
        return "sentence"
    return "pause" if after.start - before.end >= pause else "word"


def _change_costs(words: Sequence[Word]) -> list[float]:
    return [0.0, *(_COSTS[_break(before, after)] for before, after in itertools.pairwise(words))]


def _moments(start: float, end: float, longest_of_one: float, hop: float) -> Iterator[tuple[float, float]]:
    """Yield what is listened to in a passage: its middle, or moments from its start to its end."""
    if end - start <= longest_of_one:
        middle, half = (start + end) / 2, min(_MOMENT_SECONDS, max(_SHORTEST_SECONDS, end - start)) / 2
        yield max(0.0, middle - half), max(0.0, middle - half) + 2 * half
        return
    count = int(np.ceil((end - start - _MOMENT_SECONDS) / hop)) + 1
    for begin in np.linspace(start, end - _MOMENT_SECONDS, count):
        yield float(begin), float(begin) + _MOMENT_SECONDS


def _scores(
    words: Sequence[Word], passages: Sequence[Passage], moments: NDArray[np.float64], near: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how well each word fits each speaker: as the nearest moment of its passage does, times its length."""
    found, at = np.zeros((len(words), near.shape[1])), 0
    for passage in passages:
        here = slice(at, at + len(passage.moments))
        middles = moments[here].mean(axis=1)
        for number in range(passage.first, passage.last):
            word = words[number]
            nearest = int(np.abs(middles - (word.start + word.end) / 2).argmin())
            found[number] = near[here][nearest] * (word.end - word.start)
        at = here.stop
    return found


def _path(scores: NDArray[np.float64], costs: Sequence[float]) -> list[int]:
    """Return the speaker of each word, so that scores less the costs of changes are best in all (Viterbi's way)."""
    best, came = scores[0].copy(), np.zeros(scores.shape, int)
    for number in range(1, len(scores)):
        other = int(best.argmax())
        changed = best[other] - costs[number]
        came[number] = np.where(best >= changed, np.arange(len(best)), other)
        best = np.maximum(best, changed) + scores[number]
    path = [int(best.argmax())]
    for number in range(len(scores) - 1, 0, -1):
        path.append(int(came[number, path[-1]]))
    return path[::-1]


# The vectors, kept


def _kept(
    run: Run, service: DiarizationService, samples: NDArray[np.int16], sounding: str, passages: Sequence[Passage]
) -> Iterator[NDArray[np.float32]]:
    """Yield the vectors of the moments of each chunk of the sound; those that were found before are not found again."""
    moments = [moment for passage in passages for moment in passage.moments]
    for _, group in itertools.groupby(moments, lambda moment: int(moment[0] / _CHUNK_SECONDS)):
        chunk = list(group)
        name = fingerprint("voices", sounding, chunk, service.choice.info.name, service.choice.model)
        yield _read(run.artifacts.json("voices", name, lambda: _written(service.embed(samples, chunk, run.cancel))))  # noqa: B023
        run.tell(Stage.TRANSCRIBE, 1.0)


def _written(vectors: Iterator[NDArray[np.float32]]) -> list[str]:
    return [base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii") for vector in vectors]


def _read(kept: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([np.frombuffer(base64.b64decode(vector), "<f2") for vector in kept]).astype(np.float32)
