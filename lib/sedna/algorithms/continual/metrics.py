"""Figures of a continual run from its accuracy matrix. A[t][j]: percent right on task j after task t, for j <= t.

T: number of tasks. Sources: D. Lopez-Paz and M. Ranzato, 2017 (transfer); A. Chaudhry et al., 2018 (forgetting).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

Matrix = Sequence[Sequence[float]]


def average_accuracy(matrix: Matrix) -> list[float]:
    """``AA_t = mean_(j <= t) A[t][j]`` for every t; the last is the headline figure."""
    return [_mean(row[: t + 1]) for t, row in enumerate(matrix)]


def mean_average_accuracy(matrix: Matrix) -> float:
    """Mean of AA_t over t."""
    return _mean(average_accuracy(matrix))


def forgetting(matrix: Matrix) -> float:
    """Mean over all T tasks of ``max_t A[t][j] - A[T-1][j]`` (the last task contributes 0), as upstream."""
    tasks = len(matrix)
    return _mean([max(matrix[t][j] for t in range(j, tasks)) - matrix[-1][j] for j in range(tasks)])


def backward_transfer(matrix: Matrix) -> float:
    """Mean over all but the last task of ``A[T-1][j] - A[j][j]``; 0 for one task."""
    return _mean([matrix[-1][j] - matrix[j][j] for j in range(len(matrix) - 1)])


def plasticity(matrix: Matrix) -> float:
    """``mean_j A[j][j]``: how well a task is learnt when it comes."""
    return _mean([row[t] for t, row in enumerate(matrix)])


def stability(matrix: Matrix) -> float:
    """``1 - mean_(j < T-1) max(0, A[j][j] - A[T-1][j]) / A[j][j]``; 1 for one task."""
    losses = [max(0.0, matrix[j][j] - matrix[-1][j]) / matrix[j][j] for j in range(len(matrix) - 1) if matrix[j][j]]
    return 1 - _mean(losses)


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values) if values else 0.0
