"""Pure: which of NLLB's translations of a text is taken: never one without an end, and if possible one that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SPACE = "▁"
"""How the tokenizer writes a space."""
SCORE_LOSS = 0.15
"""How much less, in the mean logarithm of a token's probability, a fitting translation may score than the best.

exp(-0.15) = 0.86: each word a seventh less likely. The four of a beam differ by 0.05 to 0.3.
"""
_LOOP_LENGTHS = range(1, 13)
_LOOP_REPEATS = 4
"""So many times the same in a row is a loop, unless the source has it too."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One of several translations of a text."""

    tokens: tuple[str, ...]
    score: float
    """The mean logarithm of its tokens' probabilities."""

    @property
    def text(self) -> str:
        """As a reader sees it."""
        return " ".join("".join(self.tokens).replace(SPACE, " ").split())


def chosen(hypotheses: Sequence[Hypothesis], most_characters: float | None) -> Hypothesis:
    """Return the first that has at most so many characters and scores not much below the first; else the first.

    `hypotheses` come best first. After: Lakew et al., "Machine Translation Verbosity Control for Automatic Dubbing"
    (2021), who rerank by length too.
    """
    best = hypotheses[0]
    if most_characters is not None:
        for one in hypotheses:
            if len(one.text) <= most_characters and best.score - one.score <= SCORE_LOSS:
                return one
    return best


def hypothesis_count(budgets: Sequence[float | None], beam: int) -> int:
    """Return how many translations of each text to ask for: all of a beam where any length is wished, else the best."""
    return beam if any(budget is not None for budget in budgets) else 1


def shared_budget(parts: Sequence[str], budget: float | None) -> list[float | None]:
    """Divide the characters allowed for a text among its parts, by their lengths; None: any length."""
    whole = sum(map(len, parts))
    return [None if budget is None else budget * len(part) / whole for part in parts]


def most_tokens(source: Sequence[str]) -> int:
    """Return the most tokens that the translation of a source may have: some scripts take three for one."""
    return 3 * len(source) + 16


def is_runaway(tokens: Sequence[str], source: Sequence[str]) -> bool:
    """Tell whether a translation has no end, or goes round in circles that its source does not go round in."""
    return len(tokens) + 1 >= most_tokens(source) or (_loops(tokens) and not _loops(source))


def _loops(tokens: Sequence[str]) -> bool:
    return any(_same_in_a_row(tokens, period) >= (_LOOP_REPEATS - 1) * period for period in _LOOP_LENGTHS)


def _same_in_a_row(tokens: Sequence[str], period: int) -> int:
    longest = run = 0
    for before, after in zip(tokens, tokens[period:], strict=False):
        run = run + 1 if before == after else 0
        longest = max(longest, run)
    return longest
