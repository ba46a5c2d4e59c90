"""Which samples to choose: those with the highest scores, the same of every class, or those that differ most."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.common.errors import DataError

Indices = npt.NDArray[np.int64]


def select(scores_N: npt.ArrayLike, budget: int) -> Indices:
    """Positions of the ``min(budget, N)`` highest scores, best first; equal ones in their order.

    Raises:
        DataError: a score is not a number.
    """
    scores = np.asarray(scores_N, dtype=np.float64)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise DataError(f"scores {scores.shape}", where="scores", hint="numbers (N,)")
    return np.argsort(-scores, kind="stable")[: max(0, budget)].astype(np.int64)


def select_per_class(scores_N: npt.ArrayLike, labels_N: npt.ArrayLike, per_class: int) -> Indices:
    """The best ``per_class`` of every class, class by class. A class with fewer samples gives what it has.

    Raises:
        DataError: a score is not a number, or there is not one label a score.
    """
    scores, labels = np.asarray(scores_N, dtype=np.float64), np.asarray(labels_N)
    if scores.shape != labels.shape:
        raise DataError(f"{scores.shape} scores and {labels.shape} labels", where="labels", hint="one label a score")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    picks = [members[select(scores[members], per_class)] for members in groups]
    return np.concatenate(picks).astype(np.int64) if picks else np.empty(0, dtype=np.int64)


def k_center(features_ND: npt.ArrayLike, budget: int, labelled_LD: npt.ArrayLike | None = None) -> Indices:
    """k-centre greedy: each choice is the sample farthest from everything labelled or chosen before.

    The greedy cover is at most twice as wide as the best one. Source: O. Sener and S. Savarese, Active Learning for
    Convolutional Neural Networks: A Core-Set Approach, ICLR 2018.

    Args:
        features_ND: of the pool, finite.
        labelled_LD: features of what is labelled already. Without them the first choice is the sample nearest to the
            mean.

    Returns:
        Positions of ``min(budget, N)`` samples, in order of choice.

    Raises:
        DataError: features that are not finite or differ in length.
    """
    x_ND = np.asarray(features_ND, dtype=np.float64)
    if x_ND.ndim != 2 or not np.isfinite(x_ND).all():
        raise DataError(f"features {x_ND.shape}", where="features", hint="finite numbers (N, D)")
    count = min(budget, len(x_ND))
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    chosen: list[int] = []
    known_LD = np.empty((0, x_ND.shape[1])) if labelled_LD is None else np.asarray(labelled_LD, dtype=np.float64)
    if known_LD.ndim != 2 or known_LD.shape[1] != x_ND.shape[1]:
        raise DataError(
            f"features of labelled samples {known_LD.shape}", where="features", hint=f"(L, {x_ND.shape[1]})"
        )
    nearest_N = np.full(len(x_ND), np.inf)
    for known_D in known_LD:
        nearest_N = np.minimum(nearest_N, _distances(x_ND, known_D))
    while len(chosen) < count:
        # Everything is equally far from nothing: the first choice needs a rule of its own.
        start = not chosen and not len(known_LD)
        pick = int(_distances(x_ND, x_ND.mean(0)).argmin()) if start else int(nearest_N.argmax())
        chosen.append(pick)
        nearest_N = np.minimum(nearest_N, _distances(x_ND, x_ND[pick]))
        nearest_N[pick] = -1.0  # never twice, even among equal samples
    return np.asarray(chosen, dtype=np.int64)


def _distances(x_ND: npt.NDArray[np.float64], center_D: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Squared distances; the order is what counts."""
    return np.asarray(((x_ND - center_D) ** 2).sum(1))
