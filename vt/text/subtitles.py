"""Pure: sentences with times to SRT and VTT in cues that can be read, and people's SRT and VTT back to plain cues."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pysubs2

from vt.domain import Word
from vt.errors import SubtitleError, SubtitlesTooLarge

_MOST_MB = 5
MOST_BYTES = _MOST_MB * 2**20
MOST_CUES = 20_000
MOST_CHARACTERS = 2_000
"""Of one cue, with its markup."""
MOST_WORDS = 100_000
"""Of all cues: ten hours of speech."""
LINE_CHARACTERS = 42
"""The common limit of a subtitle line (BBC and Netflix guidelines: 37 to 42)."""
CUE_CHARACTERS = 2 * LINE_CHARACTERS - 4  # two lines that break at a space are rarely full
CHARACTERS_A_SECOND = 20
"""A cue stays this long at least, where the next one leaves the time."""
SHORTEST_CUE_SECONDS = 1.0
_PAUSES = set(",;:.!?…)»、，；：。！？」』）")
"""A cue ends well behind these, and no line begins with one."""
_JOINER = "\u200d"  # holds emoji together
_GAP = re.compile(r"[^\S\u00a0\u202f]+")
"""A space, but for those within numbers, at which no line may end."""
_TAG = re.compile(r"<(?= *+/?+ *+[a-zA-Z])|>")


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
    return _file([Cue(c.start, c.end, _untagged(c.text).replace("-->", "→")) for c in parts]).to_string("srt")


def _untagged(text: str) -> str:
    """Put other brackets around what would be taken for a tag."""
    end, opened = text.rfind(">") + 1, False

    def bracket(found: re.Match[str]) -> str:
        nonlocal opened
        closes, opened = found[0] == ">" and opened, found[0] == "<"
        return "›" if closes else found[0].replace("<", "‹")

    return _TAG.sub(bracket, text[:end]) + text[end:]


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
    text = _GAP.sub(" ", sentence.text).strip()
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


_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_TIMES = re.compile(rf"\A\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?$")
_NO_CUE = re.compile(r"(NOTE|STYLE|REGION)(\s|$)")
# The markup of SRT and WebVTT, and the commands of the format ASS, which many an SRT file has.
_MARKUP = re.compile(r"<[^<>]*>|\{[^{}]*\}")
_BREAK = re.compile(r"\\[Nnh]")
# "[applause]" anywhere, "(applause)" alone in its cue, notes, and what is sung between two of them.
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


def check_size(size: int) -> None:
    """Raise where a file of so many bytes is too large to be read.

    Raises:
        SubtitlesTooLarge: it is.
    """
    if size > MOST_BYTES:
        raise too_large()


def too_large() -> SubtitlesTooLarge:
    """Return what to raise where a file holds more than `MOST_BYTES`."""
    return SubtitlesTooLarge(_MOST_MB)


def read(text: str) -> list[Cue]:
    """Return the cues of an SRT or WebVTT file in order of time, as plain text, none overlapping the next.

    A cue without words (empty, or only a description of a sound such as "[music]") is left out.

    Raises:
        SubtitleError: no such file, a line of times that cannot be read, or more than is taken; the sentence says
            which, and where.
    """
    found = [Cue(block.start, block.end, _plain(block.text)) for block in _blocks(text)]
    spoken = sorted((cue for cue in found if any(map(str.isalnum, cue.text))), key=lambda cue: cue.start)
    if sum(cue.text.count(" ") + 1 for cue in spoken) > MOST_WORDS:
        raise SubtitleError("The subtitles are too long: {limit} words are the most.", limit=MOST_WORDS)
    nexts = [*(cue.start for cue in spoken[1:]), math.inf]
    return [_tidy(cue, following) for cue, following in zip(spoken, nexts, strict=False)]


def decoded(content: bytes) -> str:
    """Return the text of a subtitle file in the encodings that people's files have."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    head = content[:4000]
    if 8 * head.count(0) > len(head):  # half of what Europeans write is zeros in UTF-16, and so is any line of times
        low = head[::2].count(0) < head[1::2].count(0)
        return content.decode("utf-16-le" if low else "utf-16-be", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def words(cues_in_order: Iterable[Cue]) -> list[Word]:
    """Return the words of cues, each with its share of its cue's time, so that sentences can be rebuilt from them."""
    return [word for cue in cues_in_order for word in _words_of(cue)]


@dataclass(slots=True)
class _Block:
    """A cue as it stands in a file."""

    line: int
    """The number of its line of times."""
    start: float
    end: float
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its lines as one text.

        Raises:
            SubtitleError: it is longer than any that is taken.
        """
        text = "\n".join(self.lines).strip()
        if len(text) > MOST_CHARACTERS:
            raise SubtitleError(
                "The cue at line {number} of the subtitles is too long: {limit} characters are the most.",
                number=self.line,
                limit=MOST_CHARACTERS,
            )
        return text

    def end_before_another(self) -> None:
        """Leave out what belongs to the next cue: its number."""
        below = len(self.lines)
        while below and not self.lines[below - 1].strip():
            below -= 1
        touching = below == len(self.lines)
        if below > 1 and self.lines[below - 1].strip().isdecimal() and (touching or not self.lines[below - 2].strip()):
            del self.lines[below - 1 :]


def _blocks(text: str) -> list[_Block]:
    lines = text.removeprefix("\ufeff").splitlines()
    is_vtt = bool(lines) and lines[0].startswith("WEBVTT")
    found: list[_Block] = []
    is_open = False
    for number, (before, line) in enumerate(pairwise(["", *lines]), 1):
        if "-->" in line:
            if is_open:
                found[-1].end_before_another()
            found.append(_block(number, line))
            if len(found) > MOST_CUES:
                raise SubtitleError("The subtitles are too long: {limit} cues are the most.", limit=MOST_CUES)
            is_open = True
        elif not before.strip() and (_NO_CUE.match(line) or (is_vtt and found)):
            is_open = False  # a note, a style, or in WebVTT the name of the next cue: nobody says that
        elif is_open:
            found[-1].lines.append(line)
    if not found:
        raise SubtitleError("The subtitles hold no times: an SRT or WebVTT file is needed, from its line 1 on.")
    return found


def _block(number: int, line: str) -> _Block:
    times = _TIMES.match(line)
    if not times:
        raise SubtitleError(
            'Line {number} of the subtitles cannot be read: "{line}". It should look like 00:01:02,500 --> '
            "00:01:04,000.",
            number=number,
            line=_shown(line),
        )
    return _Block(number, _seconds(times.groups()[:4]), _seconds(times.groups()[4:]))


def _shown(line: str) -> str:
    return "".join(sign for sign in line[:1000].strip() if sign.isprintable())[:60]


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, behind = (group or "0" for group in groups)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(behind.ljust(3, "0")) / 1000


def _plain(text: str) -> str:
    bare = html.unescape(_BREAK.sub("\n", _MARKUP.sub("", text))).translate(_CONTROLS)
    for _ in range(_NESTED):
        bare = _BRACKETED.sub(" ", bare)
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
