"""Apertium, the real program: as many sentences out as in, in their order, and chains of pairs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.asking import pair
from tests.test_factory import settings
from vt.domain import Cancel
from vt.engines import apertium
from vt.engines.apertium import Apertium
from vt.errors import Cancelled, ToolError
from vt.models.catalogue import Catalogue

AWKWARD = [
    "",
    " ",
    "\n",
    "\t \n \n",
    "no punctuation at all",
    "another one without any",
    ".",
    "...",
    "?!",
    "-",
    "—",
    "¿",
    '"',
    "'",
    "«»",
    "🎬",
    "👩‍👩‍👧 🇪🇸",
    "I like 🍎 and 🍐.",
    "[",
    "]",
    "[]",
    "[<em>]",
    "{",
    "}",
    "{}",
    "^",
    "$",
    "^$",
    "^house/casa<n>$",
    "@",
    "*",
    "@house",
    "/",
    "\\",
    "\\\\",
    "\\n",
    "<",
    ">",
    "<b>bold</b>",
    "a < b > c",
    "~ # _ | & ; % = +",
    "[[t:b:abc]]word[[/]]",
    "\\[a\\]",
    "line one\nline two",
    "line one\n\nline two",
    "line one\r\n\r\nline two\r\n",
    "  spaces   around  ",
    "1984",
    "3.14 and 1,000,000",
    "Mr. Smith went to Washington D.C. at 5 p.m. on Jan. 5.",
    "First sentence. Second sentence? Third!",
    "a\u2028b\u2029c\u00a0d\u200be\ufefff",
    "null \x00 bell \x07 escape \x1b end",
    "Ünïcödé ñ 中文 العربية",
    "$(id) `id` $HOME ; rm -rf x",
    "-u eng-spa",
    "--help",
    "The house is red.",
    "the house is red " * 118,
    "x" * 2000,
    "last one.",
]


@pytest.fixture
def to_spanish() -> Apertium:
    return Apertium("eng-spa")


def translated(engine: Apertium, sentences: list[str]) -> list[str]:
    return list(engine.translate(sentences, Cancel()))


# Sentences


def test_a_house_is_a_casa(to_spanish: Apertium) -> None:
    (found,) = translated(to_spanish, ["The house is red."])
    assert "casa" in found


def test_there_is_one_translation_for_each_sentence_however_awkward(to_spanish: Apertium) -> None:
    assert len(AWKWARD) >= 60
    found = translated(to_spanish, AWKWARD)
    assert len(found) == len(AWKWARD)
    assert all(not text or said for text, said in zip([" ".join(s.split()) for s in AWKWARD], found, strict=True))


def test_every_translation_is_one_line_without_space_around_it(to_spanish: Apertium) -> None:
    assert [said for said in translated(to_spanish, AWKWARD) if said != " ".join(said.split())] == []


def test_awkward_sentences_leave_their_neighbours_in_place_and_as_they_would_be_alone(to_spanish: Apertium) -> None:
    marks = [f"The house number {number} is red." for number in range(len(AWKWARD))]
    mixed = [text for pair in zip(marks, AWKWARD, strict=True) for text in pair]
    assert translated(to_spanish, mixed)[::2] == translated(to_spanish, marks)


def test_order_is_kept_over_many_sentences(to_spanish: Apertium) -> None:
    found = translated(to_spanish, [f"I have {number} red houses" for number in range(300)])
    assert [int(word) for said in found for word in said.split() if word.isdigit()] == list(range(300))


@pytest.mark.soak
def test_a_sentence_without_punctuation_takes_no_word_of_the_next(to_spanish: Apertium) -> None:
    assert translated(to_spanish, ["the red", "house is big"]) == [
        *translated(to_spanish, ["the red"]),
        *translated(to_spanish, ["house is big"]),
    ]


def test_a_newline_in_a_sentence_is_a_space(to_spanish: Apertium) -> None:
    assert translated(to_spanish, ["The house\n\nis red."]) == translated(to_spanish, ["The house is red."])


@pytest.mark.parametrize("sentences", [[], [""], ["", " ", "\n"]])
def test_nothing_is_translated_to_nothing_without_a_process(sentences: list[str]) -> None:
    assert translated(Apertium("no-such-pair"), sentences) == [""] * len(sentences)


def test_unknown_words_come_without_the_marks_of_the_program(to_spanish: Apertium) -> None:
    (found,) = translated(to_spanish, ["Mr. Dashwood lives in Norland."])
    assert "*" not in found
    assert "Norland" in found


def test_text_is_read_as_utf_8_in_every_locale(to_spanish: Apertium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("LANG", "C")
    (found,) = translated(to_spanish, ["Tomorrow Zoë is open."])
    assert "Zoë" in found
    assert "mañana" in found.lower()


def test_a_cancel_stops_the_program(to_spanish: Apertium) -> None:
    cancel = Cancel()
    cancel.set()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        list(to_spanish.translate(["The house is red."] * 5000, cancel))
    assert time.monotonic() - began < 3


def test_a_pair_that_is_not_installed_is_an_error_of_the_program() -> None:
    with pytest.raises(ToolError, match="apertium failed"):
        translated(Apertium("eng-xxx"), ["The house is red."])


def test_closing_frees_nothing_so_it_may_happen_twice_and_the_engine_translates_on(to_spanish: Apertium) -> None:
    before = translated(to_spanish, ["The house is red."])
    to_spanish.close()
    to_spanish.close()
    assert translated(to_spanish, ["The house is red."]) == before


# Pairs


def test_a_pair_that_nobody_serves_is_told_of_with_both_languages() -> None:
    (found,) = Catalogue(settings()).translation(*pair("en", "ja"))
    assert found.unfit == (
        "Nobody here translates English to Japanese: a package apertium-* for the pair would be needed."
    )


def test_pairs_are_read_from_the_folder_of_modes_without_their_variants(tmp_path: Path) -> None:
    for name in ("eng-spa", "spa-eng_US", "eo-en-bytecode", "es-pt_BR", "xx-yy", "README"):
        (tmp_path / f"{name}.mode").touch()
    (tmp_path / "eng-cat.txt").touch()
    assert apertium.pairs(tmp_path) == {("en", "es"): "eng-spa"}


def test_a_machine_without_apertium_has_no_pairs(tmp_path: Path) -> None:
    assert apertium.pairs(tmp_path / "none") == {}
