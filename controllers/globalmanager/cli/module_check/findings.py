"""What is right or wrong with what a class has made, and what would be right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sedna.common.errors import SednaError
from sedna.common.model_suffix import misnamed
from sedna.common.types import Annotation, Prediction
from sedna.common.validation import first_fault
from sedna.loop.evidence import ModelScores, SampleScore

__all__ = ["CheckError", "Evaluated", "judge_answers", "judge_evaluation", "judge_output"]

_ROW = (
    "evaluate returns {..., 'per_sample': [{'sample': file name without suffix, 'tp': [...], 'fp': [...], "
    "'fn': [...]}]} with one number a class, or {'sample': ..., 'value': number}"
)


class CheckError(SednaError):
    """A step that has failed."""

    def __init__(self, step: str, message: str, hint: str, log: str = "") -> None:
        super().__init__(message, where=step, hint=hint)
        self.step = step
        self.log = log


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation can be used for. ``right``: whether each sample was answered right, where that is known."""

    metric: str
    text: str
    right: Mapping[str, bool]


def judge_evaluation(report: Mapping[str, Any], samples: Sequence[str], classes: int) -> Evaluated:
    """Whether the gate can compare models by this report.

    Args:
        samples: that were evaluated.
        classes: how many there are.

    Raises:
        CheckError: it cannot.
    """
    metrics = report["results"][0].get("metrics")
    if not isinstance(metrics, dict):
        raise CheckError("evaluate", f"answers {type(metrics).__name__} and no figures", _ROW)
    try:
        scores = ModelScores.from_report(metrics)
    except ValidationError as error:
        raise CheckError("evaluate", f"a row of per_sample cannot be read: {first_fault(error)}", _ROW) from error
    rows = scores.per_sample
    if not rows:
        raise CheckError("evaluate", "has no per_sample, without which the gate cannot compare two models", _ROW)
    missing = set(samples) - {row.sample for row in rows}
    if missing:
        shown = rows[0].sample
        message = f"{len(missing)} of {len(samples)} samples have no row; rows are called like {shown!r}"
        raise CheckError("evaluate", message, _ROW)
    wrong = [row for row in rows if row.tp and len(row.tp) != classes]
    if wrong:
        message = f"rows have counts of {len(wrong[0].tp)} classes, there are {classes}"
        raise CheckError("evaluate", message, "one number for each of classNames, in their order")
    counted = all(row.tp for row in rows)
    if not counted and any(row.value is None for row in rows):
        raise CheckError("evaluate", "some rows have counts, and others a value", _ROW)
    figures = ", ".join(f"{name} {value:.3g}" for name, value in scores.metrics.items() if isinstance(value, float))
    metric = "f1, f1_macro, precision, recall or accuracy" if counted else "value (set it: the default f1 needs counts)"
    right = {row.sample: _is_right(row) for row in rows if counted}
    return Evaluated(metric=metric, text=f"{len(rows)} samples, {figures or 'no figures'}", right=right)


def _is_right(row: SampleScore) -> bool:
    return not sum(row.fp) + sum(row.fn)


def judge_output(folder: Path) -> list[str]:
    """Warnings about the files of a model."""
    found = [(path, misnamed(path)) for path in sorted(folder.rglob("*"))]
    return [
        f"{path.name} holds {suffix}: model_format = {suffix!r} on the class gives it that name"
        for path, suffix in found
        if suffix is not None
    ]


def judge_answers(
    found: Mapping[str, Prediction], labels: Mapping[str, Annotation], right: Mapping[str, bool]
) -> tuple[str, list[str]]:
    """What an edge would answer, beside what the evaluation says of the same samples.

    Returns:
        what to show, and warnings.
    """
    labelled = {name: annotation.label for name, annotation in labels.items() if annotation.label is not None}
    if not labelled:
        boxes = sum(len(prediction.boxes) for prediction in found.values())
        true = sum(len(annotation.boxes) for annotation in labels.values())
        none = [] if boxes else ["predict finds no box in any picture: is it meant to, after so little training?"]
        return f"{boxes} boxes in {len(found)} pictures, {true} are labelled", none
    if any(found[name].label is None for name in labelled):
        hint = "a list of class probabilities for each picture"
        raise CheckError("predict", "answers boxes for pictures that are labelled with a class", hint)
    same = {name: found[name].label == label for name, label in labelled.items()}
    text = f"right for {sum(same.values())} of {len(same)} pictures, given as arrays"
    differ = [name for name in same if name in right and same[name] != right[name]]
    if not differ:
        return text, []
    warning = (
        f"evaluate and predict disagree on {len(differ)} of {len(same)} pictures: an edge gives predict RGB arrays, "
        "uint8, (height, width, 3); evaluate seems to read the files in another way (BGR, another scale or size)"
    )
    return text, [warning]
