"""What every score demands of its input."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.common.errors import DataError

Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-3
"""Rows may miss a sum of one by this much: probabilities arrive rounded, or in half precision."""


def probabilities(values: npt.ArrayLike, *, axes: int = 2, where: str = "probabilities") -> Floats:
    """``values`` as float64, rows normalised.

    Args:
        axes: 2 for ``(N, C)``, 3 for ``(M, N, C)``.

    Raises:
        DataError: wrong number of axes, fewer than two classes, a value outside 0..1, or a row that does not sum to 1
            (logits, say).
    """
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != axes or p.shape[-1] < 2:
        raise DataError(f"shape {p.shape}", where=where, hint=f"{axes} axes, the last one with two or more classes")
    if p.size and not (np.isfinite(p).all() and p.min() >= -_TOLERANCE and p.max() <= 1 + _TOLERANCE):
        raise DataError("values outside 0..1", where=where, hint="probabilities; apply a softmax to logits first")
    sums = p.sum(-1, keepdims=True)
    if p.size and abs(sums - 1).max() > _TOLERANCE * p.shape[-1]:
        raise DataError(f"a row sums to {float(sums.flat[abs(sums - 1).argmax()]):.3f}", where=where, hint="1")
    return np.asarray(p.clip(0) / sums)
