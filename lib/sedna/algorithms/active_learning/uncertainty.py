"""How unsure a model is of a sample: scores of its class probabilities, larger where a label is worth more.

Letters in shapes: N samples, C classes, M members of a committee.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sedna.common.errors import DataError

Floats = npt.NDArray[np.float64]

_TOLERANCE = 1e-3
"""Rows may miss a sum of one by this much: probabilities arrive rounded, or in half precision."""

_MIN_MEMBERS = 3
_TIE = 1e-6
"""Less than any difference of two vote entropies, so that the second figure only decides between equal ones."""


def entropy(p_NC: npt.ArrayLike) -> Floats:
    """Entropy ``- sum_c p_c ln p_c``: scores ``(N,)`` in 0..ln C.

    Source: C. Shannon, 1948; B. Settles, Active Learning Literature Survey, 2009.

    Raises:
        DataError: not probabilities.
    """
    return _row_entropy(_probabilities(p_NC))


def least_confidence(p_NC: npt.ArrayLike) -> Floats:
    """Least confidence ``1 - max_c p_c``: scores ``(N,)`` in 0..1 - 1/C. Source: D. Lewis and W. Gale, 1994.

    Raises:
        DataError: not probabilities.
    """
    return np.asarray(1 - _probabilities(p_NC).max(1))


def margin(p_NC: npt.ArrayLike) -> Floats:
    """Margin ``1 - (p_(1) - p_(2))`` of the two most likely classes: scores ``(N,)`` in 0..1, 1 where they are equally
    likely. Source: T. Scheffer et al., 2001.

    Raises:
        DataError: not probabilities.
    """
    ordered = np.sort(_probabilities(p_NC), axis=1)
    return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]))


def committee_entropy(p_MNC: npt.ArrayLike) -> Floats:
    """Query by committee: vote entropy ``- sum_c (V_c / M) ln (V_c / M)``, where V_c members of M vote for class c.

    The members may be models of a bagging, dropout samples, or snapshots of one training. Equal votes are told apart by
    the mean entropy of the members. Source: S. Argamon-Engelson and I. Dagan, 1999.

    Returns:
        Scores ``(N,)``.

    Raises:
        DataError: not probabilities, or fewer than 3 members.
    """
    p = _probabilities(p_MNC, axes=3)
    members, _, classes = p.shape
    if members < _MIN_MEMBERS:
        raise DataError(f"a committee of {members}", where="probabilities", hint=f"{_MIN_MEMBERS} or more members")
    votes_MN = p.argmax(2)
    shares_NC = np.stack([(votes_MN == label).mean(0) for label in range(classes)], axis=1)
    return np.asarray(_row_entropy(shares_NC) + _TIE * _row_entropy(p).mean(0))


SCORES: dict[str, Callable[[npt.ArrayLike], Floats]] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
}
"""Scores of one model's probabilities by name."""


def _row_entropy(p: Floats) -> Floats:
    """Entropy over the last axis, with 0 ln 0 = 0."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(-1))


def _probabilities(values: npt.ArrayLike, *, axes: int = 2) -> Floats:
    """``values`` as float64, rows normalised.

    Args:
        axes: 2 for ``(N, C)``, 3 for ``(M, N, C)``.

    Raises:
        DataError: wrong number of axes, fewer than two classes, a value outside 0..1, or a row that does not sum to 1
            (logits, say).
    """
    where = "probabilities"
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != axes or p.shape[-1] < 2:
        raise DataError(f"shape {p.shape}", where=where, hint=f"{axes} axes, the last one with two or more classes")
    if p.size and not (np.isfinite(p).all() and p.min() >= -_TOLERANCE and p.max() <= 1 + _TOLERANCE):
        raise DataError("values outside 0..1", where=where, hint="probabilities; apply a softmax to logits first")
    sums = p.sum(-1, keepdims=True)
    # The rounding of each class adds up.
    if p.size and abs(sums - 1).max() > _TOLERANCE * p.shape[-1]:
        raise DataError(f"a row sums to {float(sums.flat[abs(sums - 1).argmax()]):.3f}", where=where, hint="1")
    return np.asarray(p.clip(0) / sums)
