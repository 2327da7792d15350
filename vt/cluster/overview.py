"""The models of all machines together, in the shape of one machine's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SUMS = ("total_cached_models", "total_memory_mb", "budget_mb", "hits", "misses", "loads", "evictions")


def together(own: Mapping[str, Any], by_host: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the state of the server's model cache with that of each host, whose models have its name as their node.

    Args:
        own: as `AIServiceFactory.get_model_status` has it.
        by_host: the same of each host.
    """
    every = dict(own)
    models, memory = list(own["models"]), list(own["memory"])
    for name, state in sorted(by_host.items()):
        models += [{**model, "node": name} for model in state["models"]]
        memory += [{**one, "device": f"{name} {one['device']}"} for one in state["memory"]]
    for what in _SUMS:
        every[what] = round(own[what] + sum(state[what] for state in by_host.values()), 1)
    return {**every, "models": models, "memory": memory}
