"""Pure: which inputs of NLLB are translated together, and how many tokens that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

LONGEST = 128
"""Tokens of one input: what is longer is divided. The model was trained on sentences, and leaves out parts of more."""
_BATCH_SECONDS = 4.0
"""A cancel is heard between two batches."""
_TOKENS_PER_SECOND = 120.0
"""Of one thread, with the smallest model, greedily; a beam takes twice as long."""
_SMALLEST_MODEL = 620_000_000
_BATCH_TOKENS = (LONGEST, 1024)  # at least, at most


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


def batch_tokens(weights: int, threads: int, device: str, beam: int) -> int:
    """Return how many tokens make a batch that is done in a few seconds."""
    least, most = _BATCH_TOKENS
    if device != "cpu":
        return most
    speed = threads * _TOKENS_PER_SECOND * _SMALLEST_MODEL / max(weights, 1) / (1 if beam == 1 else 2)
    return round(min(most, max(least, _BATCH_SECONDS * speed)))
