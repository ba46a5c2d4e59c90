"""Labels that look wrong, for people to decide about.

Looked for after an evaluation, in what models have said of samples that they were not trained on. A model that has seen
a label repeats it, and finds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pydantic import JsonValue

from globalmanager.db import events, judged_labels, reviews
from globalmanager.db.database import Session
from globalmanager.db.judged_labels import JudgedLabel
from globalmanager.db.label_values import ReviewReason
from globalmanager.labelling.consensus import COMPARED_BOXES
from sedna.common.types import Box
from sedna.labels.export.base import class_name
from sedna.labels.quality import (
    LabelQuality,
    box_agreement,
    box_label_quality,
    find_class_errors,
    least_similarity,
    scaled_boxes,
)

__all__ = ["LOOKED_AT", "MOST", "Suspect", "note_suspects", "suspects_of"]

LOOKED_AT = 2000
"""Labels that are looked at, the newest."""

MOST = 20
"""Suspects of one look, the worst: nobody reads a list of hundreds, and most of its end would be right."""

RIGHT_SHARE = 0.95
LEAST_BOXES = 20
"""A detector is sure from the score on from which this share of its boxes is right, of so many at least."""

MOST_COMPARED = 2_000_000
"""Pairs of boxes, a label's and a model's, that one look compares: it takes seconds, and the engine waits for it."""

SUSPECT_BELOW = 0.5
"""Of a picture's score, which is 1 where nothing speaks against its boxes."""

LARGEST_LEAST = 0.05
"""Where all boxes fit, the smallest similarity of all is large, and would make the wrong ones look like them."""


_NAMED = 5


@dataclass(frozen=True)
class Suspect:
    """A label that looks wrong.

    Attributes:
        score: how right it looks, 0 to 1.
        sentence: why, for whoever decides.
    """

    label: JudgedLabel
    score: float
    sentence: str


def suspects_of(labels: Sequence[JudgedLabel], class_names: Sequence[str]) -> list[Suspect]:
    """The worst suspects among labels, the worst first: at most `MOST` that can be decided about, and of hold-out."""
    of_classes = [one for one in labels if one.annotation.label is not None]
    of_boxes = [one for one in labels if one.annotation.label is None and one.prediction.probabilities is None]
    found = [*_classes(of_classes, class_names), *_boxes(of_boxes)]
    found.sort(key=lambda suspect: (suspect.score, suspect.label.sample_id))
    # Apart: those of the hold-out stay suspects from evaluation to evaluation, and would take the others' places.
    parts = [[one for one in found if one.label.is_holdout is frozen][:MOST] for frozen in (False, True)]
    return sorted((*parts[0], *parts[1]), key=found.index)


def note_suspects(session: Session, job_id: int, suspects: Sequence[Suspect], now: datetime) -> None:
    """Let somebody decide about them; of the frozen hold-out, which no review may change, an event names them."""
    current = [one for one in suspects if judged_labels.is_current(session, one.label)]
    frozen = [one.label.sample_id for one in current if one.label.is_holdout]
    asked = [one for one in current if not one.label.is_holdout]
    for one in asked:
        reviews.add(session, job_id, one.label.sample_pk, ReviewReason.LABEL_ERROR, one.sentence, now)
    if not current:
        return
    text = f"{len(asked)} label(s) look wrong and wait for a decision"
    if frozen:
        text += f"; {len(frozen)} of the frozen hold-out look wrong as well: {', '.join(frozen[:_NAMED])}"
    data: dict[str, JsonValue] = {"review": [one.label.sample_id for one in asked], "holdout": list(frozen)}
    events.add(session, job_id, "LabelErrorsFound", text, now, level="warning" if frozen else "info", data=data)


def _classes(labels: Sequence[JudgedLabel], class_names: Sequence[str]) -> list[Suspect]:
    found = []
    lengths = {len(one.prediction.probabilities or ()) for one in labels}
    # Models from before a change of the classes speak of others: each number of classes is a question of its own.
    for length in sorted(length for length in lengths if length > 1):
        chosen = [one for one in labels if len(one.prediction.probabilities or ()) == length]
        numbers = np.array([one.annotation.label for one in chosen])
        chosen = [one for one, number in zip(chosen, numbers, strict=True) if number < length]
        p = np.array([one.prediction.probabilities for one in chosen], dtype=np.float64).reshape(-1, length)
        errors = find_class_errors(numbers[numbers < length], p)
        for place in errors.suspects:
            one, own = chosen[place], float(errors.self_confidence_N[place])
            seen = int(p[place].argmax())
            said = class_name(class_names, one.annotation.label or 0)
            text = f"model {one.version} sees {class_name(class_names, seen)!r} ({p[place, seen]:.2f})"
            found.append(Suspect(one, own, f"{text}, the label says {said!r} ({own:.2f})"))
    return found


def _boxes(of_boxes: Sequence[JudgedLabel]) -> list[Suspect]:
    labels = _comparable(of_boxes)
    pairs = [(_scaled(one, one.annotation.boxes), _scaled(one, one.prediction.boxes)) for one in labels]
    sure = _sure_from(pairs)
    if sure is None:
        return []
    least = min(least_similarity(pairs), LARGEST_LEAST)
    found = []
    for one, (mine, theirs) in zip(labels, pairs, strict=True):
        quality = box_label_quality(mine, theirs, least=least, sure=sure, likely=min(sure, 0.5))
        if quality.score < SUSPECT_BELOW:
            found.append(Suspect(one, quality.score, f"model {one.version} {_why(quality)}"))
    return found


def _comparable(labels: Sequence[JudgedLabel]) -> list[JudgedLabel]:
    """Those that can be compared in the time there is, the first ones first; crowded pictures are left out."""
    found = []
    left = MOST_COMPARED
    for one in labels:
        mine, theirs = len(one.annotation.boxes), len(one.prediction.boxes)
        if max(mine, theirs) > COMPARED_BOXES:
            continue
        left -= mine * theirs
        if left < 0:
            break
        found.append(one)
    return found


def _scaled(one: JudgedLabel, boxes: Sequence[Box]) -> tuple[Box, ...]:
    return scaled_boxes(boxes, one.width, one.height)


def _sure_from(pairs: Sequence[tuple[tuple[Box, ...], tuple[Box, ...]]]) -> float | None:
    """The score above which the model is right often enough; None where that cannot be said."""
    told: list[tuple[float, bool]] = []
    for mine, theirs in pairs:
        partner = {second: first for first, second, _ in box_agreement(mine, theirs).pairs}
        for number, box in enumerate(theirs):
            is_right = number in partner and mine[partner[number]].label == box.label
            told.append((1.0 if box.score is None else box.score, is_right))
    told.sort(key=lambda pair: -pair[0])
    found = None
    right = 0
    for count, (score, is_right) in enumerate(told, start=1):
        right += is_right
        # Of equal scores all or none.
        is_last = count == len(told) or told[count][0] < score
        if is_last and count >= LEAST_BOXES and right >= RIGHT_SHARE * count:
            found = score
    # Just below the smallest of them: one of the measures asks for more than the bound, and not for as much.
    return None if found is None else float(np.nextafter(found, 0.0))


def _why(quality: LabelQuality) -> str:
    reasons = (
        (quality.overlooked, "surely sees something where no box is"),
        (quality.swapped, "surely sees another class in the place of a box"),
        (quality.badly_placed, "sees the thing beside its box"),
    )
    return min(reasons)[1]
