"""Which slot a new record takes. A policy has no state but the number of records it has been shown."""

from __future__ import annotations

from typing import Literal, Protocol

from sedna.algorithms.continual.rng import generator

PolicyName = Literal["reservoir", "ring"]


class ReplacementPolicy(Protocol):
    """Answers the slot for the next record, or None to let it pass."""

    def slot(self, num_seen: int, capacity: int) -> int | None:
        """``num_seen`` records were offered before this one."""


class Reservoir:
    """Keeps each of N offered records with equal probability ``capacity / N``.

    Append until full; then draw r uniform in {0..num_seen} and replace slot r if r < capacity.
    Source: J. S. Vitter, Random Sampling with a Reservoir, 1985 (algorithm R).
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._seed = seed
        self._purpose = f"reservoir {purpose}"

    def slot(self, num_seen: int, capacity: int) -> int | None:
        """See `ReplacementPolicy`."""
        if num_seen < capacity:
            return num_seen
        drawn = int(generator(self._seed, self._purpose, num_seen).integers(num_seen + 1))
        return drawn if drawn < capacity else None


class Ring:
    """Keeps the last ``capacity`` records."""

    def slot(self, num_seen: int, capacity: int) -> int | None:
        """See `ReplacementPolicy`."""
        return num_seen % capacity


def make_policy(name: PolicyName, seed: int, purpose: str) -> ReplacementPolicy:
    """The policy of a configuration."""
    return Ring() if name == "ring" else Reservoir(seed, purpose)
