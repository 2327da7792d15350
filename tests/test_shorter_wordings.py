"""Shorter wordings by rule: what is left out, what never is, and that the table of rules is sound."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vt import languages
from vt.text import shorter_wordings
from vt.text.shorter_wordings import has_rules, says_as_much, shortest, without_fillers

TABLE = Path(shorter_wordings.__file__).with_name("shorter_wordings.tsv")
ROWS = list(csv.DictReader(TABLE.read_text(encoding="utf-8").splitlines(), delimiter="\t"))


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        ("en", "Well, I um think, you know, that it rained.", "I think that it rained."),
        ("en", "It's cold, you know.", "It's cold."),
        ("en", "Um. I think the the dog barked, uh.", "I think the dog barked."),
        ("en", "He left. Okay. I mean, he had to.", "He left. He had to."),
        ("es", "Bueno, pues, eh, ya sabes, fui a casa.", "Fui a casa."),
        ("es", "Este, él vino.", "Él vino."),
        ("fr", "Euh, c'est, tu sais, facile.", "C'est facile."),
        ("de", "Also, ich komme morgen.", "Ich komme morgen."),
    ],
)
def test_hesitations_fillers_and_doubled_words_are_left_out_with_their_marks(code: str, text: str, wanted: str) -> None:
    assert without_fillers(text, code) == wanted


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "He sings very well, and I like you."),
        ("en", "Okay."),
        ("en", "It's cold, you know?"),
        ("en", "He said “well, no” and left."),
        ("en", "I met Um, who is my friend."),
        ("en", "No no, 20 20, that that is it."),
        ("es", "Este libro es bueno, sin duda."),
        ("es", "¿Sabes? Fui."),
        ("xx", "Well, um, you know."),
        ("en", ""),
        ("en", "..."),
    ],
)
def test_what_may_mean_something_stays(code: str, text: str) -> None:
    assert without_fillers(text, code) == text


@pytest.mark.parametrize(
    ("code", "text", "wanted"),
    [
        ("en", "However, he came in order to help.", "But he came to help."),
        ("en", "He, however, stayed.", "He, however, stayed."),
        ("es", "Sin embargo, vino a pesar de que llovía.", "Pero vino aunque llovía."),
        ("es", "A continuación, utiliza el martillo.", "Luego, usa el martillo."),
        ("pt", "No entanto, veio.", "Mas veio."),
    ],
)
def test_longer_words_are_replaced_by_shorter_ones(code: str, text: str, wanted: str) -> None:
    assert shortest(text, code) == wanted


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "However hard he tried, it was very concerning."),
        ("en", "At the moment of truth, immediately before the war."),
        ("es", "Déjalo así como está."),
        ("fr", "À tout de suite, j'ai bien entendu, c'est parce que je dors."),
        ("de", "Im Moment der Wahrheit, im Anschluss an das Essen, zusätzlich zum Lohn, unmittelbar vor dem Haus."),
        ("de", "Das ist sehr wahrscheinlich."),
        ("it", "In seguito a un incidente."),
        ("pt", "É assim que se faz, em relação a 2019."),
    ],
)
def test_words_that_also_mean_something_else_are_left_as_they_are(code: str, text: str) -> None:
    assert shortest(text, code) == text


def test_another_wording_says_as_much_with_the_same_numbers_and_negation_in_a_language_that_is_known() -> None:
    assert says_as_much("I will not go at 3.", "I won't go at 3.", "en")
    assert not says_as_much("I will go at 3.", "I won't go at 3.", "en")
    assert not says_as_much("I won't go at 4.", "I won't go at 3.", "en")
    assert says_as_much("Il ne vient pas.", "Il n'arrive pas.", "fr")
    assert says_as_much("Sin embargo, vino.", "Pero vino.", "es")
    assert (has_rules("es"), has_rules("xx")) == (True, False)
    assert says_as_much("alike 3", "other 3", "xx")
    assert not says_as_much("alike 3", "other 4", "xx")


said = st.lists(st.sampled_from([row["said"] for row in ROWS if "*" not in row["said"]] + ["Anna", "12", "casa", "it"]))
marks = st.sampled_from([" ", ", ", ". ", "? ", " ¿", ": ", " (", ") ", "… "])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted({row["language"] for row in ROWS})), said, st.lists(marks, min_size=40), st.booleans())
def test_no_rule_takes_away_a_number_a_negation_or_a_name_nor_makes_a_text_longer(
    code: str, words: list[str], gaps: list[str], begins: bool
) -> None:
    text = "".join(word + gap for word, gap in zip(words[:40], gaps, strict=False))
    text = text[:1].upper() + text[1:] if begins else text
    short = shortest(text, code)
    assert says_as_much(short, text, code)
    assert short.count("Anna") == text.count("Anna")
    assert len(short) <= len(text)
    assert bool(short.strip()) == bool(text.strip())


def test_the_rules_name_known_languages_and_shorten() -> None:
    kinds = {"filler", "aside", "doubled", "shorter", "opener", "negation", "affirmation"}
    assert {row["kind"] for row in ROWS} == kinds
    for row in ROWS:
        assert languages.get(row["language"]).code == row["language"]
        assert len(row["instead"]) < len(row["said"])
        assert bool(row["instead"]) == (row["kind"] in ("shorter", "opener"))
        if row["kind"] != "negation":
            assert says_as_much(row["said"], "a b c", row["language"])
