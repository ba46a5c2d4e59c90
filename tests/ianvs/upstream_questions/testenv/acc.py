from core.common.log import LOGGER

from sedna.common.class_factory import ClassFactory, ClassType

__all__ = ["acc"]


def last_letter(text):
    return next((letter for letter in reversed(text or "") if "A" <= letter <= "D"), None)


@ClassFactory.register(ClassType.GENERAL, alias="acc")
def acc(y_true, y_pred):
    right = [last_letter(answer) == truth for answer, truth in zip(y_pred, y_true)]  # noqa: B905
    LOGGER.info("%d answers", len(right))
    return sum(right) / len(right)
