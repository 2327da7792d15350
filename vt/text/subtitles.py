"""Pure: sentences with times to SRT, WebVTT and ASS files, in cues that can be read."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise, zip_longest

import pysubs2

from vt.domain import Pause, Timed
from vt.languages import Language
from vt.text import line_breaking
from vt.text.line_breaking import CHARACTERS_A_SECOND, LINE_CHARACTERS, LONGEST_CUE_SECONDS, Rules

__all__ = [
    "CHARACTERS_A_SECOND",
    "LINE_CHARACTERS",
    "LONGEST_CUE_SECONDS",
    "SHORTEST_CUE_SECONDS",
    "Cue",
    "ass",
    "cues",
    "in_both",
    "is_number",
    "srt",
    "vtt",
]

SHORTEST_CUE_SECONDS = 1.0
_GAP_SECONDS = 0.08
"""Two frames at 25 a second: between cues that follow each other, so that the eye sees that the text is another."""
_FLICKER_SECONDS = 0.5
"""A cue stays until the next one where it would be gone for less than this: twelve frames."""
_DASHES = "-–—"
_NO_BREAK = "\u00a0"
_GAP = re.compile(r"[^\S\u00a0\u202f]+")
"""A space, but for those within numbers, at which no line may end."""
_COMMANDS = str.maketrans({"{": "(", "}": ")", "\\": "/"})
_LETTER_SHARE, _LINE_SHARE, _COLUMN_SHARE = 0.042, 0.92, 0.6
"""Shares: the size of letters of the picture's height, a full line of its width, a usual letter's width of the size."""
_BELOW = "Below"
"""The style of the second language."""
_EMBEDDED, _ENDED = "\u202b", "\u202c"
"""What stands between them is read from right to left (RLE and PDF of Unicode's bidirectional algorithm, UAX 9)."""
_MOST_NAME = 16
"""Characters of a speaker's name in front of what they say: the text has to fit beside it."""
_NUMBERED = re.compile(r"(?:speaker|spk)?[ _#-]?\d{1,9}", re.IGNORECASE)
_TIME_ERROR_SECONDS = 0.005
"""Times are rounded before they are kept."""
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
"""What lights up by itself: a word, or a sign of Chinese or Japanese, which put no space between words."""
_SPOKEN, _UNSPOKEN = pysubs2.Color(255, 214, 64), pysubs2.Color(255, 255, 255)
"""Colours of words that light up."""
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
    pauses: tuple[Pause, ...] = ()
    """Where the voice rests within the text, in order, as far as that is known."""
    words: tuple[Timed, ...] = ()
    """When the words of the text are said, or its phrases, as far as that is known; `cues` returns each word's time."""
    below: str = ""
    """The same in another language, to stand below."""

    @property
    def shown(self) -> str:
        """What stands on the screen where a format cannot name the speaker otherwise."""
        return "\n".join(filter(None, (self.marked or self.text, self.below)))


def cues(sentences: Iterable[Cue], film_seconds: float = math.inf, language: Language | None = None) -> list[Cue]:
    """Break sentences into cues of at most two lines, each with the time that reading takes where there is some.

    A cue lasts 1 to 7 seconds where its sentence and the next one leave that time, and none outlasts the film. Where
    another speaker begins, the cue has a mark: the name in capitals, as the BBC's guidelines have it, or a hyphen for
    whoever has only a number; they leave that room in its lines.

    Args:
        sentences: in order of time; a long one is shown by the pauses within it where they are known.
        film_seconds: the length of the film.
        language: of the text, which decides how long a line is and where it may end; None: none that vt knows.
    """
    rules = _rules(language)
    marked = _with_marks(_gathered(_within(sentences, film_seconds), rules))
    return _timed([part for sentence, mark in marked for part in _split(sentence, mark, rules)], film_seconds, rules)


def _rules(language: Language | None) -> Rules:
    return line_breaking.rules_of(language) if language else Rules()


def in_both(
    lines: Iterable[tuple[Cue, Cue]], film_seconds: float, upper: Language | None, lower: Language | None
) -> list[Cue]:
    """Return cues that show what is said in two languages, at most two lines of each.

    Args:
        lines: what is said in the upper language, with what it says in the lower one; either text may be empty. Both
            are shown when the upper one is said, or else the lower one.
        film_seconds: the length of the film.
        upper: the language that stands above.
        lower: the language that stands below.
    """
    above, below = zip(*lines, strict=True) if (lines := list(lines)) else ((), ())
    rules = _rules(upper), _rules(lower)
    leading = [one if one.text.strip() else replace(other, text="") for one, other in zip(above, below, strict=True)]
    marked = zip(_with_marks(_within(leading, film_seconds)), below, strict=True)
    parts = [part for (one, mark), other in marked for part in _split_in_both(one, other.text, mark, rules)]
    timed = _timed(sorted(parts, key=lambda part: part.start), film_seconds, rules[0])
    return [replace(part, below=_set(part.below, rules[1])) for part in timed]


def _within(sentences: Iterable[Cue], film_seconds: float) -> Iterator[Cue]:
    """Yield sentences that end with the film at the latest: else the parts of a long one would come behind it."""
    return (replace(one, end=max(one.start, min(one.end, film_seconds))) for one in sentences)


def _timed(parts: Sequence[Cue], film_seconds: float, rules: Rules) -> list[Cue]:
    """Give cues the time that reading takes, and break their lines."""
    nexts = [*((part.start, _GAP_SECONDS) for part in parts[1:]), (film_seconds, 0.0)]
    found: list[Cue] = []
    for part, (following, gap) in zip(parts, nexts, strict=False):
        found.append(_readable(part, found[-1].end if found else 0.0, following, gap, rules))
    return found


def _gathered(sentences: Iterable[Cue], rules: Rules) -> Iterator[Cue]:
    """Yield sentences; one that could not be shown for a second is put together with the one behind it."""
    held: Cue | None = None
    for sentence in sentences:
        if held and _belongs_to(held, sentence, rules):
            held = _together(held, sentence)
            continue
        if held:
            yield held
        held = sentence
    if held:
        yield held


def _belongs_to(first: Cue, second: Cue, rules: Rules) -> bool:
    """Return whether two sentences are shown as one: the first would be gone too soon, and both fit on the screen."""
    is_short = second.start - first.start < SHORTEST_CUE_SECONDS + _GAP_SECONDS
    is_whole = first.text.strip() and second.text.strip() and second.text.strip()[0] not in _DASHES
    columns = line_breaking.width(first.text) + line_breaking.width(second.text)
    fits = columns < 2 * rules.columns - _MOST_NAME and second.end - first.start <= LONGEST_CUE_SECONDS
    return bool(is_short and is_whole and fits and first.speaker == second.speaker)


def _together(first: Cue, second: Cue) -> Cue:
    end = max(first.end, second.end)
    words = tuple(word for one in (first, second) for word in one.words or (Timed.of(one.text, one.start, one.end),))
    return replace(first, end=end, text=f"{first.text.strip()} {second.text.strip()}", pauses=(), words=words)


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
    said = "\n".join(filter(None, (cue.text, cue.below)))
    text, name = html.escape(said, quote=False), html.escape(" ".join(cue.speaker.split()), quote=False)
    return f"<v {name}>{text}</v>" if name else text


_Font = tuple[str, float]
"""A font's family, and the height of its lines in sizes of its letters."""
_USUAL_FONT: _Font = ("Noto Sans", 1.362)


def ass(
    parts: Sequence[Cue],
    picture: tuple[int, int] = (1920, 1080),
    fonts: tuple[_Font, _Font] = (_USUAL_FONT, _USUAL_FONT),
    *,
    karaoke: bool = False,
) -> str:
    """Return cues as an ASS file (Advanced SubStation Alpha); a second language stands smaller below the first.

    Args:
        parts: the cues.
        picture: width and height of the film as it is shown, in pixels: a usual line fits across it.
        fonts: of the text and of the second language, where the player has them.
        karaoke: whether words light up as they are spoken; those of the second language do not.
    """
    wide, high = picture
    size = min(_LETTER_SHARE * high, _LINE_SHARE * wide / (LINE_CHARACTERS * _COLUMN_SHARE))
    (font, height), (font_below, height_below) = fonts
    file = pysubs2.SSAFile()
    file.info |= {"PlayResX": str(wide), "PlayResY": str(high), "ScaledBorderAndShadow": "yes", "WrapStyle": "0"}
    main = pysubs2.SSAStyle(
        fontname=font,
        fontsize=round(size * height, 1),  # the format means that of a line
        outline=round(size / 13, 1),
        shadow=round(size / 26, 1),
        backcolor=pysubs2.Color(0, 0, 0, 128),
        marginl=round(0.03 * wide),
        marginr=round(0.03 * wide),
        marginv=round(0.05 * high),
        encoding=-1,  # the direction is told by the text
    )
    smaller = main.copy()
    smaller.fontname, smaller.fontsize = font_below, round(0.75 * size * height_below, 1)
    smaller.primarycolor = pysubs2.Color(255, 230, 140)
    if karaoke:
        main.primarycolor, main.secondarycolor = _SPOKEN, _UNSPOKEN
        smaller.secondarycolor = smaller.primarycolor  # renderers take it for what has not been spoken yet
    file.styles = {"Default": main, _BELOW: smaller}
    for part in parts:
        above = _lit(part) if karaoke else _uncommanded(part.marked or part.text)
        text = "\\N".join(filter(None, [above, f"{{\\r{_BELOW}}}{_uncommanded(part.below)}" if part.below else ""]))
        file.append(pysubs2.SSAEvent(round(part.start * 1000), round(part.end * 1000), text))
    return file.to_string("ass")


def _lit(cue: Cue) -> str:
    """Return a cue's text with the commands by which its words light up; a speaker's mark is lit from the start."""
    shown = cue.marked or cue.text
    count = sum(map(_counts, shown))
    commands = _commands(cue, count - sum(word.letters for word in cue.words))
    pieces: list[str] = []
    for sign in reversed(shown):
        pieces.append(_uncommanded(sign))
        if _counts(sign):
            count -= 1
            pieces.append(commands.get(count, ""))
    return "".join(reversed(pieces))


def _commands(cue: Cue, unspoken: int) -> dict[int, str]:
    """Return the commands of ASS by which words light up, by the letters in front; `unspoken` stand before all words.

    Each word has its time in hundredths of a second, behind that of the words and pauses before it.
    """
    # Renderers fill a word from the left: one that is read from the right lights up as a whole.
    fill = "k" if any(unicodedata.bidirectional(sign) in ("R", "AL") for sign in cue.text) else "kf"
    found: dict[int, str] = {}
    here, length = 0, round(100 * (cue.end - cue.start))
    for word in cue.words:
        start, end = (min(max(round(100 * (time - cue.start)), here), length) for time in word[:2])
        found[unspoken] = (f"{{\\k{start - here}}}" if start > here else "") + f"{{\\{fill}{max(start, end) - start}}}"
        here, unspoken = max(start, end), unspoken + word.letters
    return found


def _counts(sign: str) -> bool:
    return not sign.isspace() and sign not in (_EMBEDDED, _ENDED)


def _file(parts: Sequence[Cue]) -> pysubs2.SSAFile:
    file = pysubs2.SSAFile()
    for part in parts:
        file.append(pysubs2.SSAEvent(round(part.start * 1000), round(part.end * 1000), _uncommanded(part.text)))
    return file


def _uncommanded(text: str) -> str:
    """Return a text for the library's own format, to which braces and backslashes are commands."""
    return text.translate(_COMMANDS).replace("\n", "\\N")


def _readable(part: Cue, free: float, following: float, gap: float, rules: Rules) -> Cue:
    """Show a part from `free` on at the earliest, and until a gap before the `following` one at the latest."""
    start = max(part.start, free)
    columns = max(map(line_breaking.width, (part.marked or part.text, part.below)))
    end = max(part.end, start + max(SHORTEST_CUE_SECONDS, columns / rules.columns_a_second))
    # Where the next one begins too soon, the gap is smaller; but a cue never ends before it began itself.
    latest = max(following - gap, (start + following) / 2)
    end = latest if latest < end + _FLICKER_SECONDS else end
    end = max(min(end, start + LONGEST_CUE_SECONDS), start + 0.001)
    return replace(part, start=start, end=end, text=_set(part.text, rules), marked=_set(part.marked, rules))


def _set(text: str, rules: Rules) -> str:
    """Return a text in lines, marked where they are read from right to left and players could not tell."""
    lines = line_breaking.broken(text, rules)
    if not rules.is_from_right:
        return lines
    return "\n".join(f"{_EMBEDDED}{line}{_ENDED}" if _may_turn(line) else line for line in lines.split("\n"))


def _may_turn(line: str) -> bool:
    """Return whether a line holds more than letters from right to left: players put punctuation at its wrong end."""
    kinds = {unicodedata.bidirectional(sign) for sign in line}
    return bool(kinds & {"R", "AL"}) and bool(kinds - {"R", "AL", "WS", "NSM"})


def _split(sentence: Cue, mark: str, rules: Rules) -> list[Cue]:
    """Cut a long sentence where it breathes; each part has its share of the time by its length, but for pauses.

    The mark stands in front of the first part, which is cut so that both fit.
    """
    text = _plain(sentence.text)
    if not text:
        return []
    mark = "" if text[0] in _DASHES else mark  # it has its own
    clock = _Clock(text, _said(sentence, text))
    held = len(mark)

    def seconds(begin: int, end: int) -> float:
        return clock.end(max(0, end - held)) - clock.start(max(0, begin - held))

    bounds = _unheld(line_breaking.cut(_held(mark) + text, rules, seconds), held)
    words = [_words(clock, text, *each) for each in bounds]
    parts = [
        Cue(*clock.span(sentence, begin, end), text[begin:end], sentence.speaker, words=timed)
        for (begin, end), timed in zip(bounds, words, strict=True)
    ]
    return [replace(parts[0], marked=mark and mark + parts[0].text), *parts[1:]]


def _split_in_both(above: Cue, lower: str, mark: str, rules: tuple[Rules, Rules]) -> list[Cue]:
    """Cut a line in two languages into as many parts of each; `above` is empty where only the lower one is shown."""
    texts = _plain(above.text), _plain(lower)
    mark = mark if texts[0] and texts[0][0] not in _DASHES else ""
    holders = _held(mark) + texts[0], texts[1]
    both = list(zip(holders, rules, strict=True))
    count = max((len(line_breaking.cut(*each, lambda *_: 0.0)) for each in both if each[0]), default=0)
    first, second = (line_breaking.cut_into(*each, count) if each[0] else [] for each in both)
    first = _unheld(first, len(mark))
    text, bounds = (texts[0], first) if len(first) >= len(second) else (texts[1], second)
    said = _Clock(texts[0], _said(above, texts[0])) if texts[0] else None
    clock = said if said and text is texts[0] else _Clock(text, [(0, above.start, len(text), above.end)])
    words = [_words(said, texts[0], *each) for each in first] if said else []
    words += [()] * (len(bounds) - len(words))
    shown = zip_longest(
        (texts[0][begin:end] for begin, end in first), (texts[1][begin:end] for begin, end in second), fillvalue=""
    )
    parts = [
        Cue(*clock.span(above, begin, end), one, above.speaker, below=other, words=timed)
        for (begin, end), (one, other), timed in zip(bounds, shown, words, strict=True)
    ]
    return [replace(part, marked=mark and mark + part.text if at == 0 else "") for at, part in enumerate(parts)]


def _plain(text: str) -> str:
    return _GAP.sub(" ", text).strip()


def _held(mark: str) -> str:
    """Return a mark in which no line ends."""
    return mark.replace(" ", _NO_BREAK)


def _unheld(bounds: Iterable[tuple[int, int]], held: int) -> list[tuple[int, int]]:
    """Return parts of a text without what was held in front of it."""
    return [(max(0, begin - held), end - held) for begin, end in bounds]


class _Clock:
    """Tells when the parts of a sentence are said: by the stretches whose times are known, within them by length."""

    def __init__(self, text: str, stretches: Sequence[_Stretch]) -> None:
        self._before = [0, *accumulate(max(1, line_breaking.width(sign)) for sign in text)]
        self._stretches = stretches

    def start(self, at: int) -> float:
        """Return when what begins at a sign is said."""
        return self._within(bisect_right(self._stretches, at, key=_first_sign) - 1, at)

    def end(self, at: int) -> float:
        """Return when what ends before a sign has been said."""
        return self._within(max(0, bisect_left(self._stretches, at, key=_first_sign) - 1), at)

    def span(self, sentence: Cue, begin: int, end: int) -> tuple[float, float]:
        """Return when a part of a sentence is shown: its first and last part as the sentence begins and ends."""
        is_first, is_last = begin == 0, end == len(self._before) - 1
        return sentence.start if is_first else self.start(begin), sentence.end if is_last else self.end(end)

    def _within(self, number: int, at: int) -> float:
        first, start, last, end = self._stretches[number]
        begin, whole = self._before[first], self._before[last] - self._before[first]
        return start + (end - start) * (self._before[at] - begin) / whole


_Stretch = tuple[int, float, int, float]
"""What is said without a pause: its first sign and when it begins, the sign behind it and when it ends."""


def _first_sign(stretch: _Stretch) -> int:
    return stretch[0]


def _said(sentence: Cue, text: str) -> list[_Stretch]:
    """Return when the words of a sentence are said; where that is not known, what is said between its pauses."""
    places = [at for at, sign in enumerate(text) if not sign.isspace()]
    words = [word for word in sentence.words if word.letters]
    times = [sentence.start, *(time for word in words for time in word[:2]), sentence.end]
    is_in_order = all(after >= before - _TIME_ERROR_SECONDS for before, after in pairwise(times))
    if not words or sum(word.letters for word in words) != len(places) or not is_in_order:
        return _stretches(sentence, text)
    ends = [*accumulate(word.letters for word in words)]
    return [
        (places[end - word.letters], word.start, places[end - 1] + 1, word.end)
        for word, end in zip(words, ends, strict=True)
    ]


def _words(clock: _Clock, text: str, begin: int, end: int) -> tuple[Timed, ...]:
    """Return when the words are said that stand in a part of a text."""
    found = _WORD.finditer(text, begin, end)
    return tuple(Timed.of(word[0], clock.start(word.start()), clock.end(word.end())) for word in found)


def _stretches(sentence: Cue, text: str) -> list[_Stretch]:
    """Return what is said between the pauses of a sentence; those that do not fit into it are not believed."""
    found: list[_Stretch] = []
    first, begins = 0, sentence.start
    for pause in sentence.pauses:
        if first < pause.characters < len(text) and begins <= pause.start <= pause.end <= sentence.end:
            found.append((first, begins, pause.characters, pause.start))
            first, begins = pause.characters + (text[pause.characters] == " "), pause.end
    return [*found, (first, begins, len(text), sentence.end)]
