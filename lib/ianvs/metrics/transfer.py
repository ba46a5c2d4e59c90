"""Transfer between tasks, from the accuracy matrix M: row r after r tasks (row 0 before any), column t on task t.

BWT and FWT are upstream Ianvs' definitions, which differ from those of Lopez-Paz and Ranzato 2017: BWT is the mean
change of every accuracy from one row to the next, FWT the mean gain on a task just before it is learnt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sedna.common.errors import DataError

Matrix = Sequence[Sequence[float]]


def _checked(matrix: Matrix, what: str) -> Matrix:
    """A matrix with one row more than columns.

    Raises:
        DataError: it has another shape, or lacks a figure.
    """
    if not matrix or any(len(row) != len(matrix) - 1 for row in matrix):
        raise DataError(f"{what} needs one row more than tasks", hint="a row before the first task, and one after each")
    if not all(math.isfinite(value) for row in matrix for value in row):
        raise DataError(f"{what} is not known", hint="the method cannot answer tasks that it has not met")
    return matrix


def backward(matrix: Matrix) -> float:
    """BWT = sum over rows i and columns j of (M[i+1][j] - M[i][j]), over the square of the number of tasks."""
    rows = _checked(matrix, "BWT")
    tasks = len(rows) - 1
    return math.fsum(rows[i + 1][j] - rows[i][j] for i in range(tasks) for j in range(tasks)) / tasks**2


def forward(matrix: Matrix) -> float:
    """FWT = mean over tasks i of (M[i][i] - M[0][i]): what the tasks before it gave to task i."""
    rows = _checked(matrix, "FWT")
    tasks = len(rows) - 1
    return math.fsum(rows[i][i] - rows[0][i] for i in range(tasks)) / tasks


def average(matrix: Matrix) -> float:
    """Mean accuracy over all tasks after the last one."""
    return math.fsum(matrix[-1]) / len(matrix[-1])


def forgetting(matrix: Matrix) -> float:
    """Mean over tasks of the best accuracy since the task was learnt, less the last one."""
    tasks = len(matrix) - 1
    drops = [max(matrix[row][task] for row in range(task + 1, tasks + 1)) - matrix[-1][task] for task in range(tasks)]
    return math.fsum(drops) / tasks
