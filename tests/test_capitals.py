"""Captions in capitals: translated as if they were written with small letters."""

from __future__ import annotations

import pytest

from vt.text.capitals import in_small_letters

SENTENCES = [
    ("en", "I HAVE ONE QUESTION FOR YOU: WHY?", "I have one question for you: why?"),
    ("en", "HE SAID I'M LATE. SHE DIDN'T.", "He said I'm late. She didn't."),
    ("en", "THE U.S. TEAM WON IN 1,500 DAYS.", "The U.S. team won in 1,500 days."),
    ("en", "WAIT!", "Wait!"),
    ("en", "SORRY.", "Sorry."),
    ("es", "¿DÓNDE ESTÁS? AQUÍ HACE FRÍO.", "¿Dónde estás? Aquí hace frío."),
    ("ru", "ГДЕ ТЫ БЫЛ?", "Где ты был?"),
    ("el", "ΠΟΥ ΕΙΝΑΙ Ο ΔΡΟΜΟΣ;", "Που ειναι ο δρομος;"),
    ("tr", "IŞIKLAR İYİ DEĞİL.", "Işıklar iyi değil."),
]


@pytest.mark.parametrize(("code", "shown", "plain"), SENTENCES)
def test_a_sentence_in_capitals_gets_small_letters(code: str, shown: str, plain: str) -> None:
    assert in_small_letters(shown, code) == plain


@pytest.mark.parametrize("text", ["She works for NASA.", "NASA.", "BBC", "2024", "", "今日は", "Go to the USA!"])
def test_what_is_not_in_capitals_alone_or_may_be_an_abbreviation_stays_as_it_is(text: str) -> None:
    assert in_small_letters(text, "en") == text
