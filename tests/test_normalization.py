"""Numbers and symbols are said as each language says them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vt import languages
from vt.text.normalization import names_numbers, normalized
from vt.text.normalization.table import languages as spoken

SAID = [
    ("es", "Son 1.234,5 km.", "Son mil doscientos treinta y cuatro coma cinco kilómetros."),
    ("es", "El 21,5 % de 1.000.000 €", "El veintiuno coma cinco por ciento de un millón de euros"),
    ("es", "a las 10:30, no a las 9:00.", "a las diez y treinta, no a las nueve en punto."),
    ("es", "-5 °C y +3", "menos cinco grados y más tres"),
    ("es", "1.º de mayo, la 3ª vez", "primero de mayo, la tercera vez"),
    ("es", "1 €, 21 €, 5,50 €", "un euro, veintiún euros, cinco euros cincuenta"),
    ("es", "a 100 km/h", "a cien kilómetros por hora"),
    ("es", "10-20 personas", "diez a veinte personas"),
    ("es", "Tel. +34 600 123", "Teléfono tres cuatro seis cero cero uno dos tres"),
    ("es", "R&D, B2B, 007", "R y D, B dos B, cero cero siete"),
    ("es", "el 2024-05-03", "el tres de mayo de dos mil veinticuatro"),
    ("en", "1,234.5 miles", "one thousand two hundred and thirty-four point five miles"),
    ("en", "In 1984 and the 1980s", "In nineteen eighty-four and the nineteen eighties"),
    ("en", "$5.50, $1, $5 million", "five dollars fifty, one dollar, five million dollars"),
    ("en", "the 1st and 22nd", "the first and twenty-second"),
    ("en", "10:30, 9:05, 8:00", "ten thirty, nine oh five, eight o'clock"),
    ("en", "COVID-19, a 5-year-old", "COVID-nineteen, a five-year-old"),
    ("en", "555-123-4567", "five five five one two three four five six seven"),
    ("en", "1,000,000,000 = 3.14", "one billion equals three point one four"),
    ("en", "1234567890", "one two three four five six seven eight nine zero"),
    ("fr", "1 234,5 kg", "mille deux cent trente-quatre virgule cinq kilos"),
    ("fr", "le 1er mai 1789 à 10h30", "le premier mai mille sept cent quatre-vingt-neuf à dix heures trente"),
    ("fr", "la 1re fois, 71 %", "la première fois, soixante et onze pour cent"),
    ("de", "am 3. Oktober 1990 um 10:30 Uhr", "am dritten Oktober neunzehnhundertneunzig um zehn Uhr dreißig"),
    ("de", "1 € und 1.234,5 kg", "ein Euro und eintausendzweihundertvierunddreißig Komma fünf Kilogramm"),
    ("pt", "5,50 € às 10h30", "cinco euros cinquenta às dez e trinta"),
    ("pt", "a 2.ª de 1.500", "a segunda de mil e quinhentos"),
    ("ar", "١٢٣٤٫٥", "ألف و مئتان و أربعة و ثلاثون فاصلة خمسة"),
    ("ar", "50٪", "خمسون بالمئة"),
    ("tr", "%5 arttı, 20 % düştü", "yüzde beş arttı, yüzde yirmi düştü"),
    ("sw", "Bei ilipanda 5%.", "Bei ilipanda asilimia tano."),
    ("ru", "−5 %", "минус пять процентов"),
    ("th", "มี24คน", "มียี่สิบสี่ คน"),
    ("ko", "1,234명", "천이백삼십사 명"),
    ("pt-BR", "16", "dezesseis"),
]


TABLE = Path(__file__).parent / "data" / "spoken.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
"""Checked by hand: language, written, spoken."""
LANGUAGES = sorted({code for code, _, _ in ROWS})


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_line_is_spoken_as_the_table_says(language: str) -> None:
    wrong = {
        text: normalized(text, code) for code, text, said in ROWS if code == language and normalized(text, code) != said
    }
    assert wrong == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_normalized_once_is_not_changed_by_being_normalized_again(language: str) -> None:
    for code, text, said in [*ROWS, *((code, text, said) for code, text, said in SAID)]:
        if code == language:
            assert normalized(said, code) == said, text


def test_the_table_is_large_enough_to_mean_something() -> None:
    counts = Counter(code for code, _, _ in ROWS)
    assert sum(counts.values()) >= 200
    assert all(counts[code] >= 25 for code in ("en", "es", "fr", "it", "pt", "de"))


def test_a_number_in_any_language_of_the_terms_agrees_with_its_unit_in_one_and_in_many() -> None:
    for words in spoken().values():
        for sign in words.signs("unit"):
            said = normalized(f"1 {sign}, 3 {sign}", words.code)
            assert words.term("unit", sign, one=True) in said, words.code
            assert words.term("unit", sign) in said, words.code


@pytest.mark.parametrize(("code", "text"), [
    ("en", "I said NO, and I mean it."), ("en", "Can I come? May I?"), ("en", "Charles I think is late."),
    ("en", "It happened in March. We left."), ("en", "Malcolm X spoke."), ("fr", "Il est là. M. le maire"),
    ("es", "Fui a Madrid. Di la verdad."), ("de", "Er kam an. Danach nicht."), ("en", "THE END OF THE WORLD"),
    ("it", "Mi vide. Ti vidi."), ("es", "¿QUÉ? ¡NO!"), ("pt", "NÃO! SIM!"), ("en", "a well-known man's man"),
])  # fmt: skip
def test_what_only_looks_like_an_abbreviation_or_a_number_stays(code: str, text: str) -> None:
    assert normalized(text, code) == text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_long_line_takes_time_in_proportion(code: str) -> None:
    line = " ".join(text for of, text, _ in ROWS if of == code) + " "
    text = line * (100_000 // len(line))
    began = time.process_time()
    normalized(text, code)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(("code", "text", "said"), SAID)
def test_what_is_no_letter_is_said_in_words(code: str, text: str, said: str) -> None:
    assert normalized(text, code) == said


def test_a_language_without_number_words_says_digit_by_digit() -> None:
    assert normalized("24", "ta") == "இரண்டு நான்கு"
    assert not names_numbers("ta")
    assert all(map(names_numbers, ("es", "pt-br", "hi")))


def test_a_language_of_which_nothing_is_known_keeps_its_digits_in_western_form() -> None:
    assert normalized("१२ nayi 5 %", "aca") == "12 nayi 5 %"


def test_a_text_of_letters_alone_stays_as_it_is() -> None:
    text = "«¿Qué tal?», dijo Ana; l'été, größer… 😀"
    assert all(normalized(text, code) == text for code in ("es", "fr", "de", "sw", "aca"))


@pytest.mark.parametrize("code", sorted(spoken()))
def test_every_language_of_the_table_says_its_numbers_without_a_digit_left(code: str) -> None:
    said = normalized("0, 7, 21, 300, 1984, 12345, 6.5, 12:30", code)
    assert not any(char.isdigit() for char in said)
    assert any(char.isalpha() for char in said)


def test_every_row_of_the_table_is_a_language_that_mms_speaks_or_the_table_of_languages_knows() -> None:
    assert all(languages.get(code).code == code for code in spoken())


@settings(deadline=None, max_examples=300)
@given(
    st.text(st.sampled_from("0123456789.,:-–+$€%°h '/()ªºstndrd eukm&@=\u00a0²½९٫#IVXMayBG~x×"), max_size=25),
    st.sampled_from(["es", "en", "de", "fr", "hi", "ar", "pl", "it", "pt", "ca"]),
)
def test_no_text_makes_it_fail_nor_leaves_a_digit(text: str, code: str) -> None:
    assert not any(char.isdecimal() for char in normalized(text, code))


def test_importing_it_loads_no_table_of_numbers() -> None:
    script = "import sys, vt.text.normalization; print('num2words' in sys.modules)"
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "False"
