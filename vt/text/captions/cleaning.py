"""What is spoken in a cue: without sounds and names, each speaker's part by itself."""

from __future__ import annotations

import re

from vt.text.captions.cue import RawCue, Utterance

_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_NESTED = 3
"""Brackets in brackets that are taken out with them."""
_SOUND = re.compile(r"\A\s*\([^()]*\)\s*\Z|[♪♫][^♪♫]*[♪♫]|[♪♫]")
# "- " before each of two speakers, and "MAN IN BLACK: " before either.
_SPEAKER = re.compile(
    r"(?m)^\s*+(?:[-–—]\s++)?(?:(?=[^\n:]*[A-ZÀ-ÞА-Я]{2})(?:(?![a-zß-öø-ÿа-я])[\w .'’-]){2,40}:\s++)?"
)
_CONTROLS = dict.fromkeys(sign for sign in [*range(0x20), *range(0x7F, 0xA0), 0xFEFF] if not chr(sign).isspace())
"""Signs that nobody says, nor writes on purpose."""


def utterances(cue: RawCue) -> list[Utterance]:
    """Return what is spoken in a cue, one behind the other in its time; nothing where it holds no words."""
    bare = cue.text.translate(_CONTROLS)
    for _ in range(_NESTED):
        bare = _BRACKETED.sub(" ", bare)
    text = " ".join(_SPEAKER.sub("", _SOUND.sub(" ", bare)).split())
    return [Utterance(cue.start, cue.end, text, cue.speaker)] if any(map(str.isalnum, text)) else []
