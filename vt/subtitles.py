"""Pure: sentences with times to SRT and VTT in cues that can be read, and people's SRT and VTT back to plain cues."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pysubs2

from vt.domain import Word
from vt.errors import SubtitleError

LINE_CHARACTERS = 42
"""The common limit of a subtitle line (BBC and Netflix guidelines: 37 to 42)."""
CUE_CHARACTERS = 2 * LINE_CHARACTERS - 4  # two lines that break at a space are rarely full
CHARACTERS_A_SECOND = 20
"""A cue stays this long at least, where the next one leaves the time."""
SHORTEST_CUE_SECONDS = 1.0
_PAUSES = set(",;:.!?…)»、，；：。！？」』）")
"""A cue ends well behind these, and no line begins with one."""
_JOINER = "\u200d"  # holds emoji together
_TAG = re.compile(r"<( */? *[a-zA-Z][^>]*)>")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is on the screen, in seconds."""

    start: float
    end: float
    text: str


def cues(sentences: Iterable[Cue], film_seconds: float = math.inf) -> list[Cue]:
    """Break sentences into cues of at most two lines, each with the time that reading takes where there is some.

    No cue outlasts the film.
    """
    parts = [part for sentence in sentences for part in _split(sentence)]
    nexts = [*(part.start for part in parts[1:]), film_seconds]
    found: list[Cue] = []
    for part, following in zip(parts, nexts, strict=False):
        found.append(_readable(part, found[-1].end if found else 0.0, following))
    return found


def srt(parts: Sequence[Cue]) -> str:
    """Return cues as an SRT file."""
    # SRT has no way to escape: what looks like a tag or like a cue's times would be taken for one.
    return _file([Cue(c.start, c.end, _TAG.sub(r"‹\1›", c.text).replace("-->", "→")) for c in parts]).to_string("srt")


def vtt(parts: Sequence[Cue]) -> str:
    """Return cues as a WebVTT file (W3C)."""
    return _file([Cue(c.start, c.end, html.escape(c.text, quote=False)) for c in parts]).to_string("vtt")


def _file(parts: Sequence[Cue]) -> pysubs2.SSAFile:
    # Braces and backslashes are commands to the library's own format.
    plain = str.maketrans({"{": "(", "}": ")", "\\": "/"})
    file = pysubs2.SSAFile()
    for part in parts:
        text = part.text.translate(plain).replace("\n", "\\N")
        file.append(pysubs2.SSAEvent(round(part.start * 1000), round(part.end * 1000), text))
    return file


def _readable(part: Cue, free: float, following: float) -> Cue:
    """Show a part from `free` on at the earliest, until the `following` one at the latest."""
    start = max(part.start, free)
    wanted = start + max(SHORTEST_CUE_SECONDS, len(part.text) / CHARACTERS_A_SECOND)
    # A cue ends before the next begins, but never before it began itself.
    end = max(min(max(part.end, wanted), following), start + 0.001)
    return Cue(start, end, broken(part.text))


def _split(sentence: Cue) -> list[Cue]:
    """Cut a long sentence where it breathes; each part gets its share of the time by its length."""
    text = " ".join(sentence.text.split())
    if not text:
        return []
    pieces = _pieces(text)
    total, here, parts = sum(map(len, pieces)), sentence.start, []
    for piece in pieces:
        end = here + (sentence.end - sentence.start) * len(piece) / total
        parts.append(Cue(here, end, piece))
        here = end
    return parts


def _pieces(text: str) -> list[str]:
    if len(text) <= LINE_CHARACTERS or _breaks(text):
        return [text]
    count = max(2, math.ceil(len(text) / CUE_CHARACTERS))
    cut = _cut(text, len(text) * (count // 2) // count)
    return [*_pieces(text[:cut].strip()), *_pieces(text[cut:].strip())]


def _cut(text: str, ideal: int) -> int:
    """Return the best place to cut near `ideal`; being behind punctuation is worth a dozen characters of imbalance."""
    return min(_places(text), key=lambda at: abs(at - ideal) - (12 if text[at - 1] in _PAUSES else 0), default=ideal)


def _places(text: str) -> list[int]:
    """Return where the text may be cut: at its spaces, or, without any, before each letter that can open a line."""
    spaces = [at for at, sign in enumerate(text) if sign == " "]
    return spaces or [at for at in range(1, len(text)) if _opens(text[at]) and text[at - 1] != _JOINER]


def _opens(sign: str) -> bool:
    return sign not in _PAUSES and sign != _JOINER and not unicodedata.category(sign).startswith("M")


def _breaks(text: str) -> list[int]:
    """Return where the text may be cut into two lines that both fit."""
    if len(text) > 2 * LINE_CHARACTERS + 1:
        return []
    lengths = ((at, len(text[:at].strip()), len(text[at:].strip())) for at in _places(text))
    return [at for at, head, tail in lengths if max(head, tail) <= LINE_CHARACTERS]


def broken(text: str) -> str:
    """Return the text on one line, or on two of about the same length."""
    places = _breaks(text) if len(text) > LINE_CHARACTERS else []
    if not places:
        return text
    cut = min(places, key=lambda at: abs(at - len(text) // 2))
    return f"{text[:cut].strip()}\n{text[cut:].strip()}"


_TIME = r"(?:\d{1,3}:)?\d{1,2}:\d{1,2}[,.]\d{1,3}"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_NO_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
_MARKUP = re.compile(r"<[^<>]*>")
# "[applause]" anywhere, "(applause)" alone in its cue, notes, and what is sung between two of them.
_SOUND = re.compile(r"\[[^\]]*\]|\A\s*\([^()]*\)\s*\Z|[♪♫][^♪♫]*[♪♫]|[♪♫]")
# "- " before each of two speakers, and "MAN IN BLACK: " before either.
_SPEAKER = re.compile(r"(?m)^\s*(?:[-–—]\s+)?(?:(?=[^\n:]*[A-ZÀ-ÞА-Я]{2})(?:(?![a-zß-öø-ÿа-я])[\w .'’-]){2,40}:\s+)?")


def read(text: str) -> list[Cue]:
    """Return the cues of an SRT or WebVTT file in order of time, as plain text, none overlapping the next.

    A cue without words (empty, or only a description of a sound such as "[music]") is left out.

    Raises:
        SubtitleError: no such file, or a line of times that cannot be read; the sentence says which.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    _check_times(lines)
    events = pysubs2.SSAFile.from_string("\n".join(_without_notes(lines)), format_="srt", keep_unknown_html_tags=True)
    found = [Cue(event.start / 1000, event.end / 1000, _plain(event.plaintext)) for event in events]
    spoken = sorted((cue for cue in found if cue.text), key=lambda cue: cue.start)
    nexts = [*(cue.start for cue in spoken[1:]), math.inf]
    return [_tidy(cue, following) for cue, following in zip(spoken, nexts, strict=False)]


def decoded(content: bytes) -> str:
    """Return the text of a subtitle file in the encodings that people's files have."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def words(cues_in_order: Iterable[Cue]) -> list[Word]:
    """Return the words of cues, each with its share of its cue's time, so that sentences can be rebuilt from them."""
    return [word for cue in cues_in_order for word in _words_of(cue)]


def _check_times(lines: Sequence[str]) -> None:
    timed = [(number, line) for number, line in enumerate(lines, 1) if "-->" in line]
    for number, line in timed:
        if not _TIMES.match(line):
            raise SubtitleError(
                f'Line {number} of the subtitles cannot be read: "{line.strip()[:60]}". '
                "It should look like 00:01:02,500 --> 00:01:04,000."
            )
    if not timed:
        raise SubtitleError("The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.")


def _without_notes(lines: Sequence[str]) -> Iterable[str]:
    """Yield the lines of an SRT file that says the same: WebVTT's head, notes and styles are not for the screen."""
    skipping = bool(lines) and lines[0].startswith("WEBVTT")
    for before, line in zip(["", *lines], lines, strict=False):
        if not line.strip():
            skipping = False
        elif not before.strip() and _NO_CUE.match(line):
            skipping = True
        if not skipping:
            yield _hours(line)


def _hours(line: str) -> str:
    """Give WebVTT's short times their hours, which SRT always has."""
    return re.sub(r"(?<![\d:])(\d{1,2}:\d{2}[,.]\d{3})", r"00:\1", line) if "-->" in line else line


def _plain(text: str) -> str:
    bare = html.unescape(_MARKUP.sub("", text))
    return " ".join(_SPEAKER.sub("", _SOUND.sub(" ", bare)).split())


def _tidy(cue: Cue, following: float) -> Cue:
    """Give a cue whose end is before its start the time that reading takes, and end it before the next."""
    reading = cue.start + max(SHORTEST_CUE_SECONDS, len(cue.text) / CHARACTERS_A_SECOND)
    end = cue.end if cue.end > cue.start else reading
    return Cue(cue.start, min(end, following) if following > cue.start else end, cue.text)


def _words_of(cue: Cue) -> Iterable[Word]:
    total, here = sum(map(len, cue.text.split())), cue.start
    for text in cue.text.split():
        end = here + (cue.end - cue.start) * len(text) / total
        yield Word(here, end, f" {text}")
        here = end
