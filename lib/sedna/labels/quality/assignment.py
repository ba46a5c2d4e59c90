"""Who belongs to whom: the pairing of two sets with the largest sum of weights.

Source: H. W. Kuhn, "The Hungarian method for the assignment problem", 1955, in the form with potentials and shortest
paths of R. Jonker and A. Volgenant, 1987. Own, for the base install has numpy only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["best_pairs"]

_Floats = npt.NDArray[np.float64]


def best_pairs(weight_NM: _Floats) -> list[tuple[int, int]]:
    """Pairs (row, column) of positive weight, each row and column at most once, with the largest possible sum.

    Args:
        weight_NM: at least 0; 0 = these two can be no pair.
    """
    found: list[tuple[int, int]] = []
    # Boxes that overlap come in small groups: what has nothing to do with each other is solved apart.
    for rows, columns in _groups(weight_NM > 0):
        part = weight_NM[np.ix_(rows, columns)]
        flipped = part.shape[0] > part.shape[1]
        for row, column in enumerate(_assign(-(part.T if flipped else part))):
            i, j = (column, row) if flipped else (row, column)
            if part[i, j] > 0:
                found.append((rows[i], columns[j]))
    return sorted(found)


def _groups(linked_NM: npt.NDArray[np.bool_]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that are linked, directly or through others."""
    groups = []
    free = set(range(linked_NM.shape[0]))
    for start in range(linked_NM.shape[0]):
        if start not in free or not linked_NM[start].any():
            continue
        free.discard(start)
        rows, columns, waiting = [start], set[int](), [start]
        while waiting:
            for column in np.flatnonzero(linked_NM[waiting.pop()]):
                if int(column) not in columns:
                    columns.add(int(column))
                    more = [int(row) for row in np.flatnonzero(linked_NM[:, column]) if int(row) in free]
                    free.difference_update(more)
                    rows += more
                    waiting += more
        groups.append((sorted(rows), sorted(columns)))
    return groups


def _assign(cost_NM: _Floats) -> list[int]:
    """The column of each row at the least total cost; there are at least as many columns as rows."""
    rows, columns = cost_NM.shape
    # One more place in front: 0 stands for "no row" and for the column from which a path starts.
    of_row, of_column = np.zeros(rows + 1), np.zeros(columns + 1)
    owner = np.zeros(columns + 1, dtype=np.int64)
    for row in range(1, rows + 1):
        owner[0], at = row, 0
        shortest = np.full(columns + 1, np.inf)
        before = np.zeros(columns + 1, dtype=np.int64)
        seen = np.zeros(columns + 1, dtype=np.bool_)
        while owner[at]:
            seen[at] = True
            reduced = cost_NM[owner[at] - 1] - of_row[owner[at]] - of_column[1:]
            better = ~seen[1:] & (reduced < shortest[1:])
            shortest[1:][better] = reduced[better]
            before[1:][better] = at
            step_to = int(np.where(seen, np.inf, shortest)[1:].argmin()) + 1
            step = shortest[step_to]
            of_row[owner[seen]] += step
            of_column[seen] -= step
            shortest[~seen] -= step
            at = step_to
        while at:
            owner[at] = owner[before[at]]
            at = int(before[at])
    found = np.zeros(rows, dtype=np.int64)
    taken = np.flatnonzero(owner[1:])
    found[owner[1:][taken] - 1] = taken
    return [int(column) for column in found]
