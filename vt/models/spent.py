"""What translations by another machine took, and which sentences it left to others."""

from __future__ import annotations

from dataclasses import dataclass, replace

from vt.engines.candidate import Choice
from vt.engines.protocols import EngineInfo
from vt.translatable import Message, joined


@dataclass(frozen=True, slots=True)
class Fallen:
    """Sentences that the other machine did not translate."""

    sentences: int
    why: Message
    choice: Choice | None
    """Who translated them instead; None: nobody here could, so they stay empty."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What translations by another machine took."""

    sentences: int = 0
    """That it has translated."""
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fallen: tuple[Fallen, ...] = ()
    """One for each reason and each engine that stood in."""

    def __add__(self, other: Spent) -> Spent:
        counts: dict[tuple[Message, str], Fallen] = {}
        for one in (*self.fallen, *other.fallen):
            key = (one.why, one.choice.info.name if one.choice else "")
            known = counts.get(key)
            counts[key] = replace(one, sentences=known.sentences + one.sentences) if known else one
        return Spent(
            self.sentences + other.sentences,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            tuple(counts.values()),
        )

    @property
    def without_fallen(self) -> Spent:
        """The same for sentences of which nothing may be taken: what they took counts, who made them does not."""
        return replace(self, fallen=())

    @property
    def infos(self) -> tuple[EngineInfo, ...]:
        """The engines that stood in."""
        return tuple(dict.fromkeys(info for one in self.fallen if one.choice for info in one.choice.infos))

    @property
    def instead(self) -> Choice | None:
        """Who has translated everything, where the other machine has translated nothing; its reason says why."""
        found = next((one for one in self.fallen if one.choice), None)
        if self.sentences or found is None or found.choice is None:
            return None
        own = found.choice.fallback_reason
        return replace(found.choice, fallback_reason=joined(found.why, own) if own else found.why)


NOTHING_SPENT = Spent()
