"""What the answers of several people to one sample say together: a label, or that somebody has to decide. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from globalmanager.db.label_values import AnswerKind, AnswerRow, LabelState, ReviewReason
from sedna.common.types import Annotation, Box
from sedna.labels.quality import BoxCluster, box_agreement, consensus_boxes

__all__ = ["COMPARED_BOXES", "Outcome", "Votes", "classes_said", "decide"]

Votes = Mapping[str, int]
"""The class that each person names."""

Judge = Callable[[Votes], tuple[int, float] | None]
"""Of votes the likeliest class and its probability, by what is known of the people; None = not enough is known."""

SURE = 0.9
"""Probability from which on what is known of the people settles a label that the majority leaves open."""

COMPARED_BOXES = 300
"""Boxes of one answer: the comparison of more takes long, and other writers wait meanwhile."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of a sample. ``agreement``: of the answers, 0 to 1; None where there was nothing to compare."""

    state: LabelState
    annotation: Annotation | None = None
    agreement: float | None = None
    reason: ReviewReason | None = None
    sentence: str = ""


def decide(answers: Sequence[AnswerRow], floor: float, judge: Judge | None = None) -> Outcome:
    """Decide about a sample that has all its answers.

    Args:
        floor: answers that agree less go to review.
        judge: see `Judge`.
    """
    kinds = Counter(answer.kind for answer in answers)
    if 2 * kinds[AnswerKind.BAD] > len(answers):
        return Outcome(LabelState.BAD, agreement=kinds[AnswerKind.BAD] / len(answers))
    if kinds[AnswerKind.BAD]:
        who = _who(answers, AnswerKind.BAD)
        return _review(ReviewReason.DISAGREEMENT, f"a bad picture for {who}, not for everybody")
    said = [answer for answer in answers if answer.kind is not AnswerKind.UNSURE]
    if not said or len(said) < min(2, len(answers)):
        return _review(ReviewReason.UNSURE, f"not sure: {_who(answers, AnswerKind.UNSURE)}")
    if len(said) == 1:
        return Outcome(LabelState.SETTLED, said[0].annotation)
    if all(answer.kind is AnswerKind.CLASS for answer in said):
        return _class(said, floor, judge)
    if any(answer.kind is AnswerKind.CLASS for answer in said):
        return _review(ReviewReason.DISAGREEMENT, "some name a class of the whole image, others draw boxes")
    return _boxes(said, floor, judge)


def classes_said(answers: Sequence[AnswerRow]) -> list[int]:
    """What each answer says, as one number for each: of equal numbers the answers say the same."""
    seen: dict[object, int] = {}
    numbers = []
    for answer in answers:
        said = answer.annotation
        labels = () if said is None else (said.label, *sorted(box.label for box in said.boxes))
        numbers.append(seen.setdefault((answer.kind in (AnswerKind.UNSURE, AnswerKind.BAD), labels), len(seen)))
    return numbers


def _class(answers: Sequence[AnswerRow], floor: float, judge: Judge | None) -> Outcome:
    votes = {answer.person: answer.annotation.label for answer in answers if answer.annotation is not None}
    named = {person: label for person, label in votes.items() if label is not None}
    label, agreement = _elect(named, floor, judge)
    if label is None:
        counts = Counter(named.values()).most_common()
        sentence = ", ".join(f"{count} of {len(named)} say class {found}" for found, count in counts)
        return _review(ReviewReason.DISAGREEMENT, sentence, agreement)
    return Outcome(LabelState.SETTLED, Annotation(label=label), agreement)


def _elect(votes: Votes, floor: float, judge: Judge | None) -> tuple[int | None, float]:
    """The class that wins, if one does, and how far people agree on it."""
    judged = None if judge is None else judge(votes)
    if judged is not None and judged[1] >= max(floor, SURE):
        return judged
    (label, most), *others = Counter(votes.values()).most_common()
    share = most / len(votes)
    is_tie = bool(others) and others[0][1] == most
    return (None if is_tie or share < floor else label), share


def _boxes(answers: Sequence[AnswerRow], floor: float, judge: Judge | None) -> Outcome:
    drawn = [answer.annotation.boxes if answer.annotation is not None else () for answer in answers]
    most = max(len(boxes) for boxes in drawn)
    if most > COMPARED_BOXES:
        return _review(ReviewReason.DISAGREEMENT, f"{most} boxes are too many to be compared")
    pairs = [box_agreement(one, other) for one, other in combinations(drawn, 2)]
    agreement = sum(pair.agreement for pair in pairs) / len(pairs)
    if agreement < floor:
        counts = ", ".join(f"{answer.person} {len(boxes)}" for answer, boxes in zip(answers, drawn, strict=True))
        return _review(ReviewReason.DISAGREEMENT, f"boxes of {counts}: overlap {agreement:.2f}", agreement)
    people = [answer.person for answer in answers]
    found: list[Box] = []
    for cluster in consensus_boxes(drawn):
        label = _class_of(cluster, people, judge)
        x1, y1, x2, y2 = cluster.corners
        if label is None:
            place = f"at {x1:.0f},{y1:.0f}"
            return _review(ReviewReason.DISAGREEMENT, f"no class has most votes for the box {place}", agreement)
        found.append(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label))
    return Outcome(LabelState.SETTLED, Annotation(boxes=tuple(found)), agreement)


def _class_of(cluster: BoxCluster, people: Sequence[str], judge: Judge | None) -> int | None:
    return _elect({people[place]: label for place, label in cluster.votes}, 0.0, judge)[0]


def _review(reason: ReviewReason, sentence: str, agreement: float | None = None) -> Outcome:
    return Outcome(LabelState.REVIEW, None, agreement, reason, sentence)


def _who(answers: Sequence[AnswerRow], kind: AnswerKind) -> str:
    return ", ".join(answer.person for answer in answers if answer.kind is kind)
