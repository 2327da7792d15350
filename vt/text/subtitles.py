"""Pure: sentences with times to SRT and WebVTT files, in cues that can be read."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pysubs2

LINE_CHARACTERS = 42
"""The common limit of a subtitle line (BBC and Netflix guidelines: 37 to 42)."""
CUE_CHARACTERS = 2 * LINE_CHARACTERS - 4  # two lines that break at a space are rarely full
CHARACTERS_A_SECOND = 20
"""A cue stays this long at least, where the next one leaves the time."""
SHORTEST_CUE_SECONDS = 1.0
_PAUSES = set(",;:.!?…)»、，；：。！？」』）")
"""A cue ends well behind these, and no line begins with one."""
_DASHES = "-–—"
_NO_BREAK = "\u00a0"
_JOINER = "\u200d"  # holds emoji together
_GAP = re.compile(r"[^\S\u00a0\u202f]+")
"""A space, but for those within numbers, at which no line may end."""
_MOST_NAME = 16
"""Characters of a speaker's name in front of what they say: the text has to fit beside it."""
_NUMBERED = re.compile(r"(?:speaker|spk)?[ _#-]?\d{1,9}", re.IGNORECASE)
_TAG = re.compile(r"<(?= *+/?+ *+[a-zA-Z])|>")


@dataclass(frozen=True, slots=True)
class Cue:
    """A text and when it is on the screen, in seconds."""

    start: float
    end: float
    text: str
    speaker: str = ""
    """Who says it, by name or number, where that is to be marked."""
    marked: str = ""
    """The text with the mark of another speaker in front of it; empty where there is none."""

    @property
    def shown(self) -> str:
        """What stands on the screen where a format cannot name the speaker otherwise."""
        return self.marked or self.text


def cues(sentences: Iterable[Cue], film_seconds: float = math.inf) -> list[Cue]:
    """Break sentences into cues of at most two lines, each with the time that reading takes where there is some.

    No cue outlasts the film. Where another speaker begins, the cue has a mark: the name in capitals, as the BBC's
    guidelines have it, or a hyphen for whoever has only a number; they leave that room in its lines.
    """
    parts = [part for sentence, mark in _with_marks(sentences) for part in _split(sentence, mark)]
    nexts = [*(part.start for part in parts[1:]), film_seconds]
    found: list[Cue] = []
    for part, following in zip(parts, nexts, strict=False):
        found.append(_readable(part, found[-1].end if found else 0.0, following))
    return found


def is_number(label: str) -> bool:
    """Tell whether a speaker's label is no name, but a number as recognition and other programs give it."""
    return bool(_NUMBERED.fullmatch(label))


def _with_marks(sentences: Iterable[Cue]) -> Iterator[tuple[Cue, str]]:
    """Yield each sentence with the mark of its speaker, where that is another than before."""
    speaker = ""
    for number, sentence in enumerate(sentences):
        is_other = sentence.speaker != speaker
        speaker = sentence.speaker
        yield sentence, _mark(speaker, is_first=number == 0) if is_other and speaker else ""


def _mark(speaker: str, *, is_first: bool) -> str:
    """Return what stands in front of a speaker's text; a hyphen tells nothing where nobody has spoken before."""
    name = " ".join(speaker.split())
    if is_number(name):
        return "" if is_first else "- "
    return f"{name[: _MOST_NAME - 1]}…: ".upper() if len(name) > _MOST_NAME else f"{name.upper()}: "


def srt(parts: Sequence[Cue]) -> str:
    """Return cues as an SRT file."""
    # SRT has no way to escape: what looks like a tag or like a cue's times would be taken for one.
    return _file([Cue(c.start, c.end, _untagged(c.shown).replace("-->", "→")) for c in parts]).to_string("srt")


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
    return _file([Cue(c.start, c.end, _voiced(c)) for c in parts]).to_string("vtt")


def _voiced(cue: Cue) -> str:
    """Return a cue's text as WebVTT has it, in the voice span of its speaker where there is one."""
    text, name = html.escape(cue.text, quote=False), html.escape(" ".join(cue.speaker.split()), quote=False)
    return f"<v {name}>{text}</v>" if name else text


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
    wanted = start + max(SHORTEST_CUE_SECONDS, len(part.shown) / CHARACTERS_A_SECOND)
    # A cue ends before the next begins, but never before it began itself.
    end = max(min(max(part.end, wanted), following), start + 0.001)
    return replace(part, start=start, end=end, text=broken(part.text), marked=part.marked and broken(part.marked))


def _split(sentence: Cue, mark: str) -> list[Cue]:
    """Cut a long sentence where it breathes; each part gets its share of the time by its length.

    The mark stands in front of the first part, which is cut so that both fit.
    """
    text = _GAP.sub(" ", sentence.text).strip()
    if not text:
        return []
    mark = "" if text[0] in _DASHES else mark  # it has its own
    held = mark.replace(" ", _NO_BREAK)  # no line ends within it
    pieces = _pieces(held + text)
    pieces[0] = pieces[0].removeprefix(held)
    total, here, parts = sum(map(len, pieces)), sentence.start, []
    for piece in pieces:
        end = here + (sentence.end - sentence.start) * len(piece) / total
        parts.append(replace(sentence, start=here, end=end, text=piece, marked=""))
        here = end
    parts[0] = replace(parts[0], marked=mark and mark + parts[0].text)
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
