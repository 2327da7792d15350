"""The sweep over cuts: a word that comes out a little differently is heard, one that is missing or added is not."""

from __future__ import annotations

import pytest

from scripts.window_sweep import difference
from vt.domain import Word


def said(text: str) -> list[Word]:
    return [Word(at / 2, at / 2 + 0.4, word) for at, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("whole", "found", "told"),
    [
        ("the old mill stands", "the old mill stands", ""),
        ("he was ill disposed", "he was illdisposed", ""),
        ("a young man unless", "a young men unless", ""),
        ("the old mill stands", "the old stands", "mill > nothing"),
        ("the old mill stands", "the old old mill stands", "nothing > old"),
        ("in the mill stands", "in mills stands", "the mill > mills"),
        ("so mills stands", "so the mill stands", "mills > the mill"),
        ("if he then stands", "if them stands", "he then > them"),
        ("in his power to", "in his house to", "power > house"),
    ],
)
def test_a_similar_word_does_not_stand_for_one_that_is_lost_beside_it(whole: str, found: str, told: str) -> None:
    assert difference(said(whole), said(found), 1.0) == told


def test_what_is_far_from_the_cut_is_not_compared() -> None:
    words = said("many years no no the old mill stands by a quiet river")
    assert difference(words, words[1:], 5.0) == ""
