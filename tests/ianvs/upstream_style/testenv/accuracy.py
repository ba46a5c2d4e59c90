# ruff: noqa: PTH119, PTH122
import os

from reading import label_of

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="accuracy")
def accuracy(y_true, y_pred):
    """Share of right answers; both sorted by sample."""
    answers = {os.path.splitext(name)[0]: answer[0] for name, answer in y_pred.items()}
    right = [answers[os.path.splitext(os.path.basename(path))[0]] == label_of(path) for path in y_true]
    return round(sum(right) / len(right), 4)
