"""Agreement beyond chance. 1 = always of one mind, 0 = as often as chance would have it, None = it cannot be said.

Sources: J. Cohen, "A coefficient of agreement for nominal scales", 1960; J. L. Fleiss, "Measuring nominal scale
agreement among many raters", 1971.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["cohen_kappa", "fleiss_kappa"]


def cohen_kappa(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Cohen's kappa of two people, (po - pe) / (1 - pe).

    Args:
        first: what the first one said of each item; any whole numbers.
        second: of the same items, in the same order.

    Returns:
        None without items, and where both have said the same one thing throughout: chance alone would agree then.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} answers of the one and {len(second)} of the other: one each per item")
    if not first:
        return None
    # Whole numbers up to the last step: whether chance explains everything must not hang on a rounding.
    total = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True))
    by_chance = sum(first.count(label) * second.count(label) for label in set(first))
    if by_chance == total**2:
        return None
    return (agreed * total - by_chance) / (total**2 - by_chance)


def fleiss_kappa(counts_NK: npt.ArrayLike) -> float | None:
    """Fleiss' kappa of n answers per item, n the same for all: whoever has items with fewer leaves those out.

    Args:
        counts_NK: how many of the answers to an item named a class, (items, classes).

    Returns:
        None without items, with fewer than two answers each, and where all answers name one class.
    """
    counts = np.asarray(counts_NK, dtype=np.int64)
    if not counts.size:
        return None
    if counts.ndim != 2 or (counts < 0).any():
        raise ValueError(f"counts are an (items, classes) table of whole numbers, this is {counts.shape}")
    answers = int(counts[0].sum())
    if (counts.sum(axis=1) != answers).any():
        raise ValueError("items have different numbers of answers: use those with the same number")
    total = counts.sum(axis=0)
    if answers < 2 or (total > 0).sum() < 2:
        return None
    agreed = float(((counts**2).sum(axis=1) - answers).mean()) / (answers * (answers - 1))
    by_chance = float(((total / total.sum()) ** 2).sum())
    return (agreed - by_chance) / (1 - by_chance)
