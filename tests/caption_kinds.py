"""The kinds of captions that were tried, and what is read of each: docs/FORMATS.md shows this, a test holds it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tests.captions import srt, timed
from tests.test_caption_formats import LYRICS, SCRIPT, TRANSCRIPTS, document
from tests.test_caption_merging import YOUTUBE


@dataclass(frozen=True)
class CaptionKind:
    """Captions of one kind, and what is read of them."""

    group: str
    name: str
    content: str | bytes
    spoken: str = ""
    """All that is said, one line after the other; a line begins with its speaker, where the captions name one."""
    said: str = ""
    """A note for the user; of captions that are refused, how what is said in their place begins."""


_FORMATS = "Formats"
_SHOWN = "What captions show"
_TIMES = "Times"
_ENCODINGS = "Encodings"
_LONG_VTT = (
    "WEBVTT - a file\nNOTE by hand\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:a\n\nintro\n00:01.000 --> 00:02.000 "
    "align:start\n<v Ann>Hello <i>there</i>.</v>\n\n2\n00:03.000 --> 00:04.000\nChoose Edit --> Copy\n"
)
_MICRODVD = "{25}{50}Hello.\n{75}{100}There.\n"
_RUSSIAN = srt("Где мой брат? Завтра мы пойдём в лес,", "потому что сегодня идёт дождь.")
_FRENCH = srt("Où est la maison de ma mère, déjà ?", "Elle est près du vieux château français.")
_SBV = "0:00:01.000,0:00:02.500\nHello,\nthere.\n\n0:00:03.000,0:00:04.500\nYes.\n"
_SUBVIEWER = "[INFORMATION]\n[TITLE]A film\n[END INFORMATION]\n[SUBTITLE]\n00:00:01.05,00:00:02.50\nHello,[br]there.\n"

_NO_TIMES = "The subtitles hold no times: a file in SRT, WebVTT, ASS, TTML, SBV, LRC or a transcript in JSON is needed."
_SAID_IN_FRENCH = "Où est la maison de ma mère, déjà ? / Elle est près du vieux château français."
_SAID_IN_RUSSIAN = "Где мой брат? Завтра мы пойдём в лес, / потому что сегодня идёт дождь."


def in_words(said: Iterable[tuple[str, str]]) -> str:
    """Return what is said as this table has it, of pairs of a speaker and a text."""
    return " / ".join(f"{speaker}: {text}" if speaker else text for speaker, text in said)


KINDS_OF_CAPTIONS: list[CaptionKind] = [
    CaptionKind(_FORMATS, "SRT", srt("Hello.", "<i>There</i>."), "Hello. / There."),
    CaptionKind(_FORMATS, "SRT without numbers", srt("Hello.", "There.", numbered=False), "Hello. / There."),
    CaptionKind(
        _FORMATS,
        "WebVTT with notes, styles, regions, names of cues and voices",
        _LONG_VTT,
        "Ann: Hello there. / Choose Edit --> Copy",
    ),
    CaptionKind(
        _FORMATS,
        "ASS and SSA: signs, songs and drawings are not spoken",
        SCRIPT,
        "Ann Lee: Hello there, my friend. / Bob: Well, yes, of course. / Good bye.",
        "Lines of the subtitles that are signs, karaoke or drawings were left out: 8.",
    ),
    CaptionKind(
        _FORMATS,
        "TTML and DFXP",
        document('<p begin="1s" end="2s" ttm:agent="Ann">Hello,<br/>there.</p>'),
        "Ann: Hello, there.",
    ),
    CaptionKind(_FORMATS, "SBV, as YouTube writes it", _SBV, "Hello, there. / Yes."),
    CaptionKind(_FORMATS, "SubViewer", _SUBVIEWER, "Hello, there."),
    CaptionKind(
        _FORMATS,
        "LRC, with times of words",
        LYRICS,
        "Hello, my old friend / I come again / To talk / With you / Hello, my old friend",
    ),
    *(
        CaptionKind(_FORMATS, f"JSON: {name}", json.dumps(content), in_words(line[2:] for line in said))
        for name, (content, said) in TRANSCRIPTS.items()
    ),
    CaptionKind(_FORMATS, "MicroDVD, whose times are frames", _MICRODVD, said=_NO_TIMES),
    CaptionKind(
        _FORMATS,
        "JSON that is no transcript",
        '{"a": 1}',
        said="The JSON holds no transcript: a list of segments with start, end and text is needed.",
    ),
    CaptionKind(_FORMATS, "a page of HTML", "<!DOCTYPE html><html><body>Not found</body></html>", said=_NO_TIMES),
    CaptionKind(_ENCODINGS, "UTF-8 with a byte order mark", b"\xef\xbb\xbf" + _FRENCH.encode(), _SAID_IN_FRENCH),
    CaptionKind(_ENCODINGS, "UTF-16 without a mark", _FRENCH.encode("utf-16-le"), _SAID_IN_FRENCH),
    CaptionKind(
        _ENCODINGS,
        "Windows-1252",
        _FRENCH.encode("cp1252"),
        _SAID_IN_FRENCH,
        "The subtitles are not in UTF-8: they were read as Windows-1252.",
    ),
    CaptionKind(
        _ENCODINGS,
        "Windows-1251",
        _RUSSIAN.encode("cp1251"),
        _SAID_IN_RUSSIAN,
        "The subtitles are not in UTF-8: they were read as Windows-1251.",
    ),
    CaptionKind(
        _ENCODINGS,
        "KOI8-R",
        _RUSSIAN.encode("koi8-r"),
        _SAID_IN_RUSSIAN,
        "The subtitles are not in UTF-8: they were read as KOI8.",
    ),
    CaptionKind(
        _ENCODINGS,
        "no encoding of any language",
        b"1\n00:00:01,000 --> 00:00:02,000\n" + bytes(range(128, 256)) * 4,
        said="The encoding of the subtitles cannot be told: save them as UTF-8, or name their language.",
    ),
    CaptionKind(
        _SHOWN,
        "sounds in brackets, asterisks and notes",
        srt("[DOOR SLAMS] Hello.", "(sighs) *knocks* There.", "♪ La la ♪"),
        "Hello. / There.",
        "Lines of the subtitles that hold only sounds or songs were left out: 1.",
    ),
    CaptionKind(
        _SHOWN,
        "marks of a new speaker",
        srt(">> Hello.", "- Good day.\n- Yes.", "ANN: No."),
        "Hello. / Good day. / Yes. / ANN: No.",
    ),
    CaptionKind(_SHOWN, "a sentence in capitals with a colon", srt("I SAID: GO HOME NOW."), "I SAID: GO HOME NOW."),
    CaptionKind(_SHOWN, "a number that is said", srt("He was born in", "1999"), "He was born in / 1999"),
    CaptionKind(
        _SHOWN,
        "markup between words",
        srt("Hello<br>there, <b>my</b><i>friend</i>.", "{\\an8}Yes."),
        "Hello there, my friend. / Yes.",
    ),
    CaptionKind(_TIMES, "rolling captions of YouTube", YOUTUBE, "the old mill stands / by the water / and it turns"),
    CaptionKind(_TIMES, "two cues of one start", timed((1, 3, "Hello."), (1, 3, "There.")), "Hello. / There."),
    CaptionKind(_TIMES, "a cue that stands there twice", timed((1, 3, "Hello."), (1, 3, "Hello.")), "Hello."),
    CaptionKind(
        _TIMES,
        "a reply within a long line",
        timed((1, 9, "A long line that goes on."), (4, 5, "Yes.")),
        "A long line that goes on. / Yes.",
    ),
    CaptionKind(_TIMES, "hours above 99", "100:00:01,000 --> 100:00:02,000\nHello.\n", "Hello."),
    CaptionKind(
        _TIMES,
        "a negative time",
        "-00:00:01,000 --> 00:00:02,000\nHello.\n",
        "Hello.",
        "Lines of the subtitles that begin before the film are spoken at its start: 1.",
    ),
    CaptionKind(
        _TIMES,
        "times that cannot be read",
        "1\n00:00:xx --> 00:00:02,000\nHello.\n",
        said='Line 2 of the subtitles cannot be read: "00:00:xx --> 00:00:02,000". It should look like '
        "00:01:02,500 --> 00:01:04,000.",
    ),
]
