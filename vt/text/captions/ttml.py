"""TTML, also called DFXP, as the W3C describes it (https://www.w3.org/TR/ttml2/, IMSC and EBU-TT among it)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.entities import html5
from itertools import groupby
from xml.parsers import expat

from vt.domain import Word
from vt.errors import SubtitleError
from vt.text.captions.cue import RawCue
from vt.text.captions.limits import MOST_CHARACTERS
from vt.text.captions.markup import unreadable_line
from vt.text.captions.timed_words import joined

_MOST_ELEMENTS = 200_000
_DEEPEST = 100
"""Elements within each other."""
_ROOT = re.compile(r"<(?:[\w.-]{1,40}+:)?tt[\s>]")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,12})|[:;](\d{1,4})(?:\.\d{1,4})?)?")
_OFFSET = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|m|s|f|t)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
EXAMPLE = 'begin="00:01:02.500" end="00:01:04.000"'
_ENTITY = re.compile(r"&(#?\w{1,31};)?")
_ORIGIN = "documentStartOfProgramme"
"""Of EBU-TT: the time on the tape at which the film begins, often 10:00:00:00."""
_SPACE = re.compile(r"[ \t\r\n]+")
_TIMES = frozenset(("begin", "end", "dur"))
_UNSPOKEN_ROLES = frozenset(("sound", "music", "kinesic", "quality", "suppressed"))
_UNSPOKEN_RUBY = frozenset(("text", "textContainer", "delimiter"))
_ABOUT = frozenset(("metadata", "title", "desc", "copyright"))
"""Elements that tell of the text around them."""


def recognises(text: str) -> bool:
    """Tell whether a text is a TTML file: XML whose first elements hold one named tt."""
    return text[:1000].lstrip().startswith("<") and bool(_ROOT.search(text[:4000]))


def parse(text: str) -> list[RawCue]:
    """Return the cues of a TTML file; of one whose spans have times, the words have them too.

    Raises:
        SubtitleError: it is no XML, declares entities, is nested too deeply, or a time cannot be read.
    """
    return _parsed(text).cues


def declared_language(text: str) -> str:
    """Return the language that the root of a file names; empty where it names none."""
    found = re.search(r"""\bxml:lang\s{0,9}=\s{0,9}["']([\w-]{1,40})["']""", text[:4000])
    return found[1] if found else ""


@dataclass(slots=True)
class _Rates:
    """How the file counts time: frames and ticks a second."""

    frames: float = 30.0
    ticks: float = 1.0

    @classmethod
    def of(cls, root: Mapping[str, str]) -> _Rates:
        """Return the rates that the root's attributes give; what makes no sense is left at its default."""
        frames = _positive(root.get("frameRate"))
        numbers = root.get("frameRateMultiplier", "").replace(":", " ").split()
        above, below = (_positive(number) for number in (numbers if len(numbers) == 2 else ("1", "1")))
        exact = (frames or 30.0) * (above / below if above and below else 1.0)
        default = exact * (_positive(root.get("subFrameRate")) or 1.0) if frames else 1.0
        return cls(exact, _positive(root.get("tickRate")) or default)


def _positive(text: str | None) -> float:
    """Return the number that an attribute holds; 0 where it holds none."""
    return float(text) if text and re.fullmatch(r"\d{1,10}(?:\.\d{1,10})?", text) else 0.0


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element: what it hands down to those in it."""

    name: str = ""
    begin: float = 0.0
    end: float | None = None
    """None: for as long as the film."""
    is_timed: bool = False
    """True within a paragraph where it, or an element between them, has times of its own."""
    speaker: str = ""
    is_spoken: bool = True
    keeps_space: bool = False


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of text in a paragraph, and the element that it stands in."""

    text: str
    within: _Element


@dataclass(slots=True)
class _Reader:
    """Takes a file apart as its elements come, so that nothing larger than a paragraph is held."""

    parser: expat.XMLParserType
    cues: list[RawCue] = field(default_factory=list)
    rates: _Rates = field(default_factory=_Rates)
    open: list[_Element] = field(default_factory=lambda: [_Element()])
    pieces: list[_Piece] | None = None
    """Of the paragraph that is open; None outside of one."""
    line: int = 0
    names: dict[str, str] = field(default_factory=dict)
    """Of people, by their ids."""
    styles: dict[str, bool] = field(default_factory=dict)
    """Whether the text of a style is spoken, by its id."""
    agent: str = ""
    """The id of the person who is being described."""
    origin: float = 0.0
    """When the film begins, where times are those of a tape."""
    origin_text: str = ""
    count: int = 0
    """Of elements."""

    def start(self, qualified: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) > _DEEPEST or self.count > _MOST_ELEMENTS:
            raise SubtitleError("The subtitles hold too many elements, or elements nested too deeply.")
        name, given = _local(qualified), {_local(key): value for key, value in attributes.items()}
        if name == "tt":
            self.rates = _Rates.of(given)
        elif name == "agent":
            self.agent = given.get("id", "")
        elif name == "style" and "id" in given:
            self.styles[given["id"]] = self._is_spoken(given)
        elif name == "br" and self.pieces is not None:
            self.pieces.append(_Piece("\n", self.open[-1]))
        elif name == "p" and self.pieces is None:
            self.pieces, self.line = [], self.parser.CurrentLineNumber
        self.open.append(self._element(name, given))

    def end(self, _: str) -> None:
        element = self.open.pop()
        if element.name in ("name", "agent"):  # the first of several names is taken
            self.agent = ""
        elif element.name == _ORIGIN:
            self.origin = self._seconds(self.origin_text) or 0.0
        elif element.name == "p" and self.pieces is not None and not any(above.name == "p" for above in self.open):
            self.cues += _cues(self.line, element, self.pieces)
            self.pieces = None

    def data(self, text: str) -> None:
        within = self.open[-1]
        if self.agent and within.name == "name" and text.strip():
            self.names[self.agent] = f"{self.names.get(self.agent, '')}{text}"[:200]
        elif within.name == _ORIGIN:
            self.origin_text = f"{self.origin_text}{text}"[:100]
        elif self.pieces is not None and within.is_spoken:
            self.pieces.append(_Piece(text if within.keeps_space else _SPACE.sub(" ", text), within))

    def _element(self, name: str, given: Mapping[str, str]) -> _Element:
        around = self.open[-1]
        speaker = given.get("agent", "").split()
        begin, end = self._times(name, given, around)
        return _Element(
            name,
            begin,
            end,
            is_timed=self.pieces is not None and name != "p" and (around.is_timed or not _TIMES.isdisjoint(given)),
            speaker=self.names.get(speaker[0], speaker[0]).strip() if speaker else around.speaker,
            is_spoken=around.is_spoken and name not in _ABOUT and self._is_spoken(given),
            keeps_space=given["space"] == "preserve" if "space" in given else around.keeps_space,
        )

    def _times(self, name: str, given: Mapping[str, str], around: _Element) -> tuple[float, float | None]:
        """Return when an element begins and ends; its times count from the begin of the element around it."""
        begin, end, length = (self._seconds(given.get(key)) for key in ("begin", "end", "dur"))
        base = around.begin - (self.origin if name == "body" else 0.0)
        if begin is not None and around.end is not None and base + begin >= around.end > begin >= base > 0:
            base = 0.0  # some programs count from the begin of the film all the same
        start = base + (begin or 0.0)
        ends = [base + end] if end is not None else []
        ends += [start + length] if length is not None else []
        ends += [around.end] if around.end is not None else []
        return start, min(ends) if ends else None

    def _seconds(self, text: str | None) -> float | None:
        if text is None:
            return None
        text = text.strip()
        if clock := _CLOCK.fullmatch(text):
            hours, minutes, seconds, behind, frames = (group or "0" for group in clock.groups())
            whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
            return whole + float(f"0.{behind}") + int(frames) / self.rates.frames
        if offset := _OFFSET.fullmatch(text):
            rates = {"f": 1 / self.rates.frames, "t": 1 / self.rates.ticks}
            return float(offset[1]) * (_UNITS | rates)[offset[2]]
        raise unreadable_line(self.parser.CurrentLineNumber, text[:60], EXAMPLE)

    def _is_spoken(self, given: Mapping[str, str]) -> bool:
        """Tell whether text with these attributes is seen and said: no sound, no reading aid beside other text."""
        if given.get("display") == "none" or given.get("ruby") in _UNSPOKEN_RUBY:
            return False
        roles = set(given.get("role", "").split())
        return not roles & _UNSPOKEN_ROLES and all(self.styles.get(key, True) for key in given.get("style", "").split())


def _parsed(text: str) -> _Reader:
    parser = expat.ParserCreate()
    reader = _Reader(parser)
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.data
    parser.EntityDeclHandler = _refuse_entities
    try:
        parser.Parse(_ENTITY.sub(_escaped, text), True)
    except expat.ExpatError as error:
        raise SubtitleError(
            "The subtitles look like TTML, but line {number} is no XML that can be read: save or download them again.",
            number=error.lineno,
        ) from error
    return reader


def _escaped(found: re.Match[str]) -> str:
    """Return an entity that XML knows as it is; of HTML's the sign, and an & that begins none as XML writes it."""
    name = found[1] or ""
    if name.startswith("#") or name in ("amp;", "lt;", "gt;", "quot;", "apos;"):
        return found[0]
    sign = html5.get(name)
    return f"&amp;{name}" if sign is None else html.escape(sign)


def _refuse_entities(*_: object) -> None:
    raise SubtitleError("The subtitles declare XML entities, which are not taken: save them without.")


def _local(name: str) -> str:
    """Return a name without its prefix, which files bind to the namespace of any version of TTML, or to none."""
    return name.rpartition(":")[2]


def _cues(line: int, paragraph: _Element, pieces: list[_Piece]) -> Iterator[RawCue]:
    """Yield a cue for each time that another person begins to speak in a paragraph."""
    has_times = any(piece.within.is_timed for piece in pieces)
    timed = zip(_speakers(pieces), _timed(paragraph, pieces, has_times=has_times), strict=True)
    for speaker, run in groupby(timed, lambda pair: pair[0]):
        parts = [part for _, part in run]
        text = "\n".join(" ".join(row.split()) for row in "".join(part.text for part in parts).split("\n")).strip()
        seen = [part for part in parts if part.text.strip()]
        if seen:
            words = joined(parts) if has_times and len(text) <= MOST_CHARACTERS else ()
            yield RawCue(line, seen[0].start, max(part.end for part in seen), text, speaker, words)


def _speakers(pieces: list[_Piece]) -> Iterator[str]:
    """Yield who speaks each piece; a space or a new line between two is the one's before it."""
    speaker = next((piece.within.speaker for piece in pieces if piece.text.strip()), "")
    for piece in pieces:
        speaker = piece.within.speaker if piece.text.strip() else speaker
        yield speaker


def _timed(paragraph: _Element, pieces: list[_Piece], *, has_times: bool) -> Iterator[Word]:
    """Yield the pieces of a paragraph with their own times, or, where none has any, with their shares of its time."""
    total = sum(len(piece.text.strip()) for piece in pieces)
    length = 0.0 if has_times or paragraph.end is None else paragraph.end - paragraph.begin
    here = paragraph.begin
    for piece in pieces:
        own, share = piece.within, len(piece.text.strip()) / total if total else 0.0
        start, end = (
            (own.begin, own.begin if own.end is None else own.end) if own.is_timed else (here, here + length * share)
        )
        yield Word(start, end, piece.text)
        here = end
