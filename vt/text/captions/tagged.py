"""Text with tags, as SRT and WebVTT have it: who says which part of it, and from when on."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from vt.domain import Word
from vt.text.captions import limits, times
from vt.text.captions.cue import RawCue

_TOKEN = re.compile(
    r"<(?:/?[a-zA-Z][^<>]*+|\s?+\d[\d:.]*+\s?+|/)>|"
    r"</?(?:[bciu]|v|lang)(?:\.[^\s<>]*+)?(?![^\s<])|<(?:\d{1,9}:)?\d\d:\d\d\.\d{3}(?![^\s<])|"
    r"[^<]++|<"
)
"""A tag; one of WebVTT's tags, or a time, that nothing closes; what is said; a sign that is said."""
_NAME = re.compile(r"</?([a-zA-Z]+)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*+)?\s++([^>]*+)>")
_STAMP = re.compile(r"<\s?(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2})\.(\d{1,9})\s?>?")
_BREAKING = frozenset(["br", "p", "div", "li"])
_UNSPACED = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")


@dataclass(slots=True)
class Voice:
    """What one voice says in a cue."""

    name: str
    pieces: list[tuple[float, str]] = field(default_factory=list)
    """Texts, each with the second from which on it is said."""

    @property
    def text(self) -> str:
        """All of it, with new lines where they are."""
        return "".join(text for _, text in self.pieces).strip()

    def words(self, end: float) -> tuple[Word, ...]:
        """Return the words with their times, where the cue has times within it; else none."""
        if len({second for second, _ in self.pieces}) < 2:
            return ()
        return tuple(_timed(self.pieces, end))


def cues(line: int, span: tuple[float, float], text: str, shift: float = 0.0) -> Iterator[RawCue]:
    """Yield a cue for each voice of one cue, all of them with its times.

    Args:
        line: where its line of times stands in the file.
        span: when it starts and ends, by the clock of the times within it.
        text: with its tags.
        shift: how much later it is than that clock says.
    """
    start, end = span
    if len(text) > limits.MOST_MARKED:
        yield RawCue(line, start, end, text)  # too long in any case
        return
    for voice in voices(text, start):
        words = voice.words(end) if end > start else ()
        moved = tuple(Word(word.start + shift, word.end + shift, word.text) for word in words)
        yield RawCue(line, start + shift, end + shift, voice.text, voice.name, moved)


def voices(text: str, start: float) -> list[Voice]:
    """Take a text apart; without any tag it is one voice without a name."""
    if "<" not in text:
        return [Voice("", [(start, html.unescape(text))])]
    reader = _Reader(start)
    for token in _TOKEN.findall(text):
        reader.take(token)
    return reader.voices


@dataclass(slots=True)
class _Reader:
    second: float
    voices: list[Voice] = field(default_factory=lambda: [Voice("")])
    is_reading: bool = False
    """Within <rt>: how a word is read, above it on the screen."""
    has_closed: bool = False
    """Right behind the end of a tag."""
    is_between: bool = False
    """Between the end of a tag and the start of another."""

    def take(self, token: str) -> None:
        if token[0] != "<" or len(token) == 1:
            self._say(html.unescape(token))
        elif stamp := _STAMP.match(token):
            self.second = times.of_clock(*stamp.groups())
            self.has_closed = self.is_between = False  # parts of one word may have times of their own
        else:
            self._tag(token)

    def _say(self, text: str) -> None:
        if self.is_reading:
            return
        pieces = self.voices[-1].pieces
        if self.is_between and pieces and _would_join(pieces[-1][1], text):
            text = f" {text}"
        pieces.append((self.second, text))
        self.has_closed = self.is_between = False

    def _tag(self, token: str) -> None:
        found = _NAME.match(token)
        name, closes = found[1].lower() if found else "", token[1] == "/"
        self.is_between = self.is_between or (self.has_closed and not closes)
        self.has_closed = closes
        if name in _BREAKING:
            self._say("\n")
        elif name in ("rt", "ruby"):
            self.is_reading = name == "rt" and not closes
        elif name == "v" and token[-1] == ">":  # else nobody knows where the name ends
            voice = _VOICE.match(token)
            self._change_to(" ".join(html.unescape(voice[1]).split()) if voice else "")

    def _change_to(self, name: str) -> None:
        if self.voices[-1].text:
            self.voices.append(Voice(name))
        else:
            self.voices[-1].name = name


def _would_join(before: str, after: str) -> bool:
    """Tell whether two texts would become one word, in a script that puts spaces between words."""
    signs = before[-1:] + after[:1]
    return len(signs) == 2 and all(map(str.isalnum, signs)) and not _UNSPACED.search(signs)


def _timed(pieces: Sequence[tuple[float, str]], end: float) -> Iterator[Word]:
    """Yield the words of pieces; those that have one time in common share it by their lengths."""
    groups: list[tuple[float, list[str]]] = []
    for start, word in _starts(pieces):
        if groups and groups[-1][0] >= start:
            groups[-1][1].append(word)
        else:
            groups.append((start, [word]))
    for (start, words), (following, _) in pairwise([*groups, (max(end, groups[-1][0]), [])]):
        total, here = sum(map(len, words)), start
        for word in words:
            until = here + (following - start) * len(word) / total
            yield Word(here, until, f" {word}")
            here = until


def _starts(pieces: Sequence[tuple[float, str]]) -> Iterator[tuple[float, str]]:
    """Yield each word and when its first sign is said."""
    start, word = 0.0, ""
    for second, text in pieces:
        for part in re.findall(r"\s+|\S+", text):
            if part[0].isspace():
                if word:
                    yield start, word
                word = ""
            else:
                start = start if word else second
                word += part
    if word:
        yield start, word
