"""Metrics for benchmarks that bring none: ``url: ianvs.metrics.builtin``.

Truth is what an index gives: a class number, ``x1,y1,x2,y2,label ...``, a Pascal VOC file, or rows of boxes. Answers
are one a sample in the same order: a mapping by sample, or a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ianvs.data.labels import LabelReader
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError
from sedna.common.types import Box
from sedna.loop import match_boxes


@ClassFactory.register(ClassType.GENERAL, alias="detection_f1")
def detection_f1(truth: Sequence[Any], answers: Any) -> float:
    """F1 over all boxes: greedy matching by score, within a class, from an overlap of 0.5 on.

    Answers are rows ``[x1, y1, x2, y2, score, label]``, labels numbered as in the truth.

    Raises:
        DataError: truth and answers differ in length, or a row is none.
    """
    reader = LabelReader.over([str(entry) for entry in truth if isinstance(entry, str)])
    tp = fp = fn = 0
    for entry, rows in zip(truth, _in_order(truth, answers), strict=True):
        true = reader.read(entry).boxes if isinstance(entry, str) else tuple(_box(row, None) for row in entry)
        hits, false, missed = match_boxes([_box(row, 4) for row in rows], true)
        tp, fp, fn = tp + hits, fp + false, fn + missed
    # Nothing to find and nothing found is right, so that boards without defects do not divide by zero.
    return round(2 * tp / (2 * tp + fp + fn), 4) if tp + fp + fn else 1.0


@ClassFactory.register(ClassType.GENERAL, alias="label_accuracy")
def label_accuracy(truth: Sequence[Any], answers: Any) -> float:
    """Share of right class numbers; an answer may also be the probabilities of the classes.

    Raises:
        DataError: truth and answers differ in length.
    """
    given = _in_order(truth, answers)
    right = [_class(answer) == int(str(label).rpartition("/")[2]) for label, answer in zip(truth, given, strict=True)]
    return round(sum(right) / len(right), 4) if right else 0.0


def _in_order(truth: Sequence[Any], answers: Any) -> list[Any]:
    given = list(answers.values()) if isinstance(answers, Mapping) else list(answers)
    if len(given) != len(truth):
        raise DataError(f"{len(given)} answers for {len(truth)} samples", hint="one a sample, names that differ")
    return given


def _class(answer: Any) -> int:
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if isinstance(answer, list | tuple):
        return max(range(len(answer)), key=lambda index: answer[index])
    return int(answer)


def _box(row: Sequence[float], score_at: int | None) -> Box:
    try:
        score = None if score_at is None else float(row[score_at])
        x1, y1, x2, y2 = (float(value) for value in row[:4])
        return Box(x1=x1, y1=y1, x2=x2, y2=y2, score=score, label=int(row[-1]))
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"{row!r} is no box: {error}", hint="[x1, y1, x2, y2, score, label]") from error
