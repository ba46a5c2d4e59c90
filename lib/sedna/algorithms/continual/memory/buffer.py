"""The replay buffer of the baselines, and the labelled tier of the hierarchical memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sedna.algorithms.continual.memory.columns import Array, RecordColumn, Rows, Table
from sedna.algorithms.continual.memory.policies import PolicyName, ReplacementPolicy, make_policy


class ReplayBuffer:
    """A bounded number of records in memory.

    Args:
        capacity: rows, 1 or more.
        columns: the record; with ``unique`` it needs a column ``id``.
        policy: reservoir over everything offered, or a ring of the latest.
        unique: offer each id once: an id that is stored is skipped and does not count as offered. An id that was
            replaced may come back.
    """

    def __init__(
        self,
        capacity: int,
        columns: Sequence[RecordColumn],
        *,
        policy: PolicyName = "reservoir",
        seed: int = 0,
        purpose: str = "buffer",
        unique: bool = False,
    ) -> None:
        self.capacity = capacity
        self.num_seen = 0
        self._policy: ReplacementPolicy = make_policy(policy, seed, purpose)
        self._unique = unique
        self._purpose = purpose
        self._table = Table(columns, capacity)
        self._stored: set[int] = set()

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, name: str) -> Array:
        return self._table[name]

    @property
    def nbytes(self) -> int:
        """Bytes of the stored records."""
        return self._table.nbytes

    def offer(self, row: Mapping[str, Any]) -> bool:
        """Show one record; whether it was stored."""
        identity = int(row["id"]) if self._unique else -1
        if self._unique and identity in self._stored:
            return False
        slot = self._policy.slot(self.num_seen, self.capacity)
        self.num_seen += 1
        if slot is None:
            return False
        if self._unique:
            if slot < len(self._table):
                # A picture that was replaced may be offered again.
                self._stored.discard(int(self._table["id"][slot]))
            self._stored.add(identity)
        self._table.put(slot, row)
        return True

    def offer_all(self, rows: Rows) -> None:
        """Show several records in order."""
        for index in range(len(next(iter(rows.values())))):
            self.offer({name: column[index] for name, column in rows.items()})

    def draw(self, count: int, rng: np.random.Generator) -> Rows:
        """Copies of ``min(count, len)`` different rows, uniform."""
        # A buffer that holds nothing yet gives no rows; numpy does not draw none out of none.
        size = min(count, len(self))
        return self._table.rows(rng.choice(len(self), size=size, replace=False) if size else np.empty(0, np.int64))

    def draw_balanced(self, count: int, rng: np.random.Generator) -> Rows:
        """Copies of ``min(count, len)`` different rows whose classes are as equally frequent as the content allows.

        Classes take turns in random order; each turn takes a random row of the class that was not taken yet.
        """
        labels = self["label"]
        order = rng.permutation(len(self))
        turns = np.empty(len(self), dtype=np.int64)
        used: dict[int, int] = {}
        for position, slot in enumerate(order.tolist()):
            label = int(labels[slot])
            turns[position] = used.get(label, 0)
            used[label] = turns[position] + 1
        # Which class begins a turn is random too, or low labels would be replayed more often.
        ties = rng.permutation(int(labels.max()) + 1)[labels[order]] if len(self) else turns
        picked = order[np.lexsort((ties, turns))][:count]
        return self._table.rows(picked)

    def rows(self, slots: np.ndarray[Any, np.dtype[np.int64]]) -> Rows:
        """Copies of chosen rows."""
        return self._table.rows(slots)

    def state(self) -> Rows:
        """Everything needed to go on, as arrays."""
        return {**self._table.state(), "num_seen": np.asarray([self.num_seen], dtype=np.int64)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave.

        Raises:
            ConflictError: it is the state of another configuration.
        """
        columns = dict(state)
        self.num_seen = int(columns.pop("num_seen", np.zeros(1))[0])
        self._table.load_state(columns, self._purpose)
        self._stored = {int(identity) for identity in self._table["id"]} if self._unique else set()
