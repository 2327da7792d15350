"""Words that Apertium does not know, put into a close language by their endings; its marks reach nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from vt.domain import Cancel
from vt.engines import apertium, apertium_endings
from vt.engines.apertium import Apertium
from vt.engines.apertium_endings import with_unknown_words_rewritten

PAIRS = {("pt", "es"), ("pt", "ca"), ("es", "pt"), ("ca", "pt")}


def put(word: str, source: str = "pt", target: str = "es") -> str:
    change = apertium_endings.rewriter(source, target)
    assert change
    return change(word)


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("respeitável", "respeitable"),
        ("locação", "locación"),
        ("liberações", "liberaciones"),
        ("ambiguidade", "ambiguidad"),
        ("tesoureiro", "tesourero"),
        ("rolou", "roló"),
        ("rivalizarão", "rivalizarán"),
        ("malária", "malaria"),
        ("fotogênico", "fotogénico"),
        ("atlas", "atlas"),
    ],
)
def test_a_word_gets_the_ending_of_the_other_language(word: str, wanted: str) -> None:
    assert put(word) == wanted


@pytest.mark.parametrize("name", ["Assunção", "GUIMARÃES", "eBayção", "ção", "unção", "F1ção", "it's", "", "sou"])
def test_names_and_what_is_hardly_more_than_an_ending_stay(name: str) -> None:
    assert put(name) == name


def test_there_are_endings_only_between_close_languages() -> None:
    assert apertium_endings.rewriter("en", "es") is None
    for pair in PAIRS:
        assert apertium_endings.rewriter(*pair) is not None


def star(word: str) -> str:
    return f"<{word}>"


@pytest.mark.parametrize(
    ("marked", "plain", "wanted"),
    [
        ("la *casa es", "la casa es", "la <casa> es"),
        ("la *casa es *roja", "la casa es roja", "la <casa> es <roja>"),
        ("own * star and *word", "own * star and word", "own * star and <word>"),
        ("own *star*, **bold**", "own *star*, **bold**", "own *star*, **bold**"),
        ("own **two *marks", "own *two marks", "own *<two> <marks>"),
        ("a #canal and @1970s", "a canal and 1970s", "a canal and 1970s"),
        ("own #tag @me", "own #tag @me", "own #tag @me"),
        ("*co-piloto", "co-piloto", "<co>-piloto"),
        ("something *else", "quite other", "quite other"),
        ("too *short", "too short by far", "too short by far"),
        ("too *long by far", "too long", "too long"),
        ("", "", ""),
        ("*", "*", "*"),
        ("x*", "x", "x"),
    ],
)
def test_only_what_stands_behind_a_mark_is_put(marked: str, plain: str, wanted: str) -> None:
    assert with_unknown_words_rewritten(marked, plain, star) == wanted


@pytest.mark.skipif(("pt", "es") not in apertium.pairs(), reason="apertium-es-pt is not installed")
def test_the_program_itself_leaves_no_portuguese_ending_and_no_mark_and_keeps_stars_and_names() -> None:
    sentences = ["A locação é desconfortável.", "Um * e *dois* e Tufão Imbração.", "Ele rolou @casa #um."]
    found = list(Apertium("pt-es").translate(sentences, Cancel()))
    assert found[0] == "La locación es desconfortable."
    assert found[1].count("*") == 3
    assert "Imbração" in found[1]
    assert "roló" in found[2]
    assert "@" in found[2]
    assert "#" in found[2]


def test_every_row_of_the_table_says_each_ending_once_and_changes_it() -> None:
    rows = Path(apertium_endings.__file__).with_suffix(".tsv").read_text(encoding="utf-8").splitlines()[1:]
    for row in rows:
        pairs = [pair.split(":") for pair in row.split("\t")[2].split()]
        assert len({old for old, _ in pairs}) == len(pairs)
        assert all(old and new for old, new in pairs)
