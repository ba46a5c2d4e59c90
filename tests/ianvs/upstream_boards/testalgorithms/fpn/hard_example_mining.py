"""A miner under the name of a built-in one, which it replaces."""

import abc

from sedna.common.class_factory import ClassFactory, ClassType

__all__ = ["IBTFilter"]


class BaseFilter(metaclass=abc.ABCMeta):  # noqa: B024
    def __call__(self, infer_result=None):
        raise NotImplementedError


@ClassFactory.register(ClassType.HEM, alias="IBT")
class IBTFilter(BaseFilter, abc.ABC):
    def __init__(self, threshold_img=0.5, threshold_box=0.5, **kwargs):
        self.threshold_box = float(threshold_box)
        self.threshold_img = float(threshold_img)

    def __call__(self, infer_result=None) -> bool:
        scores = [row[4] for found in infer_result.values() for entry in found for row in entry["bbox"].tolist()]
        if not scores or not all(0 <= score <= 1 for score in scores):
            return False
        unsure = sum(score <= self.threshold_box for score in scores)
        return unsure / len(scores) >= 1 - self.threshold_img
