"""Captions in capitals: translated as if they were written with small letters."""

from __future__ import annotations

import pytest

from vt.text import capitals
from vt.text.capitals import in_small_letters, names_of

SENTENCES = [
    ("en", "I HAVE ONE QUESTION FOR YOU: WHY?", "I have one question for you: why?"),
    ("en", "HE SAID I'M LATE. SHE DIDN'T.", "He said I'm late. She didn't."),
    ("en", "THE U.S. TEAM WON IN 1,500 DAYS.", "The U.S. team won in 1,500 days."),
    ("en", "I WENT TO FRANCE AND SOUTH AFRICA ON MONDAY.", "I went to France and South Africa on Monday."),
    ("en", "YOU MAY EAT TURKEY, SPEAK FRENCH OR MARCH.", "You may eat turkey, speak French or march."),
    ("en", "WHERE IS MR. SMITH, AND WHERE DR JONES?", "Where is Mr. Smith, and where Dr Jones?"),
    ("es", "VIVO EN FRANCIA, SEÑOR.", "Vivo en Francia, señor."),
    ("xx", "FRANCE.", "France."),
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


def test_a_name_that_the_film_writes_with_a_capital_elsewhere_keeps_it() -> None:
    film = [
        "I saw Mary and McCoy at the FBI.",
        "Then Will came: Rose will go.",
        "A ROSE IS RED.",
        "Good Dog, good dog.",
    ]
    names = names_of(film, ["ANNA", "TOM", "MAN", "OLD JOE", "1", ""])
    assert in_small_letters("MARY'S OLD DOG WILL SEE MCCOY, ANNA, A MAN AND TOM AT THE FBI.", "en", names) == (
        "Mary's old dog will see McCoy, Anna, a man and Tom at the FBI."
    )
    assert in_small_letters("MARY'S ROSE.", "en", names) == "Mary's rose."


@pytest.mark.parametrize(
    ("source", "text", "code", "expected"),
    [
        ("Good morning.", "buen día.", "es", "Buen día."),
        ("Is it?", "¿es así?", "es", "¿Es así?"),
        ("It is.", "istanbul.", "tr", "İstanbul."),
        ("Three houses.", "3 casas.", "es", "3 casas."),
        ("and so on.", "y así.", "es", "y así."),
        ("The iPhone.", "iPhone.", "es", "iPhone."),
        ("Hello.", "გამარჯობა.", "ka", "გამარჯობა."),
        ("Hello.", "", "es", ""),
        ("", "hola", "es", "hola"),
        ("«Oui.", "«yes.", "en", "«Yes."),
    ],
)
def test_a_translation_begins_with_a_capital_where_its_source_does(
    source: str, text: str, code: str, expected: str
) -> None:
    assert capitals.begun_alike(source, text, code) == expected
