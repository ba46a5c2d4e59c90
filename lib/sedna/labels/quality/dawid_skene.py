"""What items are, from the answers of people who err in their own ways.

Source: A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", 1979.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_ANSWERS", "ROUNDS", "TOLERANCE", "Consensus", "class_consensus", "dawid_skene"]

ROUNDS = 100
TOLERANCE = 1e-5
"""Gain of the bound per answer below which another round is not worth it."""

LEAST_ANSWERS = 20
"""Answers per person below which the person's errors cannot be told from chance: the majority is safer then."""

_SMALLEST = 1e-10
"""An error that was never seen is rare, not impossible: of a probability of 0 no answer could talk anybody out."""

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Consensus:
    """What the answers say.

    Attributes:
        posterior_TK: of each item the probability of each class.
        prior_K: how frequent the classes are.
        errors_PKK: of each person, by observed and true class: how often one is said of the other. Empty where the
            majority decided.
        rounds: how many there were; 0 = the majority decided.
    """

    posterior_TK: _Floats
    prior_K: _Floats
    errors_PKK: _Floats
    rounds: int

    @property
    def labels(self) -> _Ints:
        """The likeliest class of each item; of equal ones the first."""
        return np.asarray(self.posterior_TK.argmax(axis=1), dtype=np.int64)


def class_consensus(tasks: npt.ArrayLike, people: npt.ArrayLike, labels: npt.ArrayLike, *, classes: int) -> Consensus:
    """`dawid_skene` where everybody has given `LEAST_ANSWERS`; else the shares of the answers.

    Args: as `dawid_skene`.
    """
    task_A, person_A, label_A = _checked(tasks, people, labels, classes)
    if len(person_A) and np.bincount(person_A)[np.unique(person_A)].min() >= LEAST_ANSWERS:
        return dawid_skene(task_A, person_A, label_A, classes=classes)
    shares = _shares(task_A, label_A, classes)
    prior = shares.mean(axis=0) if len(shares) else np.full(classes, 1 / classes)
    return Consensus(shares, prior, np.zeros((0, classes, classes)), 0)


def dawid_skene(
    tasks: npt.ArrayLike,
    people: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    classes: int,
    rounds: int = ROUNDS,
    tol: float = TOLERANCE,
) -> Consensus:
    """Estimate the classes of items and the errors of people, starting from the shares of the answers.

    Args:
        tasks: of each answer the number of its item; items are numbered from 0, and each has an answer.
        people: of each answer the number of its person, from 0.
        labels: of each answer the class that was said, below ``classes``.
        classes: K.
        rounds: largest number of them.
        tol: ends it when the bound gains less in a round; 0 = never before it falls.
    """
    task_A, person_A, label_A = _checked(tasks, people, labels, classes)
    if not len(task_A) or rounds < 1:
        raise ValueError(f"{len(task_A)} answers and {rounds} rounds: at least one of each")
    posterior = _shares(task_A, label_A, classes)
    prior = posterior.mean(axis=0)
    errors = _errors(task_A, person_A, label_A, posterior)
    bound, done = -np.inf, 0
    while done < rounds:
        done += 1
        posterior = _posterior(task_A, person_A, label_A, prior, errors, len(posterior))
        prior = posterior.mean(axis=0)
        errors = _errors(task_A, person_A, label_A, posterior)
        reached = _bound(task_A, person_A, label_A, posterior, prior, errors)
        if reached - bound < tol:
            break
        bound = reached
    return Consensus(posterior, prior, errors, done)


def _checked(
    tasks: npt.ArrayLike, people: npt.ArrayLike, labels: npt.ArrayLike, classes: int
) -> tuple[_Ints, _Ints, _Ints]:
    task_A, person_A, label_A = (np.asarray(given, dtype=np.int64) for given in (tasks, people, labels))
    if not task_A.ndim == 1 or not task_A.shape == person_A.shape == label_A.shape:
        raise ValueError(f"tasks {task_A.shape}, people {person_A.shape}, labels {label_A.shape}: one each per answer")
    if len(task_A):
        if min(task_A.min(), person_A.min(), label_A.min()) < 0 or label_A.max() >= classes:
            raise ValueError(f"labels {label_A.min()} to {label_A.max()} of {classes} classes: all count from 0")
        if (np.bincount(task_A) == 0).any():
            raise ValueError("an item has no answer: number those that have some from 0")
    return task_A, person_A, label_A


def _shares(task_A: _Ints, label_A: _Ints, classes: int) -> _Floats:
    counts = np.zeros((int(task_A.max(initial=-1)) + 1, classes))
    np.add.at(counts, (task_A, label_A), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _errors(task_A: _Ints, person_A: _Ints, label_A: _Ints, posterior_TK: _Floats) -> _Floats:
    """How often each person says each class of items of each class."""
    shape = (int(person_A.max()) + 1, posterior_TK.shape[1], posterior_TK.shape[1])
    counts, said = np.zeros(shape), np.zeros(shape[:2], dtype=np.bool_)
    np.add.at(counts, (person_A, label_A), posterior_TK[task_A])
    said[person_A, label_A] = True
    # Only what the person ever says shares the whole: a class that was not on offer takes nothing away.
    counts = np.where(said[:, :, None], np.maximum(counts, _SMALLEST), 0.0)
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))


def _posterior(
    task_A: _Ints, person_A: _Ints, label_A: _Ints, prior_K: _Floats, errors_PKK: _Floats, tasks: int
) -> _Floats:
    # A class that no item is of cannot become one: minus infinity, and not the smallest number.
    prior = np.log(prior_K, out=np.full_like(prior_K, -np.inf), where=prior_K > 0)
    log = np.tile(prior, (tasks, 1))
    np.add.at(log, task_A, _log(errors_PKK[person_A, label_A]))
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    return np.asarray(likelihood / likelihood.sum(axis=1, keepdims=True))


def _bound(
    task_A: _Ints, person_A: _Ints, label_A: _Ints, posterior_TK: _Floats, prior_K: _Floats, errors_PKK: _Floats
) -> float:
    """The evidence lower bound per answer."""
    told = (posterior_TK[task_A] * _log(errors_PKK[person_A, label_A])).sum()
    expected = (posterior_TK * _log(prior_K)).sum()
    entropy = -(posterior_TK * _log(posterior_TK)).sum()
    return float(told + expected + entropy) / len(task_A)


def _log(values: _Floats) -> _Floats:
    # The smallest number instead of 0: 0 times its logarithm is 0 then, and not NaN.
    return np.asarray(np.log(np.maximum(values, np.finfo(np.float64).tiny)))
