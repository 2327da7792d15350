"""Engines that are elsewhere: each divides its work into pieces, which the hosts of a cluster do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vt.cluster.hosts import Hosts
from vt.cluster.pieces import Ask, Offer, Piece
from vt.domain import Cancel, Clip, Dropped
from vt.engines.protocols import Heard
from vt.languages import Language
from vt.media import SPEECH_RATE
from vt.system.lookahead import run_groups_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

_T = TypeVar("_T")
_MOST_AT_ONCE = 64
"""Pieces of one call, however many hosts there are: each has a thread here that waits for it."""
_LINES, _SENTENCES, _MOMENTS, _WINDOWS = range(1, 9), range(8, 33), range(16, 65), range(7, 31)
"""How many a piece holds, but for the last one: lines to speak, one of which may take seconds; sentences; moments of a
voice; windows of 10 s."""
_WINDOW_SECONDS = 10.0
_DETECTION_SECONDS = 1200
"""So much of a film is sent for its language to be found out: who does looks at its first minutes of speech."""


def pieces(items: Sequence[_T], sizes: range, at_once: int) -> Iterator[Sequence[_T]]:
    """Divide items into pieces of these sizes, each a share of what is left for `at_once` that are under way.

    So the last ones are small, and all hosts are done at about the same time (guided self-scheduling: Polychronopoulos
    and Kuck, IEEE Transactions on Computers C-36, 1987). But none is so small that to begin costs more than to work,
    unless there are few.
    """
    first, least = 0, min(sizes[0], -(-len(items) // at_once))
    while first < len(items):
        size = max(least, min(sizes[-1], (len(items) - first) // at_once))
        yield items[first : first + size]
        first += size


class _Remote:
    """What all of them have in common."""

    def __init__(self, hosts: Hosts, ask: Ask, offer: Offer) -> None:
        """Make an engine of the model that is asked for, as it is offered."""
        self._hosts, self._ask, self._offer = hosts, ask, offer

    def close(self) -> None:
        """Do nothing: the models are those of the hosts."""

    def _asked(self, cancel: Cancel, method: str, *arguments: object) -> Iterator[Any]:
        """Yield what one piece gives. Arrays travel as parcels."""
        with ExitStack() as held:
            sent = tuple(self._sent(held, one) for one in arguments)
            piece = Piece(self._ask, self._offer.choice, method, sent)
            with closing(self._hosts.stream(piece, cancel)) as answers:
                yield from answers

    def _sent(self, held: ExitStack, argument: object) -> object:
        if not isinstance(argument, np.ndarray):
            return argument
        plain: NDArray[Any] = argument.view(np.ndarray)  # a part of a mapped file would travel as the file
        return held.enter_context(self._hosts.storage.held(plain))

    def _spread(
        self, items: Sequence[_T], sizes: range, cancel: Cancel, work: Callable[[Sequence[_T], Cancel], Iterator[Any]]
    ) -> Iterator[Any]:
        """Yield what `work` gives for all items, in order, several pieces at a time.

        Args:
            items: are divided into pieces, the last ones smaller.
            sizes: how many items a piece holds.
            cancel: ends the work.
            work: yields what a piece gives, in a thread of its own.
        """
        threads = min(_MOST_AT_ONCE, self._hosts.room)
        groups = ([part] for part in pieces(items, sizes, threads))
        stopping = Cancel()
        cancel.add(stopping.set)
        try:
            with closing(
                run_groups_ahead(
                    lambda part: list(work(part, stopping)),
                    groups,
                    threads=threads,
                    ahead=2 * threads,
                    name="vt-piece",
                    cancel=cancel,
                    leave=stopping.set,
                )
            ) as results:
                for (made,) in results:
                    cancel.beat()
                    yield from made
        finally:
            cancel.remove(stopping.set)


class RemoteTranscriber(_Remote):
    """Hears elsewhere; see `Transcriber`."""

    def transcribe(self, samples: NDArray[Any], language: Language, cancel: Cancel) -> Iterator[Heard | Dropped]:
        """Yield what was heard: one piece of work, for who recognises a stretch has to know all of it."""
        yield from self._asked(cancel, "transcribe", samples, language)

    def detect(self, samples: NDArray[Any]) -> tuple[Language, float]:
        """Return the language that is spoken, and its probability."""
        (found,) = self._asked(Cancel(), "detect", samples[: _DETECTION_SECONDS * SPEECH_RATE])
        language, probability = found
        return language, probability


class RemoteTranslator(_Remote):
    """Translates elsewhere; see `Translator` and `SoundTranslator`."""

    def translate(
        self, sentences: Sequence[str], cancel: Cancel, budgets: Sequence[float] | None = None
    ) -> Iterator[str]:
        """Yield one translation for each sentence."""
        lengths: Sequence[float | None] = budgets or [None] * len(sentences)

        def piece(part: Sequence[tuple[str, float | None]], stopping: Cancel) -> Iterator[str]:
            texts, most = [text for text, _ in part], [length for _, length in part] if budgets else None
            return self._asked(stopping, "translate", texts, most)

        return self._spread([*zip(sentences, lengths, strict=True)], _SENTENCES, cancel, piece)

    def translate_sound(
        self, samples: NDArray[Any], stretches: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[str]:
        """Yield one translation for each stretch of sound."""
        return self._spread(
            stretches,
            _SENTENCES,
            cancel,
            lambda part, stopping: self._asked(stopping, "translate_sound", *_cut(samples, part)),
        )


class RemoteSynthesizer(_Remote):
    """Speaks elsewhere; see `Synthesizer`."""

    def speak(self, lines: Sequence[tuple[str, float]], cancel: Cancel) -> Iterator[Clip]:
        """Yield one clip for each line."""
        return self._spread(lines, _LINES, cancel, lambda part, stopping: self._asked(stopping, "speak", [*part]))


class RemoteVoices(RemoteSynthesizer):
    """Speaks elsewhere with any of several voices; see `ManyVoiced`."""

    def speaking(self, voice_id: str) -> RemoteSynthesizer:
        """Return the same model with another of its voices."""
        choice = replace(self._offer.choice, voice=voice_id)
        return RemoteSynthesizer(self._hosts, replace(self._ask, voice=voice_id), replace(self._offer, choice=choice))


class RemoteEmbedder(_Remote):
    """Tells voices apart elsewhere; see `VoiceEmbedder`."""

    def embed(
        self, samples: NDArray[np.int16], moments: Sequence[tuple[float, float]], cancel: Cancel
    ) -> Iterator[NDArray[np.float32]]:
        """Yield a vector for each moment."""
        return self._spread(
            moments, _MOMENTS, cancel, lambda part, stopping: self._asked(stopping, "embed", *_cut(samples, part))
        )


class RemoteOverlaps(_Remote):
    """Hears elsewhere where two speak at once; see `OverlapFinder`."""

    def overlaps(
        self, samples: NDArray[np.int16], starts: Sequence[float], cancel: Cancel
    ) -> Iterator[list[tuple[float, float]]]:
        """Yield the stretches in which two or more speak at once, for each window."""

        def piece(part: Sequence[float], stopping: Cancel) -> Iterator[list[tuple[float, float]]]:
            sound, moved = _cut(samples, [(start, start + _WINDOW_SECONDS) for start in part])
            before = part[0] - moved[0][0]
            for found in self._asked(stopping, "overlaps", sound, [start for start, _ in moved]):
                yield [(start + before, end + before) for start, end in found]

        return self._spread(starts, _WINDOWS, cancel, piece)


def _cut(
    samples: NDArray[Any], stretches: Sequence[tuple[float, float]]
) -> tuple[NDArray[Any], list[tuple[float, float]]]:
    """Return the part of a sound that some stretches are in, and the stretches in seconds from its start.

    It begins at a whole second, so that times lose nothing, and has a second more on either side: engines hear a little
    of what is around a stretch.
    """
    first = max(0, int(min(start for start, _ in stretches)) - 1)
    last = int(max(end for _, end in stretches)) + 2
    part = samples[first * SPEECH_RATE : last * SPEECH_RATE]
    return part, [(start - first, end - first) for start, end in stretches]
