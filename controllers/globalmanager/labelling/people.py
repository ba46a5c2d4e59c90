"""How far people agree, and what their earlier answers say of how each of them errs. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from pydantic import Field

from globalmanager.db.label_values import AnswerKind, AnswerRow
from globalmanager.labelling.consensus import COMPARED_BOXES, Judge, Votes
from sedna.common.types import Box, Value
from sedna.labels.quality import box_agreement, cohen_kappa, consensus_boxes, dawid_skene, fleiss_kappa
from sedna.labels.quality.dawid_skene import LEAST_ANSWERS

__all__ = ["Agreement", "ClassAgreement", "PairAgreement", "agreement_of", "judge_of"]

_ROUNDS = 20

_SAID = (AnswerKind.BOXES, AnswerKind.CLASS, AnswerKind.NOTHING)


class PairAgreement(Value):
    """How far two people agree on the samples that both have answered."""

    a: str
    b: str
    samples: int
    kappa: float | None = Field(
        description="Cohen's, of the classes: of whole images, or of the boxes, one that only one has drawn among "
        "them; null: both have said one thing throughout"
    )
    mean_iou: float | None = Field(description="of boxes that both have drawn; null without any")
    f1: float | None = Field(description="of the boxes; null where the labels are classes of whole images")
    overlap: float | None = Field(description="sum of the overlaps by the larger number of boxes, mean over samples")


class ClassAgreement(Value):
    """How far people agree on one class: of all that one of two has named, the share that both have."""

    label: int
    named: int = Field(description="by one person or both, in pairs of people and samples")
    agreed: int
    share: float


class Agreement(Value):
    """Agreement of the people of a job."""

    samples: int = Field(description="that more than one person has answered")
    pairs: tuple[PairAgreement, ...]
    classes: tuple[ClassAgreement, ...]
    fleiss: float | None = Field(description="Fleiss' kappa of whole images; null: cannot be said")
    fleiss_samples: int = Field(description="with the most frequent number of answers, which is what it is made of")


def agreement_of(answers: Iterable[AnswerRow]) -> Agreement:
    """The agreement in these answers; of a person who answered a sample twice, in the newer one."""
    by_sample = _by_sample(answers)
    of_pair: dict[tuple[str, str], list[tuple[AnswerRow, AnswerRow]]] = defaultdict(list)
    for said in by_sample:
        for one, other in combinations(sorted(said, key=lambda answer: answer.person), 2):
            of_pair[one.person, other.person].append((one, other))
    named: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    pairs = tuple(_pair(a, b, both, named) for (a, b), both in sorted(of_pair.items()))
    classes = tuple(
        ClassAgreement(label=label, named=all_, agreed=agreed, share=agreed / all_)
        for label, (all_, agreed) in sorted(named.items())
    )
    fleiss, used = _fleiss(by_sample)
    return Agreement(samples=len(by_sample), pairs=pairs, classes=classes, fleiss=fleiss, fleiss_samples=used)


def judge_of(answers: Iterable[AnswerRow]) -> Judge:
    """What is known of people by what they and others have said of the same things (Dawid and Skene).

    Returns:
        A judge that is silent about votes of somebody of whom too little is known.
    """
    people: dict[str, int] = {}
    classes: dict[int, int] = {}
    rows: list[tuple[int, int, int]] = []
    for task, votes in enumerate(_tasks(_by_sample(answers))):
        for person, label in votes.items():
            rows.append((task, people.setdefault(person, len(people)), classes.setdefault(label, len(classes))))
    if not rows:
        return lambda _votes: None
    tasks, persons, labels = (np.asarray(column) for column in zip(*rows, strict=True))
    counts = np.bincount(persons)
    known = dawid_skene(tasks, persons, labels, classes=len(classes), rounds=_ROUNDS)
    names = list(classes)

    def judge(votes: Votes) -> tuple[int, float] | None:
        places = [(people.get(person), classes.get(label)) for person, label in votes.items()]
        weight = known.prior_K.copy()
        for person, label in places:
            if person is None or label is None or counts[person] < LEAST_ANSWERS:
                return None
            weight = weight * known.errors_PKK[person, label]
        total = float(weight.sum())
        if total <= 0:
            return None
        best = int(weight.argmax())
        return names[best], float(weight[best]) / total

    return judge


def _by_sample(answers: Iterable[AnswerRow]) -> list[list[AnswerRow]]:
    """Of each sample that several people have answered their answers, without those who were not sure."""
    found: dict[int, dict[str, AnswerRow]] = defaultdict(dict)
    for answer in answers:
        if answer.kind in _SAID and len(_boxes(answer)) <= COMPARED_BOXES:
            found[answer.sample_pk][answer.person] = answer
    return [list(said.values()) for said in found.values() if len(said) > 1]


def _tasks(by_sample: Iterable[Sequence[AnswerRow]]) -> Iterable[Mapping[str, int]]:
    """The things that several people have named: whole images, or objects in them."""
    for said in by_sample:
        whole = {answer.person: label for answer in said if (label := _label(answer)) is not None}
        if len(whole) > 1:
            yield whole
        elif not whole:
            people = [answer.person for answer in said]
            for cluster in consensus_boxes([_boxes(answer) for answer in said]):
                if len(cluster.votes) > 1:
                    yield {people[place]: label for place, label in cluster.votes}


def _pair(a: str, b: str, both: Sequence[tuple[AnswerRow, AnswerRow]], named: dict[int, list[int]]) -> PairAgreement:
    said: list[tuple[int, int]] = []
    overlaps: list[float] = []
    f1s: list[float] = []
    ious: list[float] = []
    for one, other in both:
        if _label(one) is not None or _label(other) is not None:
            told = [(_or_nothing(_label(one)), _or_nothing(_label(other)))]
        else:
            found = box_agreement(_boxes(one), _boxes(other))
            told = list(found.classes)
            overlaps.append(found.agreement)
            f1s.append(found.f1)
            ious += [overlap for _, _, overlap in found.pairs]
        said += told
        for first, second in told:
            for label in {first, second} - {-1}:
                named[label][0] += 1
                named[label][1] += first == second
    return PairAgreement(
        a=a, b=b, samples=len(both), kappa=cohen_kappa([x for x, _ in said], [y for _, y in said]),
        mean_iou=_mean(ious), f1=_mean(f1s), overlap=_mean(overlaps),
    )  # fmt: skip


def _fleiss(by_sample: Iterable[Sequence[AnswerRow]]) -> tuple[float | None, int]:
    rows = [[label for answer in said if (label := _label(answer)) is not None] for said in by_sample]
    sizes = [len(row) for row in rows if len(row) > 1]
    if not sizes:
        return None, 0
    usual = max(set(sizes), key=lambda size: (sizes.count(size), size))
    used = [row for row in rows if len(row) == usual]
    labels = sorted({label for row in used for label in row})
    return fleiss_kappa([[row.count(label) for label in labels] for row in used]), len(used)


def _boxes(answer: AnswerRow) -> tuple[Box, ...]:
    return () if answer.annotation is None else answer.annotation.boxes


def _label(answer: AnswerRow) -> int | None:
    return None if answer.annotation is None else answer.annotation.label


def _or_nothing(label: int | None) -> int:
    return -1 if label is None else label


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
