# ruff: noqa: ANN001, ANN201
"""F1 over all boxes at an overlap of 0.5, with the classes of DeepPCB.

``y_true``: paths of Pascal VOC files (the test), or rows ``x1, y1, x2, y2, label`` (what FPN's ``evaluate`` hands
over). ``y_pred``: rows ``x1, y1, x2, y2, score, label`` of every image, in the same order, as a mapping or a list.
"""

from pathlib import Path

from ianvs.metrics.builtin import detection_f1
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.labels.voc import read_voc

CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")


def rows_of(path):
    labels = read_voc([Path(path)], class_names=CLASSES).labels
    return [(box.x1, box.y1, box.x2, box.y2, box.label) for box in labels.items[0].annotation.boxes]


@ClassFactory.register(ClassType.GENERAL, alias="f1_score")
def f1_score(y_true, y_pred):
    return detection_f1([rows_of(truth) if isinstance(truth, str) else truth for truth in y_true], y_pred)
