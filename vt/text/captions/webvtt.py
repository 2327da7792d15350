"""WebVTT, parsed as the W3C describes it (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from vt.text.captions import srt
from vt.text.captions.cue import RawCue


def recognises(text: str) -> bool:
    """Tell whether a text is a WebVTT file."""
    return text.startswith("WEBVTT")


def parse(text: str) -> list[RawCue]:
    """Return the cues of a WebVTT file."""
    return srt.parse(text)
