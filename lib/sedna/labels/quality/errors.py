"""Labels of whole images that look wrong, from what a model says that has not seen them.

Source: C. G. Northcutt, L. Jiang, I. L. Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021;
the scores as cleanlab 2.9 defines them. A model that has trained on a sample repeats its label: its own probabilities
find nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ClassErrors", "find_class_errors"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]

_SLACK = 1e-6
"""A mean of equal numbers may come out a little above them."""


@dataclass(frozen=True)
class ClassErrors:
    """What confident learning says of N labels of K classes.

    Attributes:
        thresholds_K: mean probability of each class over the samples labelled so; 2 where none is, which no
            probability reaches.
        counts_KK: samples by label and by the class of which the model is sure; those of none are not counted.
        calibrated_KK: the same, scaled to the numbers of labels and rounded, so that rows sum to them.
        self_confidence_N: probability of the label itself; low = suspicious, as with the next two.
        normalised_margin_N: half of one plus the distance to the likeliest other class.
        weighted_entropy_N: the entropy weighed by the probability of the label, brought to 0..1.
        suspects: positions of the labels that are wrong by these counts, the worst first.
    """

    thresholds_K: _Floats
    counts_KK: _Ints
    calibrated_KK: _Ints
    self_confidence_N: _Floats
    normalised_margin_N: _Floats
    weighted_entropy_N: _Floats
    suspects: tuple[int, ...]

    @property
    def joint(self) -> _Floats:
        """The share of each pair of label and true class."""
        return np.asarray(self.calibrated_KK / max(int(self.calibrated_KK.sum()), 1))


def find_class_errors(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> ClassErrors:
    """Find labels that are likely wrong.

    Args:
        labels: N class numbers below K.
        probabilities: (N, K), each row a distribution, by a model that was not trained on these samples.
    """
    label_N, p_NK = np.asarray(labels, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    if label_N.ndim != 1 or p_NK.ndim != 2 or len(label_N) != len(p_NK) or p_NK.shape[1] < 2:
        raise ValueError(f"labels {label_N.shape} and probabilities {p_NK.shape}: (N,) and (N, K), K at least 2")
    classes = p_NK.shape[1]
    if len(label_N) and not (label_N.min() >= 0 and label_N.max() < classes and np.isfinite(p_NK).all()):
        raise ValueError(f"labels are numbers below {classes}, and probabilities are finite")
    numbers = np.arange(classes)
    given_NK = label_N[:, None] == numbers
    sizes = given_NK.sum(axis=0)
    thresholds = np.where(sizes > 0, (p_NK * given_NK).sum(axis=0) / np.maximum(sizes, 1), 2.0)
    counts = _confident_counts(label_N, p_NK, thresholds)
    calibrated = _calibrated(counts, sizes)
    own = p_NK[np.arange(len(p_NK)), label_N]
    others = np.where(given_NK, -np.inf, p_NK).max(axis=1, initial=-np.inf)
    return ClassErrors(
        thresholds_K=thresholds,
        counts_KK=counts,
        calibrated_KK=calibrated,
        self_confidence_N=own,
        normalised_margin_N=np.asarray((own - others + 1) / 2),
        weighted_entropy_N=_weighted_entropy(p_NK, own),
        suspects=_suspects(label_N, p_NK, calibrated),
    )


def _confident_counts(label_N: _Ints, p_NK: _Floats, thresholds_K: _Floats) -> _Ints:
    sure_NK = p_NK >= thresholds_K - _SLACK
    rows = np.flatnonzero(sure_NK.any(axis=1))
    true_N = np.where(sure_NK, p_NK, -1.0).argmax(axis=1)
    counts = np.zeros((p_NK.shape[1],) * 2, dtype=np.int64)
    np.add.at(counts, (label_N[rows], true_N[rows]), 1)
    return counts


def _calibrated(counts_KK: _Ints, sizes_K: _Ints) -> _Ints:
    """Rows scaled to the numbers of labels, in whole numbers; at least one label of each class is right."""
    found = np.zeros_like(counts_KK)
    for label, size in enumerate(sizes_K):
        if not size:
            continue
        row = counts_KK[label].astype(np.float64)
        row[label] = max(row[label], 1.0)
        row *= size / row.sum()
        if row[label] < 1:
            # The others give up what it lacks, each in proportion, so that the sum stays.
            rest = row.sum() - row[label]
            row *= (size - 1) / rest
            row[label] = 1.0
        found[label] = _rounded(row, int(size))
    return found


def _rounded(row_K: _Floats, total: int) -> _Ints:
    """Whole numbers of the same sum, by the largest remainders; of equal ones the first."""
    whole = np.floor(row_K).astype(np.int64)
    order = np.argsort(-(row_K - whole), kind="stable")
    whole[order[: total - int(whole.sum())]] += 1
    return whole


def _suspects(label_N: _Ints, p_NK: _Floats, calibrated_KK: _Ints) -> tuple[int, ...]:
    """Of each pair of label and other class as many as are counted, by the margin of the other one."""
    found: set[int] = set()
    best_N = p_NK.argmax(axis=1)
    for label, other in zip(*np.nonzero(calibrated_KK), strict=True):
        if label == other:
            continue
        rows = np.flatnonzero(label_N == label)
        margin = p_NK[rows, other] - p_NK[rows, label]
        wanted = min(int(calibrated_KK[label, other]), len(rows))
        # All that are equal to the last one: the order of the samples says nothing about them.
        found.update(int(row) for row in rows[margin >= np.sort(margin)[-wanted]])
    # A label that the model thinks likeliest is no suspect, whatever the counts would have.
    wrong = [row for row in found if best_N[row] != label_N[row]]
    return tuple(sorted(wrong, key=lambda row: (p_NK[row, label_N[row]], row)))


def _weighted_entropy(p_NK: _Floats, own_N: _Floats) -> _Floats:
    tiny = np.finfo(np.float64).tiny
    entropy = -(p_NK * np.log(np.maximum(p_NK, tiny))).sum(axis=1) / np.log(p_NK.shape[1])
    weighed = np.maximum(entropy / np.maximum(own_N, _SLACK), _SLACK)
    return np.asarray(np.log1p(weighed) / weighed)
