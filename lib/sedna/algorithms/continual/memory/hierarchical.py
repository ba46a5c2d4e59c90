"""The hierarchical memory of EdgeHML: labelled records and a part of the unlabelled ones in memory, the rest on disk.

Tiers (M and H are the two capacities, H = 10 M in the published configurations):

- labelled, in memory: every labelled picture, offered while training; reservoir of M.
- disk: unlabelled pictures that the model is sure about, offered while training; reservoir of H.
- unlabelled, in memory: drawn from the disk tier between two tasks, more from classes with a higher loss and from
  classes with fewer records there.

Source: EdgeHML, arXiv 2303.11952; the exact behaviour is that of the released code (mode "faithful"), with the budget
of the text as mode "budgeted".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import Array, RecordColumn, Rows, Table, image_columns
from sedna.algorithms.continual.memory.disk import DiskTier
from sedna.algorithms.continual.memory.policies import PolicyName, make_policy
from sedna.algorithms.training.checkpoint import entries_below

MemoryMode = Literal["faithful", "budgeted"]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tiers:
    """Records and bytes of each tier. ``memory_bytes`` counts records, references and the ids of what was accepted on
    disk, at 8 bytes each."""

    labelled: int
    unlabelled: int
    references: int
    disk: int
    memory_bytes: int
    disk_bytes: int


class HierarchicalMemory:
    """See the module's text.

    Args:
        capacity: M, records in memory.
        disk_capacity: H, records on disk.
        image_shape: of a picture, (3, H, W).
        path: file of the disk tier.
        mode: "faithful": after each task ``min(disk, M - labelled)`` references are added to the unlabelled tier and
            none is ever removed, so that it outgrows M (an entry may be referenced several times; its picture is
            stored once). An id that was accepted on disk once is never accepted again.
            "budgeted": the unlabelled tier is drawn anew after each task, so that labelled + unlabelled <= M between
            tasks (within one, the labelled tier grows by what the task brings); an id that was replaced on disk may
            come back.
        owner: identifies the run, see `DiskTier`.

    Raises:
        ConflictError, DataError, StorageFullError: see `DiskTier`.
    """

    def __init__(
        self,
        capacity: int,
        disk_capacity: int,
        image_shape: tuple[int, int, int],
        path: Path,
        *,
        mode: MemoryMode = "faithful",
        policy: PolicyName = "reservoir",
        seed: int = 0,
        owner: str = "",
    ) -> None:
        columns = image_columns(image_shape)
        self.capacity = capacity
        self.mode: MemoryMode = mode
        self.labelled = ReplayBuffer(capacity, columns, policy=policy, seed=seed, purpose="labelled", unique=True)
        self.disk = DiskTier(path, columns, disk_capacity, owner=owner)
        self._disk_policy = make_policy(policy, seed, "disk")
        self._disk_seen = 0
        self._known: set[int] = set()
        self._pool = Table(columns, 0)
        self._pool_slot: dict[int, int] = {}
        self._references: list[int] = []

    def sizes(self) -> Tiers:
        """What is stored now."""
        index_bytes = 8 * (len(self._references) + len(self._known))
        return Tiers(
            len(self.labelled),
            len(self._pool),
            len(self._references),
            len(self.disk),
            self.labelled.nbytes + self._pool.nbytes + index_bytes,
            self.disk.nbytes,
        )

    def offer_unlabelled(self, row: Mapping[str, Array | int]) -> bool:
        """Show the disk tier one confident record; whether it was stored. A stored pseudo-label is never revised."""
        identity = int(row["id"])
        if identity in self._known:
            return False
        slot = self._disk_policy.slot(self._disk_seen, self.disk.capacity)
        replaced = int(self.disk.rows(np.asarray([slot]))["id"][0]) if self._is_taken(slot) else None
        if slot is not None:
            self.disk.put(slot, row)
            self._known.add(identity)
        # Counted only now: a full disk leaves the memory as it was.
        self._disk_seen += 1
        if replaced is not None and self.mode == "budgeted":
            self._known.discard(replaced)
        return slot is not None

    def _is_taken(self, slot: int | None) -> bool:
        return slot is not None and slot < len(self.disk)

    def draw_unlabelled(self, count: int, rng: np.random.Generator) -> Rows:
        """Copies of the records behind ``min(count, references)`` different references, uniform."""
        size = min(count, len(self._references))
        picked: list[int] = rng.choice(len(self._references), size=size, replace=False).tolist() if size else []
        slots = [self._pool_slot[self._references[position]] for position in picked]
        return self._pool.rows(np.asarray(slots, dtype=np.int64))

    def resample(self, class_losses: Mapping[int, float], rng: np.random.Generator) -> int:
        """Choose records of the disk tier for the unlabelled tier; how many were chosen.

        Args:
            class_losses: mean loss of every class in the labelled tier, by label.
        """
        if self.mode == "budgeted":
            self._pool.clear()
            self._pool_slot.clear()
            self._references.clear()
        if len(self.disk) == 0:
            return 0
        weights = disk_weights(self.disk.column("label"), class_losses)
        # Drawing without replacement needs as many records with a chance as it draws.
        count = min(len(self.disk), self.capacity - len(self.labelled), int(np.count_nonzero(weights)))
        if count <= 0:
            return 0
        slots = rng.choice(len(self.disk), size=count, replace=False, p=weights)
        rows = self.disk.rows(slots.astype(np.int64))
        for index, identity in enumerate(rows["id"].tolist()):
            # A record that is chosen again counts twice in the draws, and is stored once.
            if identity not in self._pool_slot:
                self._pool_slot[identity] = len(self._pool)
                self._pool.put(len(self._pool), {name: column[index] for name, column in rows.items()})
            self._references.append(identity)
        return count

    def state(self) -> Rows:
        """Everything needed to go on; flushes the disk tier. Call `saved` once it is stored."""
        arrays = {f"labelled.{name}": array for name, array in self.labelled.state().items()}
        arrays |= {f"pool.{name}": array for name, array in self._pool.state().items()}
        arrays["references"] = np.asarray(self._references, dtype=np.int64)
        arrays["known"] = np.asarray(sorted(self._known), dtype=np.int64)
        arrays["disk_seen"] = np.asarray([self._disk_seen], dtype=np.int64)
        arrays["disk_positions"] = self.disk.commit()
        return arrays

    def saved(self, state: Mapping[str, Array]) -> None:
        """``state`` is on disk now: records that only older checkpoints refer to may be overwritten."""
        self.disk.release(state["disk_positions"])

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Put back what `state` gave.

        Raises:
            ConflictError: it is the state of another configuration.
        """
        self.labelled.load_state(entries_below(state, "labelled."))
        self._pool.load_state(entries_below(state, "pool."), "unlabelled tier")
        self._pool_slot = {identity: slot for slot, identity in enumerate(self._pool["id"].tolist())}
        self._references = state["references"].tolist()
        self._known = set(state["known"].tolist())
        self._disk_seen = int(state["disk_seen"][0])
        self.disk.restore(state["disk_positions"])

    def close(self) -> None:
        """Close the file of the disk tier."""
        self.disk.close()


def disk_weights(labels_N: Array, class_losses: Mapping[int, float]) -> Weights:
    """Probability of each disk record: ``w = (N / n_c) * loss_c / sum(loss)``, normalised.

    So P(class c) is proportional to its loss, uniform within the class; a class with loss 0 is never drawn. A class
    without a known loss (all its labelled records were replaced) counts as 0.
    """
    classes, inverse, counts = np.unique(labels_N, return_inverse=True, return_counts=True)
    total = sum(class_losses.values())
    losses = np.asarray([max(class_losses.get(int(label), 0.0), 0.0) for label in classes])
    # No class is worse than another: all records are equal.
    if total <= 0 or not losses.any():
        return np.full(len(labels_N), 1 / len(labels_N))
    weights = (len(labels_N) / counts) * (losses / total)
    per_record = weights[inverse]
    return np.asarray(per_record / per_record.sum(), dtype=np.float64)


def memory_columns(image_shape: tuple[int, int, int], num_classes: int) -> tuple[RecordColumn, ...]:
    """The record of the DER family: a picture with the logits it had when it was stored."""
    return (*image_columns(image_shape), RecordColumn("logits", "float32", (num_classes,)))
