"""Pure: which inputs of NLLB are translated together, and how many tokens that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vt.system.graphics import Memory

LONGEST = 128
"""Tokens of one input: what is longer is divided. The model was trained on sentences, and leaves out parts of more."""
_BATCH_SECONDS = 4.0
"""A cancel is heard between two batches."""
_TOKENS_PER_SECOND = 120.0
"""Of one thread, with the smallest model, greedily; a beam takes twice as long."""
_SMALLEST_MODEL = 620_000_000
_BATCH_TOKENS = (LONGEST, 1024)  # at least, at most
_MOST_TOKENS_ON_CARD = 16_384
"""Measured on a card: 3,500 tokens a second in batches of 1,024, 8,000 in those of 4,096, 12,200 in those of 16,384."""
_BYTES_A_TOKEN = 2**19
"""What a token of a batch takes on a graphics card: most of it for the scores of 256,206 words in each hypothesis."""


def batches(lengths: Sequence[int], most_tokens: int) -> Iterator[list[int]]:
    """Yield the indices of inputs that go together, of about one length, so that little is padded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > most_tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def batch_tokens(weights: int, threads: int, card: Memory | None, beam: int) -> int:
    """Return how many tokens make a batch that is done in a few seconds, and fits half of what is free on the card.

    Args:
        weights: bytes of the model on the disk.
        threads: that compute.
        card: None where the model runs on a processor.
        beam: hypotheses of each input.
    """
    least, most = _BATCH_TOKENS
    if card is not None:
        return min(_MOST_TOKENS_ON_CARD, max(least, card.free // 2 // _BYTES_A_TOKEN))
    speed = threads * _TOKENS_PER_SECOND * _SMALLEST_MODEL / max(weights, 1) / (1 if beam == 1 else 2)
    return round(min(most, max(least, _BATCH_SECONDS * speed)))
