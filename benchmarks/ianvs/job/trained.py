# ruff: noqa: ANN001, ANN201, ARG001
"""A metric that costs nothing."""

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="trained")
def trained(y_true, y_pred):
    return len(y_pred)
