"""Hear a recording in two windows that are cut at every second, and compare the words with those of the whole.

A word that comes out a little differently is another hearing of it, as windows that begin elsewhere have them; one that
is missing, or is there in addition, is harm.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vt import languages, media
from vt.domain import Cancel, Dropped, Word
from vt.engines import whisper, whisper_joints
from vt.engines.protocols import Heard
from vt.engines.whisper import RATE, Whisper
from vt.media import levels
from vt.media.levels import Region

SAMPLE = Path(__file__).parent.parent / "samples" / "sense_and_sensibility.mp4"
_AROUND_SECONDS = 10.0
"""Of sound, on each side of a cut."""
_NEAR_SECONDS = 2.0
"""Words so far from a cut are compared: farther off, what a recogniser hears depends on where its window begins."""
_ALIKE = 0.6
"""Of a word's letters, this share at least is in another hearing of it."""


def sound(recording: Path, seconds: float) -> NDArray[np.int16]:
    """Return the beginning of a recording, mono at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        info = media.probe(recording)
        return np.array(media.extract(info, info.audio[0], Path(folder, "pcm"))[: int(seconds * RATE)])


def harm(samples: NDArray[np.int16], hears: Whisper, *, overlapping: bool = True) -> Iterator[tuple[int, str]]:
    """Yield each second at which a cut loses or adds words about it, and these.

    Args:
        samples: mono at 16 kHz.
        hears: the model.
        overlapping: whether windows overlap where they are cut within speech, as they do in a dub.
    """
    level, seconds = levels.levels(samples, RATE), len(samples) / RATE
    whole = _spoken(_heard(samples, hears, (0.0, seconds)))
    for cut in range(2, int(seconds) - 1):
        windows = [(max(0.0, cut - _AROUND_SECONDS), float(cut)), (float(cut), min(seconds, cut + _AROUND_SECONDS))]
        wide = whisper_joints.overlapping(windows, level) if overlapping else windows
        found = whisper_joints.joined([_heard(samples, hears, window) for window in wide], wide)
        if told := difference(whole, _spoken(list(found)), cut):
            yield cut, told


def _heard(samples: NDArray[np.int16], hears: Whisper, window: Region) -> list[Heard | Dropped]:
    start, end = window
    found: list[Heard | Dropped] = []
    for part in hears.transcribe(samples[int(start * RATE) : int(end * RATE)], languages.ENGLISH, Cancel()):
        if isinstance(part, Heard):
            moved = (replace(word, start=word.start + start, end=word.end + start) for word in part.words)
            found.append(Heard(tuple(moved)))
    return found


def _spoken(found: Sequence[Heard | Dropped]) -> list[Word]:
    words = [word for part in found if isinstance(part, Heard) for word in part.words]
    plain = (replace(word, text=re.sub(r"[^\w']", "", word.text).lower()) for word in words)
    return sorted((word for word in plain if word.text), key=lambda word: word.start)


def difference(whole: Sequence[Word], found: Sequence[Word], cut: float) -> str:
    """Return which words about a cut are missing or new; empty where none are.

    Args:
        whole: the words of the whole, in small letters and without punctuation.
        found: those of the two windows.
        cut: in seconds: where these meet.
    """
    about = [word for word in whole if abs(word.start - cut) < _AROUND_SECONDS]
    match = SequenceMatcher(None, [word.text for word in about], [word.text for word in found], autojunk=False)
    told = []
    for kind, first, last, here, there in match.get_opcodes():
        was, now = about[first:last], found[here:there]
        is_near = any(abs(word.start - cut) < _NEAR_SECONDS for word in (*was, *now))
        if kind != "equal" and is_near and not (_are_heard(was, now) and _are_heard(now, was)):
            old, new = (" ".join(word.text for word in part) or "nothing" for part in (was, now))
            told.append(f"{old} > {new}")
    return ", ".join(told)


def _are_heard(words: Sequence[Word], others: Sequence[Word]) -> bool:
    """Return whether there is something of each of the words in the others: most of its letters, used for it alone.

    That the two are alike as a whole does not tell it: beside a long word a short one may be missing.
    """
    text, other = ("".join(word.text for word in part) for part in (words, others))
    blocks = SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks()
    same = {at for block in blocks for at in range(block.a, block.a + block.size)}
    ends = list(accumulate(len(word.text) for word in words))
    places = (range(end - len(word.text), end) for word, end in zip(words, ends, strict=True))
    return all(len(same.intersection(place)) >= _ALIKE * len(place) for place in places)


def try_windows(log: Callable[[str], None], recording: Path, seconds: float, *, overlapping: bool = True) -> int:
    """Sweep over a recording, tell of each cut that does harm, and return how many do."""
    hears = Whisper(str(whisper.bundled(whisper.bundled_sizes()[0])), 2, vad=False)
    samples = sound(recording, seconds)
    found = 0
    for cut, told in harm(samples, hears, overlapping=overlapping):
        found += 1
        log(f"cut at {cut} s: {told}")
    log(f"windows: {found} of {int(len(samples) / RATE) - 3} cuts lost or added words")
    return found


def main() -> int:
    """Print each cut that does harm, and return 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--apart", action="store_true", help="windows do not overlap: what that would do")
    wanted = parser.parse_args()
    return 1 if try_windows(_say, wanted.recording, wanted.seconds, overlapping=not wanted.apart) else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
