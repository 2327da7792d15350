"""Pure: the phonemes of a long line divided into parts that Kokoro can speak at once."""

from __future__ import annotations

import math
import re
import unicodedata

_ENDS = (
    re.compile(r"[.!?…][\"”)]? "),
    re.compile(r"[;:—][\"”)]? |(?<= )[\"“(]"),
    re.compile(r",[\"”)]? "),
    re.compile(" "),
)
"""Where a long line is divided best, and less well."""
_LENGTH_TOLERANCE = 0.4
"""Of a part's length, how much it may differ from that of the others for the sake of a better place."""


def divided(phoneme_text: str, longest: int) -> list[str]:
    """Divide phonemes into parts of about one length, none above `longest` signs; what holds no sound is left out.

    A part ends behind a sentence if possible, else behind a clause, else behind a word.
    """
    parts = []
    while len(phoneme_text) > longest:
        at = _division(phoneme_text, longest)
        parts.append(phoneme_text[:at].strip())
        phoneme_text = phoneme_text[at:].strip()
    return [part for part in (*parts, phoneme_text) if any(map(_is_sound, part))]


def _is_sound(sign: str) -> bool:
    """Tell a phoneme from a mark, and from the stress or length of one that the model does not know."""
    return unicodedata.category(sign) in ("Ll", "Lu", "Lo")


def _division(phoneme_text: str, longest: int) -> int:
    """Return where the first part of a text ends that is longer than `longest`."""
    aim = len(phoneme_text) / math.ceil(len(phoneme_text) / longest)
    for ends in _ENDS:
        places = [
            found.end() if found[0].endswith(" ") else found.start()
            for found in ends.finditer(phoneme_text, 0, longest)
        ]
        near = [place for place in places if aim * (1 - _LENGTH_TOLERANCE) <= place <= aim * (1 + _LENGTH_TOLERANCE)]
        if near:
            return min(near, key=lambda place: abs(place - aim))
    return int(aim)
