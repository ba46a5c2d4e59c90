"""An instance of a registered estimator, made the same way by workers and by edges."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sedna.backend.calls import accepts
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError

__all__ = ["bind_estimator", "make_estimator"]


def make_estimator(name: str, parameters: Mapping[str, Any], class_names: Sequence[str], where: str) -> Any:
    """Make the class that is registered under ``name`` (type general), with the user's parameters.

    Args:
        parameters: ``algorithm.parameters`` of the job.
        class_names: of the job; given as ``class_names`` to a class that takes it and is not told otherwise.
        where: what to name when the parameters are wrong.

    Raises:
        UnknownClassError: nothing has this name.
        MissingPackageError: the class needs a package that is not installed.
        SpecError: the class does not take these parameters.
        Exception: whatever the class raises.
    """
    factory, arguments = bind_estimator(name, parameters, class_names, where)
    return factory(**arguments)


def bind_estimator(
    name: str, parameters: Mapping[str, Any], class_names: Sequence[str], where: str
) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What `make_estimator` would call, and with what; raises as it does, but for what the class itself raises."""
    factory: Callable[..., Any] = ClassFactory.get_cls(ClassType.GENERAL, name)
    arguments = dict(parameters)
    if class_names and "class_names" not in arguments and accepts(factory, "class_names"):
        arguments["class_names"] = list(class_names)
    try:
        # Before the call: a TypeError from inside the constructor would look like wrong parameters.
        inspect.signature(factory).bind(**arguments)
    except TypeError as error:
        raise SpecError(f"{name} does not take them: {error}", where=where) from error
    return factory, arguments
