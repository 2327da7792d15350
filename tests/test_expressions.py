"""No text from outside makes an expression slow, nor what reads it: all take time in proportion to its length."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests import expressions
from tests.expressions import COMMON, Expression
from vt import languages
from vt.domain import Word
from vt.dubbing import glossing
from vt.engines.whisper_repetitions import bare
from vt.errors import VtError
from vt.jobs.job_service import plain_name
from vt.text import captions, identification, normalization, number_formats, sentences, splitting, subtitles
from vt.text.glossary import matching
from vt.text.normalization import abbreviations, dates, numbers
from vt.text.normalization.table import languages as spoken
from vt.text.subtitles import Cue

MADE = [
    *(Expression(f"quantities {code}", numbers.quantities_pattern(spoken()[code])) for code in ("pt", "sw")),
    Expression("abbreviations", abbreviations.abbreviations_pattern("en")[0]),
    Expression("first days", dates.first_days_pattern(spoken()["fr"])),
    Expression("days in English", dates.english_days_pattern()),
    Expression("a term's spelling", matching.spelling_pattern("C++")),
    Expression("a term", matching.term_pattern("data centre's body", has_plural=True)),
    *(Expression(f"marks {form}", glossing.marks_pattern(form)) for form in glossing.MARKS),
    *(
        Expression(f"numbers {code}", number_formats.numbers_pattern(style))
        for code, style in number_formats.number_styles().items()
    ),
]
"""What functions make at their first call; other languages' differ in their words alone."""
MAKERS = {
    "quantities_pattern",
    "abbreviations_pattern",
    "first_days_pattern",
    "english_days_pattern",
    "numbers_pattern",
    "marks_pattern",
    "spelling_pattern",
    "term_pattern",
}
FOUND = {(each.pattern.pattern, each.pattern.flags): each
         for each in (*expressions.lasting(), *expressions.literal(), *MADE)}  # fmt: skip


def test_every_expression_is_found() -> None:
    """It lasts in a module, stands in its call, or is made by a function that is called here."""
    hidden = [call for call in expressions.calls() if not (call.is_literal or call.is_named)]
    assert {call.function.name for call in hidden if call.function and call.makes} == MAKERS
    assert [call.where for call in hidden if not call.makes] == []
    assert len(FOUND) > 60


@pytest.mark.parametrize("expression", FOUND.values(), ids=lambda each: each.where)
def test_no_text_makes_an_expression_slow(expression: Expression) -> None:
    assert expressions.slow(expression.pattern) == ""


@pytest.mark.parametrize("hostile", [r"\[[^\]]*\]", r"\s+$", r"^(.+?)( \1)+$"])
def test_an_expression_that_is_slow_for_some_text_is_seen(hostile: str) -> None:
    assert expressions.slow(re.compile(hostile)) != ""


def _sentences(text: str) -> None:
    sentences.sentences(captions.words([captions.Utterance(0.0, 9000.0, text)]))


def _late(text: str) -> None:
    """Words of which each last one outlasts all before it, which draws every division to the edge."""
    words = [Word(0.001 * at, 0.001 * at + 0.0005, f" {word}") for at, word in enumerate(text.split())]
    sentences.sentences([*words, Word(len(words), 90 * 3600.0, " end")] if words else [])


def _read(text: str) -> None:
    with suppress(VtError):
        captions.read(text.encode("utf-8", "replace"))


def _language(text: str) -> None:
    with suppress(VtError):
        languages.get(text)


def _told(text: str) -> None:
    with suppress(VtError):
        identification.language_of(text)


READERS: dict[str, Callable[[str], object]] = {
    "an SRT file": _read,
    "a cue": lambda text: _read(f"1\n00:00:01,000 --> 00:00:02,000\n{text}"),
    "many cues": lambda text: _read("\n".join(f"00:01,000 --> 00:02,000\n{part}\n" for part in _parts(text, 1900))),
    "an ASS script": lambda text: _read(f"[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{text}"),
    "a TTML file": lambda text: _read(f'<tt><body><div><p begin="1s" end="2s">{text}</p></div></body></tt>'),
    "a TTML file's times": lambda text: _read(f"<tt><body><div><p begin='{text}' end='2s'>a</p></div></body></tt>"),
    "an SBV file": lambda text: _read(f"0:00:01.000,0:00:02.000\n{text}"),
    "lyrics": lambda text: _read(f"[00:01.00]{text}"),
    "a transcript": lambda text: _read(
        json.dumps(
            {
                "segments": [
                    {
                        "start": 1,
                        "end": 2,
                        "text": text,
                        "words": [{"word": word, "start": 1, "end": 2} for word in text.split()],
                    }
                ]
            }
        )
    ),
    "sentences": _sentences,
    "a sentence with a long last word": _late,
    "cues of a sentence": lambda text: subtitles.cues([Cue(0.0, 9.0, text)]),
    "an SRT file to be written": lambda text: subtitles.srt([Cue(0.0, 9.0, text)]),
    "a WebVTT file to be written": lambda text: subtitles.vtt([Cue(0.0, 9.0, text)]),
    "pieces for a translator": lambda text: splitting.pieces(text, lambda part: len(part) < 500),
    "a line in Spanish": lambda text: normalization.normalized(text, "es"),
    "a line in English": lambda text: normalization.normalized(text, "en"),
    "a line in French": lambda text: normalization.normalized(text, "fr"),
    "a line in Hindi": lambda text: normalization.normalized(text, "hi"),
    "a line in German": lambda text: normalization.normalized(text, "de"),
    "a line in Italian": lambda text: normalization.normalized(text, "it"),
    "a translation's numbers": lambda text: number_formats.localized(text, text, "en", "fr"),
    "a text of some language": _told,
    "a language's name": _language,
    "a file's name": plain_name,
    "what Whisper makes up": bare,
}


def _parts(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@pytest.mark.parametrize("reader", READERS)
def test_no_text_makes_slow_what_reads_it(reader: str) -> None:
    READERS[reader]("1 Warm")  # whatever is loaded at the first call
    assert [piece for piece in COMMON if expressions.grows_too_fast(READERS[reader], piece)] == []


def _is_in_proportion(make: Callable[[int], list[Word]], count: int) -> bool:
    """Tell whether sentences of four times as many words take less than ten times as long, at best."""

    def least(words: list[Word]) -> float:
        took = []
        for _ in range(4):
            began = time.process_time()
            sentences.sentences(words, pause_seconds=9.0)
            took.append(time.process_time() - began)
        return min(took)

    return least(make(4 * count)) < 10 * least(make(count))


@pytest.mark.soak
def test_signs_without_a_word_are_hung_on_one_in_time_that_grows_with_them() -> None:
    def signs(count: int) -> list[Word]:
        return [Word(0.0, 1.0, " word"), *(Word(1.0, 1.0, " )))))))))))))))))))))))") for _ in range(count))]

    assert _is_in_proportion(signs, 25_000)


@pytest.mark.soak
def test_no_sentence_draws_every_division_to_its_edge() -> None:
    """Each pause is a little shorter than the one before, and the last word outlasts all others."""

    def sentence(count: int) -> list[Word]:
        starts = [at * 2.0 - at * at * 5e-5 for at in range(count)]
        return [*(Word(start, start + 1.0, " w") for start in starts), Word(starts[-1] + 2.0, 360_000.0, " end")]

    assert _is_in_proportion(sentence, 1000)


def test_what_grows_with_the_square_of_a_text_is_seen() -> None:
    def squared(text: str) -> None:
        sum(1 for _ in range(len(text) ** 2 // 40))

    # Any of five: a busy machine may hold the shorter text up, which then looks no quicker than the longer one.
    assert any(expressions.grows_too_fast(squared, "ab") for _ in range(5))
