"""What is spoken in cues: without sounds, songs and names, each speaker's part by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from vt.domain import Word
from vt.text.captions import sounds, speakers
from vt.text.captions.cue import RawCue, Utterance

_CONTROLS = dict.fromkeys(
    sign
    for sign in [*range(0x20), *range(0x7F, 0xA0), 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0xFEFF]
    if not chr(sign).isspace() and sign not in (0x200C, 0x200D)
)
"""Signs that nobody says, nor writes on purpose; those of direction too, but not those that join letters."""


def spoken(cues: Sequence[RawCue]) -> tuple[list[Utterance], int]:
    """Return what is spoken in cues, in their order, and in how many of them nothing is.

    Where one cue has several utterances, they share its time.
    """
    cleaned = [replace(cue, text=sounds.without(cue.text.translate(_CONTROLS))) for cue in cues]
    names = speakers.names([cue.text for cue in cleaned])
    found: list[Utterance] = []
    speaker, silent = "", 0
    for cue, raw in zip(cleaned, cues, strict=True):
        turns = [turn for turn in speakers.turns(cue.text, names) if any(map(str.isalnum, turn.text))]
        silent += not turns and bool(raw.text.strip())
        for utterance in _shared(cue, turns):
            begins = utterance.begins_turn or bool(utterance.speaker and utterance.speaker != speaker)
            speaker = utterance.speaker or ("" if begins else speaker)
            found.append(replace(utterance, begins_turn=begins))
    return [*_answered(found)], silent


def _answered(found: Sequence[Utterance]) -> Iterator[Utterance]:
    """Yield utterances; a turn without a name, as after a dash, is the other's: of whoever spoke before the last one.

    Where only one person is named, nobody knows whose it is.
    """
    named = [*dict.fromkeys(utterance.speaker for utterance in found if utterance.speaker)]
    speaking = other = ""
    for utterance in found:
        if utterance.begins_turn and not utterance.speaker and speaking and len(named) > 1:
            other = other or next(name for name in named if name != speaking)
            speaking, other = other, speaking
            yield replace(utterance, speaker=speaking)
            continue
        if utterance.speaker and utterance.speaker != speaking:
            speaking, other = utterance.speaker, speaking
        yield utterance


def _shared(cue: RawCue, turns: Sequence[speakers.Turn]) -> Iterator[Utterance]:
    """Yield an utterance for each turn, with its words' time where that is known, else its share of the cue's."""
    words = _words_of(turns, cue.words)
    total, here = sum(len(turn.text) for turn in turns), cue.start
    for turn, timed in zip(turns, words, strict=True):
        end = here + (cue.end - cue.start) * len(turn.text) / total
        span = (timed[0].start, timed[-1].end) if timed else (here, end)
        yield Utterance(*span, turn.text, turn.speaker or cue.speaker, turn.begins, timed, line=cue.line)
        here = end


def _words_of(turns: Sequence[speakers.Turn], words: Iterable[Word]) -> list[tuple[Word, ...]]:
    """Return the words of each turn with their times; nothing for all, where they are not those of the cue."""
    left = iter(words)
    found: list[tuple[Word, ...]] = []
    for turn in turns:
        timed = []
        for part in turn.text.split():
            # What was left out stands between them: each is looked for behind the one before it.
            word = next((word for word in left if word.text.strip() == part), None)
            if word is None:
                return [() for _ in turns]
            timed.append(replace(word, text=f" {part}"))
        found.append(tuple(timed))
    return found
